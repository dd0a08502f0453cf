//! What everyone but the task itself holds of the mirror.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aloft_proto::v1;
use tokio::sync::{Notify, mpsc, watch};

use crate::client::Client;
use crate::config::Address;
use crate::mirror::order::{Order, Ticket};
use crate::mirror::{Connection, Topic};
use crate::offline::{Change, Handed, Offline};
use crate::protocol::error::{Code, Error};
use crate::protocol::time::Time;

/// How long a failed try saves another one: a little longer than a try may take.
const FRESH: Duration = Duration::from_secs(15);

/// What the task is told.
#[derive(Debug)]
pub(super) enum Command {
    /// Follow a topic after a cursor, in place of an earlier subscription to it.
    Subscribe(Topic, u64),
    /// Follow it no more.
    Unsubscribe(Topic),
    /// A call showed how the connection is.
    Heard(Connection, Option<Error>),
}

/// The way to the mirror and, for calls that are answered once, to the cloud.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) client: Client,
    pub(super) offline: Offline,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) order: Order,
    pub(super) unreachable: watch::Receiver<Option<(Error, Instant)>>,
    pub(super) wake: Arc<Notify>,
}

impl Handle {
    /// Returns the cloud, for calls that are answered once.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns what was last seen of the cloud, and what is kept for it.
    pub fn offline(&self) -> &Offline {
        &self.offline
    }

    /// Gives a request to the cloud, or keeps it where the cloud cannot be reached. An embedded cloud is tried each time:
    /// to ask is what starts it.
    pub async fn hand<Request: Change>(
        &self,
        request: Request,
    ) -> Result<Handed<Request::Answer>, Error> {
        let unreachable = match self.client.address() {
            Address::Embedded => None,
            _ => self.unreachable(),
        };
        let handed = self.offline.hand(&self.client, request, unreachable.as_ref()).await;
        match &handed {
            Ok(Handed::Answered(_)) => self.heard(&Ok(())),
            Ok(Handed::Kept(kept, why)) => {
                tracing::info!(thread = kept.thread_id, method = kept.method, "kept for the cloud");
                if let Some(error) = why {
                    self.heard::<()>(&Err(error.clone()));
                }
                self.wake.notify_one();
            }
            Err(error) => self.heard::<()>(&Err(error.clone())),
        }
        handed
    }

    /// Why the cloud cannot be reached, where somebody has tried just now.
    fn unreachable(&self) -> Option<Error> {
        let known = self.unreachable.borrow();
        known.as_ref().filter(|(_, tried)| tried.elapsed() < FRESH).map(|(error, _)| error.clone())
    }

    /// Asks for threads, or tells which were last seen.
    pub async fn list(
        &self,
        asked: v1::ListThreadsRequest,
    ) -> Result<(v1::ListThreadsResponse, Option<Time>), Error> {
        self.tell_seen(self.offline.list(&self.client, asked, None).await)
    }

    /// Asks for a thread's items, or tells which were last seen.
    pub async fn read(
        &self,
        asked: v1::ReadThreadRequest,
    ) -> Result<(v1::ReadThreadResponse, Option<Time>), Error> {
        self.tell_seen(self.offline.read(&self.client, asked, None).await)
    }

    /// Finds a thread, or tells how it was last seen.
    pub async fn find(&self, name: &str) -> Result<(v1::ThreadResponse, Option<Time>), Error> {
        self.tell_seen(self.offline.find(&self.client, name, None).await)
    }

    /// What comes from memory says nothing good of the connection.
    fn tell_seen<T>(
        &self,
        answer: Result<(T, Option<Time>), Error>,
    ) -> Result<(T, Option<Time>), Error> {
        match &answer {
            Ok((_, None)) => self.heard(&Ok(())),
            Ok((_, Some(_))) => self.heard::<()>(&Err(self.client.unreachable())),
            Err(error) => self.heard::<()>(&Err(error.clone())),
        }
        answer
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
        let (state, error) = match outcome {
            Ok(_) => (Connection::Connected, None),
            Err(error) => match Connection::told_by(error) {
                // An error of this side says nothing of the cloud.
                Connection::Connected => return,
                state => (state, Some(error.clone())),
            },
        };
        // A word that finds no room is no loss: the next call says the same.
        drop(self.commands.try_send(Command::Heard(state, error)));
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
