//! What must run inside a sandbox, as argv and environment: pure data, for the runner to run through the guest.
//!
//! The scripts work on the workspace with a git directory of our own beside it, so that nothing the agent does to its
//! `.git`, index, hooks or filters changes a snapshot, and a snapshot changes none of these. Nothing untrusted is ever part
//! of a script: it comes as an argument.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::git::snapshot::{Snapshot, SnapshotName};

const COMMON: &str = include_str!("workspace/common.sh");
const CLONE: &str = include_str!("workspace/clone.sh");
const SUBMODULES: &str = include_str!("workspace/submodules.sh");
const SNAPSHOT: &str = include_str!("workspace/snapshot.sh");
const RESTORE: &str = include_str!("workspace/restore.sh");
const HEAD: &str = include_str!("workspace/head.sh");

/// Where things are inside the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The checkout.
    pub workspace: String,
    /// The mirror, read-only. Workspaces borrow from it by this path: it never changes.
    pub mirror: String,
    /// Our own git directory. It is kept with the sandbox.
    pub snapshots: String,
}

/// One command to run inside a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does, for people: "Cloning the repository".
    pub label: &'static str,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Added to the sandbox's own environment.
    pub env: BTreeMap<String, String>,
    /// The time it is given.
    pub timeout: Duration,
    /// When it fails, the next steps can go on; a person is warned.
    pub optional: bool,
}

/// What a workspace is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clone {
    /// The commit it begins at.
    pub base: String,
    /// Its own branch, without `refs/heads/`.
    pub branch: String,
    /// The URL of `origin`.
    pub remote_url: String,
    /// A commit of the mirror whose files, uncommitted, are the workspace to begin with.
    pub carry: Option<String>,
    /// Name and e-mail address of the commits an agent makes.
    pub author: (String, String),
    /// The lines each of their messages ends with: `Key: value`.
    pub trailers: Vec<String>,
}

/// What of a workspace is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeSnapshot {
    /// Which snapshot it becomes.
    pub name: SnapshotName,
    /// The base of the thread.
    pub base: String,
    /// The newest snapshot the cloud has.
    pub previous: Option<String>,
    /// Bring the commits of the workspace's branch along. Without them a snapshot still has every file: the way out where
    /// the cloud refuses them.
    pub with_commits: bool,
    /// Write nothing where the files are those of `previous`.
    pub only_changed: bool,
    /// A commit that is about to be restored: what it would write over is kept, though it is ignored.
    pub wanted: Option<String>,
}

/// Where a workspace is brought back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restore {
    /// The base of the thread.
    pub base: String,
    /// What it shall be.
    pub snapshot: Snapshot,
    /// The path, inside the sandbox, of what [`crate::git::snapshot::Snapshots::export_snapshot`] gave: needed where the
    /// sandbox does not have the snapshot.
    pub bundle: Option<String>,
    /// The URL of `origin`, where the repository has to be made anew.
    pub remote_url: String,
    /// Name and e-mail address of the commits an agent makes.
    pub author: (String, String),
    /// The lines each of their messages ends with: `Key: value`.
    pub trailers: Vec<String>,
}

/// The exit code of a restore in a sandbox that does not have the snapshot; nothing was changed.
pub const SNAPSHOT_MISSING: i32 = 3;

/// How the workspace's own repository stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The branch that is checked out; absent when it is none.
    pub branch: Option<String>,
    /// The commit that is checked out; absent before the first one.
    pub commit: Option<String>,
    /// There are changes that are not committed.
    pub dirty: bool,
}

impl Default for Paths {
    fn default() -> Self {
        let path = str::to_owned;
        Self {
            workspace: path("/workspace"),
            mirror: path("/srv/aloft/mirror.git"),
            snapshots: path("/srv/aloft/snapshot.git"),
        }
    }
}

impl Paths {
    /// Makes the workspace. Where it was made already, nothing happens; where it was left unfinished, it is made anew.
    pub fn clone(&self, clone: &Clone) -> Vec<Step> {
        let (name, email) = &clone.author;
        let carry = clone.carry.as_deref().unwrap_or_default();
        let trailers = clone.trailers.join("\n");
        let mut made = self.step(
            "Cloning the repository",
            CLONE,
            &[&clone.base, &clone.branch, &clone.remote_url, carry, name, email, &trailers],
        );
        // What lies in large file storage stays a pointer: fetching it is for the environment to decide.
        made.env.insert("GIT_LFS_SKIP_SMUDGE".to_owned(), "1".to_owned());
        made.timeout = Duration::from_secs(1800);
        let mut submodules = self.step("Fetching submodules", SUBMODULES, &[]);
        submodules.env.remove("GIT_CONFIG_NOSYSTEM");
        submodules.env.remove("GIT_CONFIG_GLOBAL");
        submodules.env.insert("GIT_LFS_SKIP_SMUDGE".to_owned(), "1".to_owned());
        submodules.timeout = Duration::from_secs(120);
        submodules.optional = true;
        vec![made, submodules]
    }

    /// Writes the bundle of a snapshot to its standard output, for [`crate::git::snapshot::Snapshots::import`]; nothing where
    /// only a change was asked for and there is none. What could not be taken is named on its standard error, in lines that begin with `warning: `.
    pub fn snapshot(&self, take: &TakeSnapshot) -> Step {
        let commits = if take.with_commits { "commits" } else { "" };
        let mut step = self.step(
            "Taking a snapshot",
            SNAPSHOT,
            &[
                &take.name.ref_name(),
                &take.base,
                take.previous.as_deref().unwrap_or_default(),
                commits,
                if take.only_changed { "changed" } else { "" },
                take.wanted.as_deref().unwrap_or_default(),
            ],
        );
        sign(&mut step);
        step.timeout = Duration::from_secs(900);
        step
    }

    /// Brings files, branch, HEAD and index back to a snapshot; ignored files stay.
    pub fn restore(&self, restore: &Restore) -> Step {
        let Snapshot { commit, head, branch, index, submodules } = &restore.snapshot;
        let given = |name: &Option<String>| name.clone().unwrap_or_default();
        let (head, branch, index) = (given(head), given(branch), given(index));
        let (submodules, bundle) = (given(submodules), given(&restore.bundle));
        let (name, email) = &restore.author;
        let trailers = restore.trailers.join("\n");
        let mut step = self.step(
            "Restoring the workspace",
            RESTORE,
            &[
                &restore.base,
                commit,
                &head,
                &branch,
                &index,
                &submodules,
                &bundle,
                &restore.remote_url,
                name,
                email,
                &trailers,
            ],
        );
        sign(&mut step);
        step.timeout = Duration::from_secs(900);
        step
    }

    /// Asks how the workspace's repository stands; [`Head::parse`] reads its standard output.
    pub fn head(&self) -> Step {
        self.step("Looking at the workspace", HEAD, &[])
    }

    fn step(&self, label: &'static str, script: &str, args: &[&str]) -> Step {
        let fixed = [
            "/bin/sh",
            "-c",
            &format!("{COMMON}\n{script}"),
            "aloft",
            &self.workspace,
            &self.mirror,
            &self.snapshots,
        ]
        .map(str::to_owned);
        let argv = fixed.into_iter().chain(args.iter().map(|arg| (*arg).to_owned())).collect();
        let env = [
            ("LC_ALL", "C"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh"),
        ];
        let env =
            env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Step { label, argv, env, timeout: Duration::from_secs(60), optional: false }
    }
}

/// The commits it makes are ours.
fn sign(step: &mut Step) {
    for role in ["AUTHOR", "COMMITTER"] {
        step.env.insert(format!("GIT_{role}_NAME"), "Aloft".to_owned());
        step.env.insert(format!("GIT_{role}_EMAIL"), "snapshot@aloft.invalid".to_owned());
    }
}

impl Head {
    /// Reads what [`Paths::head`] printed.
    pub fn parse(output: &[u8]) -> Self {
        let text = String::from_utf8_lossy(output);
        let mut lines = text.lines();
        let mut next = || lines.next().filter(|line| !line.is_empty()).map(str::to_owned);
        let (branch, commit) = (next(), next());
        Self { branch, commit, dirty: next().as_deref() == Some("dirty") }
    }
}
