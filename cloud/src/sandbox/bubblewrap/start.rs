//! Starts a sandbox and watches for its end.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use aloft_fault::pass;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::sandbox::bubblewrap::arguments::{self, GATE, INFO, LISTENER, OPTIONS, SECCOMP};
use crate::sandbox::bubblewrap::layout::{Home, Record, remove_file};
use crate::sandbox::bubblewrap::process::{self, Identity};
use crate::sandbox::bubblewrap::spawn::{Child, Launch, Resource, spawn};
use crate::sandbox::bubblewrap::{Living, Shared, blocking, hindrance, seccomp, stop};
use crate::sandbox::guest::Guest;
use crate::sandbox::{Error, Exit, Result, Sandbox, Spec};

/// How long bubblewrap may take to make the namespaces.
const SETUP: Duration = Duration::from_secs(20);

/// How long the guest may take to answer for the first time.
const FIRST_ANSWER: Duration = Duration::from_secs(20);

/// How long the last words of an ended sandbox are waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Bytes kept of what bubblewrap and the guest write to their standard error.
const LOG: usize = 16 * 1024;

/// Connections that may wait for the guest.
const BACKLOG: i32 = 128;

/// What bubblewrap tells about the sandbox it made.
#[derive(Debug, Deserialize)]
struct Info {
    #[serde(rename = "child-pid")]
    child_pid: i32,
}

/// A process of bubblewrap that was just started.
#[derive(Debug)]
struct Begun {
    child: Child,
    info: OwnedFd,
    log: OwnedFd,
    /// The guest begins when something is written to it, and ends when it is closed without.
    gate: OwnedFd,
}

/// Starts a sandbox with its guest; of one that fails nothing keeps running.
pub(super) async fn sandbox(shared: Arc<Shared>, home: Home, spec: Spec) -> Result<Sandbox> {
    let outlive = shared.options.outlive;
    let command = arguments::guest_command(&spec, shared.limits_itself(), outlive);
    let (id, incarnation) = (spec.id.clone(), spec.incarnation);
    let (guest, mut exit) = with_command(&shared, home.clone(), spec, command).await?;
    let greeting = tokio::select! {
        greeting = guest.hello(FIRST_ANSWER) => greeting.map_err(|source| Error::Guest { id: id.clone(), source }),
        detail = async { exit.wait_for(Option::is_some).await.map(|exit| exit.clone()) } => {
            let detail = detail.ok().flatten().map(|exit| exit.detail).unwrap_or_default();
            Err(hindrance::explain(&detail).into())
        }
    };
    match greeting {
        Ok(_) => Ok(Sandbox::new(id, incarnation, guest, exit)),
        Err(error) => {
            // The first error is the one that tells why. A guest that has just ended has last words.
            let detail = stop::end_and_listen(&shared, &home, &id, LAST_WORDS).await;
            match (error, detail) {
                (Error::Guest { source, .. }, Some(detail)) if source.is_gone() => {
                    Err(hindrance::explain(&detail).into())
                }
                (error, _) => Err(error),
            }
        }
    }
}

/// Starts a sandbox that runs `command` in place of the guest's program; returns when its namespaces stand.
pub(super) async fn with_command(
    shared: &Arc<Shared>,
    home: Home,
    spec: Spec,
    command: Vec<OsString>,
) -> Result<(Guest, watch::Receiver<Option<Exit>>)> {
    let (id, incarnation) = (spec.id.clone(), spec.incarnation);
    if home.record().is_some_and(|record| record.init.lives()) {
        return Err(Error::Running { id });
    }
    // What an earlier start left behind, such as a socket.
    stop::suspend(Arc::clone(shared), home.clone(), id.clone()).await?;
    let guest = Guest::new(&home.guest_socket(), &id, incarnation);
    let begun = {
        let (shared, home) = (Arc::clone(shared), home.clone());
        blocking(move || begin(&shared, &home, &spec, &command)).await
    };
    let begun = match begun {
        Ok(begun) => begun,
        Err(error) => {
            stop::suspend(Arc::clone(shared), home, id).await?;
            return Err(error);
        }
    };
    let record = match identify(begun.info, begun.child.pid.as_raw_nonzero().get(), &id).await {
        Ok((init, monitor)) => Record { incarnation, init, monitor },
        Err(error) => {
            let said = last_words(begun.log).await;
            // It may hang instead of having ended.
            process::kill(&begun.child.descriptor).map_err(system("end bubblewrap", &id))?;
            let monitor = process::ended(begun.child.descriptor)
                .await
                .map_err(system("await the end", &id))?;
            process::reap(&monitor);
            stop::suspend(Arc::clone(shared), home, id).await?;
            return match error {
                Error::Slow { .. } => Err(error),
                _ => Err(hindrance::explain(&said).into()),
            };
        }
    };
    pass!("start.spawned");
    {
        let record = record.clone();
        blocking(move || home.set_record(&record)).await?;
    }
    // From here on it can be found again, so it may outlive this process.
    match rustix::io::write(&begun.gate, &[1]) {
        // One that has ended already has last words, which are listened to as those of any other.
        Ok(_) | Err(Errno::PIPE) => {}
        Err(error) => return Err(system("let the guest begin", &id)(error.into())),
    }
    let init = record.init.open().map_err(system("watch", &id))?;
    let exit = watch(shared, &id, &guest, record, init, Some((begun.child, begun.log)))?;
    Ok((guest, exit))
}

/// Watches a sandbox that was started by an earlier cloud; `None` when it has ended.
pub(super) fn watch_known(
    shared: &Arc<Shared>,
    id: &str,
    guest: &Guest,
    record: &Record,
) -> Result<Option<watch::Receiver<Option<Exit>>>> {
    match record.init.open().map_err(system("watch", id))? {
        Some(init) => watch(shared, id, guest, record.clone(), Some(init), None).map(Some),
        None => Ok(None),
    }
}

fn begin(shared: &Shared, home: &Home, spec: &Spec, command: &[OsString]) -> Result<Begun> {
    let id = &spec.id;
    let tool = shared.tool()?;
    let options = arguments::options(spec, &shared.layout, home, &shared.program, &tool.host)?;
    let filter = seccomp::filter(spec.nested)
        .map_err(io::Error::other)
        .map_err(system("write the filter", id))?;
    let user = shared.users.assign(id)?;
    home.create(user)?;
    let listener = listen(home)?;
    let groups =
        shared.groups.create(id, &spec.limits).map_err(system("make the control groups", id))?;
    let (info, info_end) =
        pipe_with(PipeFlags::CLOEXEC).map_err(|error| system("open a pipe", id)(error.into()))?;
    let (log, log_end) =
        pipe_with(PipeFlags::CLOEXEC).map_err(|error| system("open a pipe", id)(error.into()))?;
    let (gate_end, gate) =
        pipe_with(PipeFlags::CLOEXEC).map_err(|error| system("open a pipe", id)(error.into()))?;
    let null = |write: bool| {
        File::options().read(!write).write(write).open("/dev/null").map(OwnedFd::from)
    };
    // Never a file of the host: whoever holds a descriptor of it could open it anew.
    let descriptors = vec![
        (null(false).map_err(system("open the null device", id))?, 0),
        (null(true).map_err(system("open the null device", id))?, 1),
        (log_end, 2),
        (listener.into(), LISTENER),
        (info_end, INFO),
        (in_memory(&filter).map_err(system("store the filter", id))?, SECCOMP),
        (in_memory(&options).map_err(system("store the options", id))?, OPTIONS),
        (gate_end, GATE),
    ];
    let launch = Launch {
        program: c_string(tool.path.clone().into_os_string(), id)?,
        arguments: bubblewrap_arguments(command, id)?,
        descriptors,
        groups,
        limits: resource_limits(spec),
        identity: user.identity(),
    };
    let child = spawn(launch).map_err(|error| hindrance::not_startable(&error))?;
    Ok(Begun { child, info, log, gate })
}

fn listen(home: &Home) -> Result<UnixListener> {
    let socket = home.guest_socket();
    remove_file(&socket)?;
    let listener = UnixListener::bind(&socket).map_err(Error::file("listen at", &socket))?;
    // The standard library's own backlog is what this kernel allows; a bounded one suffices.
    rustix::net::listen(&listener, BACKLOG)
        .map_err(|error| Error::file("listen at", &socket)(error.into()))?;
    Ok(listener)
}

fn resource_limits(spec: &Spec) -> Vec<(Resource, u64)> {
    let mut limits = vec![(Resource::Core, 0)];
    if spec.limits.file_bytes > 0 {
        limits.push((Resource::File, spec.limits.file_bytes));
    }
    limits
}

fn bubblewrap_arguments(command: &[OsString], id: &str) -> Result<Vec<CString>> {
    let options =
        [OsString::from("bwrap"), "--args".into(), OPTIONS.to_string().into(), "--".into()];
    options
        .into_iter()
        .chain(command.iter().cloned())
        .map(|argument| c_string(argument, id))
        .collect()
}

fn c_string(text: OsString, id: &str) -> Result<CString> {
    let shown = format!("an argument of sandbox {id}");
    CString::new(text.into_vec())
        .map_err(|_| Error::Invalid { what: shown, reason: "it holds a NUL byte" })
}

/// A file in memory, to be read from its beginning.
fn in_memory(content: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("aloft", MemfdFlags::CLOEXEC)?);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file.into())
}

/// Reads what bubblewrap tells, to its end, and takes down who its processes are.
async fn identify(info: OwnedFd, monitor: i32, id: &str) -> Result<(Identity, Identity)> {
    let mut info = pipe::Receiver::from_owned_fd(info).map_err(system("read the start", id))?;
    let mut text = Vec::new();
    let slow = |_| Error::Slow { action: "start", id: id.to_owned(), seconds: SETUP.as_secs() };
    let read = tokio::time::timeout(SETUP, info.read_to_end(&mut text)).await.map_err(slow)?;
    read.map_err(system("read the start", id))?;
    let info: Info = serde_json::from_slice(&text)
        .map_err(|error| system("read the start", id)(error.into()))?;
    let identity = |pid| Identity::of(pid).map_err(system("look at the first process", id));
    Ok((identity(info.child_pid)?, identity(monitor)?))
}

async fn last_words(log: OwnedFd) -> String {
    let mut said = Vec::new();
    if let Ok(mut log) = pipe::Receiver::from_owned_fd(log) {
        // What was read before the time was over is kept.
        tokio::time::timeout(LAST_WORDS, log.read_to_end(&mut said)).await.ok();
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Follows a sandbox to its end, in a task that lasts as long, and takes the remains of its process.
fn watch(
    shared: &Arc<Shared>,
    id: &str,
    guest: &Guest,
    record: Record,
    init: Option<OwnedFd>,
    own: Option<(Child, OwnedFd)>,
) -> Result<watch::Receiver<Option<Exit>>> {
    let (sender, exit) = watch::channel(None);
    let (child, log) = own.unzip();
    let log =
        log.map(pipe::Receiver::from_owned_fd).transpose().map_err(system("read the log", id))?;
    let name = id.to_owned();
    let task = async move {
        let log = tokio::spawn(keep_log(name.clone(), log));
        for descriptor in init.into_iter().chain(child.map(|child| child.descriptor)) {
            match process::ended(descriptor).await {
                Ok(descriptor) => process::reap(&descriptor),
                Err(error) => {
                    tracing::warn!(sandbox = name, %error, "the end of a sandbox cannot be awaited");
                }
            }
        }
        let detail = tokio::time::timeout(LAST_WORDS, log)
            .await
            .ok()
            .and_then(Result::ok)
            .unwrap_or_default();
        tracing::debug!(sandbox = name, detail, "sandbox ended");
        sender.send_replace(Some(Exit { detail }));
    };
    let living = Living {
        record,
        guest: guest.clone(),
        exit: exit.clone(),
        _watch: AbortOnDropHandle::new(tokio::spawn(task)),
    };
    shared.living().insert(id.to_owned(), living);
    Ok(exit)
}

/// Drains what a sandbox writes to its standard error, so that it is never held up; the end of it is kept.
async fn keep_log(id: String, log: Option<pipe::Receiver>) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    if let Some(mut log) = log {
        while let Ok(length @ 1..) = log.read(&mut buffer).await {
            kept.extend_from_slice(&buffer[..length]);
            let surplus = kept.len().saturating_sub(LOG);
            kept.drain(..surplus);
            tracing::trace!(sandbox = id, bytes = length, "a sandbox wrote to its standard error");
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

pub(super) fn system(action: &'static str, id: &str) -> impl FnOnce(io::Error) -> Error {
    let id = id.to_owned();
    move |source| Error::System { action, id, source }
}
