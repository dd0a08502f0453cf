//! The shapes that the known agents send.

use aloft_proto::v1::ItemState;
use serde_json::json;

use super::*;
use crate::model::update::{OutputUpdate, ToolKind, ToolUpdate};

fn tool(translator: &mut Translator, update: &Value) -> ToolUpdate {
    let mut update = update.clone();
    update["sessionUpdate"] = json!("tool_call_update");
    match translator.update(&update) {
        AgentUpdate::Tool(tool) => *tool,
        other => panic!("{other:?}"),
    }
}

fn translator() -> Translator {
    Translator::new("/workspace")
}

fn append(text: &'static str) -> OutputUpdate {
    OutputUpdate::Append(text.into())
}

fn replace(text: &'static str) -> OutputUpdate {
    OutputUpdate::Replace(text.into())
}

#[test]
fn a_command_of_codex_streams_deltas() {
    let mut codex = translator();
    let begun = tool(
        &mut codex,
        &json!({
            "toolCallId": "c1", "title": "ls -l", "kind": "execute", "status": "in_progress",
            "rawInput": {"command": ["/bin/bash", "-lc", "ls -l"], "cwd": "/workspace/a"},
            "content": [{"type": "terminal", "terminalId": "c1"}],
            "_meta": {"terminal_info": {"terminal_id": "c1", "cwd": "/workspace/a"}},
        }),
    );
    assert_eq!((begun.kind, begun.state), (Some(ToolKind::Execute), Some(ItemState::InProgress)));
    assert_eq!(
        (begun.command.as_deref(), begun.cwd.as_deref()),
        (Some("ls -l"), Some("/workspace/a"))
    );
    let delta = tool(
        &mut codex,
        &json!({"toolCallId": "c1", "_meta": {"terminal_output_delta": {"terminal_id": "c1", "data": "x\n"}}}),
    );
    assert_eq!((delta.output, delta.state), (Some(append("x\n")), None));
    let binary = tool(
        &mut codex,
        &json!({"toolCallId": "c1", "_meta": {"terminal_output_delta": {"terminal_id": "c1", "data_base64": "/w=="}}}),
    );
    assert_eq!(binary.output, Some(OutputUpdate::Append(b"\xff"[..].into())));
    let ended = tool(
        &mut codex,
        &json!({
            "toolCallId": "c1", "status": "failed", "content": [{"type": "terminal", "terminalId": "c1"}],
            "rawOutput": {"output": "x\n", "exit_code": 3},
            "_meta": {"terminal_exit": {"terminal_id": "c1", "exit_code": 3, "signal": null}},
        }),
    );
    assert_eq!(
        (ended.state, ended.exit_code, ended.output),
        (Some(ItemState::Failed), Some(3), None)
    );
}

#[test]
fn a_command_of_claude_has_its_output_at_the_end() {
    let mut claude = translator();
    let begun = tool(
        &mut claude,
        &json!({
            "toolCallId": "t", "title": "Terminal", "kind": "execute", "status": "pending", "rawInput": {},
            "content": [{"type": "terminal", "terminalId": "t"}], "_meta": {"claudeCode": {"toolName": "Bash"}, "terminal_info": {"terminal_id": "t"}},
        }),
    );
    assert_eq!((begun.title, begun.command, begun.tool.as_deref()), (None, None, Some("Bash")));
    let filled = tool(
        &mut claude,
        &json!({"toolCallId": "t", "title": "`exit 3`", "kind": "execute", "rawInput": {"command": "exit 3", "description": "x"}}),
    );
    assert_eq!(filled.command.as_deref(), Some("exit 3"));
    let ended = tool(
        &mut claude,
        &json!({
            "toolCallId": "t", "status": "failed",
            "_meta": {"terminal_output": {"terminal_id": "t", "data": "Exit code 3\nout\n"}, "terminal_exit": {"terminal_id": "t", "exit_code": 3}},
        }),
    );
    assert_eq!(
        (ended.output, ended.exit_code, ended.state),
        (Some(replace("out\n")), Some(3), Some(ItemState::Failed))
    );
    let stopped = tool(
        &mut claude,
        &json!({"toolCallId": "t", "status": "failed", "_meta": {"terminal_exit": {"exit_code": null}}}),
    );
    assert_eq!(stopped.exit_code, None);
}

#[test]
fn a_command_of_opencode_grows_as_text_and_fails_by_its_exit() {
    let mut opencode = translator();
    let begun = tool(
        &mut opencode,
        &json!({"toolCallId": "o", "title": "bash", "kind": "execute", "status": "pending", "rawInput": {}}),
    );
    assert_eq!(begun.command, None);
    let text = |text: &str| json!([{"type": "content", "content": {"type": "text", "text": text}}]);
    let grown = tool(
        &mut opencode,
        &json!({
            "toolCallId": "o", "kind": "execute", "status": "in_progress", "title": "List files",
            "rawInput": {"command": "ls; exit 3", "description": "List files"}, "content": text("a\n"),
        }),
    );
    assert_eq!(
        (grown.command.as_deref(), grown.output),
        (Some("ls; exit 3"), Some(replace("a\n")))
    );
    let ended = tool(
        &mut opencode,
        &json!({
            "toolCallId": "o", "status": "completed", "content": text("a\nb\n"),
            "rawOutput": {"output": "a\nb\n", "metadata": {"exit": 3, "output": "a\nb\n"}},
        }),
    );
    assert_eq!(
        (ended.state, ended.exit_code, ended.output),
        (Some(ItemState::Failed), Some(3), Some(replace("a\nb\n")))
    );
    let fenced = tool(
        &mut opencode,
        &json!({"toolCallId": "p", "kind": "execute", "content": text("```console\nhi\n```")}),
    );
    assert_eq!(fenced.output, Some(replace("hi\n")));
}

#[test]
fn edits_of_all_agents_become_file_changes() {
    let mut translator = translator();
    let diff = |path: &str, old: Value, new: &str| json!([{"type": "diff", "path": path, "oldText": old, "newText": new}]);
    let relative = tool(
        &mut translator,
        &json!({"toolCallId": "a", "title": "Preparing file…", "kind": "edit", "status": "pending"}),
    );
    assert_eq!(
        (relative.title, relative.kind, relative.changes),
        (None, Some(ToolKind::Edit), None)
    );
    for (key, path) in [("a", "src/x.rs"), ("b", "/workspace/src/x.rs"), ("c", "./src/x.rs")] {
        let changed = tool(
            &mut translator,
            &json!({"toolCallId": key, "content": diff(path, Value::Null, "new\n")}),
        );
        assert_eq!(changed.changes.unwrap()[0].path, "src/x.rs");
        assert_eq!(changed.kind, Some(ToolKind::Edit));
    }
    // opencode tells of a write in words only.
    let written = tool(
        &mut translator,
        &json!({"toolCallId": "w", "kind": "edit", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "Wrote file"}}]}),
    );
    assert_eq!((written.kind, written.changes, written.result), (Some(ToolKind::Edit), None, None));
    // Something general turns out to be an edit.
    assert_eq!(
        tool(&mut translator, &json!({"toolCallId": "g", "kind": "other"})).kind,
        Some(ToolKind::Other("other"))
    );
    assert_eq!(
        tool(&mut translator, &json!({"toolCallId": "g", "content": diff("x", json!("a"), "b")}))
            .kind,
        Some(ToolKind::Edit)
    );
}

#[test]
fn other_tools_keep_arguments_and_result() {
    let mut translator = translator();
    let mcp = tool(
        &mut translator,
        &json!({
            "toolCallId": "m", "title": "Search issues", "kind": "search", "status": "completed",
            "rawInput": {"query": "x"}, "rawOutput": {"hits": 2}, "_meta": {"claudeCode": {"toolName": "mcp__forge__search_issues"}},
        }),
    );
    assert_eq!(
        (mcp.server.as_deref(), mcp.tool.as_deref()),
        (Some("forge"), Some("search_issues"))
    );
    assert_eq!(
        (mcp.arguments.as_deref(), mcp.result.as_deref()),
        (Some(r#"{"query":"x"}"#), Some(r#"{"hits":2}"#))
    );
    let codex = tool(
        &mut translator,
        &json!({"toolCallId": "n", "kind": "fetch", "rawInput": {"server": "s", "tool": "t", "arguments": {}}}),
    );
    assert_eq!(
        (codex.kind, codex.server.as_deref(), codex.tool.as_deref()),
        (Some(ToolKind::Other("fetch")), Some("s"), Some("t"))
    );
    let long = tool(
        &mut translator,
        &json!({"toolCallId": "l", "kind": "read", "rawInput": {"x": "ü".repeat(100_000)}}),
    );
    assert!(long.arguments.unwrap().len() < 70_000);
    assert_eq!(
        translator.update(&json!({"sessionUpdate": "tool_call"})),
        AgentUpdate::Unknown("tool_call".to_owned())
    );
}

#[test]
fn updates_that_are_no_actions() {
    let text = |text: &str| json!({"type": "text", "text": text});
    let message = |id: Option<&str>, text: &str| AgentUpdate::Message {
        message: id.map(str::to_owned),
        text: text.to_owned(),
    };
    let unknown = |kind: &str| AgentUpdate::Unknown(kind.to_owned());
    let cases = [
        (
            json!({"sessionUpdate": "agent_message_chunk", "messageId": "m", "content": text("hi")}),
            message(Some("m"), "hi"),
        ),
        (
            json!({"sessionUpdate": "agent_message_chunk", "content": text("hi")}),
            message(None, "hi"),
        ),
        (
            json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "resource_link", "uri": "file:///a", "name": "a"}}),
            message(None, "[a](file:///a)"),
        ),
        (
            json!({"sessionUpdate": "agent_message_chunk", "content": text("Warning: Model metadata for `m` not found")}),
            unknown("agent_message_chunk"),
        ),
        (
            json!({"sessionUpdate": "agent_message_chunk", "content": text("Compacted"), "_meta": {"claudeCode": {"kind": "informational"}}}),
            AgentUpdate::Notice("Compacted".to_owned()),
        ),
        (
            json!({"sessionUpdate": "agent_thought_chunk", "content": text("hm")}),
            AgentUpdate::Reasoning { message: None, text: "hm".to_owned() },
        ),
        (
            json!({"sessionUpdate": "plan", "entries": [{"content": "a", "status": "in_progress"}, {"content": "b", "priority": "low", "status": "pending"}]}),
            AgentUpdate::Plan(vec![
                PlanStep { text: "a".to_owned(), state: PlanStepState::InProgress.into() },
                PlanStep { text: "b".to_owned(), state: PlanStepState::Pending.into() },
            ]),
        ),
        (
            json!({"sessionUpdate": "session_info_update", "title": "T"}),
            AgentUpdate::Title("T".to_owned()),
        ),
        (
            json!({"sessionUpdate": "session_info_update", "_meta": {"codex": {"threadStatus": {"type": "idle"}}}}),
            unknown("session_info_update"),
        ),
        (
            json!({"sessionUpdate": "usage_update", "used": 5, "size": 10, "cost": null}),
            AgentUpdate::Context { used: 5, size: 10 },
        ),
        (json!({"sessionUpdate": "usage_update", "used": null}), unknown("usage_update")),
        (json!({"sessionUpdate": "notice", "message": "n"}), AgentUpdate::Notice("n".to_owned())),
        (
            json!({"sessionUpdate": "user_message_chunk", "content": text("me")}),
            unknown("user_message_chunk"),
        ),
        (
            json!({"sessionUpdate": "available_commands_update", "availableCommands": []}),
            unknown("available_commands_update"),
        ),
        (json!(null), unknown("")),
    ];
    for (update, meaning) in cases {
        assert_eq!(translator().update(&update), meaning, "{update}");
    }
}

#[test]
fn trouble_with_the_model_is_told_once_a_turn() {
    let mut codex = translator();
    let update = json!({"sessionUpdate": "session_info_update", "_meta": {"codex": {"error": {"message": "Reconnecting..."}}}});
    let told = AgentUpdate::Notice("Reconnecting...".to_owned());
    assert_eq!(codex.update(&update), told);
    assert_eq!(codex.update(&update), AgentUpdate::Unknown("session_info_update".to_owned()));
    codex.turn_ended();
    assert_eq!(codex.update(&update), told);
}

#[test]
fn questions_keep_their_options_and_name_what_they_are_about() {
    let mut codex = translator();
    tool(
        &mut codex,
        &json!({"toolCallId": "c", "title": "rm x", "kind": "execute", "rawInput": {"command": "rm x"}}),
    );
    let options = json!([
        {"optionId": "allow_once", "name": "Yes", "kind": "allow_once"},
        {"optionId": "accept_execpolicy_amendment", "name": "Always", "kind": "allow_always"},
        {"optionId": "cancel", "name": "No", "kind": "reject_once"},
        {"optionId": "odd", "kind": "new_kind"},
        {"name": "without an id"},
    ]);
    // codex's question says only which action it is about.
    let question =
        codex.question(&json!({"toolCall": {"toolCallId": "c"}, "options": options})).unwrap();
    assert_eq!(
        (question.key.as_str(), question.title.as_str(), question.detail.as_str()),
        ("c", "rm x", "rm x")
    );
    let kinds: Vec<OptionKind> = question.options.iter().map(PermissionOption::kind).collect();
    assert_eq!(
        kinds,
        [
            OptionKind::AllowOnce,
            OptionKind::AllowAlways,
            OptionKind::RejectOnce,
            OptionKind::Unspecified
        ]
    );
    assert_eq!(question.options[3].label, "odd");
    // opencode's carries a patch of its own.
    let patch = json!({"toolCall": {"toolCallId": "o", "title": "edit", "kind": "edit", "rawInput": {"diff": "--- a\n"}}, "options": options});
    assert_eq!(codex.question(&patch).unwrap().detail, "--- a\n");
    // claude's carries the diff.
    let diff =
        json!([{"type": "diff", "path": "/workspace/x", "oldText": "a\n", "newText": "b\n"}]);
    let question = codex.question(&json!({"toolCall": {"toolCallId": "d", "title": "Edit x", "content": diff}, "options": options})).unwrap();
    assert!(question.detail.ends_with("-a\n+b\n"), "{}", question.detail);
    assert_eq!(codex.question(&json!({"options": []})), None);
}
