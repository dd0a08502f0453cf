//! The client against the real `shell` agent through pipes, and against agents that misbehave.

use std::{path::Path, time::Duration};

use aloft_proto::v1::{Input, ItemState, Mode, OptionKind, TextInput, input};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, duplex},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    acp::{
        Agent, Answer, Body, Connection, Error, Modes, Opened, Options, Report, Steered, Stop,
        Timeouts, connect,
    },
    agent::{shell::Shell, stdio},
    model::update::{AgentUpdate, OutputUpdate},
};

/// Longer than anything here takes; only a hang reaches it.
const LONG: Duration = Duration::from_secs(30);

fn options(cwd: &Path) -> Options {
    let short = Duration::from_secs(10);
    Options {
        cwd: cwd.to_str().unwrap().to_owned(),
        mode: Mode::Manual,
        modes: Modes { manual: Some("manual"), auto: Some("auto") },
        model: None,
        resume: None,
        mcp_servers: Vec::new(),
        timeouts: Timeouts { initialize: short, session: short, setting: short },
    }
}

/// The processes of a group, without those that are dead and wait for their parent.
fn running_in_group(group: &str) -> Vec<String> {
    let listed =
        std::process::Command::new("ps").args(["-eo", "pgid=,stat=,args="]).output().unwrap();
    let in_group = |line: &&str| {
        let mut fields = line.split_whitespace();
        fields.next() == Some(group) && fields.next().is_some_and(|state| !state.starts_with('Z'))
    };
    String::from_utf8_lossy(&listed.stdout).lines().filter(in_group).map(str::to_owned).collect()
}

/// A real shell agent in this process; its end of the pipes closes with ours.
fn shell(home: &Path) -> (DuplexStream, DuplexStream, JoinHandle<std::io::Result<()>>) {
    let (our_input, its_output) = duplex(64 * 1024);
    let (its_input, our_output) = duplex(64 * 1024);
    let options = stdio::Options { sessions: home.join("sessions") };
    let task = tokio::spawn(stdio::serve(Shell, options, its_input, its_output));
    (our_input, our_output, task)
}

async fn connected(home: &Path, options: Options) -> Connection {
    let (input, output, _task) = shell(home);
    connect(input, output, options).await.unwrap()
}

fn text(text: &str) -> Vec<Input> {
    vec![Input { kind: Some(input::Kind::Text(TextInput { text: text.to_owned() })) }]
}

async fn next(connection: &mut Connection) -> Report {
    timeout(LONG, connection.reports.recv())
        .await
        .expect("no report in time")
        .expect("the connection ended")
}

/// What a turn told.
#[derive(Debug, Default)]
struct Told {
    output: Vec<u8>,
    words: String,
    states: Vec<ItemState>,
    questions: Vec<String>,
    withdrawn: usize,
    plans: usize,
    exits: Vec<Option<i32>>,
}

/// Follows a turn to its end, answering questions.
async fn follow(connection: &mut Connection, answer: Option<OptionKind>) -> (Told, Stop) {
    let mut told = Told::default();
    loop {
        match next(connection).await.body {
            Body::Update(AgentUpdate::Message { text, .. }) => told.words.push_str(&text),
            Body::Update(AgentUpdate::Plan(_)) => told.plans += 1,
            Body::Update(AgentUpdate::Tool(tool)) => {
                if let Some(OutputUpdate::Append(bytes)) = &tool.output {
                    told.output.extend_from_slice(bytes);
                }
                told.states.extend(tool.state.filter(|state| *state != ItemState::InProgress));
                told.exits.extend(tool.exit_code.map(Some));
            }
            Body::Question { id, question } => {
                told.questions.push(question.detail.clone());
                if let Some(kind) = answer {
                    let option =
                        question.options.iter().find(|option| option.kind() == kind).unwrap();
                    connection.agent.answer(&id, Answer::Option(option.id.clone())).await;
                }
            }
            Body::QuestionWithdrawn { .. } => told.withdrawn += 1,
            Body::TurnEnded(stop) => return (told, stop),
            Body::Gone(problem) => panic!("{problem:?}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_turn_of_the_shell_agent_asks_runs_and_streams() {
    let home = tempfile::tempdir().unwrap();
    let mut connection = connected(home.path(), options(home.path())).await;
    assert_eq!(connection.session.opened, Opened::Fresh);
    let prompt = "plan: one\nplan: two\n$ printf 'a\\377b'; echo c >&2\n```write d/e.txt\nhello\n```\n$ cat d/e.txt; exit 3\n$ touch never";
    connection.agent.prompt(text(prompt), None).await;
    let (told, stop) = follow(&mut connection, Some(OptionKind::AllowOnce)).await;
    assert_eq!(stop, Stop::EndTurn);
    assert_eq!(told.output, b"a\xffbc\nhello\n");
    assert_eq!(told.states, [ItemState::Completed, ItemState::Completed, ItemState::Failed]);
    assert_eq!(told.exits, [Some(0), Some(3)]);
    assert_eq!(told.questions.len(), 3);
    assert!(told.questions[1].contains("+hello"), "{:?}", told.questions);
    assert!(told.plans >= 3 && told.words.contains("exited with 3"), "{told:?}");
    assert!(!home.path().join("never").exists());
}

#[tokio::test]
async fn a_no_ends_the_turn_and_nothing_is_done() {
    let home = tempfile::tempdir().unwrap();
    let mut connection = connected(home.path(), options(home.path())).await;
    connection.agent.prompt(text("$ touch marker\n$ touch other"), None).await;
    let (told, stop) = follow(&mut connection, Some(OptionKind::RejectOnce)).await;
    assert_eq!((stop, told.states.as_slice()), (Stop::EndTurn, &[ItemState::Declined][..]));
    assert_eq!(told.questions, ["touch marker"]);
    assert!(!home.path().join("marker").exists());
}

#[tokio::test]
async fn the_mode_can_change_while_a_question_is_open() {
    let home = tempfile::tempdir().unwrap();
    let mut connection = connected(home.path(), options(home.path())).await;
    connection.agent.prompt(text("$ touch marker\n$ touch other"), None).await;
    let question = loop {
        if let Body::Question { id, .. } = next(&mut connection).await.body {
            break id;
        }
    };
    assert!(!home.path().join("marker").exists());
    connection.agent.set_mode(Mode::Auto).await;
    let answered = loop {
        if let Body::QuestionAnswered { id, option } = next(&mut connection).await.body {
            break (id, option);
        }
    };
    assert_eq!(answered, (question, "allow_once".to_owned()));
    let (told, stop) = follow(&mut connection, None).await;
    assert_eq!((stop, told.questions.len()), (Stop::EndTurn, 0));
    assert!(home.path().join("marker").exists() && home.path().join("other").exists());
}

#[tokio::test]
async fn a_stop_ends_the_command_and_the_next_prompt_waits_for_it() {
    let home = tempfile::tempdir().unwrap();
    let auto = Options { mode: Mode::Auto, ..options(home.path()) };
    let mut connection = connected(home.path(), auto).await;
    assert_eq!(connection.agent.steer(text("x")).await, Steered::Idle);
    connection.agent.prompt(text("$ echo $$ > pid; (sleep 1000 & wait); echo no"), None).await;
    let pid_file = home.path().join("pid");
    let pid = loop {
        match std::fs::read_to_string(&pid_file) {
            Ok(pid) if pid.ends_with('\n') => break pid.trim().to_owned(),
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    assert_eq!(connection.agent.steer(text("x")).await, Steered::Unsupported);
    assert!(!running_in_group(&pid).is_empty());
    connection.agent.cancel().await;
    connection.agent.prompt(text("$ echo next"), None).await;
    let (told, stop) = follow(&mut connection, None).await;
    assert_eq!((stop, told.output.as_slice()), (Stop::Cancelled, &b""[..]));
    assert_eq!(running_in_group(&pid), Vec::<String>::new(), "the stopped group is alive");
    let (told, stop) = follow(&mut connection, None).await;
    assert_eq!((stop, told.output.as_slice()), (Stop::EndTurn, &b"next\n"[..]));
    // A stop outside a turn hits nothing.
    connection.agent.cancel().await;
    connection.agent.prompt(text("$ echo again"), None).await;
    assert_eq!(follow(&mut connection, None).await.0.output, b"again\n");
}

#[tokio::test]
async fn a_stop_withdraws_the_open_question() {
    let home = tempfile::tempdir().unwrap();
    let mut connection = connected(home.path(), options(home.path())).await;
    connection.agent.prompt(text("$ touch marker"), None).await;
    while !matches!(next(&mut connection).await.body, Body::Question { .. }) {}
    connection.agent.cancel().await;
    let (told, stop) = follow(&mut connection, None).await;
    assert_eq!((stop, told.withdrawn), (Stop::Cancelled, 1));
    assert!(!home.path().join("marker").exists());
}

#[tokio::test]
async fn a_flood_is_held_up_and_still_stopped() {
    let home = tempfile::tempdir().unwrap();
    let auto = Options { mode: Mode::Auto, ..options(home.path()) };
    let mut connection = connected(home.path(), auto).await;
    connection.agent.prompt(text("$ yes"), None).await;
    // Nobody takes the reports: what comes fills the queues and the pipes and then waits.
    while connection.reports.len() < connection.reports.max_capacity() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    connection.agent.cancel().await;
    let (_, stop) = follow(&mut connection, None).await;
    assert_eq!(stop, Stop::Cancelled);
}

#[tokio::test]
async fn fifty_megabytes_come_through_byte_for_byte() {
    let home = tempfile::tempdir().unwrap();
    let auto = Options { mode: Mode::Auto, ..options(home.path()) };
    let mut connection = connected(home.path(), auto).await;
    connection.agent.prompt(text("$ head -c 50000000 /dev/urandom | tee copy"), None).await;
    let (told, stop) = follow(&mut connection, None).await;
    assert_eq!(stop, Stop::EndTurn);
    assert!(
        told.output == std::fs::read(home.path().join("copy")).unwrap(),
        "{} bytes",
        told.output.len()
    );
}

#[tokio::test]
async fn a_session_goes_on_in_another_process_and_names_stay_unique() {
    let home = tempfile::tempdir().unwrap();
    let mut first =
        connected(home.path(), Options { mode: Mode::Auto, ..options(home.path()) }).await;
    first.agent.prompt(text("$ true"), None).await;
    let key = |report: &Report| match &report.body {
        Body::Update(AgentUpdate::Tool(tool)) => Some(tool.key.clone()),
        _ => None,
    };
    let first_key = loop {
        if let Some(key) = key(&next(&mut first).await) {
            break key;
        }
    };
    let resume = Some(first.session.id.clone());
    drop(first);
    let mut second =
        connected(home.path(), Options { resume: resume.clone(), ..options(home.path()) }).await;
    assert_eq!(
        (second.session.opened, Some(&second.session.id)),
        (Opened::Resumed, resume.as_ref())
    );
    second.agent.prompt(text("$ true"), None).await;
    let second_key = loop {
        if let Some(key) = key(&next(&mut second).await) {
            break key;
        }
    };
    assert_ne!(first_key, second_key);
    // The mode is set again: it asks now.
    let (told, _) = follow(&mut second, Some(OptionKind::AllowAlways)).await;
    assert_eq!(told.questions, ["true"]);
    let unknown = Options {
        resume: Some("00000000-0000-0000-0000-000000000000".to_owned()),
        ..options(home.path())
    };
    assert_eq!(connected(home.path(), unknown).await.session.opened, Opened::Fresh);
}

#[tokio::test]
async fn a_preamble_is_context_and_not_run() {
    let home = tempfile::tempdir().unwrap();
    let auto = Options { mode: Mode::Auto, ..options(home.path()) };
    let mut connection = connected(home.path(), auto).await;
    connection.agent.prompt(text("$ echo now"), Some("before:\n$ touch marker".to_owned())).await;
    assert_eq!(follow(&mut connection, None).await.0.output, b"now\n");
    assert!(!home.path().join("marker").exists());
}

/// The other end of the pipes, played by a test.
struct Peer {
    input: BufReader<DuplexStream>,
    output: DuplexStream,
}

fn peer() -> (DuplexStream, DuplexStream, Peer) {
    let (our_input, output) = duplex(64 * 1024);
    let (input, our_output) = duplex(64 * 1024);
    (our_input, our_output, Peer { input: BufReader::new(input), output })
}

impl Peer {
    async fn take(&mut self) -> Value {
        let mut line = String::new();
        timeout(LONG, self.input.read_line(&mut line)).await.unwrap().unwrap();
        serde_json::from_str(&line).unwrap_or_default()
    }

    async fn send(&mut self, message: &Value) {
        self.raw(format!("{message}\n").as_bytes()).await;
    }

    async fn raw(&mut self, bytes: &[u8]) {
        let _gone = self.output.write_all(bytes).await;
    }

    /// Answers the next request, which must be `method`.
    async fn answer(&mut self, method: &str, result: Value) -> Value {
        let request = self.take().await;
        assert_eq!(request["method"], method, "{request}");
        self.send(&json!({"jsonrpc": "2.0", "id": request["id"], "result": result})).await;
        request
    }

    async fn refuse(&mut self, method: &str) {
        let request = self.take().await;
        assert_eq!(request["method"], method, "{request}");
        let error =
            json!({"code": -32603, "message": "no", "data": {"details": "no rollout found"}});
        self.send(&json!({"jsonrpc": "2.0", "id": request["id"], "error": error})).await;
    }

    async fn open(&mut self) {
        self.answer("initialize", json!({"protocolVersion": 1})).await;
        self.answer("session/new", json!({"sessionId": "s"})).await;
    }

    async fn update(&mut self, update: Value) {
        self.send(
            &json!({"method": "session/update", "params": {"sessionId": "s", "update": update}}),
        )
        .await;
    }
}

/// Connects to a peer that follows `script` meanwhile.
async fn against<F: Future<Output = Peer>>(
    options: Options,
    script: impl FnOnce(Peer) -> F,
) -> (Result<Connection, Error>, Peer) {
    let (input, output, peer) = peer();
    timeout(LONG, async { tokio::join!(connect(input, output, options), script(peer)) })
        .await
        .unwrap()
}

fn unnamed_modes() -> Options {
    Options { modes: Modes::default(), ..options(Path::new("/workspace")) }
}

#[tokio::test]
async fn each_rung_of_the_ladder() {
    let resumable = json!({"protocolVersion": 1, "agentCapabilities": {"loadSession": true, "sessionCapabilities": {"resume": {}}}});
    let resuming = || Options { resume: Some("old".to_owned()), ..unnamed_modes() };
    let about = resumable.clone();
    let (connection, _peer) = against(resuming(), async |mut peer| {
        peer.answer("initialize", about).await;
        let request = peer.answer("session/resume", json!({})).await;
        assert_eq!(request["params"]["cwd"], "/workspace");
        peer
    })
    .await;
    assert_eq!(connection.unwrap().session.opened, Opened::Resumed);

    let about = resumable.clone();
    let (connection, mut peer) = against(resuming(), async |mut peer| {
        peer.answer("initialize", about).await;
        peer.refuse("session/resume").await;
        peer.update(json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "replayed"}})).await;
        peer.answer("session/load", json!({})).await;
        peer
    })
    .await;
    let mut connection = connection.unwrap();
    assert_eq!(
        (connection.session.opened, connection.session.id.as_str()),
        (Opened::Resumed, "old")
    );
    peer.update(json!({"sessionUpdate": "session_info_update", "title": "T"})).await;
    assert_eq!(next(&mut connection).await.body, Body::Update(AgentUpdate::Title("T".to_owned())));

    let (connection, _peer) = against(resuming(), async |mut peer| {
        peer.answer("initialize", resumable).await;
        peer.refuse("session/resume").await;
        peer.refuse("session/load").await;
        peer.answer("session/new", json!({"sessionId": "new"})).await;
        peer
    })
    .await;
    let session = connection.unwrap().session;
    assert_eq!((session.opened, session.id.as_str()), (Opened::Fresh, "new"));
}

#[tokio::test]
async fn an_agent_that_dies_or_is_silent_in_any_phase_is_an_error_with_its_name() {
    let (connection, _) = against(unnamed_modes(), async |peer| {
        let (_, _, other) = self::peer();
        drop(peer);
        other
    })
    .await;
    assert!(matches!(connection, Err(Error::Gone(_))), "{connection:?}");
    let (connection, _) = against(unnamed_modes(), async |mut peer| {
        peer.answer("initialize", json!({"protocolVersion": 1})).await;
        peer.output.shutdown().await.unwrap();
        peer
    })
    .await;
    assert!(matches!(connection, Err(Error::Gone(_))), "{connection:?}");
    let mut impatient = unnamed_modes();
    impatient.timeouts.session = Duration::from_millis(50);
    let (connection, _) = against(impatient, async |mut peer| {
        peer.answer("initialize", json!({"protocolVersion": 1})).await;
        peer.take().await;
        peer
    })
    .await;
    assert!(
        matches!(connection, Err(Error::TimedOut { method: "session/new", .. })),
        "{connection:?}"
    );
    let (connection, _) = against(unnamed_modes(), async |mut peer| {
        peer.answer("initialize", json!({"protocolVersion": 2})).await;
        peer
    })
    .await;
    assert!(matches!(connection, Err(Error::Version(_))), "{connection:?}");
    // An agent that would not ask must not run in manual mode.
    let (connection, _) = against(options(Path::new("/workspace")), async |mut peer| {
        peer.open().await;
        peer.refuse("session/set_mode").await;
        peer.refuse("session/set_config_option").await;
        peer
    })
    .await;
    assert!(matches!(connection, Err(Error::Mode(_))), "{connection:?}");
}

async fn open_peer(options: Options) -> (Connection, Peer) {
    let (connection, peer) = against(options, async |mut peer| {
        peer.open().await;
        peer
    })
    .await;
    (connection.unwrap(), peer)
}

#[tokio::test]
async fn nonsense_between_messages_does_no_harm() {
    let (mut connection, mut peer) = open_peer(unnamed_modes()).await;
    connection.agent.prompt(text("hi"), None).await;
    let prompt = peer.take().await;
    assert_eq!(prompt["params"]["prompt"], json!([{"type": "text", "text": "hi"}]));
    peer.raw(b"npm warn something\n\n[1]\n{\"id\":\"x\",\"result\":1}\n{\"id\":99,\"result\":1}\n{\"method\":7}\n").await;
    peer.send(&json!({"method": "_auth/status_update", "params": {}})).await;
    peer.update(json!({"sessionUpdate": "brand_new", "x": 1})).await;
    peer.update(json!("not even an object")).await;
    // Its ids are its own: this one equals that of our prompt.
    let stray =
        json!({"id": prompt["id"], "method": "fs/write_text_file", "params": {"path": "/x"}});
    peer.send(&stray).await;
    let refused = peer.take().await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&prompt["id"], &json!(-32601)));
    peer.raw(b"{\"method\":\"session/update\",\"params\":{\"update\":{\"sessionUpdate\":\"agent_message_chunk\",\"content\":{\"type\":\"text\",\"text\":\"a\xffb\"}}}}\n").await;
    let unknown = next(&mut connection).await;
    assert_eq!(unknown.body, Body::Update(AgentUpdate::Unknown("brand_new".to_owned())));
    assert!(unknown.raw.contains("\"x\":1"));
    assert_eq!(next(&mut connection).await.body, Body::Update(AgentUpdate::Unknown(String::new())));
    let broken = AgentUpdate::Message { message: None, text: "a\u{fffd}b".to_owned() };
    assert_eq!(next(&mut connection).await.body, Body::Update(broken));
    peer.send(&json!({"id": prompt["id"], "result": {"stopReason": "end_turn", "usage": null}}))
        .await;
    assert_eq!(next(&mut connection).await.body, Body::TurnEnded(Stop::EndTurn));
    // A turn's end is not silence.
    peer.update(json!({"sessionUpdate": "usage_update", "used": 3, "size": 9})).await;
    assert_eq!(
        next(&mut connection).await.body,
        Body::Update(AgentUpdate::Context { used: 3, size: 9 })
    );
    peer.output.shutdown().await.unwrap();
    let Body::Gone(problem) = next(&mut connection).await.body else { panic!() };
    assert!(problem.message.contains("4 lines"), "{problem:?}");
}

#[tokio::test]
async fn a_line_of_16_mib_comes_through_and_an_endless_one_ends_the_connection() {
    let (mut connection, mut peer) = open_peer(unnamed_modes()).await;
    let long = "x".repeat(16 << 20);
    let sender = tokio::spawn(async move {
        peer.update(json!({"sessionUpdate": "agent_message_chunk", "messageId": "m", "content": {"type": "text", "text": long}})).await;
        let chunk = vec![b'y'; 1 << 20];
        for _ in 0..70 {
            peer.raw(&chunk).await;
        }
    });
    let Body::Update(AgentUpdate::Message { text, .. }) = next(&mut connection).await.body else {
        panic!()
    };
    assert_eq!(text.len(), 16 << 20);
    let Body::Gone(problem) = next(&mut connection).await.body else { panic!() };
    assert!(problem.message.contains("64 MiB"), "{problem:?}");
    sender.await.unwrap();
}

#[tokio::test]
async fn questions_withdrawn_by_the_agent_and_errors_of_a_turn() {
    let (mut connection, mut peer) = open_peer(unnamed_modes()).await;
    connection.agent.prompt(text("hi"), None).await;
    let prompt = peer.take().await;
    let options = json!([{"optionId": "y", "name": "Yes", "kind": "allow_once"}]);
    peer.send(&json!({"id": 0, "method": "session/request_permission", "params": {"toolCall": {"toolCallId": "t", "title": "Do it", "kind": "execute", "rawInput": {"command": ["bash", "-lc", "ls"]}}, "options": options}})).await;
    let Body::Question { id, question } = next(&mut connection).await.body else { panic!() };
    assert_eq!((question.title.as_str(), question.detail.as_str()), ("Do it", "ls"));
    peer.send(&json!({"method": "$/cancel_request", "params": {"requestId": 0}})).await;
    assert_eq!(next(&mut connection).await.body, Body::QuestionWithdrawn { id: id.clone() });
    assert_eq!(peer.take().await["error"]["code"], -32800);
    connection.agent.answer(&id, Answer::Cancelled).await;
    peer.send(&json!({"id": 1, "method": "session/request_permission", "params": {"toolCall": {}, "options": []}})).await;
    assert_eq!(peer.take().await["error"]["code"], -32602);
    let error =
        json!({"code": -32603, "message": "Internal error", "data": {"details": "401: bad key"}});
    peer.send(&json!({"id": prompt["id"], "error": error})).await;
    let Body::TurnEnded(Stop::Error(problem)) = next(&mut connection).await.body else { panic!() };
    assert_eq!(
        (problem.reason.as_str(), problem.message.as_str()),
        ("AGENT_ERROR", "Internal error: 401: bad key")
    );
}

#[tokio::test]
async fn a_stopped_turn_is_cancelled_however_the_agent_says_it() {
    let (mut connection, mut peer) = open_peer(unnamed_modes()).await;
    for answer in [
        json!({"result": {"stopReason": "end_turn"}}),
        json!({"error": {"code": 1, "message": "aborted"}}),
    ] {
        connection.agent.prompt(text("hi"), None).await;
        let prompt = peer.take().await;
        connection.agent.cancel().await;
        assert_eq!(peer.take().await["method"], "session/cancel");
        let mut answer = answer;
        answer["id"] = prompt["id"].clone();
        peer.send(&answer).await;
        assert_eq!(next(&mut connection).await.body, Body::TurnEnded(Stop::Cancelled));
    }
}

#[tokio::test]
async fn steering_where_the_agent_has_it() {
    let (input, output, mut peer) = peer();
    let script = async {
        peer.answer(
            "initialize",
            json!({"protocolVersion": 1, "_meta": {"steering": {"supported": true}}}),
        )
        .await;
        peer.answer("session/new", json!({"sessionId": "s"})).await;
    };
    let (connection, ()) = tokio::join!(connect(input, output, unnamed_modes()), script);
    let connection = connection.unwrap();
    let agent: Agent = connection.agent.clone();
    agent.prompt(text("hi"), None).await;
    peer.take().await;
    for (outcome, steered) in [
        ("injected", Steered::Injected),
        ("promptRequired", Steered::Idle),
        ("failed", Steered::Unsupported),
    ] {
        let (answer, request) = tokio::join!(
            agent.steer(text("other way")),
            peer.answer("_session/steering", json!({"outcome": outcome}))
        );
        assert_eq!(answer, steered);
        assert_eq!(request["params"]["_meta"]["steering"]["idleBehavior"], "promptRequired");
    }
}
