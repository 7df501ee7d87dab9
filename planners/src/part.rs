//! Parts of the planner that can be left out, to see what each is worth: `ABLATIONS.md` has the table.

/// A part of the Bayesian planner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Outcomes are bent where that makes them more like a Gaussian process.
    Bends,
    /// Readings may be exact, beside noisy.
    Exact,
    /// Several sets of hyperparameters are averaged over.
    Sets,
    /// What explores is held off the edge of the space, where no pool says what there is.
    Edge,
    /// Three of four picks stay near to the best point.
    Near,
    /// Outcomes may be mostly sums of what each parameter does.
    Sums,
    /// Parameters may act unevenly.
    Warps,
    /// Where the model foretells nothing, some picks fill gaps.
    Lost,
    /// Where readings may be noisy, picks that may be anywhere leave what the last ones have in common.
    Elsewhere,
    /// Lengthscales are believed to be as past campaigns have found them, as far as not.
    Learned,
    /// Past campaigns are part of one process, where that foretells this one's readings better.
    Together,
    /// Several objectives are led by the volume that a point adds to their front.
    Volumes,
}

/// The parts that are left out; none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Without(u16);

impl Part {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 12] = [
        ("bends", Self::Bends),
        ("exact", Self::Exact),
        ("sets", Self::Sets),
        ("edge", Self::Edge),
        ("near", Self::Near),
        ("sums", Self::Sums),
        ("warps", Self::Warps),
        ("lost", Self::Lost),
        ("elsewhere", Self::Elsewhere),
        ("learned", Self::Learned),
        ("together", Self::Together),
        ("volumes", Self::Volumes),
    ];

    /// The part of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, part)| part)
    }
}

impl Without {
    /// The same, and without this part.
    #[must_use]
    pub fn and(self, part: Part) -> Self {
        Self(self.0 | 1 << part as u8)
    }

    /// Whether this part is in use.
    pub(crate) fn has(self, part: Part) -> bool {
        self.0 & 1 << part as u8 == 0
    }
}
