//! `health`: one request to the running service.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use bytes::Bytes;
use clap::Args;
use http_body_util::Empty;
use hyper::{Request, StatusCode, Uri, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use super::{Failure, environment, output};
use crate::platform::{Config, Lifecycle};

/// Less than the time that a container engine gives a check by default.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Args)]
pub struct HealthArgs {
    /// Such as `http://127.0.0.1:8080/health` [default: from `HOST`, `PORT` and `BASE_PATH`]
    #[arg(long)]
    url: Option<String>,
}

pub async fn ask(args: &HealthArgs) -> Result<ExitCode, Failure> {
    let url = match &args.url {
        Some(url) => url.clone(),
        None => own_url(&Config::inspect(&environment()?)?),
    };
    let status = timeout(PATIENCE, request(&url)).await;
    let status = status.map_err(|_| Failure::Told(format!("{url} did not answer within {PATIENCE:?}")))??;
    if status.is_success() {
        output::say("ok");
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::Told(format!("{url} answered {status}")))
}

/// A service that listens everywhere is asked on the machine itself.
fn own_url(config: &Config) -> String {
    let host = match config.host {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    format!("http://{}{}/health", SocketAddr::new(host, config.port), config.base_path)
}

async fn request(url: &str) -> Result<StatusCode, Failure> {
    let uri: Uri = url.parse().map_err(|_| wrong_url(url))?;
    let host = uri.host().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(|| wrong_url(url))?;
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    let failed = |error: &dyn std::fmt::Display| Failure::Told(format!("{url} cannot be asked: {error}"));

    let place = (host.trim_matches(['[', ']']), uri.port_u16().unwrap_or(80));
    let stream = TcpStream::connect(place).await.map_err(|error| failed(&error))?;
    let handshake = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| failed(&error))?;
    Lifecycle::new().spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path).header(header::HOST, authority).body(Empty::new());
    let answer = sender.send_request(request.map_err(|error| failed(&error))?).await;
    Ok(answer.map_err(|error| failed(&error))?.status())
}

fn wrong_url(url: &str) -> Failure {
    Failure::Told(format!("{url} is not a URL like http://127.0.0.1:8080/health"))
}
