//! Keeps the names of hosts true for ssh while an editor runs: threads come, are renamed and go.

use std::time::Duration;

use aloft_proto::v1;
use aloft_proto::v1::feed_event::Payload;
use futures_util::StreamExt as _;

use crate::client::Client;
use crate::mirror::follow::{Signal, follow};
use crate::mirror::{Topic, Update};
use crate::ssh::Ssh;

/// How often it is looked whether ssh was asked for meanwhile, and after which pause a failed list is asked for again.
const PAUSE: Duration = Duration::from_secs(5);

/// Runs for ever. Nothing is asked of a cloud before ssh was asked for here.
pub async fn keep(ssh: Ssh, client: Client) {
    loop {
        if ssh.folder.is_used()
            && let Err(error) = follow_list(&ssh, &client).await
        {
            tracing::debug!(%error, "the names of hosts may be old");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow_list(ssh: &Ssh, client: &Client) -> Result<(), crate::protocol::error::Error> {
    let newest = v1::ListThreadsRequest { page_size: 1, ..Default::default() };
    // The number before the names: what changes between the two comes again.
    let feed = client.list_threads(newest).await?.feed;
    ssh.learn_all().await?;
    let mut signals = std::pin::pin!(follow(client.clone(), Topic::Feed, feed));
    while let Some(signal) = signals.next().await {
        let event = match signal {
            Signal::Update(Update::Feed(event)) => event,
            Signal::Ended(_, error) => return Err(error),
            Signal::Update(_) | Signal::Connection(..) => continue,
        };
        let kept = match event.payload {
            Some(Payload::ThreadChanged(thread)) => ssh.learn(&thread),
            Some(Payload::ThreadDeleted(id)) => ssh.forget(&id),
            Some(Payload::NoticePosted(_) | Payload::NoticeRead(_)) | None => Ok(()),
        };
        if let Err(error) = kept {
            tracing::debug!(%error, "the names of hosts stay as they are");
        }
    }
    Ok(())
}
