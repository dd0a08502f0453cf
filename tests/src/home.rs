//! A person's machine with the real programs in it.

use std::{
    ffi::OsStr,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{git, poll};

/// A person's machine: everything below one folder, removed at the end.
#[derive(Debug)]
pub struct Home {
    root: TempDir,
    env: Vec<(String, String)>,
}

/// What a command left.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its exit code; 255 after a signal.
    pub code: i32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error, as text.
    pub stderr: String,
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Home {
    /// A new machine on which nothing was done yet.
    pub fn new() -> Self {
        // Short, because sockets live below it; traversable, because a sandbox's own user must reach its folder.
        let root = tempfile::Builder::new().prefix("al").tempdir_in("/var/tmp").unwrap();
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        let home = Self { root, env: Vec::new() };
        std::fs::create_dir_all(home.path("home")).unwrap();
        home.configure("");
        home
    }

    /// The same with another variable in the environment of everything it starts.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// The same with a cloud whose clock this test moves.
    #[must_use]
    pub fn with_clock(self) -> Self {
        let file = self.path("clock").display().to_string();
        self.with("ALOFT_TEST_CLOCK", file)
    }

    /// Lets it be so many days later than it is.
    pub fn later(&self, days: f64) {
        let ahead = std::time::Duration::from_secs_f64(days * 24.0 * 3_600.0).as_millis();
        // At once: the cloud may look at any time.
        std::fs::write(self.path("clock.new"), ahead.to_string()).unwrap();
        std::fs::rename(self.path("clock.new"), self.path("clock")).unwrap();
    }

    /// Writes `config.toml`: what the cloud shall know, with the place of sandboxes added.
    pub fn configure(&self, text: &str) {
        std::fs::create_dir_all(self.path("config")).unwrap();
        let places = format!("[serve]\nsandboxDir = \"{}\"\n", self.path("s").display());
        std::fs::write(self.path("config/config.toml"), format!("{places}{text}")).unwrap();
    }

    /// A path below the machine's folder.
    pub fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    /// A small repository, the same in every test.
    pub fn repository(&self) -> PathBuf {
        git::repository(&self.path("repository"))
    }

    /// `aloft` with these arguments, ready to be started.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(program("aloft"));
        command.args(args).current_dir(self.path("home")).stdin(Stdio::null());
        self.dress(&mut command);
        command
    }

    /// Gives a command this machine's environment and nothing else.
    pub fn dress(&self, command: &mut Command) {
        command.env_clear();
        for name in ["PATH", "LANG", "ALOFT_TEST_AGENTS", "CARGO_LLVM_COV", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("HOME", self.path("home"))
            .env("ALOFT_CONFIG_DIR", self.path("config"))
            .env("ALOFT_DATA_DIR", self.path("data"))
            .env("ALOFT_RUNTIME_DIR", self.path("run"))
            .envs(self.env.iter().map(|(name, value)| (name, value)));
    }

    /// Runs `aloft` to its end.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        finish(self.command(args))
    }

    /// Runs `aloft`, which must work; gives its standard output as text.
    pub fn ok<S: AsRef<OsStr> + std::fmt::Debug>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> String {
        let args: Vec<S> = args.into_iter().collect();
        let run = self.run(&args);
        assert_eq!(run.code, 0, "aloft {args:?}\n{}\n{}", run.text(), run.stderr);
        run.text()
    }

    /// Runs `aloft … --json`, which must work; gives what it printed.
    pub fn json<S: AsRef<OsStr> + std::fmt::Debug>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> Value {
        let mut words: Vec<std::ffi::OsString> =
            args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        words.push("--json".into());
        let text = self.ok(words);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Runs `aloft … --json`, which must fail with this code; gives the error.
    pub fn fails<S: AsRef<OsStr>>(&self, code: i32, args: impl IntoIterator<Item = S>) -> Value {
        let mut words: Vec<std::ffi::OsString> =
            args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        words.push("--json".into());
        let run = self.run(&words);
        assert_eq!(run.code, code, "aloft {words:?}\n{}\n{}", run.text(), run.stderr);
        let value: Value = serde_json::from_str(&run.text())
            .unwrap_or_else(|error| panic!("{error}: {}", run.text()));
        value["error"].clone()
    }

    /// Creates a thread of the `shell` agent on a repository and waits for its first turn.
    pub fn shell(&self, repository: &Path, mode: &str, prompt: &str) -> Value {
        let repository = repository.to_str().unwrap();
        self.json([
            "new", "--agent", "shell", "--mode", mode, "--repo", repository, "--wait", prompt,
        ])
    }

    /// Creates a thread of the `shell` agent in mode auto without waiting for anything; gives its id.
    pub fn begin(&self, repository: &Path, mode: &str, prompt: &str) -> String {
        let repository = repository.to_str().unwrap();
        let words = ["new", "--agent", "shell", "--mode", mode, "--repo", repository, prompt];
        self.json(words)["id"].as_str().unwrap().to_owned()
    }

    /// Where a thread's workspace lies on this machine.
    pub fn workspace(&self, thread: &str) -> PathBuf {
        self.path("s/s").join(thread).join("workspace")
    }

    /// A word that stands nowhere else on this machine.
    pub fn mark(&self, name: &str) -> String {
        let own = self.root.path().file_name().unwrap().to_string_lossy().into_owned();
        format!("mark-{own}-{name}")
    }

    /// Waits until a turn has ended, and gives it.
    pub fn wait_turn(&self, thread: &str, number: u64) -> Value {
        poll::until(&format!("turn {number} of {thread} to end"), || {
            let shown = self.show(thread);
            let turns = shown["turns"].as_array().unwrap();
            turns
                .iter()
                .find(|turn| turn["number"] == number && turn["state"] != "running")
                .cloned()
        })
    }

    /// The thread with its turns and items.
    pub fn show(&self, thread: &str) -> Value {
        self.json(["show", thread])
    }

    /// Waits until the thread is in this state.
    pub fn wait_state(&self, thread: &str, state: &str) -> Value {
        poll::until(&format!("{thread} to be {state}"), || {
            let shown = self.show(thread);
            (shown["thread"]["state"] == state).then_some(shown)
        })
    }

    /// Waits until the cloud knows a thread no more.
    pub fn wait_gone(&self, thread: &str) {
        poll::until(&format!("{thread} to be gone"), || {
            let run = self.run(["show", thread, "--json"]);
            (run.code == 1 && run.text().contains("THREAD_NOT_FOUND")).then_some(())
        });
    }

    /// All events of a thread's log.
    pub fn events(&self, thread: &str) -> Vec<Value> {
        let cursor = self.show(thread)["cursor"].as_u64().unwrap();
        let mut child = self
            .command(["follow", thread, "--after", "0", "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        let mut events = Vec::new();
        for line in lines {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let last = event["cursor"].as_u64().unwrap() >= cursor;
            events.push(event);
            if last {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        events
    }

    /// Where the embedded cloud listens once it was started.
    pub fn cloud_socket(&self) -> PathBuf {
        let run = std::fs::read_dir(self.path("run")).into_iter().flatten().flatten();
        run.map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|end| end == "sock"))
            .unwrap_or_else(|| self.path("run/cloud.sock"))
    }

    /// Starts the embedded cloud where it does not run. It may die of it.
    pub fn start_cloud(&self) {
        let _may_fail = self.run(["cloud", "start"]);
    }

    /// Process id of the embedded cloud.
    pub fn cloud_pid(&self) -> i32 {
        self.running_cloud().unwrap()
    }

    /// Kills the embedded cloud as a crash would, where it has not died by itself.
    pub fn kill_cloud(&self) {
        let Some(pid) = self.running_cloud() else { return };
        kill(pid, libc::SIGKILL);
        poll::until("the cloud to be gone", || (!alive(pid)).then_some(()));
    }

    fn running_cloud(&self) -> Option<i32> {
        let run = self.run(["cloud", "status", "--json"]);
        let status: Value = serde_json::from_slice(&run.stdout).ok()?;
        i32::try_from(status["pid"].as_i64()?).ok()
    }

    /// Waits until at least `count` processes have `mark` in their command line.
    pub fn wait_processes(mark: &str, count: usize) -> Vec<i32> {
        poll::until(&format!("{count} processes with {mark}"), || {
            let found = Self::processes_with(mark);
            (found.len() >= count).then_some(found)
        })
    }

    /// Processes of this machine whose command line holds `mark`, without this one.
    pub fn processes_with(mark: &str) -> Vec<i32> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok())
            else {
                continue;
            };
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if pid != std::process::id().cast_signed()
                && String::from_utf8_lossy(&line).contains(mark)
            {
                found.push(pid);
            }
        }
        found
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log =
                std::fs::read_to_string(self.path("data/cloud/cloud.log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            eprintln!("-- cloud.log --");
            for line in tail.iter().rev() {
                eprintln!("{line}");
            }
        }
        if self.path("data/cloud").exists() {
            let _stopped = self
                .command(["cloud", "stop"])
                // What it logs is nobody's business any more.
                .env_remove("ALOFT_LOG")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
    }
}

/// Items of one kind, in order, from what `aloft show --json` gave.
pub fn items<'a>(shown: &'a Value, kind: &str) -> Vec<&'a Value> {
    shown["items"].as_array().unwrap().iter().filter(|item| item["type"] == kind).collect()
}

/// Checks that a log lacks nothing and holds nothing twice: each cursor follows the one before, what was folded counted in.
pub fn assert_whole(events: &[Value]) {
    let mut last = 0;
    for event in events {
        let cursor = event["cursor"].as_u64().unwrap();
        let folded = event["folded"].as_u64().unwrap_or_default();
        assert_eq!(cursor, last + folded + 1, "after {last} comes {event}");
        last = cursor;
    }
}

impl Run {
    /// Its standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Runs a command to its end with nothing on its standard input.
pub fn finish(mut command: Command) -> Run {
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    Run {
        code: output.status.code().unwrap_or(255),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs a command with this on its standard input.
pub fn feed(mut command: Command, input: &[u8]) -> Run {
    let mut child: Child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // Beside reading: what answers while it is told would wait for its reader. It may also end before.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    });
    Run {
        code: output.status.code().unwrap_or(255),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A built program of this workspace.
pub fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let profile = tests.parent().and_then(Path::parent).unwrap();
    let program = profile.join(name);
    assert!(program.exists(), "{} is not built: cargo build --workspace", program.display());
    program
}

/// Whether a process lives; a zombie does not.
pub fn alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z')
    })
}

/// Sends a signal to a process this test knows.
pub fn kill(pid: i32, signal: i32) {
    let signal = rustix::process::Signal::from_named_raw(signal).unwrap();
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        let _gone = rustix::process::kill_process(pid, signal);
    }
}
