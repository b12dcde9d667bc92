//! Requests that are no good as such: slow, oversized, malformed. They are answered or cut, and nobody else waits for them.

use std::time::{Duration, Instant};

use reqwest::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::{
    api::{TestApi, send},
    document::{Document, Things},
};

/// No answer takes longer than this, whatever is asked.
const AT_ONCE: Duration = Duration::from_secs(20);

async fn connect(api: &TestApi) -> TcpStream {
    TcpStream::connect(api.base.strip_prefix("http://").unwrap()).await.unwrap()
}

/// Sends bytes as they are, and reads what comes until the other side closes.
async fn raw(api: &TestApi, pieces: &[&[u8]]) -> String {
    let mut stream = connect(api).await;
    for piece in pieces {
        // It may have heard enough already.
        if stream.write_all(piece).await.is_err() {
            break;
        }
    }
    let mut said = vec![];
    let read = timeout(AT_ONCE, stream.read_to_end(&mut said)).await;
    let _ = read
        .unwrap_or_else(|_| panic!("it still waits after {AT_ONCE:?}: {}", String::from_utf8_lossy(&said)));
    String::from_utf8_lossy(&said).into_owned()
}

/// The status of the first answer; 0 if it only closed the connection.
fn status(said: &str) -> u16 {
    said.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn a_request_that_never_becomes_whole_is_cut_and_others_are_served_meanwhile() {
    let api = TestApi::start().await;
    let began = Instant::now();
    let head: &[u8] = b"GET /api/auth/status HTTP/1.1\r\nhost: x\r\nx-slow:";
    let body: &[u8] = b"POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n{";
    let chunks: &[u8] = b"POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n";
    let slow = [head, body].map(|begun| {
        let api = &api;
        async move { (begun, raw(api, &[begun]).await) }
    });
    let quick = async {
        for _ in 0..20 {
            let asked = Instant::now();
            api.stranger().get("/api/auth/status").await.is(200);
            assert!(asked.elapsed() < Duration::from_secs(5));
        }
    };
    // It is answered; after that actix-http waits for the last chunk without a limit.
    let chunked = async {
        let mut stream = connect(&api).await;
        stream.write_all(chunks).await.unwrap();
        let mut said = vec![0; 4096];
        let length = timeout(AT_ONCE, stream.read(&mut said)).await.expect("it is answered").unwrap();
        String::from_utf8_lossy(&said[..length]).into_owned()
    };
    let (slow, chunked, ()) = tokio::join!(futures_util::future::join_all(slow), chunked, quick);
    assert_eq!(status(&chunked), 408, "{chunked}");
    for (begun, said) in slow {
        let status = status(&said);
        assert!(matches!(status, 0 | 400 | 408), "{:?}: {said}", String::from_utf8_lossy(begun));
    }
    assert!(began.elapsed() < AT_ONCE);
}

#[tokio::test]
async fn requests_of_any_size_and_form_are_answered_or_cut() {
    let api = TestApi::start().await;
    let head = |rest: &str| {
        format!("GET /api/auth/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{rest}\r\n").into_bytes()
    };
    let one_long = head(&format!("x-long: {}\r\n", "x".repeat(1024 * 1024)));
    let many = head(&(0..2000).map(|number| format!("x-{number}: x\r\n")).collect::<Vec<_>>().concat());
    let long_query =
        format!("GET /api/auth/status?{} HTTP/1.1\r\nhost: x\r\n\r\n", "a=b&".repeat(500_000)).into_bytes();
    let twice = head("content-length: 5\r\ncontent-length: 6\r\n");
    let smuggled = b"POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /api/users HTTP/1.1\r\nhost: x\r\n\r\n";
    let noise: Vec<u8> = (0..4096_u32).map(|number| u8::try_from(number * 7 % 256).unwrap()).collect();
    for (what, sent) in [
        ("one long header", one_long),
        ("many headers", many),
        ("a long query", long_query),
        ("two lengths", twice),
        ("a length and chunks", smuggled.to_vec()),
        ("noise", noise),
        ("another protocol", b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec()),
    ] {
        let status = status(&raw(&api, &[&sent]).await);
        assert!(matches!(status, 0 | 400..=499), "{what}: {status}");
    }
    for depth in [200, 100_000] {
        let nested = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        for body in
            [nested.clone(), format!(r#"{{"name": {nested}}}"#), format!(r#"{{"unknown": {nested}}}"#)]
        {
            let request =
                api.admin.request(Method::POST, "/api/projects").header("content-type", "application/json");
            let answer = send(request.body(body)).await;
            assert!(matches!(answer.status.as_u16(), 400 | 422), "{depth}: {}", answer.status);
        }
    }
    api.stranger().get("/api/auth/status").await.is(200);
}

#[tokio::test]
async fn a_body_of_ten_mebibytes_is_refused_on_every_route_that_takes_one() {
    let api = TestApi::start().await;
    let (document, things) = (Document::new(), Things::unreachable(&api).await);
    let large = format!(r#"{{"name": "{}"}}"#, "x".repeat(10 * 1024 * 1024));
    for route in document.all_routes().iter().filter(|route| !route.schema.is_null()) {
        let path = things.fill(&route.path);
        for declared in [true, false] {
            let head = format!(
                "{} {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\nauthorization: Bearer {}\r\n",
                route.method,
                api.admin.token.as_deref().unwrap()
            );
            let said = if declared {
                let length = format!("content-length: {}\r\n\r\n", large.len());
                raw(&api, &[head.as_bytes(), length.as_bytes(), large.as_bytes()]).await
            } else {
                let chunk = format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n", large.len());
                raw(&api, &[head.as_bytes(), chunk.as_bytes(), large.as_bytes(), b"\r\n0\r\n\r\n"]).await
            };
            // Closing on who still sends may lose the answer on its way.
            assert!(matches!(status(&said), 0 | 413), "{} {path}: {said}", route.method);
        }
    }
    let project = api.admin.get(&format!("/api/projects/{}", things.project)).await.is(200);
    assert_eq!(project["name"], "project");
}
