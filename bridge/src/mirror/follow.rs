//! One subscription: a stream of the cloud that goes on where it broke.

use std::time::{Duration, Instant};

use aloft_proto::v1;
use futures_util::{Stream, stream};

use crate::client::{self, Client};
use crate::mirror::{Connection, Topic, Update};
use crate::protocol::error::{Code, Error};

/// A stream that lived this long was a good one, even when it brought nothing.
const GOOD: Duration = Duration::from_secs(10);

/// What a subscription tells the task.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a signal is passed on and dropped; none are kept")]
pub(super) enum Signal {
    /// Something for the front.
    Update(Update),
    /// How the connection is.
    Connection(Connection, Option<Error>),
    /// The cloud refuses to go on; nothing follows.
    Ended(Topic, Error),
}

/// Follows a topic after a cursor, without end unless the cloud refuses.
pub(super) fn follow(
    client: Client,
    topic: Topic,
    after: u64,
) -> impl Stream<Item = Signal> + Send {
    let follower = Follower {
        client,
        topic,
        cursor: after,
        source: None,
        failures: 0,
        opened: Instant::now(),
    };
    stream::unfold(Some(follower), |follower| async {
        let mut follower = follower?;
        let signal = follower.next().await;
        let ended = matches!(signal, Signal::Ended(..));
        Some((signal, (!ended).then_some(follower)))
    })
}

struct Follower {
    client: Client,
    topic: Topic,
    /// The newest event that was passed on.
    cursor: u64,
    source: Option<Source>,
    failures: u32,
    opened: Instant,
}

enum Source {
    Feed(client::Stream<v1::FeedEvent>),
    Thread(client::Stream<v1::Event>),
}

impl Follower {
    async fn next(&mut self) -> Signal {
        loop {
            let Some(source) = &mut self.source else { return self.open().await };
            let read = match source {
                Source::Feed(stream) => {
                    let read = stream.message().await;
                    read.map(|message| message.map(|event| (event.feed, Update::Feed(event))))
                }
                Source::Thread(stream) => {
                    let read = stream.message().await;
                    read.map(|message| message.map(|event| (event.cursor, Update::Event(event))))
                }
            };
            match read {
                Ok(Some((cursor, update))) => {
                    self.failures = 0;
                    // A cloud may repeat itself after a break; the front never hears it twice.
                    if cursor > self.cursor {
                        self.cursor = cursor;
                        return Signal::Update(update);
                    }
                }
                Ok(None) => return self.lost(None),
                Err(status) => {
                    let error = self.client.error(status);
                    if is_final(&error) {
                        return Signal::Ended(self.topic.clone(), error);
                    }
                    return self.lost(Some(error));
                }
            }
        }
    }

    fn lost(&mut self, error: Option<Error>) -> Signal {
        self.source = None;
        self.failures = if self.opened.elapsed() > GOOD { 1 } else { self.failures + 1 };
        Signal::Connection(Connection::Connecting, error)
    }

    async fn open(&mut self) -> Signal {
        if self.failures > 0 && self.client.rest(self.failures).await {
            self.failures = 0;
        }
        let after = self.cursor;
        let opened = match &self.topic {
            Topic::Feed => {
                self.client.watch_feed(v1::WatchFeedRequest { after }).await.map(Source::Feed)
            }
            Topic::Thread(id) => {
                let request = v1::WatchThreadRequest { thread_id: id.clone(), after, fold: false };
                self.client.watch_thread(request).await.map(Source::Thread)
            }
        };
        match opened {
            Ok(source) => {
                self.source = Some(source);
                self.opened = Instant::now();
                Signal::Connection(Connection::Connected, None)
            }
            Err(error) if is_final(&error) => Signal::Ended(self.topic.clone(), error),
            Err(error) => {
                self.failures += 1;
                let state = Connection::told_by(&error);
                let state =
                    if state == Connection::Connected { Connection::Offline } else { state };
                Signal::Connection(state, Some(error))
            }
        }
    }
}

/// Errors that another try cannot mend. Signing in can mend the others.
fn is_final(error: &Error) -> bool {
    matches!(
        error.code,
        Code::NotFound | Code::InvalidParams | Code::Denied | Code::FailedPrecondition
    )
}
