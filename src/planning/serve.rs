//! Our planner, served to whoever speaks `eutectic.planner.v1`.

use super::remote::MAX_MESSAGE_BYTES;
use super::wire as convert;
use eutectic_planners::{Bayesian, Memo, PLANNER_VERSION, PlanError, Planner, Problem, Row};
use eutectic_proto::planner::v1 as wire;
use eutectic_proto::planner::v1::planner_service_server::{PlannerService, PlannerServiceServer};
use tonic::{Request, Response, Status};

/// The service, to be added to a server.
#[must_use]
pub fn service() -> PlannerServiceServer<impl PlannerService> {
    let service = PlannerServiceServer::new(Served);
    service.max_decoding_message_size(MAX_MESSAGE_BYTES).max_encoding_message_size(MAX_MESSAGE_BYTES)
}

struct Served;

#[tonic::async_trait]
impl PlannerService for Served {
    async fn suggest(&self, request: Request<wire::SuggestRequest>) -> Result<Response<wire::SuggestResponse>, Status> {
        let request = request.into_inner();
        let (problem, rows, memo) = read(request.problem.as_ref(), &request.rows, &request.memo)?;
        let count = usize::try_from(request.count).unwrap_or(usize::MAX);
        let work = move || Bayesian::default().suggest(&problem, &rows, &memo, request.seed, count);
        let (suggestions, memo) = apart(work).await?;
        let memo = serde_json::to_string(&memo).map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(wire::SuggestResponse {
            suggestions: suggestions.iter().map(convert::suggestion).collect(),
            memo,
            planner: PLANNER_VERSION.to_owned(),
        }))
    }

    async fn recommend(
        &self,
        request: Request<wire::RecommendRequest>,
    ) -> Result<Response<wire::RecommendResponse>, Status> {
        let request = request.into_inner();
        let (problem, rows, memo) = read(request.problem.as_ref(), &request.rows, &request.memo)?;
        let found = apart(move || {
            let planner = Bayesian::default();
            let found = planner.recommend(&problem, &rows, &memo, request.seed)?;
            let several = problem.objectives > 1;
            let front = if several { planner.front(&problem, &rows, &memo, request.seed)? } else { Vec::new() };
            Ok(convert::recommendation(&found, &front))
        });
        Ok(Response::new(found.await?))
    }
}

fn read(problem: Option<&wire::Problem>, rows: &[wire::Row], memo: &str) -> Result<(Problem, Vec<Row>, Memo), Status> {
    let problem = problem.ok_or_else(|| Status::invalid_argument("there is no problem"))?;
    let problem = convert::read_problem(problem).map_err(Status::invalid_argument)?;
    let rows = rows.iter().enumerate().map(convert::read_row).collect::<Result<_, _>>();
    let rows = rows.map_err(Status::invalid_argument)?;
    let memo = if memo.is_empty() { Ok(Memo::default()) } else { serde_json::from_str(memo) };
    let memo = memo.map_err(|error| Status::invalid_argument(format!("the memo can't be read: {error}")))?;
    Ok((problem, rows, memo))
}

/// Plans on a thread that may be busy for long.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T, PlanError> + Send + 'static) -> Result<T, Status> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| Status::internal(error.to_string()))?;
    done.map_err(|error| match error {
        PlanError::NoFeasiblePoint | PlanError::Exhausted | PlanError::NothingObserved => {
            Status::failed_precondition(error.to_string())
        }
        PlanError::Objectives
        | PlanError::Reference { .. }
        | PlanError::Parameter { .. }
        | PlanError::Mixture { .. }
        | PlanError::Pool { .. }
        | PlanError::Row { .. }
        | PlanError::Count { .. }
        | PlanError::Past { .. }
        | PlanError::Question
        | PlanError::OneObjective
        | PlanError::MemoVersion { .. } => Status::invalid_argument(error.to_string()),
        PlanError::Singular { .. } | PlanError::Optimiser(_) => Status::internal(error.to_string()),
    })
}
