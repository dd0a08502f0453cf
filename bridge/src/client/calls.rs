//! A typed method for every call of the contracts.

use std::future::Future;
use std::time::Duration;

use aloft_fault::pass;
use aloft_proto::v1;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::client::{Client, Stream, check_size, retry};
use crate::protocol::error::{Code, Error};
use crate::protocol::to_proto::new_request_id;

/// How long a call may take in all, its repetitions and the start of an embedded cloud included.
const DEADLINE: Duration = Duration::from_secs(30);

/// Messages of a tunnel that wait to be sent.
const WAITING: usize = 16;

/// Makes the methods: `read` calls ask, `change` calls do something and get a `request_id` where they have none,
/// `watch` calls open a stream.
macro_rules! calls {
    ($($kind:ident $service:ident.$name:ident($request:ident) -> $response:ty, $doc:literal;)*) => {
        impl Client { $(calls!(@ $kind $service $name $request $response, $doc);)* }
    };
    (@ read $service:ident $name:ident $request:ident $response:ty, $doc:literal) => {
        #[doc = $doc]
        pub async fn $name(&self, request: v1::$request) -> Result<$response, Error> {
            self.call(request, |request| {
                let mut service = self.$service();
                async move { service.$name(request).await }
            })
            .await
        }
    };
    (@ change $service:ident $name:ident $request:ident $response:ty, $doc:literal) => {
        #[doc = $doc]
        pub async fn $name(&self, mut request: v1::$request) -> Result<$response, Error> {
            if request.request_id.is_empty() {
                request.request_id = new_request_id();
            }
            self.call(request, |request| {
                let mut service = self.$service();
                async move { service.$name(request).await }
            })
            .await
        }
    };
    (@ watch $service:ident $name:ident $request:ident $response:ty, $doc:literal) => {
        #[doc = $doc]
        pub async fn $name(&self, request: v1::$request) -> Result<Stream<$response>, Error> {
            self.open(request, |request| {
                let mut service = self.$service();
                async move { service.$name(request).await }
            })
            .await
        }
    };
}

calls! {
    change threads.create_thread(CreateThreadRequest) -> v1::ThreadResponse, "Creates a thread; returns while it is starting.";
    read threads.list_threads(ListThreadsRequest) -> v1::ListThreadsResponse, "Returns a page of threads, newest first.";
    read threads.list_removed_threads(ListRemovedThreadsRequest) -> v1::ListRemovedThreadsResponse, "Returns what stays of removed threads, newest first.";
    read threads.get_thread(GetThreadRequest) -> v1::ThreadResponse, "Returns a thread by id, unique prefix, slug or `@last`.";
    read threads.read_thread(ReadThreadRequest) -> v1::ReadThreadResponse, "Returns a thread with a page of its items.";
    read threads.get_item(GetItemRequest) -> v1::GetItemResponse, "Returns one item whole.";
    watch threads.watch_thread(WatchThreadRequest) -> v1::Event, "Opens a thread's log after a cursor.";
    change threads.update_thread(UpdateThreadRequest) -> v1::ThreadResponse, "Changes title, mute, mode, model or keep.";
    change threads.start_turn(StartTurnRequest) -> v1::TurnResponse, "Sends a message.";
    change threads.steer_turn(SteerTurnRequest) -> v1::TurnResponse, "Corrects the running turn.";
    change threads.interrupt_turn(InterruptTurnRequest) -> v1::InterruptTurnResponse, "Stops the running turn.";
    change threads.retry_turn(RetryTurnRequest) -> v1::TurnResponse, "Does the failed or interrupted turn again.";
    change threads.answer_permission(AnswerPermissionRequest) -> v1::AnswerPermissionResponse, "Answers an open question.";
    read threads.list_queue(ListQueueRequest) -> v1::ListQueueResponse, "Returns the messages that wait.";
    change threads.move_queued(MoveQueuedRequest) -> v1::ListQueueResponse, "Gives a waiting message another place.";
    change threads.remove_queued(RemoveQueuedRequest) -> v1::ListQueueResponse, "Takes a waiting message back.";
    change threads.pause_thread(PauseThreadRequest) -> v1::ThreadResponse, "Ends all processes of a thread, keeps everything.";
    change threads.resume_thread(ResumeThreadRequest) -> v1::ThreadResponse, "Brings a thread back.";
    change threads.delete_thread(DeleteThreadRequest) -> v1::ThreadResponse, "Removes everything of a thread.";
    change threads.rewind_thread(RewindThreadRequest) -> v1::RewindThreadResponse, "Brings the workspace back to a snapshot.";
    change threads.fork_thread(ForkThreadRequest) -> v1::ThreadResponse, "Makes a thread from the end of another one's turn.";
    watch threads.get_diff(GetDiffRequest) -> v1::FileDiff, "Opens the change of a thread, file by file.";
    read threads.read_item_output(ReadItemOutputRequest) -> v1::ReadItemOutputResponse, "Returns a page of a command's output.";
    change threads.create_pull_request(CreatePullRequestRequest) -> v1::CreatePullRequestResponse, "Opens a thread's pull request or brings it up to date; it may not be done yet.";
    change threads.fix_pull_request(FixPullRequestRequest) -> v1::FixPullRequestResponse, "Tells the agent what stands against its pull request.";
    change threads.comment_on_issue(CommentOnIssueRequest) -> v1::CommentOnIssueResponse, "Tells the issue a thread began with what the agent planned and said.";
    watch threads.export_branch(ExportBranchRequest) -> v1::ExportBranchResponse, "Opens a git bundle of a thread's commits.";
    watch threads.export_patches(ExportPatchesRequest) -> v1::ExportPatchesResponse, "Opens the files of a thread's work.";
    watch feed.watch_feed(WatchFeedRequest) -> v1::FeedEvent, "Opens the feed after a number.";
    read feed.list_notices(ListNoticesRequest) -> v1::ListNoticesResponse, "Returns notices, newest first.";
    change feed.read_notices(ReadNoticesRequest) -> v1::ReadNoticesResponse, "Marks notices read everywhere.";
    read cloud.get_status(GetStatusRequest) -> v1::GetStatusResponse, "Returns how the cloud is.";
    read cloud.shutdown(ShutdownRequest) -> v1::ShutdownResponse, "Ends the cloud; answers before it is gone.";
    read cloud.list_agents(ListAgentsRequest) -> v1::ListAgentsResponse, "Returns the agents, usable or why not.";
    change cloud.set_key(SetKeyRequest) -> v1::Key, "Keeps a model key.";
    read cloud.list_keys(ListKeysRequest) -> v1::ListKeysResponse, "Returns the model keys without their values.";
    change cloud.delete_key(DeleteKeyRequest) -> v1::DeleteKeyResponse, "Forgets a model key.";
    read cloud.test_key(TestKeyRequest) -> v1::TestKeyResponse, "Makes one small call with a model key.";
    change forges.connect_forge(ConnectForgeRequest) -> v1::ForgeAccount, "Keeps an account at a forge.";
    change forges.begin_forge_sign_in(BeginForgeSignInRequest) -> v1::ForgeSignIn, "Asks a forge for a code that a person confirms.";
    read forges.await_forge_sign_in(AwaitForgeSignInRequest) -> v1::AwaitForgeSignInResponse, "Waits a while for a code to be confirmed.";
    read forges.list_forges(ListForgesRequest) -> v1::ListForgesResponse, "Returns the accounts without their tokens.";
    change forges.disconnect_forge(DisconnectForgeRequest) -> v1::DisconnectForgeResponse, "Forgets an account at a forge.";
    read forges.list_repositories(ListRepositoriesRequest) -> v1::ListRepositoriesResponse, "Returns the repositories that accounts reach.";
    read forges.list_branches(ListBranchesRequest) -> v1::ListBranchesResponse, "Returns the branches of a repository elsewhere.";
    change ssh.register_ssh_key(RegisterSshKeyRequest) -> v1::SshKey, "Makes a public key open its owner's threads.";
    read ssh.list_ssh_keys(ListSshKeysRequest) -> v1::ListSshKeysResponse, "Returns the caller's own SSH keys.";
    change ssh.revoke_ssh_key(RevokeSshKeyRequest) -> v1::RevokeSshKeyResponse, "Makes a public key open nothing any more.";
    read ssh.get_ssh_hosts(GetSshHostsRequest) -> v1::GetSshHostsResponse, "Returns how to know the cloud's SSH hosts.";
    read ssh.issue_ssh_certificate(IssueSshCertificateRequest) -> v1::IssueSshCertificateResponse, "Returns a short-lived user certificate.";
    read ssh.list_ports(ListPortsRequest) -> v1::ListPortsResponse, "Returns the ports that listen in a sandbox.";
    read usage.read_usage(ReadUsageRequest) -> v1::ReadUsageResponse, "Returns what was used.";
    read usage.read_budget(ReadBudgetRequest) -> v1::BudgetResponse, "Returns a budget with what was used of it.";
    change usage.set_budget(SetBudgetRequest) -> v1::BudgetResponse, "Changes a budget.";
    read repositories.find_repository(FindRepositoryRequest) -> v1::FindRepositoryResponse, "Returns what the cloud has of a local checkout.";
}

impl Client {
    /// Opens a thread's pull request or brings it up to date, however long the push takes.
    pub async fn propose(
        &self,
        mut request: v1::CreatePullRequestRequest,
    ) -> Result<v1::CreatePullRequestResponse, Error> {
        if request.request_id.is_empty() {
            request.request_id = new_request_id();
        }
        loop {
            let answer = self.create_pull_request(request.clone()).await?;
            if answer.done {
                return Ok(answer);
            }
        }
    }

    /// Returns the account of a sign-in, once a person has confirmed it.
    pub async fn signed_in(&self, id: &str) -> Result<v1::ForgeAccount, Error> {
        loop {
            let request = v1::AwaitForgeSignInRequest { id: id.to_owned() };
            if let Some(account) = self.await_forge_sign_in(request).await?.account {
                return Ok(account);
            }
        }
    }

    /// Opens a tunnel: what is sent into it, and what comes out. Ending the first says the last byte.
    pub async fn tunnel(
        &self,
        header: v1::TunnelHeader,
    ) -> Result<(mpsc::Sender<v1::TunnelRequest>, Streaming<v1::TunnelResponse>), Error> {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        self.repeat(deadline, || {
            let (requests, queue) = mpsc::channel(WAITING);
            let first = v1::TunnelRequest { header: Some(header.clone()), ..Default::default() };
            let mut service = self.ssh();
            async move {
                // There is room: the queue is new.
                requests.try_send(first).ok();
                let answer = service.tunnel(ReceiverStream::new(queue)).await?;
                Ok(answer.map(|answers| (requests, answers)))
            }
        })
        .await
    }

    /// Makes a call with a deadline, again where it did not arrive.
    async fn call<Message, Answer, Reply>(
        &self,
        message: Message,
        send: impl Fn(Request<Message>) -> Reply,
    ) -> Result<Answer, Error>
    where
        Message: Clone + prost::Message,
        Reply: Future<Output = Result<Response<Answer>, Status>>,
    {
        check_size(&message)?;
        let deadline = tokio::time::Instant::now() + DEADLINE;
        self.repeat(deadline, || {
            let mut request = Request::new(message.clone());
            request.set_timeout(deadline.saturating_duration_since(tokio::time::Instant::now()));
            send(request)
        })
        .await
    }

    /// Opens a stream; the deadline is for the opening only.
    async fn open<Message, Answer, Reply>(
        &self,
        message: Message,
        send: impl Fn(Request<Message>) -> Reply,
    ) -> Result<Stream<Answer>, Error>
    where
        Message: Clone,
        Reply: Future<Output = Result<Response<Streaming<Answer>>, Status>>,
    {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        // From before it is opened: a connection that is given up meanwhile is not the stream's.
        let mut renewals = self.line.renewals();
        let messages = self
            .repeat(deadline, || {
                renewals.mark_unchanged();
                send(Request::new(message.clone()))
            })
            .await?;
        Ok(Stream::new(messages, renewals, self.line.user()))
    }

    async fn repeat<Answer, Reply>(
        &self,
        deadline: tokio::time::Instant,
        mut attempt: impl FnMut() -> Reply,
    ) -> Result<Answer, Error>
    where
        Reply: Future<Output = Result<Response<Answer>, Status>>,
    {
        let _user = self.line.user();
        let mut renewals = self.line.renewals();
        let began = tokio::time::Instant::now();
        let mut failed = 0;
        loop {
            renewals.mark_unchanged();
            pass!("bridge.call.before");
            let attempt = attempt();
            let outcome = tokio::select! {
                outcome = tokio::time::timeout_at(deadline, attempt) => outcome,
                // On a fresh connection: the one it was on is dead.
                _ = renewals.changed() => continue,
            };
            pass!("bridge.call.after");
            let status = match outcome {
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status)) => status,
                Err(_) => {
                    let message = format!(
                        "the cloud at {} did not answer within {DEADLINE:?}",
                        self.address()
                    );
                    return Err(Error::new(Code::Unavailable, "DEADLINE_EXCEEDED", message));
                }
            };
            let again = retry::is_worth_it(&status);
            let error = self.error(status);
            let long = began.elapsed() > retry::PATIENCE;
            if !again || !error.retryable || long || failed + 1 == retry::ATTEMPTS {
                return Err(error);
            }
            tracing::debug!(
                reason = error.reason,
                failed,
                "the call did not arrive, sending it again"
            );
            tokio::time::sleep(retry::pause(failed)).await;
            failed += 1;
        }
    }
}
