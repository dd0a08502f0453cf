//! The `aloft` agent as a real process, between a scripted model API and a scripted editor.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

mod editor;
mod model;

use serde_json::{Value, json};

use crate::{
    editor::{Editor, Workspace},
    model::{Api, Model, Step},
};

const APIS: [Api; 2] = [Api::Anthropic, Api::OpenAi];

fn call(name: &'static str, arguments: &Value) -> Step {
    Step::Call { name, arguments: arguments.to_string() }
}

fn say(text: &'static str) -> Step {
    Step::Say(text)
}

/// A session in auto mode.
async fn session(api: Api, steps: Vec<Step>) -> (Editor, Model, Workspace, String) {
    let model = Model::start(api, steps).await;
    let workspace = Workspace::new();
    let mut editor = Editor::start(&model, &workspace).await;
    let id = editor.new_session(&workspace).await;
    editor.request("session/set_mode", json!({"sessionId": id, "modeId": "auto"})).await.unwrap();
    (editor, model, workspace, id)
}

#[tokio::test]
async fn edits_a_file_and_runs_a_command() {
    for api in APIS {
        let (mut editor, model, workspace, id) = session(
            api,
            vec![
                call(
                    "update_plan",
                    &json!({"steps": [{"text": "Mend it", "state": "in_progress"}]}),
                ),
                call("search", &json!({"pattern": "helo"})),
                call("read_file", &json!({"path": "greet.txt"})),
                call(
                    "edit_file",
                    &json!({"path": "greet.txt", "old_text": "helo", "new_text": "hello"}),
                ),
                call("run", &json!({"command": "cat greet.txt; echo oops >&2; exit 3"})),
                say("Mended."),
            ],
        )
        .await;
        workspace.write("greet.txt", "helo world\n");
        workspace.write("AGENTS.md", "Always whistle.");
        let result = editor.prompt(&id, "mend the greeting").await.unwrap();
        assert_eq!(result["stopReason"], "end_turn");
        assert_eq!(workspace.read("greet.txt"), "hello world\n");
        assert_eq!(editor.text("agent_message_chunk"), "Mended.");
        let plan = editor.updates("plan");
        assert_eq!(plan[0]["entries"][0]["content"], "Mend it");
        let actions = editor.updates("tool_call");
        let titles: Vec<&str> =
            actions.iter().map(|action| action["title"].as_str().unwrap()).collect();
        let run = "cat greet.txt; echo oops >&2; exit 3";
        assert_eq!(titles, ["Search for helo in .", "Read greet.txt", "Edit greet.txt", run]);
        assert_eq!(actions[2]["content"][0]["newText"], "hello world\n");
        assert!(actions.iter().any(|action| action["kind"] == "execute"));
        assert_eq!(editor.output(), "hello world\noops\n");
        assert_eq!(editor.exit_codes(), [json!(3)]);
        // What the model was told of it all.
        let last = model.requests().pop().unwrap();
        for words in
            ["Always whistle.", "greet.txt:1:helo world", "1\\thelo world", "(exit code 3)"]
        {
            assert!(last.body.to_string().contains(words), "{words} is not in {}", last.body);
        }
        assert!(last.authenticated);
    }
}

#[tokio::test]
async fn asks_in_manual_mode() {
    for api in APIS {
        let steps = vec![
            call("write_file", &json!({"path": "a", "content": "1"})),
            call("run", &json!({"command": "touch b"})),
            call("run", &json!({"command": "touch c"})),
            call("write_file", &json!({"path": "d/e", "content": "2"})),
            say("Done."),
        ];
        let (mut editor, model, workspace, id) = session(api, steps).await;
        editor
            .request("session/set_mode", json!({"sessionId": id, "modeId": "manual"}))
            .await
            .unwrap();
        let turn = editor.send_prompt(&id, "go").await;
        let ask = editor.question().await;
        assert_eq!(ask["params"]["toolCall"]["content"][0]["newText"], "1");
        assert!(!workspace.has("a"), "nothing happens before the answer");
        editor.answer(&ask, "reject_once").await;
        let ask = editor.question().await;
        assert_eq!(ask["params"]["toolCall"]["title"], "touch b");
        editor.answer(&ask, "allow_always").await;
        // No question for the second command; the mode changes while the third question is open.
        let ask = editor.question().await;
        assert!(workspace.has("b") && workspace.has("c") && !workspace.has("a"));
        assert_eq!(ask["params"]["toolCall"]["title"], "Write d/e");
        editor.answer(&ask, "allow_once").await;
        assert_eq!(editor.response(turn).await.unwrap()["stopReason"], "end_turn");
        assert_eq!(workspace.read("d/e"), "2");
        let second = model.requests().remove(1).body.to_string();
        assert!(second.contains("the person declined this action"), "{second}");
    }
}

#[tokio::test]
async fn the_mode_may_change_while_a_turn_runs() {
    let steps = vec![
        call("run", &json!({"command": "touch a"})),
        call("run", &json!({"command": "touch b"})),
        say("Done."),
    ];
    let (mut editor, _model, workspace, id) = session(Api::Anthropic, steps).await;
    editor.request("session/set_mode", json!({"sessionId": id, "modeId": "manual"})).await.unwrap();
    let turn = editor.send_prompt(&id, "go").await;
    let ask = editor.question().await;
    editor.request("session/set_mode", json!({"sessionId": id, "modeId": "auto"})).await.unwrap();
    editor.answer(&ask, "allow_once").await;
    editor.response(turn).await.unwrap();
    assert!(workspace.has("a") && workspace.has("b"));
}

#[tokio::test]
async fn a_stop_ends_an_answer_and_a_command_at_once() {
    for api in APIS {
        let steps = vec![
            Step::Hang("thinking about"),
            call("run", &json!({"command": "echo $$ > pid; echo started; sleep 1000"})),
            say("Well."),
        ];
        let (mut editor, mut model, workspace, id) = session(api, steps).await;
        let turn = editor.send_prompt(&id, "first").await;
        editor.wait_for(|editor| editor.text("agent_message_chunk") == "thinking about").await;
        editor.notify("session/cancel", json!({"sessionId": id})).await;
        assert_eq!(editor.response(turn).await.unwrap()["stopReason"], "cancelled");
        model.hung_up().await;

        let turn = editor.send_prompt(&id, "second").await;
        editor.wait_for(|editor| editor.output() == "started\n").await;
        let process = workspace.read("pid").trim().parse::<i32>().unwrap();
        editor.notify("session/cancel", json!({"sessionId": id})).await;
        assert_eq!(editor.response(turn).await.unwrap()["stopReason"], "cancelled");
        assert!(!std::path::Path::new(&format!("/proc/{process}")).exists());

        editor.prompt(&id, "third").await.unwrap();
        let last = model.requests().pop().unwrap().body.to_string();
        for words in ["thinking about", "first", "second", "the person stopped the turn", "third"] {
            assert!(last.contains(words), "{words} is not in {last}");
        }
    }
}

#[tokio::test]
async fn failures_that_pass_are_tried_again() {
    for api in APIS {
        let steps = vec![
            Step::Status { code: 429, retry_after: Some("0"), body: "slow down".into() },
            Step::Status { code: 529, retry_after: Some("0"), body: "overloaded".into() },
            Step::Break("half an ans"),
            say("All well."),
        ];
        let (mut editor, model, _workspace, id) = session(api, steps).await;
        let result = editor.prompt(&id, "go").await.unwrap();
        assert_eq!(result["stopReason"], "end_turn");
        assert_eq!(model.requests().len(), 4);
        assert_eq!(editor.text("agent_message_chunk"), "half an ansAll well.");
        let notes = editor.text("agent_thought_chunk");
        assert!(notes.contains("slow down") && notes.contains("overloaded"), "{notes}");
        // The half answer is not part of what the model hears.
        assert!(!model.requests()[3].body.to_string().contains("half an ans"));
    }
}

#[tokio::test]
async fn a_cut_answer_goes_on_and_an_empty_one_is_survived() {
    for api in APIS {
        let (mut editor, model, _workspace, id) =
            session(api, vec![Step::Cut("one "), say("two"), Step::Say(""), Step::Say("")]).await;
        assert_eq!(editor.prompt(&id, "count").await.unwrap()["stopReason"], "end_turn");
        assert_eq!(editor.text("agent_message_chunk"), "one two");
        let ids: Vec<Value> = editor
            .updates("agent_message_chunk")
            .iter()
            .map(|update| update["messageId"].clone())
            .collect();
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "one message: {ids:?}");
        assert_eq!(editor.prompt(&id, "again").await.unwrap()["stopReason"], "end_turn");
        let requests = model.requests();
        assert_eq!(requests.len(), 4);
        assert!(requests[3].body.to_string().contains("Your answer was empty"));
    }
}

#[tokio::test]
async fn broken_calls_are_told_to_the_model() {
    for api in APIS {
        let steps = vec![
            Step::Call { name: "run", arguments: "{\"command\": \"ls".into() },
            call("run", &json!({"cmd": "ls"})),
            call("no_such_tool", &json!({})),
            say("Sorry."),
        ];
        let (mut editor, model, _workspace, id) = session(api, steps).await;
        editor.prompt(&id, "go").await.unwrap();
        let last = model.requests().pop().unwrap().body.to_string();
        for words in
            ["are not a JSON object", "do not fit this tool", "there is no tool no_such_tool"]
        {
            assert!(last.contains(words), "{words} is not in {last}");
        }
    }
}

#[tokio::test]
async fn a_bad_key_and_an_unknown_model_end_the_turn_with_a_hint() {
    for api in APIS {
        let refused = |code, kind: &str, message: &str| Step::Status {
            code,
            retry_after: None,
            body: json!({"error": {"type": kind, "code": kind, "message": message}}).to_string(),
        };
        let steps = vec![
            refused(401, "authentication_error", "invalid key"),
            refused(403, "NO_MODEL_KEY", "this cloud has no model key"),
            refused(404, "model_not_found", "model: nope does not exist"),
        ];
        let (mut editor, model, _workspace, id) = session(api, steps).await;
        let error = editor.prompt(&id, "go").await.unwrap_err();
        assert_eq!(error["data"]["reason"], "MODEL_KEY_REJECTED", "{error}");
        assert!(error["data"]["hint"].as_str().unwrap().contains("aloft key set"), "{error}");
        let error = editor.prompt(&id, "go").await.unwrap_err();
        assert_eq!(error["data"]["reason"], "NO_MODEL_KEY", "{error}");
        let params = json!({"sessionId": id, "configId": "model", "value": "nope"});
        editor.request("session/set_config_option", params).await.unwrap();
        let error = editor.prompt(&id, "go").await.unwrap_err();
        assert_eq!(error["data"]["reason"], "UNKNOWN_MODEL", "{error}");
        assert!(error["data"]["hint"].as_str().unwrap().contains("model-one"), "{error}");
        assert_eq!(model.requests().pop().unwrap().body["model"], "nope");
    }
}

#[tokio::test]
async fn the_offered_model_is_taken_where_none_is_chosen() {
    let unknown = Step::Status {
        code: 404,
        retry_after: None,
        body: json!({"error": {"code": "model_not_found", "message": "no such model"}}).to_string(),
    };
    let (mut editor, model, _workspace, id) =
        session(Api::OpenAi, vec![unknown, say("Hello.")]).await;
    editor.prompt(&id, "hi").await.unwrap();
    assert_eq!(model.requests().pop().unwrap().body["model"], "model-one");
}

#[tokio::test]
async fn a_conversation_that_is_too_long_loses_old_results_first() {
    for api in APIS {
        let too_long = || {
            Step::Status {
            code: 400,
            retry_after: None,
            body: json!({"error": {"type": "invalid_request_error", "code": "context_length_exceeded", "message": "prompt is too long"}}).to_string(),
        }
        };
        let long = call("run", &json!({"command": "yes long | head -c 5000"}));
        let steps = vec![
            long.clone(),
            long.clone(),
            long,
            too_long(),
            say("Fits."),
            too_long(),
            too_long(),
            too_long(),
            too_long(),
            too_long(),
        ];
        let (mut editor, model, _workspace, id) = session(api, steps).await;
        editor.prompt(&id, "go").await.unwrap();
        assert_eq!(editor.text("agent_message_chunk"), "Fits.");
        let requests = model.requests();
        let sizes: Vec<usize> =
            requests.iter().map(|request| request.body.to_string().len()).collect();
        assert!(sizes[4] + 2000 < sizes[3], "{sizes:?}");
        let error = editor.prompt(&id, "more").await.unwrap_err();
        assert_eq!(error["data"]["reason"], "CONTEXT_TOO_LONG", "{error}");
    }
}

#[tokio::test]
async fn a_second_turn_after_a_restart_remembers() {
    for api in APIS {
        let steps = vec![say("Noted."), say("It is 42."), say("Still 42.")];
        let (mut editor, model, workspace, id) = session(api, steps).await;
        editor.prompt(&id, "the number is 42").await.unwrap();
        editor.kill().await;
        let mut editor = Editor::start(&model, &workspace).await;
        let again = json!({"sessionId": id, "cwd": workspace.path(), "mcpServers": []});
        editor.request("session/resume", again.clone()).await.unwrap();
        editor.prompt(&id, "which number?").await.unwrap();
        assert!(model.requests()[1].body.to_string().contains("the number is 42"));
        editor.kill().await;
        let mut editor = Editor::start(&model, &workspace).await;
        editor.request("session/load", again).await.unwrap();
        assert_eq!(editor.text("user_message_chunk"), "the number is 42which number?");
        assert_eq!(editor.text("agent_message_chunk"), "Noted.It is 42.");
        editor.prompt(&id, "sure?").await.unwrap();
        assert!(model.requests()[2].body.to_string().contains("It is 42."));
    }
}

#[tokio::test]
async fn guidance_reaches_the_model_after_the_tool() {
    let steps = vec![
        call("run", &json!({"command": "echo started; while ! [ -e go ]; do sleep 0.02; done"})),
        say("As you wish."),
    ];
    let (mut editor, model, workspace, id) = session(Api::Anthropic, steps).await;
    let turn = editor.send_prompt(&id, "wait").await;
    editor.wait_for(|editor| editor.output() == "started\n").await;
    let guide = json!({"sessionId": id, "prompt": [{"type": "text", "text": "use blue"}]});
    let guided = editor.request("_session/steering", guide).await.unwrap();
    assert_eq!(guided["outcome"], "injected");
    workspace.write("go", "");
    editor.response(turn).await.unwrap();
    let last = model.requests().pop().unwrap().body.to_string();
    assert!(last.contains("use blue"), "{last}");
}

#[tokio::test]
async fn a_command_is_ended_with_all_it_started() {
    let steps = vec![
        call("run", &json!({"command": "sleep 1000 & echo $! > pid; echo left"})),
        call("run", &json!({"command": "sleep 1000", "timeout_seconds": 1})),
        say("Done."),
    ];
    let (mut editor, model, workspace, id) = session(Api::OpenAi, steps).await;
    editor.prompt(&id, "go").await.unwrap();
    let process = workspace.read("pid").trim().to_owned();
    let state = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
    assert_eq!(editor.output(), "left\n");
    let last = model.requests().pop().unwrap().body.to_string();
    assert!(last.contains("ended after 1 seconds"), "{last}");
}

#[tokio::test]
async fn pictures_reach_the_model() {
    for api in APIS {
        let (mut editor, model, _workspace, id) = session(api, vec![say("A cat.")]).await;
        let prompt = json!([
            {"type": "text", "text": "what is it?"},
            {"type": "image", "mimeType": "image/png", "data": "aGk="},
        ]);
        let params = json!({"sessionId": id, "prompt": prompt});
        editor.request("session/prompt", params).await.unwrap();
        let body = model.requests().pop().unwrap().body.to_string();
        let expected = match api {
            Api::Anthropic => "\"media_type\":\"image/png\"",
            Api::OpenAi => "data:image/png;base64,aGk=",
        };
        assert!(body.contains(expected), "{body}");
    }
}
