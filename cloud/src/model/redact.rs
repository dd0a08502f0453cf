//! Takes secrets out of what agents print and say before it is stored or shown.
//!
//! A secret is found as it is, in base64 (whatever stands around it, with either alphabet), URL-encoded and as JSON writes
//! it. What is shorter than [`SHORTEST`] is left: it would be found everywhere. This is a net for accidents, such as a
//! printed environment; it does not hold an agent that wants to spell a secret differently.

use std::{collections::BTreeSet, fmt, sync::Arc};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};

/// Fewest bytes of a secret, and of an encoded form of one.
pub const SHORTEST: usize = 8;
/// What stands in a secret's place.
pub const REDACTED: &str = "[redacted]";

/// Knows the secrets of one thread; cheap to clone.
#[derive(Clone, Default)]
pub struct Redactor {
    /// `None` = there is no secret.
    forms: Option<Arc<Forms>>,
}

struct Forms {
    /// Each secret in each of its forms.
    written: Vec<Vec<u8>>,
    search: AhoCorasick,
    longest: usize,
}

/// Redacts a stream that comes in pieces: a secret that is cut by a border is found too.
#[derive(Clone, Debug)]
pub struct Stream {
    redactor: Redactor,
    /// What may be the beginning of a secret.
    held: Vec<u8>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.forms.as_ref().map_or(0, |forms| forms.search.patterns_len());
        write!(formatter, "Redactor({count} forms)")
    }
}

impl Redactor {
    /// For these secrets.
    pub fn new(secrets: &[SecretString]) -> Self {
        let secrets = secrets.iter().map(ExposeSecret::expose_secret);
        let secrets = secrets.filter(|secret| secret.len() >= SHORTEST);
        let forms: BTreeSet<Vec<u8>> = secrets.flat_map(forms_of).collect();
        Self { forms: Forms::new(forms.into_iter().collect()).map(Arc::new) }
    }

    /// The text without secrets; the same text when there is none in it.
    pub fn text(&self, text: String) -> String {
        match &self.forms {
            Some(forms) if forms.search.is_match(&text) => {
                let mut clean = String::with_capacity(text.len());
                forms.search.replace_all_with(&text, &mut clean, |_, _, clean| {
                    clean.push_str(REDACTED);
                    true
                });
                clean
            }
            _ => text,
        }
    }

    /// The bytes without secrets; the same bytes when there is none in them.
    pub fn bytes(&self, bytes: Bytes) -> Bytes {
        match &self.forms {
            Some(forms) if forms.search.is_match(&bytes[..]) => {
                let mut clean = Vec::with_capacity(bytes.len());
                forms.search.replace_all_with_bytes(&bytes, &mut clean, |_, _, clean| {
                    clean.extend_from_slice(REDACTED.as_bytes());
                    true
                });
                clean.into()
            }
            _ => bytes,
        }
    }

    /// For a stream that comes in pieces.
    pub fn stream(&self) -> Stream {
        Stream { redactor: self.clone(), held: Vec::new() }
    }
}

impl Stream {
    /// The next piece, without secrets. What may be the beginning of one is held back until more comes; that is rarely a
    /// byte.
    pub fn push(&mut self, piece: Bytes) -> Bytes {
        let Some(forms) = &self.redactor.forms else { return piece };
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(&piece);
        let mut held_from = forms.cut_short(&text, 0);
        let mut clean = Vec::with_capacity(text.len());
        let mut done = 0;
        for found in forms.search.find_iter(&text) {
            // What begins earlier is found first, and it may still turn out to be a longer one.
            if found.start() >= held_from {
                break;
            }
            clean.extend_from_slice(&text[done..found.start()]);
            clean.extend_from_slice(REDACTED.as_bytes());
            done = found.end();
            if done > held_from {
                held_from = forms.cut_short(&text, done);
            }
        }
        clean.extend_from_slice(&text[done..held_from]);
        self.held = text.split_off(held_from);
        clean.into()
    }

    /// What was held back: the stream has ended.
    pub fn finish(&mut self) -> Bytes {
        self.redactor.bytes(std::mem::take(&mut self.held).into())
    }
}

impl Forms {
    fn new(written: Vec<Vec<u8>>) -> Option<Self> {
        let longest = written.iter().map(Vec::len).max()?;
        // Only gigabytes of secrets could make it fail.
        let search =
            AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&written).ok()?;
        Some(Self { written, search, longest })
    }

    /// The first place from `from` on where a secret begins that is cut short by the end of the text; its end when there
    /// is none.
    fn cut_short(&self, text: &[u8], from: usize) -> usize {
        let first = text.len().saturating_sub(self.longest - 1).max(from);
        let is_cut = |start: &usize| {
            let rest = &text[*start..];
            self.written.iter().any(|form| form.len() > rest.len() && form.starts_with(rest))
        };
        (first..text.len()).find(is_cut).unwrap_or(text.len())
    }
}

/// The ways a secret may be written.
fn forms_of(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.as_bytes().to_vec()];
    let once = in_json(secret);
    forms.push(in_json(&once).into_bytes());
    forms.push(once.into_bytes());
    forms.push(in_url(secret, false).into_bytes());
    forms.push(in_url(secret, true).into_bytes());
    for before in 0..3 {
        // Base64 writes three bytes as four characters, so what stands before a secret shifts it.
        let mut shifted = vec![0; before];
        shifted.extend_from_slice(secret.as_bytes());
        let own = [0, 2, 3][before]..shifted.len() * 8 / 6;
        for text in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            forms.extend(text.get(own.clone()).map(|text| text.as_bytes().to_vec()));
        }
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

fn in_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn in_url(text: &str, lowercase: bool) -> String {
    let mut url = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let hex = format!("%{byte:02X}");
            url.push_str(&if lowercase { hex.to_lowercase() } else { hex });
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = r#"s3cr"t/Wert?ü+x"#;

    fn redactor(secrets: &[&str]) -> Redactor {
        Redactor::new(&secrets.iter().map(|secret| SecretString::from(*secret)).collect::<Vec<_>>())
    }

    #[test]
    fn a_secret_is_found_in_every_form() {
        let redactor = redactor(&[SECRET, "short"]);
        assert_eq!(redactor.text(format!("a {SECRET} b short")), "a [redacted] b short");
        let raw = serde_json::json!({"env": format!("KEY={SECRET}\n"), "inner": format!("{{\"k\":{:?}}}", SECRET)}).to_string();
        let clean = redactor.text(raw);
        assert!(clean.contains("KEY=[redacted]") && !clean.contains("Wert"), "{clean}");
        assert_eq!(redactor.text(in_url(SECRET, false)), REDACTED);
        assert_eq!(redactor.text(in_url(SECRET, true)), REDACTED);
        for before in ["", "x", "xy", "user:", "longer than that"] {
            let text = format!("{before}{SECRET} and more");
            for encoded in [STANDARD.encode(&text), URL_SAFE.encode(&text)] {
                assert!(redactor.text(encoded.clone()).contains(REDACTED), "{before}: {encoded}");
            }
        }
        assert_eq!(
            redactor.bytes(Bytes::from(format!("\u{1}{SECRET}"))),
            Bytes::from("\u{1}[redacted]")
        );
        assert!(!format!("{redactor:?}").contains("s3cr"));
    }

    #[test]
    fn without_secrets_nothing_changes_and_nothing_waits() {
        let mut stream = redactor(&["short"]).stream();
        assert_eq!(stream.push("short".into()), "short");
        let mut stream = redactor(&["password-one"]).stream();
        assert_eq!(stream.push("what a pass".into()), "what a ");
        assert_eq!(stream.push(" was".into()), "pass was");
        assert_eq!(stream.push("password-on".into()), "");
        assert_eq!(stream.finish(), "password-on");
    }

    proptest! {
        #[test]
        fn borders_between_pieces_change_nothing(
            parts in proptest::collection::vec(prop_oneof!["[ab]{0,3}", Just("abababab".to_owned()), Just("abababababba".to_owned()), Just("bbbbaaaa".to_owned())], 0..8),
            cuts in proptest::collection::vec(1..9_usize, 0..40),
        ) {
            let redactor = redactor(&["abababab", "abababababba", "bbbbaaaa"]);
            let text = parts.concat();
            let mut rest = Bytes::from(text.clone());
            let mut stream = redactor.stream();
            let mut clean = Vec::new();
            for cut in cuts {
                let piece = rest.split_to(cut.min(rest.len()));
                clean.extend_from_slice(&stream.push(piece));
            }
            clean.extend_from_slice(&stream.push(rest));
            clean.extend_from_slice(&stream.finish());
            prop_assert_eq!(String::from_utf8(clean).unwrap(), redactor.text(text));
        }
    }
}
