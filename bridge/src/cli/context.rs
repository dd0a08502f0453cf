//! What every command has: the configuration, the cloud, and where it prints.

use std::sync::OnceLock;
use std::time::Duration;

use aloft_proto::v1;
use serde_json::json;

use crate::cli::failure::{Exit, Failure, Outcome};
use crate::cli::output::Output;
use crate::cli::text;
use crate::client::Client;
use crate::config::Config;
use crate::offline::{Change, Handed, Offline};
use crate::protocol::error::Error;
use crate::protocol::kept::Kept;
use crate::protocol::thread::Thread;
use crate::protocol::time::Time;
use crate::ssh::Ssh;

/// How long another bridge that delivers is waited for: what is asked for now comes after what was asked for before.
const PATIENCE: Duration = Duration::from_secs(40);
/// Characters of a refused message that are shown.
const WORDS: usize = 500;

/// What every command has.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// The configuration.
    pub(crate) config: Config,
    /// The cloud.
    pub(crate) client: Client,
    /// What is kept for the cloud, and what was last seen of it.
    pub(crate) offline: Offline,
    /// Where to print.
    pub(crate) output: Output,
    /// Why the cloud cannot be reached, once that is known: nobody waits for it twice.
    unreachable: OnceLock<Error>,
}

impl Context {
    /// Prepares a command; nothing is asked of a cloud yet.
    pub(crate) fn new(config: Config, output: Output) -> Result<Self, Error> {
        let client = Client::new(&config)?;
        let offline = Offline::new(&config);
        Ok(Self { config, client, offline, output, unreachable: OnceLock::new() })
    }

    /// Delivers what was kept for the cloud, by this bridge or another, and tells what became of it.
    pub(crate) async fn catch_up(&self) {
        let delivering = self.offline.deliver(&self.client, PATIENCE);
        let delivery = self.output.waiting("delivering what was kept", delivering).await;
        for kept in &delivery.delivered {
            self.output.note(&format!(
                "delivered to {}: the {} of {}",
                text::line(&kept.slug, 80),
                kept.what(),
                text::ago(kept.time, Time::now())
            ));
        }
        if let Some(error) = delivery.error {
            if error.is_offline() {
                self.unreachable.set(error).ok();
            } else {
                self.output
                    .warn(&format!("what is kept waits on: {}", text::clean(&error.message)));
            }
        }
        self.tell_refused();
    }

    /// Rings the bell where the configuration wants it.
    pub(crate) fn bell(&self) {
        if self.config.settings.notices.bell.unwrap_or_default() {
            self.output.bell();
        }
    }

    /// Returns why the cloud cannot be reached, where that is known.
    pub(crate) fn unreachable(&self) -> Option<&Error> {
        self.unreachable.get()
    }

    /// Returns a thread by id, unique prefix, slug or `@last`.
    pub(crate) async fn thread(&self, name: &str) -> Result<v1::Thread, Error> {
        Ok(self.find(name).await?.0)
    }

    /// Returns a thread and its newest cursor; where the cloud cannot be reached, as it was last seen.
    pub(crate) async fn find(&self, name: &str) -> Result<(v1::Thread, u64), Error> {
        let finding = self.offline.find(&self.client, name, self.unreachable());
        let (response, last_seen) = self.output.waiting("asking the cloud", finding).await?;
        let thread = response.thread.unwrap_or_default();
        if last_seen.is_some() {
            self.unreachable.get_or_init(|| self.client.unreachable());
        } else {
            self.seen(&thread);
        }
        Ok((thread, response.cursor))
    }

    /// Returns this machine's ssh and this cloud.
    pub(crate) fn ssh(&self) -> Ssh {
        Ssh::new(&self.config, self.client.clone())
    }

    /// Keeps the name of a thread true for ssh.
    pub(crate) fn seen(&self, thread: &v1::Thread) {
        if let Err(error) = self.ssh().learn(thread) {
            tracing::debug!(%error, "the names of hosts stay as they are");
        }
    }

    /// Gives a request to the cloud, or keeps it where the cloud cannot be reached.
    pub(crate) async fn hand<Request: Change>(
        &self,
        what: &str,
        request: Request,
    ) -> Result<Handed<Request::Answer>, Error> {
        let handing = self.offline.hand(&self.client, request, self.unreachable());
        self.output.waiting(what, handing).await
    }

    /// Tells that a request is kept. That is what was asked for, done: to send it again would send it twice. Only who
    /// waits for more waits in vain.
    pub(crate) fn kept(&self, kept: &Kept, waits: bool) -> Outcome {
        if self.output.json {
            self.output.json(&json!({ "kept": kept }))?;
        } else {
            self.output.line(&format!(
                "kept; the {} to {} will be delivered when the cloud is back",
                kept.what(),
                kept.slug
            ))?;
        }
        Ok(if waits { Exit::Unreachable } else { Exit::Done })
    }

    /// Warns that what is printed is not how things are now but were; says how the command ends.
    pub(crate) fn as_seen(&self, what: &str, last_seen: Option<Time>) -> Exit {
        let Some(time) = last_seen else { return Exit::Done };
        let seen = text::ago(time, Time::now());
        self.output.warn(&format!("the cloud cannot be reached; {what} as last seen, {seen}"));
        Exit::Unreachable
    }

    /// Prints a thread once: as JSON, or as the sentence given.
    pub(crate) fn print_thread(&self, thread: v1::Thread, sentence: &str) -> Result<(), Failure> {
        self.seen(&thread);
        if self.output.json {
            self.output.json(&Thread::from(thread))?;
        } else {
            self.output.line(sentence)?;
        }
        Ok(())
    }

    /// Tells what the cloud refused of what was kept. It is told again until a person can have seen it: on a terminal, or in
    /// an editor.
    fn tell_refused(&self) {
        for kept in self.offline.refused().unwrap_or_default() {
            let why = kept.error.as_ref().map(|error| error.message.as_str()).unwrap_or_default();
            self.output.warn(&format!(
                "the {} to {} that was kept was not taken: {}",
                kept.what(),
                text::line(&kept.slug, 80),
                text::clean(why)
            ));
            if let Some(words) = &kept.text {
                self.output.note(&format!("  it was: {}", text::line(words, WORDS)));
            }
            if self.output.error_terminal {
                self.offline.remove(&kept.request_id).ok();
            }
        }
    }
}
