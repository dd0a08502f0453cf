//! A stop at whatever the turn is doing: nothing more is done, its processes are gone, the log says who stopped it, and one that
//! comes late never hits the next turn.

use std::{
    net::TcpListener,
    path::PathBuf,
    time::{Duration, Instant},
};

use aloft_tests::{
    home::{Home, alive, items, kill},
    model::{ModelServer, UPSTREAM_KEY},
    poll,
    sender::{Ask, Sender},
};
use serde_json::{Value, json};

use super::hard;

/// How long a stop may take before it is no stop. The goal is 3 s, which `make bench` measures; a machine under load may be
/// later, and one that only waits for the next look of somebody would still be later than this.
const LIMIT: Duration = Duration::from_secs(15);

/// A person's machine on which turns are stopped.
struct Stage {
    home: Home,
    server: ModelServer,
    repository: PathBuf,
}

/// A turn that is to be stopped: its thread, and what all its processes have in their command line.
struct Turn {
    id: String,
    mark: String,
}

impl Stage {
    fn new() -> Self {
        let server = ModelServer::new();
        let home = Home::new()
            .with("ANTHROPIC_API_KEY", UPSTREAM_KEY)
            .with("ANTHROPIC_BASE_URL", server.anthropic());
        let repository = home.repository();
        Self { home, server, repository }
    }

    /// A thread of the `shell` agent that is told this and does not wait.
    fn shell(&self, mark: &str, mode: &str, words: &str) -> Turn {
        let id = self.home.begin(&self.repository, mode, words);
        Turn { id, mark: mark.to_owned() }
    }

    fn state(&self, turn: &Turn) -> String {
        self.home.show(&turn.id)["thread"]["state"].as_str().unwrap().to_owned()
    }

    /// Stops the turn and looks at everything that must hold then, and after the next message.
    fn stops(&self, turn: &Turn) {
        let Turn { id, mark } = turn;
        let mut sender = Sender::new(&self.home);
        let calls = self.server.seen().len();
        let began = Instant::now();
        sender.interrupt(id, "t1").unwrap();
        let shown = poll::within(poll::LIMIT, "the turn to be stopped", || {
            let shown = self.home.show(id);
            (shown["turns"][0]["state"] != "running").then_some(shown)
        });
        let took = began.elapsed();
        eprintln!("stopped after {} ms", took.as_millis());
        assert_eq!(shown["turns"][0]["state"], "interrupted", "{shown:#}");
        assert_eq!(shown["turns"][0]["stoppedBy"], "local", "{shown:#}");
        assert!(shown["turns"][0]["endTime"].is_string(), "{shown:#}");
        assert!(took < LIMIT, "{took:?}");
        assert_eq!(Home::processes_with(mark), [0; 0], "something still runs");
        let open: Vec<Value> = shown["items"].as_array().unwrap().clone();
        assert!(open.iter().all(|item| item["state"] != "inProgress"), "{open:#?}");
        let done = items(&shown, "commandExecution").len() + items(&shown, "fileChange").len();

        // The same once more, and one that comes late: the next turn is not its own.
        let stop = sender.acknowledged.last().unwrap().clone();
        self.home.ok(["mode", id, "auto"]);
        sender.start(id, &self.next(id), false).unwrap();
        assert_eq!(sender.repeat(&stop.0).unwrap(), stop.1);
        let Ask::Interrupt(mut late) = stop.0 else { unreachable!() };
        late.request_id.clear();
        assert!(sender.send(Ask::Interrupt(late)).is_err(), "a late stop was taken");
        let next = self.home.wait_turn(id, 2);
        assert_eq!(next["state"], "completed", "{next}");
        let shown = self.home.show(id);
        let after = items(&shown, "commandExecution").len() + items(&shown, "fileChange").len();
        assert_eq!(after, done + 1, "something was done after the stop: {shown:#}");
        assert!(!self.home.workspace(id).join("went-on").exists(), "the stopped turn went on");
        let asked = self.server.seen().len() - calls;
        assert!(asked <= 2, "{asked} calls of the model after the stop");
    }

    /// A message that does one thing.
    fn next(&self, id: &str) -> String {
        match self.home.show(id)["thread"]["agent"].as_str().unwrap() {
            "shell" => "$ echo next > next".to_owned(),
            _ => mark(&json!([{"tool": "shell", "cmd": "echo next > next"}, {"text": "done"}])),
        }
    }
}

fn mark(script: &Value) -> String {
    format!("MARK {script}")
}

#[test]
fn a_stop_holds_whatever_the_turn_is_doing() {
    let stage = Stage::new();
    let home = &stage.home;

    eprintln!("a command whose children ignore every signal that asks");
    let word = home.mark("hard");
    let turn = stage.shell(&word, "auto", &format!("{}\n$ touch went-on", hard(&word)));
    for kind in ["orphan", "child", "deep", "main"] {
        Home::wait_processes(&format!("{word}-{kind}"), 1);
    }
    stage.stops(&turn);

    eprintln!("a call of the model");
    let slow = json!([
        {"text": "word ".repeat(500), "chunks": 500, "pauseMs": 200},
        {"tool": "shell", "cmd": "touch went-on"},
        {"text": "done"},
    ]);
    let script = mark(&slow);
    let words = ["new", "--agent", "aloft", "--mode", "auto", "--repo"];
    let path = stage.repository.to_str().unwrap();
    let thread = home.json(words.into_iter().chain([path, &script]));
    let turn = Turn { id: thread["id"].as_str().unwrap().to_owned(), mark: home.mark("none") };
    poll::until("the model to speak", || {
        (!items(&home.show(&turn.id), "agentMessage").is_empty()).then_some(())
    });
    stage.stops(&turn);

    eprintln!("an open question");
    let turn = stage.shell(&home.mark("none"), "manual", "$ touch went-on\n$ touch went-on");
    poll::until("the question", || (stage.state(&turn) == "requiresAction").then_some(()));
    stage.stops(&turn);

    eprintln!("an agent that cannot be reached");
    let word = home.mark("deaf");
    let sleep = format!("$ exec bash -c 'exec -a {word} sleep 1000'\n$ touch went-on");
    let turn = stage.shell(&word, "auto", &sleep);
    Home::wait_processes(&word, 1);
    let of_thread = |pid: &i32| {
        let mounts = std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
        mounts.contains(&format!("/{}/", turn.id))
    };
    for pid in Home::processes_with("guest").into_iter().filter(of_thread) {
        kill(pid, libc::SIGSTOP);
        assert!(alive(pid));
    }
    stage.stops(&turn);
}

#[test]
fn a_stop_holds_while_the_workspace_is_saved() {
    let stage = Stage::new();
    let word = stage.home.mark("none");
    // Enough to be at it for a while; where that is over before the stop, nothing is shown.
    let fill = "$ head -c 60000000 /dev/urandom > large";
    for _ in 0..5 {
        let turn = stage.shell(&word, "auto", fill);
        poll::until("the command to end", || {
            let shown = stage.home.show(&turn.id);
            let ended = items(&shown, "commandExecution");
            ended.first().is_some_and(|item| item["state"] == "completed").then_some(())
        });
        let mut sender = Sender::new(&stage.home);
        if sender.interrupt(&turn.id, "t1").is_err() {
            continue;
        }
        let began = Instant::now();
        let ended = stage.home.wait_turn(&turn.id, 1);
        assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
        assert_eq!(ended["state"], "interrupted", "{ended}");
        // It comes all the same, later: nothing of the turn is lost.
        poll::until("the late snapshot", || {
            stage.home.show(&turn.id)["turns"][0]["commit"].is_string().then_some(())
        });
        return;
    }
    panic!("no stop came while a workspace was saved");
}

#[test]
fn a_stop_holds_while_the_repository_is_fetched() {
    let stage = Stage::new();
    // It takes calls and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a.git", silent.local_addr().unwrap());
    let mut sender = Sender::new(&stage.home);
    let id = sender.create(&url, aloft_proto::v1::Mode::Auto, "$ touch went-on");
    let port = format!("{}/a.git", silent.local_addr().unwrap());
    Home::wait_processes(&port, 1);
    let began = Instant::now();
    sender.interrupt(&id, "t1").unwrap();
    let turn = stage.home.wait_turn(&id, 1);
    eprintln!("stopped after {} ms", began.elapsed().as_millis());
    assert_eq!((&turn["state"], &turn["stoppedBy"]), (&json!("interrupted"), &json!("local")));
    assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
    poll::until("git to be ended", || Home::processes_with(&port).is_empty().then_some(()));
}
