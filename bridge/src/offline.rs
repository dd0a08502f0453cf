//! What goes on while the cloud cannot be reached: requests are kept and delivered when it is back, and what was last seen
//! stays readable.
//!
//! All of it lies in files below the bridge's folder, one place for each cloud, so that whichever bridge comes first
//! delivers, also when the one that kept a request was killed. Each request has its client-made id from the beginning:
//! the cloud applies it once, however often it is sent.

mod change;
mod outbox;
mod seen;

use std::path::{Path, PathBuf};
use std::time::Duration;

use aloft_proto::v1;

pub use change::Change;
pub use seen::{Fold, Seen};

use crate::client::{Client, check_size};
use crate::config::Config;
use crate::offline::outbox::{Entry, Outbox, Record};
use crate::protocol::error::{Code, Error};
use crate::protocol::kept::Kept;
use crate::protocol::time::Time;
use crate::protocol::to_proto::new_request_id;

/// How long the cloud remembers a request, less an hour for clocks that differ: a message that was sent longer ago and not
/// answered is not sent again, as it might count twice.
const REMEMBERED: i64 = 23 * 60 * 60;

/// The files of one cloud.
#[derive(Clone, Debug)]
pub struct Offline {
    folder: PathBuf,
    outbox: Outbox,
    seen: Seen,
}

/// What became of a request.
#[derive(Debug)]
pub enum Handed<Answer> {
    /// The cloud answered.
    Answered(Answer),
    /// It cannot be reached, as just turned out for this reason or is known; the request is kept.
    Kept(Box<Kept>, Option<Error>),
}

/// What came of a delivery.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Taken by the cloud, in order.
    pub delivered: Vec<Kept>,
    /// Why it ended before all were delivered.
    pub error: Option<Error>,
    /// Another bridge is at it.
    pub busy: bool,
}

impl Offline {
    /// The files of this configuration's cloud; nothing is written yet.
    pub fn new(config: &Config) -> Self {
        let folder = config.directories.bridge().join(place(&config.address.to_string()));
        let (outbox, seen) = (Outbox::new(folder.join("outbox")), Seen::new(folder.join("seen")));
        Self { folder, outbox, seen }
    }

    /// The folder of what this machine has of the cloud.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What was last seen.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Whether requests wait to be delivered.
    pub fn waits(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Gives a request to the cloud, or keeps it: where others wait already, where the cloud is known to be out of reach,
    /// or where it turns out to be.
    pub async fn hand<Request: Change>(
        &self,
        client: &Client,
        mut request: Request,
        unreachable: Option<&Error>,
    ) -> Result<Handed<Request::Answer>, Error> {
        // Kept, it would hold up all that come after it.
        check_size(&request)?;
        if request.request_id().is_empty() {
            *request.request_id() = new_request_id();
        }
        if let Some(error) = unreachable {
            let kept = self.keep(request, error.clone(), false)?;
            return Ok(Handed::Kept(kept, None));
        }
        if self.waits() {
            let kept = self.keep(request, client.unreachable(), false)?;
            return Ok(Handed::Kept(kept, None));
        }
        match request.clone().send(client).await {
            Err(error) if error.is_offline() => {
                Ok(Handed::Kept(self.keep(request, error.clone(), true)?, Some(error)))
            }
            answer => answer.map(Handed::Answered),
        }
    }

    /// Asks for threads; where the cloud cannot be reached, they are those that were last seen, then.
    pub async fn list(
        &self,
        client: &Client,
        asked: v1::ListThreadsRequest,
        unreachable: Option<&Error>,
    ) -> Result<(v1::ListThreadsResponse, Option<Time>), Error> {
        let answer = match unreachable {
            Some(error) => Err(error.clone()),
            None => client.list_threads(asked.clone()).await,
        };
        match answer {
            Ok(list) => {
                let all = asked.states.is_empty() && asked.query.is_empty();
                let whole = all && asked.page_token.is_empty() && list.next_page_token.is_empty();
                self.seen.note_list(&list.threads, list.feed, whole);
                Ok((list, None))
            }
            Err(error) if error.is_offline() => {
                self.seen.threads(&asked).map(|(list, time)| (list, Some(time))).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Asks for a thread's items; where the cloud cannot be reached, they are those that were last seen, then.
    pub async fn read(
        &self,
        client: &Client,
        asked: v1::ReadThreadRequest,
        unreachable: Option<&Error>,
    ) -> Result<(v1::ReadThreadResponse, Option<Time>), Error> {
        let answer = match unreachable {
            Some(error) => Err(error.clone()),
            None => client.read_thread(asked.clone()).await,
        };
        match answer {
            Ok(page) => {
                self.seen.note(page.thread.as_slice(), &[]);
                if asked.before.is_empty() {
                    self.seen.note_page(&page);
                }
                Ok((page, None))
            }
            Err(error) if error.is_offline() => {
                self.seen.read(&asked).map(|(page, time)| (page, Some(time))).ok_or(error)
            }
            Err(error) => Err(self.gone(&asked.thread_id, error)),
        }
    }

    /// Finds a thread by one of its names; where the cloud cannot be reached, as it was last seen, then.
    pub async fn find(
        &self,
        client: &Client,
        name: &str,
        unreachable: Option<&Error>,
    ) -> Result<(v1::ThreadResponse, Option<Time>), Error> {
        let answer = match unreachable {
            Some(error) => Err(error.clone()),
            None => client.get_thread(v1::GetThreadRequest { thread_id: name.to_owned() }).await,
        };
        match answer {
            Ok(found) => {
                self.seen.note(found.thread.as_slice(), &[]);
                Ok((found, None))
            }
            Err(error) if error.is_offline() => {
                let thread = self.seen.find(name).ok_or(error)?;
                let time = self.seen.list().map(|(_, time)| time);
                Ok((v1::ThreadResponse { thread: Some(thread), cursor: 0 }, time))
            }
            Err(error) => Err(self.gone(name, error)),
        }
    }

    /// A thread that the cloud does not know is forgotten here too.
    fn gone(&self, name: &str, error: Error) -> Error {
        if error.code == Code::NotFound {
            self.seen.forget(name);
        }
        error
    }

    /// Delivers what waits, in order, until all is delivered or the cloud cannot be reached. Refused ones wait to be told.
    pub async fn deliver(&self, client: &Client, patience: Duration) -> Delivery {
        let mut delivery = Delivery::default();
        if !self.waits() {
            return delivery;
        }
        match self.outbox.delivering(patience).await {
            Ok(Some(_lock)) => loop {
                match self.deliver_next(client, &mut delivery).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        delivery.error = Some(error);
                        break;
                    }
                }
            },
            Ok(None) => delivery.busy = true,
            Err(error) => delivery.error = Some(broken(&error)),
        }
        delivery
    }

    /// What waits, in order.
    pub fn waiting(&self) -> Result<Vec<Kept>, Error> {
        let entries = self.outbox.list().map_err(|error| broken(&error))?;
        Ok(entries.into_iter().map(|entry| entry.record.kept).collect())
    }

    /// What was refused and not yet told.
    pub fn refused(&self) -> Result<Vec<Kept>, Error> {
        let entries = self.outbox.refused().map_err(|error| broken(&error))?;
        Ok(entries.into_iter().map(|entry| entry.record.kept).collect())
    }

    /// Takes back one that waits or was refused; tells whether it was there. One that is being delivered may arrive still.
    pub fn remove(&self, request_id: &str) -> Result<bool, Error> {
        let remove = || {
            let entries = self.outbox.list()?.into_iter().chain(self.outbox.refused()?);
            let mut removed = false;
            for entry in entries.filter(|entry| entry.record.kept.request_id == request_id) {
                entry.remove()?;
                removed = true;
            }
            Ok(removed)
        };
        remove().map_err(|error: std::io::Error| broken(&error))
    }

    /// Keeps a request: on disk when this returns. `sent` when it may have arrived.
    fn keep<Request: Change>(
        &self,
        mut request: Request,
        unreachable: Error,
        sent: bool,
    ) -> Result<Box<Kept>, Error> {
        let name = request.thread_id().clone();
        // A thread nobody has seen may not be there.
        let Some(thread) = self.seen.find(&name) else { return Err(unreachable) };
        if name != thread.id && name != thread.slug {
            // `@last` and a prefix may mean another thread later. With the id in its place it is another request, and
            // one that may have arrived must not be sent as two.
            if sent {
                return Err(unreachable);
            }
            thread.id.clone_into(request.thread_id());
        }
        request.pin(&thread, &self.seen)?;
        let now = Time::now();
        let kept = Kept {
            request_id: request.request_id().clone(),
            thread_id: thread.id,
            slug: thread.slug,
            method: Request::METHOD.to_owned(),
            text: request.text(),
            time: now,
            error: None,
        };
        let record = Record::new(kept.clone(), sent.then_some(now), &request.encode_to_vec());
        self.outbox.add(&record).map_err(|error| broken(&error))?;
        Ok(Box::new(kept))
    }

    /// Delivers the first; false when there is none.
    async fn deliver_next(&self, client: &Client, delivery: &mut Delivery) -> Result<bool, Error> {
        let io = |error: std::io::Error| broken(&error);
        let Some(mut entry) = self.outbox.first().map_err(io)? else { return Ok(false) };
        let now = Time::now();
        let method = entry.record.kept.method.clone();
        let message = matches!(method.as_str(), "turn/start" | "turn/steer");
        match entry.record.tried {
            Some(tried) if message && now.seconds_since(tried) > REMEMBERED => {
                let what = "it was sent and not answered, too long ago to send it again without counting twice";
                let error = Error::new(Code::FailedPrecondition, "DELIVERY_UNKNOWN", what)
                    .with_hint("see in the thread whether it arrived, and send it again where not");
                return self.refuse(&mut entry, &error).map(|()| true).map_err(io);
            }
            Some(_) => {}
            None => {
                entry.record.tried = Some(now);
                if !entry.rewrite().map_err(io)? {
                    return Ok(true);
                }
            }
        }
        let request = entry.record.request().map_err(io)?;
        match change::send(&method, &request, client).await {
            Ok(()) => {
                entry.remove().map_err(io)?;
                delivery.delivered.push(entry.record.kept);
            }
            Err(error) if error.reason == "TURN_ACTIVE" && method == "turn/start" => {
                let (id, request) = change::queued(&request)?;
                let kept = Kept { request_id: id, ..entry.record.kept.clone() };
                entry.record = Record::new(kept, None, &request);
                entry.rewrite().map_err(io)?;
            }
            Err(error)
                if error.is_offline() || error.retryable || error.code == Code::Unauthenticated =>
            {
                return Err(error);
            }
            Err(error) => self.refuse(&mut entry, &error).map_err(io)?,
        }
        Ok(true)
    }

    fn refuse(&self, entry: &mut Entry, error: &Error) -> std::io::Result<()> {
        entry.record.kept.error = Some(error.report().error);
        self.outbox.refuse(entry)
    }
}

fn broken(error: &std::io::Error) -> Error {
    let message = format!("failed to keep requests for the cloud: {error}");
    Error::new(Code::FailedPrecondition, "LOCAL_IO", message)
}

/// A folder's name for an address: readable, and another one for each.
fn place(address: &str) -> String {
    let words: String = address
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() { character } else { '-' })
        .take(40)
        .collect();
    let digest = ring::digest::digest(&ring::digest::SHA256, address.as_bytes());
    let mark =
        digest.as_ref().iter().take(8).fold(0_u64, |mark, byte| (mark << 8) | u64::from(*byte));
    format!("{words}-{mark:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cloud_has_a_place_of_its_own() {
        assert_ne!(place("https://a-b.example"), place("https://a.b.example"));
        assert_eq!(place("embedded"), place("embedded"));
        assert!(!place("unix:/../../etc").contains(['/', '.']));
    }
}
