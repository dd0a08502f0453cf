//! Long texts of which a forge says only where they are: they are read there, and only their end is kept.
//!
//! Nobody there is told the token, or anything else of the account. A forge of the internet leads only into the internet, and
//! from an encrypted connection only to another one.

use std::{collections::VecDeque, net::SocketAddr};

use reqwest::{
    Client, Method, StatusCode, Url,
    header::{HeaderMap, LOCATION},
    redirect,
};

use crate::{
    addresses::is_public,
    forge::{
        Error, Result,
        http::{CONNECT_TIMEOUT, Http, TIMEOUT, Want, cause},
    },
};

/// Bytes of such a text that are kept.
const KEPT: usize = 64 << 10;
/// Bytes of it that are read.
const LONGEST: usize = 64 << 20;

impl Http {
    /// The end of such a text, which begins with a whole line where it is cut.
    pub(in crate::forge) async fn end_of(&self, mut url: Url, what: &str) -> Result<String> {
        let want = Want { method: Method::GET, body: None, what, picture: false };
        let mut moved = false;
        loop {
            let (status, headers, bytes) = self.once(&want, &url).await?;
            if status.is_success() {
                return Ok(text(End::default().with(&bytes)));
            }
            if !status.is_redirection() {
                return Err(self.judge(what, status, &bytes));
            }
            match self.moved(&want, &url, &headers) {
                // A repository that was renamed.
                Some(target) if !moved => (url, moved) = (target, true),
                Some(_) => return Err(self.odd(what, status, b"it points elsewhere again")),
                None => return self.there(&url, status, &headers, what).await,
            }
        }
    }

    async fn there(
        &self,
        from: &Url,
        status: StatusCode,
        headers: &HeaderMap,
        what: &str,
    ) -> Result<String> {
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(target) = location.and_then(|location| from.join(location).ok()) else {
            return Err(self.odd(what, status, b"it points nowhere"));
        };
        let (here, there) =
            (self.addresses(from, what).await?, self.addresses(&target, what).await?);
        if !leads(from, &here, &target, &there) {
            return Err(self.odd(what, status, b"it points where no forge should"));
        }
        let host = target.host_str().unwrap_or_default().to_owned();
        let client = Client::builder()
            .user_agent(concat!("aloft/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            // What was looked up is what is called; a proxy would look the name up itself.
            .no_proxy()
            .resolve_to_addrs(&host, &there)
            .build();
        // Its address opens it to everybody: it is told to nobody.
        let unreachable = |error: reqwest::Error| Error::Unreachable {
            what: what.to_owned(),
            host: host.clone(),
            detail: cause(&error.without_url()),
        };
        let mut answer =
            client.map_err(unreachable)?.get(target.clone()).send().await.map_err(unreachable)?;
        if !answer.status().is_success() {
            return Err(self.odd(what, answer.status(), b"where it is kept"));
        }
        let (mut end, mut length) = (End::default(), 0);
        while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
            length += piece.len();
            if length > LONGEST {
                return Err(self.odd(what, answer.status(), b"more than 64 MiB"));
            }
            end = end.with(&piece);
        }
        Ok(text(end))
    }

    async fn addresses(&self, url: &Url, what: &str) -> Result<Vec<SocketAddr>> {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().unwrap_or(443);
        let found = tokio::net::lookup_host((host.as_str(), port)).await;
        let found = found.map_err(|error| Error::Unreachable {
            what: what.to_owned(),
            host: host.clone(),
            detail: error.to_string(),
        })?;
        Ok(found.collect())
    }
}

/// Whether a forge may lead from the one address to the other.
fn leads(from: &Url, here: &[SocketAddr], target: &Url, there: &[SocketAddr]) -> bool {
    let encrypted = matches!((from.scheme(), target.scheme()), (_, "https") | ("http", "http"));
    let public = |address: &SocketAddr| is_public(address.ip());
    let plain = target.username().is_empty() && target.password().is_none();
    encrypted && plain && (!here.iter().any(public) || there.iter().all(public))
}

/// The end of a text.
#[derive(Debug, Default)]
struct End {
    kept: VecDeque<u8>,
    cut: bool,
}

impl End {
    /// With more of it.
    fn with(mut self, piece: &[u8]) -> Self {
        let piece = if piece.len() > KEPT {
            self.cut = true;
            &piece[piece.len() - KEPT..]
        } else {
            piece
        };
        let beyond = (self.kept.len() + piece.len()).saturating_sub(KEPT);
        self.cut |= beyond > 0;
        self.kept.drain(..beyond);
        self.kept.extend(piece);
        self
    }
}

fn text(mut end: End) -> String {
    let cut = end.cut;
    let text = String::from_utf8_lossy(end.kept.make_contiguous());
    match text.split_once('\n') {
        Some((_, rest)) if cut => rest.to_owned(),
        _ => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_kept_and_it_begins_with_a_line() {
        let line = "a line of the log, and another word\n";
        let mut end = End::default();
        for _ in 0..10_000 {
            end = end.with(line.as_bytes());
        }
        let kept = text(end.with("\u{e4} last".as_bytes()));
        assert!(kept.len() <= KEPT && kept.len() > KEPT - 2 * line.len());
        assert!(kept.starts_with(line) && kept.ends_with(&format!("{line}\u{e4} last")));
        assert_eq!(text(End::default().with(b"one\ntwo")), "one\ntwo");
        assert_eq!(text(End::default()), "");
        let long = [b"x\n".repeat(KEPT), b"last".to_vec()].concat();
        assert!(text(End::default().with(&long)).ends_with("x\nlast"));
    }

    #[test]
    fn a_forge_leads_into_no_network_but_the_internet_or_its_own() {
        let url = |text: &str| Url::parse(text).unwrap();
        let at = |text: &str| vec![SocketAddr::new(text.parse().unwrap(), 443)];
        let (public, private) = (at("140.82.121.4"), at("10.0.0.7"));
        let (forge, own) = (url("https://forge.example/api"), url("http://127.0.0.1:1/api"));
        let blob = url("https://blobs.example/x?sig=1");
        assert!(leads(&forge, &public, &blob, &public));
        assert!(!leads(&forge, &public, &blob, &private));
        assert!(!leads(&forge, &public, &blob, &[public.clone(), at("127.0.0.1")].concat()));
        assert!(!leads(&forge, &public, &url("http://blobs.example/x"), &public));
        assert!(!leads(&forge, &public, &url("https://a:b@blobs.example/x"), &public));
        assert!(!leads(&forge, &public, &url("file:///etc/passwd"), &public));
        assert!(leads(&forge, &private, &blob, &private));
        assert!(leads(&own, &at("127.0.0.1"), &url("http://127.0.0.1:2/x"), &at("127.0.0.1")));
    }
}
