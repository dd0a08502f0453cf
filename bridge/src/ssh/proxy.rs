//! `aloft ssh-proxy`: what ssh starts instead of dialing. Its standard streams carry the bytes of ssh and nothing else.
//!
//! It is started where nothing of ours is set, by an editor for one: all it needs is in its arguments and in our folder.

use std::path::Path;

use aloft_proto::v1;
use aloft_proto::v1::tunnel_header::Target;

use crate::config::Environment;
use crate::protocol::error::Error;
use crate::ssh::hosts::{bare, thread_of};
use crate::ssh::{Folder, Key, Ssh, Tunnel};
use crate::stdio;

/// What is told while and after bytes are carried, for standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word<'a> {
    /// What is waited for.
    Progress(&'a str),
    /// What to do should ssh fail now.
    Advice(&'a str),
}

/// Returns the environment with what our folder remembers of it.
pub fn environment(data: &Path, mut environment: Environment) -> Environment {
    environment.data_dir = Some(data.to_owned());
    if let Ok(hosts) = Folder::new(data).read()
        && !hosts.place.config.as_os_str().is_empty()
    {
        environment.config_dir = Some(hosts.place.config);
        environment.runtime_dir = Some(hosts.place.runtime);
        environment.cloud_program = hosts.place.cloud_program.or(environment.cloud_program);
    }
    environment
}

/// Returns the cloud a host is of, where its name says so.
pub fn cloud_of(data: &Path, host: &str) -> Option<String> {
    let hosts = Folder::new(data).read().ok()?;
    let rest = bare(host)?;
    let labelled = hosts
        .labelled()
        .into_iter()
        .find(|one| one.label.as_ref().is_some_and(|label| rest.ends_with(&format!(".{label}"))));
    Some(labelled?.name.to_owned())
}

impl Ssh {
    /// Carries the bytes of our standard streams to the SSH server of a host.
    pub async fn proxy(
        &self,
        host: &str,
        mut tell: impl FnMut(Word<'_>) + Send,
    ) -> Result<(), Error> {
        let hosts = self.folder.read().unwrap_or_default();
        let thread = thread_of(host, hosts.label_of(&self.cloud).as_deref());
        let progress = |text: &str| tell(Word::Progress(text));
        stdio::widen();
        let pipes = stdio::pipes();
        let tunnel = Tunnel::open(&self.client, thread, Target::Ssh(true), pipes, progress).await?;
        // ssh read its config before it started us: what it does not know yet it knows the next time.
        let unknown = bare(host).is_some()
            && thread != tunnel.thread
            && self.folder.is_used()
            && hosts.host(&self.cloud, &tunnel.thread).is_none_or(|known| known != host);
        if unknown && self.find(&tunnel.thread).await.is_ok() {
            tell(Word::Advice(&format!(
                "{host} was new to ssh and is known from now on: where the host key is refused, do the same again"
            )));
        }
        let aside = self.look_after(&mut tell);
        let carried = async {
            match tunnel.stand().await? {
                Some(tunnel) => tunnel.carry(stdio::input(), stdio::output()).await,
                None => Ok(()),
            }
        };
        let mut carried = std::pin::pin!(carried);
        let done = tokio::select! {
            done = &mut carried => done,
            () = aside => carried.await,
        };
        stdio::restore();
        done
    }

    /// Takes in the name of the thread with this id.
    async fn find(&self, id: &str) -> Result<(), Error> {
        let request = v1::GetThreadRequest { thread_id: id.to_owned() };
        let thread = self.client.get_thread(request).await?.thread.unwrap_or_default();
        Ok(self.learn(&thread)?)
    }

    /// While bytes are carried: renews the certificate for the next time, and says where the key is the reason of a refusal.
    async fn look_after(&self, tell: &mut (impl FnMut(Word<'_>) + Send)) {
        let Ok(Some(key)) = Key::find(&self.folder) else { return };
        if self.is_registered().await == Ok(false) {
            tell(Word::Advice(
                "the cloud does not take the key of this machine: it was revoked, or never told; `aloft setup ssh` does that",
            ));
            return;
        }
        self.renew(&key).await;
    }
}
