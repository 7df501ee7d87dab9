//! Readings that are only limits: what follows for the outcomes that are calculated from them.

use crate::support::{setting, spec};
use eutectic_core::model::{Binary, Datum, Expr, Leaf, Limit, Measured};

fn output(name: &str) -> Expr {
    Expr::Leaf(Leaf::Output { step: "read".into(), output: name.into() })
}

/// The outcome of this expression where `a` is 2 and `b` is 4, each perhaps only a limit.
fn derived(value: Expr, a: Option<Limit>, b: Option<Limit>) -> Result<Measured, String> {
    let mut spec = spec("c", 1, 1);
    spec.outcomes[0].value = Some(value);
    let outputs = |_: &str, output: &str| match output {
        "a" => Some((Datum::Number(2.0, 0.0), a)),
        _ => Some((Datum::Number(4.0, 0.0), b)),
    };
    spec.derive(&setting(0.5), &outputs).map(|it| it.outcomes["yield"])
}

fn binary(operator: Binary) -> Expr {
    Expr::Binary(operator, Box::new(output("a")), Box::new(output("b")))
}

#[test]
fn what_is_calculated_from_a_limit_is_one_on_the_side_to_which_it_leads() {
    let below = Some(Limit::Below);
    assert_eq!(derived(output("a"), None, below).unwrap(), Measured::new(2.0, None), "b plays no part");
    assert_eq!(derived(output("a"), below, None).unwrap().limit, below);
    // a - b: the less of b, the more of it.
    assert_eq!(derived(binary(Binary::Subtract), None, below).unwrap().limit, Some(Limit::Above));
    assert_eq!(derived(binary(Binary::Divide), below, None).unwrap().limit, below);
    assert_eq!(derived(binary(Binary::Divide), below, Some(Limit::Above)).unwrap().limit, below);
    // Both below: of their quotient nobody can tell anything.
    let nothing = derived(binary(Binary::Divide), below, below).unwrap_err();
    assert!(nothing.contains("opposite directions"), "{nothing}");
}
