//! Expressions in postfix notation, as other planners get them, and back.

use eutectic_core::model::{Binary, Expr, Function, Leaf, MAX_DEPTH, Parameter, Unary};
use eutectic_proto::planner::v1 as wire;
use wire::term::Term as Of;

/// The most terms of one expression.
const MAX_TERMS: usize = 10_000;

/// What an operator of the wire stands for.
enum Operation {
    One(Unary),
    Two(Binary),
    Call(Function, usize),
    Choose,
}

fn operation(operator: wire::Operator) -> Option<Operation> {
    use Operation::{Call, One, Two};
    Some(match operator {
        wire::Operator::Unspecified => return None,
        wire::Operator::Negate => One(Unary::Negate),
        wire::Operator::Not => One(Unary::Not),
        wire::Operator::Abs => Call(Function::Abs, 1),
        wire::Operator::Sqrt => Call(Function::Sqrt, 1),
        wire::Operator::Exp => Call(Function::Exp, 1),
        wire::Operator::Ln => Call(Function::Ln, 1),
        wire::Operator::Log10 => Call(Function::Log10, 1),
        wire::Operator::Add => Two(Binary::Add),
        wire::Operator::Subtract => Two(Binary::Subtract),
        wire::Operator::Multiply => Two(Binary::Multiply),
        wire::Operator::Divide => Two(Binary::Divide),
        wire::Operator::Power => Call(Function::Pow, 2),
        wire::Operator::Min => Call(Function::Min, 2),
        wire::Operator::Max => Call(Function::Max, 2),
        wire::Operator::Less => Two(Binary::Less),
        wire::Operator::LessOrEqual => Two(Binary::LessOrEqual),
        wire::Operator::Greater => Two(Binary::Greater),
        wire::Operator::GreaterOrEqual => Two(Binary::GreaterOrEqual),
        wire::Operator::Equal => Two(Binary::Equal),
        wire::Operator::NotEqual => Two(Binary::NotEqual),
        wire::Operator::And => Two(Binary::And),
        wire::Operator::Or => Two(Binary::Or),
        wire::Operator::Choose => Operation::Choose,
    })
}

fn two(operator: Binary) -> wire::Operator {
    match operator {
        Binary::Add => wire::Operator::Add,
        Binary::Subtract => wire::Operator::Subtract,
        Binary::Multiply => wire::Operator::Multiply,
        Binary::Divide => wire::Operator::Divide,
        Binary::Less => wire::Operator::Less,
        Binary::LessOrEqual => wire::Operator::LessOrEqual,
        Binary::Greater => wire::Operator::Greater,
        Binary::GreaterOrEqual => wire::Operator::GreaterOrEqual,
        Binary::Equal => wire::Operator::Equal,
        Binary::NotEqual => wire::Operator::NotEqual,
        Binary::And => wire::Operator::And,
        Binary::Or => wire::Operator::Or,
    }
}

fn call(function: Function) -> wire::Operator {
    match function {
        Function::Abs => wire::Operator::Abs,
        Function::Sqrt => wire::Operator::Sqrt,
        Function::Exp => wire::Operator::Exp,
        Function::Ln => wire::Operator::Ln,
        Function::Log10 => wire::Operator::Log10,
        Function::Pow => wire::Operator::Power,
        Function::Min => wire::Operator::Min,
        Function::Max => wire::Operator::Max,
    }
}

/// The terms of an expression on parameters; `None` where it names anything else.
pub(super) fn terms(expression: &Expr, parameters: &[Parameter]) -> Option<Vec<wire::Term>> {
    let mut terms = Vec::new();
    push(expression, parameters, &mut terms).map(|()| terms)
}

fn push(expression: &Expr, parameters: &[Parameter], terms: &mut Vec<wire::Term>) -> Option<()> {
    let of = match expression {
        Expr::Number(number) => Of::Number(*number),
        Expr::Boolean(truth) => Of::Truth(*truth),
        Expr::Text(text) => Of::Text(text.clone()),
        Expr::Leaf(Leaf::Parameter(name)) => {
            Of::Parameter(u32::try_from(parameters.iter().position(|it| it.name == *name)?).ok()?)
        }
        Expr::Leaf(Leaf::Outcome(_) | Leaf::Output { .. }) => return None,
        Expr::Unary(operator, inner) => {
            push(inner, parameters, terms)?;
            let operator = match operator {
                Unary::Negate => wire::Operator::Negate,
                Unary::Not => wire::Operator::Not,
            };
            Of::Operator(operator.into())
        }
        Expr::Binary(operator, left, right) => {
            push(left, parameters, terms)?;
            push(right, parameters, terms)?;
            Of::Operator(two(*operator).into())
        }
        Expr::Call(function, arguments) => {
            arguments.iter().try_for_each(|argument| push(argument, parameters, terms))?;
            Of::Operator(call(*function).into())
        }
        Expr::Choose(condition, then, otherwise) => {
            for part in [condition, then, otherwise] {
                push(part, parameters, terms)?;
            }
            Of::Operator(wire::Operator::Choose.into())
        }
    };
    terms.push(wire::Term { term: Some(of) });
    Some(())
}

/// The expression of these terms; else what is wrong with them.
pub(super) fn expression(terms: &[wire::Term], parameters: &[Parameter]) -> Result<Expr, String> {
    if terms.len() > MAX_TERMS {
        return Err(format!("{} terms; the limit is {MAX_TERMS}", terms.len()));
    }
    // Each with its depth: what is deeper than an evaluation goes has no value anywhere.
    let mut stack: Vec<(Expr, usize)> = Vec::new();
    for (place, term) in terms.iter().enumerate() {
        let wrong = |why: &str| format!("term {place}: {why}");
        let mut take = || stack.pop().ok_or_else(|| wrong("too few operands stand before this operator"));
        let next = match term.term.as_ref().ok_or_else(|| wrong("it is empty"))? {
            Of::Number(number) => (Expr::Number(*number), 0),
            Of::Truth(truth) => (Expr::Boolean(*truth), 0),
            Of::Text(text) => (Expr::Text(text.clone()), 0),
            Of::Parameter(index) => {
                let parameter = usize::try_from(*index).ok().and_then(|index| parameters.get(index));
                let parameter = parameter.ok_or_else(|| wrong(&format!("there is no parameter {index}")))?;
                (Expr::Leaf(Leaf::Parameter(parameter.name.clone())), 0)
            }
            Of::Operator(number) => {
                let known = wire::Operator::try_from(*number).ok().and_then(operation);
                match known.ok_or_else(|| wrong(&format!("there is no operator {number}")))? {
                    Operation::One(operator) => {
                        let (inner, depth) = take()?;
                        (Expr::Unary(operator, Box::new(inner)), depth + 1)
                    }
                    Operation::Two(operator) => {
                        let ((right, a), (left, b)) = (take()?, take()?);
                        (Expr::Binary(operator, Box::new(left), Box::new(right)), a.max(b) + 1)
                    }
                    Operation::Call(function, count) => {
                        let mut arguments = (0..count).map(|_| take()).collect::<Result<Vec<_>, _>>()?;
                        arguments.reverse();
                        let depth = arguments.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
                        (Expr::Call(function, arguments.into_iter().map(|(it, _)| it).collect()), depth + 1)
                    }
                    Operation::Choose => {
                        let ((otherwise, a), (then, b), (condition, c)) = (take()?, take()?, take()?);
                        let parts = (Box::new(condition), Box::new(then), Box::new(otherwise));
                        (Expr::Choose(parts.0, parts.1, parts.2), a.max(b).max(c) + 1)
                    }
                }
            }
        };
        if next.1 > MAX_DEPTH {
            return Err(wrong(&format!("nested deeper than {MAX_DEPTH} levels")));
        }
        stack.push(next);
    }
    match (stack.pop(), stack.is_empty()) {
        (Some((whole, _)), true) => Ok(whole),
        (Some(_), false) => Err("more than one value is left at the end".to_owned()),
        (None, _) => Err("there are no terms".to_owned()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use eutectic_core::model::{Domain, Unit};

    fn parameters() -> Vec<Parameter> {
        let real = Domain::Real { low: 0.0, high: 1.0, log: false };
        let solvents = Domain::Categorical { choices: vec!["dmf".into(), "thf".into()] };
        let parameter = |name: &str, domain| Parameter { name: name.into(), domain, unit: Unit::one() };
        vec![parameter("x", real), parameter("solvent", solvents)]
    }

    fn leaf(name: &str) -> Expr {
        Expr::Leaf(Leaf::Parameter(name.into()))
    }

    fn operator(operator: wire::Operator) -> wire::Term {
        wire::Term { term: Some(Of::Operator(operator.into())) }
    }

    #[test]
    fn an_expression_comes_back_as_it_was() {
        let two = |operator, left: Expr, right: Expr| Expr::Binary(operator, Box::new(left), Box::new(right));
        let number = Expr::Number;
        let mut whole = two(Binary::Equal, leaf("solvent"), Expr::Text("dmf".into()));
        for (_, function, count) in Function::ALL {
            let arguments = (0..count).map(|index| two(Binary::Add, leaf("x"), number(index as f64))).collect();
            whole = two(Binary::And, whole, two(Binary::Less, Expr::Call(function, arguments), number(3.0)));
        }
        for operator in [Binary::Subtract, Binary::Multiply, Binary::Divide] {
            let compared = two(Binary::GreaterOrEqual, two(operator, leaf("x"), number(2.0)), number(0.5));
            whole = two(Binary::Or, Expr::Unary(Unary::Not, Box::new(whole)), compared);
        }
        let minus = Expr::Unary(Unary::Negate, Box::new(leaf("x")));
        let chosen = Expr::Choose(Box::new(whole), Box::new(minus), Box::new(number(1.0)));
        let whole = two(Binary::NotEqual, two(Binary::LessOrEqual, chosen, number(0.0)), Expr::Boolean(true));
        let terms = terms(&whole, &parameters()).unwrap();
        assert_eq!(expression(&terms, &parameters()), Ok(whole));
    }

    #[test]
    fn an_outcome_is_no_parameter() {
        assert_eq!(terms(&Expr::Leaf(Leaf::Outcome("yield".into())), &parameters()), None);
    }

    #[test]
    fn what_is_no_expression_is_refused_with_its_place() {
        let number = wire::Term { term: Some(Of::Number(1.0)) };
        let other = wire::Term { term: Some(Of::Parameter(2)) };
        let add = operator(wire::Operator::Add);
        let deep = [vec![number.clone()], vec![operator(wire::Operator::Negate); MAX_DEPTH + 1]].concat();
        let cases = [
            (vec![], "there are no terms"),
            (vec![number.clone(), number.clone()], "more than one value"),
            (vec![number.clone(), add.clone()], "term 1: too few operands"),
            (vec![other], "term 0: there is no parameter 2"),
            (vec![wire::Term { term: None }], "term 0: it is empty"),
            (vec![operator(wire::Operator::Unspecified)], "term 0: there is no operator 0"),
            (vec![wire::Term { term: Some(Of::Operator(99)) }], "term 0: there is no operator 99"),
            (deep, "nested deeper than 64 levels"),
            (vec![number; MAX_TERMS + 1], "the limit is 10000"),
        ];
        for (terms, expected) in cases {
            let said = expression(&terms, &parameters()).unwrap_err();
            assert!(said.contains(expected), "{expected} is missing in: {said}");
        }
    }
}
