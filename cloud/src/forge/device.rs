//! Sign-in by device flow: a code that a person confirms in a browser, while the forge is asked whether they did.

use reqwest::{Client, Url, header::CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    clock,
    forge::{Error, Result, Web, http},
};

/// What a token must be allowed.
const SCOPE: &str = "repo";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// How long a code counts, and how often the forge may be asked, where it does not say; in seconds.
const EXPIRES: i64 = 900;
const INTERVAL: i64 = 5;
/// What is waited longer when the forge was asked too often, in seconds.
const SLOWER: i64 = 5;
/// The longest interval and the longest life that a forge is believed, in seconds.
const LONGEST: (i64, i64) = (120, 3_600);
/// The longest answer, in bytes.
const ANSWER: usize = 64 << 10;

/// A sign-in that a person was asked to confirm.
#[derive(Debug)]
pub struct SignIn {
    /// What they type in.
    pub user_code: String,
    /// Where.
    pub url: String,
    /// When it is too late, in milliseconds since the Unix epoch.
    pub expires: i64,
    client: Client,
    web: Web,
    application: String,
    device: SecretString,
    /// Between two questions, in seconds.
    interval: i64,
    /// When the forge may be asked next.
    next: i64,
}

#[derive(Deserialize)]
struct Begun {
    #[serde(default)]
    device_code: String,
    #[serde(default)]
    user_code: String,
    #[serde(default)]
    verification_uri: String,
    #[serde(default)]
    expires_in: Option<i64>,
    #[serde(default)]
    interval: Option<i64>,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    interval: Option<i64>,
    #[serde(default)]
    error: Option<String>,
}

impl SignIn {
    /// Asks the forge at `web` for a code, in the name of an application that is registered there.
    pub async fn begin(web: &Web, application: &str) -> Result<Self> {
        let client = http::client(&web.host())?;
        let form = [("client_id", application), ("scope", SCOPE)];
        let what = "begin to sign in";
        let begun: Begun = post(&client, web, "login/device/code", &form, what).await?;
        if let Some(word) = begun.error {
            return Err(Error::SignInFailed { host: web.host(), word });
        }
        let address = Url::parse(&begun.verification_uri).ok();
        let address = address.filter(|address| matches!(address.scheme(), "http" | "https"));
        let (Some(address), false, false) =
            (address, begun.device_code.is_empty(), begun.user_code.is_empty())
        else {
            return Err(Error::SignInFailed { host: web.host(), word: "no code".to_owned() });
        };
        let interval = begun.interval.unwrap_or(INTERVAL).clamp(1, LONGEST.0);
        let now = clock::now();
        Ok(Self {
            user_code: begun.user_code,
            url: address.to_string(),
            expires: now + begun.expires_in.unwrap_or(EXPIRES).clamp(1, LONGEST.1) * 1_000,
            client,
            web: web.clone(),
            application: application.to_owned(),
            device: begun.device_code.into(),
            interval,
            next: now + interval * 1_000,
        })
    }

    /// When the forge may be asked next, in milliseconds since the Unix epoch.
    pub fn next(&self) -> i64 {
        self.next.min(self.expires)
    }

    /// Asks whether it was confirmed; none = not yet.
    pub async fn ask(&mut self) -> Result<Option<SecretString>> {
        if clock::now() >= self.expires {
            return Err(Error::SignInExpired { host: self.web.host() });
        }
        let form = [
            ("client_id", self.application.as_str()),
            ("device_code", self.device.expose_secret()),
            ("grant_type", GRANT),
        ];
        let what = "sign in";
        let asked: Result<Asked> =
            post(&self.client, &self.web, "login/oauth/access_token", &form, what).await;
        let outcome = match asked {
            Ok(asked) => self.heard(asked),
            // It may answer again before the code is too old.
            Err(error) => {
                tracing::debug!(%error, "asking the forge again");
                Ok(None)
            }
        };
        self.next = clock::now() + self.interval * 1_000;
        outcome
    }

    fn heard(&mut self, asked: Asked) -> Result<Option<SecretString>> {
        let host = self.web.host();
        if let Some(token) = asked.access_token.filter(|token| !token.is_empty()) {
            return Ok(Some(token.into()));
        }
        match asked.error.as_deref().unwrap_or("no token") {
            "authorization_pending" => Ok(None),
            "slow_down" => {
                let slower = asked.interval.unwrap_or(self.interval + SLOWER);
                self.interval = slower.clamp(self.interval + 1, LONGEST.0.max(self.interval + 1));
                Ok(None)
            }
            "access_denied" => Err(Error::SignInDenied { host }),
            // GitHub's text has both words for it; a code that it does not know any more is one that is over.
            "expired_token" | "token_expired" | "incorrect_device_code" => {
                Err(Error::SignInExpired { host })
            }
            word => Err(Error::SignInFailed { host, word: word.to_owned() }),
        }
    }
}

/// Sends a form and decides by the body: the status of a refusal differs from forge to forge.
async fn post<T: DeserializeOwned>(
    client: &Client,
    web: &Web,
    path: &str,
    form: &[(&str, &str)],
    what: &str,
) -> Result<T> {
    let host = web.host();
    let unreachable = |error: reqwest::Error| Error::Unreachable {
        what: what.to_owned(),
        host: host.clone(),
        detail: http::cause(&error.without_url()),
    };
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = client
        .post(web.join(path))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("accept", "application/json")
        .body(body);
    let mut answer = request.send().await.map_err(unreachable)?;
    let status = answer.status();
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > ANSWER {
            break;
        }
    }
    // What it answered is not told: it may hold the token.
    serde_json::from_slice(&bytes).map_err(|_| Error::Odd {
        what: what.to_owned(),
        host: host.clone(),
        status: status.as_u16(),
        detail: "nothing that belongs to a sign-in by code".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_in() -> SignIn {
        let _other = rustls::crypto::ring::default_provider().install_default();
        SignIn {
            user_code: "WDJB-MJHT".into(),
            url: "https://github.com/login/device".into(),
            expires: i64::MAX,
            client: http::client("github.com").unwrap(),
            web: Web::parse("https://github.com").unwrap(),
            application: "app".into(),
            device: "device".to_owned().into(),
            interval: 5,
            next: 0,
        }
    }

    fn said(word: &str, interval: Option<i64>) -> Asked {
        Asked { access_token: None, interval, error: Some(word.into()) }
    }

    #[test]
    fn every_word_of_a_forge_has_its_outcome() {
        let mut sign_in = sign_in();
        assert!(sign_in.heard(said("authorization_pending", None)).unwrap().is_none());
        assert_eq!(sign_in.interval, 5);
        sign_in.heard(said("slow_down", None)).unwrap();
        assert_eq!(sign_in.interval, 10);
        sign_in.heard(said("slow_down", Some(30))).unwrap();
        assert_eq!(sign_in.interval, 30);
        // One that counts backwards is not believed.
        sign_in.heard(said("slow_down", Some(-1))).unwrap();
        assert_eq!(sign_in.interval, 31);
        let mut word = |word| sign_in.heard(said(word, None)).unwrap_err();
        assert!(matches!(word("access_denied"), Error::SignInDenied { .. }));
        assert!(matches!(word("token_expired"), Error::SignInExpired { .. }));
        assert!(matches!(word("incorrect_device_code"), Error::SignInExpired { .. }));
        assert!(matches!(word("unsupported_grant_type"), Error::SignInFailed { .. }));
        let nothing = Asked { access_token: Some(String::new()), interval: None, error: None };
        assert!(matches!(sign_in.heard(nothing), Err(Error::SignInFailed { .. })));
    }

    #[tokio::test]
    async fn a_code_is_over_by_our_own_clock_too() {
        let mut sign_in = SignIn { expires: clock::now(), ..sign_in() };
        assert!(matches!(sign_in.ask().await, Err(Error::SignInExpired { .. })));
    }
}
