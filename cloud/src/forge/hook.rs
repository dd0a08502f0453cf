//! Calls by which a forge says that something happened: only those that are signed with the shared secret count, each once.
//!
//! GitHub signs with `X-Hub-Signature-256`, and Forgejo and Gitea do the same beside their own header.

use std::{collections::VecDeque, fmt::Write as _, path::Path};

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is from the forge, and new.
    Good {
        /// What it is remembered by.
        name: String,
        /// That of the oldest one, where there are too many by now.
        forget: Option<String>,
    },
    /// It is signed by somebody else.
    Forged,
    /// It came before.
    Replayed,
}

/// A call whose body is being read. It is not kept.
#[derive(Debug)]
pub struct Call {
    body: hmac::Context,
    signature: Vec<u8>,
}

impl Call {
    /// Takes the next piece of the body.
    pub fn read(&mut self, piece: &[u8]) {
        self.body.update(piece);
    }
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

    /// Remembers what came before, oldest first, by the names of [`Verdict::Good`].
    pub fn remember<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        self.came.extend(names.filter_map(unhex));
    }

    /// A call that says it is signed so; none where that can be no signature, so that nobody needs to read more of it.
    pub fn hear(&self, signature: Option<&str>) -> Option<Call> {
        let signature = unhex(signature?.strip_prefix("sha256=")?)?;
        let body = hmac::Context::with_key(&self.key);
        (signature.len() == hmac::HMAC_SHA256.digest_algorithm().output_len())
            .then_some(Call { body, signature })
    }

    /// Judges a call that was read to its end.
    pub fn judge(&mut self, call: Call) -> Verdict {
        let Call { body, signature } = call;
        // Both are signed once more: so it cannot be measured how far they are the same.
        let expected = hmac::sign(&self.key, body.sign().as_ref());
        if hmac::verify(&self.key, &signature, expected.as_ref()).is_err() {
            return Verdict::Forged;
        }
        if self.came.contains(&signature) {
            return Verdict::Replayed;
        }
        let oldest = if self.came.len() >= REMEMBERED { self.came.pop_front() } else { None };
        let name = hex(&signature);
        self.came.push_back(signature);
        Verdict::Good { name, forget: oldest.map(|oldest| hex(&oldest)) }
    }

    /// A call that could not be written down may come again.
    pub fn forget(&mut self, name: &str) {
        if let Some(signature) = unhex(name) {
            self.came.retain(|one| *one != signature);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
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

    /// As it comes over a network.
    fn judged(judge: &mut Judge, signature: Option<&str>, body: &[u8]) -> Option<Verdict> {
        let mut call = judge.hear(signature)?;
        body.chunks(5).for_each(|piece| call.read(piece));
        Some(judge.judge(call))
    }

    fn good(verdict: Option<Verdict>) -> (String, Option<String>) {
        match verdict {
            Some(Verdict::Good { name, forget }) => (name, forget),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_forge_signed_counts_once_and_nothing_else_does() {
        let mut judge = Judge::new(SECRET);
        for none in [None, Some(""), Some("sha256="), Some("sha1=00"), Some("sha256=00")] {
            assert_eq!(judged(&mut judge, none, BODY), None, "{none:?}");
        }
        assert_eq!(judged(&mut judge, Some(&SIGNED[..SIGNED.len() - 1]), BODY), None);
        let wrong = SIGNED.replace("757", "857");
        assert_eq!(judged(&mut judge, Some(&wrong), BODY), Some(Verdict::Forged));
        assert_eq!(judged(&mut judge, Some(SIGNED), b"Hello, World?"), Some(Verdict::Forged));
        let (name, forget) = good(judged(&mut judge, Some(SIGNED), BODY));
        assert_eq!((format!("sha256={name}").as_str(), forget), (SIGNED, None));
        assert_eq!(judged(&mut judge, Some(SIGNED), BODY), Some(Verdict::Replayed));
        let loud = SIGNED.to_uppercase().replace("SHA", "sha");
        assert_eq!(judged(&mut judge, Some(&loud), BODY), Some(Verdict::Replayed));
        // Another one that knows what came.
        let mut next = Judge::new(SECRET);
        next.remember([name.as_str()].into_iter());
        assert_eq!(judged(&mut next, Some(SIGNED), BODY), Some(Verdict::Replayed));
        next.forget(&name);
        good(judged(&mut next, Some(SIGNED), BODY));
    }

    #[test]
    fn so_many_are_remembered_and_no_more() {
        let mut judge = Judge::new(SECRET);
        let names: Vec<String> = (0..REMEMBERED).map(|number| format!("{number:064x}")).collect();
        judge.remember(names.iter().map(String::as_str));
        for (body, oldest) in [("one", &names[0]), ("two", &names[1])] {
            let tag = hmac::sign(&judge.key, body.as_bytes());
            let signed = format!("sha256={}", hex(tag.as_ref()));
            let (_, forget) = good(judged(&mut judge, Some(&signed), body.as_bytes()));
            assert_eq!(forget.as_ref(), Some(oldest));
        }
        assert_eq!(judge.came.len(), REMEMBERED);
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "short\n").unwrap();
        assert!(matches!(Judge::open(&file), Err(Error::Weak { .. })));
        assert!(matches!(Judge::open(Path::new("/not/there")), Err(Error::Secret { .. })));
        std::fs::write(&file, SECRET).unwrap();
        good(judged(&mut Judge::open(&file).unwrap(), Some(SIGNED), BODY));
    }
}
