//! Pictures of issues: where a forge keeps them, and where its token goes for them.

use reqwest::{
    Method, Url,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue},
};

use crate::forge::{
    Result,
    http::{Http, TRIES, Want},
    picture::Picture,
};

/// Where pictures of a forge are.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Below these addresses the token opens them.
    own: Vec<Url>,
    /// At these hosts they are open to those who know their address.
    open: &'static [&'static str],
}

impl Http {
    /// The same with pictures below these addresses, which the token opens, and at these hosts, where it does not go.
    pub(in crate::forge) fn keeping(
        mut self,
        own: &[String],
        open: &'static [&'static str],
    ) -> Self {
        let own = own.iter().filter_map(|one| Url::parse(one).ok()).collect();
        self.pictures = Places { own, open };
        self
    }

    /// Fetches a picture.
    pub(in crate::forge) async fn picture(&self, picture: &Picture) -> Result<Vec<u8>> {
        let want = Want { method: Method::GET, body: None, what: "fetch it", picture: true };
        Ok(self.carry(&want, picture.url.clone(), TRIES).await?.2)
    }

    /// The address of a picture that is at the forge.
    pub(in crate::forge) fn reaches(&self, address: &str) -> Option<Url> {
        let url = Url::parse(address).ok()?;
        self.has_picture(&url).then_some(url)
    }

    /// Whether pictures of the forge are there.
    pub(super) fn has_picture(&self, url: &Url) -> bool {
        self.opens(url) || self.shows(url)
    }

    /// Whether the token may go there for a picture.
    fn opens(&self, url: &Url) -> bool {
        let below = |own: &Url| own.origin() == url.origin() && url.path().starts_with(own.path());
        self.pictures.own.iter().any(below)
    }

    /// Whether pictures of the forge are there without it.
    fn shows(&self, url: &Url) -> bool {
        let hosts = self.pictures.open;
        url.scheme() == "https" && url.host_str().is_some_and(|host| hosts.contains(&host))
    }

    /// What is sent along for a picture: the token only where that opens it.
    pub(super) fn for_picture(&self, url: &Url) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("image/*, application/octet-stream"));
        if self.opens(url)
            && let Some(token) = self.headers.get(AUTHORIZATION)
        {
            headers.insert(AUTHORIZATION, token.clone());
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::LOCATION;

    use super::*;

    #[test]
    fn a_token_goes_for_pictures_only_where_it_belongs() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let http =
            Http::new("https://api.example.com", "example.com".into(), "Bearer", &"t".into())
                .unwrap();
        let http =
            http.keeping(&["https://example.com/assets/".to_owned()], &["pictures.example.com"]);
        for (address, reached, with_token) in [
            ("https://example.com/assets/1", true, true),
            ("https://example.com/assets/../settings", false, false),
            ("https://example.com/assets/%2e%2e/settings", false, false),
            ("https://example.com:8443/assets/1", false, false),
            ("https://api.example.com/user", false, false),
            ("http://example.com/assets/1", false, false),
            ("https://example.com.evil.test/assets/1", false, false),
            ("https://me@evil.test/https://example.com/assets/1", false, false),
            ("https://pictures.example.com/1", true, false),
            ("http://pictures.example.com/1", false, false),
            ("file:///etc/passwd", false, false),
            ("/assets/1", false, false),
        ] {
            assert_eq!(http.reaches(address).is_some(), reached, "{address}");
            let url = Url::parse(address).unwrap_or_else(|_| Url::parse("x:y").unwrap());
            let sent = http.for_picture(&url);
            assert_eq!(sent.contains_key(AUTHORIZATION), with_token, "{address}");
        }
        let want = Want { method: Method::GET, body: None, what: "", picture: true };
        let from = Url::parse("https://example.com/assets/1").unwrap();
        let moved = |to: &'static str| {
            let headers = [(LOCATION, HeaderValue::from_static(to))].into_iter().collect();
            http.moved(&want, &from, &headers).is_some()
        };
        assert!(moved("https://pictures.example.com/1?signed=1") && moved("/assets/2"));
        assert!(!moved("https://evil.test/1") && !moved("/settings"));
    }
}
