use super::{Lifecycle, config::DatabaseConfig};
use sqlx::PgPool;
pub struct Database(PgPool);
#[derive(Debug, thiserror::Error)]
#[error("db")]
pub struct DbError;
impl Database {
    pub async fn open(_: &DatabaseConfig, _: &Lifecycle) -> Result<Self, DbError> {
        Ok(Self(PgPool::connect("postgres://postgres@127.0.0.1:5499/qm").await.map_err(|_| DbError)?))
    }
    pub async fn migrate(&self) -> Result<(), DbError> {
        Ok(())
    }
    pub fn pool(&self) -> &PgPool {
        &self.0
    }
    pub async fn close(self) {}
}
pub async fn ping(db: &PgPool) -> sqlx::Result<()> {
    db.acquire().await.map(|_| ())
}
