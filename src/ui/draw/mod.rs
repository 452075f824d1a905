//! What canvases show, as pure functions to pixels and coordinates; only `chart_canvas` touches a canvas.

pub mod chart;
#[cfg(target_arch = "wasm32")]
pub mod chart_canvas;
pub mod colors;
pub mod signed;
