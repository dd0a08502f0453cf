//! What cannot be pushed, or shall not, comes as files: patches that `git am` takes, and a bundle of the branch.

use std::path::{Path, PathBuf};

use aloft_tests::{
    git::{git, repository},
    home::{Home, feed},
};
use serde_json::{Value, json};

use crate::pull_request::{
    github::{stage, thread},
    text,
};

/// The paths in a list of them.
fn paths(list: &Value) -> Vec<PathBuf> {
    list.as_array().unwrap().iter().map(|path| PathBuf::from(path.as_str().unwrap())).collect()
}

/// A new checkout that has nothing but what the thread began from, with its patches on top.
fn with_patches(home: &Home, from: &Path, saved: &Value) -> PathBuf {
    let there = home.path("there");
    git(&home.path(""), &["clone", "-q", from.to_str().unwrap(), there.to_str().unwrap()]);
    git(&there, &["reset", "-q", "--hard", text(saved, "base")]);
    let patches = paths(&saved["patches"]);
    let mut words = vec!["am", "-q", "--keep-cr"];
    words.extend(patches.iter().map(|path| path.to_str().unwrap()));
    git(&there, &words);
    there
}

#[test]
fn work_without_a_remote_comes_as_patches_and_a_bundle() {
    let home = Home::new();
    let checkout = repository(&home.path("repository"));
    let script = "$ printf 'one\\r\\n' > crlf.txt; head -c 5000 /dev/urandom > noise.bin; \
        git add .; git commit -qm 'By the agent'; echo two > rest.txt";
    let made = home.shell(&checkout, "auto", script);
    let (id, branch) = (text(&made, "id"), text(&made, "branch"));
    assert_eq!(home.fails(1, ["pr", id])["reason"], "NO_REMOTE");
    let folder = home.path("out");
    let folder_text = folder.to_str().unwrap();
    let saved = home.json(["pr", id, "--output", folder_text]);
    let patches = paths(&saved["patches"]);
    assert_eq!(patches.len(), 2, "{saved}");
    assert!(patches[0].ends_with("0001-By-the-agent.patch"), "{saved}");
    assert_eq!(text(&saved, "base"), git(&checkout, &["rev-parse", "HEAD"]));
    let bundle = text(&saved, "bundle");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3, "nothing else is in it");

    // Both give the thread's files, what it had not committed too.
    let there = with_patches(&home, &checkout, &saved);
    assert_eq!(std::fs::read(there.join("crlf.txt")).unwrap(), b"one\r\n");
    assert_eq!(std::fs::read_to_string(there.join("rest.txt")).unwrap(), "two\n");
    git(&there, &["fetch", "-q", bundle, &format!("{branch}:{branch}")]);
    assert_eq!(git(&there, &["rev-parse", branch]), text(&saved, "commit"));
    assert_eq!(git(&there, &["diff", "--stat", "HEAD", branch]), "");
    let message = git(&there, &["log", "-1", "--format=%B", branch]);
    assert!(message.contains(&format!("Aloft-Thread: {id}")), "{message}");

    // What is there stays as it is.
    std::fs::write(folder.join("mine.txt"), "mine\n").unwrap();
    assert_eq!(home.fails(1, ["pr", id, "--output", folder_text])["reason"], "FILE_EXISTS");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 4);
    // It says where it is and what one does with it.
    let other = home.path("other");
    let said = home.ok(["pr", id, "--output", other.to_str().unwrap()]);
    for part in ["0002-", ".bundle", "git am --keep-cr", &format!("{branch}:{branch}")] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }

    let idle = home.shell(&checkout, "auto", "$ true");
    let unwritten = home.path("unwritten");
    let words = ["pr", text(&idle, "id"), "--output", unwritten.to_str().unwrap()];
    assert_eq!(home.fails(1, words)["reason"], "NOTHING_TO_PROPOSE");
    assert!(!unwritten.exists(), "nothing is left of what came to nothing");
    let left: Vec<_> = std::fs::read_dir(home.path("")).unwrap().flatten().collect();
    let left = left.iter().filter(|entry| entry.file_name().to_string_lossy().contains("patches"));
    assert_eq!(left.count(), 0);
}

#[test]
fn a_history_with_merges_comes_as_one_patch() {
    let home = Home::new();
    let checkout = repository(&home.path("repository"));
    let script = "$ git switch -qc side; echo side > side.txt; git add .; git commit -qm side; \
        git switch -q -; echo main > main.txt; git add .; git commit -qm main; git merge -q --no-edit side";
    let made = home.shell(&checkout, "auto", script);
    let folder = home.path("out");
    let saved = home.json(["pr", text(&made, "id"), "--output", folder.to_str().unwrap()]);
    assert_eq!(paths(&saved["patches"]).len(), 1, "{saved}");
    let there = with_patches(&home, &checkout, &saved);
    assert_eq!(git(&there, &["ls-files", "side.txt", "main.txt"]).lines().count(), 2);
    let branch = text(&made, "branch");
    git(&there, &["fetch", "-q", text(&saved, "bundle"), &format!("{branch}:{branch}")]);
    assert_eq!(git(&there, &["rev-list", "--merges", "--count", &format!("HEAD..{branch}")]), "1");
}

#[test]
fn who_may_only_read_takes_the_work_along() {
    let (home, forge) = stage();
    let user = forge.control("POST", "/users", &json!({"login": "ada", "scopes": ["repo"]}));
    forge.control("PATCH", "/repos/dev/tool", &json!({"permissions": {"ada": "read"}}));
    let words = ["forge", "connect", "github", "--url", &forge.url(), "--token-stdin"];
    assert_eq!(feed(home.command(words), text(&user, "token").as_bytes()).code, 0);
    let made = thread(&home, "dev/tool", "$ echo one > new.txt");
    let folder = home.path("out");
    let saved = home.json(["pr", text(&made, "id"), "--output", folder.to_str().unwrap()]);
    let there = with_patches(&home, &home.path("forge/dev/tool.git"), &saved);
    assert_eq!(git(&there, &["show", "HEAD:new.txt"]), "one");
    assert_eq!(git(&there, &["log", "-1", "--format=%an"]), "ada");
}
