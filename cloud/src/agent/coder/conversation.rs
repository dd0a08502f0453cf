//! What was said in a session, in a form of its own: each API's form is made of it, and a file in the session's folder keeps it.
//!
//! The file is JSON lines. Each message is appended whole before anything is done about it, so a kill loses at most what the
//! model was saying; a torn last line is dropped.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Put in place of what was removed to make room.
const REMOVED: &str = "[removed to make room; look again if you need it]";
/// Messages at the end that are never trimmed.
const KEPT_MESSAGES: usize = 4;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    /// The person, or a tool.
    User,
    /// The model.
    Assistant,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) role: Role,
    pub(super) parts: Vec<Part>,
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Part {
    /// Words.
    Text { text: String },
    /// A picture, in base64.
    Image { mime_type: String, data: String },
    /// The model's thoughts, with what its API wants back unchanged.
    Thought {
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    /// A call of a tool. `broken` = the arguments as they came, which are no JSON object.
    Call {
        id: String,
        name: String,
        arguments: Value,
        #[serde(skip_serializing_if = "Option::is_none")]
        broken: Option<String>,
    },
    /// What came of a call.
    Result { id: String, text: String, failed: bool },
}

impl Part {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }
}

/// A session's messages and their file.
#[derive(Debug)]
pub(super) struct Conversation {
    path: PathBuf,
    messages: Vec<Message>,
}

impl Conversation {
    /// Opens what is kept in `folder`; answers calls that were cut off by the end of an earlier process.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join("conversation.jsonl");
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut messages = Vec::new();
        for line in bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            messages.push(serde_json::from_slice(line)?);
        }
        let mut conversation = Self { path, messages };
        if whole < bytes.len() {
            conversation.rewrite()?;
        }
        conversation.answer_open_calls("interrupted: the agent was ended before this was done")?;
        Ok(conversation)
    }

    pub(super) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Adds a message and keeps it.
    pub(super) fn push(&mut self, role: Role, parts: Vec<Part>) -> io::Result<()> {
        if parts.is_empty() {
            return Ok(());
        }
        let message = Message { role, parts };
        let mut line = serde_json::to_vec(&message)?;
        line.push(b'\n');
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(&line)?;
        file.sync_data()?;
        self.messages.push(message);
        Ok(())
    }

    /// Answers all calls of the last message that have no result; the APIs want one for each.
    pub(super) fn answer_open_calls(&mut self, words: &str) -> io::Result<()> {
        let Some(start) = self.messages.iter().rposition(|message| message.role == Role::Assistant)
        else {
            return Ok(());
        };
        let answered: Vec<&str> = self.messages[start + 1..]
            .iter()
            .flat_map(|message| &message.parts)
            .filter_map(|part| match part {
                Part::Result { id, .. } => Some(id.as_str()),
                _ => None,
            })
            .collect();
        let open = self.messages[start].parts.iter().filter_map(|part| match part {
            Part::Call { id, .. } if !answered.contains(&id.as_str()) => {
                Some(Part::Result { id: id.clone(), text: words.to_owned(), failed: true })
            }
            _ => None,
        });
        let open: Vec<Part> = open.collect();
        self.push(Role::User, open)
    }

    /// Makes room: removes about half of what tools said and people showed, the oldest first. False = nothing is left to remove.
    pub(super) fn trim(&mut self) -> io::Result<bool> {
        let end = self.messages.len().saturating_sub(KEPT_MESSAGES);
        let size = |part: &Part| match part {
            Part::Result { text, .. } if text.len() > REMOVED.len() => text.len(),
            Part::Image { data, .. } => data.len(),
            _ => 0,
        };
        // With nothing old enough, the newest results have to go too: only the last message stays.
        let old: usize =
            self.messages[..end].iter().flat_map(|message| &message.parts).map(size).sum();
        let end = if old > 0 { end } else { self.messages.len().saturating_sub(1) };
        let parts = || self.messages[..end].iter().flat_map(|message| &message.parts);
        let total: usize = parts().map(size).sum();
        if total == 0 {
            return Ok(false);
        }
        let mut removed = 0;
        for part in self.messages[..end].iter_mut().flat_map(|message| &mut message.parts) {
            if removed * 2 >= total {
                break;
            }
            removed += size(part);
            match part {
                Part::Result { text, .. } if text.len() > REMOVED.len() => *text = REMOVED.into(),
                Part::Image { .. } => *part = Part::text("[a picture was removed to make room]"),
                _ => {}
            }
        }
        self.rewrite()?;
        Ok(true)
    }

    /// Writes all of it anew, at once or not at all.
    fn rewrite(&self) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        for message in &self.messages {
            let mut line = serde_json::to_vec(message)?;
            line.push(b'\n');
            file.write_all(&line)?;
        }
        file.sync_data()?;
        std::fs::rename(&new, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(id: &str) -> Part {
        Part::Call { id: id.into(), name: "run".into(), arguments: json!({}), broken: None }
    }

    fn result(id: &str, text: &str) -> Part {
        Part::Result { id: id.into(), text: text.into(), failed: false }
    }

    #[test]
    fn remembers_and_drops_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let mut conversation = Conversation::open(folder.path()).unwrap();
        conversation.push(Role::User, vec![Part::text("hello")]).unwrap();
        let path = folder.path().join("conversation.jsonl");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"role\":\"us").unwrap();
        let mut again = Conversation::open(folder.path()).unwrap();
        assert_eq!(again.messages(), conversation.messages());
        again.push(Role::Assistant, vec![Part::text("hi")]).unwrap();
        assert_eq!(Conversation::open(folder.path()).unwrap().messages().len(), 2);
    }

    #[test]
    fn a_call_without_result_gets_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut conversation = Conversation::open(folder.path()).unwrap();
        conversation.push(Role::Assistant, vec![call("a"), call("b")]).unwrap();
        conversation.push(Role::User, vec![result("a", "done")]).unwrap();
        let again = Conversation::open(folder.path()).unwrap();
        let last = again.messages().last().unwrap();
        assert!(matches!(&last.parts[..], [Part::Result { id, failed: true, .. }] if id == "b"));
        assert_eq!(Conversation::open(folder.path()).unwrap().messages().len(), 3);
    }

    #[test]
    fn trims_the_oldest_results_until_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let mut conversation = Conversation::open(folder.path()).unwrap();
        for number in 0..6 {
            let id = number.to_string();
            conversation.push(Role::Assistant, vec![call(&id)]).unwrap();
            conversation.push(Role::User, vec![result(&id, &"x".repeat(1000))]).unwrap();
        }
        let long = |conversation: &Conversation| {
            let parts = conversation.messages().iter().flat_map(|message| &message.parts);
            parts
                .filter(|part| matches!(part, Part::Result { text, .. } if text.len() > 500))
                .count()
        };
        let mut left = vec![];
        while conversation.trim().unwrap() {
            left.push(long(&conversation));
        }
        assert_eq!(left, [4, 3, 2, 1]);
        assert_eq!(Conversation::open(folder.path()).unwrap().messages(), conversation.messages());
    }
}
