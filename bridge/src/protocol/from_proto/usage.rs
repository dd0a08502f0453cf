//! Usage and budgets: rows by day, thread, agent and model become the sums people look at.

use std::collections::BTreeMap;

use aloft_proto::v1;

use crate::protocol::from_proto::{text, time};
use crate::protocol::request::usage::{
    AgentUsage, Budget, DayUsage, DefaultBudget, LedgerEntry, LedgerKind, Limits, ModelUsage,
    Spent, ThreadUsage, UsageResult, UsageSum,
};
use crate::protocol::thread::Cost;
use crate::protocol::time;

/// A sum as it grows.
#[derive(Debug, Default)]
struct Sum {
    shown: UsageSum,
    currency: String,
    cost_micros: u64,
    millis: u64,
}

impl Sum {
    fn add(&mut self, row: &v1::UsageRow) {
        let tokens = row.input_tokens.saturating_add(row.output_tokens);
        let shown = &mut self.shown;
        shown.calls += row.calls;
        shown.input_tokens = shown.input_tokens.saturating_add(row.input_tokens);
        shown.cached_tokens = shown.cached_tokens.saturating_add(row.cached_tokens);
        shown.output_tokens = shown.output_tokens.saturating_add(row.output_tokens);
        self.millis += row.millis;
        if row.currency.is_empty() {
            shown.unpriced_tokens = shown.unpriced_tokens.saturating_add(tokens);
            return;
        }
        // Rows come oldest first; money of two currencies has no sum.
        if self.currency != row.currency {
            (self.currency, self.cost_micros) = (row.currency.clone(), 0);
        }
        self.cost_micros = self.cost_micros.saturating_add(row.cost_micros);
    }

    fn enter(&mut self, kind: v1::LedgerKind) {
        match kind {
            v1::LedgerKind::Turn => self.shown.turns += 1,
            v1::LedgerKind::PullRequest => self.shown.pull_requests += 1,
            v1::LedgerKind::ResumeByMessage | v1::LedgerKind::ResumeByPerson => {
                self.shown.resumes += 1;
            }
            v1::LedgerKind::PullRequestWords | v1::LedgerKind::Unspecified => {}
        }
    }

    fn shown(self) -> UsageSum {
        let cost = cost(self.cost_micros, &self.currency);
        UsageSum { cost, seconds: self.millis / 1_000, ..self.shown }
    }
}

impl From<v1::ReadUsageResponse> for UsageResult {
    fn from(response: v1::ReadUsageResponse) -> Self {
        let v1::ReadUsageResponse { rows, entries, today, threads, feed } = response;
        let threads: BTreeMap<String, v1::Thread> =
            threads.into_iter().map(|thread| (thread.id.clone(), thread)).collect();
        let mut total = Sum::default();
        let mut days: BTreeMap<u32, Sum> = BTreeMap::new();
        let mut by_thread: BTreeMap<String, Sum> = BTreeMap::new();
        let mut by_agent: BTreeMap<String, Sum> = BTreeMap::new();
        let mut by_model: BTreeMap<String, Sum> = BTreeMap::new();
        for row in &rows {
            total.add(row);
            days.entry(row.day).or_default().add(row);
            by_thread.entry(row.thread_id.clone()).or_default().add(row);
            by_agent.entry(row.agent.clone()).or_default().add(row);
            if !row.model.is_empty() {
                by_model.entry(row.model.clone()).or_default().add(row);
            }
        }
        for entry in &entries {
            let kind = entry.kind();
            let day = entry.time.as_ref().map_or(0, |time| time.seconds.div_euclid(86_400));
            total.enter(kind);
            days.entry(u32::try_from(day).unwrap_or_default()).or_default().enter(kind);
            by_thread.entry(entry.thread_id.clone()).or_default().enter(kind);
            by_agent.entry(entry.agent.clone()).or_default().enter(kind);
        }
        let first = days.keys().next().copied().unwrap_or(today);
        let thread = |(thread_id, used): (String, UsageSum)| {
            let known = threads.get(&thread_id);
            let slug = known.map(|thread| thread.slug.clone());
            let title = known.map(|thread| thread.title.clone());
            ThreadUsage { thread_id, slug, title, used }
        };
        Self {
            from: time::date(first),
            to: time::date(today),
            total: total.shown(),
            days: days
                .into_iter()
                .map(|(day, sum)| DayUsage { day: time::date(day), used: sum.shown() })
                .collect(),
            threads: most_first(by_thread).map(thread).collect(),
            agents: most_first(by_agent).map(|(agent, used)| AgentUsage { agent, used }).collect(),
            models: most_first(by_model).map(|(model, used)| ModelUsage { model, used }).collect(),
            entries: entries.into_iter().map(Into::into).collect(),
            feed,
        }
    }
}

/// Sums by name, the one with most tokens first.
fn most_first(sums: BTreeMap<String, Sum>) -> impl Iterator<Item = (String, UsageSum)> {
    let mut sums: Vec<_> = sums.into_iter().map(|(name, sum)| (name, sum.shown())).collect();
    sums.sort_by_key(|(_, used)| {
        std::cmp::Reverse(used.input_tokens.saturating_add(used.output_tokens))
    });
    sums.into_iter()
}

impl From<v1::LedgerEntry> for LedgerEntry {
    fn from(entry: v1::LedgerEntry) -> Self {
        Self {
            kind: match entry.kind() {
                v1::LedgerKind::Turn => LedgerKind::Turn,
                v1::LedgerKind::PullRequest => LedgerKind::PullRequest,
                v1::LedgerKind::PullRequestWords => LedgerKind::PullRequestWords,
                v1::LedgerKind::ResumeByMessage => LedgerKind::ResumeByMessage,
                v1::LedgerKind::ResumeByPerson => LedgerKind::ResumeByPerson,
                v1::LedgerKind::Unspecified => LedgerKind::Unknown,
            },
            thread_id: entry.thread_id,
            subject: entry.subject,
            agent: entry.agent,
            time: time(entry.time),
            usage: entry.usage.map(Into::into),
        }
    }
}

impl From<v1::BudgetResponse> for Budget {
    fn from(response: v1::BudgetResponse) -> Self {
        let currency = response.currency;
        let limits = |limits: Option<v1::Limits>| {
            let limits = limits.unwrap_or_default();
            Limits {
                tokens: limits.tokens,
                cost: limits.cost_micros.and_then(|micros| cost(micros, &currency)),
                minutes: limits.seconds.map(minutes),
                turns: limits.turns,
            }
        };
        let spent = |spent: v1::Spent| Spent {
            tokens: spent.tokens,
            cost: cost(spent.cost_micros, &currency),
            minutes: minutes(spent.seconds),
            turns: spent.turns,
        };
        let own = response.budget.unwrap_or_default();
        let default = response.default_budget.unwrap_or_default();
        let thread_id = text(response.thread_id);
        let default =
            DefaultBudget { total: limits(default.total), per_day: limits(default.per_day) };
        Self {
            default: thread_id.is_some().then_some(default),
            thread_id,
            total: limits(own.total),
            per_day: limits(own.per_day),
            used: response.total.map(spent),
            used_today: spent(response.today.unwrap_or_default()),
            all_used_today: spent(response.all_today.unwrap_or_default()),
            day: time::date(response.day),
        }
    }
}

/// An amount of money, where it has a currency.
#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 millionths are nine thousand million units of money"
)]
pub(crate) fn cost(micros: u64, currency: &str) -> Option<Cost> {
    let amount = micros as f64 / 1_000_000.0;
    text(currency.to_owned()).map(|currency| Cost { amount, currency })
}

#[expect(clippy::cast_precision_loss, reason = "nobody works for 2^53 seconds")]
fn minutes(seconds: u64) -> f64 {
    seconds as f64 / 60.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(day: u32, thread: &str, model: &str, tokens: u64, cost: Option<u64>) -> v1::UsageRow {
        v1::UsageRow {
            day,
            thread_id: thread.into(),
            agent: "aloft".into(),
            model: model.into(),
            currency: cost.map(|_| "EUR".to_owned()).unwrap_or_default(),
            calls: 1,
            input_tokens: tokens,
            cost_micros: cost.unwrap_or_default(),
            ..v1::UsageRow::default()
        }
    }

    #[test]
    fn rows_become_sums_and_what_has_no_price_has_no_cost() {
        let time_row = v1::UsageRow { calls: 0, millis: 61_500, ..row(20_000, "a", "", 0, None) };
        let entry = |kind: v1::LedgerKind, subject: &str| v1::LedgerEntry {
            kind: kind.into(),
            subject: subject.into(),
            thread_id: "a".into(),
            agent: "aloft".into(),
            time: Some(prost_types::Timestamp { seconds: 20_000 * 86_400 + 5, nanos: 0 }),
            usage: None,
        };
        let result = UsageResult::from(v1::ReadUsageResponse {
            rows: vec![
                row(20_000, "a", "priced", 10, Some(1_500_000)),
                row(20_000, "a", "unpriced", 7, None),
                time_row,
                row(20_001, "b", "unpriced", 100, None),
            ],
            entries: vec![
                entry(v1::LedgerKind::Turn, "turn/1"),
                entry(v1::LedgerKind::ResumeByMessage, "resume/1"),
            ],
            today: 20_001,
            threads: vec![v1::Thread { id: "a".into(), slug: "a-1".into(), ..Default::default() }],
            feed: 4,
        });
        assert_eq!((result.from.as_str(), result.to.as_str()), ("2024-10-04", "2024-10-05"));
        let euros = Some(Cost { amount: 1.5, currency: "EUR".into() });
        let total = &result.total;
        assert_eq!((total.input_tokens, total.unpriced_tokens, &total.cost), (117, 107, &euros));
        assert_eq!((total.seconds, total.turns, total.resumes), (61, 1, 1));
        let threads: Vec<_> = result.threads.iter().map(|of| (&*of.thread_id, &of.slug)).collect();
        assert_eq!(threads, [("b", &None), ("a", &Some("a-1".to_owned()))]);
        assert_eq!(result.threads[0].used.cost, None, "no price, no cost");
        assert_eq!(result.threads[1].used.cost, euros);
        let models: Vec<_> = result.models.iter().map(|of| &*of.model).collect();
        assert_eq!(models, ["unpriced", "priced"]);
        assert_eq!(result.days.len(), 2);
    }
}
