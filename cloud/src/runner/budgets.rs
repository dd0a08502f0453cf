//! What owners allow their threads, what is used of it, and what models cost.
//!
//! Whether a turn may go on is the machine's to judge; here is what it must know of the world for that. A default is kept in
//! the settings of its owner, a thread's own budget in the thread's memory, sums in the store. Which threads work now is known
//! from their tasks alone, so nothing of it is left after a crash.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aloft_proto::v1;
use tokio::sync::watch;

use crate::{
    config,
    model::{
        budget::{Account, Budget, Kind, Limits, Spent},
        machine::{Input, Memory, Millis},
        usage::{self, Money, Price, Prices, Tokens},
    },
    runner::{Error, RequestKey, Runner, now, stored, whole},
    store::{Store, USAGE_DAYS},
};

/// The setting that holds an owner's default.
const SETTING: &str = "budget";
/// Days of usage that are told when no number is asked for.
const DAYS: u32 = 30;
/// Millionths of a unit of money, in which money is counted.
const MICROS: f64 = 1_000_000.0;

/// Budgets of all owners.
#[derive(Debug)]
pub struct Budgets {
    store: Arc<dyn Store>,
    prices: Prices,
    /// Defaults as far as they were asked for.
    defaults: Mutex<HashMap<String, Budget>>,
    /// Threads that work now.
    working: Mutex<HashMap<String, Working>>,
    /// Rises with every change of a default.
    changes: watch::Sender<u64>,
}

/// A thread that works now.
#[derive(Debug)]
struct Working {
    owner: String,
    since: Millis,
}

/// A change of a budget.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Of the limits of a day.
    pub per_day: bool,
    /// New values.
    pub set: Limits,
    /// Limits that fall away.
    pub clear: Vec<Kind>,
}

impl Budgets {
    /// Budgets over what is stored, with these prices.
    pub fn new(store: Arc<dyn Store>, prices: &config::Prices) -> Self {
        Self {
            store,
            prices: priced(prices),
            defaults: Mutex::default(),
            working: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }

    /// What these tokens of a model cost, where it has a price.
    pub fn cost(&self, model: &str, tokens: &Tokens) -> Option<Money> {
        self.prices.cost(model, tokens)
    }

    /// Changes with every change of a default.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Tells since when a thread works, or that it does not.
    pub(super) fn works(&self, thread: &v1::Thread, since: Option<Millis>) {
        let mut working = locked(&self.working);
        match since {
            Some(since) => {
                working.insert(thread.id.clone(), Working { owner: thread.owner.clone(), since });
            }
            None => {
                working.remove(&thread.id);
            }
        }
    }

    /// An owner's default; none is limited where it cannot be read.
    pub(super) async fn default(&self, owner: &str) -> Budget {
        let known = locked(&self.defaults).get(owner).copied();
        if let Some(known) = known {
            return known;
        }
        match self.store.setting(owner, SETTING).await {
            Ok(value) => {
                let read = value.map(|value| serde_json::from_slice(&value)).transpose();
                let default: Budget = read
                    .unwrap_or_else(|error| {
                        tracing::error!(owner, %error, "the default budget is not readable");
                        None
                    })
                    .unwrap_or_default();
                // Whoever set one meanwhile knows better.
                *locked(&self.defaults).entry(owner.to_owned()).or_insert(default)
            }
            Err(error) => {
                tracing::error!(owner, error = whole(&error), "could not read the default budget");
                Budget::default()
            }
        }
    }

    /// How an owner's account stands.
    pub(super) async fn account(&self, owner: &str, now: Millis) -> Result<Account, Error> {
        let default = self.default(owner).await;
        let (currency, day) = (self.prices.currency.clone(), usage::day(now));
        let mut account = Account { default, currency, day, ..Account::default() };
        if !default.per_day.is_empty() {
            account.spent = self.spent(owner, now).await?;
            let working = locked(&self.working);
            let working = working.values().filter(|working| working.owner == owner).count();
            account.working = u64::try_from(working).unwrap_or(u64::MAX);
        }
        Ok(account)
    }

    /// What all threads of an owner used today, those that work now included.
    async fn spent(&self, owner: &str, now: Millis) -> Result<Spent, Error> {
        let mut spent = self.store.spent(owner, usage::day(now)).await?;
        for working in locked(&self.working).values().filter(|working| working.owner == owner) {
            spent.millis += today(working.since, now);
        }
        Ok(spent)
    }

    fn working_since(&self, thread: &str) -> Option<Millis> {
        locked(&self.working).get(thread).map(|working| working.since)
    }

    async fn set_default(&self, owner: &str, change: &Change) -> Result<(), Error> {
        let mut default = self.default(owner).await;
        let limits = if change.per_day { &mut default.per_day } else { &mut default.total };
        *limits = limits.changed(change.set, &change.clear);
        let value = serde_json::to_vec(&default).unwrap_or_default();
        self.store.put_setting(owner, SETTING, value).await?;
        locked(&self.defaults).insert(owner.to_owned(), default);
        self.changes.send_modify(|changes| *changes += 1);
        Ok(())
    }
}

impl Runner {
    /// The budget of a thread, or without a name the default, with what was used of it.
    pub async fn budget(&self, owner: &str, name: &str) -> Result<v1::BudgetResponse, Error> {
        let (now, budgets) = (now(), &self.parts().budgets);
        let default = budgets.default(owner).await;
        let all_today = budgets.spent(owner, now).await?;
        let mut response = v1::BudgetResponse {
            budget: Some(default.into()),
            default_budget: Some(default.into()),
            today: Some(all_today.into()),
            all_today: Some(all_today.into()),
            currency: budgets.prices.currency.clone(),
            day: usage::day(now),
            ..v1::BudgetResponse::default()
        };
        if !name.is_empty() {
            let (thread, _) = self.find(owner, name).await?;
            let Some((row, _)) = self.parts().store.thread(&thread.id).await? else {
                return Err(Error::ThreadNotFound { name: name.to_owned() });
            };
            let Memory { tally, .. } = stored::memory(&row);
            let usage = row.thread.usage.unwrap_or_default();
            let since = budgets.working_since(&thread.id).unwrap_or(now);
            let total = Spent {
                tokens: usage.input_tokens.saturating_add(usage.output_tokens),
                cost: usage.cost_micros,
                millis: tally.millis + u64::try_from(now - since).unwrap_or_default(),
                turns: tally.turns,
            };
            let mut of_today =
                if tally.day == usage::day(now) { tally.today } else { Spent::default() };
            of_today.millis += today(since, now);
            response.thread_id = thread.id;
            response.budget = Some(tally.budget.into());
            response.total = Some(total.into());
            response.today = Some(of_today.into());
        }
        Ok(response)
    }

    /// Changes the budget of a thread, or without a name the default.
    pub async fn set_budget(
        &self,
        owner: &str,
        name: &str,
        change: Change,
        request: Option<RequestKey>,
    ) -> Result<v1::BudgetResponse, Error> {
        let budgets = &self.parts().budgets;
        // A limit that could never be reached would be taken for one that holds.
        if change.set.cost.is_some() && budgets.prices.models.is_empty() {
            return Err(Error::NoPrices);
        }
        if name.is_empty() {
            // Setting twice is setting once: the request id needs no memory.
            budgets.set_default(owner, &change).await?;
        } else {
            let Change { per_day, set, clear } = change;
            self.apply(owner, name, Input::Budget { per_day, set, clear }, request).await?;
        }
        self.budget(owner, name).await
    }

    /// What was used in the last days, of all threads or of the one with a name.
    pub async fn usage(
        &self,
        owner: &str,
        days: u32,
        name: &str,
    ) -> Result<v1::ReadUsageResponse, Error> {
        let store = &self.parts().store;
        // Before the figures: whoever watches after it hears of what changes while they are read.
        let feed = store.notices(owner, true, 0).await?.feed;
        let days = if days == 0 { DAYS } else { days.min(USAGE_DAYS) };
        let today = usage::day(now());
        let thread = match name {
            "" => None,
            name => Some(self.find(owner, name).await?.0.id),
        };
        let range = today.saturating_sub(days - 1)..=today;
        let used = store.usage(owner, range, thread.as_deref()).await?;
        let mut named: Vec<&String> = used.rows.iter().map(|row| &row.thread_id).collect();
        named.extend(used.entries.iter().map(|entry| &entry.thread_id));
        named.sort_unstable();
        named.dedup();
        let mut threads = Vec::new();
        for id in named {
            threads.extend(store.thread(id).await?.map(|(row, _)| row.thread));
        }
        Ok(v1::ReadUsageResponse { rows: used.rows, entries: used.entries, today, threads, feed })
    }
}

impl From<Budget> for v1::Budget {
    fn from(budget: Budget) -> Self {
        Self { total: Some(budget.total.into()), per_day: Some(budget.per_day.into()) }
    }
}

impl From<Limits> for v1::Limits {
    fn from(limits: Limits) -> Self {
        let Limits { tokens, cost, seconds, turns } = limits;
        Self { tokens, cost_micros: cost, seconds, turns }
    }
}

impl From<Spent> for v1::Spent {
    fn from(spent: Spent) -> Self {
        let Spent { tokens, cost, millis, turns } = spent;
        Self { tokens, cost_micros: cost, seconds: millis / 1_000, turns }
    }
}

/// The part of the time until now that lies in the day of now.
fn today(since: Millis, now: Millis) -> u64 {
    let parts = usage::by_day(since, now);
    parts.last().map_or(0, |(_, millis)| *millis)
}

/// Prices as they were configured, in millionths.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "prices are not negative, as the configuration is checked, and far from the end of numbers"
)]
fn priced(prices: &config::Prices) -> Prices {
    let micros = |price: f64| (price * MICROS).round() as u64;
    let models = prices.models.iter().map(|(name, price)| {
        let price = Price {
            input: micros(price.input),
            cache_read: micros(price.cache_read.unwrap_or(price.input)),
            cache_write: micros(price.cache_write.unwrap_or(price.input)),
            output: micros(price.output),
        };
        (name.clone(), price)
    });
    let models: std::collections::BTreeMap<_, _> = models.collect();
    let currency = if models.is_empty() { String::new() } else { prices.currency().to_owned() };
    Prices { currency, models }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
