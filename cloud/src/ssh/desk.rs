//! What the gateway asks of the cloud, on a socket of its own: one question a connection, one line of JSON each way; a
//! granted way goes on as bytes.
//!
//! The gateway speaks to strangers and is believed little: it says what somebody showed it, and here it is judged anew each
//! time. Whoever it lets through still has to prove to the sandbox who they are.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use russh::keys::{Certificate, HashAlg, PublicKey, ssh_key::certificate::CertType};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream},
    net::{UnixListener, UnixStream},
    sync::mpsc,
};

use crate::{
    accounts::ssh_keys,
    runner::{now, whole},
    ssh::{Ssh, Target, Way},
};

/// Longest question or answer, in bytes.
const LINE: u64 = 64 * 1024;

/// How long the gateway may take to say its question.
const ASK: Duration = Duration::from_secs(10);

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Question {
    /// What the gateway shows to its clients.
    Identity,
    /// Whether somebody who has proved this may come in at all.
    Admit(Proof),
    /// A way to the SSH server of this thread.
    Connect(Proof, String),
}

/// What somebody has proved to have the private half of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Proof {
    /// The line of a public key.
    Key(String),
    /// The line of a certificate.
    Certificate(String),
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// The private key, in OpenSSH's form.
    Identity(String),
    /// Yes; a way's bytes follow.
    Granted,
    /// No; for the log.
    Refused(String),
}

/// Asks on the socket of a cloud; what follows the answer is there to be read.
pub async fn ask(
    socket: &Path,
    question: &Question,
) -> anyhow::Result<(Answer, BufStream<UnixStream>)> {
    let mut stream = BufStream::new(UnixStream::connect(socket).await?);
    say(&mut stream, question).await?;
    let answer = hear(&mut stream).await?;
    Ok((answer, stream))
}

/// Answers whoever may open the socket, without end.
pub async fn serve(listener: UnixListener, ssh: Ssh) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let ssh = ssh.clone();
        tokio::spawn(async move {
            if let Err(error) = answer(&ssh, BufStream::new(stream)).await {
                tracing::debug!(%error, "a question of the gateway was broken off");
            }
        });
    }
}

async fn answer(ssh: &Ssh, mut stream: BufStream<UnixStream>) -> anyhow::Result<()> {
    let question = tokio::time::timeout(ASK, hear(&mut stream)).await??;
    match question {
        Question::Identity => {
            let key = ssh.0.authority.gateway()?.key;
            say(&mut stream, &Answer::Identity(key.expose_secret().to_owned())).await
        }
        Question::Admit(proof) => {
            let answer = match owners(ssh, &proof).await {
                Ok(owners) if owners.is_empty() => Answer::Refused("nobody's".to_owned()),
                Ok(_) => Answer::Granted,
                Err(error) => Answer::Refused(format!("{error:#}")),
            };
            say(&mut stream, &answer).await
        }
        Question::Connect(proof, thread) => match open(ssh, &proof, &thread).await {
            Ok(mut way) => {
                say(&mut stream, &Answer::Granted).await?;
                tokio::select! {
                    _either_left = tokio::io::copy_bidirectional(&mut stream, &mut way.stream) => {}
                    why = way.hold.ended() => tracing::debug!(why = whole(&why), "a way ended"),
                }
                Ok(())
            }
            Err(error) => say(&mut stream, &Answer::Refused(format!("{error:#}"))).await,
        },
    }
}

/// A way to a thread that is theirs: of somebody else's it is not even said that it is there.
async fn open(ssh: &Ssh, proof: &Proof, thread: &str) -> anyhow::Result<Way> {
    // The whole id only: names are the bridge's.
    let store = Arc::clone(&ssh.0.runner.parts().store);
    let found = store.thread(thread).await?.map(|(row, _)| row.thread.owner);
    let owners = owners(ssh, proof).await?;
    let Some(owner) = found.filter(|owner| owners.contains(owner)) else {
        bail!("there is no thread {thread}");
    };
    let (progress, _nobody_listens) = mpsc::channel(1);
    Ok(ssh.open(&owner, thread, &Target::Ssh, &progress).await?)
}

/// In whose names somebody with this proof acts.
async fn owners(ssh: &Ssh, proof: &Proof) -> anyhow::Result<Vec<String>> {
    match proof {
        Proof::Key(line) => Ok(ssh.0.keys.owners(&ssh_keys::parse(line)?).await?),
        Proof::Certificate(line) => {
            let certificate = Certificate::from_openssh(line)?;
            let authority = PublicKey::from_openssh(&ssh.0.authority.user_authority()?)?;
            certificate.validate(&[authority.fingerprint(HashAlg::Sha256)])?;
            if certificate.cert_type() != CertType::User
                || certificate.critical_options().iter().next().is_some()
            {
                bail!("it is not a user's, or good under conditions only");
            }
            let subject = certificate.public_key().fingerprint(HashAlg::Sha256).to_string();
            let mut owners = Vec::new();
            for owner in certificate.valid_principals() {
                if !ssh.0.keys.revoked(owner, now()).await?.contains(&subject) {
                    owners.push(owner.clone());
                }
            }
            Ok(owners)
        }
    }
}

async fn say(stream: &mut BufStream<UnixStream>, what: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    Ok(stream.flush().await?)
}

async fn hear<T: for<'de> Deserialize<'de>>(
    stream: &mut BufStream<UnixStream>,
) -> anyhow::Result<T> {
    let mut line = Vec::new();
    (&mut *stream).take(LINE).read_until(b'\n', &mut line).await?;
    serde_json::from_slice(&line).context("understand what was said")
}
