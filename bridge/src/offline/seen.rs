//! What was last seen of a cloud: its list of threads, and the newest items of those that were opened.
//!
//! Kept so that both stay readable while it cannot be reached. It is a memory, not a truth: written without hurry, bounded,
//! and a thread that is gone is forgotten.

mod fold;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use aloft_proto::v1;
use aloft_proto::v1::item::Kind;
use prost::Message as _;

pub use fold::Fold;

use crate::files;
use crate::protocol::time::Time;

/// Threads of the list that are remembered, the newest.
const THREADS: usize = 1000;
/// Threads whose items are remembered, those seen last.
const PAGES: usize = 50;
/// Items of one of them, the newest.
const ITEMS: usize = 200;
/// Size of one of them.
const PAGE: usize = 2 << 20;

/// The memory of one cloud.
#[derive(Clone, Debug)]
pub struct Seen {
    folder: PathBuf,
}

impl Seen {
    /// The memory below a folder, which need not be there.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Remembers threads. A whole list takes the place of the one before; `feed` is where it stands.
    pub fn note_list(&self, threads: &[v1::Thread], feed: u64, whole: bool) {
        self.change(|list| {
            if whole {
                list.threads.clear();
            }
            merge(&mut list.threads, threads);
            // A part of a list says nothing of the rest: what is followed must begin before all of it.
            if whole || list.feed == 0 {
                list.feed = feed;
            }
        });
    }

    /// Remembers how threads are now, and forgets those that are gone.
    pub fn note(&self, threads: &[v1::Thread], gone: &[String]) {
        self.change(|list| {
            merge(&mut list.threads, threads);
            list.threads.retain(|thread| !gone.contains(&thread.id));
        });
        for id in gone {
            quietly(files::remove(&self.page_file(id)));
            quietly(files::remove(&self.document_file(id)));
        }
    }

    /// Keeps a thread as a document for an editor to open, for as long as the thread is remembered.
    pub fn keep_document(&self, id: &str, markdown: &str) -> io::Result<PathBuf> {
        let path = self.document_file(id);
        self.folders()?;
        files::write(&path, markdown.as_bytes(), false)?;
        Ok(path)
    }

    /// Forgets a thread that the cloud does not know, by any of its names.
    pub fn forget(&self, name: &str) {
        if let Some(thread) = self.find(name) {
            self.note(&[], &[thread.id]);
        }
    }

    /// Remembers a thread with its newest items.
    pub fn note_page(&self, page: &v1::ReadThreadResponse) {
        let Some(thread) = &page.thread else { return };
        if thread.state() == v1::ThreadState::Deleting {
            return quietly(files::remove(&self.page_file(&thread.id)));
        }
        let mut page = page.clone();
        shorten(&mut page);
        quietly(self.folders().and_then(|()| {
            let written = files::refresh(&self.page_file(&thread.id), &page.encode_to_vec())?;
            if written { self.forget_old_pages() } else { Ok(()) }
        }));
    }

    /// The list as it was last seen, newest first, and when that was.
    pub fn list(&self) -> Option<(v1::ListThreadsResponse, Time)> {
        let path = self.folder.join("list");
        let list = v1::ListThreadsResponse::decode(std::fs::read(&path).ok()?.as_slice()).ok()?;
        Some((list, written(&path)?))
    }

    /// A thread with its items as they were last seen, and when that was.
    pub fn page(&self, id: &str) -> Option<(v1::ReadThreadResponse, Time)> {
        let path = self.page_file(id);
        let page = v1::ReadThreadResponse::decode(std::fs::read(&path).ok()?.as_slice()).ok()?;
        Some((page, written(&path)?))
    }

    /// Answers a request for threads as the cloud would: all that fit at once, in one page.
    pub fn threads(
        &self,
        asked: &v1::ListThreadsRequest,
    ) -> Option<(v1::ListThreadsResponse, Time)> {
        if !asked.page_token.is_empty() {
            return None;
        }
        let (mut list, time) = self.list()?;
        let words: Vec<String> = asked.query.split_whitespace().map(str::to_lowercase).collect();
        list.threads.retain(|thread| {
            let repository = thread.repository.as_ref().map_or("", |repository| &repository.name);
            let text = [&thread.title, &thread.slug, &thread.branch, repository].join("\n");
            let text = text.to_lowercase();
            (asked.states.is_empty() || asked.states.contains(&thread.state))
                && words.iter().all(|word| text.contains(word))
        });
        Some((list, time))
    }

    /// Answers a request for the newest items of a thread as the cloud would.
    pub fn read(&self, asked: &v1::ReadThreadRequest) -> Option<(v1::ReadThreadResponse, Time)> {
        if !asked.before.is_empty() {
            return None;
        }
        let (mut page, time) = self.page(&self.find(&asked.thread_id)?.id)?;
        let limit = if asked.limit == 0 { ITEMS } else { asked.limit as usize };
        let dropped = page.items.len().saturating_sub(limit);
        page.items.drain(..dropped);
        page.has_more |= dropped > 0;
        Some((page, time))
    }

    /// A thread by its id, a prefix of at least three characters, its slug, or `@last`, as the cloud finds it.
    pub fn find(&self, name: &str) -> Option<v1::Thread> {
        let (list, _) = self.list()?;
        if name == "@last" {
            return list.threads.into_iter().next();
        }
        if let Some(thread) =
            list.threads.iter().find(|thread| thread.id == name || thread.slug == name)
        {
            return Some(thread.clone());
        }
        let mut begun = list.threads.into_iter().filter(|thread| thread.id.starts_with(name));
        let found = begun.next().filter(|_| name.len() >= 3)?;
        begun.next().is_none().then_some(found)
    }

    /// The questions of a thread that were open when it was last seen.
    pub fn questions(&self, id: &str) -> Vec<String> {
        let items = self.page(id).map(|(page, _)| page.items).unwrap_or_default();
        let open = items.into_iter().filter(|item| match &item.kind {
            Some(Kind::Permission(asked)) => {
                item.state() == v1::ItemState::InProgress && asked.answer.is_empty()
            }
            _ => false,
        });
        open.map(|item| item.id).collect()
    }

    fn change(&self, change: impl FnOnce(&mut v1::ListThreadsResponse)) {
        quietly(self.locked().and_then(|_lock| {
            let mut list = self.list().map(|(list, _)| list).unwrap_or_default();
            change(&mut list);
            // Of a thread that is on its way out nothing stays here either.
            list.threads.retain(|thread| thread.state() != v1::ThreadState::Deleting);
            list.threads.truncate(THREADS);
            files::refresh(&self.folder.join("list"), &list.encode_to_vec()).map(drop)
        }));
    }

    fn locked(&self) -> io::Result<File> {
        self.folders()?;
        files::lock(&self.folder.join("lock"))
    }

    fn folders(&self) -> io::Result<()> {
        files::folder(&self.pages())
    }

    fn pages(&self) -> PathBuf {
        self.folder.join("threads")
    }

    fn page_file(&self, id: &str) -> PathBuf {
        // An id comes from the cloud: it names no other folder.
        let name: String = id.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
        self.pages().join(name)
    }

    fn document_file(&self, id: &str) -> PathBuf {
        self.page_file(id).with_extension("md")
    }

    fn forget_old_pages(&self) -> io::Result<()> {
        let mut pages = Vec::new();
        for entry in std::fs::read_dir(self.pages())? {
            let entry = entry?;
            pages.push((entry.metadata()?.modified()?, entry.path()));
        }
        pages.sort_unstable_by(|one, other| other.cmp(one));
        pages.into_iter().skip(PAGES).try_for_each(|(_, path)| files::remove(&path))
    }
}

/// Puts threads into a list, newest first; what is known better stays.
fn merge(list: &mut Vec<v1::Thread>, threads: &[v1::Thread]) {
    let moment = |time: &Option<prost_types::Timestamp>| {
        time.as_ref().map(|time| (time.seconds, time.nanos)).unwrap_or_default()
    };
    let mut places: HashMap<String, usize> =
        list.iter().enumerate().map(|(place, thread)| (thread.id.clone(), place)).collect();
    for thread in threads {
        match places.get(&thread.id).map(|place| &mut list[*place]) {
            Some(known) if moment(&known.update_time) > moment(&thread.update_time) => {}
            Some(known) => known.clone_from(thread),
            None => {
                places.insert(thread.id.clone(), list.len());
                list.push(thread.clone());
            }
        }
    }
    list.sort_by_key(|thread| std::cmp::Reverse(moment(&thread.create_time)));
}

/// Leaves out the oldest items of a page that is too large.
fn shorten(page: &mut v1::ReadThreadResponse) {
    let mut room = PAGE;
    let fitting = page.items.iter().rev().take(ITEMS).take_while(|item| {
        let size = item.encoded_len();
        let fits = size <= room;
        room = room.saturating_sub(size);
        fits
    });
    let dropped = page.items.len() - fitting.count();
    if dropped > 0 {
        page.items.drain(..dropped);
        page.has_more = true;
    }
}

fn written(path: &Path) -> Option<Time> {
    std::fs::metadata(path).ok()?.modified().ok().map(Time::from)
}

/// What is only a memory fails in silence: the cloud has the truth.
fn quietly(result: io::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "what was seen could not be remembered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(id: &str, created: i64, updated: i64, title: &str) -> v1::Thread {
        let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        v1::Thread {
            id: id.into(),
            slug: format!("{title}-{}", &id[..4]),
            title: title.into(),
            create_time: time(created),
            update_time: time(updated),
            ..Default::default()
        }
    }

    fn titles(seen: &Seen) -> Vec<String> {
        let (list, _) = seen.list().unwrap();
        list.threads.into_iter().map(|thread| thread.title).collect()
    }

    #[test]
    fn the_list_follows_what_changes_and_forgets_what_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let seen = Seen::new(folder.path().join("seen"));
        assert!(seen.list().is_none() && seen.find("@last").is_none());
        let [old, new] = [thread("bbbb22223333", 1, 1, "old"), thread("cccc22223333", 2, 2, "new")];
        seen.note_list(&[old.clone(), new.clone()], 7, true);
        assert_eq!(
            (titles(&seen), seen.list().unwrap().0.feed),
            (vec!["new".into(), "old".into()], 7)
        );
        // A word that comes late does not undo a newer one.
        let renamed = v1::Thread { title: "renamed".into(), ..thread("bbbb22223333", 1, 5, "old") };
        seen.note(std::slice::from_ref(&renamed), &[]);
        seen.note_list(&[old], 3, false);
        assert_eq!(
            (titles(&seen), seen.list().unwrap().0.feed),
            (vec!["new".into(), "renamed".into()], 7)
        );
        for name in ["@last", "new-cccc", "cccc22223333", "cccc"] {
            assert_eq!(seen.find(name).unwrap().title, "new", "{name}");
        }
        assert!(seen.find("cc").is_none() && seen.find("zzz").is_none());
        seen.note_page(&v1::ReadThreadResponse { thread: Some(new), ..Default::default() });
        assert!(seen.page("cccc22223333").is_some());
        seen.forget("new-cccc");
        assert_eq!(titles(&seen), ["renamed"]);
        assert!(seen.page("cccc22223333").is_none());
    }

    #[test]
    fn what_is_seen_again_is_dated_and_not_written() {
        use std::os::unix::fs::MetadataExt as _;

        let folder = tempfile::tempdir().unwrap();
        let seen = Seen::new(folder.path().to_owned());
        let thread = thread("bbbb22223333", 1, 1, "one");
        let page = v1::ReadThreadResponse { thread: Some(thread.clone()), ..Default::default() };
        let files = [seen.folder.join("list"), seen.page_file(&thread.id)];
        let see = |page: &v1::ReadThreadResponse| {
            seen.note(page.thread.as_slice(), &[]);
            seen.note_page(page);
            files.each_ref().map(|path| {
                let file = std::fs::metadata(path).unwrap();
                (file.ino(), file.modified().unwrap())
            })
        };
        let first = see(&page);
        for path in &files {
            let long_ago = std::time::SystemTime::UNIX_EPOCH;
            File::options().append(true).open(path).unwrap().set_modified(long_ago).unwrap();
        }
        let again = see(&page);
        assert_eq!(again.map(|(file, _)| file), first.map(|(file, _)| file));
        assert!(again.iter().zip(first).all(|((_, now), (_, then))| *now >= then));
        let renamed = v1::Thread { title: "two".into(), ..thread };
        let changed = see(&v1::ReadThreadResponse { thread: Some(renamed), ..page });
        assert!(changed.iter().zip(again).all(|((new, _), (old, _))| *new != old));
        assert_eq!(titles(&seen), ["two"]);
    }

    #[test]
    fn the_memory_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let seen = Seen::new(folder.path().to_owned());
        let threads: Vec<_> =
            (0..1500).map(|at| thread(&format!("bbbb{at:08}"), at, at, "t")).collect();
        seen.note_list(&threads, 1, true);
        assert_eq!(titles(&seen).len(), THREADS);
        let large = |at: usize| {
            let message = v1::AgentMessage { text: "x".repeat(100_000) };
            v1::Item {
                id: format!("i{at}"),
                kind: Some(Kind::AgentMessage(message)),
                ..Default::default()
            }
        };
        for thread in threads.iter().take(PAGES + 10) {
            seen.note_page(&v1::ReadThreadResponse {
                thread: Some(thread.clone()),
                items: (0..40).map(large).collect(),
                ..Default::default()
            });
        }
        let kept: Vec<_> = std::fs::read_dir(seen.pages()).unwrap().flatten().collect();
        assert_eq!(kept.len(), PAGES);
        for page in kept {
            assert!(page.metadata().unwrap().len() < PAGE as u64 + 10_000);
        }
        let (page, _) = seen.page(&threads[PAGES + 9].id).unwrap();
        assert_eq!((page.items.last().unwrap().id.as_str(), page.has_more), ("i39", true));
    }
}
