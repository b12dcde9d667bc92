//! Which origins may use the caller's cookie: our own, and those named in the settings. Exact, never by suffix.

use actix_web::{
    HttpRequest,
    http::{Method, Uri, header},
};

use super::ClientAddress;
use crate::platform::{Error, Kind, Result};

/// Origins besides our own, as `scheme://host[:port]` in lower case.
#[derive(Clone, Debug, Default)]
pub struct AllowedOrigins(pub Vec<String>);

impl AllowedOrigins {
    /// Whether `origin` is one of these, or the very one that the request was sent to.
    pub fn allow(&self, origin: &str, scheme: &str, host: Option<&str>) -> bool {
        let origin = origin.to_ascii_lowercase();
        let own = host.map(|host| format!("{scheme}://{}", host.to_ascii_lowercase()));
        self.0.contains(&origin) || own.as_ref() == Some(&origin)
    }

    /// A cookie-authenticated request that changes anything must come from an allowed origin.
    pub fn check(&self, request: &HttpRequest) -> Result<()> {
        if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let host = text(header::HOST)
            .or_else(|| request.uri().authority().map(actix_web::http::uri::Authority::as_str));
        let scheme = if ClientAddress::of(request).https { "https" } else { "http" };
        match text(header::ORIGIN) {
            Some(origin) if self.allow(origin, scheme, host) => Ok(()),
            Some(_) | None => Err(Error::new(
                Kind::Forbidden,
                "origin.refused",
                "a change made with the cookie must come from an allowed origin: name the dashboard's in FRONTEND_URL or CORS_ORIGIN, or use a bearer token",
            )),
        }
    }
}

/// Whether a text is an address that a browser may be sent to: `http` or `https`, with a host.
pub fn is_web_address(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn post(origin: Option<&str>) -> Result<()> {
        let allowed = AllowedOrigins(vec!["https://dash.example".to_owned()]);
        let mut request = TestRequest::post().insert_header(("host", "qm.example:8080"));
        if let Some(origin) = origin {
            request = request.insert_header(("origin", origin));
        }
        allowed.check(&request.to_http_request())
    }

    #[test]
    fn our_own_and_the_named_origins_are_allowed() {
        post(Some("http://qm.example:8080")).unwrap();
        post(Some("https://dash.example")).unwrap();
        post(Some("HTTPS://DASH.EXAMPLE")).unwrap();
    }

    #[test]
    fn foreign_missing_null_and_look_alike_origins_are_refused() {
        for origin in [
            "https://evil.example",
            "null",
            "",
            "https://dash.example.evil.example",
            "https://evil-dash.example",
            "http://dash.example",
            "https://dash.example:444",
            "http://qm.example",
            "https://qm.example:8080",
            "http://qm.example:8080@evil.example",
            "qm.example:8080",
        ] {
            assert!(post(Some(origin)).is_err(), "{origin}");
        }
        assert!(post(None).is_err());
    }

    #[test]
    fn an_address_that_a_browser_would_run_is_no_web_address() {
        assert!(is_web_address("http://192.168.1.100:8080"));
        assert!(is_web_address("https://app.example/path?x=1"));
        for bad in ["javascript:alert(1)", "data:text/html,x", "/relative", "ftp://x", "http://", "http:// x"]
        {
            assert!(!is_web_address(bad), "{bad}");
        }
    }

    #[test]
    fn reading_needs_no_origin() {
        let request = TestRequest::get().to_http_request();
        assert!(AllowedOrigins::default().check(&request).is_ok());
    }
}
