//! A person's repository on its way to the cloud and back: what is carried, and that nothing is touched unasked.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use aloft_tests::{
    git::{fingerprint, git},
    home::{Home, items},
};
use serde_json::Value;

/// Creates a thread with these arguments more, waits for its turn, and gives it.
fn create(home: &Home, repository: &Path, more: &[&str], prompt: &str) -> Value {
    let path = repository.to_str().unwrap();
    let words = ["new", "--agent", "shell", "--mode", "auto", "--repo", path, "--wait", prompt];
    home.json([&words, more].concat())
}

/// What the last command of a thread printed.
fn said(home: &Home, thread: &Value) -> String {
    let shown = home.show(thread["id"].as_str().unwrap());
    items(&shown, "commandExecution").last().unwrap()["output"].as_str().unwrap().to_owned()
}

/// Changes that no commit has: staged, unstaged, untracked, ignored, deleted, executable.
fn soil(repository: &Path) {
    fs::write(repository.join("staged.txt"), "staged\n").unwrap();
    git(repository, &["add", "staged.txt"]);
    fs::write(repository.join("src/main.py"), "FLAG = 'dirty'\n").unwrap();
    fs::write(repository.join("untracked.txt"), "untracked\n").unwrap();
    fs::write(repository.join("ignored.log"), "ignored\n").unwrap();
    fs::remove_file(repository.join("README.md")).unwrap();
    fs::write(repository.join("run.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(repository.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn carried_changes_arrive_and_the_checkout_is_untouched() {
    let home = Home::new();
    let repository = home.repository();
    soil(&repository);
    let before = fingerprint(&repository);
    let look = "$ cat staged.txt src/main.py untracked.txt; test -x run.sh && echo runs; ls README.md ignored.log 2>/dev/null; exit 0";
    let thread = create(&home, &repository, &["--dirty", "carry"], look);
    assert_eq!(said(&home, &thread), "staged\nFLAG = 'dirty'\nuntracked\nruns\n");
    let ignored = create(
        &home,
        &repository,
        &["--dirty", "ignore"],
        "$ git status --short; cat src/main.py | head -1",
    );
    assert_eq!(said(&home, &ignored), "FLAG = False\n");
    let path = repository.to_str().unwrap();
    let refused =
        home.fails(1, ["new", "--agent", "shell", "--repo", path, "--dirty", "refuse", "x"]);
    assert!(refused["hint"].is_string(), "{refused}");
    assert_eq!(fingerprint(&repository), before);
}

#[test]
fn a_thread_begins_at_any_ref() {
    let home = Home::new();
    let repository = home.repository();
    git(&repository, &["branch", "feature/with/slash", "HEAD~1"]);
    git(&repository, &["tag", "-a", "-m", "first", "v1.0", "HEAD~1"]);
    let first = git(&repository, &["rev-parse", "HEAD~1"]);
    let head = git(&repository, &["rev-parse", "HEAD"]);
    for reference in ["feature/with/slash", "v1.0", &first, &first[..10], "HEAD~1"] {
        let thread = create(&home, &repository, &["--ref", reference], "$ git rev-parse HEAD");
        assert_eq!(thread["baseCommit"], first.as_str(), "{reference}");
        assert_eq!(said(&home, &thread), format!("{first}\n"), "{reference}");
    }
    let thread = create(&home, &repository, &[], "$ git rev-parse HEAD");
    assert_eq!(thread["baseCommit"], head.as_str());
    // A commit made since is found as well.
    fs::write(repository.join("later"), "later").unwrap();
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "-q", "-m", "later"]);
    let thread = create(&home, &repository, &[], "$ cat later");
    assert_eq!(said(&home, &thread), "later");
}

#[test]
fn a_repository_is_found_by_its_address_too() {
    let home = Home::new();
    let repository = home.repository();
    let bare = home.path("origin.git");
    git(
        &home.path("home"),
        &["clone", "-q", "--bare", repository.to_str().unwrap(), bare.to_str().unwrap()],
    );
    fs::set_permissions(&bare, fs::Permissions::from_mode(0o755)).unwrap();
    let address = format!("file://{}", bare.display());
    let thread = create(&home, Path::new(&address), &[], "$ cat README.md");
    assert_eq!(said(&home, &thread), "# Sample\n");
    assert_eq!(thread["repository"]["url"], address.as_str());
}

#[test]
fn applying_brings_every_kind_of_change() {
    let home = Home::new();
    let repository = home.repository();
    let change = "```sh
printf '\\000\\001\\377' > data.bin
git mv README.md READ.me
chmod +x src/main.py
ln -s READ.me link
rm .gitignore
echo done > new.txt
```";
    let thread = create(&home, &repository, &[], change);
    let id = thread["id"].as_str().unwrap();
    // What the person did meanwhile stays.
    fs::write(repository.join("mine.txt"), "mine").unwrap();
    home.ok(["apply", id, "--path", repository.to_str().unwrap()]);
    assert_eq!(fs::read(repository.join("data.bin")).unwrap(), [0, 1, 255]);
    assert!(!repository.join("README.md").exists() && repository.join("READ.me").exists());
    assert_eq!(
        fs::metadata(repository.join("src/main.py")).unwrap().permissions().mode() & 0o111,
        0o111
    );
    assert_eq!(fs::read_link(repository.join("link")).unwrap(), Path::new("READ.me"));
    assert!(!repository.join(".gitignore").exists());
    assert_eq!(fs::read_to_string(repository.join("mine.txt")).unwrap(), "mine");
    // A second time, whether it is refused or finds nothing to do, changes nothing.
    let before = fingerprint_of_work(&repository);
    home.run(["apply", id, "--path", repository.to_str().unwrap()]);
    assert_eq!(fingerprint_of_work(&repository), before);
}

#[test]
fn a_conflict_changes_nothing_unless_asked_for() {
    let home = Home::new();
    let repository = home.repository();
    let thread =
        create(&home, &repository, &[], "$ sed -i s/False/True/ src/main.py; echo new > new.txt");
    let id = thread["id"].as_str().unwrap();
    fs::write(repository.join("src/main.py"), "FLAG = None\n\n\ndef main():\n    return FLAG\n")
        .unwrap();
    git(&repository, &["commit", "-qam", "mine"]);
    let before = fingerprint_of_work(&repository);
    let error = home.fails(1, ["apply", id, "--path", repository.to_str().unwrap()]);
    assert!(error["message"].as_str().unwrap().contains("src/main.py"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("conflict markers"), "{error}");
    assert_eq!(fingerprint_of_work(&repository), before);
    home.run(["apply", id, "--conflicts", "--path", repository.to_str().unwrap()]);
    let merged = fs::read_to_string(repository.join("src/main.py")).unwrap();
    assert!(
        merged.contains("<<<<<<<") && merged.contains("True") && merged.contains("None"),
        "{merged}"
    );
}

#[test]
fn a_branch_comes_back_with_its_commits() {
    let home = Home::new();
    let repository = home.repository();
    let thread = create(
        &home,
        &repository,
        &["--branch", "topic/deep/name"],
        "$ echo 1 > a; git add a; git commit -qm one; echo 2 > b; git add b; git commit -qm two\n$ echo 3 > c",
    );
    let id = thread["id"].as_str().unwrap();
    assert_eq!(thread["branch"], "topic/deep/name");
    let path = repository.to_str().unwrap();
    home.ok(["checkout", id, "--path", path, "--branch", "review", "--no-switch"]);
    assert_eq!(git(&repository, &["branch", "--show-current"]), "main");
    home.ok(["checkout", id, "--path", path]);
    assert_eq!(git(&repository, &["branch", "--show-current"]), "topic/deep/name");
    let subjects = git(&repository, &["log", "--format=%s", "main..review"]);
    assert!(subjects.ends_with("two\none"), "{subjects}");
    for (name, content) in [("a", "1\n"), ("b", "2\n")] {
        assert_eq!(fs::read_to_string(repository.join(name)).unwrap(), content);
    }
    git(&repository, &["fsck", "--strict"]);
    // A second thread cannot have the same branch.
    let taken = home
        .fails(1, ["new", "--agent", "shell", "--repo", path, "--branch", "topic/deep/name", "x"]);
    assert_eq!(taken["reason"], "BRANCH_TAKEN");
}

/// The checkout without git's own files, which a look at it may refresh.
fn fingerprint_of_work(repository: &Path) -> Vec<String> {
    fingerprint(repository).into_iter().filter(|line| !line.starts_with(".git")).collect()
}

#[test]
fn a_repository_is_there_for_the_next_thread_while_its_last_one_goes() {
    let home = Home::new();
    let repository = home.repository();
    for _ in 0..8 {
        let id = home.begin(&repository, "auto", "$ true");
        home.ok(["delete", &id, "--yes"]);
    }
}
