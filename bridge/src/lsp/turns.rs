//! `turn/*`, `queue/*`, `permission/answer` and `thread/retry`.

use std::future::Future;
use std::sync::Arc;

use aloft_proto::v1;

use crate::lsp::front::Session;
use crate::offline::Handed;
use crate::protocol::error::Error;
use crate::protocol::request::turn::{
    AnswerResult, PermissionAnswerParams, QueueMoveParams, QueueRemoveParams, QueueResult,
    TurnInterruptParams, TurnResult, TurnStartParams, TurnSteerParams,
};
use crate::protocol::request::{CursorResult, ThreadActionParams, ThreadParams};
use crate::protocol::to_proto::inputs;

/// Does this after everything that was asked for the thread before it.
pub(super) async fn in_order<T>(
    session: &Session,
    thread: &str,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut ticket = session.mirror.ticket(thread);
    ticket.turn().await;
    call.await
}

/// `turn/start`.
pub(super) async fn start(
    session: Arc<Session>,
    params: TurnStartParams,
) -> Result<TurnResult, Error> {
    let request = v1::StartTurnRequest {
        request_id: params.request_id.unwrap_or_default(),
        thread_id: params.thread_id.clone(),
        input: inputs(params.input)?,
        queue: params.queue,
    };
    Ok(turn(in_order(&session, &params.thread_id, session.mirror.hand(request)).await?))
}

/// `turn/steer`.
pub(super) async fn steer(
    session: Arc<Session>,
    params: TurnSteerParams,
) -> Result<TurnResult, Error> {
    let request = v1::SteerTurnRequest {
        request_id: params.request_id.unwrap_or_default(),
        thread_id: params.thread_id.clone(),
        expected_turn_id: params.expected_turn_id.unwrap_or_default(),
        input: inputs(params.input)?,
    };
    Ok(turn(in_order(&session, &params.thread_id, session.mirror.hand(request)).await?))
}

/// A message, as a command of an editor sends it: while a turn runs it guides, else it begins the next one, which is what a
/// correction of no particular turn does.
pub(super) async fn send(
    session: Arc<Session>,
    params: TurnStartParams,
) -> Result<TurnResult, Error> {
    if params.queue {
        return start(session, params).await;
    }
    let TurnStartParams { request_id, thread_id, input, .. } = params;
    steer(session, TurnSteerParams { request_id, thread_id, expected_turn_id: None, input }).await
}

/// What became of a message.
fn turn(handed: Handed<v1::TurnResponse>) -> TurnResult {
    match handed {
        Handed::Answered(answer) => answer.into(),
        Handed::Kept(..) => TurnResult { turn: None, cursor: 0, item: None, kept: true },
    }
}

/// `turn/interrupt`.
pub(super) async fn interrupt(
    session: Arc<Session>,
    params: TurnInterruptParams,
) -> Result<CursorResult, Error> {
    let request = v1::InterruptTurnRequest {
        request_id: params.request_id.unwrap_or_default(),
        thread_id: params.thread_id.clone(),
        expected_turn_id: params.expected_turn_id.unwrap_or_default(),
        finish: params.finish,
    };
    Ok(match in_order(&session, &params.thread_id, session.mirror.hand(request)).await? {
        Handed::Answered(answer) => CursorResult { cursor: answer.cursor, kept: false },
        Handed::Kept(..) => CursorResult { cursor: 0, kept: true },
    })
}

/// `thread/retry`.
pub(super) async fn retry(
    session: Arc<Session>,
    params: ThreadActionParams,
) -> Result<TurnResult, Error> {
    let request = v1::RetryTurnRequest {
        request_id: params.request_id.unwrap_or_default(),
        thread_id: params.thread_id.clone(),
    };
    in_order(&session, &params.thread_id, session.mirror.client().retry_turn(request))
        .await
        .map(Into::into)
}

/// `queue/list`.
pub(super) async fn queue_list(
    session: Arc<Session>,
    params: ThreadParams,
) -> Result<QueueResult, Error> {
    let request = v1::ListQueueRequest { thread_id: params.thread_id };
    session.mirror.client().list_queue(request).await.map(Into::into)
}

/// `queue/move`.
pub(super) async fn queue_move(
    session: Arc<Session>,
    params: QueueMoveParams,
) -> Result<QueueResult, Error> {
    let request = v1::MoveQueuedRequest {
        request_id: params.request_id.unwrap_or_default(),
        thread_id: params.thread_id.clone(),
        item_id: params.item_id,
        position: params.position,
    };
    in_order(&session, &params.thread_id, session.mirror.client().move_queued(request))
        .await
        .map(Into::into)
}

/// `queue/remove`.
pub(super) async fn queue_remove(
    session: Arc<Session>,
    params: QueueRemoveParams,
) -> Result<QueueResult, Error> {
    let request = v1::RemoveQueuedRequest {
        request_id: params.request_id.unwrap_or_default(),
        thread_id: params.thread_id.clone(),
        item_id: params.item_id,
    };
    in_order(&session, &params.thread_id, session.mirror.client().remove_queued(request))
        .await
        .map(Into::into)
}

/// `permission/answer`.
pub(super) async fn answer(
    session: Arc<Session>,
    params: PermissionAnswerParams,
) -> Result<AnswerResult, Error> {
    let request = v1::AnswerPermissionRequest {
        request_id: params.request_id.unwrap_or_default(),
        thread_id: params.thread_id.clone(),
        item_id: params.item_id.unwrap_or_default(),
        option_id: params.option_id,
    };
    let handed = in_order(&session, &params.thread_id, session.mirror.hand(request)).await?;
    Ok(AnswerResult { kept: matches!(handed, Handed::Kept(..)) })
}
