//! Scaling laws: which model size is best for a compute budget, and what loss to expect (CS336's third assignment).
//!
//! Fits: [`read`] reads tables of runs, [`table`] groups them by budget, [`isoflop`] locates the minimum of each budget, [`law`]
//! fits L(N, D) with [`lbfgs`], [`fit`] adds intervals ([`bootstrap`]), errors on left-out budgets and [`limits`]. Sweeps:
//! [`shape`] derives a model from its size, [`plan`] chooses budgets and sizes for a time, [`spec`] describes a run and its
//! result, [`sweep`] decides which runs follow. [`predict`] extrapolates to a larger budget, [`sealed`] stores the prediction.

pub mod bootstrap;
pub mod error;
pub mod fit;
pub mod isoflop;
pub mod law;
pub mod lbfgs;
pub mod limits;
pub mod linear;
pub mod plan;
pub mod predict;
pub mod read;
pub mod report;
pub mod sealed;
pub mod shape;
pub mod spec;
pub mod sweep;
pub mod table;
