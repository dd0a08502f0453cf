//! `UsageService`.

use aloft_proto::v1::{
    BudgetResponse, LimitKind, ReadBudgetRequest, ReadUsageRequest, ReadUsageResponse,
    SetBudgetRequest, usage_service_server::UsageService,
};
use tonic::{Request, Response, Status};

use crate::{
    api::{Api, caller::owner},
    model::budget::{Kind, Limits},
    runner::{BudgetChange, Error, RequestKey},
};

#[tonic::async_trait]
impl UsageService for Api {
    async fn read_usage(
        &self,
        request: Request<ReadUsageRequest>,
    ) -> Result<Response<ReadUsageResponse>, Status> {
        let owner = owner(&request);
        let asked = request.into_inner();
        Ok(Response::new(self.runner.usage(&owner, asked.days, &asked.thread_id).await?))
    }

    async fn read_budget(
        &self,
        request: Request<ReadBudgetRequest>,
    ) -> Result<Response<BudgetResponse>, Status> {
        let owner = owner(&request);
        Ok(Response::new(self.runner.budget(&owner, &request.into_inner().thread_id).await?))
    }

    async fn set_budget(
        &self,
        request: Request<SetBudgetRequest>,
    ) -> Result<Response<BudgetResponse>, Status> {
        let owner = owner(&request);
        let mut asked = request.into_inner();
        let id = std::mem::take(&mut asked.request_id);
        let key = RequestKey::new(&owner, &id, "SetBudget", &asked);
        let set = asked.set.unwrap_or_default();
        let set = Limits {
            tokens: set.tokens,
            cost: set.cost_micros,
            seconds: set.seconds,
            turns: set.turns,
        };
        let clear = asked.clear().map(kind).collect::<Result<_, _>>()?;
        let change = BudgetChange { per_day: asked.per_day, set, clear };
        Ok(Response::new(self.runner.set_budget(&owner, &asked.thread_id, change, key).await?))
    }
}

fn kind(kind: LimitKind) -> Result<Kind, Error> {
    match kind {
        LimitKind::Tokens => Ok(Kind::Tokens),
        LimitKind::Cost => Ok(Kind::Cost),
        LimitKind::Time => Ok(Kind::Time),
        LimitKind::Turns => Ok(Kind::Turns),
        LimitKind::Unspecified => {
            Err(Error::Invalid { message: "clear: there is no such limit".to_owned() })
        }
    }
}
