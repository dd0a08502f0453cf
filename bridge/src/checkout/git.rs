//! Runs the git program so that it reads a repository without touching it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use crate::checkout::{Error, Result};

/// Reading a very large tree from a cold disk takes minutes, not more.
const LIMIT: Duration = Duration::from_secs(600);

/// What would redirect git to another repository than the one named.
const FOREIGN: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
];

/// Keeps git from starting daemons, running hooks, tidying up, or writing caches into the repository it reads.
const QUIET: [&str; 8] = [
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.splitIndex=false",
    "core.hooksPath=/dev/null",
    "core.quotePath=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "fetch.writeCommitGraph=false",
];

/// One way to call git: a folder, an environment, and settings.
#[derive(Clone, Debug)]
pub(super) struct Git {
    dir: PathBuf,
    env: Vec<(&'static str, OsString)>,
    config: Vec<OsString>,
}

/// How a call ended, where failure is an answer.
#[derive(Debug)]
pub(super) struct Output {
    /// Its exit code; a signal counts as 128.
    pub(super) code: i32,
    /// What it printed.
    pub(super) stdout: Vec<u8>,
    /// What it complained about.
    pub(super) stderr: String,
}

impl Git {
    /// Git in this folder, reading only.
    pub(super) fn reading(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            env: Vec::new(),
            config: QUIET.iter().map(Into::into).collect(),
        }
    }

    /// Git in this folder as its owner would call it, hooks and all.
    pub(super) fn acting(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), env: Vec::new(), config: Vec::new() }
    }

    /// With this variable too.
    pub(super) fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// With this setting too, as `key=value`.
    pub(super) fn config(mut self, setting: impl Into<OsString>) -> Self {
        self.config.push(setting.into());
        self
    }

    /// The command, for a caller that handles its streams itself.
    pub(super) fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.dir);
        for setting in &self.config {
            command.arg("-c").arg(setting);
        }
        command.args(args);
        for name in FOREIGN {
            command.env_remove(name);
        }
        command
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        command
    }

    /// Runs to the end with this on its standard input; any exit code is an answer.
    pub(super) async fn ask<S: AsRef<OsStr>>(&self, args: &[S], input: &[u8]) -> Result<Output> {
        let name = name_of(args);
        let mut command = self.command(args);
        command.stdin(Stdio::piped());
        let mut child = command.spawn().map_err(|source| self.failed_to_start(source))?;
        let stdin = child.stdin.take();
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A program that ends before it has read everything says why on its own.
                drop(stdin.write_all(input).await);
            }
        };
        let ended = timeout(LIMIT, async { tokio::join!(feed, child.wait_with_output()).1 }).await;
        let output = ended
            .map_err(|_| Error::Timeout { command: name, limit: LIMIT })?
            .map_err(|source| Error::Io { action: "run git in", path: self.dir.clone(), source })?;
        Ok(Output {
            code: output.status.code().unwrap_or(128),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// Runs to the end with this on its standard input; what it printed, or its complaint.
    pub(super) async fn feed<S: AsRef<OsStr>>(&self, args: &[S], input: &[u8]) -> Result<Vec<u8>> {
        let output = self.ask(args, input).await?;
        if output.code == 0 { Ok(output.stdout) } else { Err(self.complaint(args, &output.stderr)) }
    }

    /// Runs to the end; what it printed, or its complaint.
    pub(super) async fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Result<Vec<u8>> {
        self.feed(args, b"").await
    }

    /// Runs to the end; its one line of output.
    pub(super) async fn line<S: AsRef<OsStr>>(&self, args: &[S]) -> Result<String> {
        Ok(text(&self.run(args).await?))
    }

    /// Runs to the end; its one line of output, or nothing when it failed or printed none.
    pub(super) async fn maybe<S: AsRef<OsStr>>(&self, args: &[S]) -> Result<Option<String>> {
        let output = self.ask(args, b"").await?;
        let line = text(&output.stdout);
        Ok((output.code == 0 && !line.is_empty()).then_some(line))
    }

    /// The error of a call that failed.
    pub(super) fn complaint<S: AsRef<OsStr>>(&self, args: &[S], stderr: &str) -> Error {
        let detail = stderr
            .lines()
            .filter(|line| !line.trim().is_empty())
            .take(8)
            .collect::<Vec<_>>()
            .join("; ");
        let detail =
            if detail.is_empty() { "it failed and did not say why".into() } else { detail };
        Error::Git { command: name_of(args), path: self.dir.clone(), detail }
    }

    /// The error of a call that did not begin.
    pub(super) fn failed_to_start(&self, source: io::Error) -> Error {
        if source.kind() == io::ErrorKind::NotFound && self.dir.exists() {
            Error::NoGit
        } else {
            Error::Io { action: "run git in", path: self.dir.clone(), source }
        }
    }
}

/// Output without its last line end.
pub(super) fn text(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    text.strip_suffix('\n').unwrap_or(&text).to_owned()
}

/// The entries of output made with `-z`.
pub(super) fn entries(output: &[u8]) -> impl Iterator<Item = &[u8]> {
    output.split(|byte| *byte == 0).filter(|entry| !entry.is_empty())
}

fn name_of<S: AsRef<OsStr>>(args: &[S]) -> String {
    args.first().map(|name| name.as_ref().to_string_lossy().into_owned()).unwrap_or_default()
}
