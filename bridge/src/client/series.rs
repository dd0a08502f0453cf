//! A thread's work as files in a new folder: patches and a git bundle. The folder is there whole or not at all.

use std::io;
use std::path::{Path, PathBuf};

use aloft_proto::v1;
use tokio::io::AsyncWriteExt as _;

use crate::client::Client;
use crate::protocol::error::{Code, Error};

/// What was written.
#[derive(Debug)]
pub struct Series {
    /// The commit that all of it is on top of.
    pub base: String,
    /// The branch in the bundle.
    pub branch: String,
    /// Its tip.
    pub commit: String,
    /// The patches, in their order.
    pub patches: Vec<PathBuf>,
    /// The bundle.
    pub bundle: PathBuf,
}

impl Client {
    /// Writes a thread's work into a folder that must not exist.
    pub async fn save_series(&self, thread_id: &str, folder: &Path) -> Result<Series, Error> {
        let failed = |error: io::Error| Error::local("write", folder, &error);
        if folder.symlink_metadata().is_ok() {
            return Err(Error::exists(folder));
        }
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut builder = tempfile::Builder::new();
        builder.prefix(".aloft-patches-");
        // It is the person's, with the rights that person gives to folders.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        let scratch = builder
            .tempdir_in(parent.unwrap_or(Path::new(".")))
            // Its name is nobody's business.
            .map_err(|error| failed(error.kind().into()))?;
        let request = v1::ExportPatchesRequest { thread_id: thread_id.to_owned() };
        let mut parts = self.export_patches(request).await?;
        let (mut head, mut names) = (v1::ExportPatchesResponse::default(), Vec::new());
        let mut open: Option<tokio::fs::File> = None;
        while let Some(part) = parts.message().await.map_err(|status| self.error(status))? {
            if !part.name.is_empty() {
                if let Some(mut file) = open.take() {
                    file.flush().await.map_err(failed)?;
                }
                let path = scratch.path().join(plain(&part.name)?);
                open = Some(tokio::fs::File::create_new(path).await.map_err(failed)?);
                names.push(part.name.clone());
            }
            if let Some(file) = &mut open {
                file.write_all(&part.data).await.map_err(failed)?;
            }
            if !part.commit.is_empty() {
                head = part;
            }
        }
        if let Some(mut file) = open.take() {
            file.flush().await.map_err(failed)?;
        }
        std::fs::rename(scratch.path(), folder).map_err(failed)?;
        // It has another name by now.
        drop(scratch.keep());
        let bundle = names.pop().unwrap_or_default();
        Ok(Series {
            base: head.base,
            branch: head.branch,
            commit: head.commit,
            patches: names.iter().map(|name| folder.join(name)).collect(),
            bundle: folder.join(bundle),
        })
    }
}

/// A name of the cloud's that names a file in this folder and nowhere else.
fn plain(name: &str) -> Result<&str, Error> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.bytes().all(good) && !name.starts_with('.') {
        return Ok(name);
    }
    let message = format!("the cloud named a file {name:?}, which is no plain name");
    Err(Error::new(Code::Internal, "INTERNAL", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_in_its_folder_only() {
        assert!(plain("0001-Fix-it.patch").is_ok());
        for name in ["../x", "/etc/x", ".git", "a/b", "a\nb", "..", "a\\b"] {
            assert!(plain(name).is_err(), "{name}");
        }
    }
}
