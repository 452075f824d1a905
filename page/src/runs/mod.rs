//! Runs: those of this session, those saved in this browser, files, and models of other programs.

pub mod awake;
pub mod checkpoints;
pub mod import;
pub mod models;
pub mod saved;
pub mod table;
