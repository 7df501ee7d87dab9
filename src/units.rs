//! Units: what people write, and the UCUM codes that are stored and sent.

use crate::closest::closest;
use eutectic_core::model::Unit;

/// What people write and UCUM does not know, or knows as something else.
const ALIASES: [(&str, &str); 45] = [
    ("degC", "Cel"),
    ("°C", "Cel"),
    ("celsius", "Cel"),
    ("degF", "[degF]"),
    ("°F", "[degF]"),
    ("kelvin", "K"),
    ("M", "mol/L"),
    ("mM", "mmol/L"),
    ("uM", "umol/L"),
    ("µM", "umol/L"),
    ("nM", "nmol/L"),
    ("mol%", "%{mol}"),
    ("wt%", "%{mass}"),
    ("vol%", "%{vol}"),
    ("percent", "%"),
    ("eq", "1"),
    ("equiv", "1"),
    ("rpm", "{rpm}"),
    ("ppm", "[ppm]"),
    ("ppb", "[ppb]"),
    ("hour", "h"),
    ("hours", "h"),
    ("hr", "h"),
    ("minute", "min"),
    ("minutes", "min"),
    ("sec", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("day", "d"),
    ("days", "d"),
    ("µL", "uL"),
    ("ul", "uL"),
    ("ml", "mL"),
    ("l", "L"),
    ("µm", "um"),
    ("µg", "ug"),
    ("psi", "[psi]"),
    ("torr", "m[Hg]/1000"),
    ("atm", "atm"),
    ("Å", "Ao"),
    ("angstrom", "Ao"),
    ("sccm", "mL/min"),
    ("mAU", "1"),
    ("ohm", "Ohm"),
    ("kg m^-3 h^-1", "kg/m3/h"),
];

/// The unit that people mean by this text; empty: a bare number.
///
/// # Errors
/// Why it is no unit, and on a second line how to mend it.
pub fn parse(written: &str) -> Result<Unit, String> {
    let text = written.trim();
    if text.is_empty() {
        return Ok(Unit::one());
    }
    let alias = ALIASES.iter().find(|(alias, _)| *alias == text).map(|(_, ucum)| (*ucum).to_owned());
    let ucum = alias.unwrap_or_else(|| text.to_owned());
    match octofhir_ucum::validate(&ucum) {
        Ok(()) => Ok(Unit { written: written.to_owned(), ucum }),
        Err(_) => {
            let names = ALIASES.iter().flat_map(|(alias, ucum)| [*alias, *ucum]);
            let help = match closest(text, names) {
                Some(meant) if meant != text => format!("did you mean '{meant}'?"),
                _ => "units are UCUM codes such as min, mol/L, Cel, uL/min, or common ones such as degC, mM, rpm, mol%"
                    .to_owned(),
            };
            Err(format!("'{text}' is no unit\n{help}"))
        }
    }
}

/// Whether one can be expressed in the other. Amounts of substance count: in UCUM alone `mol/L` would equal `L-1`.
#[must_use]
pub fn comparable(from: &str, to: &str) -> bool {
    from == to || (octofhir_ucum::is_comparable(from, to).unwrap_or(false) && moles(from) == moles(to))
}

/// The value in another unit; `None` where the units don't compare.
#[must_use]
pub fn convert(value: f64, from: &str, to: &str) -> Option<f64> {
    if from == to {
        return Some(value);
    }
    if !comparable(from, to) {
        return None;
    }
    octofhir_ucum::convert(value, from, to).ok().filter(|value| value.is_finite())
}

/// The power of `mol` in a code: positive before a division, negative after it.
fn moles(code: &str) -> i32 {
    let mut power = 0;
    let (mut sign, mut atom) = (1, String::new());
    let mut count = |atom: &str, sign: i32| {
        let letters: String = atom.chars().take_while(|it| it.is_alphabetic()).collect();
        let exponent = atom.trim_start_matches(char::is_alphabetic).parse().unwrap_or(1);
        if letters.ends_with("mol") {
            power += sign * exponent;
        }
    };
    let mut braces = 0;
    for letter in code.chars() {
        match letter {
            '{' => braces += 1,
            '}' => braces -= 1,
            _ if braces > 0 => {}
            '.' | '/' => {
                count(&atom, sign);
                atom.clear();
                sign = if letter == '/' { -1 } else { 1 };
            }
            _ => atom.push(letter),
        }
    }
    count(&atom, sign);
    power
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn every_alias_stands_for_a_unit() {
        for (alias, ucum) in ALIASES {
            assert!(octofhir_ucum::validate(ucum).is_ok(), "{alias}: {ucum}");
        }
    }

    #[test]
    fn units_convert_and_a_mole_is_no_bare_number() {
        let converted = convert(25.0, "Cel", "K").unwrap();
        assert!((converted - 298.15).abs() < 1e-9, "{converted}");
        assert_eq!(convert(2.0, "min", "s"), Some(120.0));
        assert_eq!(convert(500.0, "mmol/L", "mol/L"), Some(0.5));
        assert_eq!(convert(1.0, "mol/L", "L-1"), None);
        assert_eq!(convert(1.0, "min", "L"), None);
    }

    #[test]
    fn a_wrong_unit_says_what_was_meant() {
        assert_eq!(parse("degC").unwrap().ucum, "Cel");
        assert!(parse("degc").unwrap_err().contains("did you mean 'degC'?"));
        assert!(parse("furlongs").is_err());
    }
}
