//! An editor at one end and a cloud at the other, for the tests of the front.
//!
//! The cloud serves real gRPC on a socket. It keeps a log per thread and ends streams wherever a test wants it to.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aloft_proto::v1;
use aloft_proto::v1::cloud_service_server::{CloudService, CloudServiceServer};
use aloft_proto::v1::feed_service_server::{FeedService, FeedServiceServer};
use aloft_proto::v1::repository_service_server::RepositoryServiceServer;
use aloft_proto::v1::thread_service_server::{ThreadService, ThreadServiceServer};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, ReadHalf,
    WriteHalf,
};
use tokio::net::UnixListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status};

use crate::checkout::testing::Mirror;
use crate::config::{Config, Environment, Flags};

/// How long a test waits for anything.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What the cloud knows and was asked.
#[derive(Default)]
pub(super) struct State {
    /// How many events each thread has.
    pub(super) events: HashMap<String, watch::Sender<u64>>,
    /// Threads asked for.
    pub(super) created: Mutex<Vec<v1::CreateThreadRequest>>,
    /// Texts of messages in the order of their arrival.
    pub(super) messages: Mutex<Vec<(String, String)>>,
    /// Streams end after these many events each, then never.
    pub(super) cuts: Mutex<Vec<usize>>,
    /// Streams opened.
    pub(super) opened: AtomicUsize,
    /// Events handed to the connection.
    pub(super) produced: Arc<AtomicUsize>,
    /// Calls of `ListAgents` wait for this.
    pub(super) gate: Notify,
    /// Calls of `ListAgents` in work.
    pub(super) waiting: AtomicUsize,
}

/// A cloud on a socket.
pub(super) struct Cloud {
    pub(super) folder: tempfile::TempDir,
    pub(super) state: Arc<State>,
    /// Where uploads go.
    pub(super) mirror: Arc<Mirror>,
    server: JoinHandle<()>,
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Cloud {
    /// Starts one with these threads, each with so many events.
    pub(super) fn start(threads: &[(&str, u64)], cuts: Vec<usize>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let events = threads
            .iter()
            .map(|(id, count)| ((*id).to_owned(), watch::Sender::new(*count)))
            .collect();
        let state = Arc::new(State { events, cuts: Mutex::new(cuts), ..State::default() });
        let mirror = Arc::new(Mirror::create());
        let server =
            serve(&folder.path().join("cloud.sock"), Arc::clone(&state), Arc::clone(&mirror));
        Self { folder, state, mirror, server }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("cloud.sock")
    }

    pub(super) fn config(&self) -> Config {
        let home = self.folder.path();
        let environment = Environment {
            config_dir: Some(home.join("config")),
            data_dir: Some(home.join("data")),
            runtime_dir: Some(home.join("run")),
            cloud: Some(format!("unix:{}", self.socket().display())),
            ..Environment::default()
        };
        Config::load(Flags::default(), environment).unwrap()
    }
}

fn serve(socket: &Path, state: Arc<State>, mirror: Arc<Mirror>) -> JoinHandle<()> {
    let incoming = UnixListenerStream::new(UnixListener::bind(socket).unwrap());
    tokio::spawn(async move {
        let service = Service(state);
        let router = tonic::transport::Server::builder()
            .add_service(ThreadServiceServer::new(service.clone()))
            .add_service(FeedServiceServer::new(service.clone()))
            .add_service(CloudServiceServer::new(service))
            .add_service(RepositoryServiceServer::from_arc(mirror));
        router.serve_with_incoming(incoming).await.unwrap();
    })
}

#[derive(Clone)]
struct Service(Arc<State>);

impl Service {
    /// The log of a thread after a cursor, cut where the test wants it.
    fn log(
        &self,
        id: &str,
        after: u64,
    ) -> Result<BoxStream<'static, Result<v1::Event, Status>>, Status> {
        let missing = || Status::not_found(format!("thread {id} does not exist"));
        let newest = self.0.events.get(id).ok_or_else(missing)?.subscribe();
        self.0.opened.fetch_add(1, Ordering::Relaxed);
        let cut = self.0.cuts.lock().unwrap().pop();
        let (id, produced) = (id.to_owned(), Arc::clone(&self.0.produced));
        let events = stream::unfold((newest, after), move |(mut newest, cursor)| {
            let id = id.clone();
            produced.fetch_add(1, Ordering::Relaxed);
            async move {
                newest.wait_for(|count| *count > cursor).await.ok()?;
                Some((Ok(event(&id, cursor + 1)), (newest, cursor + 1)))
            }
        });
        Ok(match cut {
            // Half of the cuts are errors, half are ends.
            Some(cut) if cut % 2 == 0 => {
                events.take(cut).chain(stream::iter([Err(Status::unavailable("cut"))])).boxed()
            }
            Some(cut) => events.take(cut).boxed(),
            None => events.boxed(),
        })
    }
}

fn event(id: &str, cursor: u64) -> v1::Event {
    // Of a thread with this name, few events fill every buffer between log and editor.
    let width = if id == "large" { 3000 } else { 30 };
    let appended = v1::ItemAppended {
        item_id: "item".into(),
        field: v1::Field::Text.into(),
        delta: format!("{cursor:width$}").into(),
        offset: 0,
    };
    let payload = Some(v1::event::Payload::ItemAppended(appended));
    v1::Event { thread_id: id.into(), cursor, payload, ..Default::default() }
}

fn thread(id: &str) -> v1::Thread {
    v1::Thread { id: id.into(), slug: format!("{id}-slug"), ..Default::default() }
}

type Answer<T> = Result<Response<T>, Status>;

/// Calls the front passes on like the others; these tests do not make them.
macro_rules! refused {
    ($($name:ident($request:ident) -> $answer:ty;)*) => {
        $(fn $name<'a, 'b>(&'a self, _: Request<v1::$request>) -> BoxFuture<'b, Answer<$answer>>
        where
            'a: 'b,
            Self: 'b,
        {
            Box::pin(std::future::ready(Err(Status::unimplemented(stringify!($name)))))
        })*
    };
}

#[tonic::async_trait]
impl ThreadService for Service {
    type WatchThreadStream = BoxStream<'static, Result<v1::Event, Status>>;
    type GetDiffStream = BoxStream<'static, Result<v1::FileDiff, Status>>;
    type ExportBranchStream = BoxStream<'static, Result<v1::ExportBranchResponse, Status>>;
    type ExportPatchesStream = BoxStream<'static, Result<v1::ExportPatchesResponse, Status>>;
    type ArchiveThreadStream = BoxStream<'static, Result<v1::ArchiveThreadResponse, Status>>;

    async fn get_thread(
        &self,
        request: Request<v1::GetThreadRequest>,
    ) -> Answer<v1::ThreadResponse> {
        let asked = request.into_inner().thread_id;
        let id = asked.trim_end_matches("-slug");
        let missing = || Status::not_found(format!("thread {asked} does not exist"));
        let cursor = *self.0.events.get(id).ok_or_else(missing)?.borrow();
        Ok(Response::new(v1::ThreadResponse { thread: Some(thread(id)), cursor }))
    }

    async fn create_thread(
        &self,
        request: Request<v1::CreateThreadRequest>,
    ) -> Answer<v1::ThreadResponse> {
        let request = request.into_inner();
        assert!(!request.request_id.is_empty());
        self.0.created.lock().unwrap().push(request.clone());
        let repository =
            request.repository.map(|repository| v1::Repository { name: "r".into(), ..repository });
        let thread = v1::Thread { repository, agent: request.agent, ..thread("new") };
        Ok(Response::new(v1::ThreadResponse { thread: Some(thread), cursor: 1 }))
    }

    async fn start_turn(&self, request: Request<v1::StartTurnRequest>) -> Answer<v1::TurnResponse> {
        let request = request.into_inner();
        assert!(!request.request_id.is_empty());
        let Some(v1::input::Kind::Text(text)) =
            request.input.into_iter().next().and_then(|input| input.kind)
        else {
            return Err(Status::invalid_argument("no text"));
        };
        // The first of them take longest: without an order they would overtake each other.
        let number: u64 = text.text.parse().unwrap();
        tokio::time::sleep(Duration::from_millis(40_u64.saturating_sub(number))).await;
        self.0.messages.lock().unwrap().push((request.thread_id, text.text));
        Ok(Response::new(v1::TurnResponse::default()))
    }

    async fn watch_thread(
        &self,
        request: Request<v1::WatchThreadRequest>,
    ) -> Answer<Self::WatchThreadStream> {
        let request = request.into_inner();
        self.log(&request.thread_id, request.after).map(Response::new)
    }

    async fn get_diff(&self, _: Request<v1::GetDiffRequest>) -> Answer<Self::GetDiffStream> {
        let file = v1::FileDiff {
            path: "a.txt".into(),
            patch: "patch".into(),
            old_text: Some("old".into()),
            ..Default::default()
        };
        Ok(Response::new(stream::iter([Ok(file)]).boxed()))
    }

    async fn archive_thread(
        &self,
        _: Request<v1::ArchiveThreadRequest>,
    ) -> Answer<Self::ArchiveThreadStream> {
        Err(Status::unimplemented("archive_thread"))
    }

    async fn restore_thread(
        &self,
        _: Request<tonic::Streaming<v1::RestoreThreadRequest>>,
    ) -> Answer<v1::ThreadResponse> {
        Err(Status::unimplemented("restore_thread"))
    }

    async fn export_branch(
        &self,
        _: Request<v1::ExportBranchRequest>,
    ) -> Answer<Self::ExportBranchStream> {
        Err(Status::unimplemented("export_branch"))
    }

    async fn export_patches(
        &self,
        _: Request<v1::ExportPatchesRequest>,
    ) -> Answer<Self::ExportPatchesStream> {
        Err(Status::unimplemented("export_patches"))
    }

    refused! {
        create_pull_request(CreatePullRequestRequest) -> v1::CreatePullRequestResponse;
        comment_on_issue(CommentOnIssueRequest) -> v1::CommentOnIssueResponse;
        fix_pull_request(FixPullRequestRequest) -> v1::FixPullRequestResponse;
        list_threads(ListThreadsRequest) -> v1::ListThreadsResponse;
        read_thread(ReadThreadRequest) -> v1::ReadThreadResponse;
        get_item(GetItemRequest) -> v1::GetItemResponse;
        update_thread(UpdateThreadRequest) -> v1::ThreadResponse;
        steer_turn(SteerTurnRequest) -> v1::TurnResponse;
        interrupt_turn(InterruptTurnRequest) -> v1::InterruptTurnResponse;
        retry_turn(RetryTurnRequest) -> v1::TurnResponse;
        answer_permission(AnswerPermissionRequest) -> v1::AnswerPermissionResponse;
        list_removed_threads(ListRemovedThreadsRequest) -> v1::ListRemovedThreadsResponse;
        list_queue(ListQueueRequest) -> v1::ListQueueResponse;
        move_queued(MoveQueuedRequest) -> v1::ListQueueResponse;
        remove_queued(RemoveQueuedRequest) -> v1::ListQueueResponse;
        pause_thread(PauseThreadRequest) -> v1::ThreadResponse;
        resume_thread(ResumeThreadRequest) -> v1::ThreadResponse;
        delete_thread(DeleteThreadRequest) -> v1::ThreadResponse;
        rewind_thread(RewindThreadRequest) -> v1::RewindThreadResponse;
        fork_thread(ForkThreadRequest) -> v1::ThreadResponse;
        read_item_output(ReadItemOutputRequest) -> v1::ReadItemOutputResponse;
    }
}

#[tonic::async_trait]
impl FeedService for Service {
    type WatchFeedStream = BoxStream<'static, Result<v1::FeedEvent, Status>>;

    async fn watch_feed(
        &self,
        request: Request<v1::WatchFeedRequest>,
    ) -> Answer<Self::WatchFeedStream> {
        use v1::feed_event::Payload;
        let notice = v1::Notice { id: "n1".into(), ..Default::default() };
        let payloads = [
            Payload::ThreadChanged(thread("a")),
            Payload::NoticePosted(notice),
            Payload::NoticeRead("n1".into()),
            Payload::ThreadDeleted("a".into()),
        ];
        let entries =
            (1..).zip(payloads).skip(usize::try_from(request.into_inner().after).unwrap());
        let entries =
            entries.map(|(feed, payload)| Ok(v1::FeedEvent { feed, payload: Some(payload) }));
        Ok(Response::new(
            stream::iter(entries.collect::<Vec<_>>()).chain(stream::pending()).boxed(),
        ))
    }

    refused! {
        list_notices(ListNoticesRequest) -> v1::ListNoticesResponse;
        read_notices(ReadNoticesRequest) -> v1::ReadNoticesResponse;
    }
}

#[tonic::async_trait]
impl CloudService for Service {
    async fn get_status(&self, _: Request<v1::GetStatusRequest>) -> Answer<v1::GetStatusResponse> {
        Ok(Response::new(v1::GetStatusResponse {
            version: "1.2.3".into(),
            pid: 7,
            ..Default::default()
        }))
    }

    async fn list_agents(
        &self,
        _: Request<v1::ListAgentsRequest>,
    ) -> Answer<v1::ListAgentsResponse> {
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        let opened = self.0.gate.notified();
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.0.waiting);
        opened.await;
        Ok(Response::new(v1::ListAgentsResponse::default()))
    }

    refused! {
        shutdown(ShutdownRequest) -> v1::ShutdownResponse;
        set_key(SetKeyRequest) -> v1::Key;
        list_keys(ListKeysRequest) -> v1::ListKeysResponse;
        delete_key(DeleteKeyRequest) -> v1::DeleteKeyResponse;
        test_key(TestKeyRequest) -> v1::TestKeyResponse;
    }
}

/// An editor with a front of its own.
pub(super) struct Editor {
    input: WriteHalf<DuplexStream>,
    output: BufReader<ReadHalf<DuplexStream>>,
    pub(super) server: JoinHandle<bool>,
    next_id: u64,
    /// Notifications read while waiting for something else.
    pub(super) heard: Vec<Value>,
}

impl Editor {
    /// Starts a front without a word.
    pub(super) fn start(config: Config) -> Self {
        let (editor, bridge) = tokio::io::duplex(1 << 16);
        let (from, to) = tokio::io::split(bridge);
        let server = tokio::spawn(crate::lsp::serve(config, from, to));
        let (output, input) = tokio::io::split(editor);
        Self { input, output: BufReader::new(output), server, next_id: 0, heard: Vec::new() }
    }

    /// Starts a front and says hello.
    pub(super) async fn open(config: Config) -> Self {
        let mut editor = Self::start(config);
        let hello = editor.call("initialize", json!({"capabilities": {}})).await;
        assert_eq!(
            hello["result"]["capabilities"]["experimental"]["aloft"]["protocolVersion"], 1,
            "{hello}"
        );
        editor.notify("initialized", json!({})).await;
        editor
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) {
        tokio::time::timeout(PATIENCE, self.input.write_all(bytes)).await.unwrap().unwrap();
    }

    pub(super) async fn send(&mut self, message: &Value) {
        let body = message.to_string();
        self.write(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await;
    }

    pub(super) async fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
    }

    /// Sends a request; gives its id.
    pub(super) async fn request(&mut self, method: &str, params: Value) -> u64 {
        self.next_id += 1;
        self.send(
            &json!({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params}),
        )
        .await;
        self.next_id
    }

    /// Sends a request and waits for its answer.
    pub(super) async fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params).await;
        self.answer(id).await
    }

    /// Waits for an answer.
    pub(super) async fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.read().await;
            if message["id"] == id {
                return message;
            }
            self.heard.push(message);
        }
    }

    /// Waits for the next notification of this name.
    pub(super) async fn hear(&mut self, method: &str) -> Value {
        if let Some(place) = self.heard.iter().position(|message| message["method"] == method) {
            return self.heard.remove(place)["params"].take();
        }
        loop {
            let mut message = self.read().await;
            if message["method"] == method {
                return message["params"].take();
            }
            self.heard.push(message);
        }
    }

    /// Reads one message.
    pub(super) async fn read(&mut self) -> Value {
        tokio::time::timeout(PATIENCE, async {
            let mut length = 0;
            loop {
                let mut line = String::new();
                assert!(self.output.read_line(&mut line).await.unwrap() > 0, "the front went away");
                match line.trim_end().split_once(": ") {
                    Some(("Content-Length", value)) => length = value.parse().unwrap(),
                    Some(_) => {}
                    None => break,
                }
            }
            let mut body = vec![0; length];
            self.output.read_exact(&mut body).await.unwrap();
            serde_json::from_slice(&body).unwrap()
        })
        .await
        .expect("the front says nothing")
    }

    /// Goes away without a word; gives what the front made of it.
    pub(super) async fn close(self) -> bool {
        let Self { input, output, server, .. } = self;
        drop((input, output));
        tokio::time::timeout(PATIENCE, server).await.unwrap().unwrap()
    }
}
