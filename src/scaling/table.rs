//! Tables of runs: what a fit needs of each run, and how runs are grouped by budget.

use serde::{Deserialize, Serialize};

/// Operations of a training run per parameter and token: 2 forward, 4 backward (Kaplan et al. 2020).
pub const FLOPS_PER_PARAM_AND_TOKEN: f64 = 6.0;

/// Runs whose FLOPs differ by less than this factor from a group's smallest belong to one budget: the number of steps is
/// whole, so that runs of one budget differ slightly.
const SAME_BUDGET: f64 = 1.1;

/// Sizes that differ by less than this factor are the same.
const SAME_SIZE: f64 = 1.0 + 1e-6;

/// One training run; all values are finite and greater than 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// N: parameters, embeddings included.
    pub n: f64,
    /// D: training tokens.
    pub d: f64,
    /// Held-out loss at the end, in nats.
    pub loss: f64,
}

impl Run {
    /// C = 6·N·D, in FLOPs.
    pub fn flops(&self) -> f64 {
        FLOPS_PER_PARAM_AND_TOKEN * self.n * self.d
    }

    /// Whether all values can be fitted.
    pub fn is_valid(&self) -> bool {
        [self.n, self.d, self.loss, self.flops()].iter().all(|value| value.is_finite() && *value > 0.0)
    }
}

/// The runs of one compute budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Geometric mean of the runs' FLOPs.
    pub flops: f64,
    /// The runs, by size.
    pub runs: Vec<Run>,
}

impl Budget {
    /// Groups runs by FLOPs. Budgets are in ascending order.
    pub fn group(runs: &[Run]) -> Vec<Self> {
        let mut sorted = runs.to_vec();
        sorted.sort_by(|a, b| a.flops().total_cmp(&b.flops()));
        let mut groups: Vec<Vec<Run>> = Vec::new();
        for run in sorted {
            match groups.last_mut().filter(|group| run.flops() <= SAME_BUDGET * group[0].flops()) {
                Some(group) => group.push(run),
                None => groups.push(vec![run]),
            }
        }
        groups.into_iter().map(Self::new).collect()
    }

    fn new(mut runs: Vec<Run>) -> Self {
        runs.sort_by(|a, b| a.n.total_cmp(&b.n));
        let mean = runs.iter().map(|run| run.flops().ln()).sum::<f64>() / runs.len().max(1) as f64;
        Self { flops: rounded(mean.exp()), runs }
    }

    /// The sizes in ascending order, each with the mean loss of its runs, which differ only by their seeds.
    pub fn sizes(&self) -> Vec<(f64, f64)> {
        let mut sizes: Vec<(f64, f64, f64)> = Vec::new();
        for run in &self.runs {
            match sizes.last_mut().filter(|(n, ..)| run.n <= SAME_SIZE * n) {
                Some((_, sum, count)) => (*sum, *count) = (*sum + run.loss, *count + 1.0),
                None => sizes.push((run.n, run.loss, 1.0)),
            }
        }
        sizes.into_iter().map(|(n, sum, count)| (n, sum / count)).collect()
    }
}

/// Rounds to 12 digits, because 6·N·(C/6N) is rarely exactly C.
fn rounded(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}
