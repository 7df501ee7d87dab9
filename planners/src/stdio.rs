//! The planner as a child process: JSON lines in, JSON lines out, so that any language can use it.
//!
//! `init` states the problem, `tell` what was measured, `ask` wants points, `recommend` the best point tried.
//! Objectives are *minimised* here and a constraint holds where it is at most 0. A fault is answered as
//! `{"error": …}` and ends the conversation.

use crate::{Linear, Measure, Memo, Mixture, Outcome, Parameter, Planner, Point, Problem, Region, Row, Space};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

/// The longest line that is read.
pub const MAX_LINE_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Message {
    Init { seed: u64, space: Declared },
    Tell { trials: Vec<Told> },
    Ask { n: usize },
    Recommend,
}

#[derive(Deserialize)]
struct Declared {
    params: Vec<Named>,
    #[serde(default = "one")]
    n_obj: usize,
    #[serde(default)]
    n_con: usize,
    #[serde(rename = "ref", default)]
    reference: Option<Vec<f64>>,
    #[serde(default)]
    pool: Option<Vec<Map<String, Value>>>,
    #[serde(default)]
    initial: Option<usize>,
    #[serde(default)]
    mixtures: Vec<Mixed>,
    #[serde(default)]
    linear: Vec<Bounded>,
    #[serde(default)]
    shared: Vec<String>,
    /// Past campaigns, each as it would be told.
    #[serde(default)]
    past: Vec<Vec<Told>>,
}

/// Parameters that sum to a total, at most so many of them present.
#[derive(Deserialize)]
struct Mixed {
    params: Vec<String>,
    total: f64,
    #[serde(default)]
    at_most: Option<usize>,
}

/// Parameters whose weighted sum is bounded.
#[derive(Deserialize)]
struct Bounded {
    weights: BTreeMap<String, f64>,
    most: f64,
}

fn one() -> usize {
    1
}

#[derive(Deserialize)]
struct Named {
    name: String,
    kind: Kind,
    #[serde(default)]
    low: f64,
    #[serde(default)]
    high: f64,
    #[serde(default)]
    log: bool,
    #[serde(default)]
    choices: Vec<Value>,
    #[serde(default)]
    descriptors: Vec<Vec<f64>>,
    #[serde(default)]
    values: Vec<f64>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Float,
    Int,
    Levels,
    Cat,
}

#[derive(Deserialize)]
struct Told {
    params: Map<String, Value>,
    #[serde(default)]
    y: Vec<Option<f64>>,
    #[serde(default)]
    c: Vec<Option<f64>>,
    #[serde(default)]
    failed: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Done { ok: bool },
    Fault { error: String },
    Points { params: Vec<Params> },
    Recommended { params: Option<Params>, p_feasible: Option<f64> },
}

/// A point by the names of its parameters, in the order in which they were declared: whoever reads an object in order must
/// not get one coordinate for another.
struct Params(Vec<(String, Value)>);

impl Serialize for Params {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

struct Conversation {
    named: Vec<Named>,
    problem: Problem,
    rows: Vec<Row>,
    memo: Memo,
    seed: u64,
}

/// Holds the conversation until the input ends.
///
/// # Errors
/// What reading or writing says; a fault in a message is answered, not returned.
pub fn run(planner: &dyn Planner, mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut conversation = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        if io::Read::take(&mut input, MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let answer = answer(planner, &mut conversation, &line);
        let fault = answer.is_err();
        let answer = answer.unwrap_or_else(|error| Answer::Fault { error });
        writeln!(output, "{}", serde_json::to_string(&answer)?)?;
        output.flush()?;
        if fault {
            return Ok(());
        }
    }
}

fn answer(planner: &dyn Planner, conversation: &mut Option<Conversation>, line: &[u8]) -> Result<Answer, String> {
    let message: Message = serde_json::from_slice(line).map_err(|error| format!("not a message: {error}"))?;
    if let Message::Init { seed, space } = message {
        *conversation = Some(begin(seed, space)?);
        return Ok(Answer::Done { ok: true });
    }
    let conversation = conversation.as_mut().ok_or("say 'init' first")?;
    match message {
        Message::Init { .. } => Ok(Answer::Done { ok: true }),
        Message::Tell { trials } => {
            for told in trials {
                let row = conversation.row(&told)?;
                // A point asked for earlier stands as pending until it is told.
                conversation.rows.retain(|known| known.outcome != Outcome::Pending || known.point != row.point);
                conversation.rows.push(row);
            }
            Ok(Answer::Done { ok: true })
        }
        Message::Ask { n } => conversation.ask(planner, n),
        Message::Recommend => {
            let Conversation { problem, rows, memo, seed, .. } = &*conversation;
            let found = planner.recommend(problem, rows, memo, *seed).map_err(|error| error.to_string())?;
            let point = rows.get(found.row).map(|row| conversation.params(&row.point));
            Ok(Answer::Recommended { params: point, p_feasible: found.p_feasible })
        }
    }
}

fn begin(seed: u64, space: Declared) -> Result<Conversation, String> {
    let parameters = space.params.iter().map(parameter).collect::<Result<_, _>>()?;
    let place = |name: &String| {
        let place = space.params.iter().position(|named| named.name == *name);
        place.ok_or_else(|| format!("there is no parameter '{name}'"))
    };
    let places = |names: &[String]| names.iter().map(place).collect::<Result<Vec<usize>, String>>();
    let mixture =
        |it: &Mixed| Ok::<_, String>(Mixture { parameters: places(&it.params)?, total: it.total, at_most: it.at_most });
    let linear = |it: &Bounded| {
        let mut weights = vec![0.0; space.params.len()];
        for (name, weight) in &it.weights {
            if let Some(entry) = weights.get_mut(place(name)?) {
                *entry = *weight;
            }
        }
        Ok::<Arc<dyn Region>, String>(Arc::new(Linear { weights, most: it.most }))
    };
    let described = space.params.iter().enumerate().filter(|(_, named)| !named.descriptors.is_empty());
    let mut conversation = Conversation {
        problem: Problem {
            shared: places(&space.shared)?,
            constraints: space.n_con,
            initial: space.initial,
            reference: space.reference.unwrap_or_default().into_iter().map(|value| -value).collect(),
            ..Problem::new(
                Space {
                    parameters,
                    mixtures: space.mixtures.iter().map(mixture).collect::<Result<_, _>>()?,
                    regions: space.linear.iter().map(linear).collect::<Result<_, _>>()?,
                    descriptors: described.map(|(index, named)| (index, named.descriptors.clone())).collect(),
                    ..Space::default()
                },
                space.n_obj,
            )
        },
        named: space.params,
        rows: Vec::new(),
        memo: Memo::default(),
        seed,
    };
    let past = space.past.iter().map(|told| told.iter().map(|it| conversation.row(it)).collect());
    conversation.problem.past = past.collect::<Result<_, String>>()?;
    if let Some(pool) = space.pool {
        let points = pool.iter().map(|point| conversation.point(point)).collect::<Result<_, _>>()?;
        conversation.problem.space.pool = Some(points);
    }
    Ok(conversation)
}

#[expect(clippy::cast_possible_truncation, reason = "a bound of whole numbers is whole")]
fn parameter(named: &Named) -> Result<Parameter, String> {
    let Named { low, high, log, .. } = *named;
    match named.kind {
        Kind::Float => Ok(Parameter::Real { low, high, log }),
        Kind::Int => Ok(Parameter::Integer { low: low.ceil() as i64, high: high.floor() as i64, log }),
        Kind::Levels => Ok(Parameter::Levels { values: named.values.clone(), log }),
        Kind::Cat if named.choices.is_empty() => Err(format!("parameter '{}' has no choices", named.name)),
        Kind::Cat => Ok(Parameter::Categorical { choices: named.choices.len() }),
    }
}

impl Conversation {
    fn ask(&mut self, planner: &dyn Planner, count: usize) -> Result<Answer, String> {
        // What was told before the first ask is the initial design.
        let told = self.rows.len();
        if told > 0 {
            self.problem.initial.get_or_insert(told);
        }
        let (suggestions, memo) = planner
            .suggest(&self.problem, &self.rows, &self.memo, self.seed, count)
            .map_err(|error| error.to_string())?;
        self.memo = memo;
        let params = suggestions.iter().map(|it| self.params(&it.point)).collect();
        self.rows.extend(suggestions.into_iter().map(|it| Row { point: it.point, outcome: Outcome::Pending }));
        Ok(Answer::Points { params })
    }

    fn row(&self, told: &Told) -> Result<Row, String> {
        let expect = |name: &str, values: &[Option<f64>], count: usize| {
            let sound = told.failed || values.len() == count;
            sound.then_some(()).ok_or_else(|| format!("{} values in '{name}', expected {count}", values.len()))
        };
        expect("y", &told.y, self.problem.objectives)?;
        expect("c", &told.c, self.problem.constraints)?;
        let measure = |value: &Option<f64>, sign: f64| Measure::new(sign * value.unwrap_or(f64::NAN));
        let outcome = if told.failed {
            Outcome::Failed
        } else {
            Outcome::Observed {
                objectives: told.y.iter().map(|value| measure(value, -1.0)).collect(),
                constraints: told.c.iter().map(|value| measure(value, 1.0)).collect(),
            }
        };
        Ok(Row { point: self.point(&told.params)?, outcome })
    }

    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53 choices")]
    fn point(&self, params: &Map<String, Value>) -> Result<Point, String> {
        let coordinate = |named: &Named| {
            let value = params.get(&named.name).ok_or_else(|| format!("the point has no '{}'", named.name))?;
            let number = match named.kind {
                Kind::Float | Kind::Int | Kind::Levels => value.as_f64(),
                Kind::Cat => named.choices.iter().position(|choice| choice == value).map(|place| place as f64),
            };
            number.ok_or_else(|| format!("'{}' can't be {value}", named.name))
        };
        Ok(Point(self.named.iter().map(coordinate).collect::<Result<_, String>>()?))
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the planner keeps to the domain")]
    fn params(&self, point: &Point) -> Params {
        let value = |named: &Named, coordinate: f64| match named.kind {
            Kind::Float | Kind::Levels => json!(coordinate),
            Kind::Int => json!(coordinate as i64),
            Kind::Cat => named.choices.get(coordinate as usize).cloned().unwrap_or(Value::Null),
        };
        let named = self.named.iter().zip(&point.0);
        Params(named.map(|(named, coordinate)| (named.name.clone(), value(named, *coordinate))).collect())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    /// What is answered to these lines.
    fn answers(lines: &[&str]) -> Vec<String> {
        let mut output = Vec::new();
        super::run(&crate::Bayesian::default(), lines.join("\n").as_bytes(), &mut output).unwrap();
        String::from_utf8(output).unwrap().lines().map(ToOwned::to_owned).collect()
    }

    const INIT: &str = r#"{"op":"init","seed":1,"space":{"params":[
        {"name":"x9","kind":"float","low":0,"high":1},{"name":"x10","kind":"int","low":0,"high":5},
        {"name":"a","kind":"cat","choices":["u","v"]}]}}"#;

    #[test]
    fn a_point_has_its_parameters_in_the_order_in_which_they_were_declared() {
        let init = INIT.replace('\n', " ");
        let said = answers(&[&init, r#"{"op":"ask","n":2}"#]);
        assert_eq!(said[0], r#"{"ok":true}"#);
        for point in said[1].split("},{") {
            let place = |name: &str| point.find(name).unwrap();
            assert!(place("x9") < place("x10") && place("x10") < place("\"a\""), "{point}");
        }
    }

    #[test]
    fn what_is_told_before_the_first_ask_is_the_initial_design() {
        let init = INIT.replace('\n', " ");
        let trial = |x: f64| format!(r#"{{"params":{{"x9":{x},"x10":2,"a":"u"}},"y":[{x}]}}"#);
        let tell = format!(r#"{{"op":"tell","trials":[{}]}}"#, [0.1, 0.3, 0.9, 0.6].map(trial).join(","));
        let said = answers(&[&init, &tell, r#"{"op":"ask","n":1}"#, r#"{"op":"recommend"}"#]);
        assert!(said[3].contains(r#""x9":0.1"#), "{said:?}");
        // A model placed it: the outcome falls with x9, and all that was told lies above 0.1.
        let point: serde_json::Value = serde_json::from_str(&said[2]).unwrap();
        assert!(point["params"][0]["x9"].as_f64().unwrap() < 0.1, "{said:?}");
        let fault = answers(&[r#"{"op":"ask","n":1}"#]);
        assert_eq!(fault, [r#"{"error":"say 'init' first"}"#]);
    }
}
