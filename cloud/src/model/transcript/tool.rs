//! Items of actions: commands, file changes and other tools.

use aloft_proto::v1::{
    Author, CommandExecution, FileChange, ItemState, ToolCall, event::Payload, item::Kind,
};
use prost_types::Timestamp;

use crate::model::{
    transcript::{
        Transcript,
        entry::{Entry, Role},
        output::Output,
    },
    update::{OutputUpdate, ToolKind, ToolUpdate},
};

impl Transcript {
    /// Begins, changes or ends the item of an action; gives its id.
    pub(super) fn tool(
        &mut self,
        tool: ToolUpdate,
        now: Timestamp,
        events: &mut Vec<Payload>,
    ) -> Option<String> {
        if tool.key.is_empty() {
            return None;
        }
        let known =
            self.open.iter().position(|entry| entry.role == Role::Action && entry.key == tool.key);
        let index = if let Some(index) = known {
            index
        } else {
            let begins = tool.title.is_some()
                && tool.state.is_none_or(|state| state == ItemState::InProgress);
            if let Some(ended) = self.ended.get(&tool.key)
                && !begins
            {
                return Some(ended.clone());
            }
            let kind = empty(tool.kind.unwrap_or(ToolKind::Other("other")));
            let mut entry_events = Vec::new();
            self.start(Role::Action, tool.key.clone(), kind, now, &mut entry_events);
            // The start is told with all that is known, below.
            entry_events.pop();
            events.append(&mut entry_events);
            self.open.len() - 1
        };
        let entry = &mut self.open[index];
        let id = entry.item.id.clone();
        let ends = tool.state.filter(|state| is_final(*state));
        let mut changed = known.is_none();
        changed |= convert(entry, tool.kind);
        changed |= patch(entry, &tool);
        // Another whole that does not go on: the item begins anew, with no output.
        let mut rest = None;
        let mut reset = false;
        match tool.output {
            Some(OutputUpdate::Append(bytes)) => rest = Some(bytes),
            Some(OutputUpdate::Replace(whole)) => {
                rest = entry.output.rest(&whole).or_else(|| {
                    entry.output = Output::default();
                    reset = true;
                    Some(whole)
                });
            }
            None => {}
        }
        let rest = rest.filter(|rest| !rest.is_empty());
        // The end says it all, unless an append comes before it.
        if reset || (changed && (known.is_none() || ends.is_none() || rest.is_some())) {
            events.push(entry.started());
        }
        if let Some(rest) = rest
            && matches!(entry.item.kind, Some(Kind::CommandExecution(_)))
        {
            entry.output.append(&id, rest, events);
        }
        if let Some(state) = ends {
            let mut entry = self.open.remove(index);
            let declined = entry.declined && state == ItemState::Failed;
            self.remember(&entry);
            events.push(entry.complete(if declined { ItemState::Declined } else { state }, now));
        }
        Some(id)
    }
}

fn is_final(state: ItemState) -> bool {
    matches!(state, ItemState::Completed | ItemState::Failed | ItemState::Declined)
}

fn empty(kind: ToolKind) -> Kind {
    match kind {
        ToolKind::Execute => Kind::CommandExecution(CommandExecution::default()),
        ToolKind::Edit => {
            Kind::FileChange(FileChange { author: Author::Agent.into(), ..FileChange::default() })
        }
        ToolKind::Other(kind) => {
            Kind::ToolCall(ToolCall { kind: kind.to_owned(), ..ToolCall::default() })
        }
    }
}

/// Something general turns out to be a command or an edit.
fn convert(entry: &mut Entry, kind: Option<ToolKind>) -> bool {
    match kind {
        Some(kind @ (ToolKind::Execute | ToolKind::Edit))
            if matches!(entry.item.kind, Some(Kind::ToolCall(_))) =>
        {
            entry.item.kind = Some(empty(kind));
            true
        }
        _ => false,
    }
}

/// Writes what the update says into the record; gives whether anything is new.
fn patch(entry: &mut Entry, tool: &ToolUpdate) -> bool {
    let mut changed = false;
    match &mut entry.item.kind {
        Some(Kind::CommandExecution(command)) => {
            changed |= set(&mut command.command, tool.command.as_ref());
            changed |= set(&mut command.cwd, tool.cwd.as_ref());
            changed |= set(&mut command.signal, tool.signal.as_ref());
            if tool.exit_code.is_some() && command.exit_code != tool.exit_code {
                command.exit_code = tool.exit_code;
                changed = true;
            }
        }
        Some(Kind::FileChange(change)) => {
            changed |= set(&mut change.changes, tool.changes.as_ref());
        }
        Some(Kind::ToolCall(call)) => {
            if let Some(ToolKind::Other(kind)) = tool.kind {
                changed |= set(&mut call.kind, Some(&kind.to_owned()));
            }
            changed |= set(&mut call.title, tool.title.as_ref());
            changed |= set(&mut call.server, tool.server.as_ref());
            changed |= set(&mut call.tool, tool.tool.as_ref());
            changed |= set(&mut call.arguments, tool.arguments.as_ref());
            changed |= set(&mut call.result, tool.result.as_ref());
        }
        _ => {}
    }
    changed
}

fn set<T: Clone + PartialEq>(field: &mut T, value: Option<&T>) -> bool {
    match value {
        Some(value) if field != value => {
            field.clone_from(value);
            true
        }
        _ => false,
    }
}
