//! Usage is counted to the token, and a turn at the limit of its budget waits, as a person sees it.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    sync::mpsc,
};

use aloft_tests::{
    home::{Home, items},
    model::{ModelServer, UPSTREAM_KEY},
    poll,
};
use serde_json::{Value, json};

/// What one call of the scripted model takes and gives.
const CALL: (u64, u64) = (100, 10);

/// A machine with a model that can be counted on.
struct Stage {
    // Before the server: the cloud ends first.
    home: Home,
    server: ModelServer,
}

impl Stage {
    fn new(config: &str) -> Self {
        let server = ModelServer::new();
        let home = Home::new()
            .with("ANTHROPIC_API_KEY", UPSTREAM_KEY)
            .with("ANTHROPIC_BASE_URL", server.anthropic());
        home.configure(config);
        home.repository();
        Self { home, server }
    }

    /// The model costs 3 for a million tokens sent, and 15 for a million received.
    fn priced() -> Self {
        Self::new(
            "[serve.prices]\ncurrency = \"EUR\"\n[serve.prices.models.m]\ninput = 3\noutput = 15\n",
        )
    }

    fn thread(&self, agent: &str, prompt: &str) -> String {
        let repository = self.home.path("repository");
        let repository = repository.to_str().unwrap();
        let args = ["new", "--agent", agent, "--mode", "auto", "--repo", repository, prompt];
        self.home.json(args)["id"].as_str().unwrap().to_owned()
    }

    /// A thread of the built-in agent whose first turn called the model once.
    fn begun(&self) -> String {
        let thread = self.thread("aloft", &script(&json!([{"text": "done"}])));
        self.completed(&thread, 1);
        thread
    }

    fn send(&self, thread: &str, message: &str) {
        self.home.json(["send", thread, message]);
    }

    fn completed(&self, thread: &str, turn: u64) {
        let turn = self.home.wait_turn(thread, turn);
        assert_eq!(turn["state"], "completed", "{turn}");
    }

    /// Waits until the turn waits at its budget, and gives the words of its question.
    fn at_limit(&self, thread: &str) -> String {
        let shown = self.home.wait_state(thread, "requiresAction");
        let asked =
            items(&shown, "permission").into_iter().rfind(|item| item["state"] == "inProgress");
        let asked = asked.unwrap_or_else(|| panic!("{shown:#}"));
        assert_eq!(shown["thread"]["lastTurn"]["state"], "running", "{shown:#}");
        asked["title"].as_str().unwrap().to_owned()
    }

    /// Calls of the model that came to it.
    fn calls(&self) -> u64 {
        u64::try_from(self.server.seen().len()).unwrap()
    }

    fn usage(&self) -> Value {
        self.home.json(["usage"])
    }

    /// Notices about budgets.
    fn notices(&self) -> Vec<Value> {
        let listed = self.home.json(["notice", "list"]);
        let listed = listed.as_array().unwrap().clone();
        listed.into_iter().filter(|notice| notice["kind"] == "budget").collect()
    }
}

fn script(steps: &Value) -> String {
    format!("MARK {steps}")
}

fn shell(command: &str) -> Value {
    json!({"tool": "shell", "cmd": command})
}

/// What so many calls are in a sum of usage.
fn is_sum_of(sum: &Value, calls: u64) {
    assert_eq!(sum["calls"], calls, "{sum}");
    assert_eq!(sum["inputTokens"], calls * CALL.0, "{sum}");
    assert_eq!(sum["outputTokens"], calls * CALL.1, "{sum}");
}

#[test]
fn every_token_is_counted_once_by_model_agent_thread_and_day() {
    let stage = Stage::priced();
    let steps = json!([shell("echo one > one"), {"text": "done"}]);
    let thread = stage.thread("aloft", &script(&steps));
    stage.completed(&thread, 1);
    let first = stage.calls();
    stage.send(&thread, &script(&steps));
    stage.completed(&thread, 2);
    stage.home.json(["pause", &thread]);
    stage.home.wait_state(&thread, "paused");
    stage.send(&thread, &script(&steps));
    stage.completed(&thread, 3);
    let calls = stage.calls();
    assert_eq!((first, calls), (2, 6));

    let look = |whole: bool| {
        let used = stage.usage();
        let sums = [
            &used["total"],
            &used["models"][0]["used"],
            &used["agents"][0]["used"],
            &used["threads"][0]["used"],
            &used["days"][0]["used"],
        ];
        for sum in sums {
            is_sum_of(sum, calls);
            assert_eq!(sum["cost"], json!({"amount": 0.002_7, "currency": "EUR"}), "{used:#}");
            assert_eq!(sum["unpricedTokens"], 0);
        }
        assert_eq!(used["models"][0]["model"], "m");
        assert_eq!(used["agents"][0]["agent"], "aloft");
        assert_eq!(used["threads"][0]["threadId"], thread.as_str());
        assert_eq!(used["threads"][0]["slug"].is_string(), whole, "{used:#}");
        assert_eq!((&used["total"]["turns"], &used["total"]["resumes"]), (&json!(3), &json!(1)));
        let entries = used["entries"].as_array().unwrap();
        let mut subjects: Vec<_> =
            entries.iter().map(|entry| entry["subject"].as_str().unwrap()).collect();
        subjects.sort_unstable();
        assert_eq!(subjects, ["resume/1", "turn/1", "turn/2", "turn/3"], "{used:#}");
        let of_turns = entries.iter().filter(|entry| entry["kind"] == "turn");
        let input: u64 =
            of_turns.map(|entry| entry["usage"]["inputTokens"].as_u64().unwrap()).sum();
        assert_eq!(input, calls * CALL.0, "{used:#}");
    };
    look(true);
    let of_thread = stage.home.show(&thread)["thread"]["usage"].clone();
    assert_eq!(of_thread["cost"]["amount"], 0.002_7, "{of_thread}");
    let text = stage.home.ok(["usage"]);
    assert!(text.contains("600 tokens in") && text.contains("EUR"), "{text}");
    // What was used was used, whatever becomes of the thread and the cloud.
    stage.home.kill_cloud();
    stage.home.ok(["delete", &thread, "--yes"]);
    stage.home.wait_gone(&thread);
    look(false);
}

#[test]
fn usage_that_is_watched_is_shown_anew_while_a_turn_works() {
    let stage = Stage::priced();
    let thread = stage.begun();
    let mut watch = stage.home.command(["usage", "--watch", "--json"]);
    let mut watch = watch.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let (tell, shown) = mpsc::channel::<Value>();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            drop(tell.send(serde_json::from_str(&line).unwrap()));
        }
    });
    is_sum_of(&shown.recv_timeout(poll::LIMIT).unwrap()["total"], 1);
    let steps = json!([shell("until [ -e go ]; do sleep 0.05; done"), {"text": "done"}]);
    stage.send(&thread, &script(&steps));
    let until = |calls: u64| {
        poll::until(&format!("{calls} calls to be shown"), || {
            let used = shown.recv_timeout(poll::LIMIT).unwrap();
            (used["total"]["calls"] == calls).then_some(used)
        })
    };
    is_sum_of(&until(2)["total"], 2);
    assert_eq!(stage.home.show(&thread)["thread"]["state"], "running");
    std::fs::write(stage.home.workspace(&thread).join("go"), "").unwrap();
    is_sum_of(&until(3)["total"], 3);
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn a_turn_waits_at_its_limit_without_another_call_and_goes_on_when_it_is_raised() {
    let stage = Stage::priced();
    let thread = stage.begun();
    stage.home.json(["budget", &thread, "--tokens", "300"]);
    let steps = json!([shell("echo one > one"), shell("echo two > two"), {"text": "done"}]);
    stage.send(&thread, &script(&steps));
    // 110 of the first turn, 110 and 110 of this one: the third call is one too many.
    let asked = stage.at_limit(&thread);
    assert!(asked.contains("tokens"), "{asked}");
    assert_eq!(stage.calls(), 3);
    let notices = stage.notices();
    let titles: Vec<_> = notices.iter().map(|notice| notice["title"].as_str().unwrap()).collect();
    assert!(titles.len() == 1 && titles[0].contains("waits"), "{titles:?}");
    let workspace = stage.home.workspace(&thread);
    assert!(workspace.join("two").exists());

    // Too little: it waits on, and the question is of the new limit.
    stage.home.json(["budget", &thread, "--tokens", "310"]);
    poll::until("the question of the new limit", || {
        stage.at_limit(&thread).contains("310").then_some(())
    });
    assert_eq!(stage.calls(), 3);
    stage.home.json(["budget", &thread, "--tokens", "100k"]);
    stage.completed(&thread, 2);
    assert_eq!(stage.calls(), 4, "a call went out while the turn waited, or twice");
    // One for each limit it waited at.
    assert_eq!(stage.notices().len(), 2, "{:#?}", stage.notices());
    let shown = stage.home.show(&thread);
    assert_eq!(shown["turns"].as_array().unwrap().len(), 2);
    assert!(
        items(&shown, "permission").iter().all(|item| item["state"] != "inProgress"),
        "{shown:#}"
    );
}

#[test]
fn an_answer_lets_one_turn_pass_its_money_and_stop_ends_the_next() {
    let stage = Stage::priced();
    let thread = stage.begun();
    // 0.00045 were used.
    stage.home.json(["budget", &thread, "--cost", "0.0004"]);
    stage.send(&thread, &script(&json!([shell("echo one > one"), {"text": "done"}])));
    let asked = stage.at_limit(&thread);
    assert!(asked.contains("EUR"), "{asked}");
    assert_eq!(stage.calls(), 1, "the turn was given to its agent");
    stage.home.json(["answer", &thread, "allow"]);
    stage.completed(&thread, 2);
    assert_eq!(stage.calls(), 3);
    stage.send(&thread, &script(&json!([{"text": "done"}])));
    stage.at_limit(&thread);
    stage.home.json(["answer", &thread, "stop"]);
    assert_eq!(stage.home.wait_turn(&thread, 3)["state"], "interrupted");
    assert_eq!(stage.calls(), 3);
}

#[test]
fn the_day_of_all_threads_is_limited_and_counts_deleted_ones() {
    let stage = Stage::priced();
    stage.home.json(["budget", "default", "--per-day", "--tokens", "150"]);
    let first = stage.begun();
    stage.home.ok(["delete", &first, "--yes"]);
    stage.home.wait_gone(&first);
    let second = stage.begun();
    stage.send(&second, &script(&json!([{"text": "done"}])));
    assert!(stage.at_limit(&second).contains("today"), "{}", stage.at_limit(&second));
    assert_eq!(stage.calls(), 2);
    let text = stage.home.ok(["budget"]);
    assert!(text.contains("used up") && text.contains("220"), "{text}");
    stage.home.json(["budget", "default", "--per-day", "--tokens", "none"]);
    stage.completed(&second, 2);
    assert_eq!(stage.calls(), 3);
}

#[test]
fn a_model_without_a_price_counts_its_tokens_and_is_said_to_have_none() {
    let stage = Stage::new("[serve.prices.models.other]\ninput = 1\noutput = 1\n");
    let thread = stage.begun();
    let total = stage.usage()["total"].clone();
    is_sum_of(&total, 1);
    assert!(total.get("cost").is_none(), "{total}");
    assert_eq!(total["unpricedTokens"], 110);
    assert!(stage.home.ok(["usage"]).contains("no price"));
    stage.home.json(["budget", &thread, "--cost", "1"]);
    stage.send(&thread, &script(&json!([{"text": "done"}])));
    stage.completed(&thread, 2);
    let shown = stage.home.show(&thread);
    let said = items(&shown, "notice")
        .into_iter()
        .filter(|item| item["text"].as_str().unwrap().contains("has no price"));
    assert_eq!(said.count(), 1, "{shown:#}");
}

#[test]
fn a_command_stands_still_when_its_minutes_are_over_and_goes_on_when_they_are_more() {
    let stage = Stage::new("");
    let thread = stage.home.shell(&stage.home.path("repository"), "auto", "$ true");
    let thread = thread["id"].as_str().unwrap();
    let used = stage.home.show(thread)["thread"]["usage"]["seconds"].as_u64().unwrap_or(0);
    // A whole second more than it can have used, and less than the command takes.
    let minutes = format!("{}", f64::from(u32::try_from(used).unwrap() + 3) / 60.0);
    stage.home.json(["budget", thread, "--minutes", &minutes]);
    let mark = stage.home.mark("ticks");
    let command = format!("$ : {mark}; while ! test -e go; do echo x >> ticks; sleep 0.05; done");
    stage.send(thread, &command);
    assert!(
        stage.at_limit(thread).contains(" s used by this thread"),
        "{}",
        stage.at_limit(thread)
    );
    let stand_still = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    };
    let processes = Home::wait_processes(&mark, 1);
    poll::until("the command to stand still", || processes.iter().all(stand_still).then_some(()));
    let ticks = stage.home.workspace(thread).join("ticks");
    let ticked = std::fs::read(&ticks).unwrap().len();
    std::fs::write(stage.home.workspace(thread).join("go"), "").unwrap();
    stage.home.json(["show", thread]);
    assert_eq!(std::fs::read(&ticks).unwrap().len(), ticked, "it goes on at its limit");
    stage.home.json(["budget", thread, "--minutes", "none"]);
    stage.completed(thread, 2);
}

#[test]
fn a_command_that_stands_still_can_be_stopped_and_paused() {
    let stage = Stage::new("");
    let thread = stage.home.shell(&stage.home.path("repository"), "auto", "$ true");
    let thread = thread["id"].as_str().unwrap();
    let sleep = |seconds: &str| format!("$ trap '' TERM; sleep {seconds} & sleep {seconds}");
    let begin = |seconds: &str| {
        stage.home.json(["budget", thread, "--minutes", "none"]);
        stage.send(thread, &sleep(seconds));
        Home::wait_processes(&format!("sleep\0{seconds}"), 2);
        stage.home.json(["budget", thread, "--minutes", "0"]);
        stage.at_limit(thread);
    };
    begin("600.771");
    stage.home.json(["stop", thread]);
    assert_eq!(stage.home.wait_turn(thread, 2)["state"], "interrupted");
    assert_eq!(Home::processes_with("sleep\x00600.771"), Vec::<i32>::new());
    begin("600.772");
    stage.home.json(["pause", thread]);
    stage.home.wait_state(thread, "paused");
    assert_eq!(Home::processes_with("sleep\x00600.772"), Vec::<i32>::new());
    assert_eq!(stage.home.wait_turn(thread, 3)["state"], "interrupted");
}

#[test]
fn turns_are_limited_before_they_begin() {
    let stage = Stage::new("");
    let thread = stage.home.shell(&stage.home.path("repository"), "auto", "$ echo one > one");
    let thread = thread["id"].as_str().unwrap();
    stage.home.json(["budget", thread, "--turns", "1"]);
    stage.send(thread, "$ echo two > two");
    assert!(stage.at_limit(thread).contains("turn"));
    assert!(!stage.home.workspace(thread).join("two").exists());
    stage.home.json(["budget", thread, "--turns", "2"]);
    stage.completed(thread, 2);
    assert!(stage.home.workspace(thread).join("two").exists());
}
