//! What a plan is made from.

use serde::{Deserialize, Serialize};

use super::error::ScalingError;
use super::shape::Task;
use super::variable::Variable;

/// What a plan is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// What is varied at equal compute.
    #[serde(default)]
    pub variable: Variable,
    /// Vocabulary and context.
    pub task: Task,
    /// Number of budgets.
    pub n_budgets: usize,
    /// Ratio of neighboring budgets.
    pub budget_ratio: f64,
    /// Sizes per budget.
    pub n_sizes: usize,
    /// Ratio of neighboring sizes.
    pub size_ratio: f64,
    /// Seeds of each run.
    pub seeds: Vec<u64>,
    /// The budget of the check run, relative to the largest budget.
    pub check_factor: f64,
}

impl Request {
    /// # Errors
    /// The first value that is out of range.
    pub(super) fn check(&self) -> Result<(), ScalingError> {
        let wrong =
            |problem: &str, advice: &str| Err(ScalingError::Plan { problem: problem.into(), advice: advice.into() });
        match self {
            Self { n_budgets: ..2 | 20.., .. } => wrong("the number of budgets is out of range", "choose 2 to 19"),
            Self { n_sizes: ..3 | 30.., .. } => wrong("the number of sizes is out of range", "choose 3 to 29"),
            Self { seeds, .. } if !(1..=100).contains(&seeds.len()) => {
                wrong("the number of seeds is out of range", "choose 1 to 100")
            }
            Self { budget_ratio, size_ratio, .. } if !(*budget_ratio > 1.1 && *size_ratio > 1.1) => {
                wrong("the ratio of neighbors is too small", "choose at least 1.2")
            }
            _ => Ok(()),
        }
    }
}
