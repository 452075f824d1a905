//! Drives a trainer, for the page as well as for the command line.
//!
//! A [`Driver`] trains in short units of work and reports to an [`Observer`]: the page's observer turns reports into
//! events, the command line's into lines and log files. What else happens, and when, is its [`Policy`]. A run that loses its
//! device continues on another one ([`recovery`]); [`record`] is what a run's file holds besides model and training state.
//! A [`StagedRun`] is one whose schedule may end several times. Natively, a [`RunSpec`] describes a whole run, and [`native`] prepares it and runs it to its end, [`queue`]
//! a list of them.
//! [`stage`] does the same for alignment.

mod clock;
mod driver;
mod meter;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
pub mod pace;
mod policy;
#[cfg(not(target_arch = "wasm32"))]
pub mod queue;
pub mod record;
pub mod recovery;
mod spec;
pub mod stage;
mod stages;
mod task_evaluation;
pub mod text;

#[cfg(not(target_arch = "wasm32"))]
pub use clock::system_clock;
pub use clock::{Clock, SharedClock};
pub(crate) use driver::CHUNK_SECONDS;
pub use driver::{Driver, Evaluation, LostRun, Observer, Start, Steps, TaskScore, TextSummary, Work};
pub use meter::Recurring;
pub use policy::{Policy, SNAPSHOT_SECONDS};
pub use spec::{RunSpec, TextSource};
pub use stages::StagedRun;
pub use task_evaluation::TaskEvaluation;
