//! The Systems view: where the time and the memory of a training step go, next to the device's peaks; parallel training and
//! rounding to 16 bits as labs.

pub mod format;
pub mod geometry;
pub mod state;

#[cfg(target_arch = "wasm32")]
mod compare;
#[cfg(target_arch = "wasm32")]
mod kernels;
#[cfg(target_arch = "wasm32")]
mod memory;
#[cfg(target_arch = "wasm32")]
mod parallel;
#[cfg(target_arch = "wasm32")]
mod precision;
#[cfg(target_arch = "wasm32")]
mod ring;
#[cfg(target_arch = "wasm32")]
mod roofline;
#[cfg(target_arch = "wasm32")]
mod timeline;
#[cfg(target_arch = "wasm32")]
mod view;
#[cfg(target_arch = "wasm32")]
pub use view::SystemsView;
