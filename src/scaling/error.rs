//! Errors of reading, fitting and planning.

use thiserror::Error;

/// Why runs cannot be read, fitted or planned, and what to change.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum ScalingError {
    /// The file is neither CSV nor JSON.
    #[error("this is not a table of runs ({problem}); expected CSV with a header, JSON, or JSON Lines")]
    Format {
        /// The parser's message.
        problem: String,
    },
    /// The file is too large.
    #[error("this table has more than {max} {unit}; choose a part of it")]
    TooLarge {
        /// The limit.
        max: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// A column is missing.
    #[error(
        "no column for {quantity} among {found}; rename one to `{example}`, or name it with --columns {example}=NAME"
    )]
    Column {
        /// What the column would hold.
        quantity: &'static str,
        /// A name that is recognized.
        example: &'static str,
        /// The names found.
        found: String,
    },
    /// The value of `--columns` is invalid.
    #[error("--columns {value} is not of the form n=NAME, d=NAME, c=NAME or loss=NAME, separated by commas")]
    Columns {
        /// The rejected text.
        value: String,
    },
    /// Not enough runs for the method.
    #[error("{method} needs at least {needed}, and there are only {found}; add runs{advice}")]
    TooFew {
        /// The fitting method.
        method: &'static str,
        /// What is needed, for example "5 runs".
        needed: String,
        /// What is there.
        found: usize,
        /// The end of the sentence: why some do not count.
        advice: String,
    },
    /// The optimizer found no minimum with finite parameters.
    #[error(
        "the fit did not converge to finite parameters; check the units of the columns, or add runs of other sizes"
    )]
    NoFit,
    /// No budgets or sizes fit the request.
    #[error("{problem}; {advice}")]
    Plan {
        /// What is impossible.
        problem: String,
        /// What to change.
        advice: String,
    },
}
