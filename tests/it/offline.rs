//! The cloud cannot be reached: what is asked for is kept, delivered once and in order, and what was seen stays readable.

use std::process::Command;

use aloft_tests::{
    home::{Home, Run, finish, items},
    poll,
    relay::{Network, Relay},
    remote::{Remote, TOKEN},
};
use serde_json::Value;

/// A machine whose bridges reach a cloud over a network that can break.
struct World {
    remote: Remote,
    relay: Relay,
    home: Home,
}

impl World {
    fn new() -> Self {
        let home = Home::new();
        let remote = Remote::start(&home);
        let relay = Relay::to(remote.port());
        let home = home.with("ALOFT_CLOUD", relay.url()).with("ALOFT_TOKEN", TOKEN);
        Self { remote, relay, home }
    }

    /// `aloft` of somebody with another way to the same cloud, and another machine.
    fn elsewhere(&self, args: &[&str]) -> Command {
        let mut command = self.home.command(args);
        command
            .env("ALOFT_CLOUD", self.remote.url())
            .env("ALOFT_DATA_DIR", self.home.path("elsewhere"));
        command
    }

    fn elsewhere_ok(&self, args: &[&str]) {
        let run = finish(self.elsewhere(args));
        assert_eq!(run.code, 0, "aloft {args:?}\n{}\n{}", run.text(), run.stderr);
    }
}

/// A command whose request is kept.
fn keeps(home: &Home, args: &[&str]) -> Value {
    let kept = home.json(args);
    assert!(kept["kept"]["requestId"].is_string(), "aloft {args:?}: {kept}");
    kept["kept"].clone()
}

/// A command that works though the cloud is away, and says so with its exit code.
fn as_seen(home: &Home, args: &[&str]) -> (Value, Run) {
    let words: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
    let run = home.run(&words);
    assert_eq!(run.code, 4, "aloft {args:?}\n{}\n{}", run.text(), run.stderr);
    assert!(run.stderr.contains("last seen"), "{}", run.stderr);
    (serde_json::from_str(&run.text()).unwrap(), run)
}

fn waiting(home: &Home) -> usize {
    home.json(["outbox"])["waiting"].as_array().unwrap().len()
}

/// The texts of a thread's messages, in order.
fn messages(home: &Home, thread: &str) -> Vec<String> {
    let shown = home.show(thread);
    let messages = items(&shown, "userMessage");
    messages.iter().map(|item| item["input"][0]["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_asked_for_without_a_network_is_delivered_once_and_in_order() {
    let world = World::new();
    let (home, relay) = (&world.home, &world.relay);
    let repository = home.repository();
    let mark = home.mark("long");
    let idle = home.shell(&repository, "auto", "$ echo begin >> log")["id"].clone();
    let idle = idle.as_str().unwrap();
    let busy =
        home.begin(&repository, "auto", &format!("$ exec bash -c 'exec -a {mark} sleep 1000'"));
    Home::wait_processes(&mark, 1);
    let asking = home.begin(&repository, "manual", "$ touch allowed");
    home.wait_state(&asking, "requiresAction");
    home.wait_state(&busy, "running");
    let before = home.json(["list"]);

    relay.set(Network::Cut);
    let (list, _) = as_seen(home, &["list"]);
    assert_eq!(list.as_array().unwrap().len(), before.as_array().unwrap().len());
    let (shown, _) = as_seen(home, &["show", &asking]);
    assert!(shown["lastSeen"].is_string(), "{shown}");
    assert_eq!(items(&shown, "permission").len(), 1);
    // By each of its names.
    let slug = shown["thread"]["slug"].as_str().unwrap().to_owned();
    as_seen(home, &["show", &slug]);
    keeps(home, &["send", idle, "$ echo one >> log"]);
    keeps(home, &["stop", &busy]);
    keeps(home, &["send", idle, "--queue", "$ echo two >> log"]);
    keeps(home, &["answer", &slug, "allow"]);
    keeps(home, &["mute", idle]);
    keeps(home, &["send", idle, "--queue", "$ echo three >> log"]);
    // Who waits for what comes of it waits in vain.
    let run = home.run(["send", idle, "--queue", "--wait", "$ echo four >> log"]);
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert!(run.text().contains("kept; the message"), "{}", run.text());
    assert_eq!(waiting(home), 7);
    // What cannot be kept is refused as ever.
    assert_eq!(home.fails(4, ["pause", idle])["reason"], "CLOUD_UNREACHABLE");
    assert_eq!(home.fails(4, ["mode", idle, "auto"])["reason"], "NOT_KEPT");
    assert_eq!(home.fails(4, ["send", "nobody-saw-this", "x"])["reason"], "CLOUD_UNREACHABLE");

    relay.set(Network::Up);
    // Several bridges at once: each request is delivered by one.
    let others: Vec<_> = (0..4).map(|_| home.command(["list"]).spawn().unwrap()).collect();
    let run = home.run(["list"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for mut other in others {
        assert!(other.wait().unwrap().success());
    }
    assert_eq!(waiting(home), 0);
    assert_eq!(home.wait_turn(&busy, 1)["state"], "interrupted");
    assert_eq!(home.wait_turn(&asking, 1)["state"], "completed");
    assert!(home.workspace(&asking).join("allowed").exists());
    poll::until("the last message to be done", || {
        let log = std::fs::read_to_string(home.workspace(idle).join("log")).unwrap();
        (log.lines().count() >= 5).then_some(())
    });
    home.wait_state(idle, "idle");
    let log = std::fs::read_to_string(home.workspace(idle).join("log")).unwrap();
    assert_eq!(log, "begin\none\ntwo\nthree\nfour\n");
    let thread = home.show(idle)["thread"].clone();
    assert_eq!(thread["muted"], true);
    assert_eq!(home.json(["outbox"])["refused"], serde_json::json!([]));
}

#[test]
fn what_the_cloud_refuses_later_is_told_with_its_words_and_hits_nothing_else() {
    let world = World::new();
    let home = &world.home;
    let repository = home.repository();
    let (first, second) = (home.mark("first"), home.mark("second"));
    let sleep = |mark: &str| format!("$ exec bash -c 'exec -a {mark} sleep 1000'");
    let busy = home.begin(&repository, "auto", &sleep(&first));
    Home::wait_processes(&first, 1);
    home.wait_state(&busy, "running");
    let asking = home.begin(&repository, "manual", "$ touch allowed");
    home.wait_state(&asking, "requiresAction");
    let gone = home.shell(&repository, "auto", "$ true")["id"].as_str().unwrap().to_owned();

    world.relay.set(Network::Cut);
    keeps(home, &["stop", &busy]);
    keeps(home, &["answer", &asking, "allow"]);
    keeps(home, &["send", &gone, "words nobody must lose"]);
    let taken_back = keeps(home, &["send", &gone, "taken back"]);
    home.ok(["outbox", "drop", taken_back["requestId"].as_str().unwrap()]);
    // Nothing was seen running there, so a stop would not know what it stops.
    assert_eq!(home.fails(4, ["stop", &gone])["reason"], "NOT_KEPT");

    // Meanwhile, somebody with a network.
    world.elsewhere_ok(&["stop", &busy]);
    world.elsewhere_ok(&["send", &busy, &sleep(&second)]);
    Home::wait_processes(&second, 1);
    world.elsewhere_ok(&["answer", &asking, "deny"]);
    world.elsewhere_ok(&["delete", &gone, "--yes"]);
    poll::until("the thread to be gone", || {
        (finish(world.elsewhere(&["show", &gone])).code == 1).then_some(())
    });

    world.relay.set(Network::Up);
    let run = home.run(["list"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for words in ["the stop to", "the answer to", "the message to", "words nobody must lose"] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    assert!(!run.stderr.contains("taken back"), "{}", run.stderr);
    let refused = home.json(["outbox"])["refused"].as_array().unwrap().clone();
    let reasons: Vec<_> = refused.iter().map(|kept| kept["error"]["reason"].clone()).collect();
    assert_eq!(reasons, ["TURN_CHANGED", "ALREADY_ANSWERED", "THREAD_NOT_FOUND"]);
    // The stop was of the first turn: the second runs on.
    assert_eq!(home.show(&busy)["thread"]["state"], "running");
    assert_eq!(Home::processes_with(&second).len(), 1);
    assert!(!home.workspace(&asking).join("allowed").exists());
    for kept in &refused {
        home.ok(["outbox", "drop", kept["requestId"].as_str().unwrap()]);
    }
    assert!(!home.run(["list"]).stderr.contains("was not taken"));
}

#[test]
fn an_embedded_cloud_that_does_not_start_loses_nothing_either() {
    let home = Home::new();
    let id = home.shell(&home.repository(), "auto", "$ true")["id"].as_str().unwrap().to_owned();
    home.show(&id);
    home.kill_cloud();
    let broken = |args: &[&str]| {
        let mut command = home.command(args);
        command.env("ALOFT_CLOUD_BIN", home.path("not-there"));
        finish(command)
    };
    let run = broken(&["send", &id, "$ echo kept > kept"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.text().contains("will be delivered when the cloud is back"), "{}", run.text());
    assert_eq!(broken(&["list"]).code, 4);
    assert_eq!(broken(&["show", &id]).code, 4);
    // The next command starts the cloud as ever, and delivers first.
    home.wait_turn(&id, 2);
    assert_eq!(messages(&home, &id), ["$ true", "$ echo kept > kept"]);
    assert!(home.workspace(&id).join("kept").exists());
}

#[test]
fn of_a_deleted_thread_the_bridge_remembers_nothing() {
    let home = Home::new();
    let word = home.mark("canary");
    let id = home.shell(&home.repository(), "auto", &format!("$ echo {word}"));
    let id = id["id"].as_str().unwrap();
    home.show(id);
    home.json(["list"]);
    let holds = || {
        let mut walk = ignore::WalkBuilder::new(home.path("data/bridge"));
        let files = walk.standard_filters(false).build().flatten();
        let files = files.filter(|entry| entry.path().is_file());
        let files = files.map(|entry| std::fs::read(entry.path()).unwrap());
        let word = word.as_bytes();
        files.filter(|bytes| bytes.windows(word.len()).any(|found| found == word)).count()
    };
    assert!(holds() > 0);
    home.ok(["delete", id, "--yes"]);
    home.wait_gone(id);
    assert_eq!(holds(), 0);
}
