//! Agents, keys, notices and the state of the cloud.

use aloft_proto::v1;

use crate::protocol::from_proto::text;
use crate::protocol::request::cloud::{
    Agent, Check, CloudStatus, Key, KeyTestResult, NoticeListResult,
};

impl From<v1::Agent> for Agent {
    fn from(agent: v1::Agent) -> Self {
        Self {
            name: agent.name,
            usable: agent.usable,
            reason: text(agent.reason),
            hint: text(agent.hint),
            version: text(agent.version),
            default: agent.is_default,
        }
    }
}

impl From<v1::Key> for Key {
    fn from(key: v1::Key) -> Self {
        Self {
            provider: key.provider,
            source: key.source,
            base_url: text(key.base_url),
            suffix: key.suffix,
        }
    }
}

impl From<v1::TestKeyResponse> for KeyTestResult {
    fn from(response: v1::TestKeyResponse) -> Self {
        Self { ok: response.ok, detail: response.detail }
    }
}

impl From<v1::ListNoticesResponse> for NoticeListResult {
    fn from(response: v1::ListNoticesResponse) -> Self {
        Self {
            notices: response.notices.into_iter().map(Into::into).collect(),
            feed: response.feed,
        }
    }
}

impl From<v1::GetStatusResponse> for CloudStatus {
    fn from(status: v1::GetStatusResponse) -> Self {
        Self {
            address: status.address,
            version: status.version,
            pid: status.pid,
            data_dir: status.data_dir,
            threads: status.threads,
            running_turns: status.running_turns,
        }
    }
}

impl From<v1::Check> for Check {
    fn from(check: v1::Check) -> Self {
        Self { check: check.name, ok: check.ok, detail: check.detail, hint: text(check.hint) }
    }
}
