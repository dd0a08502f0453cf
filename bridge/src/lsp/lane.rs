//! The way out for notifications: one queue, so that their order is the order in which they were put in.
//!
//! The library's own way out is several times slower. Updates of the mirror become JSON here, as late as possible.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::stream::{Select, select};
use serde::Serialize;
use tokio::sync::mpsc;
use tower_lsp::jsonrpc::Request;
use tower_lsp::ls_types::{MessageType, ShowMessageParams};
use tower_lsp::{ClientSocket, Loopback};

use crate::mirror::{Connection, Topic, Update};
use crate::protocol::event::Event;
use crate::protocol::notification::{
    ConnectionChanged, ConnectionState, KeptTold, NoticePosted, NoticeRead, ThreadChanged,
    ThreadDeleted,
};

/// Updates under way to the editor; more wait in the cloud.
const UPDATES: usize = 256;
/// Words of the front's own under way.
const NOTIFICATIONS: usize = 64;

/// Where notifications are put in.
#[derive(Clone, Debug)]
pub(super) struct Senders {
    /// What the mirror heard.
    pub(super) updates: mpsc::Sender<Update>,
    /// What the front itself has to say.
    pub(super) notifications: mpsc::Sender<Request>,
}

/// Where they come out.
#[derive(Debug)]
pub(super) struct Queue {
    updates: mpsc::Receiver<Update>,
    notifications: mpsc::Receiver<Request>,
}

/// Makes the queue.
pub(super) fn queue() -> (Senders, Queue) {
    let (updates, heard) = mpsc::channel(UPDATES);
    let (notifications, said) = mpsc::channel(NOTIFICATIONS);
    (Senders { updates, notifications }, Queue { updates: heard, notifications: said })
}

impl Stream for Queue {
    type Item = Request;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Request>> {
        // Progress is rare; it must not wait behind a flood of events.
        if let Poll::Ready(Some(request)) = self.notifications.poll_recv(context) {
            return Poll::Ready(Some(request));
        }
        loop {
            match self.updates.poll_recv(context) {
                Poll::Ready(Some(update)) => {
                    if let Some(request) = notification_of(update) {
                        return Poll::Ready(Some(request));
                    }
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// The library's socket with our queue beside it.
#[derive(Debug)]
pub(super) struct Lane {
    socket: ClientSocket,
    queue: Queue,
}

impl Lane {
    /// Puts both together.
    pub(super) fn new(socket: ClientSocket, queue: Queue) -> Self {
        Self { socket, queue }
    }
}

impl Loopback for Lane {
    type RequestStream = Select<<ClientSocket as Loopback>::RequestStream, Queue>;
    type ResponseSink = <ClientSocket as Loopback>::ResponseSink;

    fn split(self) -> (Self::RequestStream, Self::ResponseSink) {
        let (requests, responses) = self.socket.split();
        (select(requests, self.queue), responses)
    }
}

/// A notification with these parameters.
pub(super) fn notification(method: &'static str, params: &impl Serialize) -> Option<Request> {
    match serde_json::to_value(params) {
        Ok(params) => Some(Request::build(method).params(params).finish()),
        Err(error) => {
            tracing::error!(method, %error, "failed to write a notification");
            None
        }
    }
}

fn notification_of(update: Update) -> Option<Request> {
    match update {
        Update::Event(event) => {
            let event = Event::from(event);
            let method = event.payload.notification()?;
            notification(method, &event)
        }
        Update::Feed(entry) => feed_notification(entry),
        Update::Connection(state, message) => {
            let state = match state {
                Connection::Connected => ConnectionState::Connected,
                Connection::Connecting => ConnectionState::Connecting,
                Connection::Offline => ConnectionState::Offline,
                Connection::Unauthenticated => ConnectionState::Unauthenticated,
            };
            notification("connection/didChange", &ConnectionChanged { state, message })
        }
        Update::Delivered(kept) => notification("outbox/didDeliver", &KeptTold { kept }),
        Update::Refused(kept) => notification("outbox/didRefuse", &KeptTold { kept }),
        Update::Warning(message) => notification(
            "window/showMessage",
            &ShowMessageParams { typ: MessageType::WARNING, message },
        ),
        Update::Ended(topic, error) => {
            let thread = if let Topic::Thread(id) = &topic { id } else { "" };
            tracing::info!(thread, reason = error.reason, "the cloud ended a subscription");
            None
        }
    }
}

fn feed_notification(entry: aloft_proto::v1::FeedEvent) -> Option<Request> {
    use aloft_proto::v1::feed_event::Payload;
    let feed = entry.feed;
    match entry.payload? {
        Payload::ThreadChanged(thread) => {
            notification("thread/didChange", &ThreadChanged { feed, thread: thread.into() })
        }
        Payload::ThreadDeleted(thread_id) => {
            notification("thread/didDelete", &ThreadDeleted { feed, thread_id })
        }
        Payload::NoticePosted(notice) => {
            notification("notice/didPost", &NoticePosted { feed, notice: notice.into() })
        }
        Payload::NoticeRead(notice_id) => {
            notification("notice/didRead", &NoticeRead { feed, notice_id })
        }
    }
}
