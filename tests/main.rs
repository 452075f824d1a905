//! All headless tests in one binary, because each binary links wgpu again.

mod common;
mod gradients;
mod kernels;
mod shaders;
