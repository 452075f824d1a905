//! The Systems view: where a training step spends its time.

pub mod view;
