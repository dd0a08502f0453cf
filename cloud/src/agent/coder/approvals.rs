//! What a person allowed once and for all in a session.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::agent::{
    coder::tools::Outcome,
    stdio::{
        message::{Answer, Mode, ToolCall, Update},
        session::Session,
    },
};

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// A change of a file.
    Edit,
    /// A command.
    Command,
}

/// What needs no more asking, kept in the session's folder.
#[derive(Debug)]
pub(super) struct Approvals {
    path: PathBuf,
    given: Mutex<Given>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Given {
    edits: bool,
    commands: bool,
}

impl Approvals {
    /// Those of a session; none where the file cannot be read, so that a person is asked again.
    pub(super) fn open(session: &Session) -> Self {
        let path = session.folder().join("approvals.json");
        let given = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self { path, given: Mutex::new(given.unwrap_or_default()) }
    }

    /// Asks about `action` where the mode, as it is at this moment, wants that. An action that goes on is in progress after it.
    pub(super) async fn ask(
        &self,
        session: &Session,
        sort: Sort,
        action: &ToolCall,
    ) -> Result<(), Outcome> {
        if session.is_stopped() {
            return Err(Outcome::Stopped);
        }
        if session.mode() == Mode::Auto || self.has(sort) {
            return Ok(());
        }
        match session.ask(action).await {
            Answer::AllowOnce => Ok(()),
            Answer::AllowAlways => {
                self.give(sort);
                Ok(())
            }
            Answer::Reject => {
                let declined = ToolCall::declined(&action.tool_call_id);
                session.update(Update::ToolCallUpdate(declined)).await;
                Err(Outcome::Declined)
            }
            Answer::Cancelled => Err(Outcome::Stopped),
        }
    }

    fn has(&self, sort: Sort) -> bool {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        match sort {
            Sort::Edit => given.edits,
            Sort::Command => given.commands,
        }
    }

    fn give(&self, sort: Sort) {
        let given = {
            let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
            match sort {
                Sort::Edit => given.edits = true,
                Sort::Command => given.commands = true,
            }
            *given
        };
        let kept = serde_json::to_vec(&given).map_err(Into::into);
        if let Err(error) = kept.and_then(|bytes| std::fs::write(&self.path, bytes)) {
            tracing::warn!(%error, "a permission given for good is forgotten with this process");
        }
    }
}
