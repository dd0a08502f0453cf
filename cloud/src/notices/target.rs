//! Where a webhook may lead: a cloud must not be made to knock at the doors of the network it stands in.

use std::net::SocketAddr;

use reqwest::Url;

use crate::addresses::is_public;

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

#[cfg(test)]
mod tests {
    use super::*;

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
