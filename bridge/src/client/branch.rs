//! A thread's branch from the cloud, as a git bundle in a file.

use std::io;

use aloft_proto::v1;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;

use crate::client::Client;
use crate::protocol::error::Error;

/// A thread's branch as it came from the cloud.
#[derive(Debug)]
pub struct Branch {
    /// Its name there.
    pub name: String,
    /// Where it points.
    pub commit: String,
    /// Its commits; none where the receiver has them all. The file goes with this.
    pub bundle: Option<NamedTempFile>,
}

impl Client {
    /// Fetches a thread's branch for who has these commits.
    pub async fn fetch_branch(&self, thread_id: &str, have: Vec<String>) -> Result<Branch, Error> {
        let request = v1::ExportBranchRequest { thread_id: thread_id.to_owned(), have };
        let mut stream = self.export_branch(request).await?;
        let temporary = std::env::temp_dir();
        let failed = |error: io::Error| Error::local("write the branch into", &temporary, &error);
        let bundle = NamedTempFile::new().map_err(failed)?;
        let mut file = tokio::fs::File::from_std(bundle.reopen().map_err(failed)?);
        let (mut name, mut commit, mut size) = (String::new(), String::new(), 0);
        while let Some(part) = stream.message().await.map_err(|status| self.error(status))? {
            if !part.commit.is_empty() {
                (name, commit) = (part.branch, part.commit);
            }
            size += part.bundle.len();
            file.write_all(&part.bundle).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)?;
        Ok(Branch { name, commit, bundle: (size > 0).then_some(bundle) })
    }
}
