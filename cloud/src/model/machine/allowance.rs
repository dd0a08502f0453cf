//! Whether the running turn may go on: judged before it is given to its agent, before each call of a model, and when a
//! limit of time comes near.
//!
//! At a limit the turn waits: a question says so, which a person answers, or which falls away when the budget is raised. What
//! of the world beside the thread counts comes in as an [`Account`].

use std::collections::BTreeSet;

use aloft_proto::v1::{Level, NoticeKind, OptionKind, PermissionOption};

use crate::model::{
    budget::{Account, Kind, Limit, Limits, Scope},
    machine::{Accepted, Deadline, Effect, Machine, Millis, ModelCall, Phase},
    time::timestamp,
    transcript::CANCELLED,
    update::Question,
    usage,
};

/// The name of the question that a turn waits with.
pub(super) const BUDGET: &str = "budget";
/// The shortest time between two looks at a limit of time.
const LOOK: Millis = 1_000;

/// How far a turn is with its budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Clearance {
    /// Nobody has looked yet.
    #[default]
    Unasked,
    /// Somebody looks.
    Asked,
    /// It may work.
    Given,
}

/// What the running turn is allowed.
#[derive(Clone, Debug, Default)]
pub(super) struct Allowance {
    pub(super) clearance: Clearance,
    /// The limits it waits at.
    pub(super) held: Vec<Limit>,
    /// Limits that a person lets it pass.
    waived: Vec<(Scope, Kind)>,
    /// When a limit is looked at again.
    look: Option<Millis>,
}

/// What a thread knows of its budget; all of it is found out again after a restart.
#[derive(Clone, Debug, Default)]
pub(super) struct Purse {
    /// The owner limits something.
    limited: bool,
    /// The limit that was reached when it was last looked at, in words.
    spent: Option<String>,
    /// Limits that the owner was told of.
    told: BTreeSet<String>,
}

impl Machine {
    /// Tells whether the owner limits anything, so that a thread without limits is not held up by looking.
    pub fn expect_limits(&mut self, any: bool) {
        self.purse.limited = any;
    }

    /// Whether there is a limit to look at.
    pub fn is_limited(&self) -> bool {
        self.purse.limited || !self.memory.tally.budget.is_empty()
    }

    /// Whether the running turn waits at a limit.
    pub fn is_at_limit(&self) -> bool {
        self.turn.as_ref().is_some_and(|running| !running.allowance.held.is_empty())
    }

    /// Whether a model may be called, as things were when they were last looked at.
    pub fn model_call(&self) -> ModelCall {
        let works = self.turn.as_ref().is_some_and(|running| running.phase == Phase::Prompted);
        match (&self.purse.spent, works && self.is_at_limit()) {
            (_, true) => ModelCall::Wait,
            (Some(words), false) => ModelCall::Refused(words.clone()),
            (None, false) => ModelCall::Go,
        }
    }

    /// New limits of the thread's own.
    pub(super) fn set_budget(
        &mut self,
        per_day: bool,
        set: Limits,
        clear: &[Kind],
        out: &mut Accepted,
    ) {
        let budget = &mut self.memory.tally.budget;
        let limits = if per_day { &mut budget.per_day } else { &mut budget.total };
        *limits = limits.changed(set, clear);
        if self.turn.is_some() {
            out.effects.push(Effect::CheckBudget);
        }
    }

    /// Whether the waiting turn may be given to its agent; looks where nobody has.
    pub(super) fn is_cleared(&mut self, out: &mut Accepted) -> bool {
        let Some(running) = &mut self.turn else { return false };
        match running.allowance.clearance {
            Clearance::Given => true,
            Clearance::Asked => false,
            Clearance::Unasked => {
                running.allowance.clearance = Clearance::Asked;
                out.effects.push(Effect::CheckBudget);
                false
            }
        }
    }

    /// Judges the running turn.
    pub(super) fn account(&mut self, now: Millis, account: &Account, out: &mut Accepted) {
        let (total, today) = (self.total(now), self.today(now));
        let limits = self.memory.tally.budget.limits(total, today, account);
        self.warn_of_unpriced(now, &limits, out);
        for limit in limits.iter().filter(|limit| limit.is_near()) {
            self.tell_limit(now, limit, account, out);
        }
        let allowance = self.turn.as_ref().map(|running| running.allowance.clone());
        let charged = self.turn().is_none_or(|turn| self.is_charged(turn.number));
        let begun =
            charged || allowance.as_ref().is_some_and(|of| of.clearance == Clearance::Given);
        let waived = allowance.unwrap_or_default().waived;
        let reached: Vec<Limit> = limits
            .iter()
            .filter(|limit| limit.is_reached() && !waived.contains(&(limit.scope, limit.kind)))
            // A turn that was let go is not one too many, and the pull request's own is none that counts.
            .filter(|limit| !(begun || self.memory.describes) || limit.kind != Kind::Turns)
            .copied()
            .collect();
        self.purse.spent = reached.first().map(|limit| limit.words(&account.currency));
        match self.turn.as_ref().map(|running| running.phase) {
            Some(Phase::Waiting | Phase::Prompted) if !reached.is_empty() => {
                self.hold(now, reached, account, out);
            }
            Some(Phase::Waiting | Phase::Prompted) => {
                self.withdraw_budget(now, out);
                self.clear(now, out);
                self.advance(now, out);
            }
            Some(Phase::Guided | Phase::Stopping | Phase::Killing | Phase::Saving) | None => return,
        }
        self.look_again(now, &limits, account, out);
    }

    /// Answers the question that the turn waits with.
    pub(super) fn answer_budget(
        &mut self,
        now: Millis,
        chosen: &PermissionOption,
        by: &str,
        out: &mut Accepted,
    ) {
        let events = self.transcript.answer(BUDGET, &chosen.id, by, timestamp(now));
        self.log_all(events, out);
        if chosen.kind() != OptionKind::AllowOnce {
            return self.stop(now, by, out);
        }
        if let Some(running) = &mut self.turn {
            let held = std::mem::take(&mut running.allowance.held);
            running.allowance.waived.extend(held.iter().map(|limit| (limit.scope, limit.kind)));
        }
        self.purse.spent = None;
        out.effects.push(Effect::Hold(false));
        self.clear(now, out);
        self.advance(now, out);
    }

    /// The question falls away with what it is about.
    pub(super) fn withdraw_budget(&mut self, now: Millis, out: &mut Accepted) {
        let Some(running) = &mut self.turn else { return };
        if std::mem::take(&mut running.allowance.held).is_empty() {
            return;
        }
        let events = self.transcript.answer(BUDGET, CANCELLED, "", timestamp(now));
        self.log_all(events, out);
        out.effects.push(Effect::Hold(false));
    }

    /// The turn may work.
    pub(super) fn clear(&mut self, now: Millis, out: &mut Accepted) {
        let Some(running) = &mut self.turn else { return };
        if running.allowance.clearance != Clearance::Given {
            running.allowance.clearance = Clearance::Given;
            self.charge_turn(now, out);
        }
    }

    fn hold(&mut self, now: Millis, reached: Vec<Limit>, account: &Account, out: &mut Accepted) {
        if self.memory.describes {
            let words: Vec<String> =
                reached.iter().map(|limit| limit.words(&account.currency)).collect();
            return self.leave_undescribed(now, &words.join("; "), out);
        }
        let Some(running) = &self.turn else { return };
        let same = |one: &Limit, other: &Limit| {
            (one.scope, one.kind, one.allowed) == (other.scope, other.kind, other.allowed)
        };
        let held = &running.allowance.held;
        if held.len() == reached.len() && held.iter().zip(&reached).all(|(one, two)| same(one, two))
        {
            return;
        }
        let first_time = held.is_empty();
        if !first_time {
            let events = self.transcript.answer(BUDGET, CANCELLED, "", timestamp(now));
            self.log_all(events, out);
        }
        let question = self.question(&reached, account);
        let events = self.transcript.ask(BUDGET, question, timestamp(now));
        self.log_all(events, out);
        for limit in &reached {
            self.tell_limit(now, limit, account, out);
        }
        let Some(running) = &mut self.turn else { return };
        if first_time && running.phase == Phase::Prompted {
            out.effects.push(Effect::Hold(true));
        }
        running.allowance.held = reached;
    }

    fn question(&self, reached: &[Limit], account: &Account) -> Question {
        let words: Vec<String> =
            reached.iter().map(|limit| limit.words(&account.currency)).collect();
        let raise = reached.iter().map(|limit| {
            let whose = match limit.scope {
                Scope::Thread => self.thread.slug.clone(),
                Scope::ThreadDay => format!("{} --per-day", self.thread.slug),
                Scope::Day => "default --per-day".to_owned(),
            };
            format!("aloft budget {whose} {} …", limit.option())
        });
        let raise = raise.collect::<Vec<_>>().join("\n");
        Question {
            title: format!("The budget is used up: {}", words.join("; ")),
            detail: format!("The turn waits, and goes on when the budget is raised:\n{raise}"),
            options: vec![
                option("allow", "Go on with this turn all the same", OptionKind::AllowOnce),
                option("stop", "Stop the turn", OptionKind::RejectOnce),
            ],
            ..Question::default()
        }
    }

    /// Looks again when a limit of time may be reached, and when a limit of a day ends with it.
    fn look_again(&mut self, now: Millis, limits: &[Limit], account: &Account, out: &mut Accepted) {
        let held = self.is_at_limit();
        let Some(running) = &mut self.turn else { return };
        let times = limits.iter().filter_map(|limit| match limit.time_left() {
            Some(left) if !held && left > 0 => {
                let sharing = if limit.scope == Scope::Day { account.working.max(1) } else { 1 };
                Some(now + (left / Millis::try_from(sharing).unwrap_or(1)).max(LOOK))
            }
            _ => (held && limit.scope != Scope::Thread).then(|| usage::next_day(now)),
        });
        let Some(at) = times.min() else { return };
        if running.allowance.look.is_none_or(|look| at < look || look <= now) {
            running.allowance.look = Some(at);
            let deadline = Deadline::Budget(running.turn.id.clone());
            out.effects.push(Effect::Wake { at, deadline });
        }
    }

    /// Tells the owner of a limit that is near or reached, once each: the notice has a name of its own.
    fn tell_limit(&mut self, now: Millis, limit: &Limit, account: &Account, out: &mut Accepted) {
        let name = limit.name(&self.thread.id, usage::day(now));
        let words = limit.words(&account.currency);
        let (id, what, body) = if limit.is_reached() {
            let id = format!(
                "budget/{}/{name}/{}/{}",
                self.thread.owner,
                self.thread.id,
                self.turn_id()
            );
            (
                id,
                "waits: its budget is used up",
                format!("{words}; it goes on when the budget is raised"),
            )
        } else {
            let id = format!("budget/{}/{name}/near", self.thread.owner);
            (id, "comes near its budget", words)
        };
        let posted = out.notices.len();
        if !self.purse.told.contains(&id) {
            self.post(NoticeKind::Budget, what, &body, out);
        }
        if let Some(notice) = out.notices.get_mut(posted) {
            notice.id.clone_from(&id);
            self.purse.told.insert(id);
        }
    }

    /// Says once that a model has no price, where money is limited.
    fn warn_of_unpriced(&mut self, now: Millis, limits: &[Limit], out: &mut Accepted) {
        let money = limits.iter().any(|limit| limit.kind == Kind::Cost);
        let tally = &mut self.memory.tally;
        if money && let Some(model) = tally.unpriced.take() {
            tally.unpriced_told = true;
            let text = format!(
                "The model {model} has no price, so what it costs does not count against the budget. \
                 [serve.prices] of the cloud's config.toml gives it one."
            );
            self.say(now, Level::Warning, text, out);
        }
    }
}

fn option(id: &str, label: &str, kind: OptionKind) -> PermissionOption {
    let mut option = PermissionOption { id: id.into(), label: label.into(), ..Default::default() };
    option.set_kind(kind);
    option
}
