//! Expressions: parsed by the CEL crate, turned into the core's own, with a place for everything that is wrong.
//!
//! `$temperature` is a parameter, `@assay.ortho` a step's output; a bare name is a parameter or an outcome.

use super::reader::Placed;
use super::report::Report;
use crate::closest::did_you_mean;
use cel::common::ast::{CallExpr, Expr as Cel, IdedExpr, LiteralValue, SourceInfo, operators};
use cel::parser::Parser;
use eutectic_core::model::{Binary, Expr, Function, Leaf, MAX_DEPTH, Unary};
use std::collections::BTreeSet;
use std::ops::Range;

/// The longest expression, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 4096;

/// The most operators, dots and other signs of an expression: each may nest it once more.
const MAX_SIGNS: usize = 500;

/// The names that an expression may use.
#[derive(Default)]
pub(super) struct Names {
    pub(super) parameters: BTreeSet<String>,
    pub(super) outcomes: BTreeSet<String>,
    pub(super) steps: BTreeSet<String>,
}

struct Reading<'a> {
    names: &'a Names,
    places: SourceInfo,
    /// Where the expression begins in its file.
    base: usize,
    end: usize,
}

/// The expression, unless something is wrong with it.
pub(super) fn expression(text: &Placed<&str>, names: &Names, report: &mut Report) -> Option<Expr> {
    if text.value.len() > MAX_EXPRESSION_BYTES {
        report.error(
            Some(text.span.clone()),
            format!("the expression has {} bytes; the limit is {MAX_EXPRESSION_BYTES}", text.value.len()),
            "write it shorter; conditions joined by && can be a [[constraint]] each",
        );
        return None;
    }
    if let Some((at, why)) = too_deep(text.value) {
        let place = text.span.start + 1 + at;
        report.error(
            Some(place..place + 1),
            why,
            "write it shorter; conditions joined by && can be a [[constraint]] each",
        );
        return None;
    }
    // Blanks of the same length keep every place where it was.
    let plain = text.value.replace(['$', '@'], " ");
    let base = text.span.start + 1;
    let depth = u16::try_from(MAX_DEPTH).unwrap_or(u16::MAX);
    let parsed = Parser::new().max_recursion_depth(depth).parse_with_source_info(&plain);
    let (root, places) = match parsed {
        Ok(parsed) => parsed,
        Err(errors) => {
            for error in errors.errors.iter().take(1) {
                let column = usize::try_from(error.pos.1 - 1).unwrap_or_default();
                let at = (base + column).min(text.span.end.saturating_sub(1));
                let words = error.msg.lines().next().unwrap_or_default();
                report.error(Some(at..at + 1), format!("the expression can't be read: {words}"), EXAMPLES);
            }
            return None;
        }
    };
    let reading = Reading { names, places, base, end: text.span.end };
    let errors = report.errors();
    let expression = reading.read(&root, 0, report);
    expression.filter(|_| report.errors() == errors)
}

/// Where, and why, a text would take the parser deeper than its stack goes: its own limit comes too late.
fn too_deep(text: &str) -> Option<(usize, String)> {
    let (mut depth, mut signs) = (0_usize, 0_usize);
    for (place, letter) in text.bytes().enumerate() {
        match letter {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            letter if letter.is_ascii_punctuation() && letter != b'_' => signs += 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Some((place, format!("brackets are nested more than {MAX_DEPTH} deep")));
        }
        if signs > MAX_SIGNS {
            return Some((place, format!("the expression has more than {MAX_SIGNS} signs")));
        }
    }
    None
}

const EXAMPLES: &str = "for instance: 100 * @assay.product / $amount, or temperature <= 80 || loading < 2";

impl Reading<'_> {
    fn span(&self, node: &IdedExpr) -> Option<Range<usize>> {
        let (start, stop) = self.places.offset_for(node.id)?;
        let start = (self.base + usize::try_from(start).ok()?).min(self.end);
        let stop = (self.base + usize::try_from(stop).ok()?).clamp(start, self.end);
        Some(start..stop.max(start + 1))
    }

    fn wrong(&self, node: &IdedExpr, message: impl Into<String>, help: impl Into<String>, report: &mut Report) {
        report.error(self.span(node), message, help);
    }

    fn read(&self, node: &IdedExpr, depth: usize, report: &mut Report) -> Option<Expr> {
        if depth >= MAX_DEPTH {
            self.wrong(node, format!("the expression is nested deeper than {MAX_DEPTH}"), "", report);
            return None;
        }
        match &node.expr {
            Cel::Literal(literal) => self.literal(node, literal, report),
            Cel::Ident(name) => self.name(node, name, report),
            Cel::Select(select) => match &select.operand.expr {
                Cel::Ident(step) if self.names.steps.contains(step) => {
                    Some(Expr::Leaf(Leaf::Output { step: step.clone(), output: select.field.clone() }))
                }
                Cel::Ident(step) => {
                    let help = did_you_mean(step, self.names.steps.iter().map(String::as_str));
                    self.wrong(&select.operand, format!("there is no step '{step}'"), help, report);
                    None
                }
                Cel::Call(_)
                | Cel::Comprehension(_)
                | Cel::List(_)
                | Cel::Literal(_)
                | Cel::Map(_)
                | Cel::Select(_)
                | Cel::Struct(_)
                | Cel::Unspecified => {
                    self.wrong(node, "only a step has outputs", "write @step.output", report);
                    None
                }
            },
            Cel::Call(call) => self.call(node, call, depth, report),
            Cel::Comprehension(_) | Cel::List(_) | Cel::Map(_) | Cel::Struct(_) | Cel::Unspecified => {
                self.wrong(node, "lists, maps and macros have no meaning here", EXAMPLES, report);
                None
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a literal beyond 2^53 is rounded as any number")]
    fn literal(&self, node: &IdedExpr, literal: &LiteralValue, report: &mut Report) -> Option<Expr> {
        let number = match literal {
            LiteralValue::Boolean(it) => return Some(Expr::Boolean(*it.inner())),
            LiteralValue::String(it) => return Some(Expr::Text(it.inner().to_owned())),
            LiteralValue::Double(it) => *it.inner(),
            LiteralValue::Int(it) => *it.inner() as f64,
            LiteralValue::UInt(it) => *it.inner() as f64,
            LiteralValue::Bytes(_) | LiteralValue::Null => f64::NAN,
        };
        if !number.is_finite() {
            self.wrong(node, "this is no finite number", "", report);
            return None;
        }
        Some(Expr::Number(number))
    }

    fn name(&self, node: &IdedExpr, name: &str, report: &mut Report) -> Option<Expr> {
        if self.names.parameters.contains(name) {
            return Some(Expr::Leaf(Leaf::Parameter(name.to_owned())));
        }
        if self.names.outcomes.contains(name) {
            return Some(Expr::Leaf(Leaf::Outcome(name.to_owned())));
        }
        let known = self.names.parameters.iter().chain(&self.names.outcomes).map(String::as_str);
        let help = if self.names.steps.contains(name) {
            format!("'{name}' is a step: name one of its outputs, as in @{name}.output")
        } else {
            did_you_mean(name, known)
        };
        self.wrong(node, format!("there is no parameter or outcome '{name}'"), help, report);
        None
    }

    fn call(&self, node: &IdedExpr, call: &CallExpr, depth: usize, report: &mut Report) -> Option<Expr> {
        let mut arguments = Vec::new();
        for argument in call.target.iter().map(AsRef::as_ref).chain(&call.args) {
            arguments.push(self.read(argument, depth + 1, report));
        }
        let arguments: Vec<Expr> = arguments.into_iter().collect::<Option<_>>()?;
        if let Some(operator) = binary(&call.func_name) {
            let [left, right] = <[Expr; 2]>::try_from(arguments).ok()?;
            return Some(Expr::Binary(operator, Box::new(left), Box::new(right)));
        }
        if let Some(operator) = unary(&call.func_name) {
            let [operand] = <[Expr; 1]>::try_from(arguments).ok()?;
            return Some(Expr::Unary(operator, Box::new(operand)));
        }
        if call.func_name == operators::CONDITIONAL {
            let [condition, then, otherwise] = <[Expr; 3]>::try_from(arguments).ok()?;
            return Some(Expr::Choose(Box::new(condition), Box::new(then), Box::new(otherwise)));
        }
        let Some((name, function, count)) = Function::ALL.into_iter().find(|(name, ..)| *name == call.func_name) else {
            let names = Function::ALL.map(|(name, ..)| name);
            let help = did_you_mean(&call.func_name, names.iter().copied());
            let shown = call.func_name.trim_matches('_').to_owned();
            self.wrong(node, format!("there is no function or operator '{shown}'"), help, report);
            return None;
        };
        if arguments.len() != count {
            self.wrong(node, format!("{name} takes {count} arguments, not {}", arguments.len()), "", report);
            return None;
        }
        Some(Expr::Call(function, arguments))
    }
}

fn unary(name: &str) -> Option<Unary> {
    Some(match name {
        operators::NEGATE => Unary::Negate,
        operators::LOGICAL_NOT => Unary::Not,
        _ => return None,
    })
}

fn binary(name: &str) -> Option<Binary> {
    Some(match name {
        operators::ADD => Binary::Add,
        operators::SUBSTRACT => Binary::Subtract,
        operators::MULTIPLY => Binary::Multiply,
        operators::DIVIDE => Binary::Divide,
        operators::LESS => Binary::Less,
        operators::LESS_EQUALS => Binary::LessOrEqual,
        operators::GREATER => Binary::Greater,
        operators::GREATER_EQUALS => Binary::GreaterOrEqual,
        operators::EQUALS => Binary::Equal,
        operators::NOT_EQUALS => Binary::NotEqual,
        operators::LOGICAL_AND => Binary::And,
        operators::LOGICAL_OR => Binary::Or,
        _ => return None,
    })
}
