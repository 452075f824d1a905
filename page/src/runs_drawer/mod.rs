//! The drawer with runs: those of this session, those saved in this browser, files.

mod awake;
pub mod export;
mod saved;
mod seeds;
mod session;
pub mod view;
