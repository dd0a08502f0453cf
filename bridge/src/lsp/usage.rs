//! `usage/read` and `budget/*`.

use std::sync::Arc;

use aloft_proto::v1;

use crate::lsp::front::Session;
use crate::protocol::error::Error;
use crate::protocol::request::usage::{
    Budget, BudgetReadParams, BudgetSetParams, UsageReadParams, UsageResult,
};

/// `usage/read`.
pub(super) async fn read(
    session: Arc<Session>,
    params: UsageReadParams,
) -> Result<UsageResult, Error> {
    let request = v1::ReadUsageRequest {
        days: params.days.unwrap_or_default(),
        thread_id: params.thread_id.unwrap_or_default(),
    };
    session.mirror.client().read_usage(request).await.map(Into::into)
}

/// `budget/read`.
pub(super) async fn read_budget(
    session: Arc<Session>,
    params: BudgetReadParams,
) -> Result<Budget, Error> {
    let request = v1::ReadBudgetRequest { thread_id: params.thread_id.unwrap_or_default() };
    session.mirror.client().read_budget(request).await.map(Into::into)
}

/// `budget/set`.
pub(super) async fn set_budget(
    session: Arc<Session>,
    params: BudgetSetParams,
) -> Result<Budget, Error> {
    session.mirror.client().set_budget(params.try_into()?).await.map(Into::into)
}
