//! Client-made request ids: the same request gives the same answer and does nothing twice.

use prost::Message;
use ring::digest::{SHA256, digest};

use crate::{runner::Error, store};

/// Which request this is.
#[derive(Clone, Debug)]
pub struct RequestKey {
    /// Who made it.
    pub owner: String,
    /// The client's name of it.
    pub id: String,
    /// Hash of everything it says but its id.
    pub fingerprint: [u8; 32],
}

impl RequestKey {
    /// The key of a request whose id field was emptied before `rest` was made of it.
    pub fn new(owner: &str, id: &str, method: &str, rest: &impl Message) -> Option<Self> {
        if id.is_empty() {
            return None;
        }
        let mut bytes = method.as_bytes().to_vec();
        bytes.push(0);
        bytes.extend(rest.encode_to_vec());
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest(&SHA256, &bytes).as_ref());
        Some(Self { owner: owner.to_owned(), id: id.to_owned(), fingerprint })
    }

    /// The remembered answer, when this very request was answered before.
    pub fn check(&self, known: &store::Request) -> Result<(), Error> {
        if known.fingerprint == self.fingerprint {
            return Ok(());
        }
        Err(Error::RequestReused { id: self.id.clone() })
    }
}
