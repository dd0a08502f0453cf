//! The one task that holds subscriptions and cursors.
//!
//! A front talks to it through a [`Handle`] and hears of every change through one bounded queue of [`Update`]s. A reader
//! that is slow holds back the streams, never memory. Each stream remembers the newest cursor it has passed on, and goes
//! on after it when it broke: every event arrives once and in order. What an event looks like to an editor is the
//! front's business; how a cloud is reached is the client's.

mod follow;
mod handle;
mod hosts;
mod keeper;
mod memory;
mod order;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::{BoxStream, SelectAll};
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::MissedTickBehavior;

pub use handle::Handle;
pub use hosts::keep as keep_hosts;
pub use order::Ticket;

use crate::client::Client;
use crate::mirror::follow::{Signal, follow};
use crate::mirror::handle::Command;
use crate::mirror::keeper::Keeper;
use crate::mirror::memory::Memory;
use crate::mirror::order::Order;
use crate::offline::Offline;
use crate::protocol::error::{Code, Error};
use crate::protocol::kept::Kept;

/// Commands that wait for the task. It takes them at once; more than these means that it hangs.
const COMMANDS: usize = 1024;
/// How often what was seen is written down, where it changed.
const REMEMBER: Duration = Duration::from_secs(2);

/// What is followed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// The list of threads and the notices.
    Feed,
    /// The log of a thread, by its id.
    Thread(String),
}

/// How the connection to the cloud is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// It answers.
    Connected,
    /// It was lost and is being made again.
    Connecting,
    /// It cannot be reached now; tried again and again.
    Offline,
    /// It answers, but does not accept who we are.
    Unauthenticated,
}

/// One thing that a front tells its editor.
#[derive(Debug)]
pub enum Update {
    /// An event of a thread that is followed.
    Event(aloft_proto::v1::Event),
    /// A change of the list or the notices.
    Feed(aloft_proto::v1::FeedEvent),
    /// The connection changed.
    Connection(Connection, Option<String>),
    /// The cloud ended a subscription for good, for example because the thread is gone.
    Ended(Topic, Error),
    /// A request that was kept has reached the cloud.
    Delivered(Kept),
    /// The cloud refused a request that was kept.
    Refused(Kept),
    /// A warning for the person, in an editor that knows nothing of us.
    Warning(String),
}

/// The task and what it needs; [`Mirror::run`] is its life.
#[expect(missing_debug_implementations, reason = "streams have none")]
pub struct Mirror {
    client: Client,
    out: mpsc::Sender<Update>,
    commands: mpsc::Receiver<Command>,
    streams: SelectAll<Abortable<BoxStream<'static, Signal>>>,
    followed: HashMap<Topic, AbortHandle>,
    connection: Option<Connection>,
    /// Why the cloud cannot be reached, for those who would wait for it.
    unreachable: watch::Sender<Option<(Error, Instant)>>,
    /// Wakes the keeper: there is something to deliver, or a way to do so.
    wake: Arc<Notify>,
    keeper: Option<Keeper>,
    memory: Memory,
}

impl Mirror {
    /// Prepares the task; nothing is connected before the first need. Updates go to `out`.
    pub fn new(client: Client, offline: Offline, out: mpsc::Sender<Update>) -> (Handle, Self) {
        let (sender, commands) = mpsc::channel(COMMANDS);
        let (unreachable, known) = watch::channel(None);
        let wake = Arc::new(Notify::new());
        let keeper = Keeper {
            client: client.clone(),
            offline: offline.clone(),
            out: out.clone(),
            commands: sender.downgrade(),
            wake: Arc::clone(&wake),
        };
        let memory = Memory::new(offline.seen().clone());
        let handle = Handle {
            client: client.clone(),
            offline,
            commands: sender,
            order: Order::default(),
            unreachable: known,
            wake: Arc::clone(&wake),
        };
        let mirror = Self {
            client,
            out,
            commands,
            streams: SelectAll::new(),
            followed: HashMap::new(),
            connection: None,
            unreachable,
            wake,
            keeper: Some(keeper),
            memory,
        };
        (handle, mirror)
    }

    /// Runs until every handle is gone or nobody takes updates any more.
    pub async fn run(mut self) {
        let Some(keeper) = self.keeper.take() else { return };
        let client = self.client.clone();
        tokio::select! {
            () = self.pass_on() => {}
            () = keeper.run() => {}
            () = client.keep_watch() => {}
        }
        self.memory.write();
    }

    async fn pass_on(&mut self) {
        let mut remember = tokio::time::interval(REMEMBER);
        remember.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let out = self.out.clone();
            let following = !self.streams.is_empty();
            let next = async {
                // Room first: what cannot be passed on is not taken off its stream.
                let room = out.reserve().await.ok()?;
                let signal = self.streams.next().await?;
                Some((room, signal))
            };
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                _ = remember.tick(), if self.memory.is_dirty() => self.memory.write(),
                next = next, if following => match next {
                    Some((room, signal)) => {
                        if let Some(update) = self.update_of(signal) {
                            room.send(update);
                        }
                        self.pass_on_what_is_there();
                    }
                    None if self.out.is_closed() => return,
                    None => {}
                },
            }
        }
    }

    /// Passes on what needs no waiting, so that a burst costs one wake-up.
    fn pass_on_what_is_there(&mut self) {
        let out = self.out.clone();
        while let Ok(room) = out.try_reserve() {
            match self.streams.next().now_or_never() {
                Some(Some(signal)) => {
                    if let Some(update) = self.update_of(signal) {
                        room.send(update);
                    }
                }
                _ => return,
            }
        }
    }

    fn update_of(&mut self, signal: Signal) -> Option<Update> {
        match signal {
            Signal::Update(update) => {
                self.memory.take(&update);
                Some(update)
            }
            Signal::Connection(state, error) => self.connection_changed(state, error),
            Signal::Ended(topic, error) => {
                self.memory.ended(&topic, &error);
                self.followed.remove(&topic);
                Some(Update::Ended(topic, error))
            }
        }
    }

    fn connection_changed(&mut self, state: Connection, error: Option<Error>) -> Option<Update> {
        let changed = self.connection.replace(state) != Some(state);
        let message = error.as_ref().map(|error| error.message.clone());
        match state {
            Connection::Connected => {
                self.unreachable.send_replace(None);
                if changed {
                    self.wake.notify_one();
                }
            }
            Connection::Offline => {
                let tried = error.map(|error| (error, Instant::now()));
                self.unreachable.send_replace(tried);
            }
            Connection::Connecting | Connection::Unauthenticated => {}
        }
        if changed && state != Connection::Connected {
            // Whoever looks at it now sees what was seen last.
            self.memory.write();
        }
        changed.then_some(Update::Connection(state, message))
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Subscribe(topic, after) => {
                self.memory.followed(&topic);
                let (abort, registration) = AbortHandle::new_pair();
                let stream = follow(self.client.clone(), topic.clone(), after).boxed();
                self.streams.push(Abortable::new(stream, registration));
                if let Some(replaced) = self.followed.insert(topic, abort) {
                    replaced.abort();
                }
            }
            Command::Unsubscribe(topic) => {
                if let Some(abort) = self.followed.remove(&topic) {
                    abort.abort();
                }
            }
            Command::Heard(state, error) => {
                // Without room now, the next call says the same again.
                if let Ok(room) = self.out.clone().try_reserve()
                    && let Some(update) = self.connection_changed(state, error)
                {
                    room.send(update);
                }
            }
        }
    }
}

/// The feed after a number, for somebody who listens beside the editor; without end unless the cloud refuses.
pub fn feed(client: Client, after: u64) -> impl Stream<Item = aloft_proto::v1::FeedEvent> + Send {
    follow(client, Topic::Feed, after).filter_map(|signal| async move {
        match signal {
            Signal::Update(Update::Feed(entry)) => Some(entry),
            _ => None,
        }
    })
}

impl Connection {
    /// What an error says of the connection.
    fn told_by(error: &Error) -> Self {
        match error.code {
            Code::Unauthenticated => Self::Unauthenticated,
            Code::Unavailable => Self::Offline,
            _ => Self::Connected,
        }
    }
}
