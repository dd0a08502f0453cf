//! Files written whole or not at all.

use std::{io::Write as _, path::Path};

use anyhow::Context;
use serde::{Serialize, de::DeserializeOwned};

/// Reads a JSON file; where there is none, what is so by default.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Option<T>> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .with_context(|| format!("read {}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

/// Writes a JSON file.
pub(super) fn write(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec_pretty(value).context("write JSON")?;
    text.push(b'\n');
    replace(path, &text)
}

/// Puts a file in the place of what was there, for its owner's eyes alone.
pub(super) fn replace(path: &Path, text: &[u8]) -> anyhow::Result<()> {
    let failed = || format!("write {}", path.display());
    let folder = path.parent().with_context(failed)?;
    // Made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    file.write_all(text).and_then(|()| file.as_file().sync_all()).with_context(failed)?;
    file.persist(path).map_err(|error| error.error).with_context(failed)?;
    Ok(())
}
