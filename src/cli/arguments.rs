//! What can be said, and the help that teaches it.

mod operators;

pub(super) use operators::{InterventionArguments, InterventionVerb, PageArguments, PageVerb};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Closed-loop experiments: a planner proposes, instruments measure, the model learns, until it converges.
#[derive(Debug, Parser)]
#[command(
    name = "eutectic",
    version,
    propagate_version = true,
    after_help = "First steps:
  eutectic run examples/snar/campaign.toml     a simulated campaign, start to end
  eutectic check my.toml                       what is wrong with a file, before anything moves
  eutectic new suzuki --parameter 'temperature=30..110 degC' --maximize yield --budget 40
  eutectic suggest -n 8 > plate.csv            by hand: the next eight points
  eutectic record results.csv                  by hand: what was measured

Exit status: 0 done, 1 refused or failed, 2 said wrongly."
)]
pub struct Arguments {
    /// What every verb understands.
    #[command(flatten)]
    pub global: Global,
    /// What is to be done.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What every verb understands.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The data folder: journal and simulated lab
    #[arg(long, global = true, env = "EUTECTIC_DATA", default_value = ".eutectic", value_name = "DIR")]
    pub data: PathBuf,
    /// JSON instead of text, one object a line
    #[arg(long, global = true)]
    pub json: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run a campaign to its end, or go on with it
    #[command(
        after_help = "A campaign is its name and its file: running it again goes on where it was, after a crash too.
Ctrl-C once: finish what runs, then stop. Twice: abort to safe states.

  eutectic run campaign.toml --seed 7
  eutectic run campaign.toml --as second-try    a campaign of its own, of the same file
  eutectic run campaign.toml --dry-run          as `check`
  eutectic run campaign.toml --simulate         a rehearsal without hardware, apart from what is real"
    )]
    Run(RunArguments),
    /// Check a campaign file and its lab; nothing moves
    #[command(
        after_help = "Reads both files whole and tells everything that is wrong at once. Then asks each driver whether it would
accept the centre and the corners of the search space (ValidateOperation), which moves nothing."
    )]
    Check(CheckArguments),
    /// Write a campaign file
    #[command(
        after_help = "Parameters: 'temperature=30..110 degC', 'loading=0.5..5 mol% log', 'n=1..8 integer', 'ligand=XPhos|SPhos'
Outcomes:   'yield' or with a unit 'yield=%'

  eutectic new suzuki --parameter 'temperature=30..110 degC' --parameter 'ligand=XPhos|SPhos' \\
      --maximize 'yield=%' --outcome 'impurity=%' --require 'impurity <= 2' --budget 40"
    )]
    New(NewArguments),
    /// The lab, its campaigns and what runs
    Status,
    /// Follow a campaign
    Watch(CampaignArguments),
    /// Start nothing new until resumed
    Pause(CampaignArguments),
    /// Go on after a pause
    Resume(CampaignArguments),
    /// Finish what runs, then end with an answer
    Stop(CampaignArguments),
    /// Abort what runs to safe states, then end
    Abort(CampaignArguments),
    /// Halt instruments now: straight to the drivers
    #[command(
        after_help = "Not an emergency stop in the sense of ISO 13850: that is hardware. A halt latches; going on is a person's decision.

  eutectic halt --all
  eutectic halt reactor --reason 'smell of pyrrolidine'"
    )]
    Halt(HaltArguments),
    /// By hand: the next points, as CSV
    #[command(after_help = "  eutectic suggest -n 8 > plate.csv
Fill in the outcomes (and NAME_sd, their standard uncertainty, where known), or say in 'failed' why there is none.
Then: eutectic record plate.csv")]
    Suggest(SuggestArguments),
    /// By hand: record what was measured, from CSV
    Record(TableArguments),
    /// Try points of your own first, from CSV
    #[command(after_help = "  eutectic enqueue points.csv        one column a parameter, one line a point")]
    Enqueue(TableArguments),
    /// What a campaign has found
    #[command(
        after_help = "  eutectic result --explain            # which parameters matter and how, and how well the model predicts
  eutectic result --html snar.html     # the same as one page with plots"
    )]
    Result(ResultArguments),
    /// Every experiment, as CSV or JSON lines
    #[command(after_help = "  eutectic export > snar.csv
The CSV can be another campaign's past: [[data]] file = \"snar.csv\"")]
    Export(ExportArguments),
    /// The journal, readable
    #[command(after_help = "  eutectic log --limit 20
  eutectic log --since 8h --campaign snar
  eutectic log --json | jq .event")]
    Log(LogArguments),
    /// Instruments: list them, look at one, bring one in, take one back into service
    Instrument(InstrumentArguments),
    /// What waits for a person: look at it and decide
    Intervention(InterventionArguments),
    /// What people are called for: list it, acknowledge it
    Page(PageArguments),
    /// Drivers: write one, check one, serve one
    Driver(DriverArguments),
    /// The journal: check it, heal it, copy it, take it for the truth
    #[command(after_help = "  eutectic doctor verify               changes nothing
  eutectic doctor backup /mnt/nas/tuesday
  eutectic doctor restore /mnt/nas/tuesday   what stood there is set aside; then look, and `eutectic doctor adopt`")]
    Doctor(DoctorArguments),
    /// The planner for other languages
    Planner(PlannerArguments),
    /// Completions for a shell
    #[command(after_help = "  eutectic completions bash > /etc/bash_completion.d/eutectic")]
    Completions(CompletionsArguments),
    /// The manual page
    #[command(after_help = "  eutectic man | man -l -")]
    Man,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// The campaign file
    pub file: PathBuf,
    /// The lab file; default: lab.toml beside the campaign file
    #[arg(long, value_name = "FILE")]
    pub lab: Option<PathBuf>,
    /// The campaign's seed; default: the file's, or 0
    #[arg(long)]
    pub seed: Option<u64>,
    /// Another name: a campaign of its own
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// Check only
    #[arg(long)]
    pub dry_run: bool,
    /// Rehearse: every instrument is simulated, by the twin that lab.toml names; in a data folder of its own
    #[arg(long)]
    pub simulate: bool,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// The campaign file
    pub file: PathBuf,
    /// The lab file; default: lab.toml beside the campaign file
    #[arg(long, value_name = "FILE")]
    pub lab: Option<PathBuf>,
    /// Read the files only; ask no driver
    #[arg(long)]
    pub offline: bool,
}

/// Arguments of `new`.
#[derive(Debug, Args)]
pub struct NewArguments {
    /// The campaign's name
    pub name: String,
    /// A parameter: 'temperature=30..110 degC'
    #[arg(long = "parameter", short = 'p', required = true, value_name = "NAME=VALUES")]
    pub parameters: Vec<String>,
    /// An outcome to maximize; with several objectives the answer is a front
    #[arg(long, value_name = "OUTCOME", required_unless_present = "minimize")]
    pub maximize: Vec<String>,
    /// An outcome to minimize
    #[arg(long, value_name = "OUTCOME")]
    pub minimize: Vec<String>,
    /// A further outcome: 'impurity=%'
    #[arg(long = "outcome", value_name = "NAME[=UNIT]")]
    pub outcomes: Vec<String>,
    /// A constraint, on parameters or on outcomes
    #[arg(long = "require", value_name = "EXPRESSION")]
    pub requirements: Vec<String>,
    /// How many experiments
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub budget: u32,
    /// Where to write; default: NAME.toml. '-' is standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A campaign by name.
#[derive(Debug, Args)]
pub struct CampaignArguments {
    /// The campaign; may be left out where there is one
    pub campaign: Option<String>,
}

/// Arguments of `halt`.
#[derive(Debug, Args)]
pub struct HaltArguments {
    /// The instruments
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub instruments: Vec<String>,
    /// Every instrument of the lab
    #[arg(long)]
    pub all: bool,
    /// Why
    #[arg(long, default_value = "halted from the command line")]
    pub reason: String,
    /// The lab file; without it, the one that was used last in this data folder
    #[arg(long, value_name = "FILE")]
    pub lab: Option<PathBuf>,
}

/// Arguments of `suggest`.
#[derive(Debug, Args)]
pub struct SuggestArguments {
    /// How many points
    #[arg(short = 'n', long = "count", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub count: u32,
    /// The campaign; may be left out where there is one
    #[arg(long)]
    pub campaign: Option<String>,
    /// The campaign's file, where it is not here yet
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// A table for a campaign.
#[derive(Debug, Args)]
pub struct TableArguments {
    /// The CSV file; '-' is standard input
    pub file: PathBuf,
    /// The campaign; may be left out where there is one
    #[arg(long)]
    pub campaign: Option<String>,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// The campaign; may be left out where there is one
    pub campaign: Option<String>,
    /// The form
    #[arg(long, value_enum, default_value_t = Form::Csv)]
    pub format: Form,
}

/// Forms of export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// One line an experiment
    Csv,
    /// One JSON object a line
    Jsonl,
}

/// Arguments of `log`.
#[derive(Debug, Args)]
pub struct LogArguments {
    /// Entries of this campaign only
    #[arg(long)]
    pub campaign: Option<String>,
    /// From this entry on
    #[arg(long, default_value_t = 1)]
    pub from: u64,
    /// At most so many entries, the newest; 0 is all
    #[arg(long, default_value_t = 0)]
    pub limit: u64,
    /// The last so many minutes, hours or days: 30min, 8h, 2d
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
}

/// Arguments of `instrument`.
#[derive(Debug, Args)]
pub struct InstrumentArguments {
    /// What is to be done.
    #[command(subcommand)]
    pub verb: InstrumentVerb,
}

/// The verbs of `instrument`.
#[derive(Debug, Subcommand)]
pub enum InstrumentVerb {
    /// Every instrument, where its driver is and how it is
    List,
    /// Take a quarantined or halted instrument back into service: you have looked at it
    Release {
        /// The instrument
        instrument: String,
    },
    /// What a driver says of its instrument, and how it is
    #[command(after_help = "  eutectic instrument show reactor\n  eutectic instrument show http://127.0.0.1:50051")]
    Show(LookArguments),
    /// Write what a driver says of its instrument, as JSON: a description to rehearse with
    #[command(after_help = "  eutectic instrument describe reactor > reactor.json
In lab.toml, twin = \"reactor.json\" lets `eutectic run --simulate` take its place.")]
    Describe(LookArguments),
    /// Bring a driver into the lab: reads what it says of itself, writes the entry of lab.toml
    #[command(after_help = "  eutectic instrument add http://127.0.0.1:50051
  eutectic instrument add http://127.0.0.1:50051 --lab bench-3/lab.toml")]
    Add(AddInstrumentArguments),
}

/// Arguments of `instrument show` and `instrument describe`.
#[derive(Debug, Args)]
pub struct LookArguments {
    /// An instrument of the lab, or a driver's address
    pub instrument: String,
    /// The lab file
    #[arg(long, value_name = "FILE", default_value = "lab.toml")]
    pub lab: PathBuf,
    /// How to reach it.
    #[command(flatten)]
    pub tls: TlsArguments,
}

/// Arguments of `instrument add`.
#[derive(Debug, Args)]
pub struct AddInstrumentArguments {
    /// The driver's address: http://HOST:PORT
    pub address: String,
    /// The lab file; it is made if there is none
    #[arg(long, value_name = "FILE", default_value = "lab.toml")]
    pub lab: PathBuf,
    /// How to reach it.
    #[command(flatten)]
    pub tls: TlsArguments,
}

/// How to speak to a driver by TLS.
#[derive(Clone, Debug, Args)]
pub struct TlsArguments {
    /// By TLS: the authority that the driver's certificate is of (PEM)
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// By mutual TLS: our own certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_ca", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: DoctorVerb,
}

/// What `doctor` can do.
#[derive(Debug, Subcommand)]
pub enum DoctorVerb {
    /// Check every entry and the chain of their hashes; changes nothing
    Verify,
    /// Heal from copies what is damaged, clear what was never acknowledged
    Repair,
    /// Every entry as a JSON line, from a damaged journal too: up to the damage
    Export,
    /// Make the index again from the log
    Rebuild,
    /// Make every plan again and compare: the same build gives the same proposals
    Replay,
    /// Copy the log into a new folder and check the copy; the journal may be in use
    Backup(DoctorFolder),
    /// Put a backup in the journal's place, which is set aside
    Restore(DoctorFolder),
    /// Take the journal for the truth although drivers have seen more
    Adopt,
}

/// The folder of a backup.
#[derive(Debug, Args)]
pub struct DoctorFolder {
    /// The backup
    pub folder: PathBuf,
}

/// Arguments of `driver`.
#[derive(Debug, Args)]
pub struct DriverArguments {
    /// What is to be done.
    #[command(subcommand)]
    pub verb: DriverVerb,
}

/// The verbs of `driver`.
#[derive(Debug, Subcommand)]
pub enum DriverVerb {
    /// Check a driver against the contract
    #[command(after_help = "  eutectic driver check http://127.0.0.1:50051
  eutectic driver check http://127.0.0.1:50051 --level data --argument temperature=40 --junit report.xml
  eutectic driver check http://127.0.0.1:50051 --start-command 'python3 reactor.py --listen 127.0.0.1:50051'

It runs the instrument: by default the first capability, in the middle of its ranges. With a start command it also kills
the driver and starts it again. Exit status 0 when nothing failed.")]
    Check(CheckDriverArguments),
    /// Serve a driver in any language: a child process that speaks JSON lines
    #[command(after_help = "  eutectic driver host --folder bath -- python3 bath.py
The journal, leases, validation and 'exactly once' are kept here; the child does what it is told, once.
The lines are described in instruments/HOST.md.")]
    Host(HostArguments),
    /// Write a driver's project that passes the check as it stands
    #[command(
        after_help = "  eutectic driver new --python bath\n  eutectic driver new --rust bath --folder drivers/bath"
    )]
    New(NewDriverArguments),
    /// Serve a lab's instruments without hardware, each by a process of its own
    #[command(after_help = "  eutectic driver simulate lab.toml
Prints a lab file with their addresses. Instruments with an address are served by what their entry names as 'twin'.")]
    Simulate(SimulateArguments),
    /// Serve an instrument without hardware
    Simulated(SimulatedArguments),
}

/// Arguments of `driver new`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("language").required(true).args(["rust", "python"])))]
pub struct NewDriverArguments {
    /// The driver's name, and its instrument's
    pub name: String,
    /// In Rust
    #[arg(long)]
    pub rust: bool,
    /// In Python
    #[arg(long)]
    pub python: bool,
    /// Where to write it; default: a folder of its name
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Where the Rust SDK's sources are; default: those that this program was made from
    #[arg(long, value_name = "DIR", conflicts_with = "python")]
    pub sdk: Option<PathBuf>,
}

/// Arguments of `driver simulate`.
#[derive(Debug, Args)]
pub struct SimulateArguments {
    /// The lab file
    pub lab: PathBuf,
    /// Where they keep their journals and their bench; default: the lab's name and '-simulated'
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Their time moves only when SimulationService.AdvanceTime says so
    #[arg(long)]
    pub virtual_time: bool,
}

/// Arguments of `driver check`.
#[derive(Debug, Args)]
pub struct CheckDriverArguments {
    /// The driver's address: http://HOST:PORT
    pub address: String,
    /// What it promises: describe, run, data or simulation
    #[arg(long, default_value = "data")]
    pub level: String,
    /// The capability to run; default: the first
    #[arg(long)]
    pub capability: Option<String>,
    /// An argument to run it with: temperature=40
    #[arg(long = "argument", value_name = "NAME=VALUE")]
    pub arguments: Vec<String>,
    /// How to start the driver, to kill it and start it again; split at blanks
    #[arg(long, value_name = "COMMAND")]
    pub start_command: Option<String>,
    /// The folder with the driver's journal, which is moved away and put back to try how its loss is noticed
    #[arg(long, value_name = "DIR", requires = "start_command")]
    pub journal: Option<PathBuf>,
    /// A file to which the hardware adds a line at every physical start
    #[arg(long, value_name = "FILE")]
    pub starts: Option<PathBuf>,
    /// How to reach it.
    #[command(flatten)]
    pub tls: TlsArguments,
    /// Only these checks, by number
    #[arg(long, value_delimiter = ',', value_name = "N")]
    pub only: Vec<u8>,
    /// Write the report as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// Arguments of `driver host`.
#[derive(Debug, Args)]
pub struct HostArguments {
    /// How it is served.
    #[command(flatten)]
    pub serve: eutectic_instruments::sdk::Options,
    /// The child program and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Arguments of `driver simulated`.
#[derive(Debug, Args)]
pub struct SimulatedArguments {
    /// What it is: flow_reactor, furnace, … (--help lists them), or a description FILE.json whose outputs are made up
    #[arg(long, value_name = "KIND|FILE")]
    pub kind: String,
    /// Its name
    #[arg(long)]
    pub instrument: String,
    /// The bench that it shares with others
    #[arg(long, value_name = "DIR")]
    pub world: PathBuf,
    /// Seconds of the instrument in one of ours
    #[arg(long, conflicts_with = "virtual_time")]
    pub speed: Option<f64>,
    /// Its time moves only when SimulationService.AdvanceTime says so
    #[arg(long)]
    pub virtual_time: bool,
    /// How it is served.
    #[command(flatten)]
    pub serve: eutectic_instruments::sdk::Options,
    /// A defect on purpose: start-twice, no-probe, clogs
    #[arg(long)]
    pub fault: Option<String>,
}

/// Arguments of `planner`.
#[derive(Debug, Args)]
pub struct PlannerArguments {
    /// What is to be done.
    #[command(subcommand)]
    pub verb: PlannerVerb,
}

/// The verbs of `planner`.
#[derive(Debug, Subcommand)]
pub enum PlannerVerb {
    /// JSON lines on standard input and output
    #[command(after_help = "Messages, one a line (objectives are minimised, a constraint holds at 0 or below):
  {\"op\":\"init\",\"seed\":1,\"space\":{\"params\":[{\"name\":\"x\",\"kind\":\"float\",\"low\":0,\"high\":1}],\"n_obj\":1}}
  {\"op\":\"tell\",\"trials\":[{\"params\":{\"x\":0.3},\"y\":[1.2]}]}
  {\"op\":\"ask\",\"n\":1}
  {\"op\":\"recommend\"}")]
    Stdio,
    /// Over gRPC, for other programs and for `[planner] address` of a campaign
    #[command(after_help = "The protocol is proto/eutectic/planner/v1/planner.proto; reflection is served as well.")]
    Serve {
        /// Where it listens; port 0 takes a free one
        #[arg(long, default_value = "127.0.0.1:50061")]
        address: String,
    },
}

/// Arguments of `result`.
#[derive(Debug, Args)]
pub struct ResultArguments {
    /// The campaign; may be left out where there is one
    pub campaign: Option<String>,
    /// What the model has learnt: which parameters matter, how, how well it predicts, why these points
    #[arg(long)]
    pub explain: bool,
    /// Write it as one page with plots, which needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}
