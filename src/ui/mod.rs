//! The page. Knows `config` and `protocol` alone.
//!
//! [`state`] holds what is shown and how it changes, without web types; `app` and `components` turn it into a page,
//! `link` talks to the worker, [`draw`] computes pictures.

pub mod draw;
pub mod fields;
pub mod state;

#[cfg(target_arch = "wasm32")]
mod app;
#[cfg(target_arch = "wasm32")]
mod checkpoints;
#[cfg(target_arch = "wasm32")]
mod components;
#[cfg(target_arch = "wasm32")]
mod download;
#[cfg(target_arch = "wasm32")]
mod keys;
#[cfg(target_arch = "wasm32")]
mod link;
#[cfg(target_arch = "wasm32")]
mod preferences;
#[cfg(target_arch = "wasm32")]
mod store;

#[cfg(target_arch = "wasm32")]
pub use app::start;
