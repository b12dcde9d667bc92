//! The statements that read `audit_logs`.

use sqlx::PgConnection;

use super::{Entry, Filter};
use crate::{
    platform::{
        Result,
        id::{AuditId, UserId},
    },
    web::page::PageRequest,
};

pub async fn list(db: &mut PgConnection, filter: &Filter, page: PageRequest) -> Result<Vec<Entry>> {
    let entries = sqlx::query_as!(
        Entry,
        r#"select id as "id: AuditId", user_id as "user: UserId", username, action, resource_type, resource_id, details,
                  ip_address, request_id, created_at
             from audit_logs
            where ($1::uuid is null or user_id = $1) and ($2::text is null or action = $2)
              and ($3::text is null or resource_type = $3) and ($4::uuid is null or resource_id = $4)
              and ($5::timestamptz is null or created_at >= $5) and ($6::timestamptz is null or created_at < $6)
              and ($7::uuid is null or id < $7)
            order by id desc limit $8"#,
        filter.user.map(|user| user.0),
        filter.action,
        filter.resource_type,
        filter.resource_id,
        filter.from,
        filter.to,
        page.before,
        page.fetch(),
    )
    .fetch_all(db)
    .await?;
    Ok(entries)
}
