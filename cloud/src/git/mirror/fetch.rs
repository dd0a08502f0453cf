//! Brings a mirror up to date with its source; many who want it at once share one fetch.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::git::command::Progress;
use crate::git::mirror::source::Source;
use crate::git::mirror::{Fetched, Freshness, Gate, Mirrors};
use crate::git::{Remote, Result};

/// A fetch that ended this long ago is recent.
const RECENT: Duration = Duration::from_secs(5);

impl Mirrors {
    /// Makes the mirror or brings it up to date from `remote`: https, http, ssh, git, file, or an absolute path. `progress` is
    /// called as it goes on, also for those who only wait for another's fetch.
    pub async fn fetch(
        &self,
        id: &str,
        remote: impl Into<Remote> + Send,
        freshness: Freshness,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<()> {
        let asked = Instant::now();
        self.path(id)?;
        let source = Source::of_remote(&remote.into())?;
        let gate = self.gate(id);
        let mut steps = gate.progress.subscribe();
        let work = self.fetch_once(id, &source, freshness, asked, &gate);
        tokio::pin!(work);
        loop {
            tokio::select! {
                result = &mut work => return result,
                Ok(()) = steps.changed() => progress(steps.borrow_and_update().clone()),
            }
        }
    }

    async fn fetch_once(
        &self,
        id: &str,
        source: &Source,
        freshness: Freshness,
        asked: Instant,
        gate: &Gate,
    ) -> Result<()> {
        let mut exclusive = self.exclusive(id, gate).await?;
        if let Some(last) = exclusive.last_fetch.as_ref().filter(|last| last.url == source.url) {
            let shared = match freshness {
                Freshness::Recent => last.ended >= asked,
                Freshness::Now => last.started >= asked,
            };
            let recent = freshness == Freshness::Recent
                && last.result.is_ok()
                && last.ended.elapsed() < RECENT;
            if shared || recent {
                return last.result.clone();
            }
        }
        let started = Instant::now();
        let result = self.refresh(id, source, &gate.progress).await;
        *exclusive.last_fetch = Some(Fetched {
            url: source.url.clone(),
            started,
            ended: Instant::now(),
            result: result.clone(),
        });
        result
    }

    async fn refresh(
        &self,
        id: &str,
        source: &Source,
        progress: &watch::Sender<Progress>,
    ) -> Result<()> {
        let path = self.path(id)?;
        let advertised = source.ask().await?;
        if path.is_dir() {
            return source.update(&path, &advertised, progress).await;
        }
        let scratch = self.make_scratch(id, advertised.object_format).await?;
        let fetched = source.update(&scratch, &advertised, progress).await;
        self.publish(scratch, id, fetched).await
    }
}
