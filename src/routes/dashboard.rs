//! The dashboard, from the binary. Without a built one, a page that says how to build it.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
    web,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rust_embed::RustEmbed;

use crate::platform::{Error, Kind};

#[derive(RustEmbed)]
#[folder = "frontend/dist/"]
#[allow_missing = true]
struct Assets;

const INDEX: &str = "index.html";
/// In `index.html`; the browser resolves every address of the dashboard against it.
const BASE_PLACEHOLDER: &str = r#"<base href="/" />"#;
/// Names of built files carry a hash of their content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Quaymaster</title>\
    <h1>Quaymaster runs, without its dashboard</h1>\
    <p>This binary was built without it. Build both with <code>make build</code>; the API is described at <a href=\"docs/\">docs</a>.</p>";

/// Everything that no other route serves: files by name, and the dashboard's own pages.
pub fn configure(config: &mut web::ServiceConfig, base: &str) {
    let index = Assets::get(INDEX).map(|file| {
        let text = String::from_utf8_lossy(&file.data).replace(BASE_PLACEHOLDER, &base_element(base));
        web::Bytes::from(text)
    });
    config.app_data(web::Data::new(Index(index))).default_service(web::to(serve));
}

struct Index(Option<web::Bytes>);

fn base_element(base: &str) -> String {
    format!(r#"<base href="{base}/" />"#)
}

async fn serve(request: HttpRequest, index: web::Data<Index>) -> Result<HttpResponse, Error> {
    if *request.method() != Method::GET {
        let detail = "this path takes GET";
        return Err(Error::new(Kind::MethodNotAllowed, "request.method_not_allowed", detail));
    }
    let name = request.match_info().unprocessed().trim_start_matches('/');
    if let Some(file) = Assets::get(name).filter(|_| name != INDEX) {
        return Ok(asset(&request, name, &file));
    }
    // A file that is gone must not be answered with a page: an old tab would run it as a script. Nor must a program that
    // asks for what is not there take the page for it.
    if name.starts_with("assets/") || !(name.is_empty() || wants_a_page(&request)) {
        return Err(Error::not_found("route"));
    }
    Ok(html().body(index.0.clone().unwrap_or(web::Bytes::from_static(NOT_BUILT.as_bytes()))))
}

fn wants_a_page(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn html() -> actix_web::HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer.content_type("text/html; charset=utf-8").insert_header((header::CACHE_CONTROL, "no-cache"));
    answer
}

fn asset(request: &HttpRequest, name: &str, file: &rust_embed::EmbeddedFile) -> HttpResponse {
    let tag = header::EntityTag::new_strong(URL_SAFE_NO_PAD.encode(file.metadata.sha256_hash()));
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known == tag.to_string()) {
        return HttpResponse::NotModified().finish();
    }
    let caching = if name.starts_with("assets/") { FOR_EVER } else { "no-cache" };
    HttpResponse::Ok()
        .content_type(file.metadata.mimetype())
        .insert_header((header::CACHE_CONTROL, caching))
        .insert_header(header::ETag(tag))
        .body(file.data.to_vec())
}
