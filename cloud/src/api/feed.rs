//! `FeedService`.

use std::pin::Pin;

use aloft_proto::v1::{
    FeedEvent, ListNoticesRequest, ListNoticesResponse, ReadNoticesRequest, ReadNoticesResponse,
    WatchFeedRequest, feed_service_server::FeedService,
};
use futures_util::Stream;
use tonic::{Request, Response, Status};

use crate::{
    api::{Api, caller::owner, watch},
    runner::Error,
};

/// Notices in a list when no number is asked for.
const NOTICES: usize = 100;

#[tonic::async_trait]
impl FeedService for Api {
    type WatchFeedStream = Pin<Box<dyn Stream<Item = Result<FeedEvent, Status>> + Send>>;

    async fn watch_feed(
        &self,
        request: Request<WatchFeedRequest>,
    ) -> Result<Response<Self::WatchFeedStream>, Status> {
        let owner = owner(&request);
        Ok(Response::new(watch::feed(self, owner, request.into_inner().after)))
    }

    async fn list_notices(
        &self,
        request: Request<ListNoticesRequest>,
    ) -> Result<Response<ListNoticesResponse>, Status> {
        let owner = owner(&request);
        let asked = request.into_inner();
        let limit = if asked.page_size == 0 {
            NOTICES
        } else {
            usize::try_from(asked.page_size).unwrap_or(NOTICES)
        };
        let page = self.store().notices(&owner, asked.unread, limit).await.map_err(Error::from)?;
        Ok(Response::new(ListNoticesResponse { notices: page.notices, feed: page.feed }))
    }

    async fn read_notices(
        &self,
        request: Request<ReadNoticesRequest>,
    ) -> Result<Response<ReadNoticesResponse>, Status> {
        let owner = owner(&request);
        let asked = request.into_inner();
        // Reading twice is reading once: the request id needs no memory.
        let read = self.store().read_notices(&owner, &asked.notice_ids).await;
        Ok(Response::new(ReadNoticesResponse { unknown_ids: read.map_err(Error::from)? }))
    }
}
