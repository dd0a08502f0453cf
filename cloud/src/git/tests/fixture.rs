//! A small world for one test: a source, a mirror, a thread's snapshots and a workspace, below one passing folder.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use aloft_proto::v1::FileDiff;
use tempfile::TempDir;

use crate::git::diff::DiffOptions;
use crate::git::mirror::{Freshness, Mirrors};
use crate::git::snapshot::{Snapshot, SnapshotName, Snapshots};
use crate::git::workspace::{Clone, Head, Paths, Restore, Step, TakeSnapshot};
use crate::git::{BUNDLE_LIMIT, Result};

pub(super) struct World {
    pub(super) folder: TempDir,
    pub(super) mirrors: Mirrors,
    pub(super) snapshots: Snapshots,
    pub(super) paths: Paths,
    pub(super) base: String,
    pub(super) previous: Option<String>,
}

impl World {
    /// A source with these files, its mirror, a thread `t` and a workspace on branch `aloft/t`.
    pub(super) async fn new(files: &[(&str, &str)]) -> Self {
        let mut world = Self::with_source(files);
        world.start("").await;
        world
    }

    /// Only the source.
    pub(super) fn with_source(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let text = |name: &str| at(name).to_str().unwrap().to_owned();
        let paths = Paths {
            workspace: text("workspace"),
            mirror: at("mirrors/m.git").to_str().unwrap().to_owned(),
            snapshots: text("snapshot.git"),
        };
        let (mirrors, snapshots) = (Mirrors::new(at("mirrors")), Snapshots::new(at("threads")));
        git(folder.path(), ["init", "-q", "-b", "main", "source"]);
        for (path, content) in files {
            write(&at("source").join(path), content);
        }
        let world = Self { folder, mirrors, snapshots, paths, base: String::new(), previous: None };
        if !files.is_empty() {
            commit_all(&world.source(), "first");
        }
        world
    }

    /// Mirror, thread and workspace from what the source is now.
    pub(super) async fn start(&mut self, reference: &str) {
        self.prepare(reference).await;
        let clone = self.clone_of(None);
        for step in self.paths.clone(&clone) {
            run_step(&step).unwrap();
        }
    }

    /// The same without the workspace.
    pub(super) async fn prepare(&mut self, reference: &str) {
        self.fetch().await.unwrap();
        self.base = self.mirrors.resolve("m", reference).await.unwrap().commit;
        self.snapshots.create("t", &self.mirrors.path("m").unwrap(), &self.base).await.unwrap();
    }

    pub(super) fn clone_of(&self, carry: Option<String>) -> Clone {
        let author = ("Agent".to_owned(), "agent@aloft.invalid".to_owned());
        Clone {
            base: self.base.clone(),
            branch: "aloft/t".to_owned(),
            remote_url: "http://127.0.0.1:3128/git/workspace.git".to_owned(),
            carry,
            author,
            trailers: vec![
                "Aloft-Thread: t".to_owned(),
                "Co-authored-by: Ada <ada@aloft.invalid>".to_owned(),
            ],
        }
    }

    pub(super) async fn fetch(&self) -> Result<()> {
        self.mirrors.fetch("m", self.source().to_str().unwrap(), Freshness::Now, |_| {}).await
    }

    pub(super) fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    pub(super) fn workspace(&self) -> PathBuf {
        PathBuf::from(&self.paths.workspace)
    }

    /// A path in the workspace.
    pub(super) fn file(&self, path: impl AsRef<OsStr>) -> PathBuf {
        self.workspace().join(path.as_ref())
    }

    pub(super) fn thread(&self) -> PathBuf {
        self.snapshots.path("t").unwrap()
    }

    /// The bundle of a snapshot, and its warnings.
    pub(super) fn bundle(&self, name: SnapshotName) -> (PathBuf, String) {
        let take = TakeSnapshot {
            name,
            base: self.base.clone(),
            previous: self.previous.clone(),
            with_commits: true,
            only_changed: false,
            wanted: None,
        };
        let output = run_step(&self.paths.snapshot(&take)).unwrap();
        let path = self.folder.path().join("bundle");
        std::fs::write(&path, &output.stdout).unwrap();
        (path, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    pub(super) async fn import(&self, name: SnapshotName, bundle: &Path) -> Result<Snapshot> {
        self.snapshots.import("t", name, self.previous.as_deref(), bundle, BUNDLE_LIMIT).await
    }

    /// Takes the snapshot of a turn; nothing may be left out.
    pub(super) async fn snapshot(&mut self, turn: u32) -> Snapshot {
        let (bundle, warnings) = self.bundle(SnapshotName::Turn(turn));
        assert_eq!(warnings, "");
        let snapshot = self.import(SnapshotName::Turn(turn), &bundle).await.unwrap();
        self.previous = Some(snapshot.commit.clone());
        snapshot
    }

    /// Brings the workspace back to a snapshot.
    pub(super) fn restore(
        &self,
        snapshot: &Snapshot,
        bundle: Option<&Path>,
    ) -> std::result::Result<Output, String> {
        let clone = self.clone_of(None);
        run_step(&self.paths.restore(&Restore {
            base: self.base.clone(),
            snapshot: snapshot.clone(),
            bundle: bundle.map(|path| path.to_str().unwrap().to_owned()),
            remote_url: clone.remote_url,
            author: clone.author,
            trailers: clone.trailers,
        }))
    }

    pub(super) fn head(&self) -> Head {
        Head::parse(&run_step(&self.paths.head()).unwrap().stdout)
    }

    pub(super) async fn diff(&self, from: &str, to: &str, options: DiffOptions) -> Vec<FileDiff> {
        let mut receiver = self.snapshots.diff("t", from, to, options).await.unwrap();
        let mut files = Vec::new();
        while let Some(file) = receiver.recv().await {
            files.push(file.unwrap());
        }
        files
    }

    /// The names of all files of a commit.
    pub(super) async fn files(&self, commit: &str) -> Vec<String> {
        self.snapshots.files("t", commit).await.unwrap().into_iter().map(|file| file.path).collect()
    }

    /// Our diff from the base, shown to be byte for byte what git prints.
    pub(super) async fn checked_diff(&self, to: &str) -> Vec<FileDiff> {
        let files = self.diff(&self.base, to, DiffOptions::default()).await;
        let ours: Vec<u8> = files.iter().flat_map(|file| file.patch.to_vec()).collect();
        assert_same(&ours, &self.independent_diff(to));
        let stat = self.snapshots.stat("t", &self.base, to).await.unwrap();
        let sum =
            files.iter().fold((0, 0), |sum, file| (sum.0 + file.additions, sum.1 + file.deletions));
        assert_eq!(
            (stat.files as usize, stat.additions, stat.deletions),
            (files.len(), sum.0, sum.1)
        );
        files
    }

    /// Puts what the workspace holds into a repository that knows nothing of ours, and asks git there.
    pub(super) fn independent_diff(&self, to: &str) -> Vec<u8> {
        let judge = self.folder.path().join("judge");
        if judge.exists() {
            std::fs::remove_dir_all(&judge).unwrap();
        }
        git(self.folder.path(), ["clone", "-q", "-n", self.paths.mirror.as_str(), "judge"]);
        git(&judge, ["fetch", "-q", self.thread().to_str().unwrap(), "+refs/aloft/*:refs/aloft/*"]);
        git(&judge, ["checkout", "-q", "--detach", to]);
        let output = git_command(&judge).args(["diff", &self.base, to]).output().unwrap();
        assert!(output.status.success());
        output.stdout
    }
}

/// git as a person would run it, but with no settings of the machine.
pub(super) fn git_command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("LC_ALL", "C")
        .env_remove("GIT_DIR");
    for role in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{role}_NAME"), "Test")
            .env(format!("GIT_{role}_EMAIL"), "test@aloft.invalid");
    }
    command.args(["-c", "protocol.file.allow=always"]);
    command
}

pub(super) fn git<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(folder: &Path, args: I) -> String {
    let output = git_command(folder).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub(super) fn write(path: &Path, content: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// Commits everything; the new commit.
pub(super) fn commit_all(folder: &Path, message: &str) -> String {
    git(folder, ["add", "--all"]);
    git(folder, ["commit", "-q", "--allow-empty", "-m", message]);
    git(folder, ["rev-parse", "HEAD"])
}

pub(super) fn run_step(step: &Step) -> std::result::Result<Output, String> {
    let output = Command::new(&step.argv[0])
        .args(&step.argv[1..])
        .envs(&step.env)
        .current_dir("/")
        .output()
        .unwrap();
    if output.status.success() {
        Ok(output)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Runs a step that is killed, with everything it started, when it calls a program for the `call`th time; whether it was.
pub(super) fn run_until(step: &Step, folder: &Path, call: usize) -> bool {
    let (programs, count) = (folder.join("mortal"), folder.join("count"));
    let path = std::env::var("PATH").unwrap();
    std::fs::create_dir_all(&programs).unwrap();
    for name in ["git", "mkdir", "mv", "cp", "rm", "chmod", "cat", "ls", "find"] {
        let file = programs.join(name);
        let script = format!(
            "#!/bin/sh\nread -r count <'{0}'\ncount=$((count + 1))\necho $count >'{0}'\n\
             [ $count -lt {call} ] || kill -9 0\nPATH='{path}' exec {name} \"$@\"\n",
            count.display()
        );
        std::fs::write(&file, script).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
    }
    std::fs::write(&count, "0\n").unwrap();
    let output = Command::new(&step.argv[0])
        .args(&step.argv[1..])
        .envs(&step.env)
        .env("PATH", format!("{}:{path}", programs.display()))
        .current_dir("/")
        .process_group(0)
        .output()
        .unwrap();
    output.status.signal() == Some(9)
}

pub(super) fn assert_same(ours: &[u8], theirs: &[u8]) {
    if ours != theirs {
        let cut =
            |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(4000)]).into_owned();
        panic!("ours:\n{}\ngit's:\n{}", cut(ours), cut(theirs));
    }
}
