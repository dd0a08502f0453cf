//! Everything ssh needs before it connects: our key, known to the cloud; the cloud's hosts, known to us; the names of threads.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aloft_proto::v1;

use crate::client::Client;
use crate::config::Config;
use crate::protocol::error::{Code, Error as ProtocolError};
use crate::ssh::generated::certificate_name;
use crate::ssh::hosts::{Cloud, Hosts, Place};
use crate::ssh::{Error, Folder, Key};

/// Threads asked for at once.
const PAGE: u32 = 500;
/// A certificate that is good for less than this is renewed.
const RENEWAL: Duration = Duration::from_secs(300);

/// Where ssh goes for a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The name in our config.
    pub name: String,
    /// The login name.
    pub user: String,
}

/// This machine's ssh and one cloud.
#[derive(Clone, Debug)]
pub struct Ssh {
    /// Our folder.
    pub folder: Folder,
    pub(super) client: Client,
    pub(super) cloud: String,
    default: String,
    place: Place,
}

impl Ssh {
    /// Names them; nothing is made or asked yet.
    pub fn new(config: &Config, client: Client) -> Self {
        let directories = &config.directories;
        Self {
            folder: Folder::new(&directories.data),
            client,
            cloud: config.cloud.clone(),
            default: config.default_cloud.clone(),
            place: Place {
                config: directories.config.clone(),
                runtime: directories.runtime.clone(),
                cloud_program: config.cloud_program.clone(),
            },
        }
    }

    /// Makes the key where there is none, makes it known to the cloud, and writes down how to know the cloud's hosts. A key
    /// that was revoked is not made known again unless that is what was asked for.
    pub async fn prepare(&self, again: bool) -> Result<(), ProtocolError> {
        let key = Key::ensure(&self.folder)?;
        let (hosts, keys) = tokio::try_join!(
            self.client.get_ssh_hosts(v1::GetSshHostsRequest {}),
            self.client.list_ssh_keys(v1::ListSshKeysRequest {}),
        )?;
        let known = self.folder.read()?;
        let known = known.clouds.get(&self.cloud);
        if !keys.keys.iter().any(|listed| listed.fingerprint == key.fingerprint) {
            // A cloud with another authority is another cloud, whatever its name.
            let was_known = known.is_some_and(|known| {
                known.registered == key.fingerprint && known.authorities == hosts.authorities
            });
            if was_known && !again {
                return Err(revoked());
            }
            let request =
                v1::RegisterSshKeyRequest { public_key: key.line.clone(), ..Default::default() };
            self.client.register_ssh_key(request).await?;
        }
        self.folder.change(|all| {
            all.program = program();
            self.describe(all);
            let cloud = all.clouds.entry(self.cloud.clone()).or_default();
            if cloud.authorities != hosts.authorities {
                cloud.threads.clear();
            }
            *cloud = Cloud {
                user: hosts.user,
                authorities: hosts.authorities,
                gateway: hosts.gateway,
                gateway_key: hosts.gateway_key,
                registered: key.fingerprint.clone(),
                threads: std::mem::take(&mut cloud.threads),
            };
        })?;
        self.renew(&key).await;
        Ok(())
    }

    /// Prepares everything for one thread.
    pub async fn connect(&self, thread: &v1::Thread) -> Result<Host, ProtocolError> {
        self.prepare(false).await?;
        let host = self.folder.change(|hosts| {
            let cloud = hosts.clouds.entry(self.cloud.clone()).or_default();
            cloud.learn(&thread.id, &thread.slug);
            let user = cloud.login().to_owned();
            hosts.host(&self.cloud, &thread.id).map(|name| Host { name, user })
        })?;
        host.ok_or_else(|| {
            let message = format!("{} cannot be the name of a host", thread.slug);
            ProtocolError::new(Code::FailedPrecondition, "SSH_PATH", message)
        })
    }

    /// Takes in the names of all threads.
    pub async fn learn_all(&self) -> Result<(), ProtocolError> {
        let mut request = v1::ListThreadsRequest { page_size: PAGE, ..Default::default() };
        let mut threads = Vec::new();
        loop {
            let page = self.client.list_threads(request.clone()).await?;
            threads.extend(page.threads);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        self.replace(&threads)?;
        Ok(())
    }

    /// Takes in the name of a thread that was seen, where it is new; one that is being deleted goes.
    pub fn learn(&self, thread: &v1::Thread) -> Result<(), Error> {
        if thread.state() == v1::ThreadState::Deleting {
            return self.forget(&thread.id);
        }
        let Some(known) = self.known()? else { return Ok(()) };
        if known.threads.get(&thread.id) == Some(&thread.slug) {
            return Ok(());
        }
        self.revise(|cloud| cloud.learn(&thread.id, &thread.slug))
    }

    /// Forgets the name of a thread that is gone.
    pub fn forget(&self, id: &str) -> Result<(), Error> {
        let Some(known) = self.known()? else { return Ok(()) };
        if !known.threads.contains_key(id) {
            return Ok(());
        }
        self.revise(|cloud| drop(cloud.threads.remove(id)))
    }

    /// Takes in the names of all threads there are.
    pub fn replace(&self, threads: &[v1::Thread]) -> Result<(), Error> {
        let Some(known) = self.known()? else { return Ok(()) };
        let mut now = Cloud::default();
        for thread in threads.iter().filter(|thread| thread.state() != v1::ThreadState::Deleting) {
            now.learn(&thread.id, &thread.slug);
        }
        if known.threads == now.threads {
            return Ok(());
        }
        self.revise(|cloud| cloud.threads = now.threads)
    }

    /// Makes our key open nothing any more, for one that goes for good.
    pub async fn revoke(&self) -> Result<(), ProtocolError> {
        let Some(key) = Key::find(&self.folder)? else { return Ok(()) };
        let request =
            v1::RevokeSshKeyRequest { fingerprint: key.fingerprint, ..Default::default() };
        self.client.revoke_ssh_key(request).await.map(drop)
    }

    /// Tells whether the cloud takes our key.
    pub async fn is_registered(&self) -> Result<bool, ProtocolError> {
        let Some(key) = Key::find(&self.folder)? else { return Ok(false) };
        let keys = self.client.list_ssh_keys(v1::ListSshKeysRequest {}).await?.keys;
        Ok(keys.iter().any(|listed| listed.fingerprint == key.fingerprint))
    }

    /// Renews the certificate where it is about to end. It is an extra: without one the key itself is used.
    pub async fn renew(&self, key: &Key) {
        let label = match self.folder.read() {
            Ok(hosts) => hosts.label_of(&self.cloud),
            Err(_) => return,
        };
        let name = certificate_name(label.as_deref());
        if is_good(&self.folder.path().join(&name)) {
            return;
        }
        let request = v1::IssueSshCertificateRequest { public_key: key.line.clone(), seconds: 0 };
        let outcome = match self.client.issue_ssh_certificate(request).await {
            Ok(answer) => {
                let line = format!("{}\n", answer.certificate.trim_end());
                self.folder.write(&name, line.as_bytes()).map_err(ProtocolError::from)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "there is no new certificate; the key is used");
        }
    }

    fn known(&self) -> Result<Option<Cloud>, Error> {
        if !self.folder.is_used() {
            return Ok(None);
        }
        Ok(self.folder.read()?.clouds.remove(&self.cloud))
    }

    fn revise(&self, revise: impl FnOnce(&mut Cloud)) -> Result<(), Error> {
        self.folder.change(|hosts| {
            self.describe(hosts);
            if let Some(cloud) = hosts.clouds.get_mut(&self.cloud) {
                revise(cloud);
            }
        })
    }

    /// Writes down where things are; a program that is there stays, so that two of them do not take turns.
    fn describe(&self, hosts: &mut Hosts) {
        hosts.place = self.place.clone();
        hosts.default.clone_from(&self.default);
        if !hosts.program.exists() {
            hosts.program = program();
        }
    }
}

/// Returns this program as ssh can start it; one that was replaced while it ran is where it was.
fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_else(|_| "aloft".into());
    let text = own.display().to_string();
    text.strip_suffix(" (deleted)").map_or(own, PathBuf::from)
}

fn is_good(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let Ok(certificate) = ssh_key::Certificate::from_openssh(&text) else { return false };
    SystemTime::UNIX_EPOCH + Duration::from_secs(certificate.valid_before())
        > SystemTime::now() + RENEWAL
}

fn revoked() -> ProtocolError {
    let message = "the key of this machine was revoked";
    ProtocolError::new(Code::Denied, "SSH_KEY_REVOKED", message)
        .with_hint("to let this machine in again: aloft setup ssh")
}
