//! What one process has written, who reads it, and when its end may be told.
//!
//! Two budgets of `ring_bytes` per stream: bytes that a reader still has to get (more are not taken from the process,
//! so it waits and nothing is lost) and bytes that were handed out (kept for a reader that comes back). A lossy
//! process never waits: its oldest bytes go. Moving bytes from pipes is the work of `pump`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aloft_proto::guest::process_event::Event;
use aloft_proto::guest::{Ended, Output as OutputEvent, ProcessEvent};
use tokio::sync::{Notify, watch};

use crate::guest::processes::ring::Ring;
use crate::guest::refusal::Refusal;

/// Largest piece handed to a reader at once.
const PIECE_BYTES: usize = 64 * 1024;

/// One of the two streams of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Which {
    Stdout,
    Stderr,
}

/// The output of one process.
#[derive(Debug)]
pub(super) struct Output {
    ring_bytes: usize,
    state: Mutex<State>,
    /// Woken after every change that a reader waits for.
    changed: watch::Sender<()>,
    /// Woken when a stream may have room again; each stream has one pump.
    room: [Notify; 2],
}

#[derive(Debug)]
struct State {
    streams: [Stream; 2],
    lossy: bool,
    ended: Option<Ended>,
    next_reader: u64,
}

#[derive(Debug, Default)]
struct Stream {
    ring: Ring,
    /// No more will come.
    closed: bool,
    /// Up to where somebody got it.
    handed_out: u64,
    /// Those who read now: their number and how far they got.
    readers: Vec<(u64, u64)>,
}

/// Where one reader of a process is; it holds back what it has not read, until dropped.
pub(in crate::guest) struct Reader {
    of: Arc<Output>,
    number: u64,
    next: usize,
    changed: watch::Receiver<()>,
    done: bool,
}

impl Output {
    pub(super) fn new(ring_bytes: usize, lossy: bool) -> Self {
        let state = State { streams: Default::default(), lossy, ended: None, next_reader: 0 };
        Self {
            ring_bytes,
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
            room: Default::default(),
        }
    }

    /// How many bytes may be taken from the process now; waits until some may.
    pub(super) async fn room(&self, which: Which) -> usize {
        loop {
            let room = {
                let state = self.lock();
                let unread = if state.lossy { 0 } else { state.streams[which as usize].unread() };
                self.ring_bytes.saturating_sub(unread)
            };
            if room > 0 {
                return room;
            }
            self.room[which as usize].notified().await;
        }
    }

    /// Takes in what the process wrote.
    pub(super) fn push(&self, which: Which, bytes: &[u8]) {
        let mut state = self.lock();
        let lossy = state.lossy;
        let stream = &mut state.streams[which as usize];
        stream.ring.push(bytes);
        stream.forget(self.ring_bytes, lossy);
        drop(state);
        self.changed.send_replace(());
    }

    /// No more comes from this stream.
    pub(super) fn close(&self, which: Which) {
        let mut state = self.lock();
        state.streams[which as usize].closed = true;
        if state.closed() {
            state.streams.iter_mut().for_each(|stream| stream.ring.shrink());
        }
        drop(state);
        self.changed.send_replace(());
    }

    /// The process itself has ended; output may still come.
    pub(super) fn end(&self, ended: Ended) {
        self.lock().ended = Some(ended);
        self.changed.send_replace(());
    }

    /// Resolves when the process itself has ended, and tells how.
    pub(super) async fn ended(&self) -> Ended {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(ended) = self.lock().ended {
                return ended;
            }
            // Never an error: the sender lives in `self`.
            let _changed = changed.changed().await;
        }
    }

    /// Whether the process itself has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().ended.is_some()
    }

    /// Nobody will come for it any more: what it still writes is not waited for.
    pub(super) fn abandon(&self) {
        self.lock().lossy = true;
        self.room.iter().for_each(Notify::notify_one);
    }

    /// Whether everything was handed out and nobody reads.
    pub(super) fn is_read(&self) -> bool {
        let state = self.lock();
        let read =
            |stream: &Stream| stream.readers.is_empty() && stream.handed_out == stream.ring.end();
        state.closed() && state.streams.iter().all(read)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn closed(&self) -> bool {
        self.streams.iter().all(|stream| stream.closed)
    }
}

impl Stream {
    /// Where the slowest of those who read now is; without any, where the best of them was.
    fn floor(&self) -> u64 {
        self.readers.iter().map(|(_, position)| *position).min().unwrap_or(self.handed_out)
    }

    fn unread(&self) -> usize {
        usize::try_from(self.ring.end().saturating_sub(self.floor())).unwrap_or(usize::MAX)
    }

    fn forget(&mut self, ring_bytes: usize, lossy: bool) {
        let newest_needed = if lossy { self.ring.end() } else { self.floor() };
        self.ring.forget_before(newest_needed.saturating_sub(ring_bytes as u64));
    }
}

impl Reader {
    /// Begins to read at an offset of each stream.
    pub(super) fn new(of: Arc<Output>, offsets: [u64; 2]) -> Result<Self, Refusal> {
        let mut state = of.lock();
        for (stream, asked) in state.streams.iter().zip(offsets) {
            let end = stream.ring.end();
            if asked > end {
                return Err(Refusal::BeyondOutput { asked, end });
            }
        }
        let number = state.next_reader;
        state.next_reader += 1;
        for (stream, asked) in state.streams.iter_mut().zip(offsets) {
            let position = asked.max(stream.ring.start());
            stream.readers.push((number, position));
        }
        drop(state);
        let changed = of.changed.subscribe();
        Ok(Self { of, number, next: 0, changed, done: false })
    }

    /// The next event; none after the end was told.
    pub(in crate::guest) async fn next(&mut self) -> Option<ProcessEvent> {
        while !self.done {
            self.changed.mark_unchanged();
            if let Some(event) = self.take() {
                return Some(ProcessEvent { event: Some(event) });
            }
            self.changed.changed().await.ok()?;
        }
        None
    }

    fn take(&mut self) -> Option<Event> {
        let output = &self.of;
        let mut state = output.lock();
        // Both streams in turn, so that a flood in one does not hide the other.
        for index in [self.next, 1 - self.next] {
            let lossy = state.lossy;
            let stream = &mut state.streams[index];
            let Some(reader) = stream.readers.iter_mut().find(|(number, _)| *number == self.number)
            else {
                continue;
            };
            let (offset, data) = stream.ring.read(reader.1, PIECE_BYTES);
            if data.is_empty() {
                continue;
            }
            reader.1 = offset + data.len() as u64;
            stream.handed_out = stream.handed_out.max(reader.1);
            stream.forget(output.ring_bytes, lossy);
            self.next = 1 - index;
            output.room[index].notify_one();
            let piece = OutputEvent { offset, data };
            return Some(if index == Which::Stdout as usize {
                Event::Stdout(piece)
            } else {
                Event::Stderr(piece)
            });
        }
        let ended = state.ended.filter(|_| state.closed())?;
        self.done = true;
        Some(Event::Ended(ended))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let output = &self.of;
        let mut state = output.lock();
        for stream in &mut state.streams {
            stream.readers.retain(|(number, _)| *number != self.number);
        }
        drop(state);
        output.room.iter().for_each(Notify::notify_one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(ring_bytes: usize, lossy: bool) -> Arc<Output> {
        Arc::new(Output::new(ring_bytes, lossy))
    }

    fn reader(of: &Arc<Output>, stdout: u64) -> Reader {
        Reader::new(Arc::clone(of), [stdout, 0]).unwrap()
    }

    async fn has_room(of: &Output) -> bool {
        tokio::select! { biased; _ = of.room(Which::Stdout) => true, () = std::future::ready(()) => false }
    }

    async fn stdout(reader: &mut Reader) -> (u64, Vec<u8>) {
        match reader.next().await.unwrap().event.unwrap() {
            Event::Stdout(piece) => (piece.offset, piece.data.to_vec()),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_full_ring_holds_the_process_up_until_it_is_read() {
        let output = output(4, false);
        output.push(Which::Stdout, b"abcd");
        assert!(!has_room(&output).await);
        let mut reader = reader(&output, 0);
        assert_eq!(stdout(&mut reader).await, (0, b"abcd".to_vec()));
        assert!(has_room(&output).await);
    }

    #[tokio::test]
    async fn what_was_handed_out_is_kept_for_who_comes_back() {
        let output = output(4, false);
        let mut first = reader(&output, 0);
        for bytes in [b"abcd", b"efgh"] {
            output.push(Which::Stdout, bytes);
            stdout(&mut first).await;
        }
        drop(first);
        assert_eq!(stdout(&mut reader(&output, 6)).await, (6, b"gh".to_vec()));
        assert_eq!(
            stdout(&mut reader(&output, 0)).await,
            (4, b"efgh".to_vec()),
            "older bytes are gone, and it shows"
        );
    }

    #[tokio::test]
    async fn the_slowest_reader_loses_nothing() {
        let output = output(4, false);
        let (mut fast, mut slow) = (reader(&output, 0), reader(&output, 0));
        output.push(Which::Stdout, b"abcd");
        stdout(&mut fast).await;
        assert!(!has_room(&output).await);
        assert_eq!(stdout(&mut slow).await, (0, b"abcd".to_vec()));
        assert!(has_room(&output).await);
    }

    #[tokio::test]
    async fn a_lossy_process_never_waits() {
        let output = output(4, true);
        output.push(Which::Stdout, b"abcdefgh");
        assert!(has_room(&output).await);
        assert_eq!(stdout(&mut reader(&output, 0)).await, (4, b"efgh".to_vec()));
    }

    #[tokio::test]
    async fn the_end_comes_last_and_once() {
        let output = output(4, false);
        let mut reader = reader(&output, 0);
        output.end(Ended { exit_code: Some(3), ..Ended::default() });
        output.close(Which::Stderr);
        output.push(Which::Stdout, b"last");
        output.close(Which::Stdout);
        assert_eq!(stdout(&mut reader).await.1, b"last");
        let Some(Event::Ended(ended)) = reader.next().await.unwrap().event else {
            panic!("no end")
        };
        assert_eq!(ended.exit_code, Some(3));
        assert!(reader.next().await.is_none());
        drop(reader);
        assert!(output.is_read());
    }

    #[tokio::test]
    async fn what_does_not_exist_yet_is_refused() {
        let output = output(4, false);
        assert!(matches!(
            Reader::new(output, [1, 0]),
            Err(Refusal::BeyondOutput { asked: 1, end: 0 })
        ));
    }
}
