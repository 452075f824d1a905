//! All headless tests in one binary, because each binary links wgpu again.

mod common;
mod data;
mod files;
mod golden;
mod gradients;
mod kernels;
mod layers;
mod ops;
mod page;
mod parquet;
mod remember;
mod runs;
mod shaders;
mod step;
mod tasks;
mod tokenizer;
mod tokenizer_page;
mod training;
mod tuning;
