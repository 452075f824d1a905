//! Saved runs, and models of other programs: reading and writing them.

pub mod checkpoints;
pub mod import;
