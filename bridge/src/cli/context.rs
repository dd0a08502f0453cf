//! What every command has: the configuration, the cloud, and where it prints.

use aloft_proto::v1;

use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::client::Client;
use crate::config::Config;
use crate::protocol::error::Error;
use crate::protocol::thread::Thread;
use crate::ssh::Ssh;

/// What every command has.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// The configuration.
    pub(crate) config: Config,
    /// The cloud.
    pub(crate) client: Client,
    /// Where to print.
    pub(crate) output: Output,
}

impl Context {
    /// Returns a thread by id, unique prefix, slug or `@last`.
    pub(crate) async fn thread(&self, name: &str) -> Result<v1::Thread, Error> {
        Ok(self.find(name).await?.0)
    }

    /// Returns a thread and its newest cursor.
    pub(crate) async fn find(&self, name: &str) -> Result<(v1::Thread, u64), Error> {
        let request = v1::GetThreadRequest { thread_id: name.to_owned() };
        let response =
            self.output.waiting("asking the cloud", self.client.get_thread(request)).await?;
        let thread = response.thread.unwrap_or_default();
        self.seen(&thread);
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
}
