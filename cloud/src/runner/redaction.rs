//! Takes secrets out of everything an agent reports, before it is stored.

use std::collections::HashMap;

use aloft_proto::v1::FileDiff;

use crate::model::{
    redact::{Redactor, Stream},
    update::{AgentUpdate, OutputUpdate, Question, ToolUpdate},
};

/// The redaction of one agent's reports.
#[derive(Debug)]
pub(super) struct Redaction {
    redactor: Redactor,
    /// Output that comes in pieces, by action: a secret may be cut by a border.
    outputs: HashMap<String, Stream>,
}

impl Redaction {
    pub(super) fn new(redactor: Redactor) -> Self {
        Self { redactor, outputs: HashMap::new() }
    }

    pub(super) fn text(&self, text: String) -> String {
        self.redactor.text(text)
    }

    pub(super) fn update(&mut self, update: AgentUpdate) -> AgentUpdate {
        match update {
            AgentUpdate::Message { message, text } => {
                AgentUpdate::Message { message, text: self.text(text) }
            }
            AgentUpdate::Reasoning { message, text } => {
                AgentUpdate::Reasoning { message, text: self.text(text) }
            }
            AgentUpdate::Plan(mut steps) => {
                for step in &mut steps {
                    step.text = self.text(std::mem::take(&mut step.text));
                }
                AgentUpdate::Plan(steps)
            }
            AgentUpdate::Tool(tool) => AgentUpdate::Tool(Box::new(self.tool(*tool))),
            AgentUpdate::Notice(text) => AgentUpdate::Notice(self.text(text)),
            AgentUpdate::Title(text) => AgentUpdate::Title(self.text(text)),
            other @ (AgentUpdate::Context { .. } | AgentUpdate::Unknown(_)) => other,
        }
    }

    pub(super) fn question(&mut self, mut question: Question) -> Question {
        question.title = self.text(question.title);
        question.detail = self.text(question.detail);
        question.tool = self.tool(question.tool);
        question
    }

    fn tool(&mut self, mut tool: ToolUpdate) -> ToolUpdate {
        let text = |text: Option<String>| text.map(|text| self.redactor.text(text));
        tool.title = text(tool.title);
        tool.command = text(tool.command);
        tool.arguments = text(tool.arguments);
        tool.result = text(tool.result);
        if let Some(changes) = &mut tool.changes {
            for change in changes {
                self.change(change);
            }
        }
        let ends = tool.state.is_some_and(|state| state != aloft_proto::v1::ItemState::InProgress);
        tool.output = self.output(&tool.key, tool.output, ends);
        tool
    }

    fn output(
        &mut self,
        key: &str,
        output: Option<OutputUpdate>,
        ends: bool,
    ) -> Option<OutputUpdate> {
        let more = match output {
            Some(OutputUpdate::Replace(whole)) => {
                return Some(OutputUpdate::Replace(self.redactor.bytes(whole)));
            }
            Some(OutputUpdate::Append(piece)) => {
                let stream =
                    self.outputs.entry(key.to_owned()).or_insert_with(|| self.redactor.stream());
                Some(stream.push(piece))
            }
            None => None,
        };
        let rest =
            if ends { self.outputs.remove(key).map(|mut stream| stream.finish()) } else { None };
        match (more, rest) {
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => Some(OutputUpdate::Append(one)),
            (Some(more), Some(rest)) => Some(OutputUpdate::Append([more, rest].concat().into())),
        }
    }

    fn change(&self, change: &mut FileDiff) {
        change.patch = self.redactor.bytes(std::mem::take(&mut change.patch));
        change.old_text = change.old_text.take().map(|text| self.redactor.bytes(text));
        change.new_text = change.new_text.take().map(|text| self.redactor.bytes(text));
    }
}
