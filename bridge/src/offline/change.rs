//! The requests that can be kept: what each is about, and how it is made to mean the same when it comes late.

use std::future::Future;

use aloft_proto::v1;
use aloft_proto::v1::input::Kind;
use prost::Message;

use crate::client::Client;
use crate::offline::seen::Seen;
use crate::protocol::error::{Code, Error};
use crate::protocol::to_proto::new_request_id;

/// Characters of a message that are remembered beside it, so that it can be shown when it was refused.
const WORDS: usize = 16 << 10;

/// A request that changes a thread and can be kept for a cloud that cannot be reached.
pub trait Change: Message + Default + Clone + 'static {
    /// What the cloud answers.
    type Answer: Send;
    /// Its name in JSON-RPC.
    const METHOD: &'static str;
    /// The client-made id.
    fn request_id(&mut self) -> &mut String;
    /// The thread's name.
    fn thread_id(&mut self) -> &mut String;
    /// The words a person would miss.
    fn text(&self) -> Option<String>;
    /// Makes it mean what the person saw, however late it comes; refuses where that is not known. Only what must be kept is
    /// pinned: a cloud that answers knows best.
    fn pin(&mut self, thread: &v1::Thread, seen: &Seen) -> Result<(), Error>;
    /// Sends it.
    fn send(self, client: &Client) -> impl Future<Output = Result<Self::Answer, Error>> + Send;
}

macro_rules! changes {
    ($($request:ident $method:literal $call:ident -> $answer:ident, $text:expr, $pin:expr;)*) => {
        $(impl Change for v1::$request {
            type Answer = v1::$answer;
            const METHOD: &'static str = $method;
            fn request_id(&mut self) -> &mut String {
                &mut self.request_id
            }
            fn thread_id(&mut self) -> &mut String {
                &mut self.thread_id
            }
            fn text(&self) -> Option<String> {
                let text: fn(&Self) -> Option<String> = $text;
                text(self)
            }
            fn pin(&mut self, thread: &v1::Thread, seen: &Seen) -> Result<(), Error> {
                let pin: fn(&mut Self, &v1::Thread, &Seen) -> Result<(), Error> = $pin;
                pin(self, thread, seen)
            }
            async fn send(self, client: &Client) -> Result<Self::Answer, Error> {
                client.$call(self).await
            }
        })*

        /// Sends a request that was kept.
        pub(super) async fn send(method: &str, request: &[u8], client: &Client) -> Result<(), Error> {
            match method {
                $($method => read::<v1::$request>(request)?.send(client).await.map(drop),)*
                other => Err(unreadable(&format!("this version does not know {other}"))),
            }
        }
    };
}

changes! {
    StartTurnRequest "turn/start" start_turn -> TurnResponse, |asked| words(&asked.input), |_, _, _| Ok(());
    SteerTurnRequest "turn/steer" steer_turn -> TurnResponse, |asked| words(&asked.input), |_, _, _| Ok(());
    InterruptTurnRequest "turn/interrupt" interrupt_turn -> InterruptTurnResponse, |_| None, pin_stop;
    AnswerPermissionRequest "permission/answer" answer_permission -> AnswerPermissionResponse,
        |asked| Some(asked.option_id.clone()), pin_answer;
    UpdateThreadRequest "thread/update" update_thread -> ThreadResponse, |_| None, pin_update;
}

/// A message that found a turn running waits for its end: whoever typed it did not know of that turn.
pub(super) fn queued(request: &[u8]) -> Result<(String, Vec<u8>), Error> {
    let mut asked: v1::StartTurnRequest = read(request)?;
    // The cloud refused the first, so it was not applied; another content needs another id.
    asked.request_id = new_request_id();
    asked.queue = true;
    Ok((asked.request_id.clone(), asked.encode_to_vec()))
}

/// A stop is of the turn that was seen to run.
fn pin_stop(
    asked: &mut v1::InterruptTurnRequest,
    thread: &v1::Thread,
    _: &Seen,
) -> Result<(), Error> {
    if !asked.expected_turn_id.is_empty() {
        return Ok(());
    }
    let running = thread
        .last_turn
        .as_ref()
        .filter(|turn| turn.state() == v1::TurnState::Running && !turn.id.is_empty());
    let Some(turn) = running else {
        let message =
            format!("no turn of {} was seen running, so none can be stopped later", thread.slug);
        return Err(Error::new(Code::Unavailable, "NOT_KEPT", message)
            .with_hint("stop it when the cloud can be reached"));
    };
    asked.expected_turn_id.clone_from(&turn.id);
    // Sent before without the turn, it may have arrived: this one is another request, and hits no other turn.
    asked.request_id = new_request_id();
    Ok(())
}

/// An answer is to the question that was seen.
fn pin_answer(
    asked: &mut v1::AnswerPermissionRequest,
    thread: &v1::Thread,
    seen: &Seen,
) -> Result<(), Error> {
    if !asked.item_id.is_empty() {
        return Ok(());
    }
    let open = seen.questions(&thread.id);
    let [item] = open.as_slice() else {
        let message = format!(
            "{} open questions of {} were seen, so it is not known which is answered",
            open.len(),
            thread.slug
        );
        return Err(Error::new(Code::Unavailable, "NOT_KEPT", message)
            .with_hint("name the question, or answer it when the cloud can be reached"));
    };
    asked.item_id.clone_from(item);
    asked.request_id = new_request_id();
    Ok(())
}

/// What an agent may do is not changed late; a mute, a title and a pin harm nothing.
fn pin_update(asked: &mut v1::UpdateThreadRequest, _: &v1::Thread, _: &Seen) -> Result<(), Error> {
    if asked.mode.is_none() && asked.model.is_none() {
        return Ok(());
    }
    let message = "mode and model are not changed later";
    Err(Error::new(Code::Unavailable, "NOT_KEPT", message)
        .with_hint("change them when the cloud can be reached"))
}

fn words(input: &[v1::Input]) -> Option<String> {
    let texts = input.iter().filter_map(|part| match &part.kind {
        Some(Kind::Text(text)) => Some(text.text.as_str()),
        _ => None,
    });
    let text: String = texts.collect::<Vec<_>>().join("\n").chars().take(WORDS).collect();
    (!text.is_empty()).then_some(text)
}

fn read<Request: Message + Default>(request: &[u8]) -> Result<Request, Error> {
    Request::decode(request).map_err(|error| unreadable(&error.to_string()))
}

fn unreadable(why: &str) -> Error {
    Error::new(Code::Internal, "INTERNAL", format!("failed to read a kept request: {why}"))
}
