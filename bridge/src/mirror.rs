//! The one task that holds subscriptions and cursors.
//!
//! A front talks to it through a [`Handle`] and hears of every change through one bounded queue of [`Update`]s. A reader
//! that is slow holds back the streams, never memory. Each stream remembers the newest cursor it has passed on, and goes
//! on after it when it broke: every event arrives once and in order. What an event looks like to an editor is the
//! front's business; how a cloud is reached is the client's.

mod follow;
mod handle;
mod hosts;
mod order;

use std::collections::HashMap;

use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::{BoxStream, SelectAll};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;

pub use handle::Handle;
pub use hosts::keep as keep_hosts;
pub use order::Ticket;

use crate::client::Client;
use crate::mirror::follow::{Signal, follow};
use crate::mirror::handle::Command;
use crate::mirror::order::Order;
use crate::protocol::error::{Code, Error};

/// Commands that wait for the task. It takes them at once; more than these means that it hangs.
const COMMANDS: usize = 1024;

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
}

impl Mirror {
    /// Prepares the task; nothing is connected before the first need. Updates go to `out`.
    pub fn new(client: Client, out: mpsc::Sender<Update>) -> (Handle, Self) {
        let (sender, commands) = mpsc::channel(COMMANDS);
        let handle = Handle::new(client.clone(), sender, Order::default());
        let mirror = Self {
            client,
            out,
            commands,
            streams: SelectAll::new(),
            followed: HashMap::new(),
            connection: None,
        };
        (handle, mirror)
    }

    /// Runs until every handle is gone or nobody takes updates any more.
    pub async fn run(mut self) {
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
            Signal::Update(update) => Some(update),
            Signal::Connection(state, message) => self.connection_changed(state, message),
            Signal::Ended(topic, error) => {
                self.followed.remove(&topic);
                Some(Update::Ended(topic, error))
            }
        }
    }

    fn connection_changed(&mut self, state: Connection, message: Option<String>) -> Option<Update> {
        let changed = self.connection.replace(state) != Some(state);
        changed.then_some(Update::Connection(state, message))
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Subscribe(topic, after) => {
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
            Command::Heard(state, message) => {
                // Without room now, the next call says the same again.
                if let Ok(room) = self.out.clone().try_reserve()
                    && let Some(update) = self.connection_changed(state, message)
                {
                    room.send(update);
                }
            }
        }
    }
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
