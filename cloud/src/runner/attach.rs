//! Holding a thread's sandbox: an open connection keeps it up, and brings it back when it rests.
//!
//! The machine counts who holds it and decides; here they wait for the sandbox, and let go of it by being dropped.

use tokio::sync::{mpsc, oneshot};

use crate::{
    model::machine::Access,
    runner::{Error, Runner},
    sandbox::Sandbox,
};

/// A sandbox that is held: while this lives the thread is not idle. A person's pause or deletion ends the sandbox all the same;
/// [`Sandbox::ended`] tells.
#[derive(Debug)]
pub struct Attached {
    /// The sandbox, up and running.
    pub sandbox: Sandbox,
    _hold: Hold,
}

/// Says once, when it is dropped, that somebody let go.
#[derive(Debug)]
struct Hold(mpsc::UnboundedSender<()>);

impl Drop for Hold {
    fn drop(&mut self) {
        // A task that ended counts nobody any more.
        let _gone = self.0.send(());
    }
}

/// Those who wait for the sandbox.
#[derive(Debug)]
pub(super) struct Waiting {
    who: Vec<(Hold, oneshot::Sender<Result<Attached, Error>>)>,
    released: mpsc::UnboundedSender<()>,
}

impl Waiting {
    /// Nobody yet; the receiver hears of each who lets go.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<()>) {
        let (released, receiver) = mpsc::unbounded_channel();
        (Self { who: Vec::new(), released }, receiver)
    }

    /// One more, whom the machine has counted.
    pub(super) fn add(&mut self, reply: oneshot::Sender<Result<Attached, Error>>) {
        self.who.push((Hold(self.released.clone()), reply));
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.who.is_empty()
    }

    /// Answers everybody as things stand, and forgets who went away.
    pub(super) fn answer(&mut self, access: Access, sandbox: Option<Sandbox>) {
        match (access, sandbox) {
            (Access::Coming, _) | (Access::Ready, None) => {
                self.who.retain(|(_, reply)| !reply.is_closed());
            }
            (Access::Ready, Some(sandbox)) => {
                for (hold, reply) in self.who.drain(..) {
                    let attached = Attached { sandbox: sandbox.clone(), _hold: hold };
                    // Whoever went away lets go of it at once.
                    drop(reply.send(Ok(attached)));
                }
            }
            (Access::Down(problem), _) => {
                for (_, reply) in self.who.drain(..) {
                    drop(reply.send(Err(Error::Down(Box::new(problem.clone())))));
                }
            }
        }
    }
}

impl Runner {
    /// Brings a thread's sandbox up where it is not, and keeps it for as long as the answer is held.
    pub async fn attach(&self, owner: &str, name: &str) -> Result<Attached, Error> {
        let (thread, _) = self.find(owner, name).await?;
        match self.handle(&thread.id).await?.attach().await {
            // The task came to rest just now; another begins.
            Err(Error::Ended) if !self.shared.stop.is_cancelled() => {
                self.handle(&thread.id).await?.attach().await
            }
            answer => answer,
        }
    }
}
