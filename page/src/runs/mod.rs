//! Saved runs, and models of other programs: reading and writing them.

pub mod autosave;
pub mod checkpoints;
pub mod import;
mod open;
pub mod queue;
