//! Streams: read the store after a cursor, then wait until it has more. One path for replay and live.

use std::{pin::Pin, sync::Arc};

use aloft_proto::v1::{
    ArchiveThreadResponse, Event, ExportBranchResponse, ExportPatchesResponse, FeedEvent, FileDiff,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, future::BoxFuture, stream};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::{io::ReaderStream, sync::CancellationToken};
use tonic::Status;

use crate::{
    api::{Api, status::status},
    runner::{Error, ErrorKind, Export, Series, problem},
    store::{self, Store},
};

type Streaming<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Records read from the store at once.
const PAGE: usize = 512;
/// Bytes of a bundle in one message.
const CHUNK: usize = 256 * 1024;

/// What a stream stands at.
struct Tail<F> {
    after: u64,
    wake: watch::Receiver<u64>,
    stop: CancellationToken,
    read: F,
    ended: bool,
}

/// A thread's log after a cursor, then what comes; it ends when the thread is deleted.
pub(super) fn thread(api: &Api, id: String, after: u64, fold: bool) -> Streaming<Event> {
    let store = Arc::clone(api.store());
    let wake = store.watch_thread(&id);
    let read = move |after| -> BoxFuture<'static, store::Result<Vec<Event>>> {
        let (store, id) = (Arc::clone(&store), id.clone());
        Box::pin(async move { store.events(&id, after, PAGE, fold).await })
    };
    tail(after, wake, api.stop.clone(), read, |event: &Event| event.cursor)
}

/// A user's feed after a number, then what comes.
pub(super) fn feed(api: &Api, owner: String, after: u64) -> Streaming<FeedEvent> {
    let store = Arc::clone(api.store());
    let wake = store.watch_feed(&owner);
    let read = move |after| -> BoxFuture<'static, store::Result<Vec<FeedEvent>>> {
        let (store, owner) = (Arc::clone(&store), owner.clone());
        Box::pin(async move { store.feed(&owner, after, PAGE).await })
    };
    tail(after, wake, api.stop.clone(), read, |event: &FeedEvent| event.feed)
}

/// The files of a diff as they are computed.
pub(super) fn files(files: mpsc::Receiver<Result<FileDiff, Error>>) -> Streaming<FileDiff> {
    Box::pin(ReceiverStream::new(files).map(|file| file.map_err(Status::from)))
}

/// A bundle: its branch and tip first, then its bytes; none where the receiver has everything.
pub(super) fn bundle(export: Export) -> Streaming<ExportBranchResponse> {
    let branch = export.ref_name.trim_start_matches("refs/heads/").to_owned();
    let head = ExportBranchResponse { branch, commit: export.commit, ..Default::default() };
    let bytes = stream::iter(export.file).flat_map(|file| {
        chunks(file, |bundle| ExportBranchResponse { bundle, ..Default::default() })
    });
    Box::pin(stream::iter([Ok(head)]).chain(bytes))
}

/// A thread's work, one file after the other: what all of it is about first, then of each file its name and its bytes.
pub(super) fn series(series: Series) -> Streaming<ExportPatchesResponse> {
    let Series { thread, base, branch: Export { commit, file: bundle, .. }, patches, folder } =
        series;
    let branch = thread.branch;
    let head = ExportPatchesResponse { base, branch, commit, ..Default::default() };
    // The folder goes when the last of its files was opened.
    let patches = stream::iter(patches).then(move |name| {
        let path = folder.path().join(&name);
        async move { (name, tokio::fs::File::open(path).await) }
    });
    let bundle = stream::iter(bundle.map(|file| (format!("{}.bundle", thread.slug), Ok(file))));
    let files = patches.chain(bundle).flat_map(|(name, file)| {
        let named = Ok(ExportPatchesResponse { name, ..Default::default() });
        let bytes = match file {
            Ok(file) => {
                chunks(file, |data| ExportPatchesResponse { data, ..Default::default() }).boxed()
            }
            Err(error) => stream::iter([Err(unreadable(&error))]).boxed(),
        };
        stream::iter([named]).chain(bytes)
    });
    Box::pin(stream::iter([Ok(head)]).chain(files))
}

/// An archive, from its beginning.
pub(super) fn archive(file: tokio::fs::File) -> Streaming<ArchiveThreadResponse> {
    Box::pin(chunks(file, |data| ArchiveThreadResponse { data }))
}

/// A passing file of the cloud's own, piece by piece.
fn chunks<T>(
    file: tokio::fs::File,
    message: fn(Bytes) -> T,
) -> impl Stream<Item = Result<T, Status>> {
    ReaderStream::with_capacity(file, CHUNK).map(move |bytes| match bytes {
        Ok(bytes) => Ok(message(bytes)),
        Err(error) => Err(unreadable(&error)),
    })
}

fn unreadable(error: &std::io::Error) -> Status {
    let text = format!("read a passing file: {error}");
    status(ErrorKind::Internal, problem("INTERNAL", text, "", false))
}

fn tail<T, F>(
    after: u64,
    wake: watch::Receiver<u64>,
    stop: CancellationToken,
    read: F,
    number: fn(&T) -> u64,
) -> Streaming<T>
where
    T: Send + 'static,
    F: Fn(u64) -> BoxFuture<'static, store::Result<Vec<T>>> + Send + 'static,
{
    let pages = stream::unfold(
        Tail { after, wake, stop, read, ended: false },
        move |mut tail| async move {
            if tail.ended {
                return None;
            }
            loop {
                tail.wake.mark_unchanged();
                match (tail.read)(tail.after).await {
                    Ok(page) => {
                        if let Some(last) = page.last() {
                            tail.after = number(last);
                            let page: Vec<_> = page.into_iter().map(Ok).collect();
                            return Some((stream::iter(page), tail));
                        }
                    }
                    Err(store::Error::UnknownThread(_)) => return None,
                    Err(error) => {
                        tail.ended = true;
                        return Some((
                            stream::iter(vec![Err(Status::from(Error::from(error)))]),
                            tail,
                        ));
                    }
                }
                tokio::select! {
                    () = tail.stop.cancelled() => {
                        tail.ended = true;
                        let stopping = Status::from(Error::Ended);
                        return Some((stream::iter(vec![Err(stopping)]), tail));
                    }
                    woken = tail.wake.changed() => if woken.is_err() {
                        return None;
                    },
                }
            }
        },
    );
    Box::pin(pages.flatten())
}

impl Api {
    pub(super) fn store(&self) -> &Arc<dyn Store> {
        &self.runner.parts().store
    }
}
