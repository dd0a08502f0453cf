//! The beginning of a push, in git's wire format: which refs it wants to change, and a refusal that git shows to its user.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};

use crate::host::refusal;

/// Longest list of wanted changes.
const MAX_BYTES: usize = 1024 * 1024;
/// Longest payload of one packet of a multiplexed answer.
const MAX_BAND_BYTES: usize = 65515;

/// What a push wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Push {
    changes: Vec<Change>,
    capabilities: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    reference: String,
    deletes: bool,
}

/// How far the beginning of a push could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// More is needed.
    Incomplete,
    /// All that it wants.
    Push(Push),
    /// Not a push, or of a kind that is not taken.
    Invalid(&'static str),
}

/// Reads what the push wants.
pub(super) fn parse(mut bytes: &[u8]) -> Parsed {
    let too_long = bytes.len() > MAX_BYTES;
    let mut push = Push::default();
    while let Some((length, rest)) = bytes.split_at_checked(4) {
        let Some(length) = packet_length(length) else {
            return Parsed::Invalid("a packet has no length");
        };
        if length == 0 {
            return Parsed::Push(push);
        }
        let Some(length) = length.checked_sub(4) else {
            return Parsed::Invalid("a packet is out of place");
        };
        let Some((line, rest)) = rest.split_at_checked(length) else { break };
        bytes = rest;
        let (line, capabilities) = match line.iter().position(|byte| *byte == 0) {
            Some(end) => (&line[..end], Some(&line[end + 1..])),
            None => (line, None),
        };
        if let Some(capabilities) = capabilities.filter(|_| push.changes.is_empty()) {
            push.capabilities = String::from_utf8_lossy(capabilities)
                .split_whitespace()
                .map(str::to_owned)
                .collect();
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if line.starts_with(b"shallow ") {
            continue;
        }
        match change(line) {
            Some(change) => push.changes.push(change),
            None => return Parsed::Invalid("a line is no change of a ref"),
        }
    }
    if too_long { Parsed::Invalid("it changes too many refs") } else { Parsed::Incomplete }
}

fn packet_length(digits: &[u8]) -> Option<usize> {
    let digits = std::str::from_utf8(digits).ok()?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    usize::from_str_radix(digits, 16).ok()
}

/// `OLD NEW REF`.
fn change(line: &[u8]) -> Option<Change> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.splitn(3, ' ');
    let (old, new, reference) = (words.next()?, words.next()?, words.next()?);
    let is_id =
        |id: &str| matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_id(old) && is_id(new)).then(|| Change {
        reference: reference.to_owned(),
        deletes: new.bytes().all(|byte| byte == b'0'),
    })
}

impl Push {
    /// The answer to a push that wants anything but to move `branch`; none if it may go on.
    pub(super) fn refusal(&self, branch: &str) -> Option<Response<Body>> {
        let allowed = format!("refs/heads/{branch}");
        let reason = |change: &Change| {
            if change.reference != allowed {
                Some(format!("only {allowed} can be pushed here"))
            } else if change.deletes {
                Some(format!("{allowed} cannot be deleted"))
            } else {
                None
            }
        };
        if self.changes.iter().all(|change| reason(change).is_none()) {
            return None;
        }
        let mut report = packet(b"unpack ok\n");
        for change in &self.changes {
            let reason =
                reason(change).unwrap_or_else(|| "not pushed, for another ref was refused".into());
            report.extend(packet(format!("ng {} {reason}\n", change.reference).as_bytes()));
        }
        report.extend_from_slice(b"0000");
        Some(
            self.answer(
                &report,
                &format!("Aloft: only {allowed} can be pushed from this sandbox.\n"),
            ),
        )
    }

    fn answer(&self, report: &[u8], words: &str) -> Response<Body> {
        let can = |name: &str| self.capabilities.iter().any(|capability| capability == name);
        if !can("report-status") && !can("report-status-v2") {
            return refusal::text(StatusCode::FORBIDDEN, words.to_owned());
        }
        let body = if can("side-band-64k") {
            let mut body = packet(&[b"\x02", words.as_bytes()].concat());
            for part in report.chunks(MAX_BAND_BYTES) {
                body.extend(packet(&[b"\x01", part].concat()));
            }
            body.extend_from_slice(b"0000");
            body
        } else {
            report.to_vec()
        };
        let mut response = Response::new(Body::from(body));
        let kind = HeaderValue::from_static("application/x-git-receive-pack-result");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

fn packet(payload: &[u8]) -> Vec<u8> {
    let mut packet = format!("{:04x}", payload.len() + 4).into_bytes();
    packet.extend_from_slice(payload);
    packet
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    fn wire(lines: &[String]) -> Vec<u8> {
        let mut bytes: Vec<u8> = lines.iter().flat_map(|line| packet(line.as_bytes())).collect();
        bytes.extend_from_slice(b"0000PACK");
        bytes
    }

    fn refused(lines: &[String]) -> bool {
        match parse(&wire(lines)) {
            Parsed::Push(push) => push.refusal("aloft/x").is_some(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_the_own_branch_may_move() {
        let change = |new: &str, reference: &str| {
            format!("{A} {new} {reference}\0 report-status side-band-64k\n")
        };
        assert!(!refused(&[change(A, "refs/heads/aloft/x")]));
        assert!(!refused(&[format!("shallow {A}"), change(A, "refs/heads/aloft/x")]));
        assert!(!refused(&[]));
        assert!(refused(&[change(ZERO, "refs/heads/aloft/x")]));
        for other in ["refs/heads/aloft/x/y", "refs/heads/main", "refs/tags/aloft/x", "HEAD"] {
            assert!(refused(&[change(A, other)]), "{other}");
            assert!(refused(&[change(A, "refs/heads/aloft/x"), format!("{A} {A} {other}\n")]));
        }
    }

    #[test]
    fn waits_for_the_rest_and_refuses_junk() {
        let whole = wire(&[format!("{A} {A} refs/heads/x")]);
        for end in 0..whole.len() - 4 {
            assert_eq!(parse(&whole[..end]), Parsed::Incomplete, "{end}");
        }
        for junk in ["zzzz", "0001", "0008push", "+123xxxx"] {
            assert!(matches!(parse(junk.as_bytes()), Parsed::Invalid(_)), "{junk}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            parse(&bytes);
        }
    }
}
