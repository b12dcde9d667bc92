//! The one test program: a file per capability, and the rules of the house.

mod architecture;
