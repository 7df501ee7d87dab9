//! Arguments of the verbs for whoever looks after the lab.

use clap::{Args, Subcommand};

/// Arguments of `intervention`.
#[derive(Debug, Args)]
pub struct InterventionArguments {
    /// What is to be done.
    #[command(subcommand)]
    pub verb: InterventionVerb,
}

/// The verbs of `intervention`.
#[derive(Debug, Subcommand)]
pub enum InterventionVerb {
    /// What waits for a person
    List {
        /// Those that are resolved as well
        #[arg(long)]
        all: bool,
    },
    /// One of them: what happened, what its driver said since, what can be decided
    Show {
        /// Its number
        number: u32,
    },
    /// Decide: you have looked at the instrument
    #[command(after_help = "  eutectic intervention show 3
  eutectic intervention resolve 3 discard     the sample is never used again; the instrument is back in service
  eutectic intervention resolve 3 repeat      the step is done again on the same sample
  eutectic intervention resolve 3 accept      what its driver said too late is what happened
Where something was learnt since `show`, the answer is refused if --revision names what you had seen.")]
    Resolve {
        /// Its number
        number: u32,
        /// What
        #[arg(value_parser = ["discard", "repeat", "accept"])]
        decision: String,
        /// The revision that you have seen; without it, the present one
        #[arg(long)]
        revision: Option<u32>,
    },
}

/// Arguments of `page`.
#[derive(Debug, Args)]
pub struct PageArguments {
    /// What is to be done.
    #[command(subcommand)]
    pub verb: PageVerb,
}

/// The verbs of `page`.
#[derive(Debug, Subcommand)]
pub enum PageVerb {
    /// What people are called for, and whether the calls got through
    List,
    /// You know: the page is not sent again
    #[command(visible_alias = "ack")]
    Acknowledge {
        /// Its name; without one, all of them
        ids: Vec<String>,
    },
}
