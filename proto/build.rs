//! Compiles the .proto files with a compiler written in Rust, so that nobody needs protoc.

use prost::Message as _;
use std::{env, error::Error, fs, path::Path};

const FILES: [&str; 4] = [
    "eutectic/instrument/v1/instrument.proto",
    "eutectic/instrument/v1/simulation.proto",
    "eutectic/control/v1/control.proto",
    "eutectic/planner/v1/planner.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    for file in FILES {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(FILES, ["."])?;
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("descriptors.bin"), descriptors.encode_to_vec())?;
    // `generate_default_stubs`: a call that a server does not offer answers UNIMPLEMENTED by itself.
    tonic_prost_build::configure().generate_default_stubs(true).compile_fds(descriptors)?;
    Ok(())
}
