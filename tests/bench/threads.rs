//! What a person waits for: an answer of the cloud, a change in the list, the first sign of a new agent.

use std::time::Instant;

use aloft_tests::home::{Home, finish};
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    editor::Editor,
    report::{Goal, Report, milliseconds},
};

/// Requests from the editor to the cloud and back.
const REQUESTS: usize = 2_000;
/// Changes of the list.
const CHANGES: usize = 100;
/// New threads on one repository.
const THREADS: usize = 20;

/// Editor, bridge, cloud, and back.
pub(crate) fn requests(report: &mut Report) -> anyhow::Result<()> {
    let home = Home::new();
    let thread = home.shell(&home.repository(), "auto", "$ true");
    let mut editor = Editor::aloft(&home)?;
    let params = json!({"threadId": thread["id"], "limit": 1});
    editor.request("thread/read", &params)?;
    let mut times = Vec::new();
    for _ in 0..REQUESTS {
        let began = Instant::now();
        editor.request("thread/read", &params)?;
        times.push(milliseconds(began.elapsed()));
    }
    let name = "editor to cloud and back: thread/read with one item";
    report.add(name, "ms", Some(Goal::AtMost(0.5)), &times);
    let mut times = Vec::new();
    for _ in 0..REQUESTS {
        let began = Instant::now();
        editor.request("cloud/status", &json!({}))?;
        times.push(milliseconds(began.elapsed()));
    }
    report.add("editor to cloud and back: cloud/status", "ms", Some(Goal::AtMost(0.5)), &times);
    let cloud = std::fs::read_to_string(format!("/proc/{}/status", home.cloud_pid()))?;
    let line = cloud.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    report.add("aloft-cloud: memory with one thread", "MiB", None, &[kibibytes / 1024.0]);
    Ok(())
}

/// One editor renames a thread, another shows it.
pub(crate) fn list_change(report: &mut Report) -> anyhow::Result<()> {
    let home = Home::new();
    let thread = home.shell(&home.repository(), "auto", "$ true");
    let mut changes = Editor::aloft(&home)?;
    let mut shows = Editor::aloft(&home)?;
    let feed = shows.request("thread/list", &json!({}))?["feed"].clone();
    shows.request("thread/subscribe", &json!({"after": feed}))?;
    let mut times = Vec::new();
    for number in 0..CHANGES {
        let title = format!("title {number}");
        let began = Instant::now();
        changes.request("thread/update", &json!({"threadId": thread["id"], "title": title}))?;
        shows.wait(|message| {
            message["method"] == "thread/didChange" && message["params"]["thread"]["title"] == title
        })?;
        times.push(milliseconds(began.elapsed()));
    }
    let name = "a change of the list reaches another editor";
    report.add(name, "ms", Some(Goal::AtMost(1_000.0)), &times);
    Ok(())
}

/// From the start of `aloft new` to the agent's first event, and to the end of its turn.
pub(crate) fn first_event(report: &mut Report) -> anyhow::Result<()> {
    let home = Home::new();
    let repository = home.repository();
    home.shell(&repository, "auto", "$ true");
    let (mut firsts, mut ends, mut returns) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..THREADS {
        let began = OffsetDateTime::now_utc();
        let at = Instant::now();
        let run = finish(home.command([
            "new",
            "--json",
            "--agent",
            "shell",
            "--mode",
            "auto",
            "--repo",
            repository.to_str().context("a path that is no text")?,
            "$ true",
        ]));
        returns.push(milliseconds(at.elapsed()));
        ensure!(run.code == 0, "aloft new: {}", run.text());
        let thread: Value = serde_json::from_slice(&run.stdout)?;
        let id = thread["id"].as_str().context("a thread without id")?;
        home.wait_state(id, "idle");
        let events = home.events(id);
        let since = |event: Option<&Value>| -> anyhow::Result<f64> {
            let time = event.and_then(|event| event["time"].as_str()).context("no such event")?;
            let time = OffsetDateTime::parse(time, &Rfc3339)?;
            Ok((time - began).as_seconds_f64() * 1000.0)
        };
        firsts.push(since(events.iter().find(|event| is_of_agent(event)))?);
        ends.push(since(events.iter().find(|event| event["type"] == "turnCompleted"))?);
    }
    report.add("aloft new: returns", "ms", None, &returns);
    let name = "aloft new: to the agent's first event";
    report.add(name, "ms", Some(Goal::AtMost(300.0)), &firsts);
    report.add("aloft new: to the end of its turn", "ms", None, &ends);
    Ok(())
}

/// Whether the agent did or said this.
fn is_of_agent(event: &Value) -> bool {
    let kind = event["item"]["type"].as_str().unwrap_or_default();
    event["type"] == "itemStarted" && ["agentMessage", "commandExecution"].contains(&kind)
}
