//! Files, as the sandbox's own user: the gRPC face, and reading and writing as streams.
//!
//! What is done to a whole path at once lives in `tree`.

mod tree;

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use aloft_proto::guest::guest_files_server::GuestFiles;
use aloft_proto::guest::{
    Entry, ListDirRequest, ListDirResponse, ReadRequest, ReadResponse, RemoveRequest,
    RemoveResponse, StatRequest, WriteFileRequest, WriteFileResponse,
};
use bytes::BytesMut;
use futures_util::Stream;
use futures_util::stream::unfold;
use rustix::fs::OFlags;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tonic::{Request, Response, Status, Streaming};

use crate::guest::refusal::Refusal;

/// Most that one response brings.
const PIECE_BYTES: usize = 64 * 1024;

/// Permission bits of a new file when the request does not say.
const MODE: u32 = 0o644;

/// Answers calls about files.
#[derive(Debug)]
pub(super) struct FileService {
    /// Against which relative paths are read.
    pub(super) root: PathBuf,
}

/// A file that is being sent.
struct Sending {
    file: File,
    path: PathBuf,
    left: u64,
}

#[tonic::async_trait]
impl GuestFiles for FileService {
    type ReadStream = Pin<Box<dyn Stream<Item = Result<ReadResponse, Status>> + Send>>;

    async fn read(
        &self,
        request: Request<ReadRequest>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        let ReadRequest { path, offset, limit } = request.into_inner();
        let path = self.path(&path)?;
        let file = open(&path, offset).await?;
        let sending = Sending { file, path, left: if limit == 0 { u64::MAX } else { limit } };
        Ok(Response::new(Box::pin(unfold(sending, Sending::next))))
    }

    async fn write(
        &self,
        request: Request<Streaming<WriteFileRequest>>,
    ) -> Result<Response<WriteFileResponse>, Status> {
        let mut pieces = request.into_inner();
        let first = pieces.message().await?.unwrap_or_default();
        let path = self.path(&first.path)?;
        let mode = if first.mode == 0 { MODE } else { first.mode & 0o7777 };
        let (new, file) = blocking("write", &path, tree::new_beside).await?;
        let mut file = File::from_std(file);
        let mut bytes = 0;
        let mut piece = Some(first);
        // A stream that breaks leaves nothing behind: the new file removes itself until it is put in place.
        while let Some(WriteFileRequest { data, .. }) = piece {
            file.write_all(&data).await.map_err(failed("write", &path))?;
            bytes += data.len() as u64;
            piece =
                pieces.message().await.map_err(|status| Refusal::BrokenOff(Box::new(status)))?;
        }
        file.flush().await.map_err(failed("write", &path))?;
        // To tonic a caller that broke off looks like one that said everything. Its call is dropped as soon as the
        // connection is looked at again, which is here: nothing may be put in place before.
        tokio::task::yield_now().await;
        let file = file.into_std().await;
        blocking("write", &path, move |path| tree::put_in_place(new, &file, mode, path)).await?;
        Ok(Response::new(WriteFileResponse { bytes }))
    }

    async fn stat(&self, request: Request<StatRequest>) -> Result<Response<Entry>, Status> {
        let path = self.path(&request.into_inner().path)?;
        Ok(Response::new(blocking("read", &path, tree::entry).await?))
    }

    async fn list_dir(
        &self,
        request: Request<ListDirRequest>,
    ) -> Result<Response<ListDirResponse>, Status> {
        let path = self.path(&request.into_inner().path)?;
        let entries = blocking("list", &path, tree::list).await?;
        let entries = entries
            .ok_or_else(|| Refusal::TooManyEntries { path: shown(&path), limit: tree::ENTRIES })?;
        Ok(Response::new(ListDirResponse { entries }))
    }

    async fn remove(
        &self,
        request: Request<RemoveRequest>,
    ) -> Result<Response<RemoveResponse>, Status> {
        let path = self.path(&request.into_inner().path)?;
        blocking("remove", &path, tree::remove).await?;
        Ok(Response::new(RemoveResponse {}))
    }
}

impl FileService {
    fn path(&self, asked: &str) -> Result<PathBuf, Refusal> {
        if asked.is_empty() || asked.contains('\0') {
            return Err(Refusal::Invalid {
                what: "path",
                why: "it is empty or has a zero byte".into(),
            });
        }
        Ok(self.root.join(asked))
    }
}

impl Sending {
    async fn next(mut self) -> Option<(Result<ReadResponse, Status>, Self)> {
        let size = usize::try_from(self.left).unwrap_or(usize::MAX).min(PIECE_BYTES);
        if size == 0 {
            return None;
        }
        let mut data = BytesMut::with_capacity(size);
        match (&mut self.file).take(size as u64).read_buf(&mut data).await {
            Ok(0) => None,
            Ok(count) => {
                self.left -= count as u64;
                Some((Ok(ReadResponse { data: data.freeze() }), self))
            }
            Err(error) => {
                self.left = 0;
                let status = failed("read", &self.path)(error).into();
                Some((Err(status), self))
            }
        }
    }
}

async fn open(path: &Path, offset: u64) -> Result<File, Refusal> {
    let fail = failed("read", path);
    // Opening a named pipe would wait for a writer.
    let options = File::options()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .await;
    let mut file = options.map_err(&fail)?;
    if !file.metadata().await.map_err(&fail)?.is_file() {
        return Err(Refusal::NotAFile { path: shown(path) });
    }
    file.set_max_buf_size(PIECE_BYTES);
    if offset > 0 {
        file.seek(io::SeekFrom::Start(offset)).await.map_err(&fail)?;
    }
    Ok(file)
}

async fn blocking<T: Send + 'static>(
    doing: &'static str,
    path: &Path,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    let owned = path.to_owned();
    let done = tokio::task::spawn_blocking(move || work(&owned)).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(failed(doing, path))
}

fn failed(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> Refusal {
    move |source| Refusal::File { doing, path: shown(path), source }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
