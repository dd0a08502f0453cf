//! The language server itself: what it says of itself, which methods it has, and how their errors look.

use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use futures_util::future::{Either, Ready, ready};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tower::Service;
use tower_lsp::jsonrpc::{self, ErrorCode, Id, Request, Response};
use tower_lsp::ls_types::{
    ExecuteCommandOptions, ExecuteCommandParams, InitializeParams, InitializeResult,
    InitializedParams, ServerCapabilities, ServerInfo,
};
use tower_lsp::{ClientSocket, LanguageServer, LspService};

use crate::client::Client;
use crate::config::Config;
use crate::lsp::lane::Senders;
use crate::lsp::ssh::{self, Forwards};
use crate::lsp::{cloud, forge, frames, local, notices, outbox, threads, turns, usage};
use crate::mirror::{Handle, Mirror, keep_hosts};
use crate::offline::Offline;
use crate::protocol;
use crate::protocol::error::{Code, Error};
use crate::ssh::Ssh;

/// Everything a request needs, from `initialize` on.
#[derive(Debug)]
pub(super) struct Session {
    /// With the editor's own options.
    pub(super) config: Config,
    /// The way to the mirror and the cloud.
    pub(super) mirror: Handle,
    /// The way out for the front's own notifications.
    pub(super) out: mpsc::Sender<Request>,
    /// The editor's first folder.
    pub(super) folder: Option<PathBuf>,
    /// Ports of sandboxes that are brought here.
    pub(super) forwards: Forwards,
    /// Ends with the session.
    _mirror: AbortOnDropHandle<()>,
    /// The same.
    _hosts: AbortOnDropHandle<()>,
}

/// The server.
#[derive(Debug)]
pub(super) struct Front {
    config: Config,
    senders: Senders,
    session: OnceLock<Arc<Session>>,
    /// The way to ask the editor something.
    editor: tower_lsp::Client,
    /// The editor can show a document.
    documents: AtomicBool,
    /// Ends with the editor.
    notices: OnceLock<Option<AbortOnDropHandle<()>>>,
}

/// Registers each method with its handler, and keeps the list of their names. Those of the second list tell the mirror
/// themselves what they heard of the connection, or hear nothing of it.
macro_rules! methods {
    ($($name:literal => $handler:path,)* ; $($quiet:literal => $quietly:path,)*) => {
        /// Our requests.
        const METHODS: &[&str] = &[$($name,)* $($quiet),*];

        /// Builds the service of one editor.
        pub(super) fn build(config: Config, senders: Senders) -> (LspService<Front>, ClientSocket) {
            LspService::build(|editor| Front::new(config, senders, editor))
                $(.custom_method($name, |front: &Front, params: Value| front.answer(params, $handler)))*
                $(.custom_method($quiet, |front: &Front, params: Value| front.answer_unheard(params, $quietly)))*
                .finish()
        }
    };
}

methods! {
    "thread/create" => local::create,
    "thread/pause" => threads::pause,
    "thread/resume" => threads::resume,
    "thread/delete" => threads::delete,
    "thread/rewind" => threads::rewind,
    "thread/fork" => threads::fork,
    "thread/archive" => local::archive,
    "thread/restore" => local::restore,
    "thread/retry" => turns::retry,
    "thread/apply" => local::apply,
    "thread/checkout" => local::checkout,
    "thread/createPullRequest" => forge::pull_request,
    "thread/fixPullRequest" => forge::fix,
    "thread/commentOnIssue" => forge::comment,
    "thread/diff" => threads::diff,
    "thread/fileDiff" => threads::file_diff,
    "queue/list" => turns::queue_list,
    "queue/move" => turns::queue_move,
    "queue/remove" => turns::queue_remove,
    "item/read" => threads::item,
    "item/output" => threads::output,
    "ssh/connect" => ssh::connect,
    "port/list" => ssh::ports,
    "port/forward" => ssh::forward,
    "port/unforward" => ssh::unforward,
    "notice/list" => cloud::notices,
    "notice/read" => cloud::read_notices,
    "key/set" => cloud::set_key,
    "key/list" => cloud::keys,
    "key/delete" => cloud::delete_key,
    "key/test" => cloud::test_key,
    "forge/connect" => forge::connect,
    "forge/signIn" => forge::sign_in,
    "forge/awaitSignIn" => forge::await_sign_in,
    "forge/list" => forge::list,
    "forge/disconnect" => forge::disconnect,
    "repository/list" => forge::repositories,
    "branch/list" => forge::branches,
    "usage/read" => usage::read,
    "budget/read" => usage::read_budget,
    "budget/set" => usage::set_budget,
    "agent/list" => cloud::agents,
    "cloud/status" => cloud::status,
    ;
    "thread/list" => threads::list,
    "thread/read" => threads::read,
    "thread/update" => threads::update,
    "turn/start" => turns::start,
    "turn/steer" => turns::steer,
    "turn/interrupt" => turns::interrupt,
    "permission/answer" => turns::answer,
    "outbox/list" => outbox::list,
    "outbox/remove" => outbox::remove,
    "thread/subscribe" => threads::subscribe,
    "thread/unsubscribe" => threads::unsubscribe,
}

/// Commands for editors without a plugin.
const COMMANDS: [&str; 3] = ["aloft.new", "aloft.send", "aloft.stop"];

impl Front {
    fn new(config: Config, senders: Senders, editor: tower_lsp::Client) -> Self {
        Self {
            config,
            senders,
            session: OnceLock::new(),
            editor,
            documents: AtomicBool::new(false),
            notices: OnceLock::new(),
        }
    }

    /// As [`Front::answer_unheard`], and tells the mirror what the outcome says of the connection.
    fn answer<P, R, F, Fut>(
        &self,
        params: Value,
        handler: F,
    ) -> impl Future<Output = jsonrpc::Result<R>> + Send + use<P, R, F, Fut>
    where
        P: DeserializeOwned + Send,
        R: Serialize + Send,
        F: FnOnce(Arc<Session>, P) -> Fut + Send,
        Fut: Future<Output = Result<R, Error>> + Send,
    {
        self.answer_unheard(params, |session: Arc<Session>, params| async move {
            let outcome = handler(Arc::clone(&session), params).await;
            session.mirror.heard(&outcome);
            outcome
        })
    }

    /// Reads the parameters, lets the handler work, and writes its error as JSON-RPC has it. Begins nothing before it is
    /// polled, and reaches the handler without waiting: requests keep their order up to there.
    fn answer_unheard<P, R, F, Fut>(
        &self,
        params: Value,
        handler: F,
    ) -> impl Future<Output = jsonrpc::Result<R>> + Send + use<P, R, F, Fut>
    where
        P: DeserializeOwned + Send,
        R: Serialize + Send,
        F: FnOnce(Arc<Session>, P) -> Fut + Send,
        Fut: Future<Output = Result<R, Error>> + Send,
    {
        let session = self.session.get().cloned();
        async move {
            let session =
                session.ok_or_else(|| jsonrpc::Error::new(ErrorCode::ServerError(-32002)))?;
            let params = parse(params).map_err(|error| json_rpc(&error))?;
            handler(session, params).await.map_err(|error| json_rpc(&error))
        }
    }
}

impl LanguageServer for Front {
    async fn initialize(&self, params: InitializeParams) -> jsonrpc::Result<InitializeResult> {
        let options = params.initialization_options.unwrap_or_else(|| json!({}));
        let config =
            self.config.with_options(&options).map_err(|error| json_rpc(&Error::from(error)))?;
        let client = Client::new(&config).map_err(|error| json_rpc(&error))?;
        for key in &config.unknown_keys {
            tracing::warn!(key, "unknown key in the configuration");
        }
        let window = params.capabilities.window.unwrap_or_default();
        let documents = window.show_document.is_some_and(|documents| documents.support);
        self.documents.store(documents, Ordering::Relaxed);
        let folder = params.workspace_folders.and_then(|folders| folders.into_iter().next());
        let folder =
            folder.and_then(|folder| folder.uri.to_file_path().map(std::borrow::Cow::into_owned));
        let hosts = keep_hosts(Ssh::new(&config, client.clone()), client.clone());
        let (mirror, task) =
            Mirror::new(client, Offline::new(&config), self.senders.updates.clone());
        let session = Session {
            config,
            mirror,
            out: self.senders.notifications.clone(),
            folder,
            forwards: Forwards::default(),
            _hosts: AbortOnDropHandle::new(tokio::spawn(hosts)),
            _mirror: AbortOnDropHandle::new(tokio::spawn(task.run())),
        };
        if self.session.set(Arc::new(session)).is_err() {
            return Err(jsonrpc::Error::invalid_request());
        }
        let version = env!("CARGO_PKG_VERSION");
        let commands = COMMANDS.map(ToOwned::to_owned).to_vec();
        Ok(InitializeResult {
            capabilities: ServerCapabilities {
                execute_command_provider: Some(ExecuteCommandOptions {
                    commands,
                    ..Default::default()
                }),
                experimental: Some(
                    json!({"aloft": {"protocolVersion": protocol::VERSION, "version": version}}),
                ),
                ..Default::default()
            },
            server_info: Some(ServerInfo { name: "aloft".into(), version: Some(version.into()) }),
            ..Default::default()
        })
    }

    async fn initialized(&self, _: InitializedParams) {
        if let Some(session) = self.session.get() {
            let documents = self.documents.load(Ordering::Relaxed);
            self.notices.get_or_init(|| notices::begin(session, &self.editor, documents));
        }
    }

    async fn execute_command(
        &self,
        params: ExecuteCommandParams,
    ) -> jsonrpc::Result<Option<Value>> {
        let argument = params.arguments.into_iter().next().unwrap_or_else(|| json!({}));
        let written = match params.command.as_str() {
            "aloft.new" => serde_json::to_value(self.answer(argument, local::create).await?),
            "aloft.send" => serde_json::to_value(self.answer_unheard(argument, turns::send).await?),
            "aloft.stop" => {
                serde_json::to_value(self.answer_unheard(argument, turns::interrupt).await?)
            }
            other => {
                let message = format!("there is no command {other}");
                let error = Error::new(Code::InvalidParams, "UNKNOWN_COMMAND", message);
                return Err(json_rpc(
                    &error.with_hint(format!("the commands are {}", COMMANDS.join(", "))),
                ));
            }
        };
        Ok(written.ok())
    }

    async fn shutdown(&self) -> jsonrpc::Result<()> {
        Ok(())
    }
}

/// The service, with parameters as it reads them however an editor writes them, and an eye on how it ends. Answers broken frames itself.
#[derive(Debug)]
pub(super) struct Leniently<S> {
    service: S,
    shut_down: bool,
    abrupt: Arc<AtomicBool>,
}

impl<S> Leniently<S> {
    /// Wraps the service; `abrupt` becomes true when `exit` comes without `shutdown`.
    pub(super) fn new(service: S, abrupt: Arc<AtomicBool>) -> Self {
        Self { service, shut_down: false, abrupt }
    }
}

impl<S: Service<Request, Response = Option<Response>>> Service<Request> for Leniently<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<Ready<Result<Self::Response, Self::Error>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match request.method() {
            "shutdown" => self.shut_down = true,
            "exit" if !self.shut_down => self.abrupt.store(true, Ordering::Relaxed),
            // Not for the library: these have no id of their own, and it refuses an id that is in work.
            frames::NOT_JSON => return refuse(jsonrpc::Error::parse_error()),
            frames::NOT_A_MESSAGE => return refuse(jsonrpc::Error::invalid_request()),
            _ => {}
        }
        let (method, id, params) = request.into_parts();
        let params = match method.as_ref() {
            "shutdown" | "exit" => None,
            ours if METHODS.contains(&ours) => Some(named(params)),
            _ => params,
        };
        let mut request = Request::build(method);
        if let Some(params) = params {
            request = request.params(params);
        }
        Either::Right(self.service.call(match id {
            Some(id) => request.id(id).finish(),
            None => request.finish(),
        }))
    }
}

/// Answers a frame that could not be read.
fn refuse<E, F>(error: jsonrpc::Error) -> Either<Ready<Result<Option<Response>, E>>, F> {
    Either::Left(ready(Ok(Some(Response::from_error(Id::Null, error)))))
}

/// Parameters by name. Clients that know no types send them as the one entry of a list, and `[null]` for none.
fn named(params: Option<Value>) -> Value {
    let params = match params {
        Some(Value::Array(mut entries)) if entries.len() <= 1 => entries.pop(),
        params => params,
    };
    params.filter(|params| !params.is_null()).unwrap_or_else(|| json!({}))
}

/// Reads parameters; the error names the field.
pub(super) fn parse<P: DeserializeOwned>(params: Value) -> Result<P, Error> {
    serde_path_to_error::deserialize(params).map_err(|error| {
        let path = error.path().to_string();
        let problem = error.into_inner();
        let message = if path == "." { problem.to_string() } else { format!("{path}: {problem}") };
        Error::new(Code::InvalidParams, "INVALID_PARAMS", message)
    })
}

/// The error as JSON-RPC has it.
fn json_rpc(error: &Error) -> jsonrpc::Error {
    jsonrpc::Error {
        code: ErrorCode::from(error.code.json_rpc()),
        message: error.message.clone().into(),
        data: serde_json::to_value(error.data()).ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn parameters_may_be_absent_named_or_the_one_entry_of_a_list() {
        let one = json!({"threadId": "a"});
        assert_eq!(named(Some(one.clone())), one);
        assert_eq!(named(Some(json!([one]))), one);
        for none in [None, Some(Value::Null), Some(json!([])), Some(json!([null]))] {
            assert_eq!(named(none), json!({}));
        }
        assert_eq!(named(Some(json!([1, 2]))), json!([1, 2]));
    }

    #[test]
    fn every_request_of_the_exported_schema_has_a_handler_and_no_other() {
        let exported = protocol::method::requests(&mut schemars::SchemaGenerator::default());
        let exported: BTreeSet<&str> = exported.iter().map(|request| request.name).collect();
        assert_eq!(METHODS.iter().copied().collect::<BTreeSet<_>>(), exported);
    }
}
