//! A stage of alignment: fine-tuning, expert iteration, policy gradients or preference optimization, from a model to its last
//! update. [`configure`] and [`prepare`] turn a specification into a run, a [`StageDriver`] makes its updates and evaluations
//! one by one and reports them to a [`StageObserver`]. The command line and the page's worker both drive it.

mod driver;
mod error;
mod setup;

pub use driver::{Pace, Schedule, StageDriver, StageObserver, WhyEnded};
pub use error::StageError;
pub use setup::{
    BYTE_VOCABULARY, Prepared, StageModel, Task, byte_model, configure, prepare, read_rows, rewards, split_changes,
};
