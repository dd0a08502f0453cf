//! One run of the git CLI: a clean environment, no hooks, no prompts, its own process group, an end for certain.

mod words;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use words::Progress;

use crate::git::command::words::{detail_of, drain};
use crate::git::{Error, Result};

/// The oldest git this module was written for.
const OLDEST: (u32, u32) = (2, 30);
/// Time for a command that touches only the disk.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(300);
/// What a command that is not wanted any more has to take its locks away.
const GRACE: Duration = Duration::from_secs(1);
/// Most that is read of a command's answer; a list of a million files fits.
const ANSWER_LIMIT: usize = 256 << 20;
/// What a command sees of the cloud's own environment: how to reach the network, nothing else.
const KEPT_ENVIRONMENT: &[&str] = &[
    "PATH",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
];
/// Given on every command line, so that no repository's own configuration matters.
const CONFIG: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.fsync=all",
    "gc.auto=0",
    "maintenance.auto=false",
    "fetch.unpackLimit=1",
    "protocol.version=2",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=120",
];

/// A command to run; built, then consumed by one of the `run…` functions.
pub(crate) struct Git {
    command: Command,
    attempt: String,
    timeout: Duration,
    input: Vec<u8>,
    progress: Option<watch::Sender<Progress>>,
}

/// A command whose answer is read as it comes. Dropping it ends its whole process group.
pub(crate) struct Running {
    /// What it prints.
    pub(crate) stdout: ChildStdout,
    words: JoinHandle<Vec<u8>>,
    input: Option<JoinHandle<()>>,
    group: ProcessGroup,
    attempt: String,
}

/// A process and all that it starts: ended when this is dropped and it was not waited for.
struct ProcessGroup(Option<Child>);

impl Git {
    /// A command that belongs to no repository. `attempt` reads after "failed to …".
    pub(crate) fn new(attempt: impl Into<String>) -> Self {
        let mut command = Command::new("git");
        command.env_clear();
        for name in KEPT_ENVIRONMENT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs([
            ("LC_ALL", "C"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_LITERAL_PATHSPECS", "1"),
            ("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh"),
            ("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=30"),
        ]);
        for pair in CONFIG {
            command.args(["-c", pair]);
        }
        command
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        Self {
            command,
            attempt: attempt.into(),
            timeout: LOCAL_TIMEOUT,
            input: Vec::new(),
            progress: None,
        }
    }

    /// A command on one bare repository. The repository is named, never searched for.
    pub(crate) fn at(repository: &Path, attempt: impl Into<String>) -> Self {
        Self::new(attempt).arg("--git-dir").arg(repository)
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Bytes for its standard input.
    pub(crate) fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self.command.stdin(Stdio::piped());
        self
    }

    /// A file as its standard input, read from where it stands.
    pub(crate) fn input_file(mut self, file: File) -> Self {
        self.command.stdin(Stdio::from(file));
        self
    }

    /// Where its progress is told.
    pub(crate) fn progress(mut self, progress: watch::Sender<Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Runs it to its end; anything but exit code 0 is an error.
    pub(crate) async fn run(self) -> Result<Vec<u8>> {
        Ok(self.succeed().await?.0)
    }

    /// As `run`, but gives what it said on its standard error.
    pub(crate) async fn words(self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.succeed().await?.1).into_owned())
    }

    async fn succeed(self) -> Result<(Vec<u8>, Vec<u8>)> {
        let attempt = self.attempt.clone();
        let (status, answer, words) = self.finish().await?;
        if status.success() {
            Ok((answer, words))
        } else {
            Err(Error::Command { attempt, detail: detail_of(&words, status) })
        }
    }

    /// Runs it to its end; the first line of its answer as text.
    pub(crate) async fn line(self) -> Result<String> {
        let answer = self.run().await?;
        Ok(first_line(&answer))
    }

    /// Runs it to its end; `None` where it says no with exit code 1 or git's own 128.
    pub(crate) async fn line_if_any(self) -> Result<Option<String>> {
        let (status, answer, _) = self.finish().await?;
        let line = first_line(&answer);
        Ok((status.success() && !line.is_empty()).then_some(line))
    }

    /// Starts it; its answer is read as it comes. The reader keeps the time.
    pub(crate) fn start(mut self) -> Result<Running> {
        let mut child = self.command.spawn().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                Error::Unusable("there is no program `git` in PATH".to_owned())
            }
            _ => Error::io(self.attempt.clone())(source),
        })?;
        let input = child.stdin.take().map(|mut stdin| {
            let bytes = std::mem::take(&mut self.input);
            // A command that ends before it has read everything says why on its standard error.
            tokio::spawn(async move { drop(stdin.write_all(&bytes).await) })
        });
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(Error::io(self.attempt)(io::Error::other("no pipe to git")));
        };
        let words = tokio::spawn(drain(stderr, self.progress.take()));
        let group = ProcessGroup(Some(child));
        Ok(Running { stdout, words, input, group, attempt: self.attempt })
    }

    /// Runs it to its end, whatever that is: its status, its answer and what it said on its standard error.
    pub(crate) async fn outcome(self) -> Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
        self.finish().await
    }

    async fn finish(self) -> Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
        let (timeout, attempt) = (self.timeout, self.attempt.clone());
        let mut running = self.start()?;
        let work = async {
            let mut answer = Vec::new();
            let limit = ANSWER_LIMIT as u64 + 1;
            (&mut running.stdout)
                .take(limit)
                .read_to_end(&mut answer)
                .await
                .map_err(Error::io(attempt.clone()))?;
            if answer.len() > ANSWER_LIMIT {
                return Err(Error::TooLarge { what: "git's answer", limit: ANSWER_LIMIT as u64 });
            }
            let (status, words) = running.end().await?;
            Ok((status, answer, words))
        };
        match tokio::time::timeout(timeout, work).await {
            Ok(done) => done,
            Err(_) => Err(Error::Timeout { attempt, seconds: timeout.as_secs() }),
        }
    }
}

impl Running {
    /// Waits for its end, after everything it printed was read.
    pub(crate) async fn end(&mut self) -> Result<(ExitStatus, Vec<u8>)> {
        let status = self.group.wait().await.map_err(Error::io(self.attempt.clone()))?;
        let words = (&mut self.words).await.unwrap_or_default();
        Ok((status, words))
    }

    /// As `end`; anything but exit code 0 is an error.
    pub(crate) async fn succeed(&mut self) -> Result<()> {
        let (status, words) = self.end().await?;
        if status.success() {
            Ok(())
        } else {
            Err(Error::Command { attempt: self.attempt.clone(), detail: detail_of(&words, status) })
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.words.abort();
        if let Some(input) = &self.input {
            input.abort();
        }
    }
}

impl ProcessGroup {
    async fn wait(&mut self) -> io::Result<ExitStatus> {
        let Some(child) = &mut self.0 else { return Err(io::Error::other("it has ended")) };
        let status = child.wait().await?;
        self.0 = None;
        Ok(status)
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        let Some(mut child) = self.0.take() else { return };
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let Some(group) = id else { return };
        // Gone already is as good. A git that is killed at once leaves its locks, which keep out all that come after it.
        kill_process_group(group, Signal::TERM).ok();
        let kill = Kill(group);
        let end = async move {
            drop(tokio::time::timeout(GRACE, child.wait()).await);
            drop(kill);
            drop(child.wait().await);
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(end);
        }
    }
}

/// Kills a group when it is dropped, also where the runtime has no time any more.
struct Kill(Pid);

impl Drop for Kill {
    fn drop(&mut self) {
        kill_process_group(self.0, Signal::KILL).ok();
    }
}

/// The version of git on this machine.
pub async fn version() -> Result<String> {
    let line = Git::new("ask git for its version").arg("version").line().await?;
    let text = line.trim_start_matches("git version ").to_owned();
    let mut numbers = text.split('.').map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST => Ok(text),
        (Some(_), Some(_)) => {
            Err(Error::Unusable(format!("git {text} is older than {}.{}", OLDEST.0, OLDEST.1)))
        }
        _ => Err(Error::Unusable(format!("`{line}` names no version"))),
    }
}

fn first_line(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).lines().next().unwrap_or_default().to_owned()
}

impl std::fmt::Debug for Git {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let args: Vec<OsString> = self.command.as_std().get_args().map(OsStr::to_owned).collect();
        f.debug_struct("Git")
            .field("attempt", &self.attempt)
            .field("args", &args)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::mirror::make_bare;

    #[tokio::test]
    async fn the_version_is_found() {
        assert!(version().await.unwrap().starts_with('2'));
    }

    #[tokio::test]
    async fn an_error_keeps_the_words_of_git() {
        let error = Git::at(Path::new("/nonexistent"), "list refs of x")
            .arg("for-each-ref")
            .run()
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "list refs of x: fatal: not a git repository: '/nonexistent'"
        );
    }

    #[tokio::test]
    async fn a_command_that_is_not_wanted_any_more_leaves_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let (repository, script) = (folder.path().join("r.git"), folder.path().join("script"));
        make_bare(&repository, "sha1", "0600").await.unwrap();
        let tree = Git::at(&repository, "write a tree").arg("mktree").line().await.unwrap();
        let mut commit = Git::at(&repository, "commit").args(["commit-tree", "-m", "x", &tree]);
        for who in ["AUTHOR", "COMMITTER"] {
            for what in ["NAME", "EMAIL"] {
                commit = commit.env(&format!("GIT_{who}_{what}"), "ada");
            }
        }
        let commit = commit.line().await.unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &script,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        let both = || File::options().read(true).write(true).open(&script).unwrap();
        let mut said = both();
        let running =
            Git::at(&repository, "wait").args(["update-ref", "--stdin"]).input_file(both());
        let running = running.start().unwrap();
        let words = format!("start\ncreate refs/heads/x {commit}\nprepare\n");
        std::io::Write::write_all(&mut said, words.as_bytes()).unwrap();
        let lock = repository.join("refs/heads/x.lock");
        let until = async |is_there: bool| {
            for _ in 0..1_000 {
                if lock.exists() == is_there {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            panic!("is there the lock? {}", lock.exists());
        };
        until(true).await;
        drop(running);
        until(false).await;
    }

    #[tokio::test]
    async fn a_command_that_takes_too_long_is_ended_with_its_children() {
        let marker = tempfile::tempdir().unwrap();
        let file = marker.path().join("pid");
        let alias = format!("alias.wait=!echo $$ > {}; sleep 600", file.display());
        let error = Git::new("wait")
            .args(["-c", &alias, "wait"])
            .timeout(Duration::from_millis(700))
            .run()
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error}");
        let pid: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        for _ in 0..200 {
            let gone = std::fs::read_to_string(format!("/proc/{pid}/stat"))
                .map_or(true, |stat| stat.contains(") Z "));
            if gone {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("process {pid} still lives");
    }
}
