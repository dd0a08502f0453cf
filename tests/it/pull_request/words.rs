//! Title and text of a pull request are the agent's own, and the facts below them the log's. Its model is the scripted server,
//! which finds in the repository's template what it is to answer.

use aloft_tests::{
    dev_forge::DevForge,
    git::git,
    home::{Home, Run, items},
    model::{ModelServer, UPSTREAM_KEY},
    poll,
};
use serde_json::{Value, json};

use crate::pull_request::{
    github::{connect, pulls, stage},
    text,
};

/// A person whose agent has a model, and a forge with a repository whose template holds this script.
struct Stage {
    // Before the server: the cloud ends first.
    home: Home,
    forge: DevForge,
    server: ModelServer,
}

impl Stage {
    fn new(script: &Value) -> Self {
        let server = ModelServer::new();
        let (home, forge) = stage();
        let home = home
            .with("ANTHROPIC_API_KEY", UPSTREAM_KEY)
            .with("ANTHROPIC_BASE_URL", server.anthropic());
        git(&home.path(""), &["clone", "-q", &forge.git_url("dev/tool"), "work"]);
        let work = home.path("work");
        std::fs::create_dir_all(work.join(".github")).unwrap();
        let template = format!("## Why\n\nMARK {script}\n");
        std::fs::write(work.join(".github/pull_request_template.md"), template).unwrap();
        git(&work, &["add", "."]);
        git(&work, &["commit", "-q", "-m", "say what to answer"]);
        git(&work, &["push", "-q", "origin", "HEAD:main"]);
        connect(&home, &forge);
        Self { home, forge, server }
    }

    /// A thread of the agent `aloft` that made a file and ran a command which failed.
    fn thread(&self) -> Value {
        let script = json!([
            {"tool": "write", "path": "/workspace/new.txt", "content": "one\n"},
            {"tool": "shell", "cmd": "exit 3"},
            {"text": "It is done."},
        ]);
        let words = ["new", "--agent", "aloft", "--model", "m", "--mode", "auto", "--repo"];
        let prompt = format!("Add one. MARK {script}");
        self.home.json(words.into_iter().chain(["dev/tool", "--wait", &prompt]))
    }

    fn pull(&self) -> Value {
        let [pull] = &pulls(&self.forge, "all")[..] else { panic!("one pull request") };
        pull.clone()
    }

    fn notices(&self, id: &str) -> Vec<String> {
        let shown = self.home.show(id);
        items(&shown, "notice").iter().map(|item| text(item, "text").to_owned()).collect()
    }
}

fn answer() -> Value {
    let text = "<title>Add one</title>\n<body>\n## Why\n\nIt was asked for.\n</body>";
    json!({ "text": text })
}

#[test]
fn the_agent_writes_the_words_and_the_log_the_facts() {
    let stage = Stage::new(&json!([answer()]));
    let (home, thread) = (&stage.home, stage.thread());
    let (id, branch) = (text(&thread, "id"), text(&thread, "branch"));
    assert_eq!(home.json(["pr", id])["pullRequest"]["number"], 1);
    let pull = stage.pull();
    assert_eq!(text(&pull, "title"), "Add one");
    let body = text(&pull, "body");
    assert!(body.starts_with("## Why\n\nIt was asked for.\n\n<!-- aloft"), "{body}");
    for part in ["`exit 3`: exit code 3", "`new.txt`: new, +1 -0"] {
        assert!(body.contains(part), "{part} is not in\n{body}");
    }
    for part in ["MARK", "It is done.", "<title>"] {
        assert!(!body.contains(part), "{part} is in\n{body}");
    }
    // It was told the facts, and its turn is in the log and in the ledger as the pull request's own.
    let asked = stage.server.seen().last().unwrap().body.to_string();
    assert!(asked.contains("`exit 3`: exit code 3"), "{asked}");
    let shown = home.show(id);
    assert_eq!(shown["turns"].as_array().unwrap().len(), 2);
    assert!(text(items(&shown, "agentMessage").last().unwrap(), "text").contains("<title>"));
    let used = home.json(["usage"]);
    let entries = used["entries"].as_array().unwrap();
    let own = entries.iter().find(|entry| entry["subject"] == "pullRequestWords/2").unwrap();
    assert_eq!(
        (text(own, "kind"), &own["usage"]["inputTokens"]),
        ("pullRequestWords", &json!(100))
    );
    assert_eq!(entries.iter().filter(|entry| entry["kind"] == "turn").count(), 1, "{used}");
    let notices = home.json(["notice", "list"]);
    let done = notices.as_array().unwrap().iter().filter(|one| one["kind"] == "completed");
    assert_eq!(done.count(), 1, "of the work, not of the words: {notices}");

    // Again: the same commit, and nobody is asked anew. After more work the facts are renewed, and the rest stays.
    let bare = home.path("forge/dev/tool.git");
    let (tip, calls) = (git(&bare, &["rev-parse", branch]), stage.server.seen().len());
    home.ok(["pr", id]);
    assert_eq!(git(&bare, &["rev-parse", branch]), tip);
    let more = json!([{"tool": "shell", "cmd": "echo two > new.txt"}, {"text": "Two it is."}]);
    home.ok(["send", id, "--wait", &format!("MARK {more}")]);
    let before = stage.server.seen().len();
    assert!(before > calls);
    home.ok(["pr", id]);
    assert_eq!(stage.server.seen().len(), before, "the agent was asked again");
    let pull = stage.pull();
    let body = text(&pull, "body");
    assert!(body.starts_with("## Why\n\nIt was asked for."), "{body}");
    assert!(body.contains("`echo two > new.txt`: exit code 0"), "{body}");
    assert!(!body.contains("Two it is.") && text(&pull, "title") == "Add one", "{pull}");
    stage.forge.call("PUT", "/repos/dev/tool/pulls/1/merge", &json!({})).must(200);
    assert_eq!(home.json(["pr", id])["pullRequest"]["state"], "merged");
    assert_eq!(pulls(&stage.forge, "all").len(), 1);
}

#[test]
fn what_the_agent_changes_meanwhile_is_not_pushed() {
    let sneak = json!({"tool": "write", "path": "/workspace/sneak.txt", "content": "x\n"});
    let stage = Stage::new(&json!([sneak, answer()]));
    let (home, thread) = (&stage.home, stage.thread());
    let (id, branch) = (text(&thread, "id"), text(&thread, "branch"));
    home.ok(["pr", id]);
    assert_eq!(text(&stage.pull(), "title"), "Add one");
    let files = git(&home.path("forge/dev/tool.git"), &["ls-tree", "--name-only", branch]);
    assert!(files.contains("new.txt") && !files.contains("sneak.txt"), "{files}");
    let told = stage.notices(id);
    let said = told.iter().find(|text| text.contains("the agent changed sneak.txt"));
    assert!(said.is_some_and(|text| text.contains("--turn 1")), "{told:?}");

    // Where it has to ask, it is denied, and nobody is asked.
    let other = stage.thread();
    let id = text(&other, "id");
    home.ok(["mode", id, "manual"]);
    home.ok(["pr", id]);
    assert!(!home.workspace(id).join("sneak.txt").exists());
    let told = stage.notices(id);
    assert!(!told.iter().any(|text| text.contains("the agent changed")), "{told:?}");
}

#[test]
fn where_the_agent_cannot_the_words_are_those_of_the_log() {
    for (script, why) in [
        (json!([{"text": "I would rather not."}]), "it answered something else"),
        (json!([{"fail": 400}]), "it fails as asked"),
    ] {
        let stage = Stage::new(&script);
        let (home, thread) = (&stage.home, stage.thread());
        let id = text(&thread, "id");
        home.ok(["pr", id]);
        let pull = stage.pull();
        assert_eq!(pull["title"], thread["title"], "{pull}");
        let body = text(&pull, "body");
        for part in ["> Add one.", "It is done.", "`exit 3`: exit code 3", "## Why"] {
            assert!(body.contains(part), "{part} is not in\n{body}");
        }
        // The template holds what the agent is to say.
        let above = body.split("## Why").next().unwrap();
        assert!(!above.contains("rather not"), "{body}");
        let told = stage.notices(id);
        let said = |text: &String| text.contains("did not write") && text.contains(why);
        assert!(told.iter().any(said), "{told:?}");
        home.wait_state(id, "idle");
        // Renewed, it says nothing of what was asked in between.
        home.ok(["send", id, "--wait", &format!("MARK {}", json!([{"text": "Nothing new."}]))]);
        home.ok(["pr", id]);
        let body = text(&stage.pull(), "body").to_owned();
        let above = body.split("## Why").next().unwrap();
        assert!(above.contains("Nothing new.") && !above.contains("rather not"), "{body}");
    }
    // At the end of its budget it is not asked, and no question stays open.
    let stage = Stage::new(&json!([answer()]));
    let (home, thread) = (&stage.home, stage.thread());
    let id = text(&thread, "id");
    home.ok(["budget", id, "--tokens", "1"]);
    let calls = stage.server.seen().len();
    home.ok(["pr", id]);
    assert_eq!((stage.server.seen().len(), &stage.pull()["title"]), (calls, &thread["title"]));
    let told = stage.notices(id);
    assert!(told.iter().any(|text| text.contains("the budget is used up")), "{told:?}");
    home.wait_state(id, "idle");
}

#[test]
fn words_of_ones_own_need_no_agent_and_a_stop_ends_it_all() {
    let slow = json!({"text": answer()["text"], "chunks": 70, "pauseMs": 2_000});
    let stage = Stage::new(&json!([slow]));
    let (home, thread) = (&stage.home, stage.thread());
    let (id, branch) = (text(&thread, "id"), text(&thread, "branch"));
    let waiting = || -> Run { home.run(["pr", id, "--json"]) };
    let stopped = std::thread::scope(|scope| {
        let proposing = scope.spawn(waiting);
        poll::until("the agent to write", || {
            let shown = home.show(id);
            (shown["turns"][1]["state"] == "running").then_some(())
        });
        home.ok(["stop", id]);
        proposing.join().unwrap()
    });
    assert_eq!(stopped.code, 1, "{}", stopped.text());
    let error: Value = serde_json::from_slice(&stopped.stdout).unwrap();
    assert_eq!(error["error"]["reason"], "PULL_REQUEST_STOPPED", "{error}");
    let shown = home.wait_state(id, "idle");
    let by = text(&shown["turns"][1], "stoppedBy").to_owned();
    assert!(text(&error["error"], "message").contains(&format!("stopped by {by}")), "{error}");
    let told = stage.notices(id);
    assert!(told.iter().any(|text| text.contains(&format!("stopped by {by}"))), "{told:?}");
    assert_eq!(pulls(&stage.forge, "all").len(), 0);
    let branches = git(&home.path("forge/dev/tool.git"), &["branch", "--list", branch]);
    assert_eq!(branches, "", "nothing was pushed");

    let calls = stage.server.seen().len();
    home.ok(["pr", id, "--title", "Mine", "--body", "By hand."]);
    let pull = stage.pull();
    assert_eq!((text(&pull, "title"), text(&pull, "body")), ("Mine", "By hand."));
    assert_eq!(stage.server.seen().len(), calls);
}
