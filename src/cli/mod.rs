//! The command line: one file a verb. Every verb speaks to the control service of the process that owns the data folder;
//! only where none runs does it host the folder itself for as long as it takes.

mod arguments;
mod change;
mod check;
mod completions;
mod connect;
mod doctor;
mod driver;
mod driver_new;
mod enqueue;
mod explain;
mod export;
mod failure;
mod halt;
mod html;
mod instrument;
mod intervention;
mod json;
mod live;
mod log;
mod new;
mod output;
mod page;
mod planner;
mod plots;
mod reach;
mod record;
mod result;
mod run;
mod signals;
mod simulate;
mod status;
mod suggest;
mod table;
mod watch;

pub use arguments::{Arguments, Global, Verb};
pub use failure::Failure;

use clap::Parser as _;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("EUTECTIC_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::new(format!("no runtime: {error}"), "").report(),
    };
    let outcome = runtime.block_on(dispatch(arguments));
    // What still waits for something outside must not hold the program.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

async fn dispatch(Arguments { global, verb }: Arguments) -> Result<ExitCode, Failure> {
    match verb {
        Verb::Run(it) => run::run(&global, it).await,
        Verb::Check(it) => check::check(&global, it).await,
        Verb::New(it) => new::new(&global, &it),
        Verb::Status => status::status(&global).await,
        Verb::Watch(it) => watch::watch(&global, it).await,
        Verb::Pause(it) => change::change(&global, it, change::Change::Pause).await,
        Verb::Resume(it) => change::change(&global, it, change::Change::Resume).await,
        Verb::Stop(it) => change::change(&global, it, change::Change::Stop).await,
        Verb::Abort(it) => change::change(&global, it, change::Change::Abort).await,
        Verb::Halt(it) => halt::halt(&global, it).await,
        Verb::Suggest(it) => suggest::suggest(&global, it).await,
        Verb::Record(it) => record::record(&global, it).await,
        Verb::Enqueue(it) => enqueue::enqueue(&global, it).await,
        Verb::Result(it) => result::result(&global, it).await,
        Verb::Export(it) => export::export(&global, it).await,
        Verb::Log(it) => log::log(&global, it).await,
        Verb::Instrument(it) => instrument::instrument(&global, it).await,
        Verb::Intervention(it) => intervention::intervention(&global, it).await,
        Verb::Page(it) => page::page(&global, it).await,
        Verb::Doctor(it) => doctor::doctor(&global, it).await,
        Verb::Driver(it) => driver::driver(&global, it).await,
        Verb::Planner(it) => planner::planner(it).await,
        Verb::Completions(it) => completions::completions(&it),
        Verb::Man => completions::man(),
    }
}
