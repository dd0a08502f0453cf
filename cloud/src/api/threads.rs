//! `ThreadService`.

use std::pin::Pin;

use aloft_proto::v1::{
    AnswerPermissionRequest, AnswerPermissionResponse, ArchiveThreadRequest, ArchiveThreadResponse,
    CommentOnIssueRequest, CommentOnIssueResponse, CreatePullRequestRequest,
    CreatePullRequestResponse, CreateThreadRequest, DeleteThreadRequest, Event,
    ExportBranchRequest, ExportBranchResponse, ExportPatchesRequest, ExportPatchesResponse,
    FileDiff, FixPullRequestRequest, FixPullRequestResponse, ForkThreadRequest, GetDiffRequest,
    GetItemRequest, GetItemResponse, GetThreadRequest, InterruptTurnRequest, InterruptTurnResponse,
    ListQueueRequest, ListQueueResponse, ListRemovedThreadsRequest, ListRemovedThreadsResponse,
    ListThreadsRequest, ListThreadsResponse, MoveQueuedRequest, PauseThreadRequest,
    ReadItemOutputRequest, ReadItemOutputResponse, ReadThreadRequest, ReadThreadResponse,
    RemoveQueuedRequest, RemovedThread, RestoreThreadRequest, ResumeThreadRequest,
    RetryTurnRequest, RewindThreadRequest, RewindThreadResponse, StartTurnRequest,
    SteerTurnRequest, ThreadResponse, TurnResponse, UpdateThreadRequest, WatchThreadRequest,
    thread_service_server::ThreadService,
};
use futures_util::Stream;
use tokio::io::AsyncWriteExt;
use tonic::{Request, Response, Status};

use crate::{
    api::{Api, caller::owner, watch},
    model::{
        machine::{Input, Update},
        time::timestamp,
    },
    runner::{
        self, ARCHIVE_LIMIT, Applied, Commented, Create, Error, Fixing, Propose, Proposed,
        RequestKey,
    },
    store::{Reading, ThreadQuery},
};

/// Items in a page when none is asked for, and at most.
const ITEMS: (u32, u32) = (200, 1_000);
/// Threads in a page when none is asked for, and at most.
const THREADS: (u32, u32) = (100, 1_000);
/// Bytes of output in a page when none is asked for, and at most.
const OUTPUT: (u32, u32) = (64 * 1024, 1024 * 1024);

type Reply<T> = Result<Response<T>, Status>;
type Streaming<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Takes the request id out of a request and makes its key of the rest.
macro_rules! keyed {
    ($request:expr, $method:literal) => {{
        let owner = owner(&$request);
        let mut inner = $request.into_inner();
        let id = std::mem::take(&mut inner.request_id);
        let key = RequestKey::new(&owner, &id, $method, &inner);
        (owner, inner, key)
    }};
}

#[tonic::async_trait]
impl ThreadService for Api {
    type WatchThreadStream = Streaming<Event>;
    type GetDiffStream = Streaming<FileDiff>;
    type ExportBranchStream = Streaming<ExportBranchResponse>;
    type ExportPatchesStream = Streaming<ExportPatchesResponse>;
    type ArchiveThreadStream = Streaming<ArchiveThreadResponse>;

    async fn create_thread(&self, request: Request<CreateThreadRequest>) -> Reply<ThreadResponse> {
        let (owner, asked, key) = keyed!(request, "CreateThread");
        let create = Create {
            owner,
            mode: asked.mode(),
            repository: asked.repository.unwrap_or_default(),
            reference: asked.r#ref,
            branch: asked.branch,
            environment: asked.environment,
            agent: asked.agent,
            model: asked.model,
            title: asked.title,
            parts: asked.input,
            issue: asked.issue,
            carry: Some(asked.carry_commit).filter(|commit| !commit.is_empty()),
        };
        Ok(thread_reply(self.runner.create(create, key).await?))
    }

    async fn list_threads(
        &self,
        request: Request<ListThreadsRequest>,
    ) -> Reply<ListThreadsResponse> {
        let owner = owner(&request);
        let asked = request.into_inner();
        let query = ThreadQuery {
            states: asked.states().collect(),
            page_size: page(asked.page_size, THREADS),
            query: asked.query,
            page_token: asked.page_token,
        };
        let found = self.store().list_threads(&owner, query).await.map_err(Error::from)?;
        let (threads, next_page_token, feed) = (found.threads, found.next_page_token, found.feed);
        Ok(Response::new(ListThreadsResponse { threads, next_page_token, feed }))
    }

    async fn list_removed_threads(
        &self,
        request: Request<ListRemovedThreadsRequest>,
    ) -> Reply<ListRemovedThreadsResponse> {
        let owner = owner(&request);
        let size = page(request.into_inner().page_size, THREADS);
        let removed = self.store().removed_threads(&owner, size).await.map_err(Error::from)?;
        let threads = removed.into_iter().map(|removed| RemovedThread {
            thread_id: removed.thread,
            slug: removed.slug,
            remove_time: Some(timestamp(removed.time)),
            expired: removed.expired,
        });
        Ok(Response::new(ListRemovedThreadsResponse { threads: threads.collect() }))
    }

    async fn get_thread(&self, request: Request<GetThreadRequest>) -> Reply<ThreadResponse> {
        let owner = owner(&request);
        let (thread, cursor) = self.runner.find(&owner, &request.into_inner().thread_id).await?;
        Ok(Response::new(ThreadResponse { thread: Some(thread), cursor }))
    }

    async fn read_thread(&self, request: Request<ReadThreadRequest>) -> Reply<ReadThreadResponse> {
        let owner = owner(&request);
        let asked = request.into_inner();
        let before = Some(asked.before.as_str()).filter(|before| !before.is_empty());
        let limit = page(asked.limit, ITEMS);
        let read = self.store().read_thread(&owner, &asked.thread_id, before, limit);
        let Reading { found, page, turns } = read.await.map_err(Error::from)?;
        let (thread, cursor) = runner::only_one(found, &asked.thread_id)?;
        let (items, has_more) = (page.items, page.has_more);
        Ok(Response::new(ReadThreadResponse {
            thread: Some(thread),
            turns,
            items,
            has_more,
            cursor,
        }))
    }

    async fn get_item(&self, request: Request<GetItemRequest>) -> Reply<GetItemResponse> {
        let owner = owner(&request);
        let asked = request.into_inner();
        let (thread, _) = self.runner.find(&owner, &asked.thread_id).await?;
        let item = self.store().item(&thread.id, &asked.item_id).await.map_err(Error::from)?;
        let item = item.ok_or(Error::ItemNotFound { item: asked.item_id })?;
        Ok(Response::new(GetItemResponse { item: Some(item) }))
    }

    async fn watch_thread(
        &self,
        request: Request<WatchThreadRequest>,
    ) -> Reply<Self::WatchThreadStream> {
        let owner = owner(&request);
        let asked = request.into_inner();
        let (thread, cursor) = self.runner.find(&owner, &asked.thread_id).await?;
        if asked.after > cursor {
            return Err(Error::Invalid {
                message: format!("cursor {} is after the newest event, {cursor}", asked.after),
            }
            .into());
        }
        Ok(Response::new(watch::thread(self, thread.id, asked.after, asked.fold)))
    }

    async fn update_thread(&self, request: Request<UpdateThreadRequest>) -> Reply<ThreadResponse> {
        let (owner, asked, key) = keyed!(request, "UpdateThread");
        let mode = asked.mode.map(|_| asked.mode());
        let update = Update {
            title: asked.title,
            muted: asked.muted,
            mode,
            model: asked.model,
            keep: asked.keep,
        };
        Ok(thread_reply(
            self.runner.apply(&owner, &asked.thread_id, Input::Update(update), key).await?,
        ))
    }

    async fn start_turn(&self, request: Request<StartTurnRequest>) -> Reply<TurnResponse> {
        let (owner, asked, key) = keyed!(request, "StartTurn");
        let input =
            Input::Message { parts: asked.input, queue: asked.queue, author: owner.clone() };
        Ok(turn_reply(self.runner.apply(&owner, &asked.thread_id, input, key).await?))
    }

    async fn steer_turn(&self, request: Request<SteerTurnRequest>) -> Reply<TurnResponse> {
        let (owner, asked, key) = keyed!(request, "SteerTurn");
        let input = Input::Steer {
            expected_turn: asked.expected_turn_id,
            parts: asked.input,
            author: owner.clone(),
        };
        Ok(turn_reply(self.runner.apply(&owner, &asked.thread_id, input, key).await?))
    }

    async fn interrupt_turn(
        &self,
        request: Request<InterruptTurnRequest>,
    ) -> Reply<InterruptTurnResponse> {
        let (owner, asked, key) = keyed!(request, "InterruptTurn");
        let what = (asked.expected_turn_id, asked.finish);
        let Applied { cursor, turn, .. } =
            self.runner.interrupt(&owner, &asked.thread_id, what, key).await?;
        Ok(Response::new(InterruptTurnResponse { cursor, over: turn.is_none() }))
    }

    async fn retry_turn(&self, request: Request<RetryTurnRequest>) -> Reply<TurnResponse> {
        let (owner, asked, key) = keyed!(request, "RetryTurn");
        let input = Input::Retry { by: owner.clone(), parts: Vec::new() };
        Ok(turn_reply(self.runner.apply(&owner, &asked.thread_id, input, key).await?))
    }

    async fn answer_permission(
        &self,
        request: Request<AnswerPermissionRequest>,
    ) -> Reply<AnswerPermissionResponse> {
        let (owner, asked, key) = keyed!(request, "AnswerPermission");
        let input =
            Input::Answer { item: asked.item_id, option: asked.option_id, by: owner.clone() };
        let applied = self.runner.apply(&owner, &asked.thread_id, input, key).await?;
        Ok(Response::new(AnswerPermissionResponse { cursor: applied.cursor }))
    }

    async fn list_queue(&self, request: Request<ListQueueRequest>) -> Reply<ListQueueResponse> {
        let owner = owner(&request);
        let items = self.runner.queue(&owner, &request.into_inner().thread_id).await?;
        Ok(Response::new(ListQueueResponse { items }))
    }

    async fn move_queued(&self, request: Request<MoveQueuedRequest>) -> Reply<ListQueueResponse> {
        let (owner, asked, key) = keyed!(request, "MoveQueued");
        let position = usize::try_from(asked.position).unwrap_or(usize::MAX);
        let input = Input::MoveQueued { item: asked.item_id, position };
        let applied = self.runner.apply(&owner, &asked.thread_id, input, key).await?;
        Ok(Response::new(ListQueueResponse { items: applied.queue }))
    }

    async fn remove_queued(
        &self,
        request: Request<RemoveQueuedRequest>,
    ) -> Reply<ListQueueResponse> {
        let (owner, asked, key) = keyed!(request, "RemoveQueued");
        let input = Input::RemoveQueued { item: asked.item_id };
        let applied = self.runner.apply(&owner, &asked.thread_id, input, key).await?;
        Ok(Response::new(ListQueueResponse { items: applied.queue }))
    }

    async fn pause_thread(&self, request: Request<PauseThreadRequest>) -> Reply<ThreadResponse> {
        let (owner, asked, key) = keyed!(request, "PauseThread");
        let input = Input::Pause { by: owner.clone() };
        Ok(thread_reply(self.runner.apply(&owner, &asked.thread_id, input, key).await?))
    }

    async fn resume_thread(&self, request: Request<ResumeThreadRequest>) -> Reply<ThreadResponse> {
        let (owner, asked, key) = keyed!(request, "ResumeThread");
        Ok(thread_reply(self.runner.apply(&owner, &asked.thread_id, Input::Resume, key).await?))
    }

    async fn delete_thread(&self, request: Request<DeleteThreadRequest>) -> Reply<ThreadResponse> {
        let (owner, asked, key) = keyed!(request, "DeleteThread");
        Ok(thread_reply(self.runner.apply(&owner, &asked.thread_id, Input::Delete, key).await?))
    }

    async fn rewind_thread(
        &self,
        request: Request<RewindThreadRequest>,
    ) -> Reply<RewindThreadResponse> {
        let (owner, asked, key) = keyed!(request, "RewindThread");
        let (applied, item) = self.runner.rewind(&owner, asked, key).await?;
        let (thread, cursor) = (Some(applied.thread), applied.cursor);
        Ok(Response::new(RewindThreadResponse { thread, cursor, item }))
    }

    async fn fork_thread(&self, request: Request<ForkThreadRequest>) -> Reply<ThreadResponse> {
        let (owner, asked, key) = keyed!(request, "ForkThread");
        Ok(thread_reply(self.runner.fork(&owner, &asked.thread_id, asked.turn, key).await?))
    }

    async fn archive_thread(
        &self,
        request: Request<ArchiveThreadRequest>,
    ) -> Reply<Self::ArchiveThreadStream> {
        let owner = owner(&request);
        let file = self.runner.archive(&owner, &request.into_inner().thread_id).await?;
        Ok(Response::new(watch::archive(file)))
    }

    async fn restore_thread(
        &self,
        request: Request<tonic::Streaming<RestoreThreadRequest>>,
    ) -> Reply<ThreadResponse> {
        let owner = owner(&request);
        let mut parts = request.into_inner();
        let kept = |source| Error::Scratch { source };
        let file = tempfile::Builder::new()
            .prefix("archive-")
            .tempfile_in(&self.runner.parts().scratch)
            .map_err(kept)?;
        let mut writer = tokio::fs::File::from_std(file.reopen().map_err(kept)?);
        let (mut id, mut size) = (String::new(), 0);
        while let Some(part) = parts.message().await? {
            if size == 0 {
                id = part.request_id;
            }
            size += part.data.len() as u64;
            if size > ARCHIVE_LIMIT {
                let message = format!("it is larger than {} GiB", ARCHIVE_LIMIT >> 30);
                return Err(Error::Archive(message).into());
            }
            writer.write_all(&part.data).await.map_err(kept)?;
        }
        writer.flush().await.map_err(kept)?;
        let key = RequestKey::new(&owner, &id, "RestoreThread", &RestoreThreadRequest::default());
        Ok(thread_reply(self.runner.restore(&owner, file, key).await?))
    }

    async fn get_diff(&self, request: Request<GetDiffRequest>) -> Reply<Self::GetDiffStream> {
        let owner = owner(&request);
        let files = self.runner.diff(&owner, request.into_inner()).await?;
        Ok(Response::new(watch::files(files)))
    }

    async fn read_item_output(
        &self,
        request: Request<ReadItemOutputRequest>,
    ) -> Reply<ReadItemOutputResponse> {
        let owner = owner(&request);
        let asked = request.into_inner();
        let (thread, _) = self.runner.find(&owner, &asked.thread_id).await?;
        let page = self
            .store()
            .output(&thread.id, &asked.item_id, asked.offset, page(asked.limit, OUTPUT))
            .await
            .map_err(Error::from)?;
        let (data, next_offset, total_bytes) = (page.data, page.next_offset, page.total_bytes);
        Ok(Response::new(ReadItemOutputResponse { data, next_offset, total_bytes }))
    }

    async fn create_pull_request(
        &self,
        request: Request<CreatePullRequestRequest>,
    ) -> Reply<CreatePullRequestResponse> {
        let (owner, asked, key) = keyed!(request, "CreatePullRequest");
        let propose = Propose {
            title: asked.title,
            body: asked.body,
            draft: asked.draft,
            base: Some(asked.base).filter(|base| !base.is_empty()),
            labels: asked.labels,
            reviewers: asked.reviewers,
            sync: asked.sync,
        };
        let proposed = self.runner.propose(&owner, &asked.thread_id, propose, key).await?;
        let Some(proposed) = proposed else {
            let (thread, cursor) = self.runner.find(&owner, &asked.thread_id).await?;
            let thread = Some(thread);
            return Ok(Response::new(CreatePullRequestResponse {
                thread,
                cursor,
                ..Default::default()
            }));
        };
        let Proposed { applied: Applied { thread, cursor, turn, .. }, text, notes } = proposed;
        Ok(Response::new(CreatePullRequestResponse {
            thread: Some(thread),
            cursor,
            done: true,
            text,
            notes,
            turn,
        }))
    }

    async fn fix_pull_request(
        &self,
        request: Request<FixPullRequestRequest>,
    ) -> Reply<FixPullRequestResponse> {
        let (owner, asked, key) = keyed!(request, "FixPullRequest");
        let Fixing { applied, text } = self.runner.fix(&owner, &asked.thread_id, key).await?;
        let Applied { turn, cursor, item, .. } = applied;
        Ok(Response::new(FixPullRequestResponse { turn, cursor, item, text }))
    }

    async fn comment_on_issue(
        &self,
        request: Request<CommentOnIssueRequest>,
    ) -> Reply<CommentOnIssueResponse> {
        let owner = owner(&request);
        // Each turn is told once: the request id needs no memory.
        let asked = request.into_inner();
        let Commented { url, is_new } = self.runner.comment(&owner, &asked.thread_id).await?;
        Ok(Response::new(CommentOnIssueResponse { url, posted: is_new }))
    }

    async fn export_branch(
        &self,
        request: Request<ExportBranchRequest>,
    ) -> Reply<Self::ExportBranchStream> {
        let owner = owner(&request);
        let export = self.runner.export(&owner, request.into_inner()).await?;
        Ok(Response::new(watch::bundle(export)))
    }

    async fn export_patches(
        &self,
        request: Request<ExportPatchesRequest>,
    ) -> Reply<Self::ExportPatchesStream> {
        let owner = owner(&request);
        let series = self.runner.series(&owner, &request.into_inner().thread_id).await?;
        Ok(Response::new(watch::series(series)))
    }
}

fn thread_reply(applied: Applied) -> Response<ThreadResponse> {
    Response::new(ThreadResponse { thread: Some(applied.thread), cursor: applied.cursor })
}

fn turn_reply(applied: Applied) -> Response<TurnResponse> {
    Response::new(TurnResponse { turn: applied.turn, cursor: applied.cursor, item: applied.item })
}

/// A page size: the default where none is asked for, never over the most.
fn page(asked: u32, (default, most): (u32, u32)) -> usize {
    let size = if asked == 0 { default } else { asked.min(most) };
    usize::try_from(size).unwrap_or(usize::MAX)
}
