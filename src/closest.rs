//! 'Did you mean': the nearest of several names.

/// A name within this share of its length of changes counts as meant.
const NEAR: usize = 3;

/// The candidate that was probably meant.
#[must_use]
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = name.chars().count().div_ceil(NEAR).max(1);
    let scored = candidates.into_iter().map(|it| (distance(&name.to_lowercase(), &it.to_lowercase()), it));
    scored.filter(|(distance, _)| *distance <= limit).min_by_key(|(distance, _)| *distance).map(|(_, it)| it)
}

/// `did you mean 'x'?`, or what there is.
#[must_use]
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match closest(name, candidates.clone()) {
        Some(meant) => format!("did you mean '{meant}'?"),
        None => {
            let all: Vec<_> = candidates.into_iter().collect();
            if all.is_empty() { "there are none yet".to_owned() } else { format!("there are: {}", all.join(", ")) }
        }
    }
}

/// Changes of one letter, swaps of neighbours among them, from one name to another.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX / 2);
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut least = (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                least = least.min(at(&before, j - 1) + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    at(&last, b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_another_word_is_not() {
        let names = ["temperature", "residence_time", "ligand"];
        assert_eq!(closest("temprature", names), Some("temperature"));
        assert_eq!(closest("lignad", names), Some("ligand"));
        assert_eq!(closest("pressure", names), None);
        assert_eq!(did_you_mean("pressure", ["a", "b"]), "there are: a, b");
    }
}
