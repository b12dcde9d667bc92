//! The HTTP toolkit: what every capability's `http.rs` uses, and nothing that one of them owns.
//!
//! Problem documents, validated bodies, pages and cursors, server-sent events, the caller's address and request id,
//! rate limits, and the headers that keep a browser on our side.

pub mod client;
pub mod head;
pub mod headers;
pub mod openapi;
pub mod origin;
pub mod page;
pub mod problem;
pub mod rate_limit;
pub mod relay;
pub mod request_id;
pub mod seats;
pub mod sse;
pub mod valid;

pub use client::ClientAddress;
pub use page::{Page, PageQuery};
pub use problem::Problem;
pub use request_id::RequestId;
pub use valid::{Json, OptionalJson, Path, Query};
