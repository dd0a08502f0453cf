//! What the agent planned and said last, told at the issue its thread began with. Each turn is told once: what is there already
//! is looked for before anything is said.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use aloft_proto::v1::{Item, Level, PlanStepState, item::Kind};

use crate::{
    accounts::forges::{self, Account},
    forge::{self, Reference, Tracker},
    model::machine::{About, Fact, Input},
    runner::{Error, Obstacle, Runner},
    store,
};

/// Characters of a comment: no forge or tracker takes fewer.
const LONGEST: usize = 30_000;

/// Something that stands at an issue.
#[derive(Debug)]
pub struct Commented {
    /// Its page.
    pub url: String,
    /// It was not there before.
    pub is_new: bool,
}

impl Runner {
    /// Tells the issue of a thread what the agent planned and said in its newest turn.
    pub async fn comment(&self, owner: &str, name: &str) -> Result<Commented, Error> {
        let (thread, memory) = self.find_whole(owner, name).await?;
        Self::rests(&thread, &memory)?;
        let About { host, repository, key, .. } = memory.about;
        if host.is_empty() {
            return Err(Obstacle::NoIssue { slug: thread.slug }.into());
        }
        let items = self.newest_items(&thread.id).await?;
        let Some((turn, words)) = newest(&items) else {
            return Err(Obstacle::NothingToTell { slug: thread.slug }.into());
        };
        let turns =
            self.parts().store.turns(&thread.id, store::Turns::Ids(vec![turn.to_owned()])).await?;
        let number = turns.first().map(|turn| turn.number).unwrap_or_default();
        let mark = format!("Aloft, thread {} (turn {number})", thread.id);
        let cut: String = words.chars().take(LONGEST).collect();
        let text = format!("{cut}\n\n{mark}");
        let account = match self.parts().forges.find(owner, &host).await {
            Err(forges::Error::NoAccount(_)) => {
                return Err(Obstacle::AccountMissing { host }.into());
            }
            found => found?,
        };
        let (tracker, at) = (account.track()?, Reference { repository, key });
        let there = || there(tracker.as_ref(), &account, &at, &mark);
        // Two of one thread, one after the other; a tracker that does not answer keeps nobody else waiting.
        let gate = self.shared.comments.of(&thread.id);
        let _one_at_a_time = gate.lock().await;
        if let Some(url) = there().await? {
            return Ok(Commented { url, is_new: false });
        }
        let url = match tracker.comment(&at, &text).await {
            Ok(url) => url,
            // Its answer may be lost and the comment there all the same.
            Err(error) if error.may_be_done() => match there().await {
                Ok(Some(url)) => url,
                Ok(None) | Err(_) => return Err(error.into()),
            },
            Err(error) => return Err(error.into()),
        };
        let text = format!("Told issue {} what was done: {url}", at.key);
        let told = Input::Fact(Fact::Told { level: Level::Info, text });
        self.apply(owner, &thread.id, told, None).await?;
        Ok(Commented { url, is_new: true })
    }
}

/// Gates of the threads of which comments are being made.
#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>);

impl Gates {
    /// What is held while the issue of this thread is told something.
    fn of(&self, thread: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, gate| gate.strong_count() > 0);
        if let Some(gate) = all.get(thread).and_then(Weak::upgrade) {
            return gate;
        }
        let gate = Arc::default();
        all.insert(thread.to_owned(), Arc::downgrade(&gate));
        gate
    }
}

/// The page of a comment of this account that ends with this mark. At a forge strangers may write, and the mark is no secret.
async fn there(
    tracker: &dyn Tracker,
    account: &Account,
    at: &Reference,
    mark: &str,
) -> forge::Result<Option<String>> {
    let own = |one: &forge::Comment| {
        let login = &account.person.login;
        one.text.trim_end().ends_with(mark)
            && (!account.kind.is_forge() || one.author.eq_ignore_ascii_case(login))
    };
    let comments = tracker.issue(at).await?.comments;
    Ok(comments.into_iter().rev().find(own).map(|one| one.url))
}

/// The newest turn in which the agent said or planned something: its last words, then its plan.
fn newest(items: &[Item]) -> Option<(&str, String)> {
    let speaks = |item: &&Item| match &item.kind {
        Some(Kind::AgentMessage(message)) => !message.text.trim().is_empty(),
        Some(Kind::Plan(plan)) => !plan.steps.is_empty(),
        _ => false,
    };
    let turn = items.iter().rev().find(speaks)?.turn_id.as_str();
    let of_turn = || items.iter().rev().filter(|item| item.turn_id == turn).filter(speaks);
    let message = of_turn().find_map(|item| match &item.kind {
        Some(Kind::AgentMessage(message)) => Some(message.text.trim().to_owned()),
        _ => None,
    });
    let plan = of_turn().find_map(|item| match &item.kind {
        Some(Kind::Plan(plan)) => {
            let steps = plan.steps.iter().map(|step| {
                let done = step.state() == PlanStepState::Completed;
                format!("- [{}] {}", if done { 'x' } else { ' ' }, step.text.trim())
            });
            Some(steps.collect::<Vec<_>>().join("\n"))
        }
        _ => None,
    });
    let words = message.into_iter().chain(plan).collect::<Vec<_>>().join("\n\n");
    Some((turn, words))
}

#[cfg(test)]
mod tests {
    use aloft_proto::v1::{AgentMessage, Plan, PlanStep};

    use super::*;

    #[test]
    fn the_newest_turn_that_said_something_is_told() {
        let item = |turn: &str, kind: Kind| Item {
            turn_id: turn.into(),
            kind: Some(kind),
            ..Item::default()
        };
        let said = |text: &str| Kind::AgentMessage(AgentMessage { text: text.into() });
        let step =
            |text: &str, state: PlanStepState| PlanStep { text: text.into(), state: state.into() };
        let steps =
            vec![step("Look", PlanStepState::Completed), step("Mend", PlanStepState::InProgress)];
        let items = [
            item("1", said("Before.")),
            item("2", said("First.")),
            item("2", Kind::Plan(Plan { steps })),
            item("2", said("Done so far.\n")),
            item("3", said(" ")),
        ];
        let (turn, words) = newest(&items).unwrap();
        assert_eq!((turn, words.as_str()), ("2", "Done so far.\n\n- [x] Look\n- [ ] Mend"));
        assert_eq!(newest(&items[..1]), Some(("1", "Before.".to_owned())));
        assert_eq!(newest(&items[4..]), None);
    }
}
