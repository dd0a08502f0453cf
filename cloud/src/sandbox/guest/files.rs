//! Files inside a sandbox, as its own user sees them.

use std::path::Path;
use std::time::Duration;

use aloft_proto::guest as proto;
use bytes::BytesMut;
use futures_util::{StreamExt as _, stream};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::sandbox::guest::{CALL, CHUNK, Error, Guest, Result};

/// Longest pause between two parts of a file.
const PART: Duration = Duration::from_secs(30);

/// Longest time for a whole file to be written and synced.
const WHOLE: Duration = Duration::from_secs(600);

impl Guest {
    /// Copies a file's content to `writer`, from byte `offset` on, at most `limit` bytes (0 = to the end); answers how
    /// many bytes it had.
    pub async fn read_file(
        &self,
        path: &str,
        offset: u64,
        limit: u64,
        writer: &mut (impl AsyncWrite + Unpin + Send),
    ) -> Result<u64> {
        let call = "read a file";
        let mut client = self.files();
        let request = proto::ReadRequest { path: path.to_owned(), offset, limit };
        let mut parts = self.call(call, CALL, client.read(request)).await?;
        let mut length = 0;
        loop {
            let part = tokio::time::timeout(PART, parts.next());
            let part = part.await.map_err(|_| Error::Timeout { call, after: PART })?;
            let Some(part) = part else { break };
            let part = part.map_err(|status| Error::from_status(call, status))?;
            length += part.data.len() as u64;
            writer
                .write_all(&part.data)
                .await
                .map_err(|source| Error::Local { action: "write", source })?;
        }
        writer.flush().await.map_err(|source| Error::Local { action: "write", source })?;
        Ok(length)
    }

    /// Copies a file out of the sandbox, to a new file of the host; answers its size.
    pub async fn read_file_to(&self, path: &str, to: &Path) -> Result<u64> {
        let open = tokio::fs::OpenOptions::new().write(true).create_new(true).open(to).await;
        let mut file = open.map_err(|source| Error::Local { action: "create a file", source })?;
        self.read_file(path, 0, 0, &mut file).await
    }

    /// Replaces a file at once when all of `reader` was taken; `mode` 0 = 0644. Answers its size.
    pub async fn write_file(
        &self,
        path: &str,
        mode: u32,
        reader: impl AsyncRead + Unpin + Send + 'static,
    ) -> Result<u64> {
        let first =
            proto::WriteFileRequest { path: path.to_owned(), mode, data: bytes::Bytes::new() };
        let (failed, failure) = tokio::sync::oneshot::channel();
        let parts = stream::unfold((reader, Some(failed)), |(mut reader, mut failed)| async move {
            let mut buffer = BytesMut::with_capacity(CHUNK);
            match reader.read_buf(&mut buffer).await {
                Ok(0) => None,
                Ok(_) => {
                    let part = proto::WriteFileRequest {
                        path: String::new(),
                        mode: 0,
                        data: buffer.freeze(),
                    };
                    Some((part, (reader, failed)))
                }
                Err(error) => {
                    failed.take().map(|failed| failed.send(error));
                    // An end here would make half a file a whole one: the call is given up instead.
                    std::future::pending().await
                }
            }
        });
        let mut client = self.files();
        let parts = stream::once(async { first }).chain(parts);
        tokio::select! {
            answer = self.call("write a file", WHOLE, client.write(parts)) => Ok(answer?.bytes),
            Ok(source) = failure => Err(Error::Local { action: "read", source }),
        }
    }

    /// About a path; `None` when nothing is there.
    pub async fn stat(&self, path: &str) -> Result<Option<proto::Entry>> {
        let request = proto::StatRequest { path: path.to_owned() };
        match self.call("look at a path", CALL, self.files().stat(request)).await {
            Ok(entry) => Ok(Some(entry)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is in a folder, by name.
    pub async fn list_dir(&self, path: &str) -> Result<Vec<proto::Entry>> {
        let request = proto::ListDirRequest { path: path.to_owned() };
        Ok(self.call("list a folder", CALL, self.files().list_dir(request)).await?.entries)
    }

    /// Removes a file or a tree.
    pub async fn remove(&self, path: &str) -> Result<()> {
        let request = proto::RemoveRequest { path: path.to_owned() };
        self.call("remove a path", WHOLE, self.files().remove(request)).await?;
        Ok(())
    }
}
