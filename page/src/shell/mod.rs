//! The shell around every view: rail, top bar, setup bar, banner.

pub mod banner;
pub mod header;
pub mod setup_bar;
