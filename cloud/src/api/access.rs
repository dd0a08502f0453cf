//! Who may call at all: on a unix socket whoever may open it, on TCP whoever has the token.

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use ring::digest::{Digest, SHA256, digest};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    api::status::status,
    runner::{ErrorKind, problem},
};

/// The token that every call must bear; none where the socket's own mode says who may call.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Its hash: two hashes are compared in a time that says nothing of the token.
    hash: Option<Digest>,
}

impl Access {
    /// Asks every caller for this token.
    pub fn token(token: &SecretString) -> Self {
        Self { hash: Some(digest(&SHA256, token.expose_secret().as_bytes())) }
    }

    fn admits(&self, header: Option<&str>) -> bool {
        let Some(wanted) = &self.hash else { return true };
        let shown = header.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default();
        digest(&SHA256, shown.trim().as_bytes()).as_ref() == wanted.as_ref()
    }
}

/// Lets a call through, or answers it.
pub(super) async fn check(State(access): State<Access>, request: Request, next: Next) -> Response {
    let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    if access.admits(header) {
        return next.run(request).await;
    }
    let hint = "set ALOFT_TOKEN to what is in the file `token` of the cloud's data directory";
    let problem = problem("UNAUTHENTICATED", "the call bears no valid token", hint, false);
    status(ErrorKind::Unauthenticated, problem).into_http::<Body>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_opens() {
        let access = Access::token(&SecretString::from("s3cret"));
        assert!(access.admits(Some("Bearer s3cret")));
        for wrong in [
            None,
            Some(""),
            Some("Bearer "),
            Some("Bearer s3cre"),
            Some("s3cret"),
            Some("Basic s3cret"),
        ] {
            assert!(!access.admits(wrong), "{wrong:?}");
        }
        assert!(Access::default().admits(None));
    }
}
