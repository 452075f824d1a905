//! The compute-optimal size of each budget, and N = a·C^b through them (Hoffmann et al. 2022, approach 2).

use serde::{Deserialize, Serialize};

use super::linear::{Parabola, PowerLaw};
use super::table::{Budget, FLOPS_PER_PARAM_AND_TOKEN};

/// How the minimum of a budget is located.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Minimum {
    /// The run with the lowest loss.
    Lowest,
    /// The vertex of a parabola in ln N through this number of sizes around the lowest; `None` for all of them.
    Parabola(Option<usize>),
}

/// Why a budget has no usable minimum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unusable {
    /// Fewer than three sizes.
    TooFewSizes,
    /// The lowest run is the smallest size: smaller sizes are missing.
    SmallestIsLowest,
    /// The lowest run is the largest size: larger sizes are missing.
    LargestIsLowest,
    /// The parabola opens downward.
    OpensDownward,
    /// The vertex is outside the sizes.
    VertexOutside,
}

impl Unusable {
    /// Describes the reason and what would help, as the end of a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::TooFewSizes => "has fewer than three sizes; add sizes",
            Self::SmallestIsLowest => "is censored: its smallest size has the lowest loss; add smaller sizes",
            Self::LargestIsLowest => "is censored: its largest size has the lowest loss; add larger sizes",
            Self::OpensDownward => "has a parabola that opens downward; add sizes or seeds",
            Self::VertexOutside => "has its vertex outside the sizes tried; add sizes on that side",
        }
    }

    /// Whether more sizes on one side would bracket the minimum.
    pub fn is_censored(self) -> bool {
        matches!(self, Self::SmallestIsLowest | Self::LargestIsLowest | Self::VertexOutside)
    }
}

/// The compute-optimal size of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Optimum {
    /// C, in FLOPs.
    pub c: f64,
    /// Parameters.
    pub n: f64,
    /// Loss at the minimum.
    pub loss: f64,
}

impl Optimum {
    /// Training tokens.
    pub fn tokens(&self) -> f64 {
        self.c / (FLOPS_PER_PARAM_AND_TOKEN * self.n)
    }
}

impl Budget {
    /// The minimum of this budget.
    ///
    /// # Errors
    /// If it is not bracketed by sizes on both sides.
    pub fn minimum(&self, method: Minimum) -> Result<Optimum, Unusable> {
        let sizes = self.sizes();
        let lowest = bracketed(&sizes)?;
        match method {
            Minimum::Lowest => {
                let (n, loss) = sizes[lowest];
                Ok(Optimum { c: self.flops, n, loss })
            }
            Minimum::Parabola(near) => self.vertex(window(&sizes, lowest, near)),
        }
    }

    /// The vertex of the parabola through the runs in this range of sizes.
    fn vertex(&self, [first, last]: [f64; 2]) -> Result<Optimum, Unusable> {
        let inside = self.runs.iter().filter(|run| run.n >= first && run.n <= last * (1.0 + 1e-6));
        let points: Vec<(f64, f64)> = inside.map(|run| (run.n.ln(), run.loss)).collect();
        let parabola = Parabola::fit(&points).ok_or(Unusable::TooFewSizes)?;
        let (x, loss) = parabola.vertex();
        if !parabola.opens_upward() {
            return Err(Unusable::OpensDownward);
        }
        if !(x > first.ln() && x < last.ln()) {
            return Err(Unusable::VertexOutside);
        }
        Ok(Optimum { c: self.flops, n: x.exp(), loss })
    }
}

/// The index of the lowest size, if it is neither the smallest nor the largest.
fn bracketed(sizes: &[(f64, f64)]) -> Result<usize, Unusable> {
    if sizes.len() < 3 {
        return Err(Unusable::TooFewSizes);
    }
    let lowest = (0..sizes.len()).min_by(|&i, &j| sizes[i].1.total_cmp(&sizes[j].1)).unwrap_or(0);
    match lowest {
        0 => Err(Unusable::SmallestIsLowest),
        _ if lowest == sizes.len() - 1 => Err(Unusable::LargestIsLowest),
        _ => Ok(lowest),
    }
}

/// The smallest and the largest of `near` sizes around the lowest.
fn window(sizes: &[(f64, f64)], lowest: usize, near: Option<usize>) -> [f64; 2] {
    let count = near.unwrap_or(sizes.len()).clamp(3, sizes.len());
    let first = lowest.saturating_sub(count / 2).min(sizes.len() - count);
    [sizes[first].0, sizes[first + count - 1].0]
}

/// N = a·C^b through the minima of all usable budgets. `None` for fewer than two of them.
pub fn size_law(optima: &[Optimum]) -> Option<PowerLaw> {
    PowerLaw::fit(&optima.iter().map(|optimum| (optimum.c, optimum.n)).collect::<Vec<_>>())
}
