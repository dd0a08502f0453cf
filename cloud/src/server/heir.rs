//! Keeps somebody in readiness who ends the sandboxes, should this cloud be killed and not come back.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::Context;

use crate::server::{
    places::Places,
    program::{AGAIN, own},
};

/// That this cloud answers for its sandboxes, and who comes after it.
#[derive(Debug)]
pub(super) struct Heir {
    // Held, not read: it is free when this process has ended.
    _answerable: File,
    lock: PathBuf,
    sandboxes: PathBuf,
    outlive: Duration,
}

impl Heir {
    /// Takes over the sandboxes; where the heir of an earlier cloud is at them just now, after it.
    pub(super) async fn appoint(places: &Places, outlive: Duration) -> anyhow::Result<Self> {
        let lock = places.answerable.clone();
        let taken = tokio::task::spawn_blocking(move || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let file = options.open(&lock)?;
            file.lock().map(|()| file)
        });
        let answerable = taken
            .await?
            .with_context(|| format!("take over the sandboxes: {}", places.answerable.display()))?;
        let (lock, sandboxes) = (places.answerable.clone(), places.sandboxes.clone());
        Ok(Self { _answerable: answerable, lock, sandboxes, outlive })
    }

    /// Keeps the process running. It learns of this cloud's end, however it comes, by the end of its standard input.
    pub(super) async fn keep(self) {
        loop {
            match self.start().await {
                Ok(status) => tracing::warn!(%status, "the heir ended; it starts again"),
                Err(error) => tracing::error!(%error, "the heir could not be started"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn start(&self) -> std::io::Result<ExitStatus> {
        let mut command = own("heir")?;
        command.arg("--lock").arg(&self.lock).arg("--sandboxes").arg(&self.sandboxes);
        command.arg("--grace-seconds").arg(self.outlive.as_secs().to_string());
        // What ends the cloud with all of its group must not end it too.
        command.stdin(Stdio::piped()).process_group(0);
        let mut child = command.spawn()?;
        // Waiting would close it.
        let _alive = child.stdin.take();
        child.wait().await
    }
}
