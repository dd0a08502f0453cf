//! A thread's own repository, as git in its sandbox sees it: `origin`, of which it may push its own branch and no other.

use std::fs;

use aloft_tests::home::{Home, items};

#[test]
fn the_agent_pushes_its_own_branch_to_origin_and_no_other() {
    let home = Home::new();
    let commit = "$ echo 1 > one && git add . && git commit -qm one && git push -q && git fetch -q origin \
                  && git rev-parse refs/remotes/origin/$ALOFT_BRANCH";
    let thread = home.shell(&home.repository(), "auto", commit);
    let id = thread["id"].as_str().unwrap();
    let run = |number: u64, prompt: &str| {
        if number > 1 {
            home.ok(["send", id, "--wait", prompt]);
        }
        let shown = home.show(id);
        items(&shown, "commandExecution").last().copied().cloned().unwrap()
    };
    let pushed = run(1, commit);
    assert_eq!(pushed["exitCode"], 0, "{pushed:#}");
    let head = fs::read_to_string(
        home.workspace(id).join(".git/refs/heads").join(thread["branch"].as_str().unwrap()),
    )
    .unwrap();
    assert_eq!(pushed["output"].as_str().unwrap().trim(), head.trim());
    let other = run(2, "$ git push origin HEAD:refs/heads/main");
    assert_ne!(other["exitCode"], 0, "{other:#}");
    assert!(other["output"].as_str().unwrap().contains("can be pushed"), "{other:#}");

    // The token is another after the cloud began anew, and git has the one that opens.
    home.kill_cloud();
    let again = run(3, "$ git commit -q --allow-empty -m two && git push -q && git fsck");
    assert_eq!(again["exitCode"], 0, "{again:#}");
}
