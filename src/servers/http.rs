//! `/api/servers`.
