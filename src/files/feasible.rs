//! Whether the constraints on parameters leave anything.

use super::report::Report;
use eutectic_core::model::{Domain, Leaf, Level, Parameter, ParameterConstraint, Setting};

/// How many points are tried before it is said that none may be left.
const TRIES: u64 = 10_000;

/// Warns where no tried point satisfies every constraint. A region can be too thin to be met by chance, so it is no error.
pub(super) fn warn_if_nothing_is_left(
    parameters: &[Parameter],
    constraints: &[ParameterConstraint],
    span: Option<std::ops::Range<usize>>,
    report: &mut Report,
) {
    let allowed = |setting: &Setting| {
        let scope = |leaf: &Leaf| match leaf {
            Leaf::Parameter(name) => setting.get(name).map(Level::datum),
            Leaf::Outcome(_) | Leaf::Output { .. } => None,
        };
        // What can't be evaluated is told elsewhere.
        constraints.iter().all(|it| it.holds.holds(&scope).unwrap_or(true))
    };
    if constraints.is_empty() || (0..TRIES).any(|number| allowed(&point(parameters, number))) {
        return;
    }
    let message = format!("none of {TRIES} points tried satisfies every constraint on the parameters");
    report.warning(span, message, "is a limit the wrong way round, or in another unit?");
}

/// A point that its number alone fixes.
fn point(parameters: &[Parameter], number: u64) -> Setting {
    let level = |(place, parameter): (usize, &Parameter)| {
        let share = share(number.wrapping_mul(0x1_0000_0001).wrapping_add(place as u64));
        (parameter.name.clone(), level(&parameter.domain, share))
    };
    parameters.iter().enumerate().map(level).collect()
}

/// Evenly spread over `[0, 1)` (the finaliser of `SplitMix64`, Steele et al., OOPSLA 2014).
fn share(number: u64) -> f64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count is in range")]
fn level(domain: &Domain, share: f64) -> Level {
    match domain {
        Domain::Real { low, high, log: false } => Level::Real(low + share * (high - low)),
        Domain::Real { low, high, log: true } => Level::Real((low.ln() + share * (high.ln() - low.ln())).exp()),
        Domain::Integer { low, high, .. } => {
            Level::Integer((*low as f64 + share * ((*high - *low) as f64 + 1.0)).floor() as i64)
        }
        Domain::Levels { values, .. } => {
            let place = (share * values.len() as f64) as usize;
            Level::Real(values.get(place).copied().unwrap_or_default())
        }
        Domain::Categorical { choices } => {
            let place = (share * choices.len() as f64) as usize;
            Level::Choice(choices.get(place).cloned().unwrap_or_default())
        }
    }
}
