//! `thread/*` and `item/*`, but for what touches a local checkout.

use std::sync::Arc;

use aloft_proto::v1;
use base64::Engine as _;

use crate::client::Stream;
use crate::lsp::front::Session;
use crate::lsp::turns::in_order;
use crate::mirror::Topic;
use crate::offline::Handed;
use crate::protocol::diff::FileDiff;
use crate::protocol::error::{Code, Error};
use crate::protocol::request::thread::{
    ItemOutputParams, ItemOutputResult, ItemParams, ItemResult, SubscribeParams, ThreadDiffParams,
    ThreadDiffResult, ThreadFileDiffParams, ThreadForkParams, ThreadListParams, ThreadListResult,
    ThreadReadParams, ThreadReadResult, ThreadResult, ThreadRewindParams, ThreadUpdateParams,
    UnsubscribeParams,
};
use crate::protocol::request::{Empty, ThreadActionParams};
use crate::protocol::thread::Thread;

/// Patches of one answer in bytes; the files past it come without, and `thread/fileDiff` has each of them.
const PATCHES: usize = 8 << 20;
/// Where subscriptions keep their order.
const SUBSCRIPTIONS: &str = "subscriptions";

/// `thread/list`.
pub(super) async fn list(
    session: Arc<Session>,
    params: ThreadListParams,
) -> Result<ThreadListResult, Error> {
    let request = v1::ListThreadsRequest {
        states: params.state.map(|state| v1::ThreadState::from(state).into()).into_iter().collect(),
        query: params.query.unwrap_or_default(),
        page_size: params.page_size.unwrap_or_default(),
        page_token: params.page_token.unwrap_or_default(),
    };
    let (list, last_seen) = session.mirror.list(request).await?;
    Ok(ThreadListResult { last_seen, ..list.into() })
}

/// `thread/read`.
pub(super) async fn read(
    session: Arc<Session>,
    params: ThreadReadParams,
) -> Result<ThreadReadResult, Error> {
    let request = v1::ReadThreadRequest {
        thread_id: params.thread_id,
        before: params.before.unwrap_or_default(),
        limit: params.limit.unwrap_or_default(),
    };
    let (page, last_seen) = session.mirror.read(request).await?;
    Ok(ThreadReadResult { last_seen, ..page.into() })
}

/// `thread/subscribe`.
pub(super) async fn subscribe(
    session: Arc<Session>,
    params: SubscribeParams,
) -> Result<Empty, Error> {
    let subscribed = async {
        let (topic, newest) = topic(&session, params.thread_id).await?;
        if params.after > newest {
            let message = format!("after: {} is past the newest event, {newest}", params.after);
            return Err(Error::new(Code::InvalidParams, "INVALID_PARAMS", message));
        }
        session.mirror.subscribe(topic, params.after)
    };
    in_order(&session, SUBSCRIPTIONS, subscribed).await?;
    Ok(Empty {})
}

/// `thread/unsubscribe`.
pub(super) async fn unsubscribe(
    session: Arc<Session>,
    params: UnsubscribeParams,
) -> Result<Empty, Error> {
    let unsubscribed = async {
        match topic(&session, params.thread_id).await {
            Ok((topic, _)) => session.mirror.unsubscribe(topic),
            // A thread that is gone is followed no more.
            Err(error) if error.code == Code::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    };
    in_order(&session, SUBSCRIPTIONS, unsubscribed).await?;
    Ok(Empty {})
}

/// `thread/update`.
pub(super) async fn update(
    session: Arc<Session>,
    params: ThreadUpdateParams,
) -> Result<ThreadResult, Error> {
    let request = v1::UpdateThreadRequest {
        request_id: params.request_id.unwrap_or_default(),
        thread_id: params.thread_id.clone(),
        title: params.title,
        muted: params.muted,
        mode: params.mode.map(|mode| v1::Mode::from(mode).into()),
        model: params.model,
        keep: params.keep,
    };
    let asked = request.clone();
    match in_order(&session, &params.thread_id, session.mirror.hand(request)).await? {
        Handed::Answered(answer) => thread(Ok(answer)),
        Handed::Kept(kept, _) => {
            let mut thread = session.mirror.offline().seen().find(&kept.thread_id);
            if let Some(thread) = &mut thread {
                thread.muted = asked.muted.unwrap_or(thread.muted);
                thread.keep = asked.keep.unwrap_or(thread.keep);
                thread.title = asked.title.unwrap_or_else(|| std::mem::take(&mut thread.title));
            }
            Ok(ThreadResult { thread: present(thread)?, kept: true })
        }
    }
}

/// `thread/pause`.
pub(super) async fn pause(
    session: Arc<Session>,
    params: ThreadActionParams,
) -> Result<ThreadResult, Error> {
    let request = v1::PauseThreadRequest {
        request_id: params.request_id.unwrap_or_default(),
        thread_id: params.thread_id.clone(),
    };
    thread(
        in_order(&session, &params.thread_id, session.mirror.client().pause_thread(request)).await,
    )
}

/// `thread/resume`.
pub(super) async fn resume(
    session: Arc<Session>,
    params: ThreadActionParams,
) -> Result<ThreadResult, Error> {
    let request = v1::ResumeThreadRequest {
        request_id: params.request_id.unwrap_or_default(),
        thread_id: params.thread_id.clone(),
    };
    thread(
        in_order(&session, &params.thread_id, session.mirror.client().resume_thread(request)).await,
    )
}

/// `thread/delete`.
pub(super) async fn delete(
    session: Arc<Session>,
    params: ThreadActionParams,
) -> Result<ThreadResult, Error> {
    let request = v1::DeleteThreadRequest {
        request_id: params.request_id.unwrap_or_default(),
        thread_id: params.thread_id.clone(),
    };
    let deleted = thread(
        in_order(&session, &params.thread_id, session.mirror.client().delete_thread(request)).await,
    )?;
    session.mirror.offline().seen().note(&[], std::slice::from_ref(&deleted.thread.id));
    Ok(deleted)
}

/// `thread/rewind`. Answers when it is done or refused; what takes longer than some seconds goes on and is told by its item.
pub(super) async fn rewind(
    session: Arc<Session>,
    params: ThreadRewindParams,
) -> Result<ThreadResult, Error> {
    use v1::rewind_thread_request::To;
    let to = match (params.turn, params.safety) {
        (Some(turn), None) => To::Turn(turn),
        (None, Some(safety)) => To::Safety(safety),
        _ => {
            let message = "turn, safety: exactly one of the two is needed";
            return Err(Error::new(Code::InvalidParams, "INVALID_PARAMS", message));
        }
    };
    let request = v1::RewindThreadRequest {
        request_id: params.request_id.unwrap_or_default(),
        thread_id: params.thread_id.clone(),
        to: Some(to),
        force: params.force,
    };
    let client = session.mirror.client();
    let answer = in_order(&session, &params.thread_id, client.rewind_thread(request)).await?;
    Ok(ThreadResult { thread: present(answer.thread)?, kept: false })
}

/// `thread/fork`.
pub(super) async fn fork(
    session: Arc<Session>,
    params: ThreadForkParams,
) -> Result<ThreadResult, Error> {
    let request = v1::ForkThreadRequest {
        request_id: params.request_id.unwrap_or_default(),
        thread_id: params.thread_id.clone(),
        turn: params.turn,
    };
    thread(
        in_order(&session, &params.thread_id, session.mirror.client().fork_thread(request)).await,
    )
}

/// `thread/diff`.
pub(super) async fn diff(
    session: Arc<Session>,
    params: ThreadDiffParams,
) -> Result<ThreadDiffResult, Error> {
    let request = v1::GetDiffRequest {
        thread_id: params.thread_id,
        against: Some(params.against.unwrap_or_default().into()),
        ..Default::default()
    };
    let stream = session.mirror.client().get_diff(request).await?;
    let mut room = PATCHES;
    let mut files = Vec::new();
    for file in collect(&session, stream).await? {
        let mut file = FileDiff::from(file);
        let size = file.patch.as_ref().map_or(0, String::len);
        if size > room {
            file.patch = None;
        } else {
            room -= size;
        }
        files.push(FileDiff { old_text: None, new_text: None, ..file });
    }
    Ok(ThreadDiffResult { files })
}

/// `thread/fileDiff`.
pub(super) async fn file_diff(
    session: Arc<Session>,
    params: ThreadFileDiffParams,
) -> Result<FileDiff, Error> {
    let request = v1::GetDiffRequest {
        thread_id: params.thread_id,
        against: Some(params.against.unwrap_or_default().into()),
        path: params.path.clone(),
        ..Default::default()
    };
    let stream = session.mirror.client().get_diff(request).await?;
    let file = collect(&session, stream).await?.into_iter().next();
    file.map(Into::into).ok_or_else(|| {
        Error::new(
            Code::NotFound,
            "FILE_NOT_CHANGED",
            format!("{} is not changed in this diff", params.path),
        )
    })
}

/// `item/read`.
pub(super) async fn item(session: Arc<Session>, params: ItemParams) -> Result<ItemResult, Error> {
    let request = v1::GetItemRequest { thread_id: params.thread_id, item_id: params.item_id };
    let item = session.mirror.client().get_item(request).await?.item;
    let missing = || Error::new(Code::NotFound, "ITEM_NOT_FOUND", "the cloud sent no item");
    Ok(ItemResult { item: item.ok_or_else(missing)?.into() })
}

/// `item/output`.
pub(super) async fn output(
    session: Arc<Session>,
    params: ItemOutputParams,
) -> Result<ItemOutputResult, Error> {
    let request = v1::ReadItemOutputRequest {
        thread_id: params.thread_id,
        item_id: params.item_id,
        offset: params.offset,
        limit: params.limit.unwrap_or_default(),
    };
    let page = session.mirror.client().read_item_output(request).await?;
    Ok(ItemOutputResult {
        data: base64::engine::general_purpose::STANDARD.encode(&page.data),
        next_offset: page.next_offset,
        total_bytes: page.total_bytes,
    })
}

/// Reads a diff to its end.
pub(super) async fn collect(
    session: &Session,
    mut stream: Stream<v1::FileDiff>,
) -> Result<Vec<v1::FileDiff>, Error> {
    let client = session.mirror.client();
    let mut files = Vec::new();
    while let Some(file) = stream.message().await.map_err(|status| client.error(status))? {
        files.push(file);
    }
    Ok(files)
}

/// The thread an answer is about.
pub(super) fn thread(answer: Result<v1::ThreadResponse, Error>) -> Result<ThreadResult, Error> {
    Ok(ThreadResult { thread: present(answer?.thread)?, kept: false })
}

/// The thread of an answer, which always has one.
pub(super) fn present(thread: Option<v1::Thread>) -> Result<Thread, Error> {
    let thread =
        thread.ok_or_else(|| Error::new(Code::Internal, "INTERNAL", "the cloud sent no thread"))?;
    Ok(thread.into())
}

/// What is followed, by the thread's own id: the same thread by two names is one subscription. With its newest event,
/// where that is known.
async fn topic(session: &Session, thread: Option<String>) -> Result<(Topic, u64), Error> {
    let Some(thread_id) = thread else { return Ok((Topic::Feed, u64::MAX)) };
    let (answer, last_seen) = session.mirror.find(&thread_id).await?;
    // What is only remembered may have gone on: the cloud itself will say whether there is such a cursor.
    let newest = if last_seen.is_some() { u64::MAX } else { answer.cursor };
    Ok((Topic::Thread(present(answer.thread)?.id), newest))
}
