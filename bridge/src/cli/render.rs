//! Shows a thread's items to people, live as their events come or whole.
//!
//! What an agent sends is cleaned of control sequences first. Of each item it is remembered how much was shown, so that
//! a repeated, replaced or completed item adds only what is new.

pub(crate) mod item;

use std::collections::HashMap;
use std::io;

use aloft_proto::v1;
use aloft_proto::v1::event::Payload;
use aloft_proto::v1::item::Kind;

use crate::cli::output::{Output, Style};
use crate::cli::text::{self, Cleaner};

/// Shows items and events on standard output.
#[derive(Debug)]
pub(crate) struct Renderer {
    output: Output,
    /// The thread's name, for commands to type.
    name: String,
    shown: HashMap<String, Shown>,
    /// The item whose text is being streamed, and whether its line is unfinished.
    streaming: Option<String>,
    unfinished: bool,
    step: String,
    /// A turn was seen to begin and not to end.
    turn_runs: bool,
}

/// What was shown of an item.
#[derive(Debug, Default)]
struct Shown {
    /// Bytes of its text or output.
    bytes: u64,
    cleaner: Cleaner,
    /// The beginning of a character whose rest has not come.
    rest: Vec<u8>,
    /// What is shown at once: its last form.
    form: String,
}

impl Renderer {
    /// Makes one for the thread of this slug.
    pub(crate) fn new(output: Output, slug: &str) -> Self {
        Self {
            output,
            name: slug.to_owned(),
            shown: HashMap::new(),
            streaming: None,
            unfinished: false,
            step: String::new(),
            turn_runs: false,
        }
    }

    /// Shows what an event brought.
    pub(crate) fn event(&mut self, event: &v1::Event) -> io::Result<()> {
        match &event.payload {
            Some(Payload::ThreadChanged(thread)) => self.thread(thread),
            // That a message waits is worth a word only where another turn is under way.
            Some(Payload::ItemStarted(item)) if !self.turn_runs => {
                self.item(&item::delivered(item), false)
            }
            Some(Payload::ItemStarted(item)) => self.item(item, false),
            // The message of a turn that began before we looked is no news at its end.
            Some(Payload::ItemCompleted(item))
                if item::is_message(item) && !self.shown.contains_key(&item.id) =>
            {
                Ok(())
            }
            Some(Payload::ItemCompleted(item)) => self.item(item, true),
            Some(Payload::ItemAppended(appended)) => {
                self.stream(&appended.item_id, appended.offset, &appended.delta)
            }
            Some(Payload::TurnStarted(_)) => {
                self.turn_runs = true;
                Ok(())
            }
            Some(Payload::TurnCompleted(turn)) => {
                self.turn_runs = false;
                self.turn(turn)
            }
            Some(Payload::DiffChanged(_)) | None => Ok(()),
        }
    }

    /// Shows items that are there already, each turn with its end. The last turn of an `older` page may go on after it.
    pub(crate) fn page(&mut self, page: &v1::ReadThreadResponse, older: bool) -> io::Result<()> {
        for (at, item) in page.items.iter().enumerate() {
            self.item(item, item.state() != v1::ItemState::InProgress)?;
            let rest = &page.items[at + 1..];
            let goes_on = rest.iter().any(|later| later.turn_id == item.turn_id)
                || (older && rest.is_empty());
            let turn = page.turns.iter().find(|turn| turn.id == item.turn_id && !goes_on);
            turn.map_or(Ok(()), |turn| self.turn(turn))?;
        }
        Ok(())
    }

    /// Shows an item, or what is new of it.
    pub(crate) fn item(&mut self, item: &v1::Item, ended: bool) -> io::Result<()> {
        match &item.kind {
            Some(Kind::AgentMessage(message)) => {
                self.stream(&item.id, 0, message.text.as_bytes())?;
                if ended { self.finish() } else { Ok(()) }
            }
            Some(Kind::Reasoning(reasoning)) => {
                if !self.shown.contains_key(&item.id) {
                    self.block(&item.id, &self.output.paint(Style::Dim, "(thinking)"))?;
                }
                self.stream(&item.id, 0, reasoning.text.as_bytes())?;
                if ended { self.finish() } else { Ok(()) }
            }
            Some(Kind::CommandExecution(command)) => {
                if !self.shown.contains_key(&item.id) {
                    self.block(&item.id, &item::command_line(self.output, command))?;
                }
                let tail = command.output.len() as u64;
                self.stream(&item.id, command.output_bytes.saturating_sub(tail), &command.output)?;
                match item::command_end(self.output, command, item.state()) {
                    Some(end) if ended => self.block(&item.id, &end),
                    _ if ended => self.finish(),
                    _ => Ok(()),
                }
            }
            Some(Kind::UserMessage(message))
                if message.delivery() == v1::Delivery::Queued
                    && item.state() != v1::ItemState::Declined
                    && self.shown.contains_key(&item.id) =>
            {
                Ok(())
            }
            Some(Kind::Plan(plan)) => self.plan(&item.id, &item::steps(self.output, plan)),
            Some(kind) => match item::form(self.output, &self.name, kind, item.state(), ended) {
                Some(form) => self.block(&item.id, &form),
                None => Ok(()),
            },
            None => Ok(()),
        }
    }

    /// Ends an unfinished line.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.streaming = None;
        if std::mem::take(&mut self.unfinished) { self.output.bytes(b"\n") } else { Ok(()) }
    }

    /// Shows bytes of a growing text that begin at `offset`; those shown before are left out.
    fn stream(&mut self, id: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let shown = self.shown.entry(id.to_owned()).or_default();
        let end = offset + bytes.len() as u64;
        if end <= shown.bytes {
            return Ok(());
        }
        let skipped = usize::try_from(shown.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let gap = offset.saturating_sub(shown.bytes);
        let mut pending = std::mem::take(&mut shown.rest);
        pending.extend_from_slice(&bytes[skipped.min(bytes.len())..]);
        shown.bytes = end;
        let complete = complete_characters(&pending);
        shown.rest = pending.split_off(complete);
        let mut piece = shown.cleaner.clean(&String::from_utf8_lossy(&pending));
        if gap > 0 {
            let left_out =
                format!("… {} left out: aloft show {} --item {id} …\n", text::size(gap), self.name);
            piece = format!("{}{piece}", self.output.paint(Style::Dim, &left_out));
        }
        if piece.is_empty() {
            return Ok(());
        }
        if self.streaming.as_deref() != Some(id) {
            self.finish()?;
            self.streaming = Some(id.to_owned());
        }
        self.unfinished = !piece.ends_with('\n');
        self.output.bytes(piece.as_bytes())
    }

    /// Shows something whole, unless its last form was the same.
    fn block(&mut self, id: &str, form: &str) -> io::Result<()> {
        let shown = self.shown.entry(id.to_owned()).or_default();
        if shown.form == form {
            return Ok(());
        }
        form.clone_into(&mut shown.form);
        self.finish()?;
        self.output.line(form)
    }

    /// Shows a plan; when it comes again, only the steps that are new or have changed.
    fn plan(&mut self, id: &str, steps: &[String]) -> io::Result<()> {
        let shown = self.shown.entry(id.to_owned()).or_default();
        let first = shown.form.is_empty();
        let news: Vec<&str> = steps
            .iter()
            .map(String::as_str)
            .filter(|step| !shown.form.lines().any(|line| line == *step))
            .collect();
        shown.form = steps.join("\n");
        if news.is_empty() {
            return Ok(());
        }
        self.finish()?;
        if first {
            self.output.line("plan:")?;
        }
        self.output.line(&news.join("\n"))
    }

    fn thread(&mut self, thread: &v1::Thread) -> io::Result<()> {
        let step = match thread.state() {
            v1::ThreadState::Starting if thread.queue_position > 0 => {
                format!("waiting to start, place {}", thread.queue_position)
            }
            v1::ThreadState::Starting => text::line(&thread.step, 100),
            v1::ThreadState::Paused => "paused".to_owned(),
            v1::ThreadState::Deleting => "being deleted".to_owned(),
            v1::ThreadState::Failed => {
                let error = thread.error.clone().unwrap_or_default();
                format!("failed: {}", text::clean(&error.message))
            }
            v1::ThreadState::Unspecified
            | v1::ThreadState::Running
            | v1::ThreadState::RequiresAction
            | v1::ThreadState::Idle => String::new(),
        };
        if step.is_empty() || step == self.step {
            return Ok(());
        }
        self.finish()?;
        self.step.clone_from(&step);
        self.output.line(&self.output.paint(Style::Dim, &format!("· {step}")))
    }

    /// Shows how a turn ended.
    fn turn(&mut self, turn: &v1::Turn) -> io::Result<()> {
        self.finish()?;
        let millis = |moment: &Option<prost_types::Timestamp>| {
            moment.as_ref().map_or(0, |at| at.seconds * 1000 + i64::from(at.nanos) / 1_000_000)
        };
        let took = text::took(
            u64::try_from(millis(&turn.end_time) - millis(&turn.start_time)).unwrap_or(0),
        );
        let (style, words) = match turn.state() {
            v1::TurnState::Completed => {
                (Style::Green, format!("turn {} completed in {took}", turn.number))
            }
            v1::TurnState::Interrupted => {
                (Style::Yellow, format!("turn {} stopped after {took}", turn.number))
            }
            v1::TurnState::Failed => {
                (Style::Red, format!("turn {} failed after {took}", turn.number))
            }
            v1::TurnState::Running | v1::TurnState::Unspecified => return Ok(()),
        };
        self.output.line(&self.output.paint(style, &format!("— {words}")))?;
        if let Some(error) = &turn.error {
            self.output.line(&format!("  {}", text::clean(&error.message)))?;
            if !error.hint.is_empty() {
                self.output.line(&format!("  hint: {}", text::clean(&error.hint)))?;
            }
        }
        Ok(())
    }
}

/// Returns how many of these bytes are no beginning of a character still to come.
fn complete_characters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Ok(_) | Err(_) => {
            // Bytes that are no UTF-8 at all may still be followed by the beginning of a character.
            let from = bytes.len().saturating_sub(3);
            let start = (from..bytes.len()).rev().find(|&at| bytes[at] >= 0xc0);
            match start {
                Some(at)
                    if std::str::from_utf8(&bytes[at..])
                        .is_err_and(|error| error.error_len().is_none()) =>
                {
                    at
                }
                _ => bytes.len(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_cut_in_two_is_shown_whole() {
        let cases: [(&[u8], usize); 6] = [
            (b"ab", 2),
            ("é".as_bytes(), 2),
            (b"a\xc3", 1),
            (b"\xff\xc3", 1),
            (b"\xff\xff", 2),
            (b"\xf0\x9f\x98", 0),
        ];
        for (bytes, complete) in cases {
            assert_eq!(complete_characters(bytes), complete, "{bytes:?}");
        }
    }
}
