//! The planner as a child process that speaks JSON lines; with `--without PART,PART` as it is without these.
//!
//! `cargo run --release -p eutectic-planners --example stdio`

use eutectic_planners::{Bayesian, Part, Without, stdio};

fn main() -> std::io::Result<()> {
    let names = std::env::args().skip_while(|it| it != "--without").nth(1).unwrap_or_default();
    let mut without = Without::default();
    for name in names.split(',').filter(|name| !name.is_empty()) {
        let known = || Part::ALL.map(|(name, _)| name).join(", ");
        let unknown = || std::io::Error::other(format!("there is no part '{name}'; there are {}", known()));
        without = without.and(Part::named(name).ok_or_else(unknown)?);
    }
    stdio::run(&Bayesian { without, ..Bayesian::default() }, std::io::stdin().lock(), std::io::stdout().lock())
}
