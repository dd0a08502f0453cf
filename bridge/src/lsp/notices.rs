//! Notices for a person whose editor has no plugin: as messages with actions, and on the desktop.
//!
//! Off unless the configuration wants it. A message that nobody answers holds nothing up, and its notice stays unread.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aloft_proto::v1;
use aloft_proto::v1::feed_event::Payload;
use aloft_proto::v1::item::Kind;
use futures_util::StreamExt as _;
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;
use tower_lsp::Client as Editor;
use tower_lsp::ls_types::{MessageActionItem, MessageType, ShowDocumentParams, Uri};

use crate::client::embedded::Embedded;
use crate::config::Address;
use crate::lsp::front::Session;
use crate::markdown;
use crate::mirror;
use crate::notices::Desktop;
use crate::protocol::error::Error;
use crate::protocol::request::thread::ThreadReadResult;
use crate::text;

/// Messages an editor shows at once; more wait.
const AT_ONCE: usize = 3;
/// Notices that waited for this editor and are shown when it begins; the rest stays in the inbox.
const FIRST: usize = 5;
/// How long a message waits for its answer.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often it is looked whether there is an embedded cloud: to listen is no reason to start one.
const LOOK: Duration = Duration::from_secs(5);
/// Characters of a message.
const WORDS: usize = 500;

const ANSWER: &str = "Answer";
const OPEN: &str = "Open";
const STOP: &str = "Stop";
const MUTE: &str = "Mute";

/// Begins to tell notices, where the configuration wants it.
pub(super) fn begin(
    session: &Arc<Session>,
    editor: &Editor,
    documents: bool,
) -> Option<AbortOnDropHandle<()>> {
    let messages = session.config.settings.notices.messages.unwrap_or_default();
    let desktop = Desktop::new(&session.config, session.mirror.offline());
    if !messages && !desktop.is_wanted() {
        return None;
    }
    let teller = Teller {
        session: Arc::clone(session),
        editor: editor.clone(),
        messages,
        documents,
        desktop,
        room: Arc::new(Semaphore::new(AT_ONCE)),
    };
    Some(AbortOnDropHandle::new(tokio::spawn(teller.run())))
}

#[derive(Clone, Debug)]
struct Teller {
    session: Arc<Session>,
    editor: Editor,
    messages: bool,
    /// The editor can show a document.
    documents: bool,
    desktop: Desktop,
    room: Arc<Semaphore>,
}

impl Teller {
    async fn run(self) {
        let client = self.session.mirror.client().clone();
        if *client.address() == Address::Embedded {
            let embedded = Embedded::new(&self.session.config);
            while !matches!(embedded.status().await, Ok(Some(_))) {
                tokio::time::sleep(LOOK).await;
            }
        }
        let mut failures = 0;
        let waiting = loop {
            let unread = v1::ListNoticesRequest { unread: true, page_size: 0 };
            match client.list_notices(unread).await {
                Ok(waiting) => break waiting,
                Err(error) => {
                    tracing::debug!(%error, "notices cannot be read yet");
                    failures += 1;
                    client.rest(failures).await;
                }
            }
        };
        for notice in waiting.notices.into_iter().take(FIRST).rev() {
            self.tell(notice);
        }
        let mut feed = std::pin::pin!(mirror::feed(client, waiting.feed));
        while let Some(entry) = feed.next().await {
            if let Some(Payload::NoticePosted(notice)) = entry.payload {
                self.tell(notice);
            }
        }
    }

    fn tell(&self, notice: v1::Notice) {
        self.desktop.show(&notice);
        if self.messages {
            let teller = self.clone();
            tokio::spawn(async move {
                if let Err(error) = teller.message(&notice).await {
                    teller
                        .editor
                        .show_message(MessageType::WARNING, text::line(&error.message, WORDS))
                        .await;
                }
            });
        }
    }

    /// Shows a notice and does what the person chooses. Once answered, also by being closed, it is read.
    async fn message(&self, notice: &v1::Notice) -> Result<(), Error> {
        let Ok(_room) = self.room.acquire().await else { return Ok(()) };
        let kind = notice.kind();
        let level = match kind {
            v1::NoticeKind::Completed | v1::NoticeKind::PullRequest => MessageType::INFO,
            v1::NoticeKind::Failed => MessageType::ERROR,
            _ => MessageType::WARNING,
        };
        let actions: &[&str] = match kind {
            v1::NoticeKind::NeedsAttention => &[ANSWER, OPEN, STOP, MUTE],
            v1::NoticeKind::Budget => &[OPEN, STOP, MUTE],
            _ => &[OPEN, MUTE],
        };
        let words = format!("{} {}", notice.title, notice.body);
        let Some(chosen) = self.ask(level, &words, actions).await else { return Ok(()) };
        let read =
            v1::ReadNoticesRequest { notice_ids: vec![notice.id.clone()], ..Default::default() };
        self.session.mirror.client().read_notices(read).await?;
        match chosen.as_deref() {
            Some(ANSWER) => self.answer(&notice.thread_id).await,
            Some(OPEN) => self.open(&notice.thread_id).await,
            Some(STOP) => self.stop(&notice.thread_id).await,
            Some(MUTE) => {
                let request = v1::UpdateThreadRequest {
                    thread_id: notice.thread_id.clone(),
                    muted: Some(true),
                    ..Default::default()
                };
                self.session.mirror.hand(request).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    /// What a person chose; nothing within `Some` when the message was closed, `None` when nobody answered.
    async fn ask(
        &self,
        level: MessageType,
        words: &str,
        choices: &[&str],
    ) -> Option<Option<String>> {
        let item = |title: &&str| MessageActionItem {
            title: text::line(title, WORDS),
            properties: HashMap::default(),
        };
        let choices = choices.iter().map(item).collect();
        let asked =
            self.editor.show_message_request(level, text::line(words, WORDS), Some(choices));
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(chosen)) => Some(chosen.map(|action| action.title)),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the editor shows no messages with actions");
                None
            }
            Err(_) => None,
        }
    }

    /// Puts each open question of a thread to the person.
    async fn answer(&self, thread: &str) -> Result<(), Error> {
        for item in self.page(thread).await?.items {
            let open = item.state() == v1::ItemState::InProgress;
            let Some(Kind::Permission(asked)) = item.kind.filter(|_| open) else { continue };
            if !asked.answer.is_empty() {
                continue;
            }
            let labels: Vec<&str> =
                asked.options.iter().map(|option| option.label.as_str()).collect();
            let words = format!("{} {}", asked.title, asked.detail);
            let chosen = self.ask(MessageType::WARNING, &words, &labels).await.flatten();
            let option = asked.options.iter().find(|option| {
                chosen.as_deref() == Some(text::line(&option.label, WORDS).as_str())
            });
            let Some(option) = option else { return Ok(()) };
            let request = v1::AnswerPermissionRequest {
                thread_id: thread.to_owned(),
                item_id: item.id,
                option_id: option.id.clone(),
                ..Default::default()
            };
            self.session.mirror.hand(request).await?;
        }
        Ok(())
    }

    /// Shows the thread as a document, where the editor can.
    async fn open(&self, thread: &str) -> Result<(), Error> {
        let page = ThreadReadResult::from(self.page(thread).await?);
        let slug = page.thread.slug.clone();
        let kept =
            self.session.mirror.offline().seen().keep_document(thread, &markdown::thread(&page));
        let shown = match kept.ok().and_then(Uri::from_file_path) {
            Some(uri) if self.documents => {
                let document = ShowDocumentParams {
                    uri,
                    external: None,
                    take_focus: Some(true),
                    selection: None,
                };
                self.editor.show_document(document).await.unwrap_or_default()
            }
            _ => false,
        };
        if !shown {
            let words = format!("See it in a terminal: aloft show {slug}");
            self.editor.show_message(MessageType::INFO, words).await;
        }
        Ok(())
    }

    /// Stops the turn that runs now.
    async fn stop(&self, thread: &str) -> Result<(), Error> {
        let (found, _) = self.session.mirror.find(thread).await?;
        let turn = found.thread.and_then(|thread| thread.last_turn).unwrap_or_default();
        let request = v1::InterruptTurnRequest {
            thread_id: thread.to_owned(),
            expected_turn_id: turn.id,
            ..Default::default()
        };
        self.session.mirror.hand(request).await.map(drop)
    }

    async fn page(&self, thread: &str) -> Result<v1::ReadThreadResponse, Error> {
        let request = v1::ReadThreadRequest { thread_id: thread.to_owned(), ..Default::default() };
        Ok(self.session.mirror.read(request).await?.0)
    }
}
