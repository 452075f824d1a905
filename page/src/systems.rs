//! The Systems view: where a training step spends its time, kernel by kernel, next to the device's peaks.

pub mod state;

#[cfg(target_arch = "wasm32")]
mod view;
#[cfg(target_arch = "wasm32")]
pub use view::SystemsView;
