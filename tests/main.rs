//! All headless tests in one binary, because each binary links wgpu again.

mod common;
mod data;
mod golden;
mod gradients;
mod kernels;
mod layers;
mod page;
mod runs;
mod shaders;
mod step;
mod training;
