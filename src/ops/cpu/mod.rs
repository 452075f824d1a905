//! What the CPU backend runs where speed matters: the loops of the crate `glasshead-cpu`, and attention and products with
//! the parameters of their kernels.

pub use glasshead_cpu::{activation, attention, elementwise, embedding, exp, loss, norm, rope, softmax, update};

pub mod flash;
pub mod matmul;
pub mod pairs;
