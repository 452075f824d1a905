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
<<<<<<< HEAD
mod remember;
=======
mod questions;
>>>>>>> baa29d0 (Answer questions about the model: protocol, session, scores, glossary, tests)
mod runs;
mod shaders;
mod step;
mod tasks;
mod tokenizer;
mod tokenizer_page;
mod training;
mod tuning;
