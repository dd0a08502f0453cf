//! Freezes, ends and removes sandboxes; each returns when it is so, not when it was asked for.

use std::sync::Arc;
use std::time::Duration;

use crate::sandbox::bubblewrap::groups::Groups;
use crate::sandbox::bubblewrap::layout::{Home, Record};
use crate::sandbox::bubblewrap::start::system;
use crate::sandbox::bubblewrap::{Shared, blocking, process};
use crate::sandbox::{Error, Result};

/// How long killed processes may take to be gone.
const GONE: Duration = Duration::from_secs(30);

/// How long bubblewrap may take to see that its sandbox has ended.
const BY_ITSELF: Duration = Duration::from_secs(2);

/// How long the watcher of a sandbox may take to tell of its end.
const HEARD: Duration = Duration::from_secs(5);

/// Freezes or thaws all processes of a sandbox.
pub(super) async fn set_frozen(
    shared: Arc<Shared>,
    home: Home,
    id: String,
    frozen: bool,
) -> Result<()> {
    let action = if frozen { "freeze" } else { "thaw" };
    let Some(record) = home.record().filter(|record| record.init.lives()) else {
        return Err(Error::NotRunning { action, id });
    };
    let guest = shared.living().get(&id).map(|living| living.guest.clone());
    if frozen && let Some(guest) = &guest {
        guest.set_frozen(true);
    }
    let done = blocking(move || {
        let done = if shared.groups.can_freeze() {
            shared.groups.set_frozen(&id, frozen)
        } else {
            record.init.set_stopped(frozen)
        };
        done.map_err(system(action, &id))
    });
    let done = done.await;
    // A freeze that failed may have stopped some: what is reachable then shows by asking.
    if let Some(guest) = guest
        && (!frozen || done.is_err())
    {
        guest.set_frozen(false);
    }
    done
}

/// Ends all processes of a sandbox and waits until they are gone; also tidies up after one that ended by itself.
pub(super) async fn suspend(shared: Arc<Shared>, home: Home, id: String) -> Result<()> {
    let known = shared.living().get(&id).map(|living| living.record.clone());
    if let Some(record) = home.record().or(known) {
        end(&shared.groups, &record, &id).await?;
    }
    let known = shared.living().get(&id).map(|living| living.exit.clone());
    if let Some(mut exit) = known {
        // Whoever holds the sandbox learns of its end no later than we.
        tokio::time::timeout(HEARD, exit.wait_for(Option::is_some)).await.ok();
        shared.living().remove(&id);
    }
    blocking(move || forget(&shared.groups, &home, &id)).await
}

/// Takes away what told of processes that have ended.
pub(super) fn forget(groups: &Groups, home: &Home, id: &str) -> Result<()> {
    groups.remove(id).map_err(system("remove the control groups", id))?;
    home.clear_record()
}

/// Ends a sandbox that did not start well, and answers what it said last, if it had ended by itself.
pub(super) async fn end_and_listen(
    shared: &Arc<Shared>,
    home: &Home,
    id: &str,
    patience: Duration,
) -> Option<String> {
    let known = shared.living().get(id).map(|living| living.exit.clone());
    let detail = match known {
        Some(mut exit) => {
            let ended = tokio::time::timeout(patience, exit.wait_for(Option::is_some)).await;
            ended.ok().and_then(Result::ok).and_then(|exit| exit.clone()).map(|exit| exit.detail)
        }
        None => None,
    };
    if let Err(error) = suspend(Arc::clone(shared), home.clone(), id.to_owned()).await {
        tracing::warn!(sandbox = id, %error, "a sandbox that did not start well was not ended");
    }
    detail
}

/// Ends a sandbox and removes everything of it.
pub(super) async fn destroy(shared: Arc<Shared>, home: Home, id: String) -> Result<()> {
    suspend(Arc::clone(&shared), home.clone(), id.clone()).await?;
    blocking(move || {
        if home.exists() {
            home.remove()?;
        }
        // Last: while anything of it is there, its user is nobody else's.
        shared.users.release(&id)
    })
    .await
}

/// Ends the processes of a sandbox, however it is; returns when they are gone.
pub(super) async fn end(groups: &Groups, record: &Record, id: &str) -> Result<()> {
    let slow = |_| Error::Slow { action: "end", id: id.to_owned(), seconds: GONE.as_secs() };
    // The first process takes all others of its namespace with it; bubblewrap outside then ends by itself.
    if let Some(init) = record.init.open().map_err(system("end the processes", id))? {
        process::kill(&init).map_err(system("end the processes", id))?;
        // A frozen group of version 1 does not even die.
        if groups.can_freeze() {
            let (groups, id) = (groups.clone(), id.to_owned());
            blocking(move || Ok(groups.set_frozen(&id, false).ok())).await?;
        }
        tokio::time::timeout(GONE, process::ended(init))
            .await
            .map_err(slow)?
            .map_err(system("await the end", id))?;
    }
    if let Some(monitor) = record.monitor.open().map_err(system("end bubblewrap", id))? {
        let copy = monitor.try_clone().map_err(system("end bubblewrap", id))?;
        if tokio::time::timeout(BY_ITSELF, process::ended(copy)).await.is_err() {
            process::kill(&monitor).map_err(system("end bubblewrap", id))?;
        }
        let gone = tokio::time::timeout(GONE, process::ended(monitor)).await.map_err(slow)?;
        process::reap(&gone.map_err(system("await the end", id))?);
    }
    Ok(())
}
