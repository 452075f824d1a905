//! Glasshead trains a small Transformer language model, in a browser tab or natively, and shows what every
//! attention head looks at while it learns.

pub mod config;
pub mod data;
pub mod gpu;
pub mod model;
pub mod ops;
pub mod protocol;
pub mod rng;
pub mod ui;
