//! Glasshead trains a small Transformer language model in a browser tab or natively, and visualizes every attention head during
//! training.
//!
//! Layers; each depends only on the ones above it:
//!
//! | module | contents |
//! |---|---|
//! | [`config`], [`rng`] | hyper-parameters and presets; seeded random numbers |
//! | [`threads`], [`unchecked`] | multithreading; all unsafe code |
//! | [`tensor_file`] | safetensors writer |
//! | [`accounting`] | costs of a configuration: parameters, bytes, FLOPs |
//! | [`protocol`] | messages between the page and the worker |
//! | [`data`] | stories, tokenizer, batches, baselines; independent of the GPU |
//! | [`gpu`] | kernels, recordings, and the two backends that execute them |
//! | [`ops`] | one file per operation: parameters, kernels, reference |
//! | [`lesson`] | attention step by step: small exercises for the same kernels |
//! | [`model`] | parameter table, memory plan, training step |
//! | [`interop`] | import and export of Hugging Face models |
//! | [`train`] | training loop, text generation, checkpoints, the session that serves the page |
//! | [`scaling`] | scaling laws: fits, plans of sweeps, predictions |
//! | `worker`, `ui` | the web worker and the page (wasm) |
//! | `cli` | the command line (native) |
//!
//! A training step: [`train::trainer`] writes the few values that change, replays the [`Recording`](gpu::recording::Recording)
//! that [`model::transformer`] built once, and reads the losses back later.

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
pub mod scaling;
pub mod tensor_file;
pub mod train;
pub mod ui;
#[cfg(target_arch = "wasm32")]
pub mod worker;

/// Entry point of the wasm file, which serves both page and worker: only the page has a window.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen(start)]
pub fn start() {
    if web_sys::window().is_some() {
        ui::start();
    } else {
        worker::start();
    }
}
