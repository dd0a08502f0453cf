//! Budgets: what is allowed, what was used of it, and which limits are reached or near.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{machine::Millis, usage::Day};

/// A limit is near from this share of it on, in hundredths.
const NEAR: u64 = 80;

/// How much is allowed; none = as much as is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Tokens sent and received.
    pub tokens: Option<u64>,
    /// Money, in millionths of the currency.
    pub cost: Option<u64>,
    /// Time in which turns work, in seconds.
    pub seconds: Option<u64>,
    /// Turns begun.
    pub turns: Option<u64>,
}

/// The limits of a thread, or of its owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// Of a thread, over its whole life.
    pub total: Limits,
    /// Of one day: of a thread, or in the owner's default of all threads together.
    pub per_day: Limits,
}

/// What was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spent {
    /// Tokens sent and received.
    pub tokens: u64,
    /// Money, in millionths of the currency.
    pub cost: u64,
    /// Time in which turns worked, in milliseconds.
    pub millis: u64,
    /// Turns begun.
    pub turns: u64,
}

/// What of the world beside its own thread a budget is judged by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The owner's default.
    pub default: Budget,
    /// Of all prices; empty = nothing has one.
    pub currency: String,
    /// The day `spent` is of.
    pub day: Day,
    /// By all threads of the owner on that day, those that work now included.
    pub spent: Spent,
    /// Threads of the owner that work now.
    pub working: u64,
}

/// What one limit is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Tokens sent and received.
    Tokens,
    /// Money.
    Cost,
    /// Time in which turns work.
    Time,
    /// Turns begun.
    Turns,
}

/// Whose use a limit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The thread's, over its whole life.
    Thread,
    /// The thread's of one day.
    ThreadDay,
    /// All threads' of one day.
    Day,
}

/// One limit with what was used of it: of turns and tokens the number, of money millionths, of time milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Whose use it is for.
    pub scope: Scope,
    /// What it is of.
    pub kind: Kind,
    /// How much is allowed.
    pub allowed: u64,
    /// How much was used.
    pub used: u64,
}

impl Limits {
    /// These, and where one is absent that of `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.or(other.tokens),
            cost: self.cost.or(other.cost),
            seconds: self.seconds.or(other.seconds),
            turns: self.turns.or(other.turns),
        }
    }

    /// These with new values, and without those of these kinds.
    #[must_use]
    pub fn changed(self, set: Self, clear: &[Kind]) -> Self {
        let of = |kind, new: Option<u64>, old: Option<u64>| {
            if clear.contains(&kind) { None } else { new.or(old) }
        };
        Self {
            tokens: of(Kind::Tokens, set.tokens, self.tokens),
            cost: of(Kind::Cost, set.cost, self.cost),
            seconds: of(Kind::Time, set.seconds, self.seconds),
            turns: of(Kind::Turns, set.turns, self.turns),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Each limit that is set, beside what was used of it.
    fn each(self, scope: Scope, spent: Spent) -> impl Iterator<Item = Limit> {
        let time = self.seconds.map(|seconds| seconds.saturating_mul(1_000));
        let all = [
            (Kind::Tokens, self.tokens, spent.tokens),
            (Kind::Cost, self.cost, spent.cost),
            (Kind::Time, time, spent.millis),
            (Kind::Turns, self.turns, spent.turns),
        ];
        all.into_iter().filter_map(move |(kind, allowed, used)| {
            allowed.map(|allowed| Limit { scope, kind, allowed, used })
        })
    }
}

impl Budget {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        self.total.is_empty() && self.per_day.is_empty()
    }

    /// All limits that count for a thread with this budget of its own, narrowest use first.
    pub fn limits(&self, total: Spent, today: Spent, account: &Account) -> Vec<Limit> {
        let thread = self.total.or(account.default.total).each(Scope::Thread, total);
        let of_day = self.per_day.each(Scope::ThreadDay, today);
        let all = account.default.per_day.each(Scope::Day, account.spent);
        thread.chain(of_day).chain(all).collect()
    }
}

impl Limit {
    /// Nothing is left of it.
    pub fn is_reached(&self) -> bool {
        self.used >= self.allowed
    }

    /// Little is left of it.
    pub fn is_near(&self) -> bool {
        !self.is_reached()
            && u128::from(self.used) * 100 >= u128::from(self.allowed) * u128::from(NEAR)
    }

    /// What it is, apart from what was used: it is told once by this name.
    pub fn name(&self, thread: &str, day: Day) -> String {
        let (kind, allowed) = (self.kind, self.allowed);
        match self.scope {
            Scope::Thread => format!("{thread}/{kind:?}/{allowed}"),
            Scope::ThreadDay => format!("{thread}/{day}/{kind:?}/{allowed}"),
            Scope::Day => format!("{day}/{kind:?}/{allowed}"),
        }
    }

    /// What was used of how much, for people.
    pub fn words(&self, currency: &str) -> String {
        let whose = match self.scope {
            Scope::Thread => "by this thread",
            Scope::ThreadDay => "by this thread today",
            Scope::Day => "by all threads today",
        };
        let used = Amount { kind: self.kind, count: self.used, currency };
        let allowed = Amount { count: self.allowed, ..used };
        let thing = match self.kind {
            Kind::Tokens => " tokens",
            Kind::Turns => " turns",
            Kind::Cost | Kind::Time => "",
        };
        format!("{used} of {allowed}{thing} used {whose}")
    }

    /// The option of `aloft budget` that sets it.
    pub fn option(&self) -> &'static str {
        match self.kind {
            Kind::Tokens => "--tokens",
            Kind::Cost => "--cost",
            Kind::Time => "--minutes",
            Kind::Turns => "--turns",
        }
    }

    /// The time that is left of one of time, in milliseconds.
    pub fn time_left(&self) -> Option<Millis> {
        let left = self.allowed.saturating_sub(self.used);
        (self.kind == Kind::Time).then(|| Millis::try_from(left).unwrap_or(Millis::MAX))
    }
}

/// So much of something, for people.
#[derive(Clone, Copy)]
struct Amount<'a> {
    kind: Kind,
    count: u64,
    currency: &'a str,
}

impl fmt::Display for Amount<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (amount, currency) = (self.count, self.currency);
        match self.kind {
            Kind::Tokens | Kind::Turns => formatter.write_str(&grouped(amount)),
            Kind::Cost => {
                let (whole, cents) = (amount / 1_000_000, amount % 1_000_000 / 10_000);
                write!(formatter, "{}.{cents:02} {currency}", grouped(whole))
            }
            Kind::Time => {
                let seconds = amount / 1_000;
                match (seconds / 60, seconds % 60) {
                    (0, seconds) => write!(formatter, "{seconds} s"),
                    (minutes, 0) => write!(formatter, "{} min", grouped(minutes)),
                    (minutes, seconds) => write!(formatter, "{} min {seconds} s", grouped(minutes)),
                }
            }
        }
    }
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(scope: Scope, kind: Kind, used: u64, allowed: u64) -> Limit {
        Limit { scope, kind, allowed, used }
    }

    #[test]
    fn a_limit_is_near_from_eighty_percent_on_until_it_is_reached() {
        let of = |used| {
            let limit = limit(Scope::Thread, Kind::Tokens, used, 1_000);
            (limit.is_near(), limit.is_reached())
        };
        assert_eq!([of(799), of(800), of(999)], [(false, false), (true, false), (true, false)]);
        assert_eq!([of(1_000), of(5_000)], [(false, true), (false, true)]);
        assert!(limit(Scope::Day, Kind::Cost, 0, 0).is_reached(), "nothing is allowed");
    }

    #[test]
    fn a_thread_has_the_default_where_it_has_no_limit_of_its_own() {
        let own = Budget {
            total: Limits { tokens: Some(10), ..Limits::default() },
            per_day: Limits { turns: Some(3), ..Limits::default() },
        };
        let account = Account {
            default: Budget {
                total: Limits { tokens: Some(99), cost: Some(5), ..Limits::default() },
                per_day: Limits { seconds: Some(60), ..Limits::default() },
            },
            spent: Spent { millis: 61_000, ..Spent::default() },
            ..Account::default()
        };
        let total = Spent { tokens: 4, cost: 2, turns: 9, ..Spent::default() };
        let today = Spent { turns: 1, ..Spent::default() };
        assert_eq!(
            own.limits(total, today, &account),
            [
                limit(Scope::Thread, Kind::Tokens, 4, 10),
                limit(Scope::Thread, Kind::Cost, 2, 5),
                limit(Scope::ThreadDay, Kind::Turns, 1, 3),
                limit(Scope::Day, Kind::Time, 61_000, 60_000),
            ]
        );
        assert_eq!(Budget::default().limits(total, today, &Account::default()), []);
    }

    #[test]
    fn limits_are_told_in_words() {
        let words = |scope, kind, used, allowed| limit(scope, kind, used, allowed).words("USD");
        assert_eq!(
            words(Scope::Thread, Kind::Tokens, 1_234_567, 1_000_000),
            "1,234,567 of 1,000,000 tokens used by this thread"
        );
        assert_eq!(
            words(Scope::Day, Kind::Cost, 5_019_999, 5_000_000),
            "5.01 USD of 5.00 USD used by all threads today"
        );
        assert_eq!(
            words(Scope::ThreadDay, Kind::Time, 90_500, 60_000),
            "1 min 30 s of 1 min used by this thread today"
        );
        assert_eq!(words(Scope::Thread, Kind::Turns, 3, 3), "3 of 3 turns used by this thread");
    }
}
