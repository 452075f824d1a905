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
//! | [`scaling`] | scaling laws: fits, plans of sweeps, predictions |
//! | [`types`] | plain data that all layers share |
//! | [`wire`] | messages between the page and the worker |
//! | [`data`] | stories, tokenizer, batches, baselines; independent of the GPU |
//! | [`align`] | rewards, advantages and losses of alignment; independent of the GPU |
//! | [`gpu`] | kernels, recordings, and the two backends that execute them |
//! | [`ops`] | one file per operation: parameters, kernels, reference |
//! | [`lesson`] | attention step by step: small exercises for the same kernels |
//! | [`model`] | parameter table, memory plan, training step |
//! | [`interop`] | import and export of Hugging Face models |
//! | [`parallel`] | shards of a batch, and the worker pool that computes them |
//! | [`train`] | training loop, text generation, checkpoints |
//! | [`inspect`] | attention maps and head scores |
//! | [`run`] | drives a trainer: pace, evaluation, snapshots, recovery, run record |
//! | [`serve`] | the session: commands in, events out |
//! | `worker` | the web worker (wasm) |
//! | `cli` | the command line (native) |
//!
//! The page is a crate of its own, `page/`, which uses [`config`], [`types`], [`wire`] and [`accounting`] alone.
//!
//! A training step: [`train::trainer`] writes the few values that change, replays the [`Recording`](gpu::recording::Recording)
//! that [`model::transformer`] built once, and reads the losses back later.

pub use glasshead_cpu::{portable, threads, unchecked};

pub mod accounting;
pub mod align;
#[cfg(not(target_arch = "wasm32"))]
pub mod cli;
pub mod config;
pub mod data;
pub mod gpu;
pub mod inspect;
pub mod interop;
pub mod lesson;
pub mod model;
pub mod ops;
pub mod parallel;
pub mod rng;
pub mod run;
pub mod scaling;
pub mod serve;
pub mod tensor_file;
pub mod train;
pub mod types;
pub mod wire;
#[cfg(target_arch = "wasm32")]
pub mod worker;
