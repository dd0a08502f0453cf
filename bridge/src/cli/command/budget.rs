//! `aloft budget`: how much a thread may use, or all threads.

use aloft_proto::v1;

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure, Outcome, usage};
use crate::cli::output::Style;
use crate::cli::text;
use crate::protocol::request::usage::{Budget, BudgetSetParams, LimitKind, Limits, Spent};

/// Names the budget of threads that have none of their own.
const DEFAULT: &str = "default";

/// Arguments of `aloft budget`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  aloft budget @last --tokens 2M           this thread, over its whole life
  aloft budget default --cost 5            each thread that has no such limit of its own
  aloft budget default --per-day --cost 50 all threads together, each day (UTC)
  aloft budget @last --tokens none         no such limit any more
  aloft budget @last                       show it, with what was used of it

At a limit the turn waits for you, and goes on when the budget is raised.")]
pub(crate) struct Args {
    /// The thread, or `default`.
    #[arg(value_name = "ID|default", default_value = DEFAULT, hide_default_value = true)]
    subject: String,
    /// Tokens sent and received, such as 500k or 2M.
    #[arg(long, value_name = "N|none", value_parser = tokens)]
    tokens: Option<Limit<u64>>,
    /// Money, in the currency of the cloud's prices.
    #[arg(long, value_name = "AMOUNT|none", value_parser = amount)]
    cost: Option<Limit<f64>>,
    /// Minutes in which turns work.
    #[arg(long, value_name = "N|none", value_parser = amount)]
    minutes: Option<Limit<f64>>,
    /// Turns begun.
    #[arg(long, value_name = "N|none", value_parser = whole)]
    turns: Option<Limit<u64>>,
    /// The limits of a day: of the thread, or by default of all threads together.
    #[arg(long)]
    per_day: bool,
}

/// What a limit is to be; none = it falls away.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Limit<T>(Option<T>);

fn whole(text: &str) -> Result<Limit<u64>, String> {
    limit(text, |text| text.parse().ok())
}

fn tokens(text: &str) -> Result<Limit<u64>, String> {
    limit(text, |text| {
        let unit = match text.chars().last()? {
            'k' | 'K' => 1_000,
            'm' | 'M' => 1_000_000,
            _ => 1,
        };
        let number = if unit == 1 { text } else { &text[..text.len() - 1] };
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(unit);
        }
        // Such as 1.5M.
        let (whole, part) = number.split_once('.')?;
        let digits = u32::try_from(part.len()).ok().filter(|digits| (1..=6).contains(digits))?;
        let part = part.parse::<u64>().ok()?.checked_mul(unit)?;
        let scale = 10_u64.pow(digits);
        part.is_multiple_of(scale).then_some(())?;
        whole.parse::<u64>().ok()?.checked_mul(unit)?.checked_add(part / scale)
    })
}

fn amount(text: &str) -> Result<Limit<f64>, String> {
    limit(text, |text| {
        text.parse().ok().filter(|amount: &f64| amount.is_finite() && *amount >= 0.0)
    })
}

fn limit<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Result<Limit<T>, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    read(text).map(|value| Limit(Some(value))).ok_or_else(|| "a number, or none".to_owned())
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let output = context.output;
    let thread = if args.subject == DEFAULT { String::new() } else { args.subject.clone() };
    let change = change(&args);
    let changes = change != BudgetSetParams { per_day: args.per_day, ..Default::default() };
    let response = if changes {
        let request = v1::SetBudgetRequest { thread_id: thread, ..change.try_into()? };
        context.client.set_budget(request).await?
    } else {
        if args.per_day {
            return Err(usage("no limit is given", "add --tokens, --cost, --minutes or --turns"));
        }
        context.client.read_budget(v1::ReadBudgetRequest { thread_id: thread }).await?
    };
    let budget = Budget::from(response);
    if output.json {
        output.json(&budget)?;
    } else {
        print(context, &budget)?;
    }
    Ok(Exit::Done)
}

fn change(args: &Args) -> BudgetSetParams {
    let cleared = [
        (LimitKind::Tokens, args.tokens == Some(Limit(None))),
        (LimitKind::Cost, args.cost == Some(Limit(None))),
        (LimitKind::Minutes, args.minutes == Some(Limit(None))),
        (LimitKind::Turns, args.turns == Some(Limit(None))),
    ];
    BudgetSetParams {
        per_day: args.per_day,
        tokens: args.tokens.and_then(|limit| limit.0),
        cost: args.cost.and_then(|limit| limit.0),
        minutes: args.minutes.and_then(|limit| limit.0),
        turns: args.turns.and_then(|limit| limit.0),
        clear: cleared.into_iter().filter(|(_, is)| *is).map(|(kind, _)| kind).collect(),
        ..BudgetSetParams::default()
    }
}

fn print(context: &Context, budget: &Budget) -> Result<(), Failure> {
    let output = context.output;
    let mut rows = Vec::new();
    let used = budget.used.clone().unwrap_or_default();
    let (own, each_day) = match budget.thread_id {
        Some(_) => ("this thread", "this thread, today"),
        None => ("each thread", "all threads, today"),
    };
    add(&mut rows, own, &budget.total, budget.used.as_ref());
    add(&mut rows, each_day, &budget.per_day, Some(&budget.used_today));
    if let Some(default) = &budget.default {
        // Those that a limit of the thread's own does not replace.
        let own = &budget.total;
        let inherited = Limits {
            tokens: default.total.tokens.filter(|_| own.tokens.is_none()),
            cost: default.total.cost.clone().filter(|_| own.cost.is_none()),
            minutes: default.total.minutes.filter(|_| own.minutes.is_none()),
            turns: default.total.turns.filter(|_| own.turns.is_none()),
        };
        add(&mut rows, "this thread, by default", &inherited, Some(&used));
        add(&mut rows, "all threads, today", &default.per_day, Some(&budget.all_used_today));
    }
    if rows.is_empty() {
        output.note("no limits; set one with: aloft budget ID --tokens 2M");
        return Ok(());
    }
    let table = text::table(&["OF", "LIMIT", "ALLOWED", "USED", ""], &rows, |column, cell| {
        if column == 4 { output.paint(Style::Yellow, cell) } else { cell.to_owned() }
    });
    Ok(output.bytes(table.as_bytes())?)
}

/// A row for each limit that is set.
fn add(rows: &mut Vec<Vec<String>>, of: &str, limits: &Limits, used: Option<&Spent>) {
    #[expect(clippy::cast_precision_loss, reason = "only to tell near from far")]
    let share = |used: u64, allowed: u64| used as f64 / (allowed as f64);
    let mut add = |kind: &str, allowed: String, spent: Option<(String, f64)>| {
        let (spent, share) = spent.unwrap_or(("-".to_owned(), 0.0));
        let word = match share {
            share if share >= 1.0 || share.is_nan() => "used up",
            share if share >= 0.8 => "near",
            _ => "",
        };
        rows.push(vec![of.to_owned(), kind.to_owned(), allowed, spent, word.to_owned()]);
    };
    if let Some(allowed) = limits.tokens {
        let spent = used.map(|used| (text::number(used.tokens), share(used.tokens, allowed)));
        add("tokens", text::number(allowed), spent);
    }
    if let Some(allowed) = &limits.cost {
        let spent = used.and_then(|used| used.cost.as_ref());
        let spent = spent.map(|spent| (text::money(spent), spent.amount / allowed.amount));
        add("cost", text::money(allowed), spent);
    }
    if let Some(allowed) = limits.minutes {
        let spent = used.map(|used| (format!("{:.1}", used.minutes), used.minutes / allowed));
        add("minutes", format!("{allowed:.1}"), spent);
    }
    if let Some(allowed) = limits.turns {
        let spent = used.map(|used| (text::number(used.turns), share(used.turns, allowed)));
        add("turns", text::number(allowed), spent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_be_short_and_none_takes_a_limit_away() {
        let cases = [
            ("1500", Some(1_500)),
            ("500k", Some(500_000)),
            ("2M", Some(2_000_000)),
            ("1.5M", Some(1_500_000)),
            ("0", Some(0)),
            ("none", None),
        ];
        for (text, expected) in cases {
            assert_eq!(tokens(text), Ok(Limit(expected)), "{text}");
        }
        for wrong in ["", "k", "-1", "1.5", "1.2345k", "ten", "99999999999999999999", "9e9", "1é"]
        {
            assert!(tokens(wrong).is_err(), "{wrong}");
        }
        for wrong in ["-1", "nan", "inf", ""] {
            assert!(amount(wrong).is_err(), "{wrong}");
        }
        assert_eq!(amount("0.5"), Ok(Limit(Some(0.5))));
        assert_eq!(whole("3"), Ok(Limit(Some(3))));
    }
}
