//! Servers through REST, on real machines: this one, behind a private sshd.

use serde_json::json;

use crate::support::api::TestApi;

#[tokio::test]
async fn an_unknown_server_is_not_found() {
    let api = TestApi::start().await;
    let nowhere = "/api/servers/01890000-0000-7000-8000-000000000000";
    api.get(nowhere).await.refused(404, "server.not_found");
    api.get("/api/servers").await.expect(200);
    api.post("/api/servers", &json!({})).await.refused_fields();
}
