//! The lesson's steps as data, and how its formulas and sums are written. The steps' numbers come from the worker.

pub mod formula;
pub mod sentences;
pub mod steps;
pub mod worked;
