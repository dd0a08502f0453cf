//! The thread's repository, with real git as client.

use std::{path::Path, process::Output};

use tokio::{
    net::{TcpListener, UnixStream},
    process::Command,
};

use super::{Served, TOKEN, sandbox};

/// A relay such as the guest has, for git knows no unix sockets.
async fn relay(served: &Served) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = served.socket.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = UnixStream::connect(&socket).await.unwrap();
            tokio::spawn(async move {
                let _ended = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    format!("http://aloft:{TOKEN}@127.0.0.1:{port}/git/workspace.git")
}

async fn git(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@example.com")])
        .envs([("GIT_COMMITTER_NAME", "Ada"), ("GIT_COMMITTER_EMAIL", "ada@example.com")])
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}

async fn ok(folder: &Path, arguments: &[&str]) -> String {
    let output = git(folder, arguments).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn fails(folder: &Path, arguments: &[&str]) -> String {
    let output = git(folder, arguments).await;
    assert!(!output.status.success(), "git {arguments:?} succeeded");
    String::from_utf8(output.stderr).unwrap()
}

/// A workspace with one commit on `aloft/x`; beside it the thread's repository and its mirror.
async fn workspace(served: &Served) -> std::path::PathBuf {
    let folder = served.folder.path();
    ok(folder, &["init", "-q", "--bare", "repository"]).await;
    ok(folder, &["init", "-q", "-b", "aloft/x", "workspace"]).await;
    let workspace = folder.join("workspace");
    std::fs::write(workspace.join("a"), "one\n").unwrap();
    ok(&workspace, &["add", "."]).await;
    ok(&workspace, &["commit", "-qm", "one"]).await;
    // As in the cloud, where a thread's repository borrows from the mirror and holds refs of its own.
    ok(folder, &["clone", "-q", "--bare", "workspace", "mirror"]).await;
    let alternates = folder.join("repository/objects/info/alternates");
    std::fs::write(alternates, format!("{}\n", folder.join("mirror/objects").display())).unwrap();
    let head = ok(&workspace, &["rev-parse", "HEAD"]).await;
    ok(&folder.join("repository"), &["update-ref", "refs/aloft/base", &head]).await;
    workspace
}

#[tokio::test]
async fn pushes_its_own_branch_and_fetches_it_again() {
    let served = sandbox(None, "aloft/x");
    let workspace = workspace(&served).await;
    let url = relay(&served).await;
    ok(&workspace, &["push", "-q", &url, "HEAD"]).await;
    let head = ok(&workspace, &["rev-parse", "HEAD"]).await;
    let repository = served.folder.path().join("repository");
    assert_eq!(ok(&repository, &["rev-parse", "refs/heads/aloft/x"]).await, head);
    // Above a mebibyte git sends the pack in chunks, after a probe.
    let noise: Vec<u8> =
        (0u32..3_000_000).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
    std::fs::write(workspace.join("b"), noise).unwrap();
    ok(&workspace, &["add", "."]).await;
    ok(&workspace, &["commit", "-q", "--amend", "-m", "two"]).await;
    ok(&workspace, &["-c", "http.postBuffer=65536", "push", "-qf", &url, "HEAD"]).await;
    ok(served.folder.path(), &["clone", "-q", "-b", "aloft/x", &url, "again"]).await;
    let again = served.folder.path().join("again");
    assert_eq!(
        ok(&again, &["rev-parse", "HEAD"]).await,
        ok(&workspace, &["rev-parse", "HEAD"]).await
    );
}

#[tokio::test]
async fn pushes_nothing_else() {
    let served = sandbox(None, "aloft/x");
    let workspace = workspace(&served).await;
    let url = relay(&served).await;
    ok(&workspace, &["push", "-q", &url, "HEAD"]).await;
    let repository = served.folder.path().join("repository");
    let before = ok(&repository, &["for-each-ref"]).await;
    for target in [
        "HEAD:refs/heads/main",
        ":refs/heads/aloft/x",
        "HEAD:refs/tags/v1",
        "HEAD:refs/aloft/turns/1",
    ] {
        let words = fails(&workspace, &["push", &url, target]).await;
        assert!(words.contains("only refs/heads/aloft/x can be pushed"), "{target}: {words}");
    }
    fails(&workspace, &["push", &url, "HEAD:refs/heads/aloft/x", "HEAD:refs/heads/y"]).await;
    assert_eq!(ok(&repository, &["for-each-ref"]).await, before);
}

#[tokio::test]
async fn asks_for_the_token() {
    let served = sandbox(None, "aloft/x");
    let workspace = workspace(&served).await;
    let url = relay(&served).await;
    let words = fails(&workspace, &["ls-remote", &url.replace(TOKEN, "guessed")]).await;
    assert!(words.contains("Authentication failed") || words.contains("could not read"), "{words}");
    let other = url.replace("workspace.git", "other.git");
    let words = fails(&workspace, &["ls-remote", &other]).await;
    assert!(words.contains("not found"), "{words}");
}

#[tokio::test]
async fn refuses_a_damaged_object() {
    let served = sandbox(None, "aloft/x");
    let workspace = workspace(&served).await;
    let url = relay(&served).await;
    let tree = ok(&workspace, &["rev-parse", "HEAD^{tree}"]).await;
    std::fs::write(workspace.join("commit"), format!("tree {tree}\nauthor nobody\n\nx\n")).unwrap();
    let hash = ["hash-object", "-t", "commit", "-w", "--literally", "commit"];
    let commit = ok(&workspace, &hash).await;
    let target = format!("{commit}:refs/heads/aloft/x");
    let words = fails(&workspace, &["push", &url, &target]).await;
    assert!(words.contains("fsck") || words.contains("unpack"), "{words}");
}
