//! Progress of what takes longer than a moment, as `$/progress` for a client that asked for it.

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower_lsp::jsonrpc::Request;

use crate::checkout;
use crate::lsp::lane::notification;

/// Tells a client how far something is; without its token nobody is told.
#[derive(Debug)]
pub(super) struct Progress {
    token: Option<Value>,
    out: mpsc::Sender<Request>,
    last: Option<(u64, Option<u8>)>,
}

impl Progress {
    /// Begins it, with the client's `workDoneToken`.
    pub(super) fn begin(token: Option<Value>, out: mpsc::Sender<Request>, title: &str) -> Self {
        let progress = Self { token, out, last: None };
        progress.tell(&json!({"kind": "begin", "title": title, "cancellable": true}));
        progress
    }

    /// Tells how far an upload is, once a percent or a mebibyte.
    pub(super) fn uploaded(&mut self, state: checkout::Progress) {
        let mebibytes = state.bytes >> 20;
        if self.last.replace((mebibytes, state.percent)) == Some((mebibytes, state.percent)) {
            return;
        }
        let mut value = json!({"kind": "report", "message": format!("{mebibytes} MiB sent")});
        if let Some(percent) = state.percent {
            value["percentage"] = percent.into();
        }
        self.tell(&value);
    }

    fn tell(&self, value: &Value) {
        if let Some(token) = &self.token
            && let Some(request) =
                notification("$/progress", &json!({"token": token, "value": value}))
        {
            // An editor that does not read loses a word on progress, nothing else.
            drop(self.out.try_send(request));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.tell(&json!({"kind": "end"}));
    }
}
