//! Pure functions that compute the pixels and coordinates of pictures; only `chart_canvas`, `figure_canvas` and `frame`
//! touch a canvas or the window.

pub mod chart;
#[cfg(target_arch = "wasm32")]
pub mod chart_canvas;
pub mod colors;
pub mod figure;
#[cfg(target_arch = "wasm32")]
pub mod figure_canvas;
#[cfg(target_arch = "wasm32")]
pub mod frame;
pub mod gif;
pub mod heat;
pub mod lines;
#[cfg(target_arch = "wasm32")]
mod picture;
pub mod signed;
pub mod window;
