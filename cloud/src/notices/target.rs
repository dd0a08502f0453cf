//! Where a webhook may lead: a cloud must not be made to knock at the doors of the network it stands in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;

/// Why a webhook's address is not used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no address for this.
    #[error("use the webhook's address: {0}")]
    Invalid(&'static str),
    /// Its name is not known.
    #[error("find {host}")]
    Unknown {
        /// The name.
        host: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It leads into a private network.
    #[error(
        "call {host}: it is in a private network, and serve.notices.webhook.allowPrivate is not set"
    )]
    Private {
        /// The name.
        host: String,
    },
}

/// Reads an address. Without encryption only where private networks are allowed: that is where it may be fit.
pub(super) fn parse(text: &str, allow_private: bool) -> Result<Url, Error> {
    let url = Url::parse(text).map_err(|_| Error::Invalid("it is not a URL"))?;
    match url.scheme() {
        "https" => {}
        "http" if allow_private => {}
        "http" => return Err(Error::Invalid("it must begin with https://")),
        _ => return Err(Error::Invalid("it must begin with https:// or http://")),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(Error::Invalid("it has no host"));
    }
    Ok(url)
}

/// The addresses of a host that may be called. What is looked up here is what is called: a name that answers otherwise the
/// second time gains nothing.
pub(super) async fn addresses(url: &Url, allow_private: bool) -> Result<Vec<SocketAddr>, Error> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let found = tokio::net::lookup_host((host.as_str(), port)).await;
    let found = found.map_err(|source| Error::Unknown { host: host.clone(), source })?;
    let allowed: Vec<_> =
        found.filter(|address| allow_private || is_public(address.ip())).collect();
    if allowed.is_empty() { Err(Error::Private { host }) } else { Ok(allowed) }
}

/// Whether an address is one of the internet: none of this machine, of a private network or with a purpose of its own.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let special = first == 0
        || first >= 240
        || (first == 100 && (64..128).contains(&second))
        || (first == 192 && second == 0 && third == 0)
        || (first == 198 && (18..20).contains(&second));
    !(special
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Only what is given out as global, less what is for documents and old tunnels.
    (0x2000..0x4000).contains(&first) && !(first == 0x2001 && second < 0x0200) && {
        let documentation = first == 0x2001 && second == 0x0db8;
        !documentation && first != 0x3fff
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, translated (`64:ff9b::/96`) or tunnelled (`2002::/16`).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(of(high, low))
        }
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        let public = ["1.1.1.1", "93.184.216.34", "2606:4700::1", "::ffff:1.1.1.1"];
        for text in public {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        let private = "0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 192.0.0.1 192.0.2.1 192.168.1.1
            198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 :: ::1 fe80::1 fc00::1 fd12::1 ff02::1 2001:db8::1 2001::1
            ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::a00:1 2002:7f00:1:: 3fff::1";
        for text in private.split_whitespace() {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[tokio::test]
    async fn a_private_address_is_called_only_where_the_operator_allows_it() {
        for text in ["http://hooks.example/", "ftp://hooks.example/", "hooks", "https://"] {
            assert!(parse(text, false).is_err(), "{text}");
        }
        assert!(parse("https://hooks.example/x", false).is_ok());
        for text in ["http://127.0.0.1:9/", "http://[::1]:9/", "http://localhost:9/"] {
            let url = parse(text, true).unwrap();
            assert!(matches!(addresses(&url, false).await, Err(Error::Private { .. })), "{text}");
            assert!(!addresses(&url, true).await.unwrap().is_empty(), "{text}");
        }
    }
}
