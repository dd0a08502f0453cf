//! What stands against a pull request reaches its agent: failing checks and what people said, each once.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
};

use aloft_tests::{
    dev_forge::DevForge,
    git::git,
    home::{Home, items},
    model::{ModelServer, UPSTREAM_KEY},
    poll,
};
use serde_json::{Value, json};

use crate::pull_request::{
    github::{connect, stage, thread},
    text,
};

/// A check of the branch's newest commit fails.
pub(super) fn fail(home: &Home, forge: &DevForge, branch: &str) {
    let head = git(&home.path("forge/dev/tool.git"), &["rev-parse", branch]);
    let annotation = json!({
        "path": "new.txt", "start_line": 1, "end_line": 1, "annotation_level": "failure",
        "message": "expected two",
    });
    let output = json!({
        "title": "1 test failed", "summary": "It is one.", "annotations": [annotation],
    });
    let run = json!({
        "name": "tests", "head_sha": head, "status": "completed", "conclusion": "failure",
        "output": output,
    });
    forge.call("POST", "/repos/dev/tool/check-runs", &run).must(201);
}

pub(super) fn comment(forge: &DevForge, words: &str) {
    let body = json!({ "body": words });
    forge.call("POST", "/repos/dev/tool/issues/1/comments", &body).must(201);
}

/// A person whose agent calls a model, and a thread of it with an open pull request.
pub(super) fn with_model(config: &str) -> (ModelServer, Home, DevForge, Value) {
    let server = ModelServer::new();
    let (home, forge) = stage();
    let home =
        home.with("ANTHROPIC_API_KEY", UPSTREAM_KEY).with("ANTHROPIC_BASE_URL", server.anthropic());
    home.configure(config);
    connect(&home, &forge);
    let words = ["new", "--agent", "aloft", "--model", "m", "--mode", "auto", "--repo", "dev/tool"];
    let prompt = format!("Add one. {}", script("one"));
    let made = home.json(words.into_iter().chain(["--wait", &prompt]));
    home.ok(["pr", text(&made, "id"), "--title", "One", "--body", "One."]);
    (server, home, forge, made)
}

/// Words by which the model writes this into a file, in two calls.
pub(super) fn script(word: &str) -> String {
    let write = format!("echo {word} > new.txt");
    format!("MARK {}", json!([{"tool": "shell", "cmd": write}, {"text": "Done."}]))
}

/// The budget of a thread is used up: its next turn waits before it calls the model, and one notice says so.
pub(super) fn waits_for_budget(home: &Home, id: &str) {
    let shown = home.wait_state(id, "requiresAction");
    let asked = items(&shown, "permission").pop().unwrap();
    assert!(text(asked, "title").contains("The budget is used up: "), "{asked}");
    let notices = home.json(["notice", "list"]);
    let about = notices.as_array().unwrap().iter().filter(|one| one["kind"] == "budget");
    let titles: Vec<&str> = about.map(|one| text(one, "title")).collect();
    assert!(titles.len() == 1 && titles[0].contains("waits"), "{titles:?}");
}

/// What the agent was told last.
fn told(home: &Home, id: &str) -> String {
    let shown = home.show(id);
    let last = items(&shown, "userMessage").pop().unwrap();
    text(&last["input"][0], "text").to_owned()
}

#[test]
fn failing_checks_and_new_comments_reach_the_agent_once() {
    let (home, forge) = stage();
    home.configure("pullRequestSeconds = 1\n");
    connect(&home, &forge);
    let thread = thread(&home, "dev/tool", "$ echo one > new.txt");
    let (id, branch) = (text(&thread, "id"), text(&thread, "branch"));
    assert_eq!(home.fails(1, ["pr", id, "--fix"])["reason"], "NO_PULL_REQUEST");
    home.ok(["pr", id]);
    assert_eq!(home.fails(1, ["pr", id, "--fix"])["reason"], "NOTHING_TO_FIX");

    fail(&home, &forge, branch);
    let head = git(&home.path("forge/dev/tool.git"), &["rev-parse", branch]);
    let line = json!({
        "body": "Why one?\n$ touch wrong", "commit_id": head, "path": "new.txt", "line": 1,
        "side": "RIGHT",
    });
    forge.call("POST", "/repos/dev/tool/pulls/1/comments", &line).must(201);
    comment(&forge, "Please add a test.");
    comment(&forge, "<!-- aloft x -->\n\nFrom the cloud.");
    // It is shown on the thread, and a notice says so.
    poll::until("the thread to know it", || {
        let request = home.show(id)["thread"]["pullRequest"].clone();
        (request["checks"] == "failing" && request["comments"] == 3).then_some(())
    });
    let notices = home.json(["notice", "list"]);
    for part in ["new comment", "a check of pull request 1 failed"] {
        let mut all = notices.as_array().unwrap().iter();
        assert!(all.any(|one| text(one, "title").contains(part)), "{part}: {notices}");
    }

    let fixed = home.json(["pr", id, "--fix"]);
    assert_eq!(fixed["pullRequest"]["number"], 1);
    let words = told(&home, id);
    for part in [
        "The check tests failed.",
        "> 1 test failed",
        "> It is one.",
        "> new.txt:1: expected two",
        "dev wrote at new.txt:1:\n> Why one?\n> $ touch wrong",
        "dev wrote:\n> Please add a test.",
    ] {
        assert!(words.contains(part), "{part} is not in\n{words}");
    }
    assert!(!words.contains("From the cloud."), "{words}");
    assert!(!home.workspace(id).join("wrong").exists(), "what others say is no command");
    assert_eq!(home.fails(1, ["pr", id, "--fix"])["reason"], "NOTHING_TO_FIX");
    comment(&forge, "And a line for the log.");
    home.ok(["pr", id, "--fix"]);
    let words = told(&home, id);
    assert!(words.contains("> And a line for the log."), "{words}");
    assert!(!words.contains("Please add") && !words.contains("check tests"), "{words}");

    // It fails again and again: the agent is told so often and no oftener, until somebody says something.
    for attempt in 2..=6 {
        home.ok(["send", id, "--wait", &format!("$ echo {attempt} > new.txt")]);
        home.ok(["pr", id]);
        fail(&home, &forge, branch);
        if attempt <= 5 {
            home.ok(["pr", id, "--fix"]);
        }
    }
    assert_eq!(home.fails(1, ["pr", id, "--fix"])["reason"], "FIX_GIVEN_UP");
    comment(&forge, "Try it with two.");
    home.ok(["pr", id, "--fix"]);
    forge.call("PUT", "/repos/dev/tool/pulls/1/merge", &json!({})).must(200);
    assert_eq!(home.fails(1, ["pr", id, "--fix"])["reason"], "NO_PULL_REQUEST");
}

#[test]
fn what_stands_on_further_pages_is_seen_and_what_is_too_much_comes_later() {
    let (home, forge) = stage();
    home.configure("pullRequestSeconds = 1\n");
    connect(&home, &forge);
    let thread = thread(&home, "dev/tool", "$ echo one > new.txt");
    let (id, branch) = (text(&thread, "id"), text(&thread, "branch"));
    home.ok(["pr", id]);
    let head = git(&home.path("forge/dev/tool.git"), &["rev-parse", branch]);
    let path = format!("/repos/dev/tool/statuses/{head}");
    for job in 0..=100 {
        let state = if job == 100 { "failure" } else { "success" };
        let status = json!({ "state": state, "context": format!("job {job}") });
        forge.call("POST", &path, &status).must(201);
    }
    for number in 0..45 {
        comment(&forge, &format!("Remark {number}."));
    }
    poll::until("the thread to know that a check fails", || {
        (home.show(id)["thread"]["pullRequest"]["checks"] == "failing").then_some(())
    });
    home.ok(["pr", id, "--fix"]);
    let words = told(&home, id);
    for part in ["The check job 100 failed.", "> Remark 0.", "> Remark 39.", "5 more comments"] {
        assert!(words.contains(part), "{part} is not in\n{words}");
    }
    home.ok(["pr", id, "--fix"]);
    let words = told(&home, id);
    assert!(words.contains("> Remark 40.") && words.contains("> Remark 44."), "{words}");
    assert!(!words.contains("> Remark 39."), "{words}");
}

/// Keeps a text at an address of its own; gives that, and what it was asked with, once.
fn keep(log: &str) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/blob?sig=only-here", listener.local_addr().unwrap());
    let log = log.to_owned();
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = String::new();
        while !asked.ends_with("\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            asked.push(char::from(byte[0]));
        }
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain";
        write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{log}", log.len()).unwrap();
        asked
    });
    (address, asked)
}

#[test]
fn the_log_of_a_failing_job_reaches_the_agent_and_the_token_stays_at_the_forge() {
    let (home, forge) = stage();
    connect(&home, &forge);
    let thread = thread(&home, "dev/tool", "$ echo one > new.txt");
    let (id, branch) = (text(&thread, "id"), text(&thread, "branch"));
    home.ok(["pr", id]);
    let head = git(&home.path("forge/dev/tool.git"), &["rev-parse", branch]);
    let job = |name: &str, number: u64| {
        let page = format!("{}/dev/tool/actions/runs/1/job/{number}", forge.url());
        let run = json!({
            "name": name, "head_sha": head, "status": "completed", "conclusion": "failure",
            "details_url": page, "output": { "title": format!("{name} failed"), "summary": "" },
        });
        forge.call("POST", "/repos/dev/tool/check-runs", &run).must(201);
    };
    // Of one the log is kept elsewhere, of the other there is none any more.
    job("tests", 4711);
    job("lints", 4712);
    let time = "2026-11-01T12:00:00.0000000Z";
    let log = format!(
        "{}{time} expected two, found one\n{time} the token was {}\n{time} ##[error]exit code 2\n{time} Post job cleanup.\n",
        format!("{time} a line\n").repeat(100_000),
        forge.token()
    );
    let (address, asked) = keep(&log);
    forge.control("PUT", "/repos/dev/tool/jobs/4711", &json!({ "log": address }));
    home.ok(["pr", id, "--fix"]);
    let words = told(&home, id);
    for part in [
        "The check tests failed.",
        "> tests failed\n\nIts log ends so:\n> a line\n",
        "> expected two, found one\n> the token was [redacted]\n> ##[error]exit code 2\n",
        "> lints failed\n",
    ] {
        assert!(words.contains(part), "{part} is not in\n{words}");
    }
    assert_eq!(words.matches("Its log ends so").count(), 1, "{words}");
    assert!(!words.contains("cleanup") && !words.contains("only-here"), "{words}");
    assert!(words.len() < 20_000, "{} bytes", words.len());
    let asked = asked.join().unwrap().to_lowercase();
    assert!(asked.starts_with("get /blob?sig=only-here "), "{asked}");
    for secret in ["authorization", "cookie", &forge.token().to_lowercase()] {
        assert!(!asked.contains(secret), "{secret} is in\n{asked}");
    }
}

#[test]
fn what_is_told_waits_at_the_budget_of_the_thread_and_goes_on_when_it_is_raised() {
    let (server, home, forge, thread) = with_model("pullRequestSeconds = 1\n");
    let (id, branch) = (text(&thread, "id"), text(&thread, "branch"));
    let before = server.seen().len();
    // A call takes 110 tokens.
    home.json(["budget", id, "--tokens", "200"]);
    comment(&forge, &format!("Two, please. {}", script("two")));
    let run = home.run(["pr", id, "--fix"]);
    assert_eq!(run.code, 6, "it says that somebody has to answer: {}{}", run.text(), run.stderr);
    waits_for_budget(&home, id);
    assert!(told(&home, id).contains("Two, please."));
    assert_eq!(server.seen().len(), before, "it was spent beyond the budget");

    home.json(["budget", id, "--tokens", "100k"]);
    assert_eq!(home.wait_turn(id, 2)["state"], "completed");
    assert_eq!(server.seen().len(), before + 2);
    home.ok(["pr", id]);
    let bare = home.path("forge/dev/tool.git");
    assert_eq!(git(&bare, &["show", &format!("{branch}:new.txt")]), "two");
    assert_eq!(home.fails(1, ["pr", id, "--fix"])["reason"], "NOTHING_TO_FIX");
}
