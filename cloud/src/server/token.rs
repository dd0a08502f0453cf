//! The token of a cloud that listens on TCP: given by the environment, else made once and kept beside the data.

use std::{io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use anyhow::Context;
use secrecy::SecretString;

/// The configured token, or the one in the data directory, which is made where there is none.
pub(super) fn of(configured: Option<SecretString>, data: &Path) -> anyhow::Result<SecretString> {
    if let Some(token) = configured {
        return Ok(token);
    }
    let path = data.join("token");
    let shown = path.display();
    match std::fs::read_to_string(&path) {
        Ok(token) if !token.trim().is_empty() => return Ok(SecretString::from(token.trim())),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("read {shown}"));
        }
        Ok(_) | Err(_) => {}
    }
    let token = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("create {shown}"))?;
    file.write_all(token.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("write {shown}"))?;
    Ok(SecretString::from(token))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_is_its_owners_alone() {
        let data = tempfile::tempdir().unwrap();
        let made = of(None, data.path()).unwrap();
        assert_eq!(made.expose_secret().len(), 64);
        assert_eq!(of(None, data.path()).unwrap().expose_secret(), made.expose_secret());
        let mode = std::fs::metadata(data.path().join("token")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(of(Some("own".into()), data.path()).unwrap().expose_secret(), "own");
    }
}
