//! How fast a long log flows to an editor: written by a real agent process, read again from its first event.

use std::time::Instant;

use aloft_tests::home::Home;
use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::{
    editor::Editor,
    report::{Goal, Report},
};

/// An agent that says this many things one after the other, each a message of its own.
const MESSAGES: usize = 30_000;
/// Times the log is read.
const READS: usize = 7;
/// Speaks as much ACP as it needs.
const AGENT: &str = r#"
while read -r line; do
  id=${line#*\"id\":}; id=${id%%[,\}]*}
  case $line in
    *'"method":"initialize"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":1,"agentCapabilities":{}}}\n' "$id" ;;
    *'"method":"session/new"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"sessionId":"s"}}\n' "$id" ;;
    *'"method":"session/prompt"'*)
      awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) printf "{\"jsonrpc\":\"2.0\",\"method\":\"session/update\",\"params\":{\"sessionId\":\"s\",\"update\":{\"sessionUpdate\":\"agent_message_chunk\",\"messageId\":\"m%d\",\"content\":{\"type\":\"text\",\"text\":\"message %d of many\"}}}}\n", i, i }'
      printf '{"jsonrpc":"2.0","id":%s,"result":{"stopReason":"end_turn"}}\n' "$id" ;;
    *'"method":'*'"id":'*|*'"id":'*'"method":'*) printf '{"jsonrpc":"2.0","id":%s,"result":{}}\n' "$id" ;;
  esac
done
"#;

pub(crate) fn measure(report: &mut Report) -> anyhow::Result<()> {
    let home = Home::new();
    let command = json!(["/bin/sh", "-c", AGENT, "flood", MESSAGES.to_string()]);
    home.configure(&format!("[serve.agents.flood]\ncommand = {command}\n"));
    let repository = home.repository();
    let repository = repository.to_str().context("a path that is no text")?;
    let began = Instant::now();
    let thread = home
        .json(["new", "--agent", "flood", "--mode", "auto", "--repo", repository, "--wait", "go"]);
    let written = began.elapsed().as_secs_f64();
    let mut editor = Editor::aloft(&home)?;
    let shown = editor.request("thread/read", &json!({"threadId": thread["id"], "limit": 1}))?;
    let last = shown["cursor"].as_u64().context("a thread without cursor")?;
    ensure!(last >= 50_000, "the log has only {last} events");
    let (mut rates, mut sizes) = (Vec::new(), Vec::new());
    for _ in 0..READS {
        editor.request("thread/unsubscribe", &json!({"threadId": thread["id"]}))?;
        let began = Instant::now();
        editor.request("thread/subscribe", &json!({"threadId": thread["id"], "after": 0}))?;
        let (mut events, mut bytes) = (0, 0);
        while events < last {
            let frame = editor.frame()?;
            if is_event(&frame) {
                events += 1;
                bytes += frame.len();
            }
        }
        let count = f64::from(u32::try_from(last)?);
        rates.push(count / began.elapsed().as_secs_f64());
        sizes.push(f64::from(u32::try_from(bytes)?) / count);
    }
    report.add("log to the editor's pipe", "events/s", Some(Goal::AtLeast(50_000.0)), &rates);
    report.add("log to the editor's pipe: size of an event", "bytes", None, &sizes);
    let count = f64::from(u32::try_from(last)?);
    report.add("agent to the log", "events/s", None, &[count / written]);
    report.add("aloft lsp: memory after the log", "MiB", None, &[editor.resident()?]);
    Ok(())
}

/// Whether a frame is an event of a log, looked up without reading all of it.
fn is_event(frame: &[u8]) -> bool {
    frame.windows(9).any(|window| window == b"\"cursor\":")
}
