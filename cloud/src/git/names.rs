//! What may name a commit, a ref or a folder here: checked before it can become an argument or a path.

use crate::git::{Error, Result};

/// Whether `text` is a whole object id, of SHA-1 or SHA-256.
pub(crate) fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Refuses what is not a whole object id, before it can become an argument.
pub(crate) fn check_object_id(text: &str) -> Result<()> {
    if is_object_id(text) {
        Ok(())
    } else {
        Err(Error::InvalidName { kind: "commit", name: text.to_owned() })
    }
}

/// Refuses a name that could leave its folder or be taken for an option.
pub(crate) fn check_name(kind: &'static str, name: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let good = !name.is_empty()
        && name.len() <= 128
        && name.bytes().all(plain)
        && !name.starts_with(['.', '-'])
        && name.strip_suffix(".lock").is_none();
    if good { Ok(()) } else { Err(Error::InvalidName { kind, name: name.to_owned() }) }
}

/// Refuses what git would not take as the name of a ref (the rules of `git check-ref-format`).
pub(crate) fn check_ref(name: &str) -> Result<()> {
    let bad_byte = |byte: u8| byte <= b' ' || byte == 0x7f || b"~^:?*[\\".contains(&byte);
    let bad_part = |part: &str| {
        part.is_empty() || part.starts_with('.') || part.strip_suffix(".lock").is_some()
    };
    let bad = !name.starts_with("refs/")
        || name.len() > 1024
        || name.bytes().any(bad_byte)
        || name.contains("..")
        || name.contains("@{")
        || name.ends_with('.')
        || name.split('/').any(bad_part);
    if bad { Err(Error::InvalidName { kind: "ref", name: name.to_owned() }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_refs_are_checked_as_git_does() {
        for good in [
            "refs/heads/main",
            "refs/heads/a/b-c",
            "refs/tags/v1.0",
            "refs/heads/ünï",
            "refs/heads/-x",
            "refs/heads/a@b",
        ] {
            assert!(check_ref(good).is_ok(), "{good}");
        }
        for bad in [
            "main",
            "refs/heads/",
            "refs/heads/a..b",
            "refs/heads/.a",
            "refs/heads/a.lock",
            "refs/heads/a b",
            "refs/heads/a\nb",
            "refs//a",
            "refs/heads/a@{1}",
            "refs/heads/a.",
            "refs/heads/a*",
        ] {
            assert!(check_ref(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_folders_cannot_leave_theirs() {
        for bad in ["", ".", "..", "a/b", "-a", ".a", "a b", "a\0", "a.lock"] {
            assert!(check_name("mirror", bad).is_err(), "{bad:?}");
        }
        assert!(check_name("mirror", "0123-ab_c.d").is_ok());
    }
}
