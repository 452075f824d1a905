//! The Scale view: IsoFLOP sweeps on this device, their fits, and sealed predictions.

pub mod fits;
pub mod geometry;
pub mod heads;
pub mod link;
mod queued;
pub mod state;
pub mod steps;

#[cfg(target_arch = "wasm32")]
mod compare;
#[cfg(target_arch = "wasm32")]
mod controls;
#[cfg(target_arch = "wasm32")]
mod curves;
#[cfg(target_arch = "wasm32")]
mod matrix;
#[cfg(target_arch = "wasm32")]
mod seal;
#[cfg(target_arch = "wasm32")]
mod view;

#[cfg(target_arch = "wasm32")]
pub use controls::{Transport, about};
#[cfg(target_arch = "wasm32")]
pub use view::ScaleView;
