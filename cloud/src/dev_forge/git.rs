//! What git knows of a repository, and what merging does to it.

use std::{collections::BTreeMap, path::Path};

use crate::{
    dev_forge::accounts::User,
    git::{Error, Git},
};

/// Most commits that are listed of a pull request or a branch.
const MAX_COMMITS: usize = 250;
/// Fields of a commit, each on a line of its own, the message last.
const COMMIT: &str = "--format=%H%n%T%n%P%n%an%n%ae%n%aI%n%cn%n%ce%n%cI%n%B";

type Result<T> = std::result::Result<T, Error>;

/// One commit.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub(super) sha: String,
    pub(super) tree: String,
    pub(super) parents: Vec<String>,
    pub(super) author: Signature,
    pub(super) committer: Signature,
    pub(super) message: String,
}

/// Who made a commit, and when.
#[derive(Clone, Debug)]
pub(super) struct Signature {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) date: String,
}

/// How a pull request is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Merge,
    Squash,
    Rebase,
}

/// Makes an empty repository.
pub(super) async fn create(path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io("make the folder of a repository"))?;
    }
    let git = Git::new("make a repository");
    git.args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(path).run().await?;
    Ok(())
}

/// Copies a repository, all branches or one.
pub(super) async fn fork(from: &Path, to: &Path, only: Option<&str>) -> Result<()> {
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io("make the folder of a repository"))?;
    }
    let mut git = Git::new("copy a repository").args(["clone", "--quiet", "--bare", "--no-local"]);
    if let Some(branch) = only {
        git = git.args(["--single-branch", "--branch", branch]);
    }
    git.arg(from).arg(to).run().await?;
    Git::at(to, "forget where a copy came from").args(["remote", "remove", "origin"]).run().await?;
    Ok(())
}

/// All branches with their commits, in the order of their names.
pub(super) async fn branches(path: &Path) -> Result<BTreeMap<String, String>> {
    let list = Git::at(path, "list branches")
        .args(["for-each-ref", "--format=%(objectname) %(refname:strip=2)", "refs/heads"])
        .run()
        .await?;
    let list = String::from_utf8_lossy(&list).into_owned();
    let pairs = list.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs.map(|(sha, name)| (name.to_owned(), sha.to_owned())).collect())
}

/// The commit of a branch.
pub(super) async fn branch(path: &Path, name: &str) -> Result<Option<String>> {
    resolve(path, &format!("refs/heads/{name}")).await
}

/// The commit that a branch, a tag, a whole ref or the beginning of an id names.
pub(super) async fn commit(path: &Path, name: &str) -> Result<Option<String>> {
    let id = (4..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut names = vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")];
    if name.starts_with("refs/") || id || name == "HEAD" {
        names.push(name.to_owned());
    }
    for kind in ["heads/", "tags/"].into_iter().filter(|kind| name.starts_with(kind)) {
        names.push(format!("refs/{kind}{}", &name[kind.len()..]));
    }
    for name in names {
        if let Some(found) = resolve(path, &name).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

async fn resolve(path: &Path, name: &str) -> Result<Option<String>> {
    Git::at(path, "find a commit")
        .args(["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")])
        .line_if_any()
        .await
}

/// Whether this may be the name of a branch.
pub(super) async fn is_branch_name(path: &Path, name: &str) -> Result<bool> {
    let line = Git::at(path, "check the name of a branch")
        .args(["check-ref-format", "--normalize", &format!("refs/heads/{name}")])
        .line_if_any()
        .await?;
    Ok(line.is_some_and(|line| line == format!("refs/heads/{name}")))
}

/// Where two commits part; `None` where they have nothing in common.
pub(super) async fn merge_base(path: &Path, one: &str, other: &str) -> Result<Option<String>> {
    Git::at(path, "compare histories").args(["merge-base", one, other]).line_if_any().await
}

/// How many commits the second has that the first lacks.
pub(super) async fn ahead(path: &Path, from: &str, to: &str) -> Result<u64> {
    let count = Git::at(path, "count commits")
        .args(["rev-list", "--count", &format!("{from}..{to}"), "--"])
        .line()
        .await?;
    Ok(count.trim().parse().unwrap_or(0))
}

/// Commits, the newest first; those of `from` and before left out.
pub(super) async fn log(path: &Path, from: Option<&str>, to: &str) -> Result<Vec<Commit>> {
    let mut git = Git::at(path, "list commits")
        .args(["log", "-z", "--no-color", "--no-show-signature", COMMIT])
        .arg(format!("--max-count={MAX_COMMITS}"))
        .arg(to);
    if let Some(from) = from {
        git = git.arg(format!("^{from}"));
    }
    let list = git.arg("--").run().await?;
    let list = String::from_utf8_lossy(&list).into_owned();
    Ok(list.split('\0').filter_map(read).collect())
}

fn read(text: &str) -> Option<Commit> {
    let mut lines = text.splitn(10, '\n');
    let mut next = || lines.next().map(str::to_owned);
    let (sha, tree, parents) = (next()?, next()?, next()?);
    let author = Signature { name: next()?, email: next()?, date: next()? };
    let committer = Signature { name: next()?, email: next()?, date: next()? };
    let message = next().unwrap_or_default().trim_end().to_owned();
    let parents = parents.split_whitespace().map(str::to_owned).collect();
    Some(Commit { sha, tree, parents, author, committer, message })
}

/// Names of all files of a commit, with the ids of what is in them.
pub(super) async fn files(path: &Path, commit: &str) -> Result<BTreeMap<String, String>> {
    let list = Git::at(path, "list files")
        .args(["ls-tree", "-r", "-z", "--full-tree", commit])
        .run()
        .await?;
    let list = String::from_utf8_lossy(&list).into_owned();
    let entries = list.split('\0').filter_map(|entry| entry.split_once('\t'));
    Ok(entries
        .filter_map(|(about, name)| Some((name.to_owned(), about.split(' ').nth(2)?.to_owned())))
        .collect())
}

/// What is in a file.
pub(super) async fn content(path: &Path, id: &str) -> Result<Vec<u8>> {
    Git::at(path, "read a file").args(["cat-file", "blob", id]).run().await
}

/// The whole difference as text.
pub(super) async fn patch(path: &Path, from: &str, to: &str) -> Result<String> {
    let text = Git::at(path, "compare commits")
        .args(["diff", "--no-color", "--no-ext-diff", "--no-textconv", "-M", from, to, "--"])
        .run()
        .await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Sets a ref, if it still is what it was; no old value = whatever it was.
pub(super) async fn set(path: &Path, name: &str, to: &str, old: Option<&str>) -> Result<()> {
    let git = Git::at(path, format!("set {name}")).args(["update-ref", name, to]);
    git.args(old).run().await?;
    Ok(())
}

/// Removes a ref.
pub(super) async fn remove(path: &Path, name: &str) -> Result<()> {
    Git::at(path, format!("remove {name}")).args(["update-ref", "-d", name]).run().await?;
    Ok(())
}

/// Brings a branch of another repository here, under a name of our own.
pub(super) async fn bring(path: &Path, from: &Path, branch: &str, name: &str) -> Result<()> {
    Git::at(path, "fetch the branch of a pull request")
        .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"])
        .arg(from)
        .arg(format!("+refs/heads/{branch}:{name}"))
        .run()
        .await?;
    Ok(())
}

/// The tree that merging makes; `None` where it conflicts.
pub(super) async fn merged_tree(path: &Path, base: &str, head: &str) -> Result<Option<String>> {
    Git::at(path, "merge")
        .args(["merge-tree", "--write-tree", "--no-messages", base, head])
        .line_if_any()
        .await
}

/// Merges into a branch that is at `base`; gives its new commit, or `None` where it conflicts.
pub(super) async fn merge(
    path: &Path,
    method: Method,
    (base, head): (&str, &str),
    who: &User,
    message: &str,
) -> Result<Option<String>> {
    if method == Method::Rebase {
        return rebase(path, base, head, who).await;
    }
    let Some(tree) = merged_tree(path, base, head).await? else { return Ok(None) };
    let mut git = Git::at(path, "make a merge").args(["commit-tree", &tree, "-p", base]);
    if method == Method::Merge {
        git = git.args(["-p", head]);
    }
    for role in ["AUTHOR", "COMMITTER"] {
        git = signed(git, role, who);
    }
    git.input(message).line().await.map(Some)
}

async fn rebase(path: &Path, base: &str, head: &str, who: &User) -> Result<Option<String>> {
    let mut tip = base.to_owned();
    let mut commits = log(path, Some(base), head).await?;
    commits.retain(|commit| commit.parents.len() == 1);
    for commit in commits.iter().rev() {
        let tree = Git::at(path, "rebase")
            .args(["merge-tree", "--write-tree", "--no-messages"])
            .args(["--merge-base", &commit.parents[0], &tip, &commit.sha])
            .line_if_any()
            .await?;
        let Some(tree) = tree else { return Ok(None) };
        let git = Git::at(path, "rebase")
            .args(["commit-tree", &tree, "-p", &tip])
            .env("GIT_AUTHOR_NAME", &commit.author.name)
            .env("GIT_AUTHOR_EMAIL", &commit.author.email)
            .env("GIT_AUTHOR_DATE", &commit.author.date);
        tip = signed(git, "COMMITTER", who).input(commit.message.clone()).line().await?;
    }
    Ok(Some(tip))
}

fn signed(git: Git, role: &str, who: &User) -> Git {
    git.env(&format!("GIT_{role}_NAME"), &who.login)
        .env(&format!("GIT_{role}_EMAIL"), format!("{}@localhost", who.login))
}

/// Makes a branch the one that HEAD names.
pub(super) async fn set_default(path: &Path, branch: &str) -> Result<()> {
    Git::at(path, "set the default branch")
        .args(["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")])
        .run()
        .await?;
    Ok(())
}
