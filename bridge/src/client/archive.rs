//! A thread as one file, and back: streamed, never whole in memory, and a file is there whole or not at all.

use std::io;
use std::path::Path;

use aloft_proto::v1;
use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::client::Client;
use crate::protocol::error::Error;
use crate::protocol::to_proto::new_request_id;

/// Bytes in one message.
const CHUNK: usize = 256 << 10;

impl Client {
    /// Writes everything of a thread to a file that must not exist; gives its size.
    pub async fn archive_thread(&self, thread_id: &str, path: &Path) -> Result<u64, Error> {
        let failed = |error: io::Error| Error::local("write", path, &error);
        if path.exists() {
            return Err(Error::exists(path));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = tempfile::Builder::new()
            .prefix(".aloft-archive-")
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            // Its name is nobody's business.
            .map_err(|error| failed(error.kind().into()))?;
        let request = v1::ArchiveThreadRequest { thread_id: thread_id.to_owned() };
        let answer = self.threads().archive_thread(request).await;
        let mut parts = answer.map_err(|status| self.error(status))?.into_inner();
        let mut writer = tokio::fs::File::from_std(file.reopen().map_err(failed)?);
        let mut size = 0;
        while let Some(part) = parts.message().await.map_err(|status| self.error(status))? {
            size += part.data.len() as u64;
            writer.write_all(&part.data).await.map_err(failed)?;
        }
        writer.flush().await.map_err(failed)?;
        writer.sync_all().await.map_err(failed)?;
        file.persist_noclobber(path).map_err(|error| failed(error.error))?;
        Ok(size)
    }

    /// Makes a paused thread of a file.
    pub async fn restore_thread(
        &self,
        path: &Path,
        request_id: Option<String>,
    ) -> Result<v1::ThreadResponse, Error> {
        let failed = |error: io::Error| Error::local("read", path, &error);
        let mut file = tokio::fs::File::open(path).await.map_err(failed)?;
        if file.metadata().await.map_err(failed)?.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        let (out, messages) = mpsc::channel(4);
        let sending = async move {
            let request_id = request_id.unwrap_or_else(new_request_id);
            let mut part = v1::RestoreThreadRequest { request_id, ..Default::default() };
            loop {
                let mut data = BytesMut::with_capacity(CHUNK);
                while data.len() < CHUNK && file.read_buf(&mut data).await.map_err(failed)? > 0 {}
                let ended = data.is_empty();
                part.data = data.freeze();
                // A receiver that is gone has answered already.
                if out.send(std::mem::take(&mut part)).await.is_err() || ended {
                    return Ok::<_, Error>(());
                }
            }
        };
        let mut client = self.threads();
        let call = async {
            let answer = client.restore_thread(ReceiverStream::new(messages)).await;
            answer.map_err(|status| self.error(status))
        };
        let ((), answer) = tokio::try_join!(sending, call)?;
        Ok(answer.into_inner())
    }
}
