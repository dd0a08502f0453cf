//! Where a cloud is.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use crate::config::Error;

/// Where a cloud is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// On this machine, started when it is needed.
    Embedded,
    /// A socket on this machine.
    Unix(PathBuf),
    /// A port on this machine, without encryption.
    Http(String),
    /// Another machine.
    Https(String),
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |problem| Err(Error::Address { text: text.to_owned(), problem });
        if text == "embedded" {
            return Ok(Self::Embedded);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => refuse("the path of the socket is missing"),
                path => Ok(Self::Unix(path.into())),
            };
        }
        let Ok(uri) = text.parse::<tonic::transport::Uri>() else {
            return refuse("it is no address");
        };
        let Some(host) = uri.host() else {
            return refuse("neither a configured cloud nor an address");
        };
        match uri.scheme_str() {
            Some("https") => Ok(Self::Https(text.trim_end_matches('/').to_owned())),
            Some("http") if is_loopback(host) => {
                Ok(Self::Http(text.trim_end_matches('/').to_owned()))
            }
            Some("http") => refuse("only a cloud on this machine may be used without encryption"),
            _ => refuse("neither a configured cloud nor an address"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => formatter.write_str("embedded"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Self::Http(text) | Self::Https(text) => formatter.write_str(text),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        let good = [
            ("embedded", Address::Embedded),
            ("unix:/run/a.sock", Address::Unix("/run/a.sock".into())),
            ("http://127.0.0.1:7419", Address::Http("http://127.0.0.1:7419".into())),
            ("http://[::1]:7419/", Address::Http("http://[::1]:7419".into())),
            ("http://localhost:1", Address::Http("http://localhost:1".into())),
            ("https://aloft.example", Address::Https("https://aloft.example".into())),
        ];
        for (text, address) in good {
            assert_eq!(text.parse::<Address>().unwrap(), address);
        }
        for text in [
            "",
            "unix:",
            "work",
            "http://aloft.example",
            "http://10.0.0.1:7419",
            "ftp://x",
            "https://",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
