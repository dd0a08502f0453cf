//! The forge that `aloft-cloud dev-forge` is, started for one test.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{
    git::{git, repository},
    home::{kill, program},
};

/// A running forge with a folder of its own.
#[derive(Debug)]
pub struct DevForge {
    root: PathBuf,
    address: String,
    token: String,
    child: Option<Child>,
}

/// What a call was answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status of HTTP.
    pub status: u16,
    /// Headers, their names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub text: String,
}

impl DevForge {
    /// Starts one in this folder, on a port the kernel chooses.
    pub fn start(root: &Path) -> Self {
        let mut forge = Self {
            root: root.to_owned(),
            address: "127.0.0.1:0".to_owned(),
            token: String::new(),
            child: None,
        };
        forge.run();
        forge
    }

    /// Starts it again where it was.
    pub fn run(&mut self) {
        self.stop();
        let mut child = Command::new(program("aloft-cloud"))
            .args(["dev-forge", "--listen", &self.address, "--root"])
            .arg(&self.root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        self.child = Some(child);
        let first = lines.next().unwrap().unwrap();
        first.strip_prefix("dev-forge: http://").unwrap().clone_into(&mut self.address);
        self.token = std::fs::read_to_string(self.root.join(".dev-forge/token")).unwrap();
    }

    /// Ends it, as a person would.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            kill(i32::try_from(child.id()).unwrap(), libc::SIGTERM);
            assert!(child.wait().unwrap().success(), "the forge did not end well");
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The token of its first user, `dev`.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Where the first user reaches a repository with git, the token in the address.
    pub fn git_url(&self, name: &str) -> String {
        format!("http://dev:{}@{}/{name}.git", self.token, self.address)
    }

    /// A repository with two commits on `main`.
    pub fn repository(&self, name: &str) -> PathBuf {
        let bare = self.root.join(format!("{name}.git"));
        let work = tempfile::tempdir().unwrap();
        let source = repository(&work.path().join("source"));
        std::fs::create_dir_all(bare.parent().unwrap()).unwrap();
        git(&source, &["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
        bare
    }

    /// Calls as the first user: `GET /user`, with a body where there is one.
    pub fn call(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.send(method, &format!("/api/v3{path}"), Some(&self.token), body, &[])
    }

    /// Reads as the first user.
    pub fn get(&self, path: &str) -> Reply {
        self.call("GET", path, &Value::Null)
    }

    /// Uses the controls.
    pub fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let reply = self.send(method, &format!("/_dev{path}"), Some(&self.token), body, &[]);
        assert!(reply.status < 300, "{method} {path}: {reply:?}");
        reply.json()
    }

    /// One call over HTTP.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Reply {
        self.try_send(method, path, token, body, headers).unwrap()
    }

    /// One call over HTTP; nothing where the connection was cut.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Option<Reply> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        let token = token.map(|token| ("Authorization", format!("Bearer {token}")));
        let json = ("Content-Type", "application/json".to_owned());
        let more = headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
        for (name, value) in token.into_iter().chain([json]).chain(more) {
            head.push_str(&[name, ": ", &value, "\r\n"].concat());
        }
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, text) = answer.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let pairs = lines.filter_map(|line| line.split_once(": "));
        let headers = pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        Some(Reply { status, headers, text: text.to_owned() })
    }
}

impl Reply {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header, by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// The body, of an answer that must have this status.
    #[track_caller]
    pub fn must(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        if self.text.is_empty() { Value::Null } else { self.json() }
    }
}

impl Drop for DevForge {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            kill(i32::try_from(child.id()).unwrap(), libc::SIGTERM);
            let _ended = child.wait();
        }
    }
}
