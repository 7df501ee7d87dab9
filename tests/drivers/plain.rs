//! A third party's client (grpcio) that learns the contract by reflection and walks level RUN by unary calls alone.

use crate::driver::Driver;
use std::path::Path;
use std::process::Command;

/// A Python with grpcio and grpcio-reflection; in CI there has to be one.
const PYTHON: &str = "EUTECTIC_GRPC_PYTHON";

#[test]
fn a_plain_grpc_client_walks_level_run_from_reflection_alone() {
    let Some(python) = std::env::var_os(PYTHON) else {
        assert!(std::env::var_os("EUTECTIC_CI").is_none(), "in CI {PYTHON} has to be set");
        eprintln!("skipped: {PYTHON} names no Python with grpcio and grpcio-reflection");
        return;
    };
    let driver = Driver::start("flow_reactor", 2_000.0);
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers/plain_client.py");
    let address = driver.address().trim_start_matches("http://");
    let output = Command::new(python).arg(client).arg(address).arg("equivalents=2").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(driver.starts(), 1);
}
