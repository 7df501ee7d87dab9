//! `enqueue`: points of a person's own, before the planner's.

use super::arguments::TableArguments;
use super::connect::ask;
use super::output::line;
use super::{Failure, Global, json, table};
use std::process::ExitCode;

pub(super) async fn enqueue(global: &Global, arguments: TableArguments) -> Result<ExitCode, Failure> {
    let request = table::read(&arguments.file, arguments.campaign)?;
    let list = ask(global, async |client| client.enqueue_experiments(request.clone()).await).await?;
    if global.json {
        list.experiments.iter().for_each(|it| json::line(&json::experiment(it)));
    } else {
        let numbers: Vec<_> = list.experiments.iter().map(|it| it.number.to_string()).collect();
        let word = if numbers.len() == 1 { "experiment" } else { "experiments" };
        line(&format!("enqueued as {word} {}", numbers.join(", ")));
    }
    Ok(ExitCode::SUCCESS)
}
