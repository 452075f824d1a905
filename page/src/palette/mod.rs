//! The command palette: settings, actions, views, experiments, runs and terms in one search.

pub mod state;

#[cfg(target_arch = "wasm32")]
pub mod view;
