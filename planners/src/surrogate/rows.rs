//! Rows of features, kept by column as well: what is calculated for all rows at once goes through a feature at a time.

use std::ops::Deref;

/// Rows of features, all of the same length.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    rows: Vec<Vec<f64>>,
    columns: Vec<Vec<f64>>,
}

impl Rows {
    pub(crate) fn new(rows: &[Vec<f64>]) -> Self {
        let features = rows.first().map_or(0, Vec::len);
        let column = |feature| rows.iter().map(|row| row.get(feature).copied().unwrap_or(0.0)).collect();
        Self { rows: rows.to_vec(), columns: (0..features).map(column).collect() }
    }

    pub(crate) fn push(&mut self, row: &[f64]) {
        self.columns.resize_with(row.len(), Vec::new);
        self.columns.iter_mut().zip(row).for_each(|(column, x)| column.push(*x));
        self.rows.push(row.to_vec());
    }

    /// One feature of the first `count` rows.
    pub(crate) fn column(&self, feature: usize, count: usize) -> &[f64] {
        self.columns.get(feature).and_then(|column| column.get(..count)).unwrap_or_default()
    }
}

impl Deref for Rows {
    type Target = [Vec<f64>];

    fn deref(&self) -> &[Vec<f64>] {
        &self.rows
    }
}
