//! Changes files for the model, after asking where a person wants to be asked.

use std::path::PathBuf;

use serde::Deserialize;

use crate::agent::{
    coder::{
        approvals::Sort,
        tools::{Call, Outcome, blocking, files::text_of},
    },
    stdio::message::{Content, Kind, Location, Status, ToolCall, Update},
};

#[derive(Deserialize)]
struct Edit {
    path: String,
    old_text: String,
    new_text: String,
    #[serde(default)]
    replace_all: bool,
}

#[derive(Deserialize)]
struct Write {
    path: String,
    content: String,
}

/// A change of one file, not yet made.
struct Change {
    path: PathBuf,
    /// Nothing = the file is new, or was no text.
    old_text: Option<String>,
    new_text: String,
}

pub(super) async fn edit(call: &Call<'_>) -> Result<String, Outcome> {
    let arguments: Edit = call.arguments()?;
    let path = call.path(&arguments.path);
    let place = path.clone();
    let planned = blocking(call.session, move || {
        let old_text = text_of(&place)?;
        let new_text = replaced(&old_text, &arguments)?;
        Ok(Change { path: place, old_text: Some(old_text), new_text })
    });
    match planned.await? {
        Ok(change) => make(call, change).await,
        Err(words) => {
            let title = format!("Edit {}", call.shown(&path).display());
            call.looking(Kind::Edit, title, &path).await;
            call.looked(Err(words)).await
        }
    }
}

pub(super) async fn write(call: &Call<'_>) -> Result<String, Outcome> {
    let arguments: Write = call.arguments()?;
    let path = call.path(&arguments.path);
    let place = path.clone();
    let old_text = blocking(call.session, move || Ok(text_of(&place).ok())).await?;
    let old_text = old_text.map_err(Outcome::Failed)?;
    make(call, Change { path, old_text, new_text: arguments.content }).await
}

async fn make(call: &Call<'_>, change: Change) -> Result<String, Outcome> {
    let shown = call.shown(&change.path).display().to_string();
    let path = change.path.display().to_string();
    let verb = if change.old_text.is_some() { "Edit" } else { "Write" };
    let action = ToolCall {
        tool_call_id: call.id.clone(),
        title: Some(format!("{verb} {shown}")),
        kind: Some(Kind::Edit),
        status: Some(Status::Pending),
        content: Some(vec![Content::Diff {
            path: path.clone(),
            old_text: change.old_text.clone(),
            new_text: change.new_text.clone(),
        }]),
        locations: Some(vec![Location { path, line: first_changed_line(&change) }]),
        ..ToolCall::default()
    };
    call.session.update(Update::ToolCall(action.clone())).await;
    if let Err(outcome) = call.approvals.ask(call.session, Sort::Edit, &action).await {
        if outcome == Outcome::Stopped {
            let failed = ToolCall::status(&call.id, Status::Failed);
            call.session.update(Update::ToolCallUpdate(failed)).await;
        }
        return Err(outcome);
    }
    // Not to be cut short: a stop must not leave half a file.
    let written = tokio::task::spawn_blocking(move || store(&change)).await;
    let written = written.unwrap_or_else(|_| Err("the tool itself broke down".to_owned()));
    let status = if written.is_ok() { Status::Completed } else { Status::Failed };
    call.session.update(Update::ToolCallUpdate(ToolCall::status(&call.id, status))).await;
    written.map(|()| format!("{shown} is written.")).map_err(Outcome::Failed)
}

fn store(change: &Change) -> Result<(), String> {
    let failed =
        |error: std::io::Error| format!("{} cannot be written: {error}", change.path.display());
    // A person may have taken long to answer.
    if let Some(old_text) = &change.old_text
        && text_of(&change.path).as_ref() != Ok(old_text)
    {
        return Err(format!(
            "{} was changed by someone else meanwhile; read it again",
            change.path.display()
        ));
    }
    if let Some(folder) = change.path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(&change.path, &change.new_text).map_err(failed)
}

fn replaced(text: &str, edit: &Edit) -> Result<String, String> {
    if edit.old_text.is_empty() {
        return Err("old_text is empty; to write a whole file use write_file".to_owned());
    }
    if edit.old_text == edit.new_text {
        return Err("old_text and new_text are the same".to_owned());
    }
    // Models write line feeds, also into files that have carriage returns.
    let (old, new) = if text.contains(&edit.old_text) || !text.contains("\r\n") {
        (edit.old_text.clone(), edit.new_text.clone())
    } else {
        let with_returns = |text: &str| text.replace("\r\n", "\n").replace('\n', "\r\n");
        (with_returns(&edit.old_text), with_returns(&edit.new_text))
    };
    let places: Vec<usize> = text.match_indices(&old).map(|(at, _)| line_at(text, at)).collect();
    match &places[..] {
        [] => Err(not_found(text, &old)),
        [_] => Ok(text.replacen(&old, &new, 1)),
        _ if edit.replace_all => Ok(text.replace(&old, &new)),
        lines => {
            let lines: Vec<String> = lines.iter().take(10).map(ToString::to_string).collect();
            Err(format!(
                "old_text is there {} times, at lines {}; give more lines around the one you mean, or set replace_all",
                places.len(),
                lines.join(", ")
            ))
        }
    }
}

/// Says where something like it is, for most misses are misses of whitespace.
fn not_found(text: &str, old: &str) -> String {
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted: Vec<String> = old.lines().map(squeeze).filter(|line| !line.is_empty()).collect();
    let lines: Vec<(usize, String)> = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, squeeze(line)))
        .filter(|(_, line)| !line.is_empty())
        .collect();
    let alike = |window: &&[(usize, String)]| {
        window.iter().zip(&wanted).all(|((_, line), wanted)| line == wanted)
    };
    if let Some(window) =
        (!wanted.is_empty()).then(|| lines.windows(wanted.len()).find(alike)).flatten()
    {
        let (first, last) = (window[0].0, window[window.len() - 1].0);
        return format!(
            "old_text is not in the file, but lines {first} to {last} differ from it in whitespace alone; read them and copy them exactly"
        );
    }
    let first = wanted.first().map(String::as_str).unwrap_or_default();
    match lines.iter().find(|(_, line)| line == first) {
        Some((line, _)) => format!(
            "old_text is not in the file; its first line is at line {line}, but what follows differs; read the file again"
        ),
        None => "old_text is not in the file; read the file again".to_owned(),
    }
}

fn line_at(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn first_changed_line(change: &Change) -> Option<u32> {
    let old = change.old_text.as_ref()?;
    let same = old.lines().zip(change.new_text.lines()).take_while(|(old, new)| old == new).count();
    u32::try_from(same + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(text: &str, old: &str, new: &str, replace_all: bool) -> Result<String, String> {
        let (path, old_text, new_text) = (String::new(), old.to_owned(), new.to_owned());
        replaced(text, &Edit { path, old_text, new_text, replace_all })
    }

    #[test]
    fn replaces_what_is_there_once() {
        assert_eq!(edit("a\nb\n", "b", "c", false).unwrap(), "a\nc\n");
        assert_eq!(edit("a\r\nb\r\nc\r\n", "a\nb", "x\ny", false).unwrap(), "x\r\ny\r\nc\r\n");
        assert_eq!(edit("a a", "a", "b", true).unwrap(), "b b");
    }

    #[test]
    fn says_what_would_help() {
        let error = |text, old| edit(text, old, "new", false).unwrap_err();
        assert!(error("a\nx\na\n", "a").contains("2 times, at lines 1, 3"));
        let whitespace = error("fn x() {\n\treturn 1;\n}\n", "fn x() {\n    return 1;");
        assert!(
            whitespace.contains("lines 1 to 2 differ from it in whitespace alone"),
            "{whitespace}"
        );
        assert!(error("one\ntwo\n", "one\nthree").contains("first line is at line 1"));
        assert!(error("one\n", "zero").contains("read the file again"));
        assert!(error("one\n", "").contains("write_file"));
    }

    #[test]
    fn does_not_write_over_what_someone_else_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "theirs").unwrap();
        let change =
            Change { path: path.clone(), old_text: Some("ours".into()), new_text: "x".into() };
        assert!(store(&change).unwrap_err().contains("someone else"));
        assert_eq!(std::fs::read_to_string(path).unwrap(), "theirs");
    }
}
