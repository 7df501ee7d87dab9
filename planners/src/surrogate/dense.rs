//! Dense algebra: faer factorises, and a triangular inverse is kept row by row so that a row is appended in O(n^2).

use std::borrow::Cow;

use faer::linalg::solvers::Llt;
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Mat, MatRef, Par, Side};
use ndarray::Array2;
use pulp::Arch;

/// Jitters tried when a factorisation fails, as shares of the mean diagonal; none at first.
const JITTERS: [f64; 5] = [0.0, 1e-10, 1e-8, 1e-6, 1e-4];

/// Does arithmetic with the widest registers that this machine has, as far as it is inlined into `work`.
///
/// Not a bit of what comes out depends on the width: compilers neither reorder sums nor fuse products with them.
pub(crate) fn wide<R>(work: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(work)
}

/// The inner product, over the shorter of the two.
///
/// Eight partial sums: one alone waits for each addition to end before it can begin the next.
#[inline(always)]
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    let (a, b) = (a.get(..n).unwrap_or_default(), b.get(..n).unwrap_or_default());
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let mut rest = 0.0;
    for (x, y) in a.remainder().iter().zip(b.remainder()) {
        rest += x * y;
    }
    let mut sums = [0.0; 8];
    for (x, y) in a.zip(b) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    rest + (((a + e) + (c + g)) + ((b + f) + (d + h)))
}

/// Adds `scale * row` to the start of `to`.
#[inline(always)]
pub(crate) fn add_scaled(to: &mut [f64], scale: f64, row: &[f64]) {
    for (to, x) in to.iter_mut().zip(row) {
        *to += scale * x;
    }
}

/// A Cholesky factor `L` of a covariance by its inverse, row by row (row i has i + 1 entries), and `ln det L`.
#[derive(Clone, Debug)]
pub(crate) struct Factor {
    pub(crate) inverse: Vec<Vec<f64>>,
    pub(crate) half_ln_det: f64,
}

impl Factor {
    /// Factorises a symmetric matrix whose lower triangle is given; `None` where even jitter doesn't make it definite.
    pub(crate) fn new(matrix: &Array2<f64>) -> Option<Self> {
        let n = matrix.nrows();
        let llt = cholesky(matrix)?;
        let lower = llt.L();
        let mut identity = Mat::<f64>::identity(n, n);
        solve_lower_triangular_in_place(lower, identity.as_mut(), Par::Seq);
        let half_ln_det = half_ln_det(&llt);
        let mut inverse: Vec<Vec<f64>> = (0..n).map(|i| Vec::with_capacity(i + 1)).collect();
        for j in 0..n {
            let below = inverse.iter_mut().zip(identity.col_as_slice(j)).skip(j);
            below.for_each(|(row, entry)| row.push(*entry));
        }
        let finite = half_ln_det.is_finite() && inverse.iter().flatten().all(|entry| entry.is_finite());
        finite.then_some(Self { inverse, half_ln_det })
    }

    /// `L^-1 b`.
    pub(crate) fn whiten(&self, b: &[f64]) -> Vec<f64> {
        self.whiten_each([b]).into_iter().flatten().collect()
    }

    /// `L^-1 b` of each: every row of the inverse is read once for all of them.
    pub(crate) fn whiten_each<'a>(&self, each: impl IntoIterator<Item = &'a [f64]>) -> Vec<Vec<f64>> {
        let mut pairs: Vec<(&[f64], Vec<f64>)> =
            each.into_iter().map(|b| (b, Vec::with_capacity(self.inverse.len()))).collect();
        wide(
            #[inline(always)]
            || {
                for row in &self.inverse {
                    for (b, whitened) in &mut pairs {
                        whitened.push(dot(row, b));
                    }
                }
            },
        );
        pairs.into_iter().map(|(_, whitened)| whitened).collect()
    }

    /// `L^-T v`.
    pub(crate) fn unwhiten(&self, v: &[f64]) -> Vec<f64> {
        wide(
            #[inline(always)]
            || {
                let mut result = vec![0.0; v.len()];
                for (row, v) in self.inverse.iter().zip(v) {
                    add_scaled(&mut result, *v, row);
                }
                result
            },
        )
    }

    /// The matrix's inverse, `L^-T L^-1`.
    pub(crate) fn inverse_matrix(&self) -> Array2<f64> {
        let n = self.inverse.len();
        let mut lower = Array2::zeros((n, n));
        for (mut to, row) in lower.rows_mut().into_iter().zip(&self.inverse) {
            to.iter_mut().zip(row).for_each(|(entry, x)| *entry = *x);
        }
        let lower = view(&lower);
        let product = lower.transpose() * lower;
        let mut result = Array2::zeros((n, n));
        // It is symmetric: its columns are its rows.
        for (j, mut to) in result.rows_mut().into_iter().enumerate() {
            to.iter_mut().zip(product.col_as_slice(j)).for_each(|(entry, x)| *entry = *x);
        }
        result
    }

    /// Appends a row whose whitened covariances with those before are `whitened` and whose conditional variance is
    /// `variance`.
    pub(crate) fn append(&mut self, whitened: &[f64], variance: f64) {
        let diagonal = variance.sqrt();
        let mut row = self.unwhiten(whitened);
        for entry in &mut row {
            *entry /= -diagonal;
        }
        row.push(1.0 / diagonal);
        self.inverse.push(row);
        self.half_ln_det += libm::log(diagonal);
    }
}

/// A Cholesky factor of a symmetric matrix whose lower triangle is given; `None` where even jitter doesn't make it definite.
fn cholesky(matrix: &Array2<f64>) -> Option<Llt<f64>> {
    let mean = matrix.diag().sum() / matrix.nrows().max(1) as f64;
    if !mean.is_finite() {
        return None;
    }
    let factor = |jitter: f64| {
        let mut jittered = Cow::Borrowed(matrix);
        if jitter > 0.0 {
            jittered.to_mut().diag_mut().iter_mut().for_each(|entry| *entry += jitter * mean);
        }
        view(&jittered).llt(Side::Lower).ok()
    };
    JITTERS.into_iter().find_map(factor)
}

/// A matrix that is stored row by row, as all here are, for faer.
fn view(matrix: &Array2<f64>) -> MatRef<'_, f64> {
    MatRef::from_row_major_slice(matrix.as_slice().unwrap_or_default(), matrix.nrows(), matrix.ncols())
}

fn half_ln_det(llt: &Llt<f64>) -> f64 {
    llt.L().diagonal().column_vector().iter().map(|entry| libm::log(*entry)).sum()
}

/// `ln det L`, and `L^-1 b` of two vectors: what a [`Factor`] would give, for a third of its work.
pub(crate) fn whitened(matrix: &Array2<f64>, b: [&[f64]; 2]) -> Option<(f64, [Vec<f64>; 2])> {
    let llt = cholesky(matrix)?;
    let entry = |i: usize, j: usize| b.get(j).and_then(|b| b.get(i)).copied().unwrap_or(0.0);
    let mut solved = Mat::from_fn(matrix.nrows(), b.len(), entry);
    solve_lower_triangular_in_place(llt.L(), solved.as_mut(), Par::Seq);
    let half_ln_det = half_ln_det(&llt);
    let solved = [0, 1].map(|j| solved.col(j).iter().copied().collect::<Vec<f64>>());
    half_ln_det.is_finite().then_some((half_ln_det, solved))
}

/// The eigenvalues and eigenvectors (one a column) of a symmetric matrix; `None` if it isn't finite.
pub(crate) fn eigen(matrix: &Array2<f64>) -> Option<(Vec<f64>, Array2<f64>)> {
    let n = matrix.nrows();
    if matrix.iter().any(|entry| !entry.is_finite()) {
        return None;
    }
    let matrix = Mat::from_fn(n, n, |i, j| matrix.get((i, j)).copied().unwrap_or(f64::NAN));
    let found = matrix.self_adjoint_eigen(Side::Lower).ok()?;
    let values = found.S().column_vector().iter().copied().collect();
    let vectors = found.U();
    Some((values, Array2::from_shape_fn((n, n), |(i, j)| *vectors.get(i, j))))
}
