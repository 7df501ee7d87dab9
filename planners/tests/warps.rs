//! Parameters that act unevenly: a decade of a concentration given on a linear scale, say.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use eutectic_planners::{
    Bayesian, Measure, Memo, Outcome, Parameter, Part, Planner, Point, Problem, Row, Space, Without,
};

/// Hartmann's function of three parameters (maximum 3.86278), of the fourth roots of what is varied: nearly all that happens
/// lies in the lowest tenth.
fn value(point: &Point) -> f64 {
    const ALPHA: [f64; 4] = [1.0, 1.2, 3.0, 3.2];
    const A: [[f64; 3]; 4] = [[3.0, 10.0, 30.0], [0.1, 10.0, 35.0], [3.0, 10.0, 30.0], [0.1, 10.0, 35.0]];
    const P: [[f64; 3]; 4] =
        [[0.3689, 0.1170, 0.2673], [0.4699, 0.4387, 0.7470], [0.1091, 0.8732, 0.5547], [0.0381, 0.5743, 0.8828]];
    let roots: Vec<f64> = point.0.iter().map(|x| x.sqrt().sqrt()).collect();
    let term = |((alpha, a), p): ((&f64, &[f64; 3]), &[f64; 3])| {
        let square = |((a, p), x): ((&f64, &f64), &f64)| a * (x - p) * (x - p);
        alpha * (-a.iter().zip(p).zip(&roots).map(square).sum::<f64>()).exp()
    };
    ALPHA.iter().zip(&A).zip(&P).map(term).sum()
}

/// A campaign of so many experiments, with the memo as it is or as it comes back from its text.
fn campaign(without: Without, seed: u64, count: usize, stored: bool) -> (Vec<Row>, Memo) {
    let planner = Bayesian { without, ..Bayesian::default() };
    let parameters = vec![Parameter::Real { low: 0.0, high: 1.0, log: false }; 3];
    let problem = Problem::new(Space { parameters, ..Space::default() }, 1);
    let (mut rows, mut memo) = (Vec::<Row>::new(), Memo::default());
    while rows.len() < count {
        let (suggestions, next) = planner.suggest(&problem, &rows, &memo, seed, 1).unwrap();
        memo = if stored { serde_json::from_str(&serde_json::to_string(&next).unwrap()).unwrap() } else { next };
        rows.extend(suggestions.into_iter().map(|it| {
            let objectives = vec![Measure::new(value(&it.point))];
            Row { point: it.point, outcome: Outcome::Observed { objectives, constraints: Vec::new() } }
        }));
    }
    (rows, memo)
}

/// The logarithm of what is left to gain after 45 experiments.
fn left(without: Without, seed: u64) -> f64 {
    let (rows, _) = campaign(without, seed, 45, false);
    let best = rows.iter().map(|row| value(&row.point)).fold(f64::NEG_INFINITY, f64::max);
    (3.86278 - best).max(1e-6).log10()
}

#[test]
fn what_happens_at_one_end_is_found_sooner_by_bending_the_parameters() {
    let mean = |without: Without| (0..3).map(|seed| left(without, seed)).sum::<f64>() / 3.0;
    let (bent, straight) = (mean(Without::default()), mean(Without::default().and(Part::Warps)));
    assert!(bent < straight - 0.3, "10^{bent} is left with bends, 10^{straight} without");
}

#[test]
fn bends_are_gone_on_with_from_a_stored_memo_bit_for_bit() {
    let (rows, memo) = campaign(Without::default(), 0, 28, false);
    assert!(memo.warps.len() == 3 && memo.warps.iter().all(|warp| warp.a > 0.0 && warp.b > 0.0), "{:?}", memo.warps);
    assert_eq!((rows, memo), campaign(Without::default(), 0, 28, true));
}
