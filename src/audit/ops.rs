//! The verbs: there is only reading.

use super::{Entry, Filter, store};
use crate::{
    identity::{Permit, right::AuditView},
    platform::Result,
    services::Services,
    web::page::PageRequest,
};

/// One page of the rows that `filter` leaves, the newest first; one row more than it shows.
pub async fn list(
    services: &Services,
    _permit: &Permit<AuditView>,
    filter: &Filter,
    page: PageRequest,
) -> Result<Vec<Entry>> {
    let mut db = services.db.acquire().await?;
    store::list(&mut db, filter, page).await
}
