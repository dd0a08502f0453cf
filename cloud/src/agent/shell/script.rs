//! What a prompt to the `shell` agent means: its actions in order, and its plan. Pure.

use crate::agent::stdio::message::{PlanEntry, PlanStatus};

/// A prompt, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// In order.
    pub actions: Vec<Action>,
    /// The words of the plan.
    pub plan: Vec<PlanStep>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run it.
    Command(Command),
    /// Write a file.
    Write {
        /// As it was written, relative to the workspace.
        path: String,
        /// The whole content.
        content: String,
    },
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// As it was written.
    pub text: String,
    /// The program that reads it, with the arguments before the text.
    pub interpreter: &'static [&'static str],
}

/// A step of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanStep {
    /// Its words.
    pub text: String,
    /// Actions that stand before it.
    pub actions_before: usize,
}

/// A fenced block in reading.
struct Fence<'a> {
    info: &'a str,
    ticks: usize,
    body: String,
}

impl Action {
    /// For a sentence.
    pub fn name(&self) -> String {
        match self {
            Self::Command(command) => {
                let mut lines = command.text.lines();
                let first = lines.next().unwrap_or_default();
                let more = if lines.next().is_some() { " …" } else { "" };
                format!("`{first}{more}`")
            }
            Self::Write { path, .. } => format!("writing `{path}`"),
        }
    }
}

impl Script {
    /// Reads a prompt.
    pub fn parse(prompt: &str) -> Self {
        let mut script = Self::default();
        let mut fence: Option<Fence<'_>> = None;
        let mut in_plan = false;
        for line in prompt.lines() {
            if let Some(open) = &mut fence {
                if is_closing(line, open.ticks) {
                    script.take_block(open);
                    fence = None;
                } else {
                    open.body.push_str(line);
                    open.body.push('\n');
                }
                continue;
            }
            let trimmed = line.trim_start();
            let ticks = trimmed.bytes().take_while(|byte| *byte == b'`').count();
            if ticks >= 3 && !trimmed[ticks..].contains('`') {
                fence = Some(Fence { info: trimmed[ticks..].trim(), ticks, body: String::new() });
                in_plan = false;
            } else if let Some(command) = line.strip_prefix("$ ") {
                // A line is what a person types at a prompt: `a; b` goes on after a failing `a`.
                script.take_command(command, &["sh", "-c"]);
                in_plan = false;
            } else if let Some(step) = strip_plan(line) {
                in_plan = step.is_empty();
                script.take_step(step);
            } else if in_plan && let Some(step) = strip_bullet(trimmed) {
                script.take_step(step);
            } else {
                in_plan = in_plan && trimmed.is_empty();
            }
        }
        if let Some(open) = &fence {
            script.take_block(open);
        }
        script
    }

    /// The plan when `done` actions are done: steps written between the actions end with the actions that follow them,
    /// steps written together share all actions evenly.
    pub fn plan_at(&self, done: usize) -> Vec<PlanEntry> {
        let (actions, steps) = (self.actions.len(), self.plan.len());
        let together =
            self.plan.windows(2).all(|pair| pair[0].actions_before == pair[1].actions_before);
        let end_of = |number: usize| {
            if together {
                ((number + 1) * actions).div_ceil(steps)
            } else {
                self.plan.get(number + 1).map_or(actions, |next| next.actions_before)
            }
        };
        let mut current_seen = false;
        let entry = |(number, step): (usize, &PlanStep)| {
            let status = if actions > 0 && end_of(number) <= done {
                PlanStatus::Completed
            } else if actions == 0 || std::mem::replace(&mut current_seen, true) {
                PlanStatus::Pending
            } else {
                PlanStatus::InProgress
            };
            PlanEntry { content: step.text.clone(), priority: "medium".to_owned(), status }
        };
        self.plan.iter().enumerate().map(entry).collect()
    }

    /// What was done, when all of it went well.
    pub fn summary(&self) -> String {
        let is_command = |action: &&Action| matches!(action, Action::Command(_));
        let commands = self.actions.iter().filter(is_command).count();
        let parts: Vec<String> = [
            counted(commands, "ran", "command"),
            counted(self.actions.len() - commands, "wrote", "file"),
        ]
        .into_iter()
        .flatten()
        .collect();
        if parts.is_empty() {
            "I noted the plan; there was nothing to run.".to_owned()
        } else {
            format!("I {}.", parts.join(" and "))
        }
    }

    fn take_block(&mut self, fence: &Fence<'_>) {
        match fence.info {
            // A block is a script: `-e` stops at the first command in it that fails.
            "sh" | "shell" => self.take_command(&fence.body, &["sh", "-e", "-c"]),
            "bash" => self.take_command(&fence.body, &["bash", "-e", "-c"]),
            info => {
                if let Some(path) = info.strip_prefix("write ").map(str::trim)
                    && !path.is_empty()
                {
                    let (path, content) = (path.to_owned(), fence.body.clone());
                    self.actions.push(Action::Write { path, content });
                }
            }
        }
    }

    fn take_command(&mut self, text: &str, interpreter: &'static [&'static str]) {
        let text = text.trim_end_matches('\n');
        if !text.trim().is_empty() {
            self.actions.push(Action::Command(Command { text: text.to_owned(), interpreter }));
        }
    }

    fn take_step(&mut self, text: &str) {
        if !text.is_empty() {
            let step = PlanStep { text: text.to_owned(), actions_before: self.actions.len() };
            self.plan.push(step);
        }
    }
}

fn is_closing(line: &str, ticks: usize) -> bool {
    let line = line.trim();
    line.len() >= ticks && line.bytes().all(|byte| byte == b'`')
}

fn strip_plan(line: &str) -> Option<&str> {
    let head = line.get(..5)?;
    head.eq_ignore_ascii_case("plan:").then(|| line[5..].trim())
}

fn strip_bullet(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches(|sign: char| sign.is_ascii_digit());
    let bullets: &[&str] = if rest.len() < line.len() { &[". ", ") "] } else { &["- ", "* "] };
    bullets.iter().find_map(|bullet| rest.strip_prefix(bullet)).map(str::trim)
}

fn counted(count: usize, verb: &str, noun: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("{verb} 1 {noun}")),
        _ => Some(format!("{verb} {count} {noun}s")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Action {
        Action::Command(Command { text: text.to_owned(), interpreter: &["sh", "-c"] })
    }

    fn block(text: &str) -> Action {
        Action::Command(Command { text: text.to_owned(), interpreter: &["sh", "-e", "-c"] })
    }

    fn file(path: &str, content: &str) -> Action {
        Action::Write { path: path.to_owned(), content: content.to_owned() }
    }

    #[test]
    fn actions_come_in_the_order_they_are_written() {
        let cases: Vec<(&str, Vec<Action>)> = vec![
            ("do $ ls please", vec![]),
            ("$ ls\n$ pwd", vec![line("ls"), line("pwd")]),
            ("first\n```sh\na\nb\n```\n$ c", vec![block("a\nb"), line("c")]),
            ("```write a b.txt\nx\n\ny\n```", vec![file("a b.txt", "x\n\ny\n")]),
            ("```write e\n```", vec![file("e", "")]),
            ("````write r.md\n```sh\nls\n```\n````", vec![file("r.md", "```sh\nls\n```\n")]),
            ("```python\n$ rm x\n```\n```\n$ rm y\n```", vec![]),
            ("```sh\nunfinished", vec![block("unfinished")]),
            ("```sh\n\n```\n$  ", vec![]),
            ("  ```sh\n  ls\n  ```", vec![block("  ls")]),
            ("a ```sh` b\n$ x", vec![line("x")]),
        ];
        for (prompt, actions) in cases {
            assert_eq!(Script::parse(prompt).actions, actions, "{prompt}");
        }
    }

    #[test]
    fn plan_lines_become_steps() {
        let steps = |prompt: &str| -> Vec<String> {
            Script::parse(prompt).plan.into_iter().map(|step| step.text).collect()
        };
        assert_eq!(steps("plan: a\nPlan: b\n$ x"), ["a", "b"]);
        assert_eq!(steps("plan:\n- a\n* b\n1. c\n\nnot - d\n- e"), ["a", "b", "c"]);
        assert_eq!(steps("no plan: here"), Vec::<String>::new());
    }

    #[test]
    fn the_plan_follows_the_actions() {
        let states = |prompt: &str, done: usize| -> String {
            let sign = |entry: PlanEntry| match entry.status {
                PlanStatus::Completed => 'x',
                PlanStatus::InProgress => '>',
                PlanStatus::Pending => '.',
            };
            Script::parse(prompt).plan_at(done).into_iter().map(sign).collect()
        };
        let together = "plan: a\nplan: b\n$ 1\n$ 2\n$ 3\n$ 4";
        assert_eq!(
            [0, 1, 2, 3, 4].map(|done| states(together, done)),
            [">.", ">.", "x>", "x>", "xx"]
        );
        let between = "plan: a\n$ 1\nplan: b\n$ 2\n$ 3";
        assert_eq!([0, 1, 2, 3].map(|done| states(between, done)), [">.", "x>", "x>", "xx"]);
        assert_eq!(states("plan: a\nplan: b\nplan: c\n$ 1", 0), ">..");
        assert_eq!(states("plan: a\nplan: b\nplan: c\n$ 1", 1), "xxx");
        assert_eq!(states("plan: a", 0), ".");
    }
}
