//! The gallery of one-click experiments, and the strip that follows the one in progress.

mod draw;
pub mod run;
pub mod view;
