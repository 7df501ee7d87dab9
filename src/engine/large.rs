//! Keeps entries small: a curve of a million points becomes a file beside the journal, and the entry names it.

use crate::gateway::GatewayReport;
use crate::journal::Results;
use eutectic_core::model::{Artifact, Value};
use eutectic_core::{Ended, Report};

/// A value whose text is longer is kept as a file of its own.
const MAX_INLINE_BYTES: usize = 32 * 1024;
/// What such a file is.
const JSON: &str = "application/json";

/// The report with its large values kept as files.
pub(super) fn keep(results: &Results, report: GatewayReport) -> GatewayReport {
    let GatewayReport::Operation { operation, report: Report::Ended(Ended::Succeeded { outputs }) } = report else {
        return report;
    };
    let kept = outputs.into_iter().map(|(name, value)| {
        let value = kept(results, &name, &value).unwrap_or(value);
        (name, value)
    });
    let outputs = kept.collect();
    GatewayReport::Operation { operation, report: Report::Ended(Ended::Succeeded { outputs }) }
}

/// The file that takes the value's place; `None` where it may stay as it is.
fn kept(results: &Results, name: &str, value: &Value) -> Option<Value> {
    let text = match value {
        Value::Series(_) | Value::Text(_) => serde_json::to_vec(value).ok()?,
        Value::Quantity(_)
        | Value::Integer(_)
        | Value::Boolean(_)
        | Value::Choice(_)
        | Value::Sample(_)
        | Value::Artifact(_) => return None,
    };
    if text.len() <= MAX_INLINE_BYTES {
        return None;
    }
    match results.keep(&text) {
        Ok(sha256) => Some(Value::Artifact(Artifact {
            id: name.to_owned(),
            media_type: JSON.to_owned(),
            size_bytes: text.len() as u64,
            sha256,
        })),
        Err(error) => {
            // A result is worth more than a tidy log.
            tracing::warn!(%error, name, "a large result can't be kept as a file: it goes into the journal");
            None
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use eutectic_core::OperationId;
    use eutectic_core::model::Column;

    #[test]
    fn a_large_curve_becomes_a_file_and_what_is_small_stays() {
        let folder = tempfile::tempdir().unwrap();
        let column = |points: usize| Column { id: "t".into(), unit: "s".into(), values: vec![Some(0.125); points] };
        let (small, large) = (Value::Series(vec![column(100)]), Value::Series(vec![column(100_000)]));
        let outputs = [("small".to_owned(), small.clone()), ("large".to_owned(), large.clone())].into();
        let ended = Report::Ended(Ended::Succeeded { outputs });
        let report = GatewayReport::Operation { operation: OperationId::new("o"), report: ended };
        let kept = keep(&Results::of(folder.path()), report);
        let GatewayReport::Operation { report: Report::Ended(Ended::Succeeded { outputs }), .. } = kept else {
            panic!("another report: {kept:?}");
        };
        assert_eq!(outputs.get("small"), Some(&small));
        let Some(Value::Artifact(file)) = outputs.get("large") else { panic!("{outputs:?}") };
        let bytes = std::fs::read(folder.path().join("results").join(&file.sha256)).unwrap();
        assert_eq!((bytes.len() as u64, serde_json::from_slice::<Value>(&bytes).unwrap()), (file.size_bytes, large));
    }
}
