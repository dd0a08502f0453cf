//! What the model is told before the conversation, and the form in which a person's prompt reaches it.

use std::{fmt::Write as _, path::Path, process::Command};

use ignore::WalkBuilder;

use crate::agent::{coder::conversation::Part, stdio::message::Block};

/// Names under which projects keep instructions for agents.
const INSTRUCTION_FILES: [&str; 3] = ["AGENTS.md", "CLAUDE.md", ".github/copilot-instructions.md"];
/// Of all instructions together.
const MAX_INSTRUCTIONS: usize = 64 * 1024;
/// How deep nested instructions are looked for.
const MAX_DEPTH: usize = 6;
/// How many entries are looked at for them.
const MAX_ENTRIES: usize = 50_000;

const RULES: &str = "You are a coding agent. You work by yourself in a sandbox on a git checkout; a person reads along and sees every step.

- Do what is asked, all of it, and no more. Look at the code before you change it, and follow its style.
- For work of several steps keep a plan with update_plan; have one step in progress, and bring it up to date as you go.
- Find things with search and list_files, read with read_file, change with edit_file, and write_file for new files. Use run for builds, tests and everything else.
- Check your work: run the tests or the program where there are any. Say plainly what you could not check.
- There is no network beyond what the sandbox allows. Nobody can type into a command: use flags that do not ask. Nothing may stay running in the background.
- Do not commit, push, or change git's configuration unless asked; what you change is recorded by itself.
- If a person declines an action, do not try it another way: go on without it, or say what you need.
- Answer in short Markdown. End with what you did and what is left, in a few sentences.";

/// The system prompt for a workspace. Reads files, so it blocks.
pub(super) fn system(workspace: &Path) -> String {
    let mut text = format!(
        "{RULES}\n\nThe workspace is {}. Relative paths start there, and commands run there.\n",
        workspace.display()
    );
    if let Some(branch) = branch(workspace) {
        let _infallible = writeln!(text, "The git branch is {branch}.");
    }
    let mut room = MAX_INSTRUCTIONS;
    let mut seen: Vec<String> = Vec::new();
    for name in instruction_files(workspace) {
        let Ok(content) = std::fs::read_to_string(workspace.join(&name)) else { continue };
        let content = content.trim().to_owned();
        // One file is often a link to, or a copy of, the other.
        if content.is_empty() || seen.contains(&content) {
            continue;
        }
        let folder = Path::new(&name).parent().filter(|_| !name.starts_with(".github"));
        let scope = match folder {
            Some(folder) if folder != Path::new("") => {
                format!("for {}/ and below", folder.display())
            }
            _ => "for the whole project".to_owned(),
        };
        if content.len() > room {
            let _infallible = write!(
                text,
                "\n{name} holds further instructions {scope}: read it before you work there.\n"
            );
            continue;
        }
        room -= content.len();
        let _infallible = write!(
            text,
            "\n<instructions file=\"{name}\" scope=\"{scope}\">\n{content}\n</instructions>\n"
        );
        seen.push(content);
    }
    text
}

/// Paths within the workspace, its root's first.
fn instruction_files(workspace: &Path) -> Vec<String> {
    let mut files: Vec<String> = INSTRUCTION_FILES.map(str::to_owned).to_vec();
    let mut nested: Vec<String> = WalkBuilder::new(workspace)
        .max_depth(Some(MAX_DEPTH))
        .build()
        .take(MAX_ENTRIES)
        .filter_map(Result::ok)
        .filter(|entry| entry.depth() > 1 && entry.file_type().is_some_and(|kind| kind.is_file()))
        .filter(|entry| INSTRUCTION_FILES[..2].iter().any(|name| entry.file_name() == *name))
        .filter_map(|entry| Some(entry.path().strip_prefix(workspace).ok()?.to_str()?.to_owned()))
        .collect();
    nested.sort();
    files.extend(nested);
    files
}

fn branch(workspace: &Path) -> Option<String> {
    let output = Command::new("git")
        .args(["symbolic-ref", "--short", "HEAD"])
        .current_dir(workspace)
        .output()
        .ok()?;
    let branch = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !branch.is_empty()).then_some(branch)
}

/// A person's words, pictures and files as parts of a message.
pub(super) fn parts(blocks: &[Block]) -> Vec<Part> {
    blocks
        .iter()
        .filter_map(|block| match block {
            Block::Text { text } if text.is_empty() => None,
            Block::Text { text } => Some(Part::text(text)),
            Block::Image { mime_type, data } => {
                Some(Part::Image { mime_type: mime_type.clone(), data: data.clone() })
            }
            Block::ResourceLink { uri, .. } => {
                Some(Part::text(format!("[the person points at the file {}]", path_of(uri))))
            }
            Block::Resource { resource } => {
                let path = path_of(resource["uri"].as_str().unwrap_or("unnamed"));
                Some(Part::text(match resource["text"].as_str() {
                    Some(text) => format!("<file path=\"{path}\">\n{text}\n</file>"),
                    None => format!("[the person attached {path}, which is no text]"),
                }))
            }
            Block::Unknown => None,
        })
        .collect()
}

fn path_of(uri: &str) -> &str {
    uri.strip_prefix("file://").unwrap_or(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_of_root_and_below_come_once() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("AGENTS.md", "use tabs");
        write("CLAUDE.md", "use tabs\n");
        write(".github/copilot-instructions.md", "be kind");
        write("web/app/AGENTS.md", "no jquery");
        write("huge/AGENTS.md", &"x".repeat(MAX_INSTRUCTIONS + 1));
        let text = system(folder.path());
        assert_eq!(text.matches("use tabs").count(), 1);
        assert!(text.contains("scope=\"for web/app/ and below\">\nno jquery"), "{text}");
        assert!(text.contains("scope=\"for the whole project\">\nbe kind"), "{text}");
        assert!(text.contains("huge/AGENTS.md holds further instructions"), "{text}");
    }
}
