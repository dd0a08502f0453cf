//! A machine on which a program dies at a step that a test names.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use aloft_tests::{
    git::git,
    home::{Home, alive, kill},
    model::{ModelServer, UPSTREAM_KEY},
};

/// The machine. Its cloud, started again and again, serves all journeys.
#[derive(Debug)]
pub(super) struct Stage {
    // Before the server: the cloud ends first.
    pub(super) home: Home,
    _server: ModelServer,
    faults: PathBuf,
    /// A repository the cloud fetches by itself.
    pub(super) url: String,
}

/// What dies at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victim {
    /// Whoever comes to the step: the cloud, or the bridge.
    Itself,
    /// The guest of the thread's sandbox.
    Guest,
    /// The agent in it.
    Agent,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::on(Home::new())
    }

    /// On a machine that has something of its own.
    pub(super) fn on(home: Home) -> Self {
        let server = ModelServer::new();
        let faults = tempfile::Builder::new().prefix("fa").tempdir_in("/var/tmp").unwrap().keep();
        let home = home
            .with("ANTHROPIC_API_KEY", UPSTREAM_KEY)
            .with("ANTHROPIC_BASE_URL", server.anthropic())
            .with(aloft_fault::VARIABLE, faults.to_str().unwrap());
        let repository = home.repository();
        let bare = home.path("remote.git");
        git(
            &home.path("home"),
            &["clone", "-q", "--bare", repository.to_str().unwrap(), bare.to_str().unwrap()],
        );
        let url = bare.to_str().unwrap().to_owned();
        Self { home, _server: server, faults, url }
    }

    /// Forgets what was passed.
    pub(super) fn forget(&self) {
        let _absent = fs::remove_file(self.faults.join("armed"));
        fs::write(self.faults.join("passed"), "").unwrap();
    }

    /// How often each point was passed since.
    pub(super) fn passed(&self) -> BTreeMap<String, u32> {
        let text = fs::read_to_string(self.faults.join("passed")).unwrap_or_default();
        let mut passed = BTreeMap::new();
        for point in text.lines() {
            *passed.entry(point.to_owned()).or_default() += 1;
        }
        passed
    }

    /// From now on: whoever comes to this point for the `count`th time dies there, or waits.
    pub(super) fn arm(&self, word: &str, point: &str, count: u32) {
        let armed = self.faults.join("armed");
        let before = fs::read_to_string(&armed).unwrap_or_default();
        fs::write(armed, format!("{before}{word} {point} {count}\n")).unwrap();
    }

    /// Nothing dies any more; tells whether something did.
    pub(super) fn disarm(&self) -> bool {
        let _absent = fs::remove_file(self.faults.join("held"));
        fs::remove_file(self.faults.join("armed")).is_err()
    }

    /// Whether a process is held at a point.
    pub(super) fn is_held(&self) -> bool {
        self.faults.join("held").exists()
    }

    /// Lets it go on.
    pub(super) fn release(&self) {
        let _absent = fs::remove_file(self.faults.join("held"));
    }

    /// While `during` runs: whenever somebody is held, the victim is killed and the other goes on. Only those of `thread`,
    /// where it has a name yet.
    pub(super) fn killing(&self, victim: Victim, during: impl FnOnce()) {
        if victim == Victim::Itself {
            return during();
        }
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    if self.is_held() {
                        let word = if victim == Victim::Guest { "guest" } else { "agent" };
                        for pid in self.in_sandboxes(word) {
                            kill(pid, libc::SIGKILL);
                        }
                        self.release();
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(during));
            done.store(true, Ordering::Relaxed);
            if let Err(panic) = ended {
                std::panic::resume_unwind(panic);
            }
        });
    }

    /// Processes in sandboxes of this machine that have this word among their arguments.
    pub(super) fn in_sandboxes(&self, word: &str) -> Vec<i32> {
        self.sandbox_processes("").into_iter().filter(|pid| has_word(*pid, word)).collect()
    }

    /// Processes that have the workspace of this thread (or of any, where it is empty) mounted.
    pub(super) fn sandbox_processes(&self, thread: &str) -> Vec<i32> {
        let folder = self.home.path(if thread.is_empty() { "s/s" } else { "s/s/" });
        let mounted = format!(" {}{thread}/", folder.display());
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        numbers
            .filter(|pid| {
                let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo"));
                alive(*pid) && mounts.is_ok_and(|mounts| mounts.contains(&mounted))
            })
            .collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.disarm();
        let _left = fs::remove_dir_all(&self.faults);
    }
}

/// Whether a process has this word, or a program of this name, among its arguments.
pub(super) fn has_word(pid: i32, word: &str) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let program = format!("/{word}");
    line.split(|byte| *byte == 0)
        .any(|part| part == word.as_bytes() || part.ends_with(program.as_bytes()))
}
