//! Takes a git bundle from outside into a repository: all of it, checked, or nothing.
//!
//! Its objects are unpacked into a folder beside the repository's own and checked there: well-formed, whole, and building
//! on nothing that is missing. Only then are they moved in, synced, and named by refs. So a bad bundle leaves no trace.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::git::command::Git;
use crate::git::names::is_object_id;
use crate::git::{Error, Result};

/// The largest bundle that is taken where nothing else is said, in bytes.
pub const BUNDLE_LIMIT: u64 = 4 << 30;
/// Most that is read of a bundle's head: some hundred thousand refs.
const HEAD_LIMIT: u64 = 32 << 20;
/// Time to unpack and check one.
const UNPACK_TIMEOUT: Duration = Duration::from_secs(1800);
/// Faults of old or careless, but harmless, histories: taken with a warning, as forges do. What names files stays an
/// error, and what `.gitmodules` says does not matter here: nothing is ever checked out.
pub(crate) const TOLERATED: &[&str] = &[
    "zeroPaddedFilemode",
    "badTimezone",
    "badEmail",
    "badDate",
    "badDateOverflow",
    "badName",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "missingNameBeforeEmail",
    "missingEmail",
    "nullSha1",
    "gitmodulesUrl",
    "gitmodulesPath",
    "gitmodulesName",
    "gitmodulesSymlink",
    "gitmodulesParse",
    "gitmodulesBlob",
    "gitmodulesMissing",
    "gitmodulesLarge",
    "gitmodulesUpdate",
];

/// The head of a bundle: what it says it holds.
#[derive(Debug)]
pub(crate) struct Bundle {
    /// Its refs.
    pub(crate) refs: BTreeMap<String, String>,
    needs: Vec<String>,
    pub(crate) object_format: &'static str,
    file: File,
}

/// Objects that are checked, but not yet the repository's own.
#[derive(Debug)]
pub(crate) struct Admitted {
    folder: TempDir,
    repository: PathBuf,
}

impl Bundle {
    /// Reads the head of the bundle at `path`, which must be no larger than `limit` bytes.
    pub(crate) async fn open(path: &Path, limit: u64) -> Result<Self> {
        let path = path.to_owned();
        blocking(move || {
            let attempt = format!("read the bundle {}", path.display());
            let file = File::open(&path).map_err(Error::io(attempt.clone()))?;
            if file.metadata().map_err(Error::io(attempt.clone()))?.len() > limit {
                return Err(Error::TooLarge { what: "the bundle", limit });
            }
            read_head(file).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                    Error::Bundle(error.to_string())
                }
                _ => Error::io(attempt)(error),
            })
        })
        .await
    }

    /// Unpacks and checks it beside `repository`. Nothing of the repository changes.
    pub(crate) async fn admit(self, repository: &Path, limit: u64) -> Result<Admitted> {
        let missing = missing_commits(repository, &self.needs).await?;
        if let Some(commit) = missing.into_iter().next() {
            return Err(Error::MissingBase(commit));
        }
        let admitted = Admitted::new(repository).await?;
        let severities: Vec<String> =
            TOLERATED.iter().map(|fault| format!("{fault}=warn")).collect();
        admitted
            .git("unpack the bundle")
            .args(["index-pack", "--stdin", "--fix-thin"])
            .args([
                format!("--strict={}", severities.join(",")),
                format!("--max-input-size={limit}"),
            ])
            .input_file(self.file)
            .timeout(UNPACK_TIMEOUT)
            .run()
            .await
            .map_err(rejected)?;
        let tips: Vec<&str> = self.refs.values().map(String::as_str).collect();
        admitted
            .git("check that the bundle is whole")
            .args([
                "rev-list",
                "--objects",
                "--quiet",
                "--stdin",
                "--not",
                "--all",
                "--alternate-refs",
            ])
            .input(tips.join("\n") + "\n")
            .timeout(UNPACK_TIMEOUT)
            .run()
            .await
            .map_err(rejected)?;
        Ok(admitted)
    }
}

impl Admitted {
    async fn new(repository: &Path) -> Result<Self> {
        let repository = repository.to_owned();
        blocking(move || {
            let attempt = format!("make a folder in {}", repository.display());
            let make = || {
                let folder =
                    tempfile::Builder::new().prefix("incoming-").tempdir_in(&repository)?;
                std::fs::create_dir_all(folder.path().join("info"))?;
                std::fs::create_dir_all(folder.path().join("pack"))?;
                let objects = repository.join("objects");
                std::fs::write(
                    folder.path().join("info/alternates"),
                    format!("{}\n", objects.display()),
                )?;
                Ok(folder)
            };
            let folder = make().map_err(Error::io(attempt))?;
            Ok(Self { folder, repository })
        })
        .await
    }

    /// A command that sees the repository with these objects added.
    pub(crate) fn git(&self, attempt: &str) -> Git {
        Git::at(&self.repository, attempt).env("GIT_OBJECT_DIRECTORY", self.folder.path())
    }

    /// Makes the objects the repository's own, on disk for certain.
    pub(crate) async fn keep(self) -> Result<()> {
        blocking(move || {
            let attempt = format!("keep new objects in {}", self.repository.display());
            move_packs(&self.folder.path().join("pack"), &self.repository.join("objects/pack"))
                .map_err(Error::io(attempt))
        })
        .await
    }
}

/// Moves refs in one transaction, on disk for certain. `None` deletes.
pub(crate) async fn update_refs(
    repository: &Path,
    refs: &[(String, Option<String>)],
) -> Result<()> {
    let mut script = Vec::new();
    for (name, commit) in refs {
        match commit {
            Some(commit) => {
                script.extend_from_slice(format!("update {name}\0{commit}\0\0").as_bytes());
            }
            None => script.extend_from_slice(format!("delete {name}\0\0").as_bytes()),
        }
    }
    Git::at(repository, "move refs")
        .args(["update-ref", "--no-deref", "--stdin", "-z"])
        .input(script)
        .run()
        .await?;
    let folders: Vec<PathBuf> = refs
        .iter()
        .filter_map(|(name, _)| repository.join(name).parent().map(Path::to_owned))
        .collect();
    blocking(move || {
        // A folder that went away with its last ref needs no sync.
        for folder in folders.iter().filter(|folder| folder.is_dir()) {
            sync_folder(folder).map_err(Error::io(format!("sync {}", folder.display())))?;
        }
        Ok(())
    })
    .await
}

/// Which of these are not commits of the repository (or of what it borrows from).
pub(crate) async fn missing_commits(repository: &Path, commits: &[String]) -> Result<Vec<String>> {
    let answer = Git::at(repository, "look for commits")
        .args(["cat-file", "--batch-check=%(objecttype)"])
        .input(commits.join("\n") + "\n")
        .run()
        .await?;
    let answer = String::from_utf8_lossy(&answer);
    let missing = commits
        .iter()
        .zip(answer.lines())
        .filter(|(_, kind)| *kind != "commit")
        .map(|(commit, _)| commit.clone());
    Ok(missing.collect())
}

/// Runs work that blocks on the disk away from the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let lost = |error| Error::io("run work on the disk")(io::Error::other(error));
    tokio::task::spawn_blocking(work).await.map_err(lost)?
}

/// What git says against a bundle's content is the bundle's fault.
fn rejected(error: Error) -> Error {
    match error {
        Error::Command { detail, .. } => Error::Bundle(detail),
        other => other,
    }
}

fn read_head(file: File) -> io::Result<Bundle> {
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let mut reader = BufReader::new(file);
    let mut bundle_refs = BTreeMap::new();
    let mut needs = Vec::new();
    let mut object_format = "sha1";
    let mut length = 0_u64;
    for number in 0.. {
        let mut line = Vec::new();
        let count = (&mut reader).take(HEAD_LIMIT - length).read_until(b'\n', &mut line)?;
        length += count as u64;
        if line.pop() != Some(b'\n') {
            return Err(invalid(if length >= HEAD_LIMIT {
                "its head is too long"
            } else {
                "its head is cut short"
            }));
        }
        if number == 0 {
            if line != b"# v2 git bundle" && line != b"# v3 git bundle" {
                return Err(invalid("it is not a git bundle of version 2 or 3"));
            }
            continue;
        }
        if line.is_empty() {
            break;
        }
        // What it needs is followed by a commit's title, which may be in any encoding.
        let line = String::from_utf8_lossy(&line);
        match line.as_bytes()[0] {
            b'@' if line == "@object-format=sha256" => object_format = "sha256",
            b'@' if line == "@object-format=sha1" => {}
            b'@' => return Err(invalid("it has a capability that is not known here")),
            b'-' => {
                let id = line[1..].split(' ').next().unwrap_or_default();
                needs.push(
                    is_object_id(id)
                        .then(|| id.to_owned())
                        .ok_or_else(|| invalid("its head is broken"))?,
                );
            }
            _ => {
                let (id, name) = line
                    .split_once(' ')
                    .filter(|(id, _)| is_object_id(id))
                    .ok_or_else(|| invalid("its head is broken"))?;
                if bundle_refs.insert(name.to_owned(), id.to_owned()).is_some() {
                    return Err(invalid("it names a ref twice"));
                }
            }
        }
    }
    let mut file = reader.into_inner();
    file.seek(SeekFrom::Start(length))?;
    Ok(Bundle { refs: bundle_refs, needs, object_format, file })
}

fn move_packs(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(from)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    files.retain(|file| {
        file.extension().is_some_and(|kind| kind == "pack" || kind == "rev" || kind == "idx")
    });
    // The index comes last: with it, git sees the pack.
    files.sort_by_key(|file| file.extension().is_some_and(|kind| kind == "idx"));
    for file in files {
        File::open(&file)?.sync_all()?;
        if let Some(name) = file.file_name() {
            std::fs::rename(&file, to.join(name))?;
        }
    }
    sync_folder(to)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
