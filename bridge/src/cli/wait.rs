//! Waiting for the end of a turn, showing what happens and answering its questions meanwhile.

use aloft_proto::v1;
use aloft_proto::v1::event::Payload;
use aloft_proto::v1::item::Kind;
use tokio::sync::mpsc;

use crate::cli::ask;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure, Outcome};
use crate::cli::render::Renderer;
use crate::cli::render::item::answers;
use crate::cli::watch::Watch;
use crate::protocol::event::Event;
use crate::protocol::thread::Thread;

/// Which turn's end is awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// None: it goes on until the person leaves or the thread is gone.
    Forever,
    /// The next one that ends.
    AnyTurn,
    /// That one.
    Turn(String),
    /// The one that takes in this queued message.
    Message(String),
}

/// What is shown while waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// Items for people.
    Items,
    /// Each event as a line of JSON.
    Events,
    /// Nothing.
    Nothing,
}

/// What is followed, and how far.
#[derive(Debug)]
pub(crate) struct Order {
    /// Events after this cursor.
    pub(crate) after: u64,
    /// Questions up to this cursor are history, those of `open` excepted.
    pub(crate) history: u64,
    /// Until when.
    pub(crate) until: Until,
    /// What is shown.
    pub(crate) show: Show,
    /// A question that is open already, with its item's id.
    pub(crate) open: Option<(String, v1::Permission)>,
}

/// Follows a thread until the awaited turn ends, and says how that went.
pub(crate) async fn follow(
    context: &Context,
    thread: &v1::Thread,
    order: Order,
    renderer: Renderer,
) -> Outcome {
    let awaits = order.until != Until::Forever;
    let mut watch = Watch::new(
        &context.client,
        context.output,
        &thread.id,
        order.after,
        order.show != Show::Events,
    );
    let mut following = Following {
        context,
        thread_id: thread.id.clone(),
        until: order.until,
        show: order.show,
        history: order.history,
        renderer,
        question: None,
        muted: thread.muted,
    };
    if let Some((item_id, permission)) = &order.open
        && let Some(exit) = following.ask(item_id, permission)
    {
        return Ok(exit);
    }
    // Reading a terminal cannot be taken back, so nobody reads it before there is a question to answer.
    let mut typed: Option<mpsc::Receiver<String>> = None;
    let mut leaving = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        if following.question.is_some() && typed.is_none() && context.output.interactive {
            typed = Some(ask::lines());
        }
        let line = async {
            match &mut typed {
                Some(lines) => lines.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = watch.next() => {
                let Some(event) = event? else {
                    following.renderer.finish()?;
                    context.output.note("the thread is gone");
                    return Ok(if awaits { Exit::TurnFailed } else { Exit::Done });
                };
                if let Some(exit) = following.take(&event)? {
                    following.renderer.finish()?;
                    return Ok(exit);
                }
            }
            line = line => match line {
                Some(line) => following.answer(line.trim()).await?,
                None => return Ok(Exit::NeedsAnswer),
            },
            _ = &mut leaving => {
                following.renderer.finish()?;
                context.output.note(&format!("the agent goes on; see it again with: aloft follow {}", thread.slug));
                return Ok(Exit::Left);
            }
        }
    }
}

/// Follows as `--wait` asks for, then prints the thread as it is where data is wanted.
pub(crate) async fn to_the_end(
    context: &Context,
    thread: &v1::Thread,
    after: u64,
    until: Until,
) -> Outcome {
    let show = if context.output.json { Show::Nothing } else { Show::Items };
    let order = Order { after, history: after, until, show, open: None };
    let exit = follow(context, thread, order, Renderer::new(context.output, &thread.slug)).await?;
    if context.output.json {
        let thread = context.thread(&thread.id).await?;
        context.output.json(&Thread::from(thread))?;
    } else if exit == Exit::NeedsAnswer {
        context.output.note("the agent waits for an answer");
    }
    Ok(exit)
}

struct Following<'a> {
    context: &'a Context,
    thread_id: String,
    until: Until,
    show: Show,
    history: u64,
    renderer: Renderer,
    /// The open question: its item, and the words that answer it.
    question: Option<(String, Vec<String>)>,
    /// The person wants no notices of it.
    muted: bool,
}

impl Following<'_> {
    /// Takes in an event; says how it ends where this was the end.
    fn take(&mut self, event: &v1::Event) -> Result<Option<Exit>, Failure> {
        match self.show {
            Show::Items => self.renderer.event(event)?,
            Show::Events => self.context.output.json(&Event::from(event.clone()))?,
            Show::Nothing => {}
        }
        match &event.payload {
            Some(Payload::ItemStarted(item) | Payload::ItemCompleted(item)) => {
                Ok(self.item(item, event.cursor <= self.history))
            }
            Some(Payload::TurnCompleted(turn)) => {
                if event.cursor > self.history && turn.state() != v1::TurnState::Interrupted {
                    self.ring();
                }
                Ok(self.ended(turn))
            }
            Some(Payload::ThreadChanged(thread)) => {
                self.muted = thread.muted;
                if self.until == Until::Forever {
                    return Ok(None);
                }
                Ok((thread.state() == v1::ThreadState::Failed).then_some(Exit::TurnFailed))
            }
            _ => Ok(None),
        }
    }

    fn item(&mut self, item: &v1::Item, is_history: bool) -> Option<Exit> {
        match &item.kind {
            // Taken back, it begins no turn any more.
            Some(Kind::UserMessage(_))
                if self.until == Until::Message(item.id.clone())
                    && item.state() == v1::ItemState::Declined =>
            {
                return Some(Exit::TurnFailed);
            }
            Some(Kind::UserMessage(_))
                if self.until == Until::Message(item.id.clone()) && !item.turn_id.is_empty() =>
            {
                self.until = Until::Turn(item.turn_id.clone());
            }
            Some(Kind::Permission(permission)) if is_open(item, permission) => {
                if is_history {
                    return None;
                }
                self.ring();
                return self.ask(&item.id, permission);
            }
            Some(Kind::Permission(_))
                if self.question.as_ref().is_some_and(|(id, _)| *id == item.id) =>
            {
                self.question = None;
            }
            _ => {}
        }
        None
    }

    /// Asks the person here; says how it ends where there is none.
    fn ask(&mut self, item_id: &str, permission: &v1::Permission) -> Option<Exit> {
        if self.context.output.interactive && self.show == Show::Items {
            let words: Vec<String> =
                answers(permission).into_iter().map(|(word, _)| word).collect();
            self.context.output.question(&format!("[{}]", words.join("/")));
            self.question = Some((item_id.to_owned(), words));
            return None;
        }
        (self.until != Until::Forever).then_some(Exit::NeedsAnswer)
    }

    /// Rings for what would be a notice.
    fn ring(&self) {
        if !self.muted {
            self.context.bell();
        }
    }

    fn ended(&self, turn: &v1::Turn) -> Option<Exit> {
        let awaited = match &self.until {
            Until::AnyTurn => true,
            Until::Turn(id) => *id == turn.id,
            Until::Forever | Until::Message(_) => false,
        };
        awaited.then(|| match turn.state() {
            v1::TurnState::Failed | v1::TurnState::Interrupted => Exit::TurnFailed,
            v1::TurnState::Completed | v1::TurnState::Running | v1::TurnState::Unspecified => {
                Exit::Done
            }
        })
    }

    async fn answer(&mut self, word: &str) -> Result<(), Failure> {
        let Some((item_id, words)) = &self.question else { return Ok(()) };
        let Some(option) = words
            .iter()
            .find(|option| *option == word || (!word.is_empty() && option.starts_with(word)))
        else {
            self.context.output.question(&format!("[{}]", words.join("/")));
            return Ok(());
        };
        let request = v1::AnswerPermissionRequest {
            thread_id: self.thread_id.clone(),
            item_id: item_id.clone(),
            option_id: option.clone(),
            ..Default::default()
        };
        match self.context.client.answer_permission(request).await {
            Err(error) if error.reason != "ALREADY_ANSWERED" => Err(error.into()),
            _ => {
                self.question = None;
                Ok(())
            }
        }
    }
}

/// Tells whether a question still waits for its answer.
pub(crate) fn is_open(item: &v1::Item, permission: &v1::Permission) -> bool {
    item.state() == v1::ItemState::InProgress && permission.answer.is_empty()
}
