//! Fusions: kernels for GPUs that compute what two or three consecutive dispatches compute, on the tiles of
//! [`matmul`](super::matmul). Which one a device uses is decided by [`tuning`](super::tuning).
//!
//! | fusion | replaces |
//! |---|---|
//! | [`norm_linear`] | `rmsnorm`, `matmul_nt_vec4` |
//! | [`norm_linear`] with rotation | `rmsnorm`, `matmul_nt_vec4`, `rope` |
//! | [`swiglu_linear`] | `swiglu`, `matmul_nt_vec4` |
//! | [`linear_grad_swiglu`] | `linear_grad_vec4`, `swiglu_grad` |

pub mod linear_grad_swiglu;
pub mod norm_linear;
pub mod swiglu_linear;

const SIGMOID: &str = wgsl!("../../../shaders/lib/sigmoid.wgsl");

/// Workgroup counts for an (m, n) result in square tiles.
fn square_tiles(m: u32, n: u32, tile: u32) -> [u32; 3] {
    [n.div_ceil(tile), m.div_ceil(tile), 1]
}
