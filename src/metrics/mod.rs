//! How the process itself is: health, for load balancers and for people.

pub mod http;
