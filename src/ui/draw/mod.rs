//! What canvases show, as pure functions to pixels and coordinates; only `chart_canvas` and
//! `figure_canvas` touch canvases.

pub mod chart;
#[cfg(target_arch = "wasm32")]
pub mod chart_canvas;
pub mod colors;
pub mod figure;
#[cfg(target_arch = "wasm32")]
pub mod figure_canvas;
