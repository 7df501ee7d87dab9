//! Expressions: derived outcomes and constraints, with their uncertainty carried along.
//!
//! A value is evaluated together with its partial derivatives with respect to every uncertain leaf (forward mode), so that
//! the standard uncertainty follows the law of propagation (JCGM 100:2008, 5.1): leaves are independent, first order.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The deepest nesting that is evaluated; deeper ones are refused where files are read.
pub const MAX_DEPTH: usize = 64;

/// An expression, as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expr {
    /// A literal number.
    Number(f64),
    /// A literal truth value.
    Boolean(bool),
    /// A literal text, to compare a category with.
    Text(String),
    /// Something that stands for a value.
    Leaf(Leaf),
    /// One operand.
    Unary(Unary, Box<Expr>),
    /// Two operands.
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// A function and its arguments; their number was checked.
    Call(Function, Vec<Expr>),
    /// `condition ? then : otherwise`.
    Choose(Box<Expr>, Box<Expr>, Box<Expr>),
}

/// What an expression may refer to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leaf {
    /// A parameter of the campaign.
    Parameter(String),
    /// An outcome of the campaign.
    Outcome(String),
    /// A step's output.
    Output {
        /// The step.
        step: String,
        /// Its output.
        output: String,
    },
}

/// Operators with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unary {
    /// `-x`
    Negate,
    /// `!x`
    Not,
}

/// Operators with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    And,
    Or,
}

/// Functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Function {
    Abs,
    Sqrt,
    Exp,
    Ln,
    Log10,
    Pow,
    Min,
    Max,
}

impl Function {
    /// Every function and the number of its arguments.
    pub const ALL: [(&'static str, Self, usize); 8] = [
        ("abs", Self::Abs, 1),
        ("sqrt", Self::Sqrt, 1),
        ("exp", Self::Exp, 1),
        ("ln", Self::Ln, 1),
        ("log10", Self::Log10, 1),
        ("pow", Self::Pow, 2),
        ("min", Self::Min, 2),
        ("max", Self::Max, 2),
    ];
}

/// What a leaf stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    /// A number and its standard uncertainty (0 if exact).
    Number(f64, f64),
    /// A category.
    Text(String),
}

/// Where leaves get their values.
pub trait Scope {
    /// The value of this leaf, if it has one.
    fn value(&self, leaf: &Leaf) -> Option<Datum>;
}

impl<F: Fn(&Leaf) -> Option<Datum>> Scope for F {
    fn value(&self, leaf: &Leaf) -> Option<Datum> {
        self(leaf)
    }
}

/// Why an expression has no value here.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EvalError {
    /// A leaf without a value.
    #[error("{0:?} has no value")]
    Missing(Leaf),
    /// A division by zero, a logarithm of nothing, an overflow.
    #[error("the result is not a finite number")]
    NotFinite,
    /// An operand of the wrong type; files are checked, so this means an unchecked expression.
    #[error("{0} is needed here")]
    Type(&'static str),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    Depth,
}

/// A number with its first-order dependence on every uncertain leaf.
#[derive(Clone, Debug, PartialEq)]
pub struct Uncertain {
    /// The value.
    pub value: f64,
    /// By leaf: the partial derivative times the leaf's standard uncertainty.
    parts: BTreeMap<Leaf, f64>,
}

impl Uncertain {
    fn exact(value: f64) -> Self {
        Self { value, parts: BTreeMap::new() }
    }

    /// The standard uncertainty; 0 if every leaf is exact.
    #[must_use]
    pub fn sd(&self) -> f64 {
        self.parts.values().fold(0.0, |sum, part| libm::hypot(sum, *part))
    }

    /// The partial derivative by this leaf times the leaf's standard uncertainty.
    #[must_use]
    pub fn part(&self, leaf: &Leaf) -> f64 {
        self.parts.get(leaf).copied().unwrap_or_default()
    }

    fn map(self, value: f64, slope: f64) -> Result<Self, EvalError> {
        let parts = self.parts.into_iter().map(|(leaf, part)| (leaf, part * slope)).collect();
        Self { value, parts }.finite()
    }

    fn join(self, other: Self, value: f64, slopes: (f64, f64)) -> Result<Self, EvalError> {
        let mut joined = self.map(value, slopes.0)?;
        for (leaf, part) in other.parts {
            *joined.parts.entry(leaf).or_insert(0.0) += part * slopes.1;
        }
        joined.finite()
    }

    fn finite(self) -> Result<Self, EvalError> {
        let finite = self.value.is_finite() && self.parts.values().all(|part| part.is_finite());
        if finite { Ok(self) } else { Err(EvalError::NotFinite) }
    }
}

enum Evaluated {
    Number(Uncertain),
    Truth(bool),
    Text(String),
}

impl Expr {
    /// The number that this expression stands for, with its uncertainty.
    ///
    /// # Errors
    /// [`EvalError`] if a leaf is missing, the result is not finite, or the expression is no number.
    pub fn number(&self, scope: &dyn Scope) -> Result<Uncertain, EvalError> {
        self.number_at(scope, 0)
    }

    /// Whether the condition holds.
    ///
    /// # Errors
    /// As [`Expr::number`]; also if the expression is no condition.
    pub fn holds(&self, scope: &dyn Scope) -> Result<bool, EvalError> {
        self.truth_at(scope, 0)
    }

    /// How far a condition is from failing: at most 0 where it holds, in the units of its comparisons.
    ///
    /// Continuous where the comparisons are, so that a search can follow it to the border.
    ///
    /// # Errors
    /// As [`Expr::holds`].
    pub fn margin(&self, scope: &dyn Scope) -> Result<f64, EvalError> {
        Ok(self.margin_at(scope, 0)?.value)
    }

    /// Visits every leaf, left to right.
    pub fn leaves<'a>(&'a self, visit: &mut dyn FnMut(&'a Leaf)) {
        match self {
            Self::Number(_) | Self::Boolean(_) | Self::Text(_) => {}
            Self::Leaf(leaf) => visit(leaf),
            Self::Unary(_, inner) => inner.leaves(visit),
            Self::Binary(_, left, right) => {
                left.leaves(visit);
                right.leaves(visit);
            }
            Self::Call(_, arguments) => arguments.iter().for_each(|argument| argument.leaves(visit)),
            Self::Choose(condition, then, otherwise) => {
                condition.leaves(visit);
                then.leaves(visit);
                otherwise.leaves(visit);
            }
        }
    }

    fn number_at(&self, scope: &dyn Scope, depth: usize) -> Result<Uncertain, EvalError> {
        match self.evaluate(scope, depth)? {
            Evaluated::Number(number) => Ok(number),
            Evaluated::Truth(_) | Evaluated::Text(_) => Err(EvalError::Type("a number")),
        }
    }

    fn truth_at(&self, scope: &dyn Scope, depth: usize) -> Result<bool, EvalError> {
        match self.evaluate(scope, depth)? {
            Evaluated::Truth(truth) => Ok(truth),
            Evaluated::Number(_) | Evaluated::Text(_) => Err(EvalError::Type("a condition")),
        }
    }

    fn evaluate(&self, scope: &dyn Scope, depth: usize) -> Result<Evaluated, EvalError> {
        if depth > MAX_DEPTH {
            return Err(EvalError::Depth);
        }
        let deeper = depth + 1;
        Ok(match self {
            Self::Number(value) => Evaluated::Number(Uncertain::exact(*value)),
            Self::Boolean(truth) => Evaluated::Truth(*truth),
            Self::Text(text) => Evaluated::Text(text.clone()),
            Self::Leaf(leaf) => match scope.value(leaf).ok_or_else(|| EvalError::Missing(leaf.clone()))? {
                Datum::Number(value, sd) => {
                    let mut number = Uncertain::exact(value);
                    if sd > 0.0 {
                        number.parts.insert(leaf.clone(), sd);
                    }
                    Evaluated::Number(number.finite()?)
                }
                Datum::Text(text) => Evaluated::Text(text),
            },
            Self::Unary(Unary::Not, inner) => Evaluated::Truth(!inner.truth_at(scope, deeper)?),
            Self::Unary(Unary::Negate, inner) => {
                let inner = inner.number_at(scope, deeper)?;
                let value = -inner.value;
                Evaluated::Number(inner.map(value, -1.0)?)
            }
            Self::Binary(operator, left, right) => binary(*operator, left, right, scope, deeper)?,
            Self::Call(function, arguments) => {
                let arguments = arguments.iter().map(|argument| argument.number_at(scope, deeper));
                Evaluated::Number(call(*function, arguments.collect::<Result<_, _>>()?)?)
            }
            Self::Choose(condition, then, otherwise) => {
                let branch = if condition.truth_at(scope, deeper)? { then } else { otherwise };
                branch.evaluate(scope, deeper)?
            }
        })
    }

    /// The margin as an uncertain number: at most 0 where the condition holds.
    fn margin_at(&self, scope: &dyn Scope, depth: usize) -> Result<Uncertain, EvalError> {
        if depth > MAX_DEPTH {
            return Err(EvalError::Depth);
        }
        let deeper = depth + 1;
        let pick = |left: Uncertain, right: Uncertain, larger: bool| {
            if (left.value >= right.value) == larger { left } else { right }
        };
        match self {
            Self::Unary(Unary::Not, inner) => {
                let inner = inner.margin_at(scope, deeper)?;
                let value = -inner.value;
                inner.map(value, -1.0)
            }
            Self::Binary(Binary::And, left, right) => {
                Ok(pick(left.margin_at(scope, deeper)?, right.margin_at(scope, deeper)?, true))
            }
            Self::Binary(Binary::Or, left, right) => {
                Ok(pick(left.margin_at(scope, deeper)?, right.margin_at(scope, deeper)?, false))
            }
            Self::Binary(Binary::Less | Binary::LessOrEqual, left, right) => {
                difference(left.number_at(scope, deeper)?, right.number_at(scope, deeper)?)
            }
            Self::Binary(Binary::Greater | Binary::GreaterOrEqual, left, right) => {
                difference(right.number_at(scope, deeper)?, left.number_at(scope, deeper)?)
            }
            Self::Number(_)
            | Self::Boolean(_)
            | Self::Text(_)
            | Self::Leaf(_)
            | Self::Unary(Unary::Negate, _)
            | Self::Binary(
                Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Equal | Binary::NotEqual,
                ..,
            )
            | Self::Call(..)
            | Self::Choose(..) => {
                // A condition without a distance: one step to either side.
                Ok(Uncertain::exact(if self.truth_at(scope, depth)? { -1.0 } else { 1.0 }))
            }
        }
    }
}

fn difference(left: Uncertain, right: Uncertain) -> Result<Uncertain, EvalError> {
    let value = left.value - right.value;
    left.join(right, value, (1.0, -1.0))
}

#[expect(clippy::float_cmp, reason = "`==` in a file means equal")]
fn binary(
    operator: Binary,
    left: &Expr,
    right: &Expr,
    scope: &dyn Scope,
    depth: usize,
) -> Result<Evaluated, EvalError> {
    let numbers = || Ok((left.number_at(scope, depth)?, right.number_at(scope, depth)?));
    let compare = |holds: fn(f64, f64) -> bool| {
        let (left, right): (Uncertain, Uncertain) = numbers()?;
        Ok(Evaluated::Truth(holds(left.value, right.value)))
    };
    // Gives the value and its slopes by either operand.
    let combine = |of: fn(f64, f64) -> (f64, (f64, f64))| {
        let (left, right): (Uncertain, Uncertain) = numbers()?;
        let (value, slopes) = of(left.value, right.value);
        Ok(Evaluated::Number(left.join(right, value, slopes)?))
    };
    match operator {
        Binary::And => Ok(Evaluated::Truth(left.truth_at(scope, depth)? && right.truth_at(scope, depth)?)),
        Binary::Or => Ok(Evaluated::Truth(left.truth_at(scope, depth)? || right.truth_at(scope, depth)?)),
        Binary::Equal | Binary::NotEqual => {
            let equal = match (left.evaluate(scope, depth)?, right.evaluate(scope, depth)?) {
                (Evaluated::Number(left), Evaluated::Number(right)) => left.value == right.value,
                (Evaluated::Text(left), Evaluated::Text(right)) => left == right,
                (Evaluated::Truth(left), Evaluated::Truth(right)) => left == right,
                (Evaluated::Number(_) | Evaluated::Text(_) | Evaluated::Truth(_), _) => {
                    return Err(EvalError::Type("a value of the same type"));
                }
            };
            Ok(Evaluated::Truth(equal == (operator == Binary::Equal)))
        }
        Binary::Less => compare(|a, b| a < b),
        Binary::LessOrEqual => compare(|a, b| a <= b),
        Binary::Greater => compare(|a, b| a > b),
        Binary::GreaterOrEqual => compare(|a, b| a >= b),
        Binary::Add => combine(|a, b| (a + b, (1.0, 1.0))),
        Binary::Subtract => combine(|a, b| (a - b, (1.0, -1.0))),
        Binary::Multiply => combine(|a, b| (a * b, (b, a))),
        Binary::Divide => combine(|a, b| (a / b, (1.0 / b, -a / (b * b)))),
    }
}

fn call(function: Function, arguments: Vec<Uncertain>) -> Result<Uncertain, EvalError> {
    let mut arguments = arguments.into_iter();
    let first = arguments.next().ok_or(EvalError::Type("an argument"))?;
    let x = first.value;
    let mut second = || arguments.next().ok_or(EvalError::Type("a second argument"));
    match function {
        Function::Abs => first.map(x.abs(), if x < 0.0 { -1.0 } else { 1.0 }),
        Function::Sqrt => first.map(x.sqrt(), 0.5 / x.sqrt()),
        Function::Exp => first.map(libm::exp(x), libm::exp(x)),
        Function::Ln => first.map(libm::log(x), 1.0 / x),
        Function::Log10 => first.map(libm::log10(x), 1.0 / (x * std::f64::consts::LN_10)),
        Function::Min => second().map(|other| if other.value < x { other } else { first }),
        Function::Max => second().map(|other| if other.value > x { other } else { first }),
        Function::Pow => {
            let power = second()?;
            let value = libm::pow(x, power.value);
            let by_base = if power.value == 0.0 { 0.0 } else { power.value * libm::pow(x, power.value - 1.0) };
            // The exponent is nearly always exact, and then the logarithm of a base below 0 is nobody's business.
            let by_power = if power.parts.is_empty() { 0.0 } else { value * libm::log(x) };
            first.join(power, value, (by_base, by_power))
        }
    }
}
