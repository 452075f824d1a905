//! What canvases show, as pure functions to pixels and coordinates; only `chart_canvas` and `frame` touch a canvas or the
//! window.

pub mod chart;
#[cfg(target_arch = "wasm32")]
pub mod chart_canvas;
pub mod colors;
#[cfg(target_arch = "wasm32")]
pub mod frame;
pub mod heat;
pub mod lines;
pub mod window;
