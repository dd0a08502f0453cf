//! The log of the embedded cloud: what its process prints.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::client::embedded::Error;

/// Size in bytes at which the log is put aside at the next start.
const LARGEST: u64 = 10 << 20;
/// How much of its end is shown when a start failed.
const SHOWN_LINES: usize = 20;
/// How much of its end is read for that, in bytes.
const SHOWN_BYTES: u64 = 16 << 10;

/// Returns where the log is.
pub(crate) fn path(data: &Path) -> PathBuf {
    data.join("cloud.log")
}

/// Opens the log for the next start; gives its size too, which is where that start's words begin.
pub(crate) fn open(data: &Path) -> Result<(File, u64), Error> {
    let path = path(data);
    let failed = |source| Error::Folder { path: path.clone(), source };
    let size = std::fs::metadata(&path).map_or(0, |file| file.len());
    if size > LARGEST {
        std::fs::rename(&path, path.with_extension("log.1")).map_err(failed)?;
    }
    let file =
        OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    Ok((file, size))
}

/// Returns the last lines written after the given size.
pub(crate) fn since(data: &Path, before: u64) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path(data))?;
        let end = file.metadata()?.len();
        file.seek(SeekFrom::Start(before.max(end.saturating_sub(SHOWN_BYTES))))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = String::from_utf8_lossy(&read().unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}
