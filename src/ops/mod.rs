//! The operations: one file each, beside the WGSL file of the same name.
//!
//! A file holds, in order: `Params` (the uniform), the [`Kernel`]s, launchers that append dispatches to a
//! [`Recording`](crate::gpu::recording::Recording), and the reference: naive loops over any [`Real`], so that f64
//! checks the gradients and f32 is the oracle of the GPU. To add an operation: its WGSL file, its Rust file, its row
//! in [`KERNELS`], its row in the table of tests.

use crate::gpu::kernel::Kernel;

pub mod accumulate;
pub mod activation;
pub mod adamw;
pub mod attention_scores;
pub mod bias;
pub mod cached_attention;
pub mod clip;
pub mod cost;
pub mod cpu;
pub mod cross_entropy;
pub mod embedding;
pub mod flash_attention;
pub mod gather_batch;
pub mod head_scale;
pub mod layernorm;
pub mod mask;
pub mod matmul;
pub mod mean_loss;
pub mod peak;
pub mod quantize;
pub mod residual;
pub mod rmsnorm;
pub mod rope;
pub mod sgd;
pub mod softmax;
pub mod step;
pub mod swiglu;
pub mod tuning;
pub mod weighted_sum;
pub mod write_rows;

/// f32 or f64.
pub trait Real: num_traits::Float + std::iter::Sum + std::ops::AddAssign {
    /// The nearest number of this type.
    fn of(x: f64) -> Self;
}

impl Real for f32 {
    fn of(x: f64) -> Self {
        x as f32
    }
}

impl Real for f64 {
    fn of(x: f64) -> Self {
        x
    }
}

/// Every kernel there is.
pub static KERNELS: [&Kernel; 54] = [
    &gather_batch::GATHER_BATCH,
    &embedding::EMBEDDING,
    &embedding::EMBEDDING_GRAD,
    &matmul::MATMUL_NT,
    &matmul::MATMUL_NN,
    &matmul::MATMUL_TN,
    &matmul::MATMUL_NT_VEC4,
    &matmul::MATMUL_NN_VEC4,
    &matmul::MATMUL_TN_VEC4,
    &matmul::MATMUL_NT_LANES,
    &matmul::MATMUL_NN_LANES,
    &matmul::MATMUL_TN_LANES,
    &rmsnorm::RMSNORM,
    &rmsnorm::RMSNORM_GRAD_X,
    &rmsnorm::RMSNORM_GRAD_GAIN,
    &layernorm::LAYERNORM,
    &layernorm::LAYERNORM_GRAD_X,
    &layernorm::LAYERNORM_GRAD_GAIN,
    &bias::BIAS,
    &bias::BIAS_GRAD,
    &rope::ROPE,
    &attention_scores::ATTENTION_SCORES,
    &softmax::SOFTMAX,
    &weighted_sum::WEIGHTED_SUM,
    &flash_attention::FLASH_ATTENTION_16,
    &flash_attention::FLASH_ATTENTION_GRAD_16,
    &flash_attention::FLASH_ATTENTION_32,
    &flash_attention::FLASH_ATTENTION_GRAD_32,
    &flash_attention::FLASH_ATTENTION_64,
    &flash_attention::FLASH_ATTENTION_GRAD_64,
    &flash_attention::FLASH_ATTENTION_ANY,
    &flash_attention::FLASH_ATTENTION_GRAD_ANY,
    &mask::MASK,
    &head_scale::HEAD_SCALE,
    &write_rows::WRITE_ROWS,
    &cached_attention::CACHED_ATTENTION,
    &swiglu::SWIGLU,
    &swiglu::SWIGLU_GRAD,
    &activation::SILU,
    &activation::GELU,
    &activation::SILU_GRAD,
    &activation::GELU_GRAD,
    &residual::RESIDUAL,
    &cross_entropy::CROSS_ENTROPY,
    &cross_entropy::CROSS_ENTROPY_GRAD,
    &mean_loss::MEAN_LOSS,
    &accumulate::ACCUMULATE,
    &clip::SQUARED_SUMS,
    &clip::GRAD_NORM,
    &clip::CLIP,
    &adamw::ADAMW,
    &sgd::SGD,
    &quantize::QUANTIZE,
    &peak::PEAK,
];

pub(crate) const FLAT: &str = include_str!("../../shaders/lib/flat.wgsl");
pub(crate) const REDUCE: &str = include_str!("../../shaders/lib/reduce.wgsl");
pub(crate) const TILE: &str = include_str!("../../shaders/lib/tile.wgsl");
pub(crate) const LANES_TILE: &str = include_str!("../../shaders/lib/lanes_tile.wgsl");
pub(crate) const MATMUL_LANES: &str = include_str!("../../shaders/lib/matmul_lanes.wgsl");
pub(crate) const STEP: &str = include_str!("../../shaders/lib/step.wgsl");
pub(crate) const CLIP_SCALE: &str = include_str!("../../shaders/lib/clip_scale.wgsl");
pub(crate) const FINITE: &str = include_str!("../../shaders/lib/finite.wgsl");
pub(crate) const KV_HEAD: &str = include_str!("../../shaders/lib/kv_head.wgsl");
pub(crate) const CAUSAL_MASK: &str = include_str!("../../shaders/lib/causal_mask.wgsl");

/// Workgroups of 8 × 8 invocations that compute 4 × 4 results each, for a (rows, cols) result.
pub(crate) fn tile_workgroups(rows: usize, cols: usize, layers: usize) -> [u32; 3] {
    [cols.div_ceil(32) as u32, rows.div_ceil(32) as u32, layers as u32]
}
