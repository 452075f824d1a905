//! The Data view: from web pages to training text. The filters run in a worker with a module of its own; this is its display.

pub mod draw;
pub mod effect;
pub mod link;
pub mod names;
mod origin;
pub mod state;

#[cfg(target_arch = "wasm32")]
mod charts;
#[cfg(target_arch = "wasm32")]
mod drawer;
#[cfg(target_arch = "wasm32")]
mod effect_tile;
#[cfg(target_arch = "wasm32")]
mod helpers;
#[cfg(target_arch = "wasm32")]
mod lists;
#[cfg(target_arch = "wasm32")]
mod reader;
#[cfg(target_arch = "wasm32")]
mod rule;
#[cfg(target_arch = "wasm32")]
mod similar;
#[cfg(target_arch = "wasm32")]
pub mod source;
#[cfg(target_arch = "wasm32")]
pub mod top;
#[cfg(target_arch = "wasm32")]
pub mod view;
#[cfg(target_arch = "wasm32")]
pub mod worker;
