//! The tools: what the model may call, and how a call becomes an action that a person sees and may have to allow.

mod command;
mod edit;
mod files;
mod search;

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::agent::{
    coder::approvals::Approvals,
    stdio::{
        message::{Content, Kind, Location, PlanEntry, PlanStatus, Status, ToolCall, Update},
        session::Session,
    },
};

/// Longest result given to the model, in bytes.
const MAX_RESULT: usize = 60_000;

/// A tool as the model is told of it.
#[derive(Clone, Debug)]
pub(super) struct Definition {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    /// JSON Schema.
    pub(super) parameters: Value,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was done.
    Done(String),
    /// It was not; the words tell the model why.
    Failed(String),
    /// A person said no.
    Declined,
    /// The turn is being stopped.
    Stopped,
}

/// All tools.
pub(super) fn definitions() -> Vec<Definition> {
    let object = |properties: Value, required: &[&str]| json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    let path = json!({"type": "string", "description": "Relative to the workspace, or absolute"});
    vec![
        Definition {
            name: "update_plan",
            description: "Show the plan to the person. Always give all steps.",
            parameters: object(
                json!({"steps": {"type": "array", "items": {
                    "type": "object",
                    "properties": {
                        "text": {"type": "string"},
                        "state": {"type": "string", "enum": ["pending", "in_progress", "completed"]},
                    },
                    "required": ["text", "state"],
                    "additionalProperties": false,
                }}}),
                &["steps"],
            ),
        },
        Definition {
            name: "read_file",
            description: "Read a text file. Each line comes with its number and a tab, which are not part of the file. Long files come in parts.",
            parameters: object(
                json!({
                    "path": path,
                    "first_line": {"type": "integer", "minimum": 1},
                    "last_line": {"type": "integer", "minimum": 1},
                }),
                &["path"],
            ),
        },
        Definition {
            name: "list_files",
            description: "List the files of a folder and below, without what git ignores.",
            parameters: object(
                json!({
                    "path": path,
                    "glob": {"type": "string", "description": "Only files that match, for example **/*.rs"},
                }),
                &[],
            ),
        },
        Definition {
            name: "search",
            description: "Search file contents with a regular expression (Rust syntax), without what git ignores. Gives path:line:text.",
            parameters: object(
                json!({
                    "pattern": {"type": "string"},
                    "path": path,
                    "glob": {"type": "string", "description": "Only files that match, for example *.py"},
                    "ignore_case": {"type": "boolean"},
                }),
                &["pattern"],
            ),
        },
        Definition {
            name: "edit_file",
            description: "Replace one passage of a file. old_text must be in the file exactly once, with its whitespace; give enough lines around it.",
            parameters: object(
                json!({
                    "path": path,
                    "old_text": {"type": "string"},
                    "new_text": {"type": "string"},
                    "replace_all": {"type": "boolean", "description": "Replace every occurrence"},
                }),
                &["path", "old_text", "new_text"],
            ),
        },
        Definition {
            name: "write_file",
            description: "Write a whole file: a new one, or in place of what was there.",
            parameters: object(
                json!({"path": path, "content": {"type": "string"}}),
                &["path", "content"],
            ),
        },
        Definition {
            name: "run",
            description: "Run a shell command in the workspace and wait for its end. Gives output and exit code.",
            parameters: object(
                json!({
                    "command": {"type": "string"},
                    "timeout_seconds": {"type": "integer", "minimum": 1, "maximum": command::MAX_SECONDS, "description": "120 if not given"},
                }),
                &["command"],
            ),
        },
    ]
}

/// One call of a tool, on its way.
pub(super) struct Call<'a> {
    pub(super) session: &'a Session,
    pub(super) approvals: &'a Approvals,
    /// Names the action, unique in the session.
    pub(super) id: String,
    pub(super) arguments: &'a Value,
}

#[derive(Deserialize)]
struct Plan {
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    text: String,
    state: PlanStatus,
}

/// Does one call.
pub(super) async fn call(name: &str, call: &Call<'_>) -> Outcome {
    let done = match name {
        "update_plan" => plan(call).await,
        "read_file" => files::read(call).await,
        "list_files" => search::list(call).await,
        "search" => search::search(call).await,
        "edit_file" => edit::edit(call).await,
        "write_file" => edit::write(call).await,
        "run" => command::run(call).await,
        other => {
            let names: Vec<&str> = definitions().iter().map(|tool| tool.name).collect();
            Err(Outcome::Failed(format!(
                "there is no tool {other}; there are {}",
                names.join(", ")
            )))
        }
    };
    match done {
        Ok(text) => Outcome::Done(shortened(text)),
        Err(Outcome::Failed(text)) => Outcome::Failed(shortened(text)),
        Err(outcome) => outcome,
    }
}

async fn plan(call: &Call<'_>) -> Result<String, Outcome> {
    let plan: Plan = call.arguments()?;
    let entries = plan.steps.into_iter().map(|step| PlanEntry {
        content: step.text,
        priority: "medium".to_owned(),
        status: step.state,
    });
    call.session.update(Update::Plan { entries: entries.collect() }).await;
    Ok("The plan is shown.".to_owned())
}

impl Call<'_> {
    fn arguments<T: DeserializeOwned>(&self) -> Result<T, Outcome> {
        serde_json::from_value(self.arguments.clone()).map_err(|error| {
            Outcome::Failed(format!("the arguments do not fit this tool: {error}"))
        })
    }

    /// The whole path of one that the model gave, without `.` and `..`.
    fn path(&self, path: &str) -> PathBuf {
        let mut whole = PathBuf::new();
        for component in self.session.cwd().join(path).components() {
            match component {
                Component::CurDir => {}
                Component::ParentDir => {
                    whole.pop();
                }
                other => whole.push(other),
            }
        }
        whole
    }

    /// As people read it.
    fn shown<'a>(&self, path: &'a Path) -> &'a Path {
        match path.strip_prefix(self.session.cwd()) {
            Ok(inside) if inside == Path::new("") => Path::new("."),
            Ok(inside) => inside,
            Err(_) => path,
        }
    }

    /// Something that only looks: shown, never asked about.
    async fn looking(&self, kind: Kind, title: String, path: &Path) {
        let action = ToolCall {
            tool_call_id: self.id.clone(),
            title: Some(title),
            kind: Some(kind),
            status: Some(Status::InProgress),
            locations: Some(vec![Location { path: path.display().to_string(), line: None }]),
            raw_input: Some(self.arguments.clone()),
            ..ToolCall::default()
        };
        self.session.update(Update::ToolCall(action)).await;
    }

    /// The end of an action that only looked.
    async fn looked(&self, result: Result<String, String>) -> Result<String, Outcome> {
        let (status, text) = match &result {
            Ok(text) => (Status::Completed, text),
            Err(text) => (Status::Failed, text),
        };
        let words = crate::agent::stdio::message::Block::text(shortened(text.clone()));
        let action = ToolCall {
            content: Some(vec![Content::Content { content: words }]),
            ..ToolCall::status(&self.id, status)
        };
        self.session.update(Update::ToolCallUpdate(action)).await;
        result.map_err(Outcome::Failed)
    }
}

/// Runs what blocks elsewhere; ends waiting, though not the work, when the turn is stopped.
async fn blocking<T: Send + 'static>(
    session: &Session,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<Result<T, String>, Outcome> {
    tokio::select! {
        biased;
        () = session.stopped() => Err(Outcome::Stopped),
        result = tokio::task::spawn_blocking(work) => {
            Ok(result.unwrap_or_else(|_| Err("the tool itself broke down".to_owned())))
        }
    }
}

/// Beginning and end of a text that is too long.
fn shortened(text: String) -> String {
    if text.len() <= MAX_RESULT {
        return text;
    }
    let (mut head, mut tail) = (MAX_RESULT / 3, text.len() - MAX_RESULT * 2 / 3);
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    format!("{}\n[… {} bytes left out …]\n{}", &text[..head], tail - head, &text[tail..])
}
