//! All headless tests in one binary, because each binary links wgpu again.

mod common;
mod cpu;
mod data;
mod files;
mod gif;
mod golden;
mod gradients;
mod kernels;
mod layers;
mod lesson;
mod links;
mod look;
mod ops;
mod page;
mod parquet;
mod questions;
mod remember;
mod runs;
mod shaders;
mod shards;
mod step;
mod tasks;
mod tokenizer;
mod tokenizer_page;
mod training;
mod tuning;
