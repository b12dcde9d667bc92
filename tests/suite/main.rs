//! Everything that is tested through the public door, on real parts.

mod docker;
mod support;
