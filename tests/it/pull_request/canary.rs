//! The token of a forge is where it has to be and nowhere else: looked for in every place that it could leak to, from the
//! account to the merged pull request.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use aloft_tests::{
    home::{Home, Run, feed},
    poll,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::pull_request::{github::stage, text};

/// What processes showed of a secret.
#[derive(Debug, Default)]
struct Shown {
    /// Command lines with it.
    arguments: BTreeSet<String>,
    /// Programs with it in their environment, and whether they live where the cloud does.
    environments: BTreeSet<(String, bool)>,
    /// A push was under way.
    pushes: u32,
}

/// The ways a token is written.
pub(super) fn forms(token: &str) -> Vec<Vec<u8>> {
    let basic = ["x-access-token", "oauth2", "ada"].map(|user| format!("{user}:{token}"));
    let encoded = basic.iter().map(|pair| STANDARD.encode(pair).into_bytes());
    let reversed = token.bytes().rev().collect();
    [token.as_bytes().to_vec(), reversed].into_iter().chain(encoded).collect()
}

fn holds(bytes: &[u8], forms: &[Vec<u8>]) -> bool {
    forms.iter().any(|form| bytes.windows(form.len()).any(|part| part == form))
}

/// Files below a folder that hold one of these.
fn files_with(folder: &Path, forms: &[Vec<u8>]) -> (usize, Vec<PathBuf>) {
    let (mut seen, mut found, mut folders) = (0, Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                seen += 1;
                if fs::read(entry.path()).is_ok_and(|bytes| holds(&bytes, forms)) {
                    found.push(entry.path());
                }
            }
        }
    }
    (seen, found)
}

/// Nothing of these is in the database, mirrors, snapshots, logs at TRACE, workspaces and homes of sandboxes: in all but what
/// the forge itself keeps.
pub(super) fn assert_is_nowhere(home: &Home, forms: &[Vec<u8>]) {
    let log = fs::read_to_string(home.path("data/cloud/cloud.log")).unwrap();
    assert!(log.contains("TRACE"), "the cloud logged everything");
    for folder in ["data", "s", "config", "run", "home"] {
        let (seen, found) = files_with(&home.path(folder), forms);
        assert!(seen > 0 || !["data", "s"].contains(&folder), "nothing is in {folder}");
        assert_eq!(found, Vec::<PathBuf>::new());
    }
}

/// Looks at every process of this machine once.
fn look(forms: &[Vec<u8>], shown: &mut Shown) {
    let here = fs::read_link("/proc/self/ns/pid").unwrap();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let process = entry.path();
        let Ok(line) = fs::read(process.join("cmdline")) else { continue };
        let Ok(environment) = fs::read(process.join("environ")) else { continue };
        let words = String::from_utf8_lossy(&line).replace('\0', " ");
        if holds(&line, forms) {
            shown.arguments.insert(words.clone());
        }
        let program = words.split(' ').next().unwrap_or_default();
        let program = program.rsplit('/').next().unwrap_or_default().to_owned();
        if holds(&environment, forms) {
            let is_here = fs::read_link(process.join("ns/pid")).is_ok_and(|its| its == here);
            if words.contains(" push ") {
                shown.pushes += 1;
            }
            // One that is gone by now cannot say where it lived.
            if process.exists() {
                shown.environments.insert((program, is_here));
            }
        }
    }
}

#[test]
fn a_token_leaks_nowhere_on_its_way() {
    let (home, forge) = stage();
    let home = home.with("ALOFT_LOG", "trace");
    let user = forge.control("POST", "/users", &json!({"login": "ada", "scopes": ["repo"]}));
    forge.control("PATCH", "/repos/dev/tool", &json!({"permissions": {"ada": "write"}}));
    let token = text(&user, "token").to_owned();
    let forms = forms(&token);
    // The push takes long enough to be looked at.
    let slow = json!({
        "method": "POST", "path": "/dev/tool.git/git-receive-pack", "times": 1, "delayMs": 2_000
    });
    forge.control("POST", "/faults", &slow);

    let (over, looks) = (AtomicBool::new(false), AtomicU32::new(0));
    let (runs, events, shown) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut shown = Shown::default();
            while !over.load(Ordering::Relaxed) {
                look(&forms, &mut shown);
                looks.fetch_add(1, Ordering::Relaxed);
                // Others want to work too.
                std::thread::yield_now();
            }
            shown
        });
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            poll::until("the first look", || (looks.load(Ordering::Relaxed) > 0).then_some(()));
            journey(&home, &forge, &token)
        }));
        over.store(true, Ordering::Relaxed);
        let shown = watching.join().unwrap();
        match done {
            Ok((runs, events)) => (runs, events, shown),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });

    for run in &runs {
        assert!(!holds(&run.stdout, &forms) && !holds(run.stderr.as_bytes(), &forms), "{run:?}");
    }
    assert!(runs.iter().any(|run| run.stderr.contains("TRACE")), "the bridge logged everything");
    assert!(events.len() > 10);
    for event in &events {
        assert!(!holds(event.to_string().as_bytes(), &forms), "{event}");
    }
    assert_eq!(shown.arguments, BTreeSet::new(), "it was an argument");
    assert!(shown.pushes > 0, "no push was seen in {looks:?} looks");
    // git has it for as long as it talks to the forge, and nobody else; none of them in a sandbox.
    for (program, is_here) in &shown.environments {
        assert!(program.starts_with("git") && *is_here, "{:?}", shown.environments);
    }
    assert_is_nowhere(&home, &forms);
    // Who looks finds what is there.
    let (_, found) = files_with(&home.path("data"), &[b"dev/tool".to_vec()]);
    assert!(found.len() > 1, "{found:?}");
}

/// From the account to the merged pull request, and a token that is taken back; gives all that was printed, and the log.
fn journey(
    home: &Home,
    forge: &aloft_tests::dev_forge::DevForge,
    token: &str,
) -> (Vec<Run>, Vec<Value>) {
    let mut runs = Vec::new();
    let connect = ["forge", "connect", "github", "--url", &forge.url(), "--token-stdin", "--json"];
    runs.push(feed(home.command(connect), format!("{token}\n").as_bytes()));
    for words in [&["forge", "list"][..], &["repo", "list"]] {
        runs.push(home.run(words));
    }
    // In the sandbox it is looked for under a name that is not the token itself.
    let (first, rest) = token.split_at(1);
    let search = format!(
        "$ echo decoy > /tmp/decoy; cat /proc/[0-9]*/environ > /tmp/environments 2>/dev/null; \
         found() {{ grep -rla -- \"$1\" /workspace \"$HOME\" /tmp /run /srv /etc 2>/dev/null | wc -l; }}; \
         echo decoys $(found '[d]ecoy') tokens $(found '[{first}]{rest}') environments $(grep -ca '[P]ATH=' /tmp/environments)"
    );
    let new =
        ["new", "--agent", "shell", "--mode", "auto", "--repo", "dev/tool", "--wait", "--json"];
    let prompt = format!("{search}\n$ echo one > new.txt");
    let made = home.run(new.into_iter().chain([prompt.as_str()]));
    let thread: Value = serde_json::from_slice(&made.stdout).unwrap();
    let id = text(&thread, "id").to_owned();
    runs.push(made);
    let proposed = home.run(["pr", &id, "--json"]);
    assert_eq!(proposed.code, 0, "{}", proposed.stderr);
    runs.push(proposed);
    // After the push, from within the sandbox: git of the thread's own repository too.
    let again = format!(
        "$ git fetch -q origin; git remote -v; git config --list\n{search}\n$ echo two > new.txt"
    );
    for words in [&["send", &id, "--wait", &again][..], &["pr", &id], &["pr", &id, "--sync"]] {
        let run = home.run(words);
        assert_eq!(run.code, 0, "{words:?}: {}{}", run.text(), run.stderr);
        runs.push(run);
    }
    let found = |shown: &Value| shown.to_string().matches("tokens 0 environments").count();
    let shown = home.show(&id);
    assert!(found(&shown) >= 2, "{shown:#}");
    assert!(!shown.to_string().contains("decoys 0"), "{shown:#}");
    forge.call("PUT", "/repos/dev/tool/pulls/1/merge", &json!({})).must(200);
    let merged = home.json(["pr", &id]);
    assert_eq!(merged["pullRequest"]["state"], "merged");
    // What goes wrong with it says so without it.
    runs.push(home.run(["send", &id, "--wait", "$ echo three > new.txt"]));
    forge.control("POST", "/tokens/revoke", &json!({"token": token}));
    for words in [&["pr", &id][..], &["repo", "list"], &["new", "--repo", "dev/tool", "$ true"]] {
        runs.push(home.run(words));
    }
    let events = home.events(&id);
    (runs, events)
}
