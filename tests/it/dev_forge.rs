//! The forge for tests and offline use, as its clients see it: real git, and calls over HTTP.

mod device;
mod git;
mod pulls;
mod repositories;

use aloft_tests::{dev_forge::DevForge, git::git};
use serde_json::json;
use tempfile::TempDir;

/// A forge with the repository `acme/app`, and a clone of it.
struct Stage {
    forge: DevForge,
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let forge = DevForge::start(&folder.path().join("forge"));
        forge.repository("acme/app");
        Self { forge, folder }
    }

    fn path(&self, below: &str) -> std::path::PathBuf {
        self.folder.path().join(below)
    }

    /// Pushes a branch with one commit that gives a file this content.
    fn push(&self, branch: &str, file: &str, content: &str) -> String {
        let work = self.path("work");
        if !work.exists() {
            git(self.folder.path(), &["clone", "-q", &self.forge.git_url("acme/app"), "work"]);
        }
        git(&work, &["fetch", "-q"]);
        git(&work, &["checkout", "-q", "-B", branch, "origin/main"]);
        std::fs::write(work.join(file), content).unwrap();
        git(&work, &["add", "."]);
        git(&work, &["commit", "-q", "-m", &format!("change {file}")]);
        git(&work, &["push", "-q", "--force", "origin", branch]);
        git(&work, &["rev-parse", "HEAD"])
    }

    /// Opens a pull request of a branch into `main`; its number.
    fn open(&self, branch: &str) -> u64 {
        let new = json!({ "title": format!("Merge {branch}"), "head": branch, "base": "main" });
        let made = self.forge.call("POST", "/repos/acme/app/pulls", &new).must(201);
        made["number"].as_u64().unwrap()
    }
}
