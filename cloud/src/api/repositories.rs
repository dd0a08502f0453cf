//! `RepositoryService`: checkouts that a bridge brings.

use aloft_proto::v1::{
    FindRepositoryRequest, FindRepositoryResponse, UploadRepositoryRequest,
    UploadRepositoryResponse, repository_service_server::RepositoryService,
};
use tokio::io::AsyncWriteExt;
use tonic::{Request, Response, Status, Streaming};

use crate::{
    api::{Api, caller::owner, status::status},
    runner::{Error, ErrorKind, Upload, problem},
};

#[tonic::async_trait]
impl RepositoryService for Api {
    async fn find_repository(
        &self,
        request: Request<FindRepositoryRequest>,
    ) -> Result<Response<FindRepositoryResponse>, Status> {
        let owner = owner(&request);
        let asked = request.into_inner();
        let (repository_id, have) =
            self.runner.find_upload(&owner, &asked.identity, &asked.commits).await?;
        Ok(Response::new(FindRepositoryResponse { repository_id, have }))
    }

    async fn upload_repository(
        &self,
        request: Request<Streaming<UploadRepositoryRequest>>,
    ) -> Result<Response<UploadRepositoryResponse>, Status> {
        let owner = owner(&request);
        let mut parts = request.into_inner();
        let first = parts.message().await?.and_then(|part| Some((part.header?, part.bundle)));
        let Some((header, bytes)) = first else {
            let text = "an upload begins with its header";
            return Err(status(ErrorKind::Invalid, problem("INVALID_ARGUMENT", text, "", false)));
        };
        let scratch = self.runner.parts().scratch.clone();
        let written = |error: std::io::Error| {
            tracing::error!(%error, "could not keep an upload");
            let hint = "free disk space in the cloud's data directory, then try again";
            status(
                ErrorKind::Exhausted,
                problem("STORE_FULL", format!("keep the upload: {error}"), hint, true),
            )
        };
        let file =
            tempfile::Builder::new().prefix("upload-").tempfile_in(scratch).map_err(written)?;
        let mut bundle = tokio::fs::File::from_std(file.reopen().map_err(written)?);
        bundle.write_all(&bytes).await.map_err(written)?;
        while let Some(part) = parts.message().await? {
            bundle.write_all(&part.bundle).await.map_err(written)?;
        }
        bundle.flush().await.map_err(written)?;
        let upload = Upload {
            owner,
            identity: header.identity,
            name: header.name,
            path: header.path,
            remote_url: header.remote_url,
            refs: header.refs.into_iter().map(|named| (named.name, named.commit)).collect(),
        };
        let repository_id = self
            .runner
            .upload(upload, file.path())
            .await
            .map_err(|error: Error| Status::from(error))?;
        Ok(Response::new(UploadRepositoryResponse { repository_id }))
    }
}
