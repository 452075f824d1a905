//! The wasm module of the data view, which its worker loads (`www/data.js`): requests in, replies out.

#[cfg(target_arch = "wasm32")]
mod web;
