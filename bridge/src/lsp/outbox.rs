//! `outbox/*`: what is kept for a cloud that cannot be reached.

use std::sync::Arc;

use crate::lsp::front::Session;
use crate::protocol::error::{Code, Error};
use crate::protocol::request::Empty;
use crate::protocol::request::outbox::{OutboxRemoveParams, OutboxResult};

/// `outbox/list`.
pub(super) async fn list(session: Arc<Session>, _: Empty) -> Result<OutboxResult, Error> {
    let offline = session.mirror.offline();
    Ok(OutboxResult { waiting: offline.waiting()?, refused: offline.refused()? })
}

/// `outbox/remove`.
pub(super) async fn remove(
    session: Arc<Session>,
    params: OutboxRemoveParams,
) -> Result<OutboxResult, Error> {
    if !session.mirror.offline().remove(&params.request_id)? {
        let message = format!("no request {} is kept", params.request_id);
        return Err(Error::new(Code::NotFound, "NOT_KEPT", message)
            .with_hint("it may have been delivered meanwhile"));
    }
    list(session, Empty {}).await
}
