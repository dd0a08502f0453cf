//! What is wrong, huge or hostile gives one clear error, loses nothing, and leaves the other threads alone.

use std::{fs, process::Stdio, time::Instant};

use aloft_proto::v1::{self, CreateThreadRequest, ListThreadsRequest};
use aloft_tests::{
    cloud,
    home::{Home, assert_whole, feed, finish, items},
    poll,
};
use serde_json::Value;

#[test]
fn what_is_not_there_is_named() {
    let home = Home::new();
    let repository = home.repository();
    let path = repository.to_str().unwrap();
    let missing = home.path("missing");
    let new = |more: &[&'static str]| {
        let mut words = vec!["new".to_owned(), "--agent".to_owned(), "shell".to_owned()];
        words.extend(more.iter().map(|word| (*word).to_owned()));
        words
    };
    let named = |error: &Value, what: &str| {
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(what), "{error}");
        assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{error}");
        assert!(!message.contains('\n'), "one line: {error}");
    };
    named(&home.fails(1, ["new", "--repo", missing.to_str().unwrap(), "x"]), "missing");
    named(&home.fails(1, ["new", "--repo", path, "--ref", "no-such-ref", "x"]), "no-such-ref");
    named(
        &home.fails(1, ["new", "--repo", path, "--agent", "no-such-agent", "x"]),
        "no-such-agent",
    );
    named(&home.fails(1, ["show", "no-such-thread"]), "no-such-thread");
    named(&home.fails(1, ["new", "--repo", home.path("home").to_str().unwrap(), "x"]), "home");
    let mut words = new(&["--branch", "no good..name", "x"]);
    words.extend(["--repo".to_owned(), path.to_owned()]);
    named(&home.fails(2, &words), "no good..name");
    assert!(home.json(["list", "--all"]).as_array().unwrap().is_empty(), "nothing was begun");

    // An address is only tried when the thread starts: then the thread says so.
    let bad = format!("file://{}", missing.display());
    let run = home.run(["new", "--agent", "shell", "--repo", &bad, "--wait", "--json", "$ true"]);
    assert!(run.code == 5 || run.code == 1, "{} {}", run.code, run.text());
    assert!(run.text().contains("REPOSITORY_UNREACHABLE"), "{}", run.text());

    let thread = home.shell(&repository, "auto", "$ true");
    let id = thread["id"].as_str().unwrap();
    named(&home.fails(1, ["show", id, "--item", "i999"]), "i999");
    named(&home.fails(1, ["diff", id, "--turn", "99"]), "99");
}

#[test]
fn no_usable_agent_is_said_with_the_way_out() {
    let home = Home::new();
    let repository = home.repository();
    // Agents are looked for in PATH; the one of this machine may have some.
    let mut start = home.command(["cloud", "start"]);
    start.env("PATH", "/usr/bin:/bin");
    assert_eq!(finish(start).code, 0);
    let error = home.fails(1, ["new", "--repo", repository.to_str().unwrap(), "do something"]);
    assert_eq!(error["reason"], "NO_AGENT", "{error}");
    assert!(error["hint"].as_str().unwrap().contains("--agent shell"), "{error}");
}

#[test]
fn a_message_too_large_for_any_cloud_is_refused_and_holds_nothing_up() {
    let home = Home::new();
    let repository = home.repository();
    let thread = home.shell(&repository, "auto", "$ true");
    let id = thread["id"].as_str().unwrap();
    let large = vec![b'x'; 70 << 20];
    let run = feed(home.command(["send", id, "--json", "-"]), &large);
    assert_eq!(run.code, 2, "{}", run.text());
    let error: Value = serde_json::from_str(&run.text()).unwrap();
    assert_eq!(error["error"]["reason"], "MESSAGE_TOO_LARGE", "{error}");
    assert_eq!(home.json(["outbox", "list"])["waiting"], Value::Array(Vec::new()));
    home.ok(["send", id, "--wait", "$ true"]);
}

#[test]
fn a_workspace_that_its_agent_closed_is_opened_again() {
    let home = Home::new();
    let repository = home.repository();
    let thread = home.shell(&repository, "auto", "$ echo kept > kept; chmod 000 /workspace");
    let id = thread["id"].as_str().unwrap();
    assert_eq!(home.wait_turn(id, 1)["state"], "completed");
    home.ok(["send", id, "--wait", "$ cat kept && echo more > more"]);
    assert!(home.ok(["diff", id]).contains("+more"));
}

#[test]
fn prompts_of_any_size_are_taken_or_refused_with_a_word() {
    let home = Home::new();
    let repository = home.repository();
    let path = repository.to_str().unwrap();
    for empty in ["", "  \n\t"] {
        let error = home.fails(2, ["new", "--agent", "shell", "--repo", path, empty]);
        assert!(error["message"].is_string(), "{error}");
    }
    let mut long = "x".repeat(1 << 20);
    long.push_str("\n$ echo end\n");
    let words =
        ["new", "--agent", "shell", "--mode", "auto", "--repo", path, "--wait", "--json", "-"];
    let run = feed(home.command(words), long.as_bytes());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let thread: Value = serde_json::from_str(&run.text()).unwrap();
    let shown = home.show(thread["id"].as_str().unwrap());
    assert_eq!(
        items(&shown, "userMessage")[0]["input"][0]["text"].as_str().unwrap().trim_end(),
        long.trim_end()
    );
    assert_eq!(items(&shown, "commandExecution")[0]["output"], "end\n");
    let run =
        feed(home.command(["send", thread["id"].as_str().unwrap(), "-"]), b"\xff\xfe not UTF-8");
    assert!(run.code == 0 || run.code == 2, "{} {}", run.code, run.stderr);
}

#[test]
fn the_same_create_sent_twice_makes_one_thread() {
    let home = Home::new();
    let repository = home.repository();
    home.ok(["cloud", "start"]);
    let address = format!("file://{}", repository.display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = cloud::threads(&home).await;
        let mut request = CreateThreadRequest {
            request_id: "the-very-same".to_owned(),
            repository: Some(v1::Repository { url: address, ..Default::default() }),
            agent: "shell".to_owned(),
            mode: v1::Mode::Auto.into(),
            input: vec![text("$ true")],
            ..Default::default()
        };
        let mut other = client.clone();
        let (one, two) = tokio::join!(
            client.create_thread(request.clone()),
            other.create_thread(request.clone())
        );
        let first = one.unwrap().into_inner().thread.unwrap();
        assert_eq!(two.unwrap().into_inner().thread.unwrap().id, first.id);
        let again = client.create_thread(request.clone()).await.unwrap().into_inner();
        assert_eq!(again.thread.unwrap().id, first.id);
        let listed = client.list_threads(ListThreadsRequest::default()).await.unwrap();
        assert_eq!(listed.into_inner().threads.len(), 1);
        // The same id for another wish is an error.
        request.input = vec![text("$ false")];
        let refused = client.create_thread(request).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused:?}");
    });
}

#[test]
fn output_that_is_not_text_is_kept_byte_for_byte() {
    let home = Home::new();
    let thread = home.shell(&home.repository(), "auto", r"$ printf 'a\377\376b\000c\n'");
    let id = thread["id"].as_str().unwrap();
    let shown = home.show(id);
    let item = items(&shown, "commandExecution")[0].clone();
    assert_eq!(item["outputBytes"], 7);
    assert_eq!(item["output"], "a\u{fffd}\u{fffd}b\0c\n");
    let raw = home.run(["show", id, "--item", item["id"].as_str().unwrap()]);
    assert_eq!(raw.stdout, b"a\xff\xfeb\0c\n");
}

#[test]
fn fifty_megabytes_of_output_are_kept_whole_in_flat_memory() {
    const BYTES: usize = 50 << 20;
    let home = Home::new();
    let repository = home.repository();
    home.shell(&repository, "auto", "$ true");
    let pid = home.cloud_pid();
    let before = peak(pid);
    let thread =
        home.shell(&repository, "auto", &format!("$ yes 0123456789abcde | head -c {BYTES}"));
    let after = peak(pid);
    let id = thread["id"].as_str().unwrap();
    let shown = home.show(id);
    let item = items(&shown, "commandExecution")[0].clone();
    assert_eq!(item["outputBytes"], BYTES);
    assert_eq!(item["truncated"], true);
    assert_eq!(item["output"].as_str().unwrap().len(), 64 << 10);
    let raw = home.run(["show", id, "--item", item["id"].as_str().unwrap()]).stdout;
    assert_eq!(raw.len(), BYTES);
    assert!(raw.chunks(16).all(|line| line == b"0123456789abcde\n"));
    assert!(after - before < 64 << 10, "{before} KiB grew to {after} KiB");
    // And read: neither the whole item nor the log is held at once.
    assert_whole(&home.events(id));
    let read = peak(pid);
    assert!(read - before < 96 << 10, "{before} KiB grew to {read} KiB by reading");
}

#[test]
fn a_file_of_two_hundred_megabytes_is_saved_and_shown_by_its_size() {
    let home = Home::new();
    let repository = home.repository();
    home.shell(&repository, "auto", "$ true");
    let pid = home.cloud_pid();
    let before = peak(pid);
    let thread = home.shell(
        &repository,
        "auto",
        "$ head -c 209715200 /dev/zero > big\n$ echo small > small",
    );
    assert_eq!(thread["lastTurn"]["state"], "completed");
    let id = thread["id"].as_str().unwrap();
    let files = home.json(["diff", id])["files"].clone();
    let big = files.as_array().unwrap().iter().find(|file| file["path"] == "big").unwrap().clone();
    assert_eq!(big["binary"], true);
    let diff = home.ok(["diff", id]);
    assert!(diff.len() < 10_000, "{} bytes", diff.len());
    assert!(diff.contains("+small"));
    let after = peak(pid);
    assert!(after - before < 64 << 10, "{before} KiB grew to {after} KiB");
}

/// What an agent answers to everything before the prompt; `$PROMPT` says what it does then, with `$id` the request's.
const AGENT: &str = r#"
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
chunk='{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s1","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"flood "}}}}'
while IFS= read -r line; do
  id=$(printf '%s' "$line" | sed -nE 's/.*"id":("[^"]*"|[0-9]+).*/\1/p')
  case "$line" in
    *'"initialize"'*) answer "$id" '{"protocolVersion":1,"agentCapabilities":{}}' ;;
    *'"session/new"'*) answer "$id" '{"sessionId":"s1"}' ;;
    *'"session/prompt"'*) eval "$PROMPT" ;;
  esac
done
"#;

/// A machine with agents that misbehave, by name: what each does when it is prompted.
fn with_agents(agents: &[(&str, &str)]) -> Home {
    let home = Home::new();
    let text: String = agents
        .iter()
        .flat_map(|(name, prompt)| {
            let script = format!("PROMPT={}\n{AGENT}", quoted(prompt));
            [
                format!("[serve.agents.{name}]\n"),
                format!("command = [\"bash\", \"-c\", {script:?}]\n"),
            ]
        })
        .collect();
    home.configure(&text);
    home
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Begins a thread with one of them.
fn run_agent(home: &Home, name: &str) -> String {
    let repository = home.path("repository");
    let words =
        ["new", "--agent", name, "--mode", "auto", "--repo", repository.to_str().unwrap(), "go"];
    home.json(words)["id"].as_str().unwrap().to_owned()
}

#[test]
fn agents_that_end_fail_their_turn_with_what_they_said_last() {
    let home = with_agents(&[("dies", "echo 'I am lost' >&2; exit 3")]);
    home.repository();
    let text = fs::read_to_string(home.path("config/config.toml")).unwrap();
    let never =
        "[serve.agents.never]\ncommand = [\"bash\", \"-c\", \"echo no luck today >&2; exit 4\"]\n";
    fs::write(home.path("config/config.toml"), text + never).unwrap();
    for (name, word) in [("dies", "I am lost"), ("never", "no luck today")] {
        let id = run_agent(&home, name);
        let turn = home.wait_turn(&id, 1);
        assert_eq!(turn["state"], "failed", "{name}: {turn}");
        let message = turn["error"]["message"].as_str().unwrap();
        assert!(message.contains(word), "{name}: {turn}");
        assert!(turn["error"]["hint"].is_string(), "{name}: {turn}");
        let state = home.show(&id)["thread"]["state"].as_str().unwrap().to_owned();
        assert!(state == "idle" || state == "failed", "{name}: {state}");
    }
    // The others go on.
    home.shell(&home.path("repository"), "auto", "$ true");
}

#[test]
fn an_agent_that_hangs_can_be_stopped() {
    let home = with_agents(&[
        ("hangs", "sleep 1000"),
        ("deaf", "trap '' TERM; while :; do sleep 1; done"),
    ]);
    home.repository();
    let text = fs::read_to_string(home.path("config/config.toml")).unwrap();
    fs::write(
        home.path("config/config.toml"),
        text + "[serve.agents.mute]\ncommand = [\"sleep\", \"1000\"]\n",
    )
    .unwrap();
    for name in ["hangs", "deaf", "mute"] {
        let id = run_agent(&home, name);
        if name != "mute" {
            poll::until("the prompt to be delivered", || {
                (items(&home.show(&id), "userMessage")[0]["delivery"] == "delivered").then_some(())
            });
        }
        home.ok(["stop", &id]);
        assert_eq!(home.wait_turn(&id, 1)["state"], "interrupted", "{name}");
    }
}

#[test]
fn a_flood_of_an_agent_is_kept_and_others_go_on() {
    let home = with_agents(&[(
        "floods",
        "yes \"$chunk\" | head -n 20000; answer \"$id\" '{\"stopReason\":\"end_turn\"}'",
    )]);
    let repository = home.repository();
    let id = run_agent(&home, "floods");
    let began = Instant::now();
    home.shell(&repository, "auto", "$ true");
    assert!(began.elapsed() < poll::LIMIT);
    assert_eq!(home.wait_turn(&id, 1)["state"], "completed");
    let shown = home.show(&id);
    let said: usize =
        items(&shown, "agentMessage").iter().map(|item| item["text"].as_str().unwrap().len()).sum();
    assert_eq!(said, 20_000 * "flood ".len());
    assert_whole(&home.events(&id));
}

#[test]
fn broken_messages_of_an_agent_break_nothing() {
    let end = "answer \"$id\" '{\"stopReason\":\"end_turn\"}'";
    let broken = format!(
        r#"echo 'not json'; echo '{{"half":'; printf '\377\000\n'; echo '[]'; echo '{{"jsonrpc":"2.0","id":99,"result":{{}}}}'
echo '{{"jsonrpc":"2.0","method":"session/update","params":{{"sessionId":"s1","update":{{"sessionUpdate":"never_heard_of"}}}}}}'
echo '{{"jsonrpc":"2.0","method":"session/update","params":7}}'; echo '{{"jsonrpc":"2.0","id":5,"method":"no/such","params":{{}}}}'
echo "$chunk"; {end}"#
    );
    let endless = "head -c 209715200 /dev/zero | tr '\\0' x; sleep 1000";
    let home = with_agents(&[("broken", &broken), ("endless", endless)]);
    home.repository();
    let id = run_agent(&home, "broken");
    let turn = home.wait_turn(&id, 1);
    assert!(turn["state"] == "completed" || turn["state"] == "failed", "{turn}");
    if turn["state"] == "failed" {
        assert!(turn["error"]["message"].is_string(), "{turn}");
    }
    assert_whole(&home.events(&id));
    // A line that never ends fills no memory.
    let pid = home.cloud_pid();
    let id = run_agent(&home, "endless");
    poll::until("the line to be given up or read past", || {
        let turn = home.show(&id)["turns"][0].clone();
        (turn["state"] != "running" || Home::processes_with("209715200").is_empty()).then_some(())
    });
    home.run(["stop", &id]);
    home.wait_turn(&id, 1);
    assert_eq!(home.cloud_pid(), pid);
    assert!(peak(pid) < 400 << 10, "{} KiB", peak(pid));
}

#[test]
fn a_fork_bomb_is_bounded_and_can_be_stopped() {
    let home = Home::new();
    home.configure("limits = { processes = 150 }\n");
    let repository = home.repository();
    let count = "my $n = 0; while ($n < 1000) { my $p = fork; last if !defined $p; if (!$p) { sleep 1000; exit } $n++ } print \"$n\\n\"";
    let thread = home.shell(
        &repository,
        "auto",
        &format!("```write count.pl\n{count}\n```\n$ perl count.pl"),
    );
    let id = thread["id"].as_str().unwrap();
    let shown = home.show(id);
    let output = items(&shown, "commandExecution")[0]["output"].as_str().unwrap().to_owned();
    let reached: u32 = output.trim().parse().unwrap();
    assert!(reached < 150, "{reached} of 1000 were begun, {}", thread["unenforced"]);
    let mark = home.mark("bomb");
    let bomb = home.begin(&repository, "auto", &format!("$ exec perl -e 'fork while 1; # {mark}'"));
    Home::wait_processes(&mark, 20);
    // Another thread goes on meanwhile.
    home.shell(&repository, "auto", "$ true");
    home.ok(["stop", &bomb]);
    assert_eq!(Home::processes_with(&mark), [0; 0]);
    assert_eq!(home.wait_turn(&bomb, 1)["state"], "interrupted");
}

#[test]
fn a_reader_that_goes_away_harms_nothing() {
    let home = Home::new();
    let thread = home.shell(&home.repository(), "auto", "$ yes | head -c 300000");
    let id = thread["id"].as_str().unwrap();
    let mut child = home
        .command(["show", id, "--item", "i2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !said.contains("panicked"), "{said}");
}

fn text(text: &str) -> v1::Input {
    let text = v1::TextInput { text: text.to_owned() };
    v1::Input { kind: Some(v1::input::Kind::Text(text)) }
}

/// The most memory a process has had so far, in KiB.
fn peak(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
