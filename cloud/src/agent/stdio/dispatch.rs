//! What each message of the client does: requests, notifications and answers, by method.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::agent::stdio::{
    Agent, Failure, Options,
    message::{Block, Mode, StopReason},
    outbox::Outbox,
    session::{Session, Settings, Shared},
};

const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const INTERNAL_ERROR: i64 = -32603;
const NOT_FOUND: i64 = -32002;

/// How long stopped turns may take once the input has ended.
const LAST_TURNS: Duration = Duration::from_secs(5);

/// The state of the loop.
pub(super) struct Dispatch<A> {
    agent: Arc<A>,
    options: Options,
    outbox: Outbox,
    sessions: HashMap<String, Arc<Shared>>,
    turns: JoinSet<()>,
}

/// `session.json`: what a session needs to be opened again.
#[derive(Serialize, Deserialize)]
struct Saved {
    cwd: PathBuf,
    mode: Mode,
    model: Option<String>,
}

/// Why a request is refused.
struct Refused(i64, String);

impl<A: Agent> Dispatch<A> {
    pub(super) fn new(agent: A, options: Options, outbox: Outbox) -> Self {
        let sessions = HashMap::new();
        Self { agent: Arc::new(agent), options, outbox, sessions, turns: JoinSet::new() }
    }

    /// Takes one message; never waits.
    pub(super) fn take(&mut self, mut message: Value) {
        while self.turns.try_join_next().is_some() {}
        if !message.is_object() {
            return;
        }
        let params = message["params"].take();
        let Some(method) = message["method"].as_str() else {
            if let Some(id) = message["id"].as_u64() {
                self.outbox.answered(id, message.get("result").cloned());
            }
            return;
        };
        let Some(id) = message.get("id").filter(|id| !id.is_null()).cloned() else {
            if method == "session/cancel"
                && let Some(shared) = self.sessions.get(text(&params, "sessionId"))
            {
                shared.stop();
            }
            return;
        };
        match method {
            "session/prompt" => self.prompt(id, &params),
            "session/load" => self.load(id, &params),
            _ => {
                let answer = self.answer(method, &params);
                self.respond(id, answer);
            }
        }
    }

    /// Stops all turns and waits for them, not for ever.
    pub(super) async fn finish(mut self) {
        for shared in self.sessions.values() {
            shared.stop();
        }
        let ended = async { while self.turns.join_next().await.is_some() {} };
        let _late = tokio::time::timeout(LAST_TURNS, ended).await;
        self.turns.shutdown().await;
    }

    fn answer(&mut self, method: &str, params: &Value) -> Result<Value, Refused> {
        match method {
            "initialize" => Ok(self.initialize()),
            "authenticate" => Ok(json!({})),
            "session/new" => {
                let shared = self.create(params)?;
                let mut result = opened(&shared);
                result["sessionId"] = json!(shared.id);
                Ok(result)
            }
            "session/resume" => self.open(params).map(|shared| opened(&shared)),
            "session/close" => {
                let id = text(params, "sessionId");
                self.find(id)?.stop();
                self.sessions.remove(id);
                Ok(json!({}))
            }
            "session/set_mode" => {
                self.set(params, "mode", text(params, "modeId")).map(|_| json!({}))
            }
            "session/set_model" => {
                self.set(params, "model", text(params, "modelId")).map(|_| json!({}))
            }
            "session/set_config_option" => {
                let shared = self.set(params, text(params, "configId"), text(params, "value"))?;
                Ok(json!({"configOptions": config_options(&shared)}))
            }
            "_session/steering" if self.agent.about().steering => {
                let injected = self.find(text(params, "sessionId"))?.guide(blocks(params));
                Ok(json!({"outcome": if injected { "injected" } else { "promptRequired" }}))
            }
            _ => Err(Refused(METHOD_NOT_FOUND, format!("unknown method {method}"))),
        }
    }

    fn initialize(&self) -> Value {
        let about = self.agent.about();
        json!({
            "protocolVersion": 1,
            "agentCapabilities": {
                "loadSession": true,
                "promptCapabilities": {"image": about.images, "audio": false, "embeddedContext": true},
                "mcpCapabilities": {"http": about.mcp_http, "sse": false},
                "sessionCapabilities": {"resume": {}, "close": {}},
            },
            "agentInfo": {"name": about.name, "title": about.title, "version": env!("CARGO_PKG_VERSION")},
            "authMethods": [],
            "_meta": {"steering": {"supported": about.steering}},
        })
    }

    fn create(&mut self, params: &Value) -> Result<Arc<Shared>, Refused> {
        let id = uuid::Uuid::new_v4().to_string();
        let folder = self.options.sessions.join(&id);
        std::fs::create_dir_all(&folder)
            .map_err(|error| internal(format!("create {}: {error}", folder.display())))?;
        let settings = Settings::default();
        let shared = Shared::new(
            id,
            cwd(params)?,
            folder,
            mcp_servers(params),
            settings,
            self.outbox.clone(),
        );
        save(&shared)?;
        self.sessions.insert(shared.id.clone(), Arc::clone(&shared));
        Ok(shared)
    }

    /// Opens a session that was saved, by this process or an earlier one.
    fn open(&mut self, params: &Value) -> Result<Arc<Shared>, Refused> {
        let id = text(params, "sessionId");
        // It becomes a path.
        let id = uuid::Uuid::try_parse(id).map_err(|_| unknown_session(id))?.to_string();
        let folder = self.options.sessions.join(&id);
        let saved = std::fs::read(folder.join("session.json")).map_err(|_| unknown_session(&id))?;
        let saved: Saved = serde_json::from_slice(&saved)
            .map_err(|error| internal(format!("read session {id}: {error}")))?;
        let cwd = cwd(params).unwrap_or(saved.cwd);
        let settings = Settings { mode: saved.mode, model: saved.model };
        let shared =
            Shared::new(id, cwd, folder, mcp_servers(params), settings, self.outbox.clone());
        if let Some(before) = self.sessions.insert(shared.id.clone(), Arc::clone(&shared)) {
            before.stop();
        }
        Ok(shared)
    }

    fn load(&mut self, id: Value, params: &Value) {
        let opened_again = self.open(params);
        let (agent, outbox) = (Arc::clone(&self.agent), self.outbox.clone());
        self.turns.spawn(async move {
            match opened_again {
                Ok(shared) => {
                    agent.replay(&shared.session()).await;
                    outbox.respond(&id, opened(&shared)).await;
                }
                Err(Refused(code, text)) => outbox.refuse(&id, code, &text, Value::Null).await,
            }
        });
    }

    fn prompt(&mut self, id: Value, params: &Value) {
        let begun = self.find(text(params, "sessionId")).and_then(|shared| {
            let busy = || Refused(INVALID_REQUEST, "a turn is running already".to_owned());
            Ok((Arc::clone(shared), shared.begin().ok_or_else(busy)?))
        });
        match begun {
            Ok((shared, session)) => {
                let (agent, prompt) = (Arc::clone(&self.agent), blocks(params));
                self.turns.spawn(run_turn(agent, shared, session, id, prompt));
            }
            Err(refused) => self.respond(id, Err(refused)),
        }
    }

    /// The reader of our output may be slow, and a stop must be heard even then: so this does not wait.
    fn respond(&mut self, id: Value, answer: Result<Value, Refused>) {
        let outbox = self.outbox.clone();
        self.turns.spawn(async move {
            match answer {
                Ok(result) => outbox.respond(&id, result).await,
                Err(Refused(code, text)) => outbox.refuse(&id, code, &text, Value::Null).await,
            }
        });
    }

    fn set(&self, params: &Value, option: &str, value: &str) -> Result<Arc<Shared>, Refused> {
        let shared = self.find(text(params, "sessionId"))?;
        match option {
            "mode" => {
                let mode = serde_json::from_value(json!(value))
                    .map_err(|_| Refused(INVALID_PARAMS, format!("unknown mode {value}")))?;
                shared.settings().mode = mode;
            }
            "model" => {
                shared.settings().model = Some(value.to_owned()).filter(|model| !model.is_empty());
            }
            _ => return Err(Refused(INVALID_PARAMS, format!("unknown option {option}"))),
        }
        save(shared)?;
        Ok(Arc::clone(shared))
    }

    fn find(&self, id: &str) -> Result<&Arc<Shared>, Refused> {
        self.sessions.get(id).ok_or_else(|| unknown_session(id))
    }
}

/// A turn of the client: one of the agent, and more for guidance that came too late for it.
async fn run_turn<A: Agent>(
    agent: Arc<A>,
    shared: Arc<Shared>,
    session: Session,
    id: Value,
    mut prompt: Vec<Block>,
) {
    let result = loop {
        let result = agent.turn(session.clone(), prompt).await;
        let go_on = !session.is_stopped()
            && matches!(result, Ok(reason) if reason != StopReason::Cancelled);
        match shared.end(go_on) {
            Some(guidance) => prompt = guidance,
            None => break result,
        }
    };
    match result {
        Ok(reason) => shared.outbox.respond(&id, json!({"stopReason": reason})).await,
        Err(Failure { reason, message, hint, retryable }) => {
            let data = json!({"reason": reason, "hint": hint, "retryable": retryable});
            shared.outbox.refuse(&id, INTERNAL_ERROR, &message, data).await;
        }
    }
}

fn opened(shared: &Shared) -> Value {
    let mode = shared.settings().mode;
    let modes = json!([{"id": "manual", "name": "Ask first"}, {"id": "auto", "name": "Act without asking"}]);
    json!({
        "modes": {"currentModeId": mode, "availableModes": modes},
        "configOptions": config_options(shared),
    })
}

fn config_options(shared: &Shared) -> Value {
    let mode = shared.settings().mode;
    let options = json!([{"value": "manual", "name": "Ask first"}, {"value": "auto", "name": "Act without asking"}]);
    json!([{"id": "mode", "name": "Mode", "category": "mode", "type": "select", "currentValue": mode, "options": options}])
}

fn save(shared: &Shared) -> Result<(), Refused> {
    let settings = shared.settings().clone();
    let saved = Saved { cwd: shared.cwd.clone(), mode: settings.mode, model: settings.model };
    let path = shared.folder.join("session.json");
    let failed = |error: std::io::Error| internal(format!("write {}: {error}", path.display()));
    let bytes = serde_json::to_vec(&saved).map_err(|error| failed(error.into()))?;
    write_whole(&path, &bytes).map_err(failed)
}

/// Replaces a file at once, so that a kill leaves the old or the new one.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, bytes)?;
    std::fs::rename(&new, path)
}

fn cwd(params: &Value) -> Result<PathBuf, Refused> {
    let cwd = PathBuf::from(text(params, "cwd"));
    if cwd.is_absolute() {
        Ok(cwd)
    } else {
        Err(Refused(INVALID_PARAMS, "cwd must be an absolute path".to_owned()))
    }
}

fn mcp_servers(params: &Value) -> Vec<Value> {
    params["mcpServers"].as_array().cloned().unwrap_or_default()
}

fn blocks(params: &Value) -> Vec<Block> {
    let parts = params["prompt"].as_array().cloned().unwrap_or_default();
    parts.into_iter().map(|part| serde_json::from_value(part).unwrap_or(Block::Unknown)).collect()
}

fn text<'a>(params: &'a Value, field: &str) -> &'a str {
    params[field].as_str().unwrap_or_default()
}

fn unknown_session(id: &str) -> Refused {
    Refused(NOT_FOUND, format!("unknown session {id}"))
}

fn internal(text: String) -> Refused {
    Refused(INTERNAL_ERROR, text)
}
