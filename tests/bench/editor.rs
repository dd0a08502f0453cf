//! A JSON-RPC client as an editor is one: frames on the pipes of a process.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// How messages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// A header with the length, as in LSP.
    Header,
    /// One message on each line.
    Lines,
}

/// A server with us at the other end.
#[derive(Debug)]
pub(crate) struct Editor {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    framing: Framing,
    requests: u64,
}

impl Editor {
    /// Starts the server.
    pub(crate) fn start(mut command: Command, framing: Framing) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("start {command:?}"))?;
        let input = child.stdin.take().context("no standard input")?;
        let output = child.stdout.take().context("no standard output")?;
        let output = BufReader::with_capacity(1 << 16, output);
        Ok(Self { child, input, output, framing, requests: 0 })
    }

    /// Starts `aloft lsp` and initializes it.
    pub(crate) fn aloft(home: &aloft_tests::home::Home) -> anyhow::Result<Self> {
        let mut editor = Self::start(home.command(["lsp"]), Framing::Header)?;
        editor.request("initialize", &json!({"capabilities": {}}))?;
        editor.send(&json!({"jsonrpc": "2.0", "method": "initialized", "params": {}}))?;
        Ok(editor)
    }

    /// Sends a request and waits for its response; what comes before it is dropped.
    pub(crate) fn request(&mut self, method: &str, params: &Value) -> anyhow::Result<Value> {
        self.requests += 1;
        let id = self.requests;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        loop {
            let mut message: Value = serde_json::from_slice(&self.frame()?)?;
            if message["id"] == id {
                if let Some(error) = message.get("error") {
                    bail!("{method}: {error}");
                }
                return Ok(message["result"].take());
            }
        }
    }

    /// Waits for a message that is wanted.
    pub(crate) fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        loop {
            let message: Value = serde_json::from_slice(&self.frame()?)?;
            if wanted(&message) {
                return Ok(message);
            }
        }
    }

    /// The body of the next message.
    pub(crate) fn frame(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut length = None;
        let mut line = String::new();
        loop {
            line.clear();
            if self.output.read_line(&mut line)? == 0 {
                bail!("the server ended");
            }
            if self.framing == Framing::Lines {
                return Ok(line.into_bytes());
            }
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = Some(value.trim().parse::<usize>()?);
            } else if line == "\r\n" {
                let mut body = vec![0; length.context("a frame without length")?];
                self.output.read_exact(&mut body)?;
                return Ok(body);
            }
        }
    }

    /// Process id of the server.
    pub(crate) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Memory of the server that lies in RAM, in MiB.
    pub(crate) fn resident(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes: f64 = line.context("no VmRSS")?.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes / 1024.0)
    }

    fn send(&mut self, message: &Value) -> anyhow::Result<()> {
        let body = message.to_string();
        let frame = match self.framing {
            Framing::Header => format!("Content-Length: {}\r\n\r\n{body}", body.len()),
            Framing::Lines => format!("{body}\n"),
        };
        self.input.write_all(frame.as_bytes())?;
        Ok(self.input.flush()?)
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        // It may be gone already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
