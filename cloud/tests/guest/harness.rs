//! A guest of its own for each test, with its own folder, ended with the test.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aloft_proto::guest::guest_control_client::GuestControlClient;
use aloft_proto::guest::guest_dial_client::GuestDialClient;
use aloft_proto::guest::guest_files_client::GuestFilesClient;
use aloft_proto::guest::guest_process_client::GuestProcessClient;
use aloft_proto::guest::process_event::Event;
use aloft_proto::guest::{
    AttachRequest, Ended, HelloRequest, HelloResponse, KillRequest, StartRequest,
};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

const PROGRAM: &str = env!("CARGO_BIN_EXE_aloft-cloud");

pub(crate) const SANDBOX: &str = "sandbox-1";

/// Longest that anything may take before a test fails instead of hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Guest {
    pub(crate) home: TempDir,
    pub(crate) channel: Channel,
    pub(crate) child: Child,
}

/// All a process wrote, and its end.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) ended: Ended,
}

impl Guest {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(more: &[&str]) -> Self {
        Self::run(|_| Command::new(PROGRAM), more)
    }

    /// Inside a bubblewrap sandbox with namespaces of its own, on the files of this machine, read-only.
    pub(crate) fn in_sandbox() -> Self {
        let command = |home: &Path| {
            let mut bwrap = Command::new("bwrap");
            bwrap.args([
                "--unshare-user",
                "--unshare-pid",
                "--unshare-net",
                "--unshare-ipc",
                "--cap-drop",
                "ALL",
            ]);
            bwrap.args(["--new-session", "--die-with-parent", "--uid", "1000", "--gid", "1000"]);
            bwrap.args(["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]);
            bwrap.arg("--bind").args([home, home]).arg(PROGRAM);
            bwrap
        };
        Self::run(command, &[])
    }

    fn run(command: impl FnOnce(&Path) -> Command, more: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("workspace");
        std::fs::create_dir(&root).unwrap();
        let socket = home.path().join("guest.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        // Standard input is the one descriptor that can be handed on without unsafe code.
        let child = command(home.path())
            .args([
                "guest",
                "--listen-fd",
                "0",
                "--port",
                "0",
                "--incarnation",
                "7",
                "--sandbox",
                SANDBOX,
            ])
            .arg("--relay")
            .arg(home.path().join("cloud.sock"))
            .arg("--root")
            .arg(&root)
            .args(more)
            .stdin(OwnedFd::from(listener))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { channel: channel(socket), home, child }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.home.path().join("workspace")
    }

    pub(crate) fn control(&self) -> GuestControlClient<Channel> {
        GuestControlClient::new(self.channel.clone())
    }

    pub(crate) fn processes(&self) -> GuestProcessClient<Channel> {
        GuestProcessClient::new(self.channel.clone())
    }

    pub(crate) fn files(&self) -> GuestFilesClient<Channel> {
        GuestFilesClient::new(self.channel.clone())
    }

    pub(crate) fn dial(&self) -> GuestDialClient<Channel> {
        GuestDialClient::new(self.channel.clone())
    }

    pub(crate) async fn hello(&self) -> HelloResponse {
        let hello = HelloRequest { protocol: 1, sandbox_id: SANDBOX.into() };
        self.control().hello(hello).await.unwrap().into_inner()
    }

    pub(crate) async fn shell(&self, id: &str, script: &str) -> u32 {
        self.processes().start(shell(id, script)).await.unwrap().into_inner().pid
    }

    pub(crate) async fn attach(
        &self,
        id: &str,
        stdout_offset: u64,
    ) -> Streaming<aloft_proto::guest::ProcessEvent> {
        let request = AttachRequest { id: id.into(), stdout_offset, stderr_offset: 0 };
        self.processes().attach(request).await.unwrap().into_inner()
    }

    /// Everything from the beginning to the end.
    pub(crate) async fn whole(&self, id: &str) -> Whole {
        let mut stream = self.attach(id, 0).await;
        let mut whole = Whole::default();
        let read = async {
            while let Some(event) = stream.message().await.unwrap() {
                match event.event.unwrap() {
                    Event::Stdout(output) => {
                        assert_eq!(output.offset, whole.stdout.len() as u64, "no gap");
                        whole.stdout.extend(&output.data);
                    }
                    Event::Stderr(output) => whole.stderr.extend(&output.data),
                    Event::Ended(ended) => whole.ended = ended,
                }
            }
        };
        tokio::time::timeout(PATIENCE, read).await.expect("the process ends");
        whole
    }

    pub(crate) async fn kill(&self, id: &str, grace_millis: u32) -> Result<u32, Status> {
        let request = KillRequest { id: id.into(), grace_millis };
        Ok(self.processes().kill(request).await?.into_inner().killed)
    }

    /// A figure of the guest's own status, such as `VmRSS` in KiB or `Threads`.
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line =
            status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.split_ascii_whitespace().next().unwrap().parse().unwrap()
    }

    /// What descends from the guest: numbers and states.
    pub(crate) fn descendants(&self) -> Vec<(i32, char)> {
        let all = stats();
        let guest = self.child.id().cast_signed();
        let parent = |pid: i32| all.iter().find(|stat| stat.0 == pid).map(|stat| stat.1);
        let below = |pid: i32| {
            std::iter::successors(parent(pid), |pid| parent(*pid)).any(|pid| pid == guest)
        };
        all.iter().filter(|stat| below(stat.0)).map(|stat| (stat.0, stat.2)).collect()
    }

    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        until("the guest ends", || self.child.try_wait().unwrap()).await.code()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Whatever a failed test left must not outlive it: the guest is their subreaper, so they are all below it.
        for _ in 0..50 {
            let below = self.descendants();
            if below.is_empty() {
                break;
            }
            for (pid, _) in below {
                if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                    let _gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                }
            }
        }
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

pub(crate) fn shell(id: &str, script: &str) -> StartRequest {
    start(id, &["/bin/sh", "-c", script])
}

pub(crate) fn start(id: &str, argv: &[&str]) -> StartRequest {
    StartRequest {
        id: id.into(),
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        ..StartRequest::default()
    }
}

/// Asks again until there is an answer.
pub(crate) async fn until<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn channel(socket: PathBuf) -> Channel {
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    // A small window, so that a slow reader is felt at once.
    Endpoint::from_static("http://guest")
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(256 * 1024)
        .connect_with_connector_lazy(connector)
}

fn stats() -> Vec<(i32, i32, char)> {
    let stat = |pid: i32| {
        let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat).into_owned();
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let state = fields.next()?.chars().next()?;
        Some((pid, fields.next()?.parse().ok()?, state))
    };
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(stat).collect()
}
