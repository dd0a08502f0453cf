//! Every JSON-RPC request and notification with its types, for the exported schema.

use schemars::{Schema, SchemaGenerator};

use crate::protocol::diff::FileDiff;
use crate::protocol::event::Event;
use crate::protocol::notification::{
    ConnectionChanged, KeptTold, NoticePosted, NoticeRead, ThreadChanged, ThreadDeleted,
};
use crate::protocol::request::cloud::{
    Agent, CloudStatus, Key, KeyParams, KeySetParams, KeyTestResult, NoticeListParams,
    NoticeListResult, NoticeReadParams,
};
use crate::protocol::request::forge::{
    BranchListParams, BranchListResult, ForgeAccount, ForgeAwaitSignInParams, ForgeConnectParams,
    ForgeDisconnectParams, ForgeSignIn, ForgeSignInParams, RepositoryListParams,
    RepositoryListResult, ThreadCommentOnIssueParams, ThreadCommentOnIssueResult,
    ThreadCreatePullRequestParams, ThreadCreatePullRequestResult, ThreadFixPullRequestParams,
};
use crate::protocol::request::outbox::{OutboxRemoveParams, OutboxResult};
use crate::protocol::request::ssh::{
    PortForwardParams, PortForwardResult, PortListResult, PortUnforwardParams, SshConnectParams,
    SshConnectResult,
};
use crate::protocol::request::thread::{
    ItemOutputParams, ItemOutputResult, ItemParams, ItemResult, SubscribeParams, ThreadApplyResult,
    ThreadArchiveParams, ThreadCheckoutResult, ThreadCreateParams, ThreadCreateResult,
    ThreadDiffParams, ThreadDiffResult, ThreadFileDiffParams, ThreadForkParams, ThreadListParams,
    ThreadListResult, ThreadLocalParams, ThreadReadParams, ThreadReadResult, ThreadRestoreParams,
    ThreadResult, ThreadRewindParams, ThreadUpdateParams, UnsubscribeParams,
};
use crate::protocol::request::turn::{
    AnswerResult, PermissionAnswerParams, QueueMoveParams, QueueRemoveParams, QueueResult,
    TurnInterruptParams, TurnResult, TurnStartParams, TurnSteerParams,
};
use crate::protocol::request::usage::{
    Budget, BudgetReadParams, BudgetSetParams, UsageReadParams, UsageResult,
};
use crate::protocol::request::{CursorResult, Empty, ThreadActionParams, ThreadParams};

/// A request with what goes in and what comes out.
#[derive(Debug)]
pub struct Request {
    /// `resource/verb`.
    pub name: &'static str,
    /// Its parameters.
    pub params: Schema,
    /// Its result.
    pub result: Schema,
}

/// A notification from the bridge.
#[derive(Debug)]
pub struct Notification {
    /// `resource/did…`.
    pub name: &'static str,
    /// Its parameters.
    pub params: Schema,
}

macro_rules! requests {
    ($($name:literal: $params:ty => $result:ty;)*) => {
        /// Returns every request; their types' schemas go into the generator.
        pub fn requests(generator: &mut SchemaGenerator) -> Vec<Request> {
            vec![$(Request {
                name: $name,
                params: generator.subschema_for::<$params>(),
                result: generator.subschema_for::<$result>(),
            }),*]
        }
    };
}

macro_rules! notifications {
    ($($name:literal: $params:ty;)*) => {
        /// Returns every notification; their types' schemas go into the generator. `thread/didChange` comes of the feed
        /// for any thread and as an event of a subscribed one.
        pub fn notifications(generator: &mut SchemaGenerator) -> Vec<Notification> {
            vec![$(Notification { name: $name, params: generator.subschema_for::<$params>() }),*]
        }
    };
}

requests! {
    "thread/create": ThreadCreateParams => ThreadCreateResult;
    "thread/list": ThreadListParams => ThreadListResult;
    "thread/read": ThreadReadParams => ThreadReadResult;
    "thread/subscribe": SubscribeParams => Empty;
    "thread/unsubscribe": UnsubscribeParams => Empty;
    "thread/update": ThreadUpdateParams => ThreadResult;
    "thread/pause": ThreadActionParams => ThreadResult;
    "thread/resume": ThreadActionParams => ThreadResult;
    "thread/delete": ThreadActionParams => ThreadResult;
    "thread/rewind": ThreadRewindParams => ThreadResult;
    "thread/fork": ThreadForkParams => ThreadResult;
    "thread/archive": ThreadArchiveParams => ThreadResult;
    "thread/restore": ThreadRestoreParams => ThreadResult;
    "thread/retry": ThreadActionParams => TurnResult;
    "thread/apply": ThreadLocalParams => ThreadApplyResult;
    "thread/checkout": ThreadLocalParams => ThreadCheckoutResult;
    "thread/createPullRequest": ThreadCreatePullRequestParams => ThreadCreatePullRequestResult;
    "thread/fixPullRequest": ThreadFixPullRequestParams => TurnResult;
    "thread/commentOnIssue": ThreadCommentOnIssueParams => ThreadCommentOnIssueResult;
    "thread/diff": ThreadDiffParams => ThreadDiffResult;
    "thread/fileDiff": ThreadFileDiffParams => FileDiff;
    "turn/start": TurnStartParams => TurnResult;
    "turn/steer": TurnSteerParams => TurnResult;
    "turn/interrupt": TurnInterruptParams => CursorResult;
    "queue/list": ThreadParams => QueueResult;
    "queue/move": QueueMoveParams => QueueResult;
    "queue/remove": QueueRemoveParams => QueueResult;
    "permission/answer": PermissionAnswerParams => AnswerResult;
    "item/read": ItemParams => ItemResult;
    "item/output": ItemOutputParams => ItemOutputResult;
    "outbox/list": Empty => OutboxResult;
    "outbox/remove": OutboxRemoveParams => OutboxResult;
    "ssh/connect": SshConnectParams => SshConnectResult;
    "port/list": ThreadParams => PortListResult;
    "port/forward": PortForwardParams => PortForwardResult;
    "port/unforward": PortUnforwardParams => Empty;
    "notice/list": NoticeListParams => NoticeListResult;
    "notice/read": NoticeReadParams => Empty;
    "key/set": KeySetParams => Key;
    "key/list": Empty => Vec<Key>;
    "key/delete": KeyParams => Empty;
    "key/test": KeyParams => KeyTestResult;
    "forge/connect": ForgeConnectParams => ForgeAccount;
    "forge/signIn": ForgeSignInParams => ForgeSignIn;
    "forge/awaitSignIn": ForgeAwaitSignInParams => ForgeAccount;
    "forge/list": Empty => Vec<ForgeAccount>;
    "forge/disconnect": ForgeDisconnectParams => Empty;
    "repository/list": RepositoryListParams => RepositoryListResult;
    "branch/list": BranchListParams => BranchListResult;
    "usage/read": UsageReadParams => UsageResult;
    "budget/read": BudgetReadParams => Budget;
    "budget/set": BudgetSetParams => Budget;
    "agent/list": Empty => Vec<Agent>;
    "cloud/status": Empty => CloudStatus;
}

notifications! {
    "thread/didChange": ThreadChanged;
    "thread/didDelete": ThreadDeleted;
    "turn/didStart": Event;
    "turn/didComplete": Event;
    "item/didStart": Event;
    "item/didAppend": Event;
    "item/didComplete": Event;
    "thread/didChangeDiff": Event;
    "notice/didPost": NoticePosted;
    "notice/didRead": NoticeRead;
    "connection/didChange": ConnectionChanged;
    "outbox/didDeliver": KeptTold;
    "outbox/didRefuse": KeptTold;
}
