//! 2,4-difluoronitrobenzene with pyrrolidine in ethanol, in isothermal plug flow: four parallel and consecutive reactions.
//!
//! Rates and activation energies: Hone et al., React. Chem. Eng. 2017, 2, 103.

use ivp::prelude::{FirstOrderSystem, Ivp, Method};

/// kJ/(mol K)
const GAS_CONSTANT: f64 = 8.314e-3;
/// K; the rate constants hold here.
const REFERENCE_TEMPERATURE: f64 = 363.15;
/// 10^-2 L/(mol s) to L/(mol min).
const RATE_SCALE: f64 = 0.6;
/// 10^-2 L/(mol s) at 90 degC: to ortho, to para, ortho to bis, para to bis.
const RATES: [f64; 4] = [57.9, 2.70, 0.865, 1.63];
/// kJ/mol, in the same order.
const ACTIVATION_ENERGIES: [f64; 4] = [33.3, 35.3, 38.9, 44.8];
const RELATIVE_TOLERANCE: f64 = 1e-10;
const ABSOLUTE_TOLERANCE: f64 = 1e-13;

/// How the reactor is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// min
    pub residence_time: f64,
    /// mol pyrrolidine per mol difluoronitrobenzene
    pub equivalents: f64,
    /// mol/L of difluoronitrobenzene after mixing
    pub concentration: f64,
    /// degC
    pub temperature: f64,
}

/// What leaves the reactor, mol/L.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Outlet {
    /// 2,4-difluoronitrobenzene
    pub difluoronitrobenzene: f64,
    /// pyrrolidine
    pub pyrrolidine: f64,
    /// The wanted product.
    pub ortho: f64,
    /// The other single product.
    pub para: f64,
    /// The double product.
    pub bis: f64,
}

impl Outlet {
    /// Names and values, in the order in which they are reported.
    #[must_use]
    pub fn species(&self) -> [(&'static str, f64); 5] {
        [
            ("difluoronitrobenzene", self.difluoronitrobenzene),
            ("pyrrolidine", self.pyrrolidine),
            ("ortho", self.ortho),
            ("para", self.para),
            ("bis", self.bis),
        ]
    }
}

/// Rate constants in L/(mol min).
struct Reactions([f64; 4]);

impl FirstOrderSystem for Reactions {
    fn derivative(&self, _time: f64, y: &[f64], slope: &mut [f64]) {
        let (&[a, b, o, p, _], [da, db, d_o, dp, dd]) = (y, slope) else { return };
        let [ka, kb, kc, kd] = self.0;
        *da = -(ka + kb) * a * b;
        *db = -(ka + kb) * a * b - kc * b * o - kd * b * p;
        *d_o = ka * a * b - kc * b * o;
        *dp = kb * a * b - kd * b * p;
        *dd = kc * b * o + kd * b * p;
    }
}

/// The outlet at these conditions; `None` if the integration fails, which no conditions within the reactor's bounds do.
#[must_use]
pub fn outlet(at: Conditions) -> Option<Outlet> {
    let inverse = 1.0 / (at.temperature + 273.15) - 1.0 / REFERENCE_TEMPERATURE;
    let mut rates = [0.0; 4];
    for ((rate, reference), energy) in rates.iter_mut().zip(RATES).zip(ACTIVATION_ENERGIES) {
        *rate = RATE_SCALE * reference * (-energy / GAS_CONSTANT * inverse).exp();
    }
    let reactions = Reactions(rates);
    let inlet = [at.concentration, at.equivalents * at.concentration, 0.0, 0.0, 0.0];
    let solution = Ivp::first_order(&reactions, 0.0, at.residence_time, &inlet)
        .method(Method::RADAU)
        .rtol(RELATIVE_TOLERANCE)
        .atol(ABSOLUTE_TOLERANCE)
        .solve()
        .ok()?;
    let end: &[f64] = solution.y.last()?;
    let &[difluoronitrobenzene, pyrrolidine, ortho, para, bis] = end else { return None };
    Some(Outlet { difluoronitrobenzene, pyrrolidine, ortho, para, bis })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn figures(residence_time: f64, equivalents: f64, concentration: f64, temperature: f64) -> (f64, f64) {
        let out = outlet(Conditions { residence_time, equivalents, concentration, temperature }).unwrap();
        let waste = 159.09 * out.difluoronitrobenzene + 71.12 * out.pyrrolidine + 210.21 * out.para + 261.33 * out.bis;
        let sty = 60.0 * 210.21 * out.ortho / residence_time;
        (sty, (789.0 + waste) / (210.21 * out.ortho))
    }

    #[test]
    fn agrees_with_the_reference_point_and_the_optimum() {
        let (sty, e) = figures(1.0, 2.0, 0.3, 75.0);
        assert!((sty - 3332.892).abs() < 1e-3 && (e - 14.71461).abs() < 1e-5, "{sty} {e}");
        let (sty, e) = figures(0.5, 2.0, 0.5, 62.302);
        assert!((sty - 11433.660).abs() < 1e-2 && (e - 8.754).abs() < 1e-3, "{sty} {e}");
    }

    #[test]
    fn matter_is_conserved() {
        let out = outlet(Conditions { residence_time: 2.0, equivalents: 5.0, concentration: 0.28, temperature: 120.0 });
        let out = out.unwrap();
        let rings = out.difluoronitrobenzene + out.ortho + out.para + out.bis;
        let amines = out.pyrrolidine + out.ortho + out.para + 2.0 * out.bis;
        assert!((rings - 0.28).abs() < 1e-10 && (amines - 1.4).abs() < 1e-10, "{rings} {amines}");
    }
}
