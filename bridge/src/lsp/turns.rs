//! `turn/*`, `queue/*`, `permission/answer` and `thread/retry`.

use std::future::Future;
use std::sync::Arc;

use aloft_proto::v1;

use crate::lsp::front::Session;
use crate::protocol::error::Error;
use crate::protocol::request::turn::{
    PermissionAnswerParams, QueueMoveParams, QueueRemoveParams, QueueResult, TurnInterruptParams,
    TurnResult, TurnStartParams, TurnSteerParams,
};
use crate::protocol::request::{CursorResult, Empty, ThreadActionParams, ThreadParams};
use crate::protocol::to_proto::{inputs, new_request_id};

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
    in_order(&session, &params.thread_id, session.mirror.client().start_turn(request))
        .await
        .map(Into::into)
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
    in_order(&session, &params.thread_id, session.mirror.client().steer_turn(request))
        .await
        .map(Into::into)
}

/// A message, as a command of an editor sends it: while a turn runs, it guides.
pub(super) async fn send(
    session: Arc<Session>,
    params: TurnStartParams,
) -> Result<TurnResult, Error> {
    let request_id = params.request_id.clone().unwrap_or_else(new_request_id);
    let steered = TurnSteerParams {
        request_id: Some(format!("{request_id}-steer")),
        thread_id: params.thread_id.clone(),
        expected_turn_id: None,
        input: params.input.clone(),
    };
    match start(Arc::clone(&session), TurnStartParams { request_id: Some(request_id), ..params })
        .await
    {
        Err(error) if error.reason == "TURN_ACTIVE" => steer(session, steered).await,
        other => other,
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
    let answer =
        in_order(&session, &params.thread_id, session.mirror.client().interrupt_turn(request))
            .await?;
    Ok(CursorResult { cursor: answer.cursor })
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
) -> Result<Empty, Error> {
    let request = v1::AnswerPermissionRequest {
        request_id: params.request_id.unwrap_or_default(),
        thread_id: params.thread_id.clone(),
        item_id: params.item_id.unwrap_or_default(),
        option_id: params.option_id,
    };
    in_order(&session, &params.thread_id, session.mirror.client().answer_permission(request))
        .await?;
    Ok(Empty {})
}
