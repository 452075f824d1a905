//! Fast CPU functions of the CPU backend: attention and matmuls, called with the parameters of their kernels. The loops
//! are in the crate `glasshead-cpu`.

pub use glasshead_cpu::{activation, attention, elementwise, embedding, exp, loss, norm, rope, softmax, update};

pub mod flash;
pub mod matmul;
pub mod pairs;
