//! The real agents, through the whole product: sandbox, gateway, log, diff. Their model is the scripted server on loopback.
//!
//! An agent takes seconds to start, so each has one walk over all that it must do instead of many small tests.

mod aloft;
mod claude;
mod codex;
mod listed;
mod opencode;

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use aloft_tests::{
    home::Home,
    model::{ModelServer, UPSTREAM_KEY},
    poll,
};
use serde_json::{Value, json};

/// A real agent takes up to half a minute to start, and longer where others work too.
const LIMIT: Duration = Duration::from_secs(240);
/// Told in the first turn only.
const FACT: &str = "heron-4711";
/// Asks for the fact.
const RECALL: &str = "heron-";
/// A model no agent knows.
const MODEL: &str = "fable-9";

/// Which model keys a machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    Anthropic,
    OpenAi,
}

/// A machine with an agent and its model.
#[derive(Debug)]
struct Stage {
    // Before the server: the cloud ends first.
    home: Home,
    server: ModelServer,
    repository: PathBuf,
    agent: &'static str,
    /// A message in a turn goes into that turn.
    steers: bool,
}

impl Stage {
    fn new(agent: &'static str, keys: Keys) -> Self {
        let server = ModelServer::new();
        let home = match keys {
            Keys::Anthropic => Home::new()
                .with("ANTHROPIC_API_KEY", UPSTREAM_KEY)
                .with("ANTHROPIC_BASE_URL", server.anthropic()),
            Keys::OpenAi => Home::new()
                .with("OPENAI_API_KEY", UPSTREAM_KEY)
                .with("OPENAI_BASE_URL", server.openai()),
        };
        let home = match agent {
            "aloft" => home,
            _ => home.with("ALOFT_AGENTS_DIR", installed().to_str().unwrap()),
        };
        let repository = home.repository();
        Self { home, server, repository, agent, steers: agent != "opencode" }
    }

    /// Creates the thread with its first message.
    fn create(&self, mode: &str, model: Option<&str>, prompt: &str) -> String {
        let repository = self.repository.to_str().unwrap();
        let mut args = vec!["new", "--agent", self.agent, "--mode", mode, "--repo", repository];
        args.extend(model.iter().flat_map(|model| ["--model", model]));
        args.push(prompt);
        self.home.json(args)["id"].as_str().unwrap().to_owned()
    }

    /// Sends a message.
    fn send(&self, thread: &str, message: &str) {
        self.home.json(["send", thread, message]);
    }

    /// Waits until the turn of this number has ended, as it must; gives its items.
    fn ended(&self, thread: &str, number: u64, state: &str) -> Vec<Value> {
        let shown = poll::within(LIMIT, &format!("turn {number} to be {state}"), || {
            let shown = self.home.show(thread);
            let last = &shown["thread"]["lastTurn"];
            (last["number"] == number && last["state"] != "running").then_some(shown)
        });
        let turn = shown["turns"].as_array().unwrap().last().unwrap();
        assert_eq!(turn["state"], state, "{}", pretty(&shown));
        items_of(&shown, turn["id"].as_str().unwrap())
    }

    /// Waits until this question, counted from 1, is open.
    fn question(&self, thread: &str, number: usize) -> Value {
        poll::within(LIMIT, &format!("question {number}"), || {
            let shown = self.home.show(thread);
            assert_ne!(shown["thread"]["state"], "idle", "{}", pretty(&shown));
            let items = shown["items"].as_array().unwrap();
            let asked = of_type(items, "permission").get(number - 1).copied().cloned();
            asked.inspect(|asked| assert_eq!(asked["state"], "inProgress", "{}", pretty(&shown)))
        })
    }

    /// Waits until an item of the thread is so.
    fn item(&self, thread: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        poll::within(LIMIT, what, || {
            let shown = self.home.show(thread);
            shown["items"].as_array().unwrap().iter().find(|item| is(item)).cloned()
        })
    }

    /// The diff of the thread, as text.
    fn diff(&self, thread: &str) -> String {
        self.home.ok(["diff", thread])
    }

    /// Runs a script in a new turn, which must complete; gives the items.
    fn turn(&self, thread: &str, number: u64, script: &Value) -> Vec<Value> {
        self.send(thread, &mark(script));
        self.ended(thread, number, "completed")
    }

    /// The agent still knows what it was told in the first turn, by itself.
    fn recalls(&self, thread: &str, number: u64) {
        let items = self.turn(thread, number, &json!([{"recall": RECALL}]));
        assert_eq!(words(&items), FACT, "{items:#?}");
        assert!(!self.was_told_its_history(), "the agent lost its session");
    }

    /// An agent whose own session is gone with its HOME is told by us what it knew.
    fn recalls_from_the_log(&self, thread: &str, number: u64) {
        self.home.json(["pause", thread]);
        self.home.wait_state(thread, "paused");
        let own = self.home.path("s/s").join(thread).join("home");
        for entry in std::fs::read_dir(own).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                std::fs::remove_dir_all(entry.path()).unwrap();
            } else {
                std::fs::remove_file(entry.path()).unwrap();
            }
        }
        let items = self.turn(thread, number, &json!([{"recall": RECALL}]));
        assert_eq!(words(&items), FACT, "{items:#?}");
        assert!(self.was_told_its_history(), "it knew without a session and without being told");
    }

    /// These words of ours begin what an agent without a session is told.
    fn was_told_its_history(&self) -> bool {
        let seen = self.server.seen();
        seen.iter().any(|seen| seen.body.to_string().contains("aloft://thread/history"))
    }

    /// A file of the workspace, as the host has it.
    fn file(&self, thread: &str, name: &str) -> PathBuf {
        self.home.path("s/s").join(thread).join("workspace").join(name)
    }

    /// The turn is stopped while a command runs: nothing of it is left, and the agent goes on.
    fn stops(&self, thread: &str, number: u64) {
        let sleep = Sleep::new();
        self.send(
            thread,
            &mark(&json!([{"tool": "shell", "cmd": sleep.command()}, {"text": "no"}])),
        );
        sleep.begun();
        self.home.json(["stop", thread]);
        let items = self.ended(thread, number, "interrupted");
        assert_eq!(sleep.processes(), Vec::<i32>::new(), "a stopped command runs on");
        let open = items.iter().filter(|item| item["state"] == "inProgress").count();
        assert_eq!(open, 0, "{items:#?}");
    }

    /// What the agent leaves running is named, and nothing of the agent's own is; then it stands still, and the agent goes on.
    fn names_its_jobs(&self, thread: &str, number: u64) {
        let sleep = Sleep::new();
        let seconds = &sleep.seconds;
        // An agent may end a command's own group with it: the job has left that before the command ends.
        let leave = format!(
            "setsid bash -c 'touch left; exec sleep {seconds}' > /dev/null 2>&1 < /dev/null & until [ -e left ]; do sleep 0.05; done"
        );
        self.turn(thread, number, &json!([{"tool": "shell", "cmd": leave}, {"text": "left it"}]));
        let told = self.item(thread, "the job to be named", |item| {
            item["type"] == "notice" && item["text"].as_str().unwrap().contains(seconds.as_str())
        });
        let expected = format!("Left running in the background: `sleep {seconds}`. ");
        assert!(told["text"].as_str().unwrap().starts_with(&expected), "{told:#}");
        self.recalls(thread, number + 1);
        assert!(!sleep.processes().is_empty(), "the job did not outlive a turn");
    }

    /// A message during the turn: what it asks for is done.
    fn is_guided(&self, thread: &str, number: u64) {
        let first = json!([
            {"tool": "shell", "cmd": "touch waits; until [ -e go ]; do sleep 0.1; done"},
            {"text": "first way"},
        ]);
        self.send(thread, &mark(&first));
        poll::within(LIMIT, "the command to run", || {
            self.file(thread, "waits").exists().then_some(())
        });
        let then =
            json!([{"tool": "shell", "cmd": "echo new way > guided.txt"}, {"text": "guided"}]);
        self.send(thread, &mark(&then));
        // Where the agent lets the command finish first, it waits for this.
        self.item(thread, "the message to reach the agent", |item| {
            item["type"] == "userMessage"
                && item["delivery"] != "queued"
                && item["input"][0]["text"].as_str().is_some_and(|text| text.contains("new way"))
        });
        std::fs::write(self.file(thread, "go"), "").unwrap();
        let last = if self.steers { number } else { number + 1 };
        let items = self.ended(thread, last, "completed");
        assert!(words(&items).ends_with("guided"), "{items:#?}");
        assert!(self.diff(thread).contains("+new way"));
    }

    /// A call of the model waits at the budget, in `make soak` for longer than agents wait by themselves, and the same turn
    /// goes on when it is raised.
    fn waits_at_its_budget(&self, thread: &str, number: u64) {
        let script = json!([
            {"tool": "shell", "cmd": "touch spends; until [ -e spent ]; do sleep 0.1; done"},
            {"text": "waited"},
        ]);
        self.send(thread, &mark(&script));
        poll::within(LIMIT, "the command to run", || {
            self.file(thread, "spends").exists().then_some(())
        });
        self.home.json(["budget", thread, "--tokens", "1"]);
        self.home.wait_state(thread, "requiresAction");
        std::fs::write(self.file(thread, "spent"), "").unwrap();
        let soak = std::env::var_os("ALOFT_SOAK").is_some();
        std::thread::sleep(Duration::from_secs(if soak { 400 } else { 3 }));
        let shown = self.home.show(thread);
        assert_eq!(shown["thread"]["state"], "requiresAction", "{}", pretty(&shown));
        self.home.json(["budget", thread, "--tokens", "none"]);
        let items = self.ended(thread, number, "completed");
        assert_eq!(words(&items), "waited", "{items:#?}");
    }

    /// A command shows with its output and exit code.
    fn runs_commands(&self, thread: &str, number: u64) {
        let script = json!([
            {"tool": "shell", "cmd": "echo out-$((40 + 2)); exit 3"},
            {"tool": "shell", "cmd": "printf 'fine\\n'"},
            {"text": "ran"},
        ]);
        let items = self.turn(thread, number, &script);
        let commands = commands(&items);
        assert_eq!(commands.len(), 2, "{items:#?}");
        let (bad, good) = (&commands[0], &commands[1]);
        assert_eq!((&bad["exitCode"], &bad["state"]), (&json!(3), &json!("failed")), "{bad:#}");
        assert!(bad["output"].as_str().unwrap().contains("out-42"), "{bad:#}");
        assert!(bad["command"].as_str().unwrap().contains("exit 3"), "{bad:#}");
        assert_eq!(
            (&good["exitCode"], &good["state"]),
            (&json!(0), &json!("completed")),
            "{good:#}"
        );
        assert_eq!(good["output"].as_str().unwrap().trim(), "fine", "{good:#}");
        assert_eq!(words(&items), "ran");
    }

    /// No key of the cloud is in the sandbox, and no token of the sandbox goes beyond the cloud.
    fn keeps_secrets(&self, thread: &str, number: u64) {
        // The pattern does not match itself. What is found is told backwards, or it would be redacted.
        let canary = "sk-upstream-[c]anary";
        // It speaks once: codex may leave out what a command says in its first instants, where more follows.
        let look = format!(
            "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' > /tmp/env; \
             keys=\"$(grep -c '{canary}' /tmp/env) $(grep -rlaE '{canary}' \"$HOME\" /workspace /run /tmp 2>/dev/null | wc -l)\"; \
             token=$(grep -aE '^(ALOFT_MODEL_TOKEN|ANTHROPIC_AUTH_TOKEN)=' /tmp/env | head -n 1 | cut -d= -f2 | rev); \
             printf 'keys: %s\\ntoken: %s\\n' \"$keys\" \"$token\""
        );
        let items =
            self.turn(thread, number, &json!([{"tool": "shell", "cmd": look}, {"text": "looked"}]));
        let output = commands(&items)[0]["output"].as_str().unwrap().to_owned();
        assert!(output.contains("keys: 0 0"), "{output}");
        let token: String = output
            .lines()
            .find_map(|line| line.strip_prefix("token: "))
            .unwrap()
            .trim()
            .chars()
            .rev()
            .collect();
        assert!(token.len() >= 32, "no token was found: {output}");
        let seen = self.server.seen();
        assert!(!seen.is_empty());
        for request in seen {
            let key = request.key.trim_start_matches("Bearer ");
            assert_eq!(key, UPSTREAM_KEY, "{}", request.path);
            let leaks = request.headers.iter().any(|header| header.contains(&token))
                || request.body.to_string().contains(&token);
            assert!(!leaks, "the thread's token went upstream: {}", request.path);
        }
        let log = std::fs::read_to_string(self.home.path("data/cloud/cloud.log")).unwrap();
        assert!(!log.contains(UPSTREAM_KEY) && !log.contains(&token), "a secret is in the log");
        let found = holding(&self.home.path(""), UPSTREAM_KEY.as_bytes());
        assert_eq!(found, Vec::<PathBuf>::new(), "the key is on disk");
    }

    /// Tokens were counted for the thread.
    fn was_counted(&self, thread: &str) {
        let usage = &self.home.show(thread)["thread"]["usage"];
        assert!(usage["inputTokens"].as_u64().unwrap() >= 100, "{usage}");
        assert!(usage["outputTokens"].as_u64().unwrap() >= 10, "{usage}");
    }

    /// The model was asked for by this name.
    fn used(&self, model: &str) {
        let seen = self.server.seen();
        let found = seen.iter().any(|seen| seen.body["model"] == model);
        let all: Vec<&Value> = seen.iter().map(|seen| &seen.body["model"]).collect();
        assert!(found, "{model} is not among {all:?}");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let shown = self.home.run(["show", "@last", "--json"]);
            eprintln!("-- thread --\n{}{}", shown.text(), shown.stderr);
            eprintln!("-- model calls --");
            for seen in self.server.seen().iter().rev().take(2).rev() {
                let said = [&seen.body["messages"], &seen.body["input"]];
                let said = said.into_iter().filter_map(Value::as_array).flatten();
                let last: Vec<&Value> = said.rev().take(5).collect();
                eprintln!("{} ends with, newest first: {last:#?}", seen.path);
            }
        }
    }
}

/// A command that runs until it is ended, known by its odd number of seconds.
#[derive(Debug)]
struct Sleep {
    seconds: String,
}

impl Sleep {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { seconds: format!("600.{}{number:03}", std::process::id()) }
    }

    /// A command with a child in a session of its own, which only a thorough stop reaches.
    fn command(&self) -> String {
        let seconds = &self.seconds;
        format!("setsid sleep {seconds} & sleep {seconds}")
    }

    fn processes(&self) -> Vec<i32> {
        Home::processes_with(&self.seconds)
    }

    fn begun(&self) {
        let mark = format!("sleep\0{}", self.seconds);
        poll::within(LIMIT, "the command to run", || {
            (!Home::processes_with(&mark).is_empty()).then_some(())
        });
    }
}

/// Where the real agents are.
fn installed() -> PathBuf {
    let folder = std::env::var_os("ALOFT_TEST_AGENTS").map_or_else(
        || {
            let tests = std::env::current_exe().unwrap();
            let target = tests.ancestors().nth(3).unwrap();
            target.join("agents")
        },
        PathBuf::from,
    );
    assert!(
        folder.join("stamp").exists(),
        "no agents in {}: scripts/install-agents.sh target/agents",
        folder.display()
    );
    folder.canonicalize().unwrap()
}

/// A message whose script the model follows.
fn mark(script: &Value) -> String {
    format!("MARK {script}")
}

fn items_of(shown: &Value, turn: &str) -> Vec<Value> {
    let items = shown["items"].as_array().unwrap();
    items.iter().filter(|item| item["turnId"] == turn).cloned().collect()
}

fn of_type<'a>(items: &'a [Value], kind: &str) -> Vec<&'a Value> {
    items.iter().filter(|item| item["type"] == kind).collect()
}

fn commands(items: &[Value]) -> Vec<&Value> {
    of_type(items, "commandExecution")
}

/// All that the agent said.
fn words(items: &[Value]) -> String {
    let said = of_type(items, "agentMessage");
    said.iter().filter_map(|item| item["text"].as_str()).collect::<Vec<_>>().join("\n")
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

/// Files below a folder that hold these bytes; what may not be read is passed over.
fn holding(folder: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file()
                && std::fs::read(entry.path())
                    .is_ok_and(|content| content.windows(bytes.len()).any(|part| part == bytes))
            {
                found.push(entry.path());
            }
        }
    }
    found
}
