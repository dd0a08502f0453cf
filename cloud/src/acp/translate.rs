//! What an agent's `session/update` says, in the words of the model.
//!
//! Agents differ in nearly everything: where the command stands, whether output comes in pieces, as a growing whole or at
//! the end, which title is only a placeholder. All of that ends here. Pure, except that it remembers what it must know of
//! actions in work.

mod diff;
mod tool;

#[cfg(test)]
mod tests;

use aloft_proto::v1::{OptionKind, PermissionOption, PlanStep, PlanStepState};
use serde_json::Value;

use crate::{
    acp::translate::tool::Tools,
    model::update::{AgentUpdate, Question},
};

/// Translates the updates of one session.
#[derive(Debug)]
pub(super) struct Translator {
    tools: Tools,
    /// The last trouble an agent told of: it says the same at each try.
    trouble: Option<String>,
}

impl Translator {
    /// For a session that works in `cwd`, an absolute path.
    pub(super) fn new(cwd: &str) -> Self {
        Self { tools: Tools::new(cwd), trouble: None }
    }

    /// The meaning of one update.
    pub(super) fn update(&mut self, update: &Value) -> AgentUpdate {
        let kind = update["sessionUpdate"].as_str().unwrap_or_default();
        let translated = match kind {
            "agent_message_chunk" => message(update),
            "agent_thought_chunk" => words(&update["content"])
                .map(|text| AgentUpdate::Reasoning { message: message_id(update), text }),
            "tool_call" | "tool_call_update" => {
                self.tools.update(update).map(|tool| AgentUpdate::Tool(Box::new(tool)))
            }
            "plan" => update["entries"].as_array().map(|entries| AgentUpdate::Plan(plan(entries))),
            "session_info_update" => non_empty(&update["title"])
                .map(AgentUpdate::Title)
                .or_else(|| self.trouble(&update["_meta"]["codex"]["error"]["message"])),
            "usage_update" => context(update),
            "notice" => ["text", "message", "title", "content"]
                .iter()
                .find_map(|field| non_empty(&update[*field]).or_else(|| words(&update[*field])))
                .map(AgentUpdate::Notice),
            _ => None,
        };
        translated.unwrap_or_else(|| AgentUpdate::Unknown(kind.to_owned()))
    }

    /// A `session/request_permission`; `None` when it offers no answer.
    pub(super) fn question(&mut self, params: &Value) -> Option<Question> {
        let options: Vec<PermissionOption> =
            params["options"].as_array()?.iter().filter_map(option).collect();
        if options.is_empty() {
            return None;
        }
        let call = &params["toolCall"];
        let tool = self.tools.update(call).unwrap_or_default();
        let known = self.tools.known(&tool.key);
        let title = tool.title.clone().or_else(|| known.and_then(|known| known.title.clone()));
        let command =
            tool.command.clone().or_else(|| known.and_then(|known| known.command.clone()));
        let patches =
            tool.changes.iter().flatten().map(|change| String::from_utf8_lossy(&change.patch));
        let detail = command
            .or_else(|| non_empty(&call["rawInput"]["diff"]))
            .unwrap_or_else(|| patches.collect::<Vec<_>>().join(""));
        Some(Question {
            key: tool.key.clone(),
            title: title.unwrap_or_else(|| "The agent asks for permission".to_owned()),
            detail,
            options,
            tool,
        })
    }

    /// New trouble with the model, as codex tells of it.
    fn trouble(&mut self, message: &Value) -> Option<AgentUpdate> {
        let message =
            non_empty(message).filter(|message| self.trouble.as_ref() != Some(message))?;
        self.trouble = Some(message.clone());
        Some(AgentUpdate::Notice(message))
    }

    /// The turn has ended: what is known of its actions may go.
    pub(super) fn turn_ended(&mut self) {
        self.trouble = None;
        self.tools.forget();
    }
}

fn message(update: &Value) -> Option<AgentUpdate> {
    let text = words(&update["content"])?;
    let message = message_id(update);
    // Said once a turn by codex of every model name it does not know, which is every name here.
    let about_itself = message.is_none() && text.starts_with("Warning: Model metadata for");
    if about_itself {
        return None;
    }
    if update["_meta"]["claudeCode"]["kind"] == "informational" {
        return Some(AgentUpdate::Notice(text));
    }
    Some(AgentUpdate::Message { message, text })
}

fn message_id(update: &Value) -> Option<String> {
    non_empty(&update["messageId"])
}

/// The words of a content block.
fn words(block: &Value) -> Option<String> {
    match block["type"].as_str()? {
        "text" => non_empty(&block["text"]),
        "resource_link" => {
            let uri = block["uri"].as_str()?;
            Some(format!("[{}]({uri})", block["name"].as_str().unwrap_or(uri)))
        }
        "resource" => non_empty(&block["resource"]["text"])
            .or_else(|| non_empty(&block["resource"]["uri"]).map(|uri| format!("[{uri}]({uri})"))),
        "image" => Some("(a picture)".to_owned()),
        _ => None,
    }
}

fn plan(entries: &[Value]) -> Vec<PlanStep> {
    let step = |entry: &Value| {
        let state = match entry["status"].as_str() {
            Some("in_progress") => PlanStepState::InProgress,
            Some("completed") => PlanStepState::Completed,
            _ => PlanStepState::Pending,
        };
        let text = entry["content"].as_str().unwrap_or_default().to_owned();
        PlanStep { text, state: state.into() }
    };
    entries.iter().map(step).collect()
}

fn context(update: &Value) -> Option<AgentUpdate> {
    let used = update["used"].as_u64()?;
    Some(AgentUpdate::Context { used, size: update["size"].as_u64().unwrap_or_default() })
}

fn option(option: &Value) -> Option<PermissionOption> {
    let id = non_empty(&option["optionId"])?;
    let kind = match option["kind"].as_str() {
        Some("allow_once") => OptionKind::AllowOnce,
        Some("allow_always") => OptionKind::AllowAlways,
        Some("reject_once") => OptionKind::RejectOnce,
        Some("reject_always") => OptionKind::RejectAlways,
        _ => OptionKind::Unspecified,
    };
    let label = non_empty(&option["name"]).unwrap_or_else(|| id.clone());
    Some(PermissionOption { id, label, kind: kind.into() })
}

fn non_empty(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}
