//! Who is at the other end of the connection: the peer, or the client that a trusted proxy names.

use std::{
    future::{Ready, ready},
    net::IpAddr,
};

use actix_web::{Error, FromRequest, HttpRequest, dev::Payload, http::header::HeaderMap, web};
use ipnet::IpNet;

/// The networks whose `X-Forwarded-*` headers are believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(pub Vec<IpNet>);

impl TrustedProxies {
    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address.to_canonical()))
    }

    /// The rightmost address of the chain that is not one of our proxies.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer;
        for hop in forwarded_for(headers).into_iter().rev() {
            if !self.trust(client) {
                break;
            }
            client = hop;
        }
        client.to_canonical()
    }

    /// Whether the client came by TLS, as far as the peer may be believed.
    fn is_https(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let forwarded = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
        self.trust(peer) && forwarded.is_some_and(|proto| proto.trim().eq_ignore_ascii_case("https"))
    }
}

/// Every address of every `X-Forwarded-For`, in order; reading stops at the first that is none, from the right.
fn forwarded_for(headers: &HeaderMap) -> Vec<IpAddr> {
    let texts = headers.get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = texts.flat_map(|text| text.split(',')).map(str::trim).collect();
    let mut known: Vec<IpAddr> = hops.iter().rev().map_while(|hop| hop.parse().ok()).collect();
    known.reverse();
    known
}

/// The network that stands for an address where callers are counted: an IPv6 customer has a /64 at least (RFC 6177), and
/// so as many addresses as it likes.
pub fn network(address: IpAddr) -> IpNet {
    let address = address.to_canonical();
    let prefix = if address.is_ipv6() { 64 } else { 32 };
    IpNet::new(address, prefix).map_or_else(|_| address.into(), |net| net.trunc())
}

/// The caller's address, and whether it came by TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress {
    pub ip: Option<IpAddr>,
    pub https: bool,
}

impl ClientAddress {
    pub fn of(request: &HttpRequest) -> Self {
        let Some(peer) = request.peer_addr().map(|address| address.ip()) else {
            return Self { ip: None, https: false };
        };
        let nobody = TrustedProxies::default();
        let trusted = request.app_data::<web::Data<TrustedProxies>>().map_or(&nobody, |data| data.get_ref());
        let headers = request.headers();
        Self { ip: Some(trusted.client(peer, headers)), https: trusted.is_https(peer, headers) }
    }
}

impl FromRequest for ClientAddress {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(forwarded: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            let value = HeaderValue::from_str(value).unwrap();
            headers.append(HeaderName::from_static("x-forwarded-for"), value);
        }
        headers
    }

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let trusted = TrustedProxies(vec!["10.0.0.0/8".parse().unwrap()]);
        trusted.client(peer.parse().unwrap(), &headers(forwarded)).to_string()
    }

    #[test]
    fn an_untrusted_peer_cannot_name_another_client() {
        assert_eq!(seen("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
    }

    #[test]
    fn a_trusted_proxy_names_the_client_and_earlier_hops_are_the_clients_own_words() {
        assert_eq!(seen("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6", "198.51.100.7, 10.0.0.9"]), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(seen("::ffff:10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
    }

    #[test]
    fn ipv6_addresses_of_one_network_count_as_one_caller() {
        let net = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(net("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(net("2001:db8:1:2::1"), net("2001:db8:1:2:ffff::"));
        assert_ne!(net("2001:db8:1:2::1"), net("2001:db8:1:3::1"));
        assert_eq!(net("192.0.2.7"), "192.0.2.7/32");
        assert_eq!(net("::ffff:192.0.2.7"), "192.0.2.7/32");
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_about_tls() {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("x-forwarded-proto"), HeaderValue::from_static("https"));
        let trusted = TrustedProxies(vec!["10.0.0.0/8".parse().unwrap()]);
        assert!(trusted.is_https("10.0.0.1".parse().unwrap(), &headers));
        assert!(!trusted.is_https("192.0.2.1".parse().unwrap(), &headers));
    }
}
