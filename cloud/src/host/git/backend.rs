//! Runs `git http-backend` for one request, with an environment of its own and nothing of the user's configuration.

use std::{io, path::PathBuf, process::Stdio, time::Duration};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, StatusCode, header, request::Parts},
};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream, stream::BoxStream};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    task::JoinSet,
};

use crate::host::{body, git::Service};

/// Longest silence of git; checking a large pack is silent.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
const MAX_HEAD_BYTES: u64 = 16 * 1024;
const PIECE_BYTES: usize = 64 * 1024;
const MAX_LOGGED_BYTES: u64 = 4096;

/// The repository that one request is about, and the terms on which it is served.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    /// Its bare repository.
    pub(crate) path: PathBuf,
    /// Who asks, as hooks are told.
    pub(crate) user: String,
    /// Configuration of git for this request; stands above that of the repository.
    pub(crate) settings: Vec<(&'static str, String)>,
}

/// What went wrong. Reads after "failed to …".
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No git, or no process.
    #[error("start git http-backend")]
    Start(#[source] io::Error),
    /// It said nothing that is an answer.
    #[error("read the answer of git http-backend")]
    Head(#[source] io::Error),
}

/// A running backend: goes with everything it started when dropped.
struct Backend {
    child: Child,
    output: BufReader<ChildStdout>,
    /// Feeds its input and drains its errors.
    _helpers: JoinSet<()>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        // No id = it has been waited for, and the number may be another's.
        let group = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        if let Some(group) = group {
            // It may just have ended.
            let _gone = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Answers one request with what git says.
pub(crate) async fn run(
    served: &Served,
    service: Service,
    parts: &Parts,
    input: BoxStream<'static, Result<Bytes, body::Error>>,
) -> Result<Response<Body>, Error> {
    let mut child = command(served, service, parts).spawn().map_err(Error::Start)?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Error::Start(io::Error::other("it has no pipes")));
    };
    let mut helpers = JoinSet::new();
    helpers.spawn(feed(stdin, input));
    helpers.spawn(drain_errors(stderr));
    let mut backend = Backend { child, output: BufReader::new(stdout), _helpers: helpers };
    let mut response = tokio::time::timeout(IDLE_TIMEOUT, read_head(&mut backend.output))
        .await
        .map_err(|elapsed| Error::Head(elapsed.into()))?
        .map_err(Error::Head)?;
    *response.body_mut() = Body::from_stream(stream::unfold(Some(backend), pass_on));
    Ok(response)
}

fn command(served: &Served, service: Service, parts: &Parts) -> Command {
    let path = match service {
        Service::Refs => "/info/refs",
        Service::UploadPack => "/git-upload-pack",
        Service::ReceivePack => "/git-receive-pack",
    };
    let text = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()))
        .env("LC_ALL", "C")
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_PROJECT_ROOT", &served.path)
        .env("PATH_INFO", path)
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("REMOTE_USER", &served.user)
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("CONTENT_TYPE", text(header::CONTENT_TYPE).unwrap_or_default());
    if let Some(encoding) = text(header::CONTENT_ENCODING) {
        command.env("HTTP_CONTENT_ENCODING", encoding);
    }
    if let Some(protocol) = text(HeaderName::from_static("git-protocol")) {
        command.env("GIT_PROTOCOL", protocol);
    }
    let safe = ("safe.directory", served.path.to_string_lossy().into_owned());
    for (index, (key, value)) in [&safe].into_iter().chain(&served.settings).enumerate() {
        command.env(format!("GIT_CONFIG_KEY_{index}"), key);
        command.env(format!("GIT_CONFIG_VALUE_{index}"), value);
        command.env("GIT_CONFIG_COUNT", (index + 1).to_string());
    }
    command
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

async fn feed(mut stdin: ChildStdin, mut input: BoxStream<'static, Result<Bytes, body::Error>>) {
    while let Some(piece) = input.next().await {
        // A broken body leaves git with a torn pack, which it refuses; a broken pipe is git's own end.
        let Ok(piece) = piece else { return };
        if stdin.write_all(&piece).await.is_err() {
            break;
        }
    }
    drop(stdin);
    while let Some(Ok(_)) = input.next().await {}
}

async fn drain_errors(mut stderr: ChildStderr) {
    let mut text = Vec::new();
    let read = (&mut stderr).take(MAX_LOGGED_BYTES).read_to_end(&mut text).await;
    if read.is_ok() && !text.is_empty() {
        tracing::debug!(text = %String::from_utf8_lossy(&text), "git http-backend complains");
    }
    // The rest, so that git never waits for us; nothing is lost with an error here.
    let _rest = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
}

/// CGI headers, up to the empty line.
async fn read_head(output: &mut BufReader<ChildStdout>) -> io::Result<Response<Body>> {
    let mut response = Response::new(Body::empty());
    let mut output = output.take(MAX_HEAD_BYTES);
    let mut line = String::new();
    loop {
        line.clear();
        if output.read_line(&mut line).await? == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it ended within its headers",
            ));
        }
        let Some((name, value)) = line.trim_end().split_once(':') else {
            return Ok(response);
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().and_then(|code| code.parse().ok());
            *response.status_mut() = code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        } else if let (Ok(name), Ok(value)) =
            (name.parse::<HeaderName>(), HeaderValue::from_str(value))
        {
            response.headers_mut().insert(name, value);
        }
    }
}

async fn pass_on(backend: Option<Backend>) -> Option<(io::Result<Bytes>, Option<Backend>)> {
    let mut backend = backend?;
    let mut piece = BytesMut::with_capacity(PIECE_BYTES);
    match tokio::time::timeout(IDLE_TIMEOUT, backend.output.read_buf(&mut piece)).await {
        Ok(Ok(0)) => {
            // Its output is closed: it ends at once, or is ended by the drop.
            let ended = tokio::time::timeout(Duration::from_secs(5), backend.child.wait()).await;
            if let Ok(Ok(status)) = ended
                && !status.success()
            {
                tracing::debug!(%status, "git http-backend failed");
            }
            None
        }
        Ok(Ok(_)) => Some((Ok(piece.freeze()), Some(backend))),
        Ok(Err(error)) => Some((Err(error), None)),
        Err(elapsed) => Some((Err(elapsed.into()), None)),
    }
}
