//! Bytes between a channel and what is behind it.
//!
//! The library lets a client send more as soon as it has sent, whether or not anybody read it, and its one task per
//! connection waits while a channel's queue is full. So whoever receives from a channel must never wait for whoever
//! reads: [`Backlog`] is between them. It keeps little in memory and the rest in a file without a name; a client that
//! fills even that has its channel closed.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::future::maybe_done;
use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Unread bytes of one channel that are kept in memory, and of all channels together.
const MEMORY: usize = 2 * 1024 * 1024;
const MEMORY_OF_ALL: usize = 64 * 1024 * 1024;

/// Unread bytes of one connection that are kept on disk.
const DISK: u64 = 16 * 1024 * 1024 * 1024;

/// What is read back from disk at once.
const PIECE: usize = 256 * 1024;

/// What is written at once.
const PIECES: usize = 16;

/// What is taken from behind a channel at once: little from who says little.
const SMALLEST_READ: usize = 4 * 1024;
const LARGEST_READ: usize = 128 * 1024;

/// How long what a client had said before it closed a channel may take to be written.
const LINGER: Duration = Duration::from_secs(30);

/// Bytes in memory of all channels.
static IN_MEMORY: AtomicUsize = AtomicUsize::new(0);

/// Bytes on disk of one connection.
pub(super) type OnDisk = Arc<AtomicU64>;

/// What a channel has received and nobody has taken yet.
#[derive(Debug)]
pub(super) struct Backlog {
    state: Mutex<State>,
    changed: Notify,
    on_disk: OnDisk,
    /// The client closed the channel, or is gone.
    closed: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    /// The oldest bytes.
    memory: VecDeque<Bytes>,
    in_memory: usize,
    /// Those after them.
    spill: Option<Spill>,
    /// The client has said its last byte.
    ended: bool,
    /// Nobody will take anything any more.
    abandoned: bool,
}

/// Bytes in the order they came in, to be written at once.
#[derive(Debug, Default)]
pub(super) struct Pieces(VecDeque<Bytes>);

#[derive(Debug)]
struct Spill {
    file: File,
    read: u64,
    written: u64,
}

impl Backlog {
    pub(super) fn new(on_disk: OnDisk) -> Self {
        let (state, changed) = (Mutex::default(), Notify::new());
        Self { state, changed, on_disk, closed: CancellationToken::new() }
    }

    /// Adds what the client said; never waits for whoever takes it.
    fn push(&self, data: Bytes) -> io::Result<()> {
        let mut state = self.lock();
        if state.abandoned || data.is_empty() {
            return Ok(());
        }
        let full = state.in_memory + data.len() > MEMORY
            || IN_MEMORY.load(Ordering::Relaxed) + data.len() > MEMORY_OF_ALL;
        if state.spill.is_none() && (!full || state.memory.is_empty()) {
            state.keep(data);
        } else {
            // Disks are slow at times; the other tasks of this thread go on meanwhile.
            tokio::task::block_in_place(|| state.write(&data, &self.on_disk))?;
        }
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_one();
    }

    /// The next bytes; none after the client's last.
    pub(super) async fn next(&self) -> io::Result<Option<Pieces>> {
        loop {
            {
                let mut state = self.lock();
                let pieces: VecDeque<_> =
                    std::iter::from_fn(|| state.take()).take(PIECES).collect();
                if !pieces.is_empty() {
                    return Ok(Some(Pieces(pieces)));
                }
                if state.spill.is_some() {
                    let piece = tokio::task::block_in_place(|| state.read(&self.on_disk))?;
                    return Ok(Some(Pieces([piece].into())));
                }
                if state.ended || state.abandoned {
                    return Ok(None);
                }
            }
            self.changed.notified().await;
        }
    }

    /// Nobody will take anything any more: what comes is dropped.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.abandoned = true;
        state.clear(&self.on_disk);
        drop(state);
        self.changed.notify_one();
    }

    /// Resolves when the client has closed the channel, or is gone.
    pub(super) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        let on_disk = Arc::clone(&self.on_disk);
        self.lock().clear(&on_disk);
    }
}

impl State {
    fn keep(&mut self, data: Bytes) {
        self.in_memory += data.len();
        IN_MEMORY.fetch_add(data.len(), Ordering::Relaxed);
        self.memory.push_back(data);
    }

    fn take(&mut self) -> Option<Bytes> {
        let data = self.memory.pop_front()?;
        self.in_memory -= data.len();
        IN_MEMORY.fetch_sub(data.len(), Ordering::Relaxed);
        Some(data)
    }

    fn write(&mut self, data: &Bytes, on_disk: &AtomicU64) -> io::Result<()> {
        let length = data.len() as u64;
        if on_disk.fetch_add(length, Ordering::Relaxed) + length > DISK {
            on_disk.fetch_sub(length, Ordering::Relaxed);
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "too much was sent that nobody reads",
            ));
        }
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Spill { file: nameless_file()?, read: 0, written: 0 }),
        };
        spill.file.write_all_at(data, spill.written)?;
        spill.written += length;
        Ok(())
    }

    fn read(&mut self, on_disk: &AtomicU64) -> io::Result<Bytes> {
        let Some(spill) = &mut self.spill else { return Ok(Bytes::new()) };
        let left = usize::try_from(spill.written - spill.read).unwrap_or(usize::MAX);
        let mut data = vec![0; left.min(PIECE)];
        spill.file.read_exact_at(&mut data, spill.read)?;
        spill.read += data.len() as u64;
        if spill.read == spill.written {
            self.forget_spill(on_disk);
        }
        Ok(data.into())
    }

    fn forget_spill(&mut self, on_disk: &AtomicU64) {
        if let Some(spill) = self.spill.take() {
            on_disk.fetch_sub(spill.written, Ordering::Relaxed);
        }
    }

    fn clear(&mut self, on_disk: &AtomicU64) {
        while self.take().is_some() {}
        self.forget_spill(on_disk);
    }
}

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.0.front().map_or(&[], |piece| &piece[..])
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pairs = slices.iter_mut().zip(&self.0);
        pairs.map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(piece) = self.0.front_mut().filter(|_| count > 0) {
            let step = count.min(piece.len());
            piece.advance(step);
            count -= step;
            if piece.is_empty() {
                self.0.pop_front();
            }
        }
    }
}

/// On a real disk where there is one: what is temporary may be kept in memory.
fn nameless_file() -> io::Result<File> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    match home.map(tempfile::tempfile_in) {
        Some(Ok(file)) => Ok(file),
        _ => tempfile::tempfile(),
    }
}

/// Takes in whatever a channel receives, in a task that ends with the channel.
pub(super) fn intake(
    mut from: ChannelReadHalf,
    backlog: &Arc<Backlog>,
    to: &Arc<ChannelWriteHalf<Msg>>,
) -> AbortOnDropHandle<()> {
    let (backlog, to) = (Arc::clone(backlog), Arc::clone(to));
    AbortOnDropHandle::new(tokio::spawn(async move {
        while let Some(message) = from.wait().await {
            match message {
                ChannelMsg::Data { data } => {
                    if let Err(error) = backlog.push(data) {
                        tracing::warn!(%error, "an SSH channel is closed");
                        let _gone = to.close().await;
                        break;
                    }
                }
                ChannelMsg::Eof => backlog.end(),
                ChannelMsg::Close => break,
                _ => {}
            }
        }
        backlog.end();
        backlog.closed.cancel();
    }))
}

/// Writes what a channel receives, to its end; what takes no more is left alone.
pub(super) async fn inward(backlog: &Backlog, mut to: impl AsyncWrite + Unpin) {
    while let Ok(Some(mut data)) = backlog.next().await {
        if to.write_all_buf(&mut data).await.is_err() {
            break;
        }
    }
    backlog.abandon();
    let _other_side_left = to.shutdown().await;
}

/// Sends what is read, to its end, as fast as the client takes it; `extended` = its second stream.
pub(super) async fn outward(
    mut from: impl AsyncRead + Unpin,
    to: &ChannelWriteHalf<Msg>,
    extended: Option<u32>,
) {
    let mut room = SMALLEST_READ;
    loop {
        let mut data = BytesMut::with_capacity(room);
        // What broke has said all it will say.
        let Ok(count @ 1..) = from.read_buf(&mut data).await else { return };
        room = if count == data.capacity() {
            (room * 4).min(LARGEST_READ)
        } else {
            (count * 2).clamp(SMALLEST_READ, room)
        };
        let data = data.freeze();
        let sent = match extended {
            None => to.data_bytes(data).await,
            Some(number) => to.extended_data_bytes(number, data).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Ends the way in of a channel that its client has closed: with what was said before, not in the middle of it.
pub(super) async fn linger(inward: impl Future) {
    let _written = tokio::time::timeout(LINGER, inward).await;
}

/// Joins a channel and a stream until both have said their last byte, or the client has closed the channel.
pub(super) async fn join(
    channel: Channel<Msg>,
    stream: impl AsyncRead + AsyncWrite,
    on_disk: OnDisk,
) {
    let (from, to) = channel.split();
    let (to, backlog) = (Arc::new(to), Arc::new(Backlog::new(on_disk)));
    let _intake = intake(from, &backlog, &to);
    let (reading, writing) = tokio::io::split(stream);
    let inward = maybe_done(inward(&backlog, writing));
    tokio::pin!(inward);
    let both = async {
        let out = async {
            outward(reading, &to, None).await;
            let _gone = to.eof().await;
        };
        tokio::join!(out, inward.as_mut());
    };
    let ended = tokio::select! {
        () = both => true,
        () = backlog.closed() => false,
    };
    if !ended {
        linger(inward).await;
    }
    // Whoever waits for the other to close first waits for ever.
    let _gone = to.close().await;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    }

    #[test]
    fn nothing_that_is_unread_waits_and_little_of_it_is_in_memory() {
        runtime().block_on(async {
            let task = tokio::spawn(async {
                let on_disk = OnDisk::default();
                let backlog = Backlog::new(Arc::clone(&on_disk));
                let piece = Bytes::from(vec![7; 32 * 1024]);
                for _ in 0..512 {
                    backlog.push(piece.clone()).unwrap();
                }
                assert!(backlog.lock().in_memory <= MEMORY);
                assert!(on_disk.load(Ordering::Relaxed) >= 13 * 1024 * 1024);
                backlog.end();
                let mut total = 0;
                while let Some(data) = backlog.next().await.unwrap() {
                    total += data.remaining();
                }
                assert_eq!(total, 512 * 32 * 1024);
                assert_eq!(on_disk.load(Ordering::Relaxed), 0);
            });
            task.await.unwrap();
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn bytes_come_out_as_they_went_in(steps in prop::collection::vec((any::<bool>(), 1_usize..700_000), 1..40)) {
            let passed = runtime().block_on(async {
                let task = tokio::spawn(async move {
                    let backlog = Backlog::new(OnDisk::default());
                    let (mut sent, mut got) = (0_usize, Vec::new());
                    let byte = |at: usize| u8::try_from(at % 251).unwrap();
                    for (push, size) in steps {
                        if push {
                            backlog.push((sent..sent + size).map(byte).collect()).unwrap();
                            sent += size;
                        } else if got.len() < sent {
                            let mut data = backlog.next().await.unwrap().unwrap();
                            got.extend(data.copy_to_bytes(data.remaining()));
                        }
                    }
                    backlog.end();
                    while let Some(mut data) = backlog.next().await.unwrap() {
                        got.extend(data.copy_to_bytes(data.remaining()));
                    }
                    got.len() == sent && got.iter().enumerate().all(|(at, value)| *value == byte(at))
                });
                task.await.unwrap()
            });
            prop_assert!(passed);
        }
    }
}
