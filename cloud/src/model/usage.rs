//! What the models cost: tokens, prices, money, and the days that usage is told by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::machine::Millis;

/// Days since 1970-01-01. They are those of UTC, as the providers of models tell usage too.
pub type Day = u32;

/// A day in milliseconds.
const DAY: Millis = 86_400_000;
/// Prices are for so many tokens.
const PRICED: u128 = 1_000_000;

/// What one call of a model used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Sent, those of the cache included.
    pub input: u64,
    /// Those of the input that were read from a cache.
    pub cache_read: u64,
    /// Those of the input that were written to a cache.
    pub cache_write: u64,
    /// Received, thoughts included.
    pub output: u64,
}

/// An amount of money.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// In millionths of the currency.
    pub micros: u64,
    /// ISO 4217.
    pub currency: String,
}

/// What a million tokens of one model cost, in millionths of the currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Sent.
    pub input: u64,
    /// Read from a cache.
    pub cache_read: u64,
    /// Written to a cache.
    pub cache_write: u64,
    /// Received.
    pub output: u64,
}

/// What each model costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// Of all prices.
    pub currency: String,
    /// By name, or by the beginning of the name.
    pub models: BTreeMap<String, Price>,
}

impl Prices {
    /// The price of a model: that of its own name, else that of the longest beginning of it. A beginning ends where a part
    /// of the name ends, so `gpt-4` prices `gpt-4-0613` and not `gpt-4o`.
    pub fn of(&self, model: &str) -> Option<&Price> {
        let begins = |name: &str| {
            let rest = model.strip_prefix(name)?;
            (rest.is_empty() || rest.starts_with(['-', '@', ':', '/'])).then_some(name.len())
        };
        let matches = self.models.iter().filter_map(|(name, price)| Some((begins(name)?, price)));
        matches.max_by_key(|(length, _)| *length).map(|(_, price)| price)
    }

    /// What these tokens of a model cost; nothing is said where it has no price.
    pub fn cost(&self, model: &str, tokens: &Tokens) -> Option<Money> {
        let price = self.of(model)?;
        let cached = tokens.cache_read.saturating_add(tokens.cache_write);
        let parts = [
            (tokens.input.saturating_sub(cached), price.input),
            (tokens.cache_read, price.cache_read),
            (tokens.cache_write, price.cache_write),
            (tokens.output, price.output),
        ];
        let sum: u128 =
            parts.iter().map(|(count, each)| u128::from(*count) * u128::from(*each)).sum();
        let micros = u64::try_from((sum + PRICED / 2) / PRICED).unwrap_or(u64::MAX);
        Some(Money { micros, currency: self.currency.clone() })
    }
}

/// The day of a moment.
pub fn day(at: Millis) -> Day {
    Day::try_from(at.div_euclid(DAY)).unwrap_or_default()
}

/// When the day after the one of this moment begins.
pub fn next_day(at: Millis) -> Millis {
    (at.div_euclid(DAY) + 1) * DAY
}

/// The time between two moments, by the days it lies in.
pub fn by_day(mut from: Millis, to: Millis) -> Vec<(Day, u64)> {
    let mut parts = Vec::new();
    while from < to {
        let end = next_day(from).min(to);
        parts.push((day(from), u64::try_from(end - from).unwrap_or_default()));
        from = end;
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prices() -> Prices {
        let price = |input, output| Price { input, output, ..Price::default() };
        let cached =
            Price { cache_read: 300_000, cache_write: 3_750_000, ..price(3_000_000, 15_000_000) };
        let models = [
            ("gpt-4", price(30_000_000, 60_000_000)),
            ("gpt-4-turbo", price(10_000_000, 30_000_000)),
            ("claude-sonnet", cached),
            ("local", price(0, 0)),
        ];
        let models = models.map(|(name, price)| (name.to_owned(), price)).into();
        Prices { currency: "EUR".into(), models }
    }

    #[test]
    fn a_model_has_the_price_of_its_name_or_of_the_longest_beginning() {
        let prices = prices();
        let input = |model| prices.of(model).map(|price| price.input);
        assert_eq!(input("gpt-4"), Some(30_000_000));
        assert_eq!(input("gpt-4-0613"), Some(30_000_000));
        assert_eq!(input("gpt-4-turbo-2024"), Some(10_000_000));
        for other in ["gpt-4o", "gpt-4.1", "gpt", "", "claude", "my-gpt-4"] {
            assert_eq!(input(other), None, "{other}");
        }
    }

    #[test]
    fn what_went_through_a_cache_has_its_own_price_and_free_is_not_unknown() {
        let prices = prices();
        let tokens = Tokens { input: 1_000, cache_read: 600, cache_write: 100, output: 200 };
        // 300 × 3 + 600 × 0.3 + 100 × 3.75 + 200 × 15 millionths of a unit each.
        let money = |micros| Some(Money { micros, currency: "EUR".into() });
        assert_eq!(prices.cost("claude-sonnet-4", &tokens), money(900 + 180 + 375 + 3_000));
        assert_eq!(prices.cost("local", &tokens), money(0));
        assert_eq!(prices.cost("unknown", &tokens), None);
        let huge = Tokens { input: u64::MAX, output: u64::MAX, ..Tokens::default() };
        assert_eq!(prices.cost("gpt-4", &huge), money(u64::MAX));
    }

    proptest! {
        #[test]
        fn no_time_is_lost_at_midnight(from in 0_i64..10_000_000_000, length in 0_i64..1_000_000_000) {
            let parts = by_day(from, from + length);
            prop_assert_eq!(parts.iter().map(|(_, millis)| *millis).sum::<u64>(), u64::try_from(length).unwrap());
            prop_assert!(parts.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0));
            prop_assert!(parts.iter().all(|(_, millis)| *millis <= 86_400_000));
        }
    }
}
