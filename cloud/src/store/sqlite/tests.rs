//! The behavior of the store on a real disk. Each file is one subject; what they share is here.

mod crash;
mod feed;
mod items;
mod ledger;
mod log;
mod names;
mod power;
mod replay;
mod room;
mod rows;

use std::path::Path;

use aloft_proto::v1::{
    AgentMessage, CommandExecution, Event, Field, Item, ItemAppended, ItemState, Thread,
    ThreadState, event::Payload, item::Kind,
};
use bytes::Bytes;
use tempfile::TempDir;

use crate::store::{Commit, Committed, Request, Store as _, ThreadRow, sqlite::Sqlite};

fn fresh() -> (TempDir, Sqlite) {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(directory.path()).unwrap();
    (directory, store)
}

fn thread(id: &str) -> Thread {
    Thread {
        id: id.to_owned(),
        slug: format!("slug-{id}"),
        owner: "local".to_owned(),
        state: ThreadState::Idle as i32,
        ..Thread::default()
    }
}

fn row(id: &str) -> ThreadRow {
    ThreadRow { thread: thread(id), private: Vec::new() }
}

fn event(payload: Payload) -> Event {
    Event { payload: Some(payload), ..Event::default() }
}

fn appended(item: &str, delta: impl Into<Bytes>) -> Event {
    event(Payload::ItemAppended(ItemAppended {
        item_id: item.to_owned(),
        field: Field::Output as i32,
        delta: delta.into(),
        offset: 0,
    }))
}

fn message(id: &str, text: &str, state: ItemState) -> Item {
    let kind = Kind::AgentMessage(AgentMessage { text: text.to_owned() });
    Item { id: id.to_owned(), state: state as i32, kind: Some(kind), ..Item::default() }
}

fn command(id: &str, output: &[u8], output_bytes: u64, state: ItemState) -> Item {
    let command = CommandExecution {
        output: Bytes::copy_from_slice(output),
        output_bytes,
        truncated: output_bytes > output.len() as u64,
        ..CommandExecution::default()
    };
    Item {
        id: id.to_owned(),
        state: state as i32,
        kind: Some(Kind::CommandExecution(command)),
        ..Item::default()
    }
}

fn command_of(item: &Item) -> &CommandExecution {
    match &item.kind {
        Some(Kind::CommandExecution(command)) => command,
        other => panic!("a command was expected, not {other:?}"),
    }
}

fn request(id: &str, time: i64) -> Request {
    Request {
        owner: "local".to_owned(),
        id: id.to_owned(),
        fingerprint: [7; 32],
        answer: b"answer".to_vec(),
        cursor: 0,
        time,
    }
}

async fn create(store: &Sqlite, id: &str) -> Committed {
    let events = vec![event(Payload::ThreadChanged(thread(id)))];
    store.commit(Commit { thread: Some(row(id)), events, ..Commit::default() }).await.unwrap()
}

/// Appends events to a thread that is there.
async fn write(store: &Sqlite, id: &str, mut events: Vec<Event>) -> Committed {
    for event in &mut events {
        id.clone_into(&mut event.thread_id);
    }
    store.commit(Commit { events, ..Commit::default() }).await.unwrap()
}

/// Tells whether some file below a directory holds these bytes.
fn found_below(directory: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let content = std::fs::read(entry.unwrap().path()).unwrap();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}
