//! eutectic
fn main() {}
