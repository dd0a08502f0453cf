//! The cloud as another client of its gRPC sees it.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aloft_proto::v1::{
    Event, ReadThreadRequest, WatchThreadRequest, ssh_service_client::SshServiceClient,
    thread_service_client::ThreadServiceClient,
};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};

use crate::home::Home;

/// How long a watcher waits for the next event before it looks whether it shall end.
const LOOK: Duration = Duration::from_millis(100);

/// A client of the threads of a home's embedded cloud, which must run.
pub async fn threads(home: &Home) -> ThreadServiceClient<Channel> {
    ThreadServiceClient::new(channel(socket(home)).await)
}

/// A client of the ways into its sandboxes.
pub async fn ssh(home: &Home) -> SshServiceClient<Channel> {
    SshServiceClient::new(channel(socket(home)).await)
}

/// The socket of a home's embedded cloud, which must run.
pub fn socket(home: &Home) -> PathBuf {
    let address = home.json(["cloud", "status"])["address"].as_str().unwrap().to_owned();
    address.trim_start_matches("unix:").into()
}

/// A connection to a cloud's socket.
pub async fn channel(socket: PathBuf) -> Channel {
    try_channel(socket).await.unwrap()
}

async fn try_channel(socket: PathBuf) -> Option<Channel> {
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://localhost").connect_with_connector(connector).await.ok()
}

/// A client of the threads; `None` where no cloud runs.
pub async fn try_threads(home: &Home) -> Option<ThreadServiceClient<Channel>> {
    connect(home.cloud_socket()).await
}

async fn connect(socket: PathBuf) -> Option<ThreadServiceClient<Channel>> {
    try_channel(socket).await.map(ThreadServiceClient::new)
}

/// The whole log of a thread, nothing folded; `None` where the cloud went away.
pub async fn log(home: &Home, thread: &str) -> Option<Vec<Event>> {
    let mut client = try_threads(home).await?;
    let request = ReadThreadRequest { thread_id: thread.to_owned(), ..Default::default() };
    let last = client.read_thread(request).await.ok()?.into_inner().cursor;
    let request = WatchThreadRequest { thread_id: thread.to_owned(), after: 0, fold: false };
    let mut stream = client.watch_thread(request).await.ok()?.into_inner();
    let mut events = Vec::new();
    while events.last().is_none_or(|event: &Event| event.cursor < last) {
        events.push(stream.message().await.ok()??);
    }
    Some(events)
}

/// Follows a thread's log from its beginning, across every end of the cloud, in a thread of its own.
#[derive(Debug)]
pub struct Watcher {
    name: String,
    seen: Arc<Mutex<Vec<Event>>>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watcher {
    /// Begins to follow.
    pub fn new(home: &Home, name: &str) -> Self {
        let (seen, stop) = (Arc::<Mutex<Vec<Event>>>::default(), Arc::<AtomicBool>::default());
        let follower = Follower {
            socket: home.cloud_socket(),
            name: name.to_owned(),
            seen: Arc::clone(&seen),
            stop: Arc::clone(&stop),
        };
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(follower.follow());
        });
        Self { name: name.to_owned(), seen, stop, thread: Some(thread) }
    }

    /// The thread it follows.
    pub fn thread(&self) -> &str {
        &self.name
    }

    /// What was seen until now.
    pub fn seen(&self) -> Vec<Event> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

struct Follower {
    socket: PathBuf,
    name: String,
    seen: Arc<Mutex<Vec<Event>>>,
    stop: Arc<AtomicBool>,
}

impl Follower {
    async fn follow(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            if self.until_it_breaks().await == Some(Code::NotFound) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn until_it_breaks(&self) -> Option<Code> {
        let mut client = connect(self.socket.clone()).await?;
        let after = self.last();
        let request = WatchThreadRequest { thread_id: self.name.clone(), after, fold: false };
        let mut stream = match client.watch_thread(request).await {
            Ok(stream) => stream.into_inner(),
            Err(status) => return Some(status.code()),
        };
        while !self.stop.load(Ordering::Relaxed) {
            match tokio::time::timeout(LOOK, stream.message()).await {
                Err(_) => {}
                Ok(Ok(Some(event))) => {
                    self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(event);
                }
                Ok(_) => return None,
            }
        }
        None
    }

    fn last(&self) -> u64 {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.last().map_or(0, |event| event.cursor)
    }
}
