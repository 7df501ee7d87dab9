//! What has changed between two texts, for people.

/// The most changed lines that are shown.
const MAX_SHOWN: usize = 20;

/// The lines that differ: `-` before, `+` now. Empty where the texts are the same.
#[must_use]
pub fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same_start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = |lines: &[&str]| lines.len().saturating_sub(same_start);
    let same_end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let same_end = same_end.min(rest(&old)).min(rest(&new));
    let middle = |lines: &[&str], sign: &str| -> Vec<String> {
        let end = lines.len() - same_end;
        let numbered = lines.iter().enumerate().take(end).skip(same_start);
        numbered.map(|(at, line)| format!("  {sign} line {}: {line}", at + 1)).collect()
    };
    let all: Vec<String> = middle(&old, "-").into_iter().chain(middle(&new, "+")).collect();
    let more = all.len().saturating_sub(MAX_SHOWN);
    let mut shown: Vec<String> = all.into_iter().take(MAX_SHOWN).collect();
    if more > 0 {
        shown.push(format!("  … and {more} more"));
    }
    shown.join("\n")
}
