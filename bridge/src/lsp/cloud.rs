//! `notice/*`, `key/*`, `agent/list` and `cloud/status`.

use std::sync::Arc;

use aloft_proto::v1;

use crate::lsp::front::Session;
use crate::protocol::error::Error;
use crate::protocol::request::Empty;
use crate::protocol::request::cloud::{
    Agent, CloudStatus, Key, KeyParams, KeySetParams, KeyTestResult, NoticeListParams,
    NoticeListResult, NoticeReadParams,
};

/// `notice/list`.
pub(super) async fn notices(
    session: Arc<Session>,
    params: NoticeListParams,
) -> Result<NoticeListResult, Error> {
    let request = v1::ListNoticesRequest {
        unread: params.unread,
        page_size: params.page_size.unwrap_or_default(),
    };
    session.mirror.client().list_notices(request).await.map(Into::into)
}

/// `notice/read`.
pub(super) async fn read_notices(
    session: Arc<Session>,
    params: NoticeReadParams,
) -> Result<Empty, Error> {
    let request = v1::ReadNoticesRequest {
        request_id: params.request_id.unwrap_or_default(),
        notice_ids: params.notice_ids,
    };
    session.mirror.client().read_notices(request).await?;
    Ok(Empty {})
}

/// `key/set`.
pub(super) async fn set_key(session: Arc<Session>, params: KeySetParams) -> Result<Key, Error> {
    let request = v1::SetKeyRequest {
        request_id: params.request_id.unwrap_or_default(),
        provider: params.provider,
        value: params.value,
        base_url: params.base_url.unwrap_or_default(),
    };
    session.mirror.client().set_key(request).await.map(Into::into)
}

/// `key/list`.
pub(super) async fn keys(session: Arc<Session>, _: Empty) -> Result<Vec<Key>, Error> {
    let answer = session.mirror.client().list_keys(v1::ListKeysRequest {}).await?;
    Ok(answer.keys.into_iter().map(Into::into).collect())
}

/// `key/delete`.
pub(super) async fn delete_key(session: Arc<Session>, params: KeyParams) -> Result<Empty, Error> {
    let request = v1::DeleteKeyRequest {
        request_id: params.request_id.unwrap_or_default(),
        provider: params.provider,
    };
    session.mirror.client().delete_key(request).await?;
    Ok(Empty {})
}

/// `key/test`.
pub(super) async fn test_key(
    session: Arc<Session>,
    params: KeyParams,
) -> Result<KeyTestResult, Error> {
    session
        .mirror
        .client()
        .test_key(v1::TestKeyRequest { provider: params.provider })
        .await
        .map(Into::into)
}

/// `agent/list`.
pub(super) async fn agents(session: Arc<Session>, _: Empty) -> Result<Vec<Agent>, Error> {
    let answer = session.mirror.client().list_agents(v1::ListAgentsRequest {}).await?;
    Ok(answer.agents.into_iter().map(Into::into).collect())
}

/// `cloud/status`.
pub(super) async fn status(session: Arc<Session>, _: Empty) -> Result<CloudStatus, Error> {
    session.mirror.client().get_status(v1::GetStatusRequest {}).await.map(Into::into)
}
