//! The gallery of one-click experiments, and the strip that follows the one in progress.

pub mod draw;
pub mod run;
pub mod view;
