//! The front from an editor's side, against a cloud on a socket.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::checkout::testing::Repository;
use crate::lsp::testing::{Cloud, Editor, PATIENCE};

async fn cursors(editor: &mut Editor, count: u64) -> Vec<u64> {
    let mut found = Vec::new();
    while (found.len() as u64) < count {
        found.push(editor.hear("item/didAppend").await["cursor"].as_u64().unwrap());
    }
    found
}

async fn until(condition: impl Fn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    waited.await.expect("it never came true");
}

#[tokio::test]
async fn a_thousand_waiting_requests_stop_nothing() {
    let cloud = Cloud::start(&[], Vec::new());
    let mut editor = Editor::open(cloud.config()).await;
    let mut waiting = Vec::new();
    for _ in 0..1000 {
        waiting.push(editor.request("agent/list", Value::Null).await);
    }
    for _ in 0..300 {
        editor.notify("textDocument/didSave", json!({"textDocument": {"uri": "file:///a"}})).await;
    }
    let status = editor.call("cloud/status", Value::Null).await;
    assert_eq!(status["result"]["version"], "1.2.3");
    let state = std::sync::Arc::clone(&cloud.state);
    let opener = tokio::spawn(async move {
        loop {
            state.gate.notify_waiters();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let mut answered = std::mem::take(&mut editor.heard);
    while answered.iter().filter(|message| message["result"] == json!([])).count() < waiting.len() {
        answered.push(editor.read().await);
    }
    opener.abort();
    assert!(editor.close().await);
}

#[tokio::test]
async fn a_cancelled_request_ends_at_once_here_and_in_the_cloud() {
    let cloud = Cloud::start(&[], Vec::new());
    let mut editor = Editor::open(cloud.config()).await;
    let id = editor.request("agent/list", json!({})).await;
    until(|| cloud.state.waiting.load(Ordering::SeqCst) == 1).await;
    editor.notify("$/cancelRequest", json!({"id": id})).await;
    assert_eq!(editor.answer(id).await["error"]["code"], -32800);
    until(|| cloud.state.waiting.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn messages_of_one_thread_arrive_in_their_order() {
    let cloud = Cloud::start(&[("a", 0)], Vec::new());
    let mut editor = Editor::open(cloud.config()).await;
    let mut ids = Vec::new();
    for number in 0..40 {
        let input = json!([{"type": "text", "text": number.to_string()}]);
        ids.push(
            editor
                .request("turn/start", json!({"threadId": "a", "input": input, "queue": true}))
                .await,
        );
    }
    let last = editor.answer(ids[39]).await;
    assert_eq!(last["result"]["cursor"], 0, "{last}");
    let arrived: Vec<String> =
        cloud.state.messages.lock().unwrap().iter().map(|(_, text)| text.clone()).collect();
    assert_eq!(arrived, (0..40).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn events_come_once_and_in_order_wherever_streams_break() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let cuts = (0..40).map(|_| random.random_range(0..60)).collect();
    let cloud = Cloud::start(&[("a", 700), ("b", 5)], cuts);
    let mut editor = Editor::open(cloud.config()).await;
    // By its slug: the events are the thread's.
    assert_eq!(
        editor.call("thread/subscribe", json!({"threadId": "a-slug", "after": 3})).await["result"],
        json!({})
    );
    assert_eq!(cursors(&mut editor, 697).await, (4..=700).collect::<Vec<_>>());
    cloud.state.events["a"].send_modify(|count| *count += 300);
    assert_eq!(cursors(&mut editor, 300).await, (701..=1000).collect::<Vec<_>>());
    assert!(cloud.state.opened.load(Ordering::Relaxed) > 5);

    // A new subscription takes the place of the old one, also after everything.
    editor.call("thread/subscribe", json!({"threadId": "a", "after": 990})).await;
    assert_eq!(cursors(&mut editor, 10).await, (991..=1000).collect::<Vec<_>>());
    editor.call("thread/unsubscribe", json!({"threadId": "a"})).await;
    cloud.state.events["a"].send_modify(|count| *count += 1);
    editor.call("thread/subscribe", json!({"threadId": "b"})).await;
    for cursor in 1..=5 {
        let event = editor.hear("item/didAppend").await;
        assert_eq!(
            (event["threadId"].as_str(), event["cursor"].as_u64()),
            (Some("b"), Some(cursor))
        );
    }
}

#[tokio::test]
async fn a_cloud_that_goes_and_comes_back_is_told_and_nothing_is_lost() {
    let cloud = Cloud::start(&[("a", 10)], vec![4, 2]);
    let mut editor = Editor::open(cloud.config()).await;
    editor.call("thread/subscribe", json!({"threadId": "a"})).await;
    assert_eq!(cursors(&mut editor, 10).await, (1..=10).collect::<Vec<_>>());
    let mut states = Vec::new();
    for _ in 0..3 {
        states
            .push(editor.hear("connection/didChange").await["state"].as_str().unwrap().to_owned());
    }
    assert_eq!(states, ["connected", "connecting", "connected"]);
}

#[tokio::test]
async fn the_feed_brings_threads_and_notices() {
    let cloud = Cloud::start(&[("a", 1)], Vec::new());
    let mut editor = Editor::open(cloud.config()).await;
    editor.call("thread/subscribe", json!({"after": 0})).await;
    assert_eq!(editor.hear("thread/didChange").await["thread"]["slug"], "a-slug");
    assert_eq!(editor.hear("notice/didPost").await["notice"]["id"], "n1");
    assert_eq!(editor.hear("notice/didRead").await, json!({"feed": 3, "noticeId": "n1"}));
    assert_eq!(editor.hear("thread/didDelete").await, json!({"feed": 4, "threadId": "a"}));
}

#[tokio::test]
async fn an_editor_that_does_not_read_loses_nothing_and_holds_nothing_up() {
    let cloud = Cloud::start(&[("large", 4_000)], Vec::new());
    let mut editor = Editor::open(cloud.config()).await;
    editor.request("thread/subscribe", json!({"threadId": "large"})).await;
    // What is under way at any time is bounded by the buffers between log and editor, not by the log.
    for cursor in 1..=4_000_u64 {
        assert_eq!(editor.hear("item/didAppend").await["cursor"], cursor);
        let ahead = cloud.state.produced.load(Ordering::Relaxed) - usize::try_from(cursor).unwrap();
        assert!(ahead < 1_800, "{ahead} events under way");
    }
}

#[tokio::test]
async fn wrong_parameters_and_refusals_are_told_clearly() {
    let cloud = Cloud::start(&[("a", 1)], Vec::new());
    let mut editor = Editor::open(cloud.config()).await;
    let table = [
        ("turn/start", json!({"threadId": "a"}), -32602, "input"),
        ("turn/start", json!({"threadId": 3, "input": []}), -32602, "threadId"),
        ("turn/start", json!({"threadId": "a", "input": [{"type": "text"}]}), -32602, "text"),
        ("thread/read", Value::Null, -32602, "threadId"),
        ("thread/create", json!({"path": "/a", "repository": "b"}), -32602, "path, repository"),
        ("thread/create", json!({"path": "/nothing/here"}), -32012, "/nothing/here"),
        ("thread/subscribe", json!({"threadId": "zzz"}), -32012, "zzz"),
        ("workspace/executeCommand", json!({"command": "aloft.fly"}), -32602, "aloft.fly"),
        ("thread/fly", json!({}), -32601, ""),
    ];
    for (method, params, code, word) in table {
        let error = editor.call(method, params.clone()).await["error"].take();
        assert_eq!(error["code"], code, "{method} {params}: {error}");
        assert!(error["message"].as_str().unwrap().contains(word), "{method} {params}: {error}");
        assert!(
            code == -32601
                || (error["data"]["reason"].is_string() && error["data"]["retryable"].is_boolean())
        );
    }
    let created = editor.call("workspace/executeCommand", json!({"command": "aloft.new", "arguments": [{"repository": "https://forge.example/r"}]})).await;
    assert_eq!(created["result"]["thread"]["id"], "new", "{created}");
    let diff = editor.call("thread/diff", json!({"threadId": "a"})).await;
    assert_eq!(diff["result"]["files"][0]["patch"], "patch");
    assert_eq!(diff["result"]["files"][0]["oldText"], Value::Null);
    let file = editor.call("thread/fileDiff", json!({"threadId": "a", "path": "a.txt"})).await;
    assert_eq!(file["result"]["oldText"], "old");
}

#[tokio::test]
async fn nothing_is_answered_before_initialize_but_with_an_error() {
    let cloud = Cloud::start(&[("a", 5)], Vec::new());
    let mut editor = Editor::start(cloud.config());
    let early = editor.call("thread/subscribe", json!({"threadId": "a"})).await;
    assert_eq!(early["error"]["code"], -32002);
    assert_eq!(cloud.state.opened.load(Ordering::Relaxed), 0);
    let hello = editor
        .call("initialize", json!({"capabilities": {}, "initializationOptions": {"agent": 3}}))
        .await;
    assert_eq!(
        hello["error"]["data"]["reason"].as_str().map(str::is_empty),
        Some(false),
        "{hello}"
    );
    assert!(editor.heard.is_empty());
}

#[tokio::test]
async fn broken_frames_cost_an_error_each() {
    let cloud = Cloud::start(&[], Vec::new());
    let mut editor = Editor::open(cloud.config()).await;
    editor.write(b"Content-Length: 5\r\n\r\n{oops").await;
    let told = editor.read().await;
    assert_eq!((&told["error"]["code"], &told["id"]), (&json!(-32700), &Value::Null));
    editor.write(b"content-length: 2\r\nContent-Type: application/vscode-jsonrpc\r\n\r\n[]").await;
    assert_eq!(editor.read().await["error"]["code"], -32600);
    assert_eq!(editor.call("cloud/status", json!({})).await["result"]["pid"], 7);
}

#[tokio::test]
async fn the_front_ends_as_it_is_told() {
    let cloud = Cloud::start(&[], Vec::new());
    // An editor that goes away without a word.
    assert!(Editor::open(cloud.config()).await.close().await);
    // Exit with the input still open, after shutdown and without.
    let mut editor = Editor::open(cloud.config()).await;
    editor.call("shutdown", Value::Null).await;
    editor.notify("exit", Value::Null).await;
    assert!(
        tokio::time::timeout(Duration::from_secs(1), &mut editor.server).await.unwrap().unwrap()
    );
    let mut editor = Editor::open(cloud.config()).await;
    editor.request("agent/list", json!({})).await;
    until(|| cloud.state.waiting.load(Ordering::SeqCst) == 1).await;
    editor.notify("exit", Value::Null).await;
    assert!(
        !tokio::time::timeout(Duration::from_secs(1), &mut editor.server).await.unwrap().unwrap()
    );
}

#[tokio::test]
async fn a_local_checkout_is_sent_with_its_uncommitted_work_and_progress() {
    let cloud = Cloud::start(&[], Vec::new());
    let mut editor = Editor::open(cloud.config()).await;
    let repository = Repository::create();
    repository.write("fresh.txt", "not committed\n");
    let before = repository.fingerprint();
    let path = repository.root.join("a.txt");
    let params = json!({
        "path": path, "dirty": "carry", "workDoneToken": 7, "agent": "shell",
        "input": [{"type": "text", "text": "$ true"}],
    });
    let created = editor.call("thread/create", params).await;
    assert_eq!(created["result"]["cursor"], 1, "{created}");
    assert_eq!(repository.touched_since(&before), Vec::<std::path::PathBuf>::new());
    let asked = cloud.state.created.lock().unwrap().pop().unwrap();
    assert_eq!(asked.r#ref, repository.git(&["rev-parse", "HEAD"]));
    assert_eq!((asked.agent.as_str(), asked.input.len()), ("shell", 1));
    let carried = cloud.mirror.git(&["show", &format!("{}:fresh.txt", asked.carry_commit)]);
    assert_eq!(carried, "not committed");
    let begin = editor.hear("$/progress").await;
    assert_eq!((&begin["token"], &begin["value"]["kind"]), (&json!(7), &json!("begin")));
    loop {
        let told = editor.hear("$/progress").await;
        match told["value"]["kind"].as_str().unwrap() {
            "report" => assert!(told["value"]["message"].as_str().unwrap().contains("MiB")),
            kind => break assert_eq!(kind, "end"),
        }
    }
    let refused =
        editor.call("thread/create", json!({"path": repository.root, "dirty": "refuse"})).await;
    assert_eq!(refused["error"]["data"]["reason"], "UNCOMMITTED_CHANGES", "{refused}");
    assert!(refused["error"]["data"]["hint"].is_string());
}
