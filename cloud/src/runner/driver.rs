//! The task of one thread: takes inputs, writes what the machine decides, then performs its effects.
//!
//! Nobody hears of a change before it is on disk: the commit comes first, answers and effects after it. Reports of the world
//! that arrive together are taken together and written at once, so a flood of output costs few commits.

use std::time::Duration;

use aloft_fault::pass;
use aloft_proto::v1::{Event, Notice};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    model::{
        machine::{Accepted, Access, Deadline, Effect, Fact, Input, Machine, ModelCall, Record},
        time::timestamp,
    },
    notices::is_posted,
    runner::{
        Error, Opened, Parts,
        attach::Waiting,
        batch::Batch,
        effects::World,
        handle::{Applied, Ask, Handle},
        marks::Marks,
        new_id, now,
        request::RequestKey,
        stored::{encode_answer, encode_memory},
        whole,
    },
    sandbox::Sandbox,
    store::{self, Commit, ThreadRow},
};

/// Reports taken together at most.
const BATCH: usize = 256;
/// Time between tries to write when the store has no room.
const AGAIN: Duration = Duration::from_millis(500);
/// How long a thread at rest keeps its task.
const LINGER: Duration = Duration::from_secs(2);

/// A report of the world: a fact with the JSON behind it, while its scope lasts.
#[derive(Debug)]
pub(super) struct Report {
    pub fact: Fact,
    pub raw: String,
    pub scope: CancellationToken,
}

/// The task of one thread.
#[derive(Debug)]
pub(super) struct Driver {
    machine: Machine,
    world: World,
    parts: Parts,
    reports: mpsc::Receiver<Report>,
    /// Those who wait for the sandbox.
    waiting: Waiting,
    /// Each who let go of it.
    released: mpsc::UnboundedReceiver<()>,
    stop: CancellationToken,
    /// What was asked while the log waited for room.
    held: Option<Ask>,
    gone: bool,
    /// Tells those that wait for a model whether the turn waits at its budget.
    at_limit: watch::Sender<bool>,
    /// Of the owners' default budgets.
    changes: watch::Receiver<u64>,
}

impl Driver {
    pub(super) fn new(
        parts: Parts,
        machine: Machine,
        sandbox: Option<Sandbox>,
        handle: Handle,
        at_limit: watch::Sender<bool>,
        opened: mpsc::Sender<Opened>,
        stop: CancellationToken,
    ) -> Self {
        let (sender, reports) = mpsc::channel(BATCH);
        let world = World::new(parts.clone(), sender, handle, opened, &stop, sandbox);
        let (waiting, released) = Waiting::new();
        let changes = parts.budgets.watch();
        Self {
            machine,
            world,
            parts,
            reports,
            waiting,
            released,
            stop,
            held: None,
            gone: false,
            at_limit,
            changes,
        }
    }

    /// Runs until the thread is gone or at rest, or the cloud stops.
    pub(super) async fn run(mut self, mut asks: mpsc::Receiver<Ask>) {
        let mut rest_since: Option<Instant> = None;
        while !self.gone {
            if let Some(ask) = self.held.take() {
                self.on_ask(ask, &mut asks).await;
            }
            let linger = async {
                match rest_since {
                    Some(since) => tokio::time::sleep_until(since + LINGER).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                Some(ask) = asks.recv() => self.on_ask(ask, &mut asks).await,
                Some(report) = self.reports.recv() => self.on_reports(report, &mut asks).await,
                Some(()) = self.released.recv() => self.on_release().await,
                Ok(()) = self.changes.changed() => self.on_budgets().await,
                () = linger => break,
            }
            if !self.waiting.is_empty() {
                self.waiting.answer(self.machine.access(), self.world.sandbox().await);
            }
            rest_since = (self.machine.at_rest() && !self.gone).then(Instant::now);
        }
        // What was sent before the end is answered, so that the sender can begin anew.
        if let Some(ask) = self.held.take() {
            ask.refuse(Error::Ended);
        }
        asks.close();
        while let Ok(ask) = asks.try_recv() {
            ask.refuse(Error::Ended);
        }
        self.parts.budgets.works(self.machine.thread(), None);
        self.world.close().await;
    }

    async fn on_ask(&mut self, ask: Ask, asks: &mut mpsc::Receiver<Ask>) {
        match ask {
            Ask::TakeUp { found, reply } => self.take_up(found, reply, asks).await,
            Ask::Apply { input, request, reply } => match self.take(*input, request).await {
                Ok((applied, effects)) => {
                    pass!("ask.committed");
                    let _gone = reply.send(Ok(applied));
                    pass!("ask.answered");
                    self.perform(effects).await;
                }
                Err(error) => drop(reply.send(Err(error))),
            },
            Ask::Attach { reply } => match self.take(Input::Attach, None).await {
                Ok((_, effects)) => {
                    self.waiting.add(reply);
                    self.perform(effects).await;
                }
                // A full disk must not keep out who comes to make room on it.
                Err(Error::Store(store::Error::Full(_)))
                    if self.machine.access() == Access::Ready =>
                {
                    let effects = self.machine.accept(now(), Input::Attach);
                    self.waiting.add(reply);
                    self.perform(effects.map(|accepted| accepted.effects).unwrap_or_default())
                        .await;
                }
                Err(error) => drop(reply.send(Err(error))),
            },
            Ask::ModelCall { reply } => self.on_model_call(reply).await,
        }
    }

    /// Gives the machine an input and writes what it decides; an error changes nothing.
    async fn take(
        &mut self,
        input: Input,
        request: Option<RequestKey>,
    ) -> Result<(Applied, Vec<Effect>), Error> {
        self.expect_limits().await;
        let before = self.machine.clone();
        let silent = matches!(input, Input::Account(_));
        let taken = match self.machine.accept(now(), input) {
            Err(refused) => Err(refused.into()),
            // What leaves no trace needs no room on disk.
            Ok(accepted)
                if silent && accepted.is_empty() && before.memory() == self.machine.memory() =>
            {
                Ok((Applied::default(), accepted.effects))
            }
            Ok(accepted) => {
                self.commit(Batch { accepted, raws: Vec::new() }, request.as_ref()).await
            }
        };
        match taken {
            Ok(_) => self.tell_budget(),
            // Nothing was written, so nothing happened.
            Err(_) => self.machine = before,
        }
        taken
    }

    /// Nothing else comes before it: the first that fails is told, and it is tried until it works.
    async fn take_up(
        &mut self,
        found: Input,
        reply: oneshot::Sender<Result<(), Error>>,
        asks: &mut mpsc::Receiver<Ask>,
    ) {
        let mut reply = Some(reply);
        loop {
            let (told, effects) = match self.take(found.clone(), None).await {
                Ok((_, effects)) => (Ok(()), Some(effects)),
                Err(error) => (Err(error), None),
            };
            if let Some(reply) = reply.take() {
                let _gone = reply.send(told);
            }
            match effects {
                Some(effects) => return self.perform(effects).await,
                None if self.wait_for_room(asks).await => {}
                None => return,
            }
        }
    }

    /// Somebody let go of the sandbox. They did even where there is no room to write it down.
    async fn on_release(&mut self) {
        let accepted = match self.machine.accept(now(), Input::Detach) {
            Ok(accepted) => accepted,
            Err(refused) => {
                tracing::debug!(%refused, "a sandbox was let go of too late");
                return;
            }
        };
        let effects = accepted.effects.clone();
        if let Err(error) = self.commit(Batch { accepted, raws: Vec::new() }, None).await {
            tracing::warn!(
                thread = self.machine.thread().id,
                error = whole(&error),
                "could not write down that a sandbox was let go of"
            );
        }
        self.perform(effects).await;
    }

    async fn on_model_call(&mut self, reply: oneshot::Sender<Result<ModelCall, Error>>) {
        self.expect_limits().await;
        let answer = if self.machine.is_limited() {
            self.check_budget().await.map(|()| self.machine.model_call())
        } else {
            Ok(ModelCall::Go)
        };
        let _gone = reply.send(answer);
    }

    /// Somebody changed a default.
    async fn on_budgets(&mut self) {
        if self.machine.turn().is_some() {
            self.perform(vec![Effect::CheckBudget]).await;
        }
    }

    /// Looks how the owner's account stands and lets the machine judge.
    async fn check_budget(&mut self) -> Result<(), Error> {
        let owner = self.machine.thread().owner.clone();
        let account = self.parts.budgets.account(&owner, now()).await?;
        let (_, effects) = self.take(Input::Account(account), None).await?;
        self.perform(effects).await;
        Ok(())
    }

    async fn expect_limits(&mut self) {
        let default = self.parts.budgets.default(&self.machine.thread().owner).await;
        self.machine.expect_limits(!default.is_empty());
    }

    /// Tells what others must know of the machine's turn.
    fn tell_budget(&self) {
        self.parts.budgets.works(self.machine.thread(), self.machine.works_since());
        let at_limit = self.machine.is_at_limit();
        self.at_limit.send_if_modified(|known| std::mem::replace(known, at_limit) != at_limit);
    }

    async fn on_reports(&mut self, first: Report, asks: &mut mpsc::Receiver<Ask>) {
        self.expect_limits().await;
        let mut batch = Batch::default();
        let mut next = Some(first);
        while let Some(Report { fact, raw, scope }) = next {
            if !scope.is_cancelled() {
                let turns = ends_batch(&fact);
                match self.machine.accept(now(), Input::Fact(fact)) {
                    Ok(accepted) => batch.add(accepted, raw),
                    Err(refused) => tracing::debug!(%refused, "a report came too late"),
                }
                if turns {
                    break;
                }
            }
            next = if batch.accepted.events.len() < BATCH {
                self.reports.try_recv().ok()
            } else {
                None
            };
        }
        batch.merge_appends();
        pass!("report.before");
        let mut tries = 0_u32;
        loop {
            match self.commit(batch.clone_records(), None).await {
                Ok((_, effects)) => {
                    pass!("report.committed");
                    let all = std::mem::take(&mut batch.accepted.effects);
                    drop(effects);
                    self.tell_budget();
                    self.perform(all).await;
                    return;
                }
                Err(error) => {
                    if tries == 0 {
                        tracing::error!(
                            thread = self.machine.thread().id,
                            error = whole(&error),
                            "could not write the log; waiting for room"
                        );
                    }
                    tries += 1;
                    if !self.wait_for_room(asks).await {
                        return;
                    }
                }
            }
        }
    }

    /// Waits until it is time to try again: after a while, or when somebody asks, who is answered once that try has been made.
    /// False when the cloud stops.
    async fn wait_for_room(&mut self, asks: &mut mpsc::Receiver<Ask>) -> bool {
        if let Some(ask) = self.held.take() {
            ask.refuse(store::Error::Full("the log waits for room".into()).into());
        }
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(AGAIN) => true,
            Some(ask) = asks.recv() => {
                self.held = Some(ask);
                true
            }
        }
    }

    async fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let marks = Marks::of(&effect);
            marks.before();
            let performed = if effect == Effect::CheckBudget {
                // What follows may look again.
                Box::pin(self.check_budget_or_later()).await
            } else {
                self.world.perform(effect, &self.machine).await
            };
            marks.after();
            match performed {
                Ok(gone) => self.gone |= gone,
                Err(error) => {
                    tracing::error!(
                        thread = self.machine.thread().id,
                        error = whole(&error),
                        "an effect failed"
                    );
                }
            }
        }
    }

    /// Looks at the budget, and again later where that fails: a turn must not wait for ever.
    async fn check_budget_or_later(&mut self) -> Result<bool, Error> {
        let Err(error) = self.check_budget().await else { return Ok(false) };
        let thread = self.machine.thread().id.clone();
        tracing::error!(thread, error = whole(&error), "could not look at the budget");
        let Some(turn) = self.machine.turn().map(|turn| turn.id.clone()) else { return Ok(false) };
        let at = now() + i64::try_from(AGAIN.as_millis()).unwrap_or_default();
        let again = Effect::Wake { at, deadline: Deadline::Budget(turn) };
        self.world.perform(again, &self.machine).await
    }

    /// Writes a batch as one transaction.
    async fn commit(
        &self,
        batch: Batch,
        request: Option<&RequestKey>,
    ) -> Result<(Applied, Vec<Effect>), Error> {
        let time = now();
        let Batch { accepted, mut raws } = batch;
        let Accepted { events, effects, notices, usage, ledger, turn, item, queue } = accepted;
        raws.reverse();
        let mut stamped = Vec::with_capacity(events.len());
        for (at, Record { turn_id, payload }) in events.into_iter().enumerate() {
            let raw = if raws.last().is_some_and(|(first, _)| *first == at) {
                raws.pop().map(|(_, raw)| raw).unwrap_or_default()
            } else {
                String::new()
            };
            let time = Some(timestamp(time));
            stamped.push(Event { turn_id, time, raw, payload: Some(payload), ..Event::default() });
        }
        let thread = self.machine.thread().clone();
        let mut applied = Applied { thread, cursor: 0, turn, item, queue };
        let row = ThreadRow {
            thread: applied.thread.clone(),
            private: encode_memory(self.machine.memory()),
        };
        let request = request.map(|key| store::Request {
            owner: key.owner.clone(),
            id: key.id.clone(),
            fingerprint: key.fingerprint,
            answer: encode_answer(&applied),
            cursor: 0,
            time,
        });
        let settings = &self.parts.config.notices;
        let notices = notices
            .into_iter()
            .filter(|notice| is_posted(&applied.thread, notice.kind(), settings))
            .map(|notice| name_notice(notice, time))
            .collect();
        let committed = self
            .parts
            .store
            .commit(Commit {
                thread: Some(row),
                events: stamped,
                request,
                notices,
                usage,
                ledger,
                delete_thread: false,
                expired: false,
            })
            .await?;
        applied.cursor = committed.cursor;
        Ok((applied, effects))
    }
}

/// Whether what follows this report must see its effects first.
fn ends_batch(fact: &Fact) -> bool {
    !matches!(fact, Fact::Agent(_) | Fact::Step(_))
}

fn name_notice(mut notice: Notice, time: i64) -> Notice {
    // One that is told once has its name already.
    if notice.id.is_empty() {
        notice.id = new_id();
    }
    notice.create_time = Some(timestamp(time));
    notice
}
