//! The program `eutectic`.

fn main() -> std::process::ExitCode {
    eutectic::cli::main()
}
