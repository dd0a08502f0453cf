//! An ACP client that starts the agent as a process and keeps everything it said.

use std::{collections::HashMap, path::PathBuf, process::Stdio, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::model::{Api, Model, TOKEN};

const PATIENCE: Duration = Duration::from_secs(30);

/// A folder to work in, and a HOME beside it.
pub(crate) struct Workspace(tempfile::TempDir);

impl Workspace {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("home")).unwrap();
        std::fs::create_dir(folder.path().join("workspace")).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("workspace")
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        std::fs::write(self.path().join(path), text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path)).unwrap()
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.path().join(path).exists()
    }
}

pub(crate) struct Editor {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    next: u64,
    updates: Vec<Value>,
    questions: Vec<Value>,
    responses: HashMap<u64, Value>,
}

impl Editor {
    pub(crate) async fn start(model: &Model, workspace: &Workspace) -> Self {
        let (api, address) = match model.api {
            Api::Anthropic => ("anthropic", "ANTHROPIC_BASE_URL"),
            Api::OpenAi => ("openai", "OPENAI_BASE_URL"),
        };
        let mut child = Command::new(env!("CARGO_BIN_EXE_aloft-cloud"))
            .args(["agent", "aloft"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", workspace.0.path().join("home"))
            .envs([("ALOFT_MODEL_API", api), ("ALOFT_MODEL_TOKEN", TOKEN)])
            .env(address, &model.address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut editor = Self {
            child,
            input,
            output,
            next: 0,
            updates: Vec::new(),
            questions: Vec::new(),
            responses: HashMap::new(),
        };
        let about = editor.request("initialize", json!({"protocolVersion": 1})).await.unwrap();
        assert_eq!(about["agentInfo"]["name"], "aloft");
        editor
    }

    pub(crate) async fn new_session(&mut self, workspace: &Workspace) -> String {
        let params = json!({"cwd": workspace.path(), "mcpServers": []});
        let session = self.request("session/new", params).await.unwrap();
        session["sessionId"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    pub(crate) async fn prompt(&mut self, session: &str, text: &str) -> Result<Value, Value> {
        let id = self.send_prompt(session, text).await;
        self.response(id).await
    }

    pub(crate) async fn send_prompt(&mut self, session: &str, text: &str) -> u64 {
        let prompt = json!([{"type": "text", "text": text}]);
        self.send("session/prompt", json!({"sessionId": session, "prompt": prompt})).await
    }

    pub(crate) async fn request(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.send(method, params).await;
        self.response(id).await
    }

    pub(crate) async fn notify(&mut self, method: &str, params: Value) {
        self.write(&json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
    }

    pub(crate) async fn response(&mut self, id: u64) -> Result<Value, Value> {
        self.wait_for(|editor| editor.responses.contains_key(&id)).await;
        let response = self.responses.remove(&id).unwrap();
        match response.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(response["result"].clone()),
        }
    }

    /// The next permission request.
    pub(crate) async fn question(&mut self) -> Value {
        self.wait_for(|editor| !editor.questions.is_empty()).await;
        self.questions.remove(0)
    }

    pub(crate) async fn answer(&mut self, question: &Value, option: &str) {
        let outcome = json!({"outcome": {"outcome": "selected", "optionId": option}});
        self.write(&json!({"jsonrpc": "2.0", "id": question["id"], "result": outcome})).await;
    }

    /// Reads on until it is so.
    pub(crate) async fn wait_for(&mut self, so: impl Fn(&Self) -> bool) {
        let read_on = async {
            while !so(self) {
                let line = self.output.next_line().await.unwrap().expect("the agent goes on");
                self.take(serde_json::from_str(&line).unwrap());
            }
        };
        let came = tokio::time::timeout(PATIENCE, read_on).await;
        assert!(came.is_ok(), "it never came; so far: {:#?}", self.updates);
    }

    fn take(&mut self, message: Value) {
        match message["method"].as_str() {
            Some("session/update") => self.updates.push(message["params"]["update"].clone()),
            Some("session/request_permission") => self.questions.push(message),
            Some(_) => {}
            None => {
                self.responses.insert(message["id"].as_u64().unwrap(), message);
            }
        }
    }

    pub(crate) fn updates(&self, kind: &str) -> Vec<Value> {
        self.updates.iter().filter(|update| update["sessionUpdate"] == kind).cloned().collect()
    }

    /// The words of all chunks of one kind.
    pub(crate) fn text(&self, kind: &str) -> String {
        let updates = self.updates(kind);
        updates.iter().filter_map(|update| update["content"]["text"].as_str()).collect()
    }

    /// What commands printed.
    pub(crate) fn output(&self) -> String {
        let updates = self.updates("tool_call_update");
        let deltas = updates.iter().map(|update| &update["_meta"]["terminal_output_delta"]["data"]);
        deltas.filter_map(Value::as_str).collect()
    }

    pub(crate) fn exit_codes(&self) -> Vec<Value> {
        let updates = self.updates("tool_call_update");
        let exits = updates.iter().map(|update| &update["_meta"]["terminal_exit"]);
        exits.filter(|exit| exit.is_object()).map(|exit| exit["exit_code"].clone()).collect()
    }

    async fn send(&mut self, method: &str, params: Value) -> u64 {
        self.next += 1;
        let id = self.next;
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        id
    }

    async fn write(&mut self, message: &Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }
}
