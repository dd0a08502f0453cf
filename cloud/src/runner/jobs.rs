//! Background jobs: what an agent or a person left running in a sandbox, as the thread is told of it.

use std::{collections::BTreeSet, time::Duration};

use crate::sandbox::guest::Guest;

/// How long the look may take: nothing waits longer to be frozen or ended.
const LOOK: Duration = Duration::from_secs(2);
/// Characters of a command line that are shown.
const SHOWN: usize = 120;
/// Jobs that are named one by one.
const NAMED: usize = 8;

/// A process: its number and command line.
pub(super) type Known = BTreeSet<(u32, Vec<String>)>;

/// What runs now beside what the cloud itself started: of a new agent, its own helpers.
pub(super) async fn helpers(guest: &Guest) -> Known {
    let Ok(Ok(list)) = tokio::time::timeout(LOOK, guest.list_processes()).await else {
        return Known::new();
    };
    list.others.into_iter().map(|process| (process.pid, process.argv)).collect()
}

/// Command lines of what runs and is neither an agent nor one of its helpers; what a job started itself is left out.
pub(super) async fn running(guest: &Guest, helpers: &Known) -> Vec<String> {
    let Ok(Ok(list)) = tokio::time::timeout(LOOK, guest.list_processes()).await else {
        return Vec::new();
    };
    let mut jobs = list.others;
    jobs.retain(|process| !helpers.contains(&(process.pid, process.argv.clone())));
    let numbers: BTreeSet<u32> = jobs.iter().map(|process| process.pid).collect();
    jobs.retain(|process| !numbers.contains(&process.parent));
    let mut lines: Vec<String> =
        jobs.iter().take(NAMED).map(|process| format!("`{}`", shown(&process.argv))).collect();
    if jobs.len() > NAMED {
        lines.push(format!("and {} more", jobs.len() - NAMED));
    }
    lines
}

/// A command line on one line.
fn shown(argv: &[String]) -> String {
    // What a shell was given as its script says more than the shell.
    let words = match argv {
        [shell, flag, script, ..]
            if matches!(shell.rsplit('/').next(), Some("sh" | "bash" | "dash" | "zsh"))
                && flag.starts_with('-')
                && flag.ends_with('c') =>
        {
            std::slice::from_ref(script)
        }
        words => words,
    };
    let line = words.join(" ");
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "'");
    match line.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_short_and_on_one_line() {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown(&words(&["npm", "run", "dev"])), "npm run dev");
        assert_eq!(shown(&words(&["/bin/bash", "-lc", "a\n  b `c`"])), "a b 'c'");
        assert_eq!(shown(&words(&["sh", "run.sh"])), "sh run.sh");
        let long = shown(&words(&["x", &"ä".repeat(500)]));
        assert_eq!(long.chars().count(), SHOWN + 1);
    }
}
