//! What a thread used: tokens, money, the time in which its turns work, and its entries in the ledger.
//!
//! An entry has a subject that is its own for ever, and figures that are whole each time: written again it is the same entry.

use aloft_proto::v1::{LedgerEntry, LedgerKind, Usage, UsageRow};
use serde::{Deserialize, Serialize};

use crate::model::{
    budget::{Budget, Spent},
    machine::{Accepted, Machine, Millis},
    time::timestamp,
    usage::{self, Day, Money, Tokens},
};

/// What a model was used for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// The model, as the API named it.
    pub model: String,
    /// Its tokens.
    pub tokens: Tokens,
    /// What they cost; none = the model has no price.
    pub cost: Option<Money>,
}

/// What was used and what is allowed, as far as the thread's own record does not say it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// The thread's own budget.
    pub budget: Budget,
    /// Time in which turns worked, in milliseconds.
    pub millis: u64,
    /// Turns that were let go.
    pub turns: u64,
    /// The day that `today` is of.
    pub day: Day,
    /// What was used on that day.
    pub today: Spent,
    /// The newest turn that was let go.
    pub turn: Option<TurnUse>,
    /// Its sandbox has been up since the last pause.
    pub awake: bool,
    /// Pauses so far.
    pub pauses: u64,
    /// The newest pause that ended.
    pub woken: u64,
    /// A model that was used and has no price.
    pub unpriced: Option<String>,
    /// That was said.
    pub unpriced_told: bool,
}

/// What one turn used, with those that tried it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TurnUse {
    /// The turn.
    pub number: u32,
    /// The last one that tried it again, or itself.
    pub newest: u32,
    /// It wrote the words of a pull request.
    pub describes: bool,
    /// When it was let go.
    pub time: Millis,
    /// Tokens sent.
    pub input_tokens: u64,
    /// Tokens received.
    pub output_tokens: u64,
    /// What they cost, where anything had a price.
    pub cost: Option<Money>,
    /// Time in which it worked.
    pub millis: u64,
}

impl Machine {
    /// Since when the turn works; none = it does not.
    pub fn works_since(&self) -> Option<Millis> {
        self.clock
    }

    /// What was used over the thread's whole life.
    pub fn total(&self, now: Millis) -> Spent {
        let usage = self.thread.usage.clone().unwrap_or_default();
        let (tally, working) = (&self.memory.tally, self.clock.map_or(0, |since| now - since));
        Spent {
            tokens: usage.input_tokens.saturating_add(usage.output_tokens),
            cost: usage.cost_micros,
            millis: tally.millis + u64::try_from(working).unwrap_or_default(),
            turns: tally.turns,
        }
    }

    /// What was used on the day of now.
    pub fn today(&self, now: Millis) -> Spent {
        let (tally, day) = (&self.memory.tally, usage::day(now));
        let mut spent = if tally.day == day { tally.today } else { Spent::default() };
        let working = self.clock.map(|since| usage::by_day(since, now)).unwrap_or_default();
        spent.millis += working.iter().filter(|part| part.0 == day).map(|part| part.1).sum::<u64>();
        spent
    }

    /// A model was used.
    pub(super) fn used(&mut self, now: Millis, used: Used, out: &mut Accepted) {
        self.settle_time(now, out);
        let Used { model, tokens, cost } = used;
        let usage = self.thread.usage.get_or_insert_default();
        usage.input_tokens = usage.input_tokens.saturating_add(tokens.input);
        usage.output_tokens = usage.output_tokens.saturating_add(tokens.output);
        if let Some(cost) = &cost {
            // Money of two currencies has no sum: the newer one counts.
            if usage.currency != cost.currency {
                (usage.currency, usage.cost_micros) = (cost.currency.clone(), 0);
            }
            usage.cost_micros = usage.cost_micros.saturating_add(cost.micros);
        }
        let money = cost.clone().unwrap_or_default();
        out.usage.push(UsageRow {
            model: model.clone(),
            currency: money.currency,
            calls: 1,
            input_tokens: tokens.input,
            cached_tokens: tokens.cache_read,
            output_tokens: tokens.output,
            cost_micros: money.micros,
            ..self.row(usage::day(now))
        });
        let tally = &mut self.memory.tally;
        let today = tally.of_day(usage::day(now));
        today.tokens = today.tokens.saturating_add(tokens.input).saturating_add(tokens.output);
        today.cost = today.cost.saturating_add(money.micros);
        if cost.is_none() && !tally.unpriced_told {
            tally.unpriced = Some(model);
        }
        if let Some(turn) = &mut tally.turn {
            turn.input_tokens = turn.input_tokens.saturating_add(tokens.input);
            turn.output_tokens = turn.output_tokens.saturating_add(tokens.output);
            if let Some(cost) = cost {
                let sum = turn.cost.get_or_insert_default();
                if sum.currency != cost.currency {
                    *sum = Money { micros: 0, currency: cost.currency };
                }
                sum.micros = sum.micros.saturating_add(cost.micros);
            }
        }
        self.enter_turn(out);
    }

    /// Whether the turn of this number is in the ledger already: it was let go before the cloud began anew, or tries one
    /// again that is.
    pub(super) fn is_charged(&self, number: u32) -> bool {
        self.memory.tally.turn.as_ref().is_some_and(|turn| {
            turn.newest == number || (self.memory.again && turn.newest + 1 == number)
        })
    }

    /// The running turn may work: it has an entry, or that of the turn it tries again.
    pub(super) fn charge_turn(&mut self, now: Millis, out: &mut Accepted) {
        let Some(number) = self.turn().map(|turn| turn.number) else { return };
        let (charged, describes) = (self.is_charged(number), self.memory.describes);
        let tally = &mut self.memory.tally;
        match &mut tally.turn {
            Some(turn) if charged => turn.newest = number,
            _ => {
                if !describes {
                    tally.turns += 1;
                    tally.of_day(usage::day(now)).turns += 1;
                }
                let newest = number;
                let turn = TurnUse { number, newest, describes, time: now, ..TurnUse::default() };
                tally.turn = Some(turn);
            }
        }
        self.enter_turn(out);
    }

    /// A paused thread is woken.
    pub(super) fn charge_resume(&mut self, now: Millis, kind: LedgerKind, out: &mut Accepted) {
        let tally = &mut self.memory.tally;
        if tally.woken < tally.pauses {
            tally.woken = tally.pauses;
            let subject = format!("resume/{}", tally.pauses);
            self.enter(kind, subject, now, None, out);
        }
    }

    /// A pull request was opened.
    pub(super) fn charge_pull_request(&mut self, now: Millis, number: u64, out: &mut Accepted) {
        self.enter(LedgerKind::PullRequest, format!("pullRequest/{number}"), now, None, out);
    }

    /// The sandbox is up.
    pub(super) fn woke(&mut self) {
        self.memory.tally.awake = true;
    }

    /// The sandbox is down: what brings it back is a resume.
    pub(super) fn fell_asleep(&mut self) {
        let tally = &mut self.memory.tally;
        if std::mem::take(&mut tally.awake) {
            tally.pauses += 1;
        }
    }

    /// Counts the time in which the turn worked until now.
    pub(super) fn settle_time(&mut self, now: Millis, out: &mut Accepted) {
        let Some(since) = self.clock else { return };
        self.clock = Some(now);
        for (day, millis) in usage::by_day(since, now) {
            out.usage.push(UsageRow { millis, ..self.row(day) });
            let tally = &mut self.memory.tally;
            tally.of_day(day).millis += millis;
            tally.millis += millis;
            if let Some(turn) = &mut tally.turn {
                turn.millis += millis;
            }
        }
        self.thread.usage.get_or_insert_default().seconds = self.memory.tally.millis / 1_000;
    }

    /// The turn works no more: its entry is whole.
    pub(super) fn close_time(&mut self, now: Millis, out: &mut Accepted) {
        if self.clock.is_some() {
            self.settle_time(now, out);
            self.clock = None;
            self.enter_turn(out);
        }
    }

    /// Writes the entry of the newest turn.
    fn enter_turn(&self, out: &mut Accepted) {
        let Some(turn) = &self.memory.tally.turn else { return };
        let cost = turn.cost.clone().unwrap_or_default();
        let usage = Usage {
            input_tokens: turn.input_tokens,
            output_tokens: turn.output_tokens,
            cost_micros: cost.micros,
            currency: cost.currency,
            seconds: turn.millis / 1_000,
        };
        let (kind, what) = if turn.describes {
            (LedgerKind::PullRequestWords, "pullRequestWords")
        } else {
            (LedgerKind::Turn, "turn")
        };
        self.enter(kind, format!("{what}/{}", turn.number), turn.time, Some(usage), out);
    }

    fn enter(
        &self,
        kind: LedgerKind,
        subject: String,
        time: Millis,
        usage: Option<Usage>,
        out: &mut Accepted,
    ) {
        // The newest figures of a subject are all of them.
        out.ledger.retain(|entry| entry.subject != subject);
        out.ledger.push(LedgerEntry {
            kind: kind.into(),
            subject,
            thread_id: self.thread.id.clone(),
            agent: self.thread.agent.clone(),
            time: Some(timestamp(time)),
            usage,
        });
    }

    fn row(&self, day: Day) -> UsageRow {
        let (thread_id, agent) = (self.thread.id.clone(), self.thread.agent.clone());
        UsageRow { day, thread_id, agent, ..UsageRow::default() }
    }
}

impl Tally {
    /// What was used on a day, which is the newest; late figures of a day before count there.
    fn of_day(&mut self, day: Day) -> &mut Spent {
        if day > self.day {
            (self.day, self.today) = (day, Spent::default());
        }
        &mut self.today
    }
}
