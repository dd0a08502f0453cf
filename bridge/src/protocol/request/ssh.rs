//! Parameters and results of `ssh/connect` and `port/*`.

use aloft_proto::v1;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `ssh/connect`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SshConnectParams {
    /// The thread.
    pub thread_id: String,
    /// Put our line into the person's `~/.ssh/config`, who has been asked.
    #[serde(default)]
    pub set_up: bool,
}

/// Where ssh goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SshConnectResult {
    /// The host's name.
    pub host: String,
    /// The login name.
    pub user: String,
    /// Where the checkout is.
    pub workspace_path: String,
    /// What an editor opens.
    pub uri: String,
    /// The person's `~/.ssh/config` has our line. Where it has not, ask the person and send the request again with `setUp`, or
    /// start ssh with `-F configFile`.
    pub set_up: bool,
    /// Our config, which works alone.
    pub config_file: String,
    /// What the person's config gets.
    pub lines: String,
}

/// A port that listens in a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Its number.
    pub port: u16,
    /// The command that holds it, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// It listens on 127.0.0.1 or `::1` only.
    #[serde(default)]
    pub loopback_only: bool,
}

/// `port/list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortListResult {
    /// By number.
    pub ports: Vec<Port>,
}

/// `port/forward`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortForwardParams {
    /// The thread.
    pub thread_id: String,
    /// The port in the sandbox.
    pub port: u16,
    /// The port on this machine; 0 = any that is free, absent = the same where it is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<u16>,
}

/// A port that was brought here, until `port/unforward` or the end of the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortForwardResult {
    /// The thread's id.
    pub thread_id: String,
    /// The port in the sandbox.
    pub port: u16,
    /// The port on this machine.
    pub local: u16,
    /// HOST:PORT on this machine.
    pub address: String,
}

/// `port/unforward`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortUnforwardParams {
    /// The thread.
    pub thread_id: String,
    /// The port in the sandbox.
    pub port: u16,
}

impl From<v1::Port> for Port {
    fn from(port: v1::Port) -> Self {
        Self {
            port: u16::try_from(port.port).unwrap_or_default(),
            process: Some(port.process).filter(|process| !process.is_empty()),
            loopback_only: port.loopback_only,
        }
    }
}
