//! The planner as a child process that speaks JSON lines: `cargo run --release -p eutectic-planners --example stdio`.

fn main() -> std::io::Result<()> {
    eutectic_planners::stdio::run(std::io::stdin().lock(), std::io::stdout().lock())
}
