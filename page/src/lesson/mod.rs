//! The lesson's steps as data, and the text of its formulas and calculations. The numbers come from the worker.

pub mod formula;
pub mod sentences;
pub mod steps;
#[cfg(target_arch = "wasm32")]
pub mod view;
pub mod worked;
