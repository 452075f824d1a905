//! Scaling laws: which model size is best for a compute budget, and what loss to expect (CS336's third assignment).
//!
//! Fits: [`read`] reads tables of runs, [`table`] groups them by budget, [`isoflop`] locates the minimum of each budget, [`law`]
//! fits L(N, D) with [`lbfgs`], [`fit`] adds intervals ([`bootstrap`]), errors on left-out budgets and [`limits`]. Sweeps:
//! [`variable`] is what a sweep varies besides sizes. [`shape`] derives a model from its size, [`plan`] chooses budgets and sizes for a time, [`planner`] decides what to measure
//! for that, [`pilot`] finds a learning rate, [`spec`] describes a run and its result, [`sweep`] decides which runs follow.
//! [`predict`] extrapolates to a larger budget, [`sealed`] stores the prediction, [`check`] leads from one to the other. All of
//! them are pure: the page keeps sweeps in the browser, the command line in a folder.

pub mod bootstrap;
pub mod check;
pub mod error;
pub mod fit;
pub mod isoflop;
pub mod law;
pub mod lbfgs;
pub mod limits;
pub mod linear;
pub mod pilot;
pub mod plan;
pub mod planner;
pub mod predict;
pub mod read;
pub mod report;
mod request;
pub mod sealed;
pub mod shape;
pub mod spec;
pub mod sweep;
pub mod table;
pub mod variable;
mod vary;
