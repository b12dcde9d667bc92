//! `/api/audit-logs`.

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{Entry, Filter, ops};
use crate::{
    identity::{Asks, right::AuditView},
    platform::{
        Error, Result, Timestamp,
        clock::millis,
        id::{AuditId, UserId},
    },
    services::Services,
    web::{Page, PageQuery, Query},
};

/// Under `{BASE_PATH}/api/audit-logs`.
pub fn configure(config: &mut ServiceConfig) {
    config.service(list);
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditLog)]
struct EntryView {
    id: AuditId,
    #[schema(required = true)]
    user_id: Option<UserId>,
    /// As it was then; null for what the service did by itself.
    #[schema(required = true)]
    username: Option<String>,
    action: String,
    resource_type: String,
    #[schema(required = true)]
    resource_id: Option<Uuid>,
    /// What the action has to tell.
    #[schema(value_type = Object)]
    details: Value,
    #[schema(required = true)]
    ip_address: Option<String>,
    #[schema(required = true)]
    request_id: Option<String>,
    created_at: i64,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            user_id: entry.user,
            username: entry.username,
            action: entry.action,
            resource_type: entry.resource_type,
            resource_id: entry.resource_id,
            details: entry.details,
            ip_address: entry.ip_address,
            request_id: entry.request_id,
            created_at: millis(entry.created_at),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct FilterQuery {
    /// Who did it.
    user_id: Option<UserId>,
    /// `LOGIN`, `APP_START`, …
    action: Option<String>,
    /// `user`, `server`, `project`, `app`, `operation`
    resource_type: Option<String>,
    resource_id: Option<Uuid>,
    /// Not before this, in milliseconds since the Unix epoch.
    from: Option<i64>,
    /// Before this, likewise.
    to: Option<i64>,
}

impl FilterQuery {
    fn parse(self) -> Result<Filter> {
        Ok(Filter {
            user: self.user_id,
            action: self.action,
            resource_type: self.resource_type,
            resource_id: self.resource_id,
            from: self.from.map(|at| time("from", at)).transpose()?,
            to: self.to.map(|at| time("to", at)).transpose()?,
        })
    }
}

/// Postgres knows fewer times than chrono does.
const LATEST_MS: i64 = 253_402_300_799_999;

fn time(field: &str, millis: i64) -> Result<Timestamp> {
    let known = (0..=LATEST_MS).contains(&millis).then(|| Timestamp::from_timestamp_millis(millis)).flatten();
    known.ok_or_else(|| {
        Error::invalid_field(field, "not milliseconds since the Unix epoch, until the year 9999")
    })
}

/// What happened, the newest first.
#[utoipa::path(
    operation_id = "listAuditLogs", tag = "audit", extensions(("x-permission" = json!("audit:view"))),
    params(FilterQuery, PageQuery),
    responses((status = 200, body = Page<EntryView>, description = "One page"))
)]
#[get("")]
async fn list(
    services: web::Data<Services>,
    asks: Asks<AuditView>,
    filter: Query<FilterQuery>,
    page: Query<PageQuery>,
) -> Result<web::Json<Page<EntryView>>> {
    let permit = asks.globally()?;
    let (filter, page) = (filter.0.parse()?, page.0.parse()?);
    let entries = ops::list(&services, &permit, &filter, page).await?;
    Ok(web::Json(Page::new(entries, page, |entry| entry.id.0)))
}
