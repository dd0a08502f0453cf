//! A runtime in a directory of its own, which takes all its sandboxes with it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aloft_cloud::sandbox::bubblewrap::{Bubblewrap, Options};
use aloft_cloud::sandbox::guest::{Command, Output};
use aloft_cloud::sandbox::{Runtime as _, Sandbox, Spec};
use tempfile::TempDir;

/// Long enough for a loaded machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Where sandboxes are made for one test.
pub(crate) struct Host {
    pub(crate) runtime: Bubblewrap,
    directory: TempDir,
}

impl Host {
    pub(crate) fn new() -> Self {
        let directory = directory();
        let runtime = Bubblewrap::open(Self::options(directory.path())).unwrap();
        Self { runtime, directory }
    }

    fn options(directory: &Path) -> Options {
        Options {
            program: Some(env!("CARGO_BIN_EXE_aloft-cloud").into()),
            ..Options::new(directory.join("s"))
        }
    }

    /// Another cloud on the same directory, as after a restart.
    pub(crate) fn restarted(&self) -> Bubblewrap {
        Bubblewrap::open(Self::options(self.directory.path())).unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) async fn start(&self, id: &str) -> Sandbox {
        self.start_with(spec(id)).await
    }

    pub(crate) async fn start_with(&self, spec: Spec) -> Sandbox {
        self.runtime
            .start(&spec)
            .await
            .unwrap_or_else(|error| panic!("{error}: {:?}", error.hint()))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // The test's own async runtime stands still by now, and with it all that the test's sandboxes are watched by.
        let runtime = self.restarted();
        let end = move || {
            let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            own.block_on(async {
                for listed in runtime.list().await.unwrap_or_default() {
                    runtime.destroy(&listed.id).await.ok();
                }
            });
        };
        std::thread::spawn(end).join().ok();
    }
}

/// Reachable for the users of sandboxes.
pub(crate) fn directory() -> TempDir {
    let directory = tempfile::Builder::new().prefix("aloft-").tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

pub(crate) fn spec(id: &str) -> Spec {
    Spec { id: id.to_owned(), incarnation: 1, ..Spec::default() }
}

pub(crate) async fn shell(sandbox: &Sandbox, script: &str) -> Output {
    let command = Command::new(["/bin/sh", "-c", script]);
    sandbox.guest.run(&command, b"", LIMIT, 1 << 20).await.unwrap()
}

/// What a script prints, without the last line's end; it must succeed.
pub(crate) async fn says(sandbox: &Sandbox, script: &str) -> String {
    let output = shell(sandbox, script).await;
    assert!(output.success(), "{script}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + LIMIT;
    while !so() {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
