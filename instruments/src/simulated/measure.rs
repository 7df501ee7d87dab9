//! Measurements in one line, and the noise on them.

use crate::wire::series::Column;
use crate::wire::value::Kind;
use crate::wire::{Measurement, Quantity, Series, Value};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

/// A number with its standard uncertainty; 0 states none.
pub(super) fn quantity(output: &str, value: f64, standard_uncertainty: f64, unit: &str) -> Measurement {
    let quantity = Quantity { value, unit: unit.to_owned(), standard_uncertainty, degrees_of_freedom: 0.0 };
    measurement(output, Kind::Quantity(quantity))
}

pub(super) fn sample(output: &str, id: String) -> Measurement {
    measurement(output, Kind::Sample(id))
}

/// Columns of equally many numbers: id, unit, values.
pub(super) fn series(output: &str, columns: Vec<(&str, &str, Vec<f64>)>) -> Measurement {
    let column = |(id, unit, values): (&str, &str, Vec<f64>)| Column {
        id: id.to_owned(),
        unit: unit.to_owned(),
        values,
        standard_uncertainties: Vec::new(),
    };
    measurement(output, Kind::Series(Series { columns: columns.into_iter().map(column).collect() }))
}

pub(super) fn measurement(output: &str, kind: Kind) -> Measurement {
    let value = Some(Value { kind: Some(kind) });
    Measurement { output: output.to_owned(), value, ..Measurement::default() }
}

/// A normal deviate.
pub(super) fn deviate(noise: &mut ChaCha8Rng, sd: f64) -> f64 {
    let deviate: f64 = StandardNormal.sample(noise);
    sd * deviate
}
