//! Threads at rest: how soon a paused and a frozen one work again, and what a paused one still takes.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use aloft_tests::{home::Home, poll};
use anyhow::Context as _;
use serde_json::json;

use crate::{
    editor::Editor,
    report::{Goal, Report, milliseconds},
};

/// Pauses and resumes of one thread.
const CYCLES: usize = 20;
/// Threads that are paused before memory is looked at, so that what the first ones cost is not counted.
const FIRST: usize = 20;
/// Threads whose memory is counted.
const COUNTED: usize = 120;

pub(crate) fn measure(report: &mut Report) -> anyhow::Result<()> {
    let home = Home::new();
    let repository = home.repository();
    latency(report, &home, &home.shell(&repository, "auto", "$ true")["id"])?;

    let pause = |count: usize| -> anyhow::Result<Vec<String>> {
        let mut ids = Vec::new();
        for _ in 0..count {
            let thread = home.shell(&repository, "auto", "$ true");
            let id = thread["id"].as_str().context("a thread without id")?.to_owned();
            home.ok(["pause", &id]);
            home.wait_state(&id, "paused");
            ids.push(id);
        }
        // Their tasks end a moment later.
        sleep(Duration::from_secs(4));
        Ok(ids)
    };
    let anew = || {
        home.ok(["cloud", "stop"]);
        home.ok(["list"]);
        resident(home.cloud_pid())
    };
    pause(FIRST)?;
    let few = anew()?;
    pause(FIRST)?;
    let before = resident(home.cloud_pid())?;
    let ids = pause(COUNTED)?;
    let after = resident(home.cloud_pid())?;
    let each = |more: f64, threads: usize| anyhow::Ok(more / f64::from(u32::try_from(threads)?));
    let goal = Some(Goal::AtMost(16.0));
    let most = each(after - before, COUNTED)?;
    report.add("a paused thread: memory in the cloud that made it", "KiB", goal, &[most]);
    let least = each(anew()? - few, FIRST + COUNTED)?;
    report.add("a paused thread: memory in a cloud started anew", "KiB", goal, &[least]);
    let processes: Vec<f64> = ids
        .iter()
        .map(|id| f64::from(u32::try_from(Home::processes_with(id).len()).unwrap_or(u32::MAX)))
        .collect();
    let goal = Some(Goal::AtMost(0.0));
    report.add("a paused thread: processes", "processes", goal, &processes);
    Ok(())
}

/// From the request to the thread's readiness, and from a message to the end of its turn.
fn latency(report: &mut Report, home: &Home, id: &serde_json::Value) -> anyhow::Result<()> {
    let name = id.as_str().context("a thread without id")?;
    let mut editor = Editor::aloft(home)?;
    let feed = editor.request("thread/list", &json!({}))?["feed"].clone();
    editor.request("thread/subscribe", &json!({"after": feed}))?;
    let mut until = |method: &str,
                     mut params: serde_json::Value,
                     ready: &dyn Fn(&serde_json::Value) -> bool| {
        params["threadId"] = id.clone();
        let began = Instant::now();
        editor.request(method, &params)?;
        editor.wait(|message| {
            message["method"] == "thread/didChange" && ready(&message["params"]["thread"])
        })?;
        anyhow::Ok(milliseconds(began.elapsed()))
    };
    let (mut resumed, mut woken, mut thawed) = (Vec::new(), Vec::new(), Vec::new());
    let mut turn = 1;
    for _ in 0..CYCLES {
        let message = json!({"input": [{"type": "text", "text": "$ true"}]});
        home.ok(["pause", name]);
        home.wait_state(name, "paused");
        resumed.push(until("thread/resume", json!({}), &|thread| thread["state"] == "idle")?);
        home.ok(["pause", name]);
        home.wait_state(name, "paused");
        turn += 1;
        let ended = |number: u64| {
            move |thread: &serde_json::Value| {
                thread["lastTurn"]["number"] == number && thread["lastTurn"]["state"] == "completed"
            }
        };
        woken.push(until("turn/start", message.clone(), &ended(turn))?);
        // It is frozen a second after its turn.
        poll::until("the sandbox to be frozen", || frozen(name).then_some(()));
        turn += 1;
        thawed.push(until("turn/start", message, &ended(turn))?);
    }
    report.add("a paused thread: from resume to ready", "ms", Some(Goal::AtMost(500.0)), &resumed);
    report.add("a paused thread: from a message to the end of its turn", "ms", None, &woken);
    report.add("a frozen thread: from a message to the end of its turn", "ms", None, &thawed);
    Ok(())
}

/// Whether the processes of a sandbox stand still, by the freezer or by a signal.
fn frozen(id: &str) -> bool {
    Home::processes_with(id).into_iter().any(|pid| {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}"));
        let stopped = read("stat").is_ok_and(|stat| stat.contains(") T "));
        let groups = read("cgroup").unwrap_or_default();
        stopped
            || groups.lines().filter_map(|line| line.splitn(3, ':').nth(2)).any(|group| {
                ["freezer", "unified", ""].iter().any(|hierarchy| {
                    let folder = format!("/sys/fs/cgroup/{hierarchy}{group}");
                    let holds = |file: &str, word: &str| {
                        std::fs::read_to_string(format!("{folder}/{file}"))
                            .is_ok_and(|text| text.contains(word))
                    };
                    holds("freezer.state", "FROZEN") || holds("cgroup.events", "frozen 1")
                })
            })
    })
}

/// Memory of a process that lies in RAM, in KiB.
fn resident(pid: i32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
