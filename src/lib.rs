//! Glasshead trains a small Transformer language model, in a browser tab or natively, and shows what every
//! attention head looks at while it learns.
//!
//! Layers, each knowing only those above it:
//!
//! | module | holds |
//! |---|---|
//! | [`config`], [`rng`] | hyper-parameters and presets; seeded random numbers |
//! | [`threads`], [`unchecked`] | work on several threads; all that the compiler cannot check |
//! | [`tensor_file`] | writes safetensors files |
//! | [`accounting`] | what a configuration costs: parameters, bytes, operations |
//! | [`protocol`] | what the page and the worker say to each other |
//! | [`data`] | stories, tokenizer, batches, baselines; knows nothing of the GPU |
//! | [`gpu`] | kernels, recordings, and the two backends that execute them |
//! | [`ops`] | one file per operation: parameters, kernels, reference |
//! | [`lesson`] | attention step by step: small exercises for the same kernels |
//! | [`model`] | the table of parameters, the memory plan, the training step |
//! | [`interop`] | models in Hugging Face's files, out and in |
//! | [`train`] | the loop, writing text, models on disk, the session behind the page |
//! | `worker`, `ui` | the web worker and the page (wasm) |
//! | `cli` | the command line (native) |
//!
//! A training step on its way: [`train::trainer`] writes the few numbers that change, replays the
//! [`Recording`](gpu::recording::Recording) that [`model::transformer`] wrote once, and collects the losses later.

pub use glasshead_cpu::{threads, unchecked};

pub mod accounting;
#[cfg(not(target_arch = "wasm32"))]
pub mod cli;
pub mod config;
pub mod data;
pub mod gpu;
pub mod interop;
pub mod lesson;
pub mod model;
pub mod ops;
pub mod protocol;
pub mod rng;
pub mod tensor_file;
pub mod train;
pub mod ui;
#[cfg(target_arch = "wasm32")]
pub mod worker;

/// The entry point of the one wasm file, which serves page and worker: only the page has a window.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen(start)]
pub fn start() {
    if web_sys::window().is_some() {
        ui::start();
    } else {
        worker::start();
    }
}
