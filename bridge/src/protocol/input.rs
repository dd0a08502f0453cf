//! The parts of a person's message.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One part of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Input {
    /// Words.
    Text {
        /// Markdown.
        text: String,
    },
    /// A picture.
    Image {
        /// For example `image/png`.
        mime_type: String,
        /// The picture, in base64.
        data: String,
    },
    /// A file of the workspace.
    File {
        /// Relative to the workspace.
        path: String,
        /// The part meant; absent = all.
        #[serde(skip_serializing_if = "Option::is_none")]
        range: Option<Range>,
        /// The commit it was seen at.
        #[serde(skip_serializing_if = "Option::is_none")]
        commit: Option<String>,
    },
    /// A part of a file, with its text as the person saw it.
    Selection {
        /// Relative to the workspace.
        path: String,
        /// Where it stands.
        range: Range,
        /// The text selected.
        text: String,
        /// The commit it was seen at.
        #[serde(skip_serializing_if = "Option::is_none")]
        commit: Option<String>,
    },
    /// A part this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// A range as in LSP: zero-based lines, UTF-16 characters, the end excluded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Range {
    /// Its first position.
    pub start: Position,
    /// The position after its last.
    pub end: Position,
}

/// A position as in LSP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Position {
    /// Zero-based.
    pub line: u32,
    /// In UTF-16 code units.
    pub character: u32,
}
