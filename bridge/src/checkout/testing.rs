//! Real repositories, and a cloud that takes bundles with real git, for the tests of this module and of the fronts.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use aloft_proto::v1;
use aloft_proto::v1::repository_service_server::RepositoryService;
use tempfile::TempDir;
use tokio_stream::StreamExt as _;
use tonic::{Request, Response, Status, Streaming};

/// Mode, time and content of everything in a folder.
pub(crate) type Fingerprint = BTreeMap<PathBuf, (u32, i64, i64, Vec<u8>)>;

/// A repository in a folder of its own.
pub(crate) struct Repository {
    pub(crate) folder: TempDir,
    pub(crate) root: PathBuf,
}

impl Repository {
    /// With one commit of a few files.
    pub(crate) fn create() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("project");
        std::fs::create_dir(&root).unwrap();
        let repository = Self { folder, root };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.write("a.txt", "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n");
        repository.write("b.txt", "b\n");
        repository.write("gone.txt", "gone\n");
        repository.write(".gitignore", "ignored/\n*.log\n");
        repository.commit("first");
        repository
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let file = self.root.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root.join(path)).unwrap()
    }

    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "--quiet", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(&self.root, args)
    }

    /// Every file and folder with type, mode, time and content: equal means untouched.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let mut found = Fingerprint::new();
        visit(&self.root, &mut found);
        found
    }

    /// What differs from an earlier fingerprint.
    pub(crate) fn touched_since(&self, before: &Fingerprint) -> Vec<PathBuf> {
        let now = self.fingerprint();
        let either: BTreeSet<&PathBuf> = now.keys().chain(before.keys()).collect();
        either.into_iter().filter(|path| now.get(*path) != before.get(*path)).cloned().collect()
    }
}

fn visit(path: &Path, found: &mut Fingerprint) {
    let data = std::fs::symlink_metadata(path).unwrap();
    let content = if data.is_symlink() {
        std::fs::read_link(path).unwrap().into_os_string().into_encoded_bytes()
    } else if data.is_file() {
        std::fs::read(path).unwrap()
    } else {
        for entry in std::fs::read_dir(path).unwrap() {
            visit(&entry.unwrap().path(), found);
        }
        Vec::new()
    };
    found.insert(path.to_owned(), (data.mode(), data.mtime(), data.mtime_nsec(), content));
}

/// Git as a person with a plain configuration would call it.
pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args([
            "-c",
            "user.name=Test",
            "-c",
            "user.email=test@localhost",
            "-c",
            "protocol.file.allow=always",
        ])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()
}

/// Takes bundles into a bare mirror, as a cloud does.
pub(crate) struct Mirror {
    pub(crate) folder: TempDir,
    pub(crate) uploads: AtomicUsize,
    pub(crate) bytes: AtomicUsize,
}

impl Mirror {
    pub(crate) fn create() -> Self {
        let folder = tempfile::tempdir().unwrap();
        git(folder.path(), &["init", "--quiet", "--bare"]);
        Self { folder, uploads: AtomicUsize::new(0), bytes: AtomicUsize::new(0) }
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(self.folder.path(), args)
    }

    fn has(&self, commit: &str) -> bool {
        let path = self.folder.path();
        let known = Command::new("git")
            .arg("-C")
            .arg(path)
            .args(["cat-file", "-e", commit])
            .output()
            .unwrap();
        known.status.success()
    }
}

#[tonic::async_trait]
impl RepositoryService for Mirror {
    async fn find_repository(
        &self,
        request: Request<v1::FindRepositoryRequest>,
    ) -> Result<Response<v1::FindRepositoryResponse>, Status> {
        let tips = self.git(&["for-each-ref", "--format=%(objectname)"]);
        let repository_id = if tips.is_empty() { String::new() } else { "mirror".into() };
        let asked = request.into_inner().commits.into_iter().filter(|commit| self.has(commit));
        let have = asked.chain(tips.lines().map(ToOwned::to_owned)).collect();
        Ok(Response::new(v1::FindRepositoryResponse { repository_id, have }))
    }

    async fn upload_repository(
        &self,
        request: Request<Streaming<v1::UploadRepositoryRequest>>,
    ) -> Result<Response<v1::UploadRepositoryResponse>, Status> {
        let mut messages = request.into_inner();
        let first = messages.next().await.unwrap()?;
        let refs = first.header.unwrap().refs;
        let mut bundle = first.bundle.to_vec();
        while let Some(message) = messages.next().await {
            bundle.extend_from_slice(&message?.bundle);
        }
        let file = self.folder.path().join("upload.bundle");
        std::fs::write(&file, &bundle).unwrap();
        let specs = refs.iter().map(|r| format!("+{}:{}", r.name, r.name));
        let args: Vec<String> = ["fetch", "--quiet", "--no-tags", "upload.bundle"]
            .map(Into::into)
            .into_iter()
            .chain(specs)
            .collect();
        self.git(&args.iter().map(String::as_str).collect::<Vec<_>>());
        for reference in refs {
            assert_eq!(self.git(&["rev-parse", &reference.name]), reference.commit);
        }
        self.uploads.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bundle.len(), Ordering::Relaxed);
        Ok(Response::new(v1::UploadRepositoryResponse { repository_id: "mirror".into() }))
    }
}
