//! What everyone but the task itself holds of the mirror.

use tokio::sync::mpsc;

use crate::client::Client;
use crate::mirror::order::{Order, Ticket};
use crate::mirror::{Connection, Topic};
use crate::protocol::error::{Code, Error};

/// What the task is told.
#[derive(Debug)]
pub(super) enum Command {
    /// Follow a topic after a cursor, in place of an earlier subscription to it.
    Subscribe(Topic, u64),
    /// Follow it no more.
    Unsubscribe(Topic),
    /// A call showed how the connection is.
    Heard(Connection, Option<String>),
}

/// The way to the mirror and, for calls that are answered once, to the cloud.
#[derive(Clone, Debug)]
pub struct Handle {
    client: Client,
    commands: mpsc::Sender<Command>,
    order: Order,
}

impl Handle {
    pub(super) fn new(client: Client, commands: mpsc::Sender<Command>, order: Order) -> Self {
        Self { client, commands, order }
    }

    /// Returns the cloud, for calls that are answered once.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Follows a topic: everything after `after`, then what comes. A subscription that is there is replaced.
    pub fn subscribe(&self, topic: Topic, after: u64) -> Result<(), Error> {
        self.tell(Command::Subscribe(topic, after))
    }

    /// Follows a topic no more; not having followed it is no error.
    pub fn unsubscribe(&self, topic: Topic) -> Result<(), Error> {
        self.tell(Command::Unsubscribe(topic))
    }

    /// Takes a place in the order of what is asked for one thread. Taken before anything is awaited, it keeps requests in
    /// the order in which they came in.
    pub fn ticket(&self, thread: &str) -> Ticket {
        self.order.ticket(thread)
    }

    /// Tells what the outcome of a call says of the connection.
    pub fn heard<T>(&self, outcome: &Result<T, Error>) {
        let (state, message) = match outcome {
            Ok(_) => (Connection::Connected, None),
            Err(error) => match Connection::told_by(error) {
                // An error of this side says nothing of the cloud.
                Connection::Connected => return,
                state => (state, Some(error.message.clone())),
            },
        };
        // A word that finds no room is no loss: the next call says the same.
        drop(self.commands.try_send(Command::Heard(state, message)));
    }

    fn tell(&self, command: Command) -> Result<(), Error> {
        self.commands.try_send(command).map_err(|_| {
            Error::new(
                Code::Exhausted,
                "TOO_MANY_REQUESTS",
                "too many subscriptions are asked for at once",
            )
        })
    }
}
