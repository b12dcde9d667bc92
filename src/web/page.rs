//! Pages of unbounded lists: newest first, by id, with an opaque cursor.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::platform::{Error, Result};

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;

/// Which page: taken from the query.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `nextCursor` of the page before.
    pub cursor: Option<String>,
}

impl PageQuery {
    pub fn parse(&self) -> Result<PageRequest> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Error::invalid_field("limit", "a page has 1 to 200 items"));
        }
        let before = self.cursor.as_deref().map(decode).transpose()?;
        Ok(PageRequest { limit, before })
    }
}

/// A checked [`PageQuery`].
#[derive(Clone, Copy, Debug)]
pub struct PageRequest {
    pub limit: i64,
    /// Only rows whose id is smaller.
    pub before: Option<Uuid>,
}

impl PageRequest {
    /// How many rows to ask for: one more than shown tells whether there is a next page.
    pub fn fetch(&self) -> i64 {
        self.limit + 1
    }
}

/// One page.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    pub items: Vec<T>,
    /// For the next page; null on the last.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// `rows` is what a query for [`PageRequest::fetch`] rows gave, `id` names a row.
    pub fn new<R: Into<T>>(mut rows: Vec<R>, request: PageRequest, id: impl Fn(&R) -> Uuid) -> Self {
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|row| encode(id(row)));
        Self { items: rows.into_iter().map(Into::into).collect(), next_cursor }
    }
}

fn encode(id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}

fn decode(cursor: &str) -> Result<Uuid> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    bytes
        .and_then(|bytes| Uuid::from_slice(&bytes).ok())
        .ok_or_else(|| Error::invalid_field("cursor", "not a cursor that this list has given"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_of_a_full_page_leads_on_and_the_last_page_has_none() {
        let request = PageQuery { limit: Some(2), cursor: None }.parse().unwrap();
        let ids: Vec<Uuid> = (0..3).map(Uuid::from_u128).collect();
        let page: Page<Uuid> = Page::new(ids.clone(), request, |id| *id);
        assert_eq!(page.items, ids[..2]);
        let next = PageQuery { limit: Some(2), cursor: page.next_cursor }.parse().unwrap();
        assert_eq!(next.before, Some(ids[1]));
        let last: Page<Uuid> = Page::new(ids[2..].to_vec(), next, |id| *id);
        assert_eq!(last.next_cursor, None);
    }

    #[test]
    fn limits_and_cursors_out_of_range_are_refused_by_name() {
        for limit in [0, 201, -1] {
            let error = PageQuery { limit: Some(limit), cursor: None }.parse().unwrap_err();
            assert_eq!(error.fields()[0].field, "limit");
        }
        let error = PageQuery { limit: None, cursor: Some("%%".to_owned()) }.parse().unwrap_err();
        assert_eq!(error.fields()[0].field, "cursor");
    }
}
