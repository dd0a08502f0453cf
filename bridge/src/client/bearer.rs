//! Puts the token on every call.

use secrecy::{ExposeSecret as _, SecretString};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;

use crate::protocol::error::{Code, Error};

/// Adds `authorization: Bearer …` where there is a token.
#[derive(Clone, Debug)]
pub struct Bearer {
    header: Option<MetadataValue<Ascii>>,
}

impl Bearer {
    /// Prepares the header; a token that cannot stand in one is refused.
    pub fn new(token: Option<SecretString>) -> Result<Self, Error> {
        let Some(token) = token else { return Ok(Self { header: None }) };
        let mut header: MetadataValue<Ascii> =
            format!("Bearer {}", token.expose_secret()).parse().map_err(|_| {
                Error::new(
                    Code::InvalidParams,
                    "INVALID_CONFIG",
                    "the token has characters that no token has",
                )
                .with_hint("check ALOFT_TOKEN, or sign in again")
            })?;
        header.set_sensitive(true);
        Ok(Self { header: Some(header) })
    }
}

impl Interceptor for Bearer {
    fn call(
        &mut self,
        mut request: tonic::Request<()>,
    ) -> Result<tonic::Request<()>, tonic::Status> {
        if let Some(header) = &self.header {
            request.metadata_mut().insert("authorization", header.clone());
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_sent_and_never_shown() {
        let mut bearer = Bearer::new(Some("s3cret".to_owned().into())).unwrap();
        assert!(!format!("{bearer:?}").contains("s3cret"));
        let request = bearer.call(tonic::Request::new(())).unwrap();
        assert_eq!(request.metadata().get("authorization").unwrap(), "Bearer s3cret");
        let none = Bearer::new(None).unwrap().call(tonic::Request::new(())).unwrap();
        assert!(none.metadata().get("authorization").is_none());
        assert_eq!(
            Bearer::new(Some("a\nb".to_owned().into())).unwrap_err().reason,
            "INVALID_CONFIG"
        );
    }
}
