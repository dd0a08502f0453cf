//! The `shell` agent: it runs what the prompt says literally and needs no model.
//!
//! What a prompt means is in [`script`], how a command runs in [`command`]; this file goes through the actions in order,
//! asks where the mode says so, and stops at the first that fails. It remembers, in the session's folder, what a person
//! allowed for good and what happened, for a client that loads the session again.

pub mod command;
pub mod script;

mod memory;

use std::path::Path;

use crate::agent::{
    shell::{
        command::Outcome,
        memory::Memory,
        script::{Action, Script},
    },
    stdio::{
        About, Agent, Failure,
        message::{
            Answer, Block, Content, Kind, Location, Mode, PlanStatus, Status, StopReason, ToolCall,
            Update,
        },
        session::Session,
    },
};

/// What it answers to a prompt with nothing to run.
const HELP: &str = "I am the `shell` agent: I run what a message says literally, without a model. Write\n\n\
    - a fenced `sh` block, or a line that begins with `$ `, for a command,\n\
    - a fenced block whose info string is `write PATH` for a file with that content,\n\
    - `plan: …` lines for a plan.\n\n\
    I do them in order and stop at the first command that fails. For example:\n\n\
    ````\n\
    $ git log --oneline -3\n\
    ```write notes.txt\nhello\n```\n\
    ```sh\ncat notes.txt\n```\n\
    ````\n";

/// The agent.
#[derive(Clone, Copy, Debug)]
pub struct Shell;

/// How an action ended.
enum Done {
    Well,
    /// Why the turn ends here.
    Badly(String),
    Stopped,
}

impl Agent for Shell {
    fn about(&self) -> About {
        About {
            name: "aloft-shell",
            title: "Shell",
            images: false,
            // Guidance stops the command that runs: the client cancels and prompts.
            steering: false,
            mcp_http: false,
        }
    }

    async fn turn(&self, session: Session, prompt: Vec<Block>) -> Result<StopReason, Failure> {
        let text = prompt_text(&prompt);
        let script = Script::parse(&text);
        let mut memory = Memory::read(session.folder());
        let turn = memory.begin_turn(&text);
        // Kept before anything is named after the turn's number: a killed process must not give the same names again.
        keep(&session, &memory);
        let result = run(&session, &script, &mut memory, turn).await;
        keep(&session, &memory);
        Ok(result)
    }

    async fn replay(&self, session: &Session) {
        for (number, turn) in Memory::read(session.folder()).turns.into_iter().enumerate() {
            let content = Block::text(turn.prompt);
            session.update(Update::UserMessageChunk { content }).await;
            session.update(Update::message(&format!("replay-{number}"), turn.answer)).await;
        }
    }
}

fn keep(session: &Session, memory: &Memory) {
    if let Err(error) = memory.write(session.folder()) {
        tracing::warn!(%error, "failed to keep what happened in the session");
    }
}

/// Does all actions; what it says at the end is remembered too.
async fn run(session: &Session, script: &Script, memory: &mut Memory, turn: u64) -> StopReason {
    let message_id = format!("message-{turn}");
    if script.actions.is_empty() && script.plan.is_empty() {
        memory.answer(HELP);
        session.update(Update::message(&message_id, HELP)).await;
        return StopReason::EndTurn;
    }
    tell_plan(session, script, 0, true).await;
    for (number, action) in script.actions.iter().enumerate() {
        let id = format!("action-{turn}-{}", number + 1);
        match act(session, memory, &id, action).await {
            Done::Well => {
                let goes_on = number + 1 < script.actions.len();
                tell_plan(session, script, number + 1, goes_on).await;
            }
            Done::Badly(why) => {
                tell_plan(session, script, number, false).await;
                memory.answer(&why);
                session.update(Update::message(&message_id, why)).await;
                return StopReason::EndTurn;
            }
            Done::Stopped => {
                memory.answer("Stopped.");
                return StopReason::Cancelled;
            }
        }
    }
    let summary = script.summary();
    memory.answer(&summary);
    session.update(Update::message(&message_id, summary)).await;
    StopReason::EndTurn
}

async fn tell_plan(session: &Session, script: &Script, done: usize, goes_on: bool) {
    if script.plan.is_empty() {
        return;
    }
    let mut entries = script.plan_at(done);
    if !goes_on {
        for entry in entries.iter_mut().filter(|entry| entry.status == PlanStatus::InProgress) {
            entry.status = PlanStatus::Pending;
        }
    }
    session.update(Update::Plan { entries }).await;
}

async fn act(session: &Session, memory: &mut Memory, id: &str, action: &Action) -> Done {
    if session.is_stopped() {
        return Done::Stopped;
    }
    let call = describe(session, id, action).await;
    session.update(Update::ToolCall(call.clone())).await;
    match allowed(session, memory, action, &call).await {
        Answer::AllowOnce | Answer::AllowAlways => {}
        Answer::Reject => {
            session.update(Update::ToolCallUpdate(ToolCall::declined(id))).await;
            return Done::Badly(format!("You said no to {}, so I stopped there.", action.name()));
        }
        Answer::Cancelled => {
            session.update(Update::ToolCallUpdate(ToolCall::status(id, Status::Failed))).await;
            return Done::Stopped;
        }
    }
    session.update(Update::ToolCallUpdate(ToolCall::status(id, Status::InProgress))).await;
    match action {
        Action::Command(command) => {
            let outcome = command::run(session, id, command).await;
            after_command(session, id, action, outcome).await
        }
        Action::Write { path, content } => {
            let written = write(&session.cwd().join(path), content).await;
            let status = if written.is_ok() { Status::Completed } else { Status::Failed };
            session.update(Update::ToolCallUpdate(ToolCall::status(id, status))).await;
            match written {
                Ok(()) => Done::Well,
                Err(error) => Done::Badly(format!("I could not write `{path}`: {error}.")),
            }
        }
    }
}

async fn after_command(session: &Session, id: &str, action: &Action, outcome: Outcome) -> Done {
    let (end, done) = match outcome {
        Outcome::Exited(0) => (ToolCall::exit(id, Some(0), None), Done::Well),
        Outcome::Exited(code) => {
            let why = format!("{} exited with {code}, so I stopped there.", action.name());
            (ToolCall::exit(id, Some(code), None), Done::Badly(why))
        }
        Outcome::Signaled(signal) => {
            let why = format!("{} was ended by {signal}, so I stopped there.", action.name());
            (ToolCall::exit(id, None, Some(&signal)), Done::Badly(why))
        }
        Outcome::Stopped(signal) => (ToolCall::exit(id, None, signal.as_deref()), Done::Stopped),
        Outcome::NotStarted(error) => {
            let why = format!("I could not start {}: {error}.", action.name());
            (ToolCall::status(id, Status::Failed), Done::Badly(why))
        }
    };
    session.update(Update::ToolCallUpdate(end)).await;
    done
}

/// Whether the action may be done: at once in auto, else by a person's word, now or earlier.
async fn allowed(
    session: &Session,
    memory: &mut Memory,
    action: &Action,
    call: &ToolCall,
) -> Answer {
    let kept = match action {
        Action::Command(_) => &mut memory.all_commands,
        Action::Write { .. } => &mut memory.all_writes,
    };
    if session.mode() == Mode::Auto || *kept {
        return Answer::AllowOnce;
    }
    let answer = session.ask(call).await;
    *kept |= answer == Answer::AllowAlways;
    answer
}

async fn describe(session: &Session, id: &str, action: &Action) -> ToolCall {
    match action {
        Action::Command(command) => {
            let cwd = session.cwd().to_string_lossy();
            ToolCall::command(id, &command.text, &cwd, Status::Pending)
        }
        Action::Write { path, content } => {
            let whole = session.cwd().join(path);
            let old_text = tokio::fs::read_to_string(&whole).await.ok();
            let path_text = whole.to_string_lossy().into_owned();
            ToolCall {
                tool_call_id: id.to_owned(),
                title: Some(format!("Write {path}")),
                kind: Some(Kind::Edit),
                status: Some(Status::Pending),
                locations: Some(vec![Location { path: path_text.clone(), line: None }]),
                content: Some(vec![Content::Diff {
                    path: path_text,
                    old_text,
                    new_text: content.clone(),
                }]),
                ..ToolCall::default()
            }
        }
    }
}

async fn write(path: &Path, content: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    tokio::fs::write(path, content).await
}

/// The words of a prompt. Files and context that came with it are no instructions.
fn prompt_text(prompt: &[Block]) -> String {
    let words = prompt.iter().filter_map(|block| match block {
        Block::Text { text } => Some(text.as_str()),
        _ => None,
    });
    words.collect::<Vec<_>>().join("\n")
}
