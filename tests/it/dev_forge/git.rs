//! Real git against the forge: who may fetch and push what, and bodies of every kind.

use std::{path::Path, process::Command};

use aloft_tests::{
    dev_forge::DevForge,
    git::git,
    home::{Run, finish},
};
use serde_json::json;

use super::Stage;

/// Runs git, which may fail, with no way to ask anybody for a password.
fn try_git(dir: &Path, args: &[&str]) -> Run {
    let mut command = Command::new("git");
    command
        .current_dir(dir)
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_TRACE_CURL", dir.join("trace"));
    finish(command)
}

#[test]
fn small_large_and_compressed_bodies_arrive_whole() {
    let stage = Stage::new();
    let folder = stage.folder.path();
    let url = stage.forge.git_url("acme/app");
    git(folder, &["clone", "-q", &url, "one"]);
    let work = stage.path("one");
    // A pack above the limit comes in pieces without a length, after a probe.
    let noise: Vec<u8> =
        (0..300_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    std::fs::write(work.join("noise"), noise).unwrap();
    git(&work, &["checkout", "-q", "-b", "große/änderung"]);
    git(&work, &["add", "."]);
    git(&work, &["commit", "-q", "-m", "much"]);
    let pushed = try_git(&work, &["-c", "http.postBuffer=1024", "push", "origin", "HEAD"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    let trace = std::fs::read_to_string(work.join("trace")).unwrap();
    assert!(trace.contains("Transfer-Encoding: chunked"), "the pack was not sent in pieces");

    // A question for many branches is long enough to be compressed.
    git(folder, &["clone", "-q", &url, "two"]);
    let (other, bare) = (stage.path("two"), stage.path("forge/acme/app.git"));
    for number in 0..60 {
        let text = number.to_string();
        let commit = git(&bare, &["commit-tree", "main^{tree}", "-p", "main", "-m", &text]);
        git(&bare, &["update-ref", &format!("refs/heads/many/{number}"), &commit]);
    }
    let fetched = try_git(&other, &["fetch", "origin"]);
    assert_eq!(fetched.code, 0, "{}", fetched.stderr);
    let trace = std::fs::read_to_string(other.join("trace")).unwrap();
    assert!(trace.to_lowercase().contains("content-encoding: gzip"), "nothing was compressed");
    git(&other, &["fsck", "--no-dangling"]);
    let names = git(&other, &["branch", "-r"]);
    assert!(names.contains("origin/große/änderung") && names.contains("origin/many/59"), "{names}");
}

#[test]
fn who_shows_no_token_or_a_wrong_one_gets_nothing() {
    let stage = Stage::new();
    let folder = stage.folder.path();
    let bare = format!("{}/acme/app.git", stage.forge.url());
    for url in [bare.clone(), bare.replace("http://", "http://x:wrong@")] {
        let run = try_git(folder, &["clone", "-q", &url, "no"]);
        assert_ne!(run.code, 0);
        assert!(!stage.path("no").exists());
    }
    let reply = stage.forge.send(
        "GET",
        "/acme/app.git/info/refs?service=git-upload-pack",
        None,
        &json!(null),
        &[],
    );
    assert_eq!(reply.status, 401);
    assert!(reply.header("www-authenticate").unwrap().starts_with("Basic "));

    // One who has an account, but not here, does not even learn that it is there.
    let other = stage.forge.control("POST", "/users", &json!({ "login": "ben" }));
    let token = other["token"].as_str().unwrap();
    let url = bare.replace("http://", &format!("http://x:{token}@"));
    let run = try_git(folder, &["clone", "-q", &url, "no"]);
    assert!(run.stderr.contains("not found"), "{}", run.stderr);

    let reading = json!({ "permissions": { "ben": "read" } });
    stage.forge.control("PATCH", "/repos/acme/app", &reading);
    assert_eq!(try_git(folder, &["clone", "-q", &url, "read"]).code, 0);
    let push = ["push", "origin", "HEAD:refs/heads/mine"];
    let run = try_git(&stage.path("read"), &push);
    assert!(run.code != 0 && run.stderr.contains("403"), "{}", run.stderr);
    let writing = json!({ "permissions": { "ben": "write" }, "protected": ["main"] });
    stage.forge.control("PATCH", "/repos/acme/app", &writing);
    assert_eq!(try_git(&stage.path("read"), &push).code, 0);

    let work = stage.path("read");
    git(&work, &["commit", "-q", "--allow-empty", "-m", "more"]);
    let run = try_git(&work, &["push", "origin", "HEAD:refs/heads/main"]);
    assert!(
        run.code != 0 && run.stderr.contains("Protected branch update failed"),
        "{}",
        run.stderr
    );
    let run = try_git(&work, &["push", "origin", "HEAD:refs/pull/1/head"]);
    assert_ne!(run.code, 0, "the forge's own refs can be written");

    stage.forge.control("POST", "/tokens/revoke", &json!({ "token": token }));
    let run = try_git(&work, &["push", "origin", "HEAD:refs/heads/mine"]);
    assert_ne!(run.code, 0);
    assert_eq!(stage.forge.send("GET", "/api/v3/user", Some(token), &json!(null), &[]).status, 401);
}

#[test]
fn a_forge_that_is_started_again_has_everything_and_says_no_token() {
    let mut stage = Stage::new();
    stage.push("topic", "one.txt", "one\n");
    let number = stage.open("topic");
    let token = stage.forge.token().to_owned();
    let mode = std::fs::metadata(stage.path("forge/.dev-forge/token")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
    let kept = std::fs::read_to_string(stage.path("forge/.dev-forge/accounts.json")).unwrap();
    assert!(!kept.contains(&token), "the token lies beside its hash");
    stage.forge.run();
    assert_eq!(stage.forge.token(), token);
    let pull = stage.forge.get(&format!("/repos/acme/app/pulls/{number}")).must(200);
    assert_eq!(pull["title"], "Merge topic");
    git(stage.folder.path(), &["clone", "-q", &stage.forge.git_url("acme/app"), "again"]);

    // What is no repository is none, and no path leads out of the folder.
    let forge: &DevForge = &stage.forge;
    for path in
        ["/repos/acme/none", "/repos/acme/..", "/repos/..%2Facme/app", "/repos/.dev-forge/hooks"]
    {
        assert_eq!(forge.get(path).status, 404, "{path}");
    }
}

#[test]
fn a_renamed_repository_is_found_by_its_old_name() {
    let stage = Stage::new();
    stage.forge.control("PATCH", "/repos/acme/app", &json!({ "name": "tool" }));
    let reply = stage.forge.get("/repos/acme/app/branches");
    assert_eq!(reply.status, 301);
    let to = format!("{}/api/v3/repos/acme/tool/branches", stage.forge.url());
    assert_eq!(reply.header("location"), Some(to.as_str()));
    let run = try_git(
        stage.folder.path(),
        &[
            "-c",
            "http.followRedirects=true",
            "clone",
            "-q",
            &stage.forge.git_url("acme/app"),
            "old",
        ],
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
}
