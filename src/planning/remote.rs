//! A planner of one's own, asked over gRPC.

use super::{PlanInput, PlanningError, encode, wire as convert};
use eutectic_core::{PlanAnswer, Purpose};
use eutectic_planners::{Bayesian, MEMO_MAX_BYTES, Memo, Planner, Recommendation};
use eutectic_proto::planner::v1 as wire;
use eutectic_proto::planner::v1::planner_service_client::PlannerServiceClient;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// How long a planner may think about one call.
const CALL_LIMIT: Duration = Duration::from_secs(600);
/// How long a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How often a planner that can't be reached is tried before the campaign waits for a person.
const TRIES: u32 = 10;
/// The time between two tries.
const BETWEEN_TRIES: Duration = Duration::from_secs(1);
/// The largest message either way: 50,000 rows of a hundred numbers.
pub(super) const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// Makes the plan that `input` asks for, by the planner at `address`.
pub(super) async fn plan(input: &PlanInput, address: &str) -> Result<PlanAnswer, PlanningError> {
    let failed = |status: Status| PlanningError::Remote { address: address.to_owned(), message: words(&status) };
    let mut last = Status::unavailable("");
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        let tried = match connect(address).await {
            Ok(client) => ask(input, client).await,
            Err(status) => Err(Failed::Call(status)),
        };
        match tried {
            Ok(answer) => return Ok(answer),
            Err(Failed::Call(status)) if status.code() == Code::Unavailable => last = status,
            Err(Failed::Call(status)) => return Err(failed(status)),
            Err(Failed::Answer(message)) => {
                return Err(PlanningError::Remote { address: address.to_owned(), message });
            }
            Err(Failed::Own(error)) => return Err(error),
        }
    }
    match input.purpose {
        Purpose::Propose { .. } => Err(failed(last)),
        // A campaign's answer must not hang on a service that has gone.
        Purpose::Answer => ours(input),
    }
}

enum Failed {
    /// The call itself.
    Call(Status),
    /// What it answered can't be used.
    Answer(String),
    /// Our own planner, which stands in for the answer that it leaves to us.
    Own(PlanningError),
}

fn words(status: &Status) -> String {
    if status.code() == Code::Unavailable {
        format!("it can't be reached: {}", status.message())
    } else if status.code() == Code::Unimplemented {
        "it doesn't implement eutectic.planner.v1.PlannerService/Suggest".to_owned()
    } else {
        status.message().to_owned()
    }
}

async fn connect(address: &str) -> Result<PlannerServiceClient<Channel>, Status> {
    let unreachable = |error: tonic::transport::Error| {
        let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        Status::unavailable(cause)
    };
    let endpoint = Endpoint::from_shared(address.to_owned()).map_err(unreachable)?;
    let channel = endpoint.connect_timeout(CONNECT_LIMIT).timeout(CALL_LIMIT).connect().await.map_err(unreachable)?;
    let client = PlannerServiceClient::new(channel);
    Ok(client.max_decoding_message_size(MAX_MESSAGE_BYTES).max_encoding_message_size(MAX_MESSAGE_BYTES))
}

async fn ask(input: &PlanInput, mut client: PlannerServiceClient<Channel>) -> Result<PlanAnswer, Failed> {
    let problem = Some(convert::problem(&input.encoded));
    let rows = input.encoded.rows.iter().map(convert::row).collect();
    let (memo, seed) = (input.memo.clone(), input.seed);
    match input.purpose {
        Purpose::Propose { count } => {
            let request = wire::SuggestRequest { problem, rows, memo, seed, count };
            let answer = client.suggest(request).await.map_err(Failed::Call)?.into_inner();
            proposals(&input.encoded, answer).map_err(Failed::Answer)
        }
        Purpose::Answer => {
            let request = wire::RecommendRequest { problem, rows, memo, seed };
            match client.recommend(request).await {
                Ok(answer) => {
                    let found = convert::read_recommendation(answer.get_ref());
                    let mut front = convert::read_front(answer.get_ref());
                    let unknown = |it: &&Recommendation| it.row >= input.encoded.rows.len();
                    if let Some(unknown) = std::iter::once(&found).chain(&front).find(unknown) {
                        return Err(Failed::Answer(format!("it recommends row {}, which isn't there", unknown.row)));
                    }
                    if front.is_empty() {
                        let by_readings = super::front(&eutectic_planners::Random, input, &Memo::default());
                        front = by_readings.map_err(|error| Failed::Own(error.into()))?;
                    }
                    Ok(PlanAnswer::Answer(super::answer(input, &found, &front).map(Box::new)))
                }
                Err(status) if status.code() == Code::Unimplemented => ours(input).map_err(Failed::Own),
                Err(status) => Err(Failed::Call(status)),
            }
        }
    }
}

/// The answer by our own model, for a planner that names none.
fn ours(input: &PlanInput) -> Result<PlanAnswer, PlanningError> {
    let encode::Encoded { problem, rows, .. } = &input.encoded;
    let found = Bayesian::default().recommend(problem, rows, &Memo::default(), input.seed)?;
    let front = super::front(&Bayesian::default(), input, &Memo::default())?;
    Ok(PlanAnswer::Answer(super::answer(input, &found, &front).map(Box::new)))
}

fn proposals(encoded: &encode::Encoded, answer: wire::SuggestResponse) -> Result<PlanAnswer, String> {
    if answer.memo.len() > MEMO_MAX_BYTES {
        return Err(format!("its memo has {} bytes; the limit is {MEMO_MAX_BYTES}", answer.memo.len()));
    }
    let read = |(index, it): (usize, &wire::Suggestion)| {
        let (suggestion, text) = convert::read_suggestion(&encoded.problem, it)
            .map_err(|why| format!("its suggestion {index} can't be tried: {why}"))?;
        let mut proposal = super::proposal(encoded, &suggestion);
        if !text.is_empty() {
            proposal.why.text = shortened(&text);
        }
        Ok(proposal)
    };
    Ok(PlanAnswer::Proposals {
        proposals: answer.suggestions.iter().enumerate().map(read).collect::<Result<_, String>>()?,
        memo: answer.memo,
        planner: shortened(&answer.planner),
        took_ms: 0,
        gain: None,
    })
}

/// The longest text for people that a planner may add to a proposal.
const MAX_TEXT: usize = 200;

fn shortened(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}
