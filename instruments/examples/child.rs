//! A child of the driver host in a compiled language, without any of our crates but a JSON reader:
//! `cargo build -p eutectic-instruments --example child`, then
//! `eutectic driver host --folder pump -- target/debug/examples/child`.
#![expect(clippy::print_stdout, reason = "standard output is the way to the host")]

use serde_json::{Value, json};
use std::io::BufRead;

fn main() {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Ok(order) = serde_json::from_str::<Value>(&line) else { continue };
        let result = match order.get("do").and_then(Value::as_str) {
            Some("describe") => json!({
                "id": "pump",
                "name": "Syringe pump",
                "capabilities": [{
                    "id": "pump.dispense",
                    "parameters": [{"id": "volume", "kind": "quantity", "unit": "uL", "min": 1, "max": 1000}],
                    "outputs": [{"id": "dispensed", "kind": "quantity", "unit": "uL", "min": 0, "max": 1000}],
                }],
            }),
            Some("run") => {
                let volume = order.pointer("/arguments/volume").cloned().unwrap_or_default();
                json!({"outputs": {"dispensed": volume}, "sample": "modified"})
            }
            _ => json!({}),
        };
        println!("{}", json!({"id": order.get("id"), "result": result}));
    }
}
