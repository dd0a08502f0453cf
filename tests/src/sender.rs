//! A client that does not give up: it makes its own request ids, repeats what was not answered, starts the cloud again where
//! it is gone, and remembers what was acknowledged.

use std::time::{Duration, Instant};

use aloft_proto::v1::{
    AnswerPermissionRequest, CreateThreadRequest, DeleteThreadRequest, Input, InterruptTurnRequest,
    MoveQueuedRequest, PauseThreadRequest, ReadThreadRequest, RemoveQueuedRequest,
    ResumeThreadRequest, StartTurnRequest, SteerTurnRequest, TextInput, Thread, ThreadState,
    UpdateThreadRequest, input::Kind, thread_service_client::ThreadServiceClient,
};
use tokio::runtime::Runtime;
use tonic::{Code, Status, transport::Channel};

use crate::{cloud, home::Home, poll};

/// How long one request may take, all repetitions counted in: on a busy machine clouds may be killed faster than it is answered.
const LIMIT: Duration = Duration::from_secs(300);

/// A request that changes something.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is the request of its name")]
pub enum Ask {
    Create(Box<CreateThreadRequest>),
    Start(StartTurnRequest),
    Steer(SteerTurnRequest),
    Interrupt(InterruptTurnRequest),
    Answer(AnswerPermissionRequest),
    Pause(PauseThreadRequest),
    Resume(ResumeThreadRequest),
    Delete(DeleteThreadRequest),
    Update(UpdateThreadRequest),
    Move(MoveQueuedRequest),
    Remove(RemoveQueuedRequest),
}

/// What was answered, as far as it must be the same when the request comes again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// The thread, where the answer names one.
    pub thread: String,
    /// The message, where the answer names one.
    pub item: String,
    /// The event that the answer named.
    pub cursor: u64,
}

/// The client.
#[derive(Debug)]
pub struct Sender<'a> {
    home: &'a Home,
    runtime: Runtime,
    client: Option<ThreadServiceClient<Channel>>,
    /// What was acknowledged, in order.
    pub acknowledged: Vec<(Ask, Answered)>,
}

/// Words as a message.
pub fn words(text: &str) -> Vec<Input> {
    vec![Input { kind: Some(Kind::Text(TextInput { text: text.to_owned() })) }]
}

/// A request id nobody else has.
fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

impl<'a> Sender<'a> {
    /// A client of this machine's cloud.
    pub fn new(home: &'a Home) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { home, runtime, client: None, acknowledged: Vec::new() }
    }

    /// Sends a request under a new id until it is answered; a refusal is given back.
    pub fn send(&mut self, mut ask: Ask) -> Result<Answered, Status> {
        *ask.request_id() = request_id();
        let answered = self.repeat(&ask)?;
        self.acknowledged.push((ask, answered.clone()));
        Ok(answered)
    }

    /// Sends a request as it is until it is answered.
    pub fn repeat(&mut self, ask: &Ask) -> Result<Answered, Status> {
        let began = Instant::now();
        loop {
            let status = match self.once(ask) {
                Ok(answered) => return Ok(answered),
                Err(status) => status,
            };
            match status.code() {
                Code::FailedPrecondition
                | Code::NotFound
                | Code::InvalidArgument
                | Code::AlreadyExists => return Err(status),
                _ => self.client = None,
            }
            assert!(began.elapsed() < LIMIT, "{ask:?} was not answered: {status}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn once(&mut self, ask: &Ask) -> Result<Answered, Status> {
        let mut client = self.client().ok_or_else(|| Status::unavailable("the cloud went away"))?;
        let sending = ask.send(&mut client);
        self.runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(30), sending)
                .await
                .unwrap_or_else(|_| Err(Status::unavailable("no answer")))
        })
    }

    /// Leaves its connection and takes another for the next request.
    pub fn reconnect(&mut self) {
        self.client = None;
    }

    /// Creates a thread of the `shell` agent on a repository that the cloud fetches itself.
    pub fn create(&mut self, repository: &str, mode: aloft_proto::v1::Mode, text: &str) -> String {
        self.create_with("shell", repository, mode, text)
    }

    /// The same for another agent.
    pub fn create_with(
        &mut self,
        agent: &str,
        repository: &str,
        mode: aloft_proto::v1::Mode,
        text: &str,
    ) -> String {
        let repository =
            aloft_proto::v1::Repository { url: repository.to_owned(), ..Default::default() };
        let mut request = CreateThreadRequest {
            repository: Some(repository),
            agent: agent.to_owned(),
            input: words(text),
            ..Default::default()
        };
        request.set_mode(mode);
        self.send(Ask::Create(Box::new(request))).unwrap().thread
    }

    /// Sends a message: a turn begins, or, with `queue`, it waits for the end of the running one.
    pub fn start(&mut self, thread: &str, text: &str, queue: bool) -> Result<Answered, Status> {
        let input = words(text);
        let thread_id = thread.to_owned();
        self.send(Ask::Start(StartTurnRequest { thread_id, input, queue, ..Default::default() }))
    }

    /// Corrects the running turn.
    pub fn steer(&mut self, thread: &str, text: &str) -> Result<Answered, Status> {
        let (thread_id, input) = (thread.to_owned(), words(text));
        self.send(Ask::Steer(SteerTurnRequest { thread_id, input, ..Default::default() }))
    }

    /// Stops this turn.
    pub fn interrupt(&mut self, thread: &str, turn: &str) -> Result<Answered, Status> {
        let (thread_id, expected_turn_id) = (thread.to_owned(), turn.to_owned());
        let request = InterruptTurnRequest { thread_id, expected_turn_id, ..Default::default() };
        self.send(Ask::Interrupt(request))
    }

    /// Answers the open question.
    pub fn answer(&mut self, thread: &str, option: &str) -> Result<Answered, Status> {
        let (thread_id, option_id) = (thread.to_owned(), option.to_owned());
        self.send(Ask::Answer(AnswerPermissionRequest {
            thread_id,
            option_id,
            ..Default::default()
        }))
    }

    /// Ends all processes of the thread.
    pub fn pause(&mut self, thread: &str) -> Result<Answered, Status> {
        let thread_id = thread.to_owned();
        self.send(Ask::Pause(PauseThreadRequest { thread_id, ..Default::default() }))
    }

    /// Brings the thread back.
    pub fn resume(&mut self, thread: &str) -> Result<Answered, Status> {
        let thread_id = thread.to_owned();
        self.send(Ask::Resume(ResumeThreadRequest { thread_id, ..Default::default() }))
    }

    /// Removes the thread.
    pub fn delete(&mut self, thread: &str) -> Result<Answered, Status> {
        let thread_id = thread.to_owned();
        self.send(Ask::Delete(DeleteThreadRequest { thread_id, ..Default::default() }))
    }

    /// A thread as it is now; `None` where there is none.
    pub fn thread(&mut self, thread: &str) -> Option<Thread> {
        poll::until(&format!("a look at {thread}"), || {
            let request =
                ReadThreadRequest { thread_id: thread.to_owned(), limit: 1, ..Default::default() };
            let mut client = self.client()?;
            match self.runtime.block_on(client.read_thread(request)) {
                Ok(read) => Some(read.into_inner().thread),
                Err(status) if status.code() == Code::NotFound => Some(None),
                Err(_) => {
                    self.client = None;
                    None
                }
            }
        })
    }

    /// What a thread does now.
    pub fn state(&mut self, thread: &str) -> ThreadState {
        self.thread(thread).unwrap().state()
    }

    /// The connection in use, or a new one; the cloud is started where it is gone.
    fn client(&mut self) -> Option<ThreadServiceClient<Channel>> {
        if self.client.is_none() {
            self.home.start_cloud();
            self.client = self.runtime.block_on(cloud::try_threads(self.home));
        }
        self.client.clone()
    }

    /// The whole log of a thread.
    pub fn log(&mut self, thread: &str) -> Vec<aloft_proto::v1::Event> {
        poll::until(&format!("the log of {thread}"), || {
            self.home.start_cloud();
            let home = self.home;
            self.runtime.block_on(cloud::log(home, thread))
        })
    }
}

impl Ask {
    /// The client's name of it.
    pub fn request_id(&mut self) -> &mut String {
        match self {
            Self::Create(request) => &mut request.request_id,
            Self::Start(request) => &mut request.request_id,
            Self::Steer(request) => &mut request.request_id,
            Self::Interrupt(request) => &mut request.request_id,
            Self::Answer(request) => &mut request.request_id,
            Self::Pause(request) => &mut request.request_id,
            Self::Resume(request) => &mut request.request_id,
            Self::Delete(request) => &mut request.request_id,
            Self::Update(request) => &mut request.request_id,
            Self::Move(request) => &mut request.request_id,
            Self::Remove(request) => &mut request.request_id,
        }
    }

    async fn send(&self, client: &mut ThreadServiceClient<Channel>) -> Result<Answered, Status> {
        let of_thread = |response: tonic::Response<aloft_proto::v1::ThreadResponse>| {
            let response = response.into_inner();
            let thread = response.thread.unwrap_or_default().id;
            Answered { thread, cursor: response.cursor, item: String::new() }
        };
        let of_turn = |response: tonic::Response<aloft_proto::v1::TurnResponse>| {
            let response = response.into_inner();
            let item = response.item.unwrap_or_default().id;
            Answered { item, cursor: response.cursor, thread: String::new() }
        };
        let at = |cursor: u64| Answered { cursor, ..Answered::default() };
        match self.clone() {
            Self::Create(request) => client.create_thread(*request).await.map(of_thread),
            Self::Start(request) => client.start_turn(request).await.map(of_turn),
            Self::Steer(request) => client.steer_turn(request).await.map(of_turn),
            Self::Interrupt(request) => {
                client.interrupt_turn(request).await.map(|done| at(done.into_inner().cursor))
            }
            Self::Answer(request) => {
                client.answer_permission(request).await.map(|done| at(done.into_inner().cursor))
            }
            Self::Pause(request) => client.pause_thread(request).await.map(of_thread),
            Self::Resume(request) => client.resume_thread(request).await.map(of_thread),
            Self::Delete(request) => client.delete_thread(request).await.map(of_thread),
            Self::Update(request) => client.update_thread(request).await.map(of_thread),
            Self::Move(request) => client.move_queued(request).await.map(|_| at(0)),
            Self::Remove(request) => client.remove_queued(request).await.map(|_| at(0)),
        }
    }
}
