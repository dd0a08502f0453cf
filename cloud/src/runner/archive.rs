//! Everything of a thread in one file, and back as a paused thread.
//!
//! A file from outside is read whole and checked before anything is made of it: form, order, size, checksum, the git bundle
//! with every object. What is made then is a thread that a crash removes until it is whole.

use std::{
    collections::BTreeMap,
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
};

use aloft_proto::v1::{
    ArchiveEnd, ArchiveHeader, ArchiveRecord, Delivery, DiffStat, Event, ItemState, Thread,
    ThreadState, TurnState, archive_record::Kind, event::Payload, item,
};
use prost::Message as _;
use ring::digest::{Context, SHA256};
use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt;

use crate::{
    git::{BUNDLE_LIMIT, snapshot::Unpacked},
    model::{
        machine::{Fix, Memory, Pushed, Refused},
        naming,
        time::timestamp,
    },
    runner::{
        Applied, Error, RequestKey, Runner, new_id, now,
        stored::{encode_answer, encode_memory},
    },
    store::{self, Commit, Repository, RepositoryKey, ThreadRow},
};

/// The first line of every archive.
const MAGIC: &[u8] = b"aloft archive 1\n";
/// What it begins with in every version.
const ANY_VERSION: &[u8] = b"aloft archive ";
/// The largest archive, in bytes.
pub const ARCHIVE_LIMIT: u64 = 8 << 30;
/// The largest record.
const RECORD: usize = 64 << 20;
/// Bytes of a bundle in one record.
const PART: usize = 1 << 20;
/// Events written or read at once.
const EVENTS: usize = 512;

impl Runner {
    /// Writes everything of a thread to a passing file of the cloud's own, which stands at its beginning.
    pub async fn archive(&self, owner: &str, name: &str) -> Result<tokio::fs::File, Error> {
        let (thread, memory) = self.find_whole(owner, name).await?;
        if let Some(last) = &thread.last_turn
            && last.state() == TurnState::Running
        {
            return Err(Refused::TurnActive(format!("t{}", last.number)).into());
        }
        if memory.filling || memory.rewind.is_some() {
            return Err(Refused::Rewinding.into());
        }
        if !self.parts().snapshots.path(&thread.id)?.exists() {
            return Err(Error::NotSaved { number: 0 });
        }
        let kept = |source| Error::Scratch { source };
        let scratch = &self.parts().scratch;
        let file =
            tempfile::Builder::new().prefix("archive-").tempfile_in(scratch).map_err(kept)?;
        let mut writer = Writer::new(file.reopen().map_err(kept)?).map_err(kept)?;
        let header = ArchiveHeader {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            thread: Some(thread.clone()),
            memory: encode_memory(&memory).into(),
        };
        writer.put(Kind::Header(header)).map_err(kept)?;
        let mut after = 0;
        loop {
            let page = self.parts().store.events(&thread.id, after, EVENTS, false).await?;
            let Some(last) = page.last() else { break };
            after = last.cursor;
            for event in page {
                writer.put(Kind::Event(event)).map_err(kept)?;
            }
        }
        let mut bundle = self.parts().snapshots.export_all(&thread.id).await?;
        let mut part = vec![0; PART];
        loop {
            let length = bundle.read(&mut part).await.map_err(kept)?;
            if length == 0 {
                break;
            }
            writer.put(Kind::Bundle(part[..length].to_vec().into())).map_err(kept)?;
        }
        writer.end().map_err(kept)?;
        Ok(tokio::fs::File::from_std(file.into_file()))
    }

    /// Makes a paused thread of an archive. What is wrong with it leaves nothing behind.
    pub async fn restore(
        &self,
        owner: &str,
        archive: NamedTempFile,
        request: Option<RequestKey>,
    ) -> Result<Applied, Error> {
        if let Some(known) = self.remembered(request.as_ref()).await? {
            return Ok(known);
        }
        let scratch = self.parts().scratch.clone();
        let read = tokio::task::spawn_blocking(move || check(archive, &scratch));
        let checked = read.await.map_err(|_| Error::Ended)??;
        let base = &checked.thread.base_commit;
        let snapshots = &self.parts().snapshots;
        let unpacked =
            snapshots.unpack(checked.bundle.path(), base, BUNDLE_LIMIT).await.map_err(|error| {
                match error {
                    error @ (crate::git::Error::Io { .. } | crate::git::Error::Timeout { .. }) => {
                        error.into()
                    }
                    error => invalid(format!("its repository is not usable: {error}")),
                }
            })?;
        let thread = self.restored(owner, &checked).await?;
        let id = thread.id.clone();
        match self.fill(thread, &checked, &unpacked, request.as_ref()).await {
            Ok(applied) => Ok(applied),
            Err(error) => {
                self.take_back(&id).await;
                match error {
                    Error::Store(store::Error::RequestExists(_)) => {
                        self.remembered(request.as_ref()).await?.ok_or(Error::Ended)
                    }
                    // The log contradicts itself.
                    Error::Store(
                        store::Error::UnknownItem { .. } | store::Error::Contradiction(_),
                    )
                    | Error::ItemNotFound { .. } => Err(invalid("its log does not fit together")),
                    error => Err(error),
                }
            }
        }
    }

    /// The record of the thread as it comes back: its own names where they are free.
    async fn restored(&self, owner: &str, checked: &Checked) -> Result<Thread, Error> {
        let known = &checked.thread;
        let store = &self.parts().store;
        let is_id =
            known.id.len() == 12 && known.id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let free = is_id
            && store.thread(&known.id).await?.is_none()
            && !self.parts().snapshots.path(&known.id)?.exists();
        let id = if free { known.id.clone() } else { new_id() };
        let is_slug = !known.slug.is_empty()
            && known.slug.len() <= 64
            && known
                .slug
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let slug = if is_slug && !store.slug_taken(&known.slug).await? {
            known.slug.clone()
        } else {
            self.free_slug(&known.title, &id).await?
        };
        let repository = self.repository_of(owner, known).await?;
        let taken = !naming::is_branch(&known.branch)
            || store.branch_taken(&repository.id, &known.branch).await?;
        let branch = if taken { format!("aloft/{slug}") } else { known.branch.clone() };
        // That of a branch which is another thread's now is that thread's.
        let pull_request = known.pull_request.clone().filter(|_| branch == known.branch);
        let mut thread = Thread {
            id,
            slug,
            branch,
            owner: owner.to_owned(),
            repository: Some(aloft_proto::v1::Repository {
                id: repository.id,
                ..known.repository.clone().unwrap_or_default()
            }),
            step: String::new(),
            queue_position: 0,
            pull_request,
            error: None,
            expire_time: None,
            update_time: Some(timestamp(now())),
            workspace_path: "/workspace".to_owned(),
            ..known.clone()
        };
        thread.set_state(ThreadState::Paused);
        Ok(thread)
    }

    /// The repository of the thread as this cloud knows it, or a new one.
    async fn repository_of(&self, owner: &str, thread: &Thread) -> Result<Repository, Error> {
        let store = &self.parts().store;
        let _one_at_a_time = self.shared.repositories.lock().await;
        let known = thread.repository.clone().unwrap_or_default();
        let same = store.repository(&known.id).await?.filter(|row| row.owner == owner);
        if let Some(row) = same {
            return Ok(row);
        }
        let fetched = known.path.is_empty() && !known.url.is_empty();
        if fetched
            && let Some(row) =
                store.find_repository(owner, RepositoryKey::Url(known.url.clone())).await?
        {
            return Ok(row);
        }
        let id = new_id();
        let (url, remote_url) =
            if fetched { (known.url, String::new()) } else { (String::new(), known.url) };
        let identity = if fetched { String::new() } else { format!("archive:{id}") };
        let row = Repository {
            id,
            owner: owner.to_owned(),
            url,
            identity,
            name: known.name,
            path: known.path,
            remote_url,
            last_used: now(),
        };
        store.put_repository(row.clone()).await?;
        Ok(row)
    }

    /// Makes repository, snapshots and log of the thread, and the thread itself last.
    async fn fill(
        &self,
        mut thread: Thread,
        checked: &Checked,
        unpacked: &Unpacked,
        request: Option<&RequestKey>,
    ) -> Result<Applied, Error> {
        let (store, snapshots) = (&self.parts().store, &self.parts().snapshots);
        let (base, old) = (thread.base_commit.clone(), &checked.memory);
        self.bring_base(&thread, unpacked).await?;
        let repository = thread.repository.clone().unwrap_or_default();
        let mirror = self.parts().mirrors.path(&repository.id)?;
        snapshots.create(&thread.id, &mirror, &base).await?;
        snapshots.adopt(&thread.id, unpacked).await?;
        if let Some(saved) = &old.snapshot {
            let missing = |_| invalid("its newest snapshot is missing");
            snapshots.describe(&thread.id, &saved.commit).await.map_err(missing)?;
            thread.diff = Some(snapshots.stat(&thread.id, &base, &saved.commit).await?);
        } else {
            thread.diff = Some(DiffStat::default());
        }
        let mut former_branches = old.former_branches.clone();
        former_branches.retain(|branch| naming::is_branch(branch));
        let kept = checked.thread.branch == thread.branch;
        if !kept {
            former_branches.push(checked.thread.branch.clone());
        }
        let waiting: Vec<String> = old
            .guides
            .iter()
            .chain(&old.queue)
            .filter(|id| checked.waiting.contains(id))
            .cloned()
            .collect();
        thread.queued = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
        let memory = Memory {
            items: checked.items,
            turns: checked.turns,
            prompted: true,
            used: crate::clock::now(),
            queue: waiting,
            held: true,
            messages: old.messages.clone(),
            snapshot: old.snapshot.clone(),
            safeties: old.safeties,
            former_branches,
            pushed: if kept { old.pushed.clone() } else { Pushed::default() },
            fix: if kept { old.fix.clone() } else { Fix::default() },
            closes: old.closes.clone(),
            about: old.about.clone(),
            upstreams: old.upstreams.clone(),
            tell: vec![
                "The thread was restored from an archive: the workspace is as it was, HOME is new, and what was ignored by git is gone."
                    .to_owned(),
            ],
            ..Memory::default()
        };
        let filling = Memory { filling: true, ..memory.clone() };
        let row = ThreadRow { thread: thread.clone(), private: encode_memory(&filling) };
        store.commit(Commit { thread: Some(row.clone()), ..Commit::default() }).await?;
        let mut reader = Reader::open(checked.archive.path())?;
        loop {
            let mut events = Vec::with_capacity(EVENTS);
            while events.len() < EVENTS {
                match reader.next()? {
                    Some(Kind::Event(event)) => events.push(of_thread(event, &thread)),
                    Some(Kind::Header(_)) => {}
                    Some(Kind::Bundle(_) | Kind::End(_)) | None => break,
                }
            }
            let last = events.len() < EVENTS;
            if !events.is_empty() {
                store
                    .commit(Commit { thread: Some(row.clone()), events, ..Commit::default() })
                    .await?;
            }
            if last {
                break;
            }
        }
        let mut applied = Applied { thread: thread.clone(), ..Applied::default() };
        let time = now();
        let told = Event {
            time: Some(timestamp(time)),
            payload: Some(Payload::ThreadChanged(thread.clone())),
            ..Event::default()
        };
        let request = request.map(|key| store::Request {
            owner: key.owner.clone(),
            id: key.id.clone(),
            fingerprint: key.fingerprint,
            answer: encode_answer(&applied),
            cursor: 0,
            time,
        });
        let row = ThreadRow { thread, private: encode_memory(&memory) };
        let whole = Commit { thread: Some(row), events: vec![told], request, ..Commit::default() };
        applied.cursor = store.commit(whole).await?.cursor;
        Ok(applied)
    }

    /// Brings the base to the mirror where it is not there.
    async fn bring_base(&self, thread: &Thread, unpacked: &Unpacked) -> Result<(), Error> {
        let mirrors = &self.parts().mirrors;
        let repository = thread.repository.clone().unwrap_or_default();
        let base = &thread.base_commit;
        if !mirrors.has(&repository.id, std::slice::from_ref(base)).await?.is_empty() {
            return Ok(());
        }
        // A mirror that has moved on keeps its own names.
        let name = if mirrors.path(&repository.id)?.exists() {
            format!("refs/aloft/carry/{base}")
        } else {
            let short = thread.base_ref.trim_start_matches("refs/heads/");
            let branch = if naming::is_branch(short) { short } else { "main" };
            format!("refs/heads/{branch}")
        };
        let bundle = unpacked.base_bundle(&name, base).await?;
        mirrors.import(&repository.id, &bundle, &[(name, base.clone())], BUNDLE_LIMIT).await?;
        Ok(())
    }
}

/// What was read of an archive.
#[derive(Debug)]
struct Checked {
    archive: NamedTempFile,
    bundle: NamedTempFile,
    thread: Thread,
    memory: Memory,
    /// The highest number of an item.
    items: u64,
    /// The highest number of a turn.
    turns: u32,
    /// Messages that wait for a turn.
    waiting: Vec<String>,
}

/// Reads an archive whole: it is in order, complete and unchanged since it was written. Its bundle goes to a file.
fn check(archive: NamedTempFile, scratch: &Path) -> Result<Checked, Error> {
    let kept = |source| Error::Scratch { source };
    let mut bundle =
        tempfile::Builder::new().prefix("archive-").tempfile_in(scratch).map_err(kept)?;
    let mut reader = Reader::open(archive.path())?;
    let Some(Kind::Header(header)) = reader.next()? else {
        return Err(invalid("it does not begin with its header"));
    };
    let thread = header.thread.ok_or_else(|| invalid("it names no thread"))?;
    let memory: Memory = serde_json::from_slice(&header.memory)
        .map_err(|_| invalid("what the runner knew is not readable"))?;
    let (mut items, mut turns, mut events) = (BTreeMap::new(), BTreeMap::new(), 0_u64);
    let mut in_bundle = false;
    loop {
        match reader.next()? {
            Some(Kind::Event(event)) if !in_bundle => {
                events += 1;
                match event.payload {
                    Some(Payload::ItemStarted(item) | Payload::ItemCompleted(item)) => {
                        let waits = item.state() == ItemState::InProgress
                            && matches!(&item.kind, Some(item::Kind::UserMessage(message)) if message.delivery() == Delivery::Queued);
                        let number = number(&item.id, "i")?;
                        items.insert(number, (item.id, waits));
                    }
                    Some(Payload::TurnStarted(turn) | Payload::TurnCompleted(turn)) => {
                        let number = number(&turn.id, "t")?;
                        if number != u64::from(turn.number) {
                            return Err(invalid("a turn has a wrong number"));
                        }
                        turns.insert(turn.number, turn.state());
                    }
                    _ => {}
                }
            }
            Some(Kind::Bundle(part)) => {
                in_bundle = true;
                bundle.write_all(&part).map_err(kept)?;
            }
            Some(Kind::End(end)) => {
                if end.events != events {
                    return Err(invalid("its log is not whole"));
                }
                break;
            }
            Some(Kind::Header(_) | Kind::Event(_)) => {
                return Err(invalid("its records are not in order"));
            }
            None => return Err(invalid("it is cut short")),
        }
    }
    bundle.flush().map_err(kept)?;
    if turns.values().any(|state| *state == TurnState::Running) {
        return Err(invalid("a turn of it has not ended"));
    }
    let waiting = items.values().filter(|(_, waits)| *waits).map(|(id, _)| id.clone()).collect();
    let items = items.last_key_value().map_or(0, |(number, _)| *number);
    let turns = turns.last_key_value().map_or(0, |(number, _)| *number);
    Ok(Checked { archive, bundle, thread, memory, items, turns, waiting })
}

/// The number in an id of ours.
fn number(id: &str, letter: &str) -> Result<u64, Error> {
    let number = id.strip_prefix(letter).and_then(|rest| rest.parse::<u32>().ok());
    number.map(u64::from).ok_or_else(|| invalid("it holds an id that is none"))
}

/// An event of the archive as one of the thread that comes back.
fn of_thread(mut event: Event, thread: &Thread) -> Event {
    thread.id.clone_into(&mut event.thread_id);
    match &mut event.payload {
        Some(Payload::TurnStarted(turn) | Payload::TurnCompleted(turn)) => {
            thread.id.clone_into(&mut turn.thread_id);
        }
        Some(Payload::ThreadChanged(was)) => {
            let was_then = std::mem::take(was);
            *was = Thread {
                id: thread.id.clone(),
                slug: thread.slug.clone(),
                owner: thread.owner.clone(),
                ..was_then
            };
        }
        _ => {}
    }
    event
}

fn invalid(why: impl Into<String>) -> Error {
    Error::Archive(why.into())
}

/// Writes records and what they add up to.
struct Writer {
    file: BufWriter<std::fs::File>,
    digest: Context,
    events: u64,
}

impl Writer {
    fn new(file: std::fs::File) -> io::Result<Self> {
        let mut writer =
            Self { file: BufWriter::new(file), digest: Context::new(&SHA256), events: 0 };
        writer.write(MAGIC)?;
        Ok(writer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.file.write_all(bytes)
    }

    fn put(&mut self, kind: Kind) -> io::Result<()> {
        self.events += u64::from(matches!(kind, Kind::Event(_)));
        let record = ArchiveRecord { kind: Some(kind) }.encode_to_vec();
        let length = u32::try_from(record.len()).map_err(io::Error::other)?;
        self.write(&length.to_be_bytes())?;
        self.write(&record)
    }

    fn end(mut self) -> io::Result<()> {
        let sha256 = self.digest.clone().finish().as_ref().to_vec().into();
        let events = self.events;
        self.put(Kind::End(ArchiveEnd { sha256, events }))?;
        self.file.flush()
    }
}

/// Reads records and checks what they add up to.
struct Reader {
    file: BufReader<std::fs::File>,
    digest: Context,
    ended: bool,
}

impl Reader {
    fn open(path: &Path) -> Result<Self, Error> {
        let kept = |source| Error::Scratch { source };
        let mut file = std::fs::File::open(path).map_err(kept)?;
        file.seek(SeekFrom::Start(0)).map_err(kept)?;
        let mut reader =
            Self { file: BufReader::new(file), digest: Context::new(&SHA256), ended: false };
        let mut magic = vec![0; MAGIC.len()];
        reader.fill(&mut magic)?;
        if magic == MAGIC {
            return Ok(reader);
        }
        Err(invalid(if magic.starts_with(ANY_VERSION) {
            "it is of another version of Aloft"
        } else {
            "it is not an archive"
        }))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.file.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => invalid("it is cut short"),
            _ => Error::Scratch { source: error },
        })?;
        self.digest.update(bytes);
        Ok(())
    }

    /// The next record; none after the end.
    fn next(&mut self) -> Result<Option<Kind>, Error> {
        if self.ended {
            return Ok(None);
        }
        let so_far = self.digest.clone();
        let mut length = [0; 4];
        self.fill(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > RECORD {
            return Err(invalid("a record of it is too large"));
        }
        let mut record = vec![0; length];
        self.fill(&mut record)?;
        let record = ArchiveRecord::decode(record.as_slice())
            .map_err(|_| invalid("a record of it is not readable"))?;
        let kind = record.kind.ok_or_else(|| invalid("it is of another version of Aloft"))?;
        if let Kind::End(end) = &kind {
            self.ended = true;
            if so_far.finish().as_ref() != &end.sha256[..] {
                return Err(invalid("it was damaged: its checksum is another"));
            }
            let mut more = [0];
            if self.file.read(&mut more).map_err(|source| Error::Scratch { source })? > 0 {
                return Err(invalid("something follows its end"));
            }
        }
        Ok(Some(kind))
    }
}
