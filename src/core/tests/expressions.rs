//! Expressions against differences, simulation of their noise, and each other.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use eutectic_core::model::{Binary, Datum, EvalError, Expr, Function, Leaf, MAX_DEPTH, Unary};
use proptest::prelude::*;

fn leaf(name: &str) -> Expr {
    Expr::Leaf(Leaf::Parameter(name.into()))
}

fn binary(operator: Binary, left: Expr, right: Expr) -> Expr {
    Expr::Binary(operator, Box::new(left), Box::new(right))
}

/// x and y, each with its standard uncertainty.
fn scope(x: (f64, f64), y: (f64, f64)) -> impl Fn(&Leaf) -> Option<Datum> {
    move |leaf| match leaf {
        Leaf::Parameter(name) if name == "x" => Some(Datum::Number(x.0, x.1)),
        Leaf::Parameter(name) if name == "y" => Some(Datum::Number(y.0, y.1)),
        Leaf::Parameter(_) | Leaf::Outcome(_) | Leaf::Output { .. } => None,
    }
}

fn smooth() -> impl Strategy<Value = Expr> {
    let atom = prop_oneof![(0.5..3.0).prop_map(Expr::Number), Just(leaf("x")), Just(leaf("y"))];
    atom.prop_recursive(4, 24, 2, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            pair.clone().prop_map(|(a, b)| binary(Binary::Add, a, b)),
            pair.clone().prop_map(|(a, b)| binary(Binary::Subtract, a, b)),
            pair.clone().prop_map(|(a, b)| binary(Binary::Multiply, a, b)),
            pair.prop_map(|(a, b)| binary(Binary::Divide, a, b)),
            inner.clone().prop_map(|a| Expr::Unary(Unary::Negate, Box::new(a))),
            inner.clone().prop_map(|a| Expr::Call(Function::Exp, vec![a])),
            inner.clone().prop_map(|a| Expr::Call(Function::Sqrt, vec![a])),
            inner.clone().prop_map(|a| Expr::Call(Function::Ln, vec![a])),
            inner.prop_map(|a| Expr::Call(Function::Pow, vec![a, Expr::Number(2.0)])),
        ]
    })
}

proptest! {
    #[test]
    fn the_uncertainty_is_the_gradient_times_that_of_the_leaves(
        expression in smooth(), x in 0.5..2.0f64, y in 0.5..2.0f64, dx in 0.0..0.1f64, dy in 0.0..0.1f64,
    ) {
        let at = |x: f64, y: f64| expression.number(&scope((x, 0.0), (y, 0.0))).map(|it| it.value);
        let step = 1e-6;
        let sides = [at(x + step, y), at(x - step, y), at(x, y + step), at(x, y - step)];
        let [Ok(right), Ok(left), Ok(above), Ok(below)] = sides else { return Ok(()) };
        let slopes = ((right - left) / (2.0 * step), (above - below) / (2.0 * step));
        // Where the value is huge, differences are all rounding.
        prop_assume!(right.abs() < 1e6 && slopes.0.abs() < 1e5 && slopes.1.abs() < 1e5);
        let Ok(found) = expression.number(&scope((x, dx), (y, dy))) else { return Ok(()) };
        let expected = (slopes.0 * dx).hypot(slopes.1 * dy);
        let slack = 1e-4 * (1.0 + right.abs() + slopes.0.abs() + slopes.1.abs());
        prop_assert!((found.sd() - expected).abs() <= slack, "{} is not {expected}", found.sd());
    }

    #[test]
    fn a_margin_is_at_most_zero_exactly_where_its_condition_holds(x in -3.0..3.0f64, y in -3.0..3.0f64) {
        let less = binary(Binary::LessOrEqual, leaf("x"), leaf("y"));
        let more = binary(Binary::GreaterOrEqual, leaf("x"), Expr::Number(1.0));
        for condition in [
            less.clone(), more.clone(), binary(Binary::And, less.clone(), more.clone()),
            binary(Binary::Or, less.clone(), more), Expr::Unary(Unary::Not, Box::new(less)),
        ] {
            let scope = scope((x, 0.0), (y, 0.0));
            let (margin, holds) = (condition.margin(&scope).unwrap(), condition.holds(&scope).unwrap());
            prop_assert!(margin == 0.0 || (margin < 0.0) == holds, "{condition:?}: {margin}, {holds}");
        }
    }
}

#[test]
fn a_leaf_that_stands_twice_is_one_source_of_uncertainty() {
    let at = scope((2.0, 0.1), (3.0, 0.4));
    let sd = |expression: Expr| expression.number(&at).unwrap().sd();
    assert!(sd(binary(Binary::Subtract, leaf("x"), leaf("x"))).abs() < 1e-15);
    assert!((sd(binary(Binary::Add, leaf("x"), leaf("x"))) - 0.2).abs() < 1e-12);
    assert!((sd(binary(Binary::Add, leaf("x"), leaf("y"))) - 0.1_f64.hypot(0.4)).abs() < 1e-12);
    assert!((sd(binary(Binary::Multiply, leaf("x"), leaf("y"))) - 0.3_f64.hypot(0.8)).abs() < 1e-12);
}

#[test]
fn what_has_no_value_says_which_it_is() {
    let at = scope((2.0, 0.0), (0.0, 0.0));
    let divided = binary(Binary::Divide, leaf("x"), leaf("y"));
    assert_eq!(divided.number(&at).unwrap_err(), EvalError::NotFinite);
    assert_eq!(leaf("z").number(&at).unwrap_err(), EvalError::Missing(Leaf::Parameter("z".into())));
    assert!(matches!(Expr::Boolean(true).number(&at).unwrap_err(), EvalError::Type(_)));
    let mut deep = leaf("x");
    for _ in 0..=MAX_DEPTH {
        deep = Expr::Unary(Unary::Negate, Box::new(deep));
    }
    assert_eq!(deep.number(&at).unwrap_err(), EvalError::Depth);
}
