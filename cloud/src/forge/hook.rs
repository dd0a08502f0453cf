//! Calls by which a forge says that something happened: only those that are signed with the shared secret count, each once.
//!
//! GitHub signs with `X-Hub-Signature-256`, and Forgejo and Gitea do the same beside their own header.

use std::{collections::VecDeque, path::Path};

use ring::hmac;

/// The header with the signature, in small letters.
pub const SIGNATURE: &str = "x-hub-signature-256";
/// Calls that are remembered, the newest.
const REMEMBERED: usize = 10_000;
/// Bytes a secret must have.
const SHORTEST: usize = 16;

/// Why calls cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of the secret.
    #[error("read the secret of calls from forges in {path}")]
    Secret {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The secret is none.
    #[error(
        "use the secret of calls from forges in {path}: it must have {SHORTEST} bytes at least"
    )]
    Weak {
        /// The file.
        path: String,
    },
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is from the forge, and new.
    Good,
    /// It is not signed, or by somebody else.
    Forged,
    /// It came before.
    Replayed,
}

/// Knows the secret, and the calls that came.
#[derive(Debug)]
pub struct Judge {
    key: hmac::Key,
    // The signature is over the body alone, so it is what tells one call from another; no header can.
    came: VecDeque<Vec<u8>>,
}

impl Judge {
    /// With the secret in a file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| Error::Secret { path: shown.clone(), source })?;
        match text.trim().as_bytes() {
            secret if secret.len() < SHORTEST => Err(Error::Weak { path: shown }),
            secret => Ok(Self::new(secret)),
        }
    }

    fn new(secret: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret), came: VecDeque::new() }
    }

    /// Judges a call by what its signature says.
    pub fn judge(&mut self, signature: Option<&str>, body: &[u8]) -> Verdict {
        let Some(signature) = signature.and_then(|text| unhex(text.strip_prefix("sha256=")?))
        else {
            return Verdict::Forged;
        };
        if hmac::verify(&self.key, body, &signature).is_err() {
            return Verdict::Forged;
        }
        if self.came.contains(&signature) {
            return Verdict::Replayed;
        }
        if self.came.len() == REMEMBERED {
            self.came.pop_front();
        }
        self.came.push_back(signature);
        Verdict::Good
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that GitHub publishes.
    const SECRET: &[u8] = b"It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const SIGNED: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn what_the_forge_signed_counts_once_and_nothing_else_does() {
        let mut judge = Judge::new(SECRET);
        let wrong = SIGNED.replace("757", "857");
        for forged in [None, Some(""), Some("sha256="), Some("sha1=00"), Some(wrong.as_str())] {
            assert_eq!(judge.judge(forged, BODY), Verdict::Forged, "{forged:?}");
        }
        assert_eq!(judge.judge(Some(SIGNED), b"Hello, World?"), Verdict::Forged);
        assert_eq!(judge.judge(Some(&SIGNED[..SIGNED.len() - 1]), BODY), Verdict::Forged);
        assert_eq!(judge.judge(Some(SIGNED), BODY), Verdict::Good);
        assert_eq!(judge.judge(Some(SIGNED), BODY), Verdict::Replayed);
        assert_eq!(
            judge.judge(Some(&SIGNED.to_uppercase().replace("SHA", "sha")), BODY),
            Verdict::Replayed
        );
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "short\n").unwrap();
        assert!(matches!(Judge::open(&file), Err(Error::Weak { .. })));
        assert!(matches!(Judge::open(Path::new("/not/there")), Err(Error::Secret { .. })));
        std::fs::write(&file, SECRET).unwrap();
        assert_eq!(Judge::open(&file).unwrap().judge(Some(SIGNED), BODY), Verdict::Good);
    }
}
