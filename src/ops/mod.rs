//! The operations: one file each, with a WGSL file of the same name.
//!
//! A file contains, in order: `Params` (the uniform), the [`Kernel`]s, launchers that append dispatches to a
//! [`Recording`](crate::gpu::recording::Recording), and the reference: naive loops over any [`Real`], so that f64 checks
//! the gradients and f32 is the oracle of the GPU. To add an operation, add its WGSL file, its Rust file, its row in
//! [`KERNELS`] and its row in the table of tests.

use crate::gpu::kernel::Kernel;
use crate::gpu::recording::row_workgroups;

/// The text of a shader file without comments and indentation, which would be an eighth of the page's download.
macro_rules! wgsl {
    ($path:expr) => {{
        const TEXT: &[u8] = include_str!($path).as_bytes();
        const LEN: usize = $crate::ops::strip(TEXT, &mut []);
        const STRIPPED: [u8; LEN] = {
            let mut stripped = [0; LEN];
            $crate::ops::strip(TEXT, &mut stripped);
            stripped
        };
        match std::str::from_utf8(&STRIPPED) {
            Ok(text) => text,
            Err(_) => panic!("only whole comments are removed"),
        }
    }};
}

/// Adds an entry point that calls a function of the shader files, with `WORKGROUP` invocations.
macro_rules! entry {
    ($name:literal, $function:literal) => {
        concat!(
            "@compute @workgroup_size(WORKGROUP)\nfn ",
            $name,
            "(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) { ",
            $function,
            "(workgroup, local); }"
        )
    };
}

/// Adds an entry point that calls a function with one row per workgroup, of `ROW_WORKGROUP` invocations
/// (lib/reduce.wgsl).
macro_rules! row_entry {
    ($name:literal, $function:literal) => {
        concat!(
            "@compute @workgroup_size(ROW_WORKGROUP)\nfn ",
            $name,
            "(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>, ",
            "@builtin(local_invocation_index) local: u32) { ",
            $function,
            "(workgroup, workgroups, local); }"
        )
    };
}

/// As `row_entry`, for lib/reduce_subgroups.wgsl, which has to know the invocation's place in its subgroup.
macro_rules! subgroup_row_entry {
    ($name:literal, $function:literal) => {
        concat!(
            "@compute @workgroup_size(ROW_WORKGROUP)\nfn ",
            $name,
            "(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>, ",
            "@builtin(local_invocation_index) local: u32, @builtin(subgroup_invocation_id) index: u32, ",
            "@builtin(subgroup_size) size: u32) { lane = index; lanes = size; ",
            $function,
            "(workgroup, workgroups, local); }"
        )
    };
}

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
pub mod fused;
pub mod gather_batch;
pub mod head_scale;
pub mod layernorm;
pub mod linear_grad;
pub mod mask;
pub mod matmul;
pub mod mean_loss;
pub mod newton_schulz;
pub mod peak;
pub mod quantize;
pub mod residual;
pub mod rmsnorm;
pub mod rope;
pub mod row_entropy;
pub mod rows;
pub mod sgd;
pub mod softmax;
pub mod step;
pub mod swiglu;
pub mod tuning;
pub mod weighted_sum;
pub mod write_rows;

/// Copies WGSL without comments, indentation and empty lines into `out`, as far as it fits; returns the full length.
pub const fn strip(wgsl: &[u8], out: &mut [u8]) -> usize {
    let (mut at, mut len, mut line_has_code) = (0, 0, false);
    while at < wgsl.len() {
        let byte = wgsl[at];
        if byte == b'/' && at + 1 < wgsl.len() && wgsl[at + 1] == b'/' {
            while at < wgsl.len() && wgsl[at] != b'\n' {
                at += 1;
            }
            continue;
        }
        at += 1;
        if !line_has_code && (byte == b'\n' || byte == b' ') {
            continue;
        }
        line_has_code = byte != b'\n';
        if len < out.len() {
            out[len] = byte;
        }
        len += 1;
    }
    len
}

/// The element types of references: f32 and f64.
pub trait Real: num_traits::Float + std::iter::Sum + std::ops::AddAssign {
    /// Converts to the nearest value of this type.
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

/// All kernels, including variants.
pub static KERNELS: [&Kernel; 106] = [
    &gather_batch::GATHER_BATCH,
    &embedding::EMBEDDING,
    &embedding::EMBEDDING_GRAD,
    &embedding::EMBEDDING_GRAD_LANES,
    &embedding::EMBEDDING_GRAD_FOUR_LANES,
    &matmul::MATMUL_NT,
    &matmul::MATMUL_NN,
    &matmul::MATMUL_TN,
    &matmul::MATMUL_NT_VEC4,
    &matmul::MATMUL_NN_VEC4,
    &matmul::MATMUL_TN_VEC4,
    &matmul::MATMUL_NT_LANES,
    &matmul::MATMUL_NT_FOUR_LANES,
    &matmul::MATMUL_NT_GROUP,
    &matmul::MATMUL_NT_GROUP_32,
    &matmul::MATMUL_NT_ROWS,
    &linear_grad::LINEAR_GRAD,
    &linear_grad::LINEAR_GRAD_VEC4,
    &linear_grad::LINEAR_GRAD_LANES,
    &linear_grad::LINEAR_GRAD_FOUR_LANES,
    &linear_grad::LINEAR_GRAD_GROUP,
    &linear_grad::LINEAR_GRAD_GROUP_32,
    &linear_grad::LINEAR_GRAD_SLICED,
    &rmsnorm::RMSNORM,
    &rmsnorm::RMSNORM_GRAD,
    &rmsnorm::RMSNORM_LANES,
    &rmsnorm::RMSNORM_GRAD_LANES,
    &rmsnorm::RMSNORM_FOUR_LANES,
    &rmsnorm::RMSNORM_GRAD_FOUR_LANES,
    &rmsnorm::RMSNORM_GRAD_COLUMNS,
    &rmsnorm::RMSNORM_SUBGROUPS,
    &rmsnorm::RMSNORM_GRAD_SUBGROUPS,
    &layernorm::LAYERNORM,
    &layernorm::LAYERNORM_GRAD,
    &layernorm::LAYERNORM_GRAD_COLUMNS,
    &bias::BIAS,
    &bias::BIAS_GRAD,
    &bias::BIAS_GRAD_COLUMNS,
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
    &flash_attention::FLASH_ATTENTION_PARTS,
    &flash_attention::FLASH_ATTENTION_GRAD_PARTS,
    &flash_attention::FLASH_ATTENTION_ANY,
    &flash_attention::FLASH_ATTENTION_GRAD_ANY,
    &flash_attention::FLASH_ATTENTION_16_LANES,
    &flash_attention::FLASH_ATTENTION_GRAD_16_LANES,
    &flash_attention::FLASH_ATTENTION_32_LANES,
    &flash_attention::FLASH_ATTENTION_GRAD_32_LANES,
    &flash_attention::FLASH_ATTENTION_32_GROUP,
    &flash_attention::FLASH_ATTENTION_64_GROUP,
    &flash_attention::FLASH_ATTENTION_GRAD_32_GROUP,
    &flash_attention::FLASH_ATTENTION_GRAD_64_GROUP,
    &flash_attention::FLASH_ATTENTION_16_FOUR_LANES,
    &flash_attention::FLASH_ATTENTION_GRAD_16_FOUR_LANES,
    &flash_attention::FLASH_ATTENTION_32_FOUR_LANES,
    &flash_attention::FLASH_ATTENTION_GRAD_32_FOUR_LANES,
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
    &cross_entropy::CROSS_ENTROPY_GRAD_LANES,
    &cross_entropy::CROSS_ENTROPY_GRAD_FOUR_LANES,
    &cross_entropy::CROSS_ENTROPY_GRAD_ONLINE,
    &cross_entropy::CROSS_ENTROPY_GRAD_SUBGROUPS,
    &cross_entropy::TOKEN_ENTROPY,
    &cross_entropy::WEIGHTED_CROSS_ENTROPY_GRAD,
    &mean_loss::MEAN_LOSS,
    &mean_loss::WEIGHTED_LOSS,
    &accumulate::ACCUMULATE,
    &clip::SQUARED_SUMS,
    &clip::SQUARED_SUMS_LANES,
    &clip::SQUARED_SUMS_FOUR_LANES,
    &clip::SQUARED_SUMS_SUBGROUPS,
    &clip::GRAD_NORM,
    &clip::CLIP,
    &adamw::ADAMW,
    &sgd::SGD,
    &quantize::QUANTIZE,
    &row_entropy::ROW_ENTROPY,
    &peak::PEAK,
    &fused::norm_linear::NORM_LINEAR_GROUP,
    &fused::norm_linear::NORM_LINEAR_GROUP_32,
    &fused::norm_linear::NORM_ROPE_LINEAR_GROUP,
    &fused::norm_linear::NORM_ROPE_LINEAR_GROUP_32,
    &fused::swiglu_linear::SWIGLU_LINEAR_GROUP,
    &fused::swiglu_linear::SWIGLU_LINEAR_GROUP_32,
    &fused::linear_grad_swiglu::LINEAR_GRAD_SWIGLU_GROUP,
    &fused::linear_grad_swiglu::LINEAR_GRAD_SWIGLU_GROUP_32,
    &fused::linear_grad_swiglu::LINEAR_GRAD_SWIGLU_SLICED,
];

pub(crate) const FLAT: &str = wgsl!("../../shaders/lib/flat.wgsl");
pub(crate) const EIGHT_LANES: &str = wgsl!("../../shaders/lib/eight_lanes.wgsl");
pub(crate) const FOUR_LANES: &str = wgsl!("../../shaders/lib/four_lanes.wgsl");
pub(crate) const REDUCE_LANES: &str = wgsl!("../../shaders/lib/reduce_lanes.wgsl");
pub(crate) const REDUCE_SUBGROUPS: &str = wgsl!("../../shaders/lib/reduce_subgroups.wgsl");
pub(crate) const REDUCE: &str = wgsl!("../../shaders/lib/reduce.wgsl");
pub(crate) const TILE: &str = wgsl!("../../shaders/lib/tile.wgsl");
pub(crate) const ELEMENT_F32: &str = wgsl!("../../shaders/lib/element_f32.wgsl");
pub(crate) const ELEMENT_VEC4: &str = wgsl!("../../shaders/lib/element_vec4.wgsl");
pub(crate) const ELEMENT_U64: &str = wgsl!("../../shaders/lib/element_u64.wgsl");
pub(crate) const LAYOUTS: &str = wgsl!("../../shaders/lib/layouts.wgsl");
pub(crate) const FOUR_ROWS: &str = wgsl!("../../shaders/lib/four_rows.wgsl");
pub(crate) const LANES: &str = wgsl!("../../shaders/lib/lanes.wgsl");
pub(crate) const MATMUL_SCALAR: &str = wgsl!("../../shaders/lib/matmul_scalar.wgsl");
pub(crate) const MATMUL_GROUP: &str = wgsl!("../../shaders/lib/matmul_group.wgsl");
pub(crate) const MATMUL_GROUP_32: &str = wgsl!("../../shaders/lib/matmul_group_32.wgsl");
pub(crate) const MATMUL_SLICED: &str = wgsl!("../../shaders/lib/matmul_sliced.wgsl");
pub(crate) const MATMUL_ROWS: &str = wgsl!("../../shaders/lib/matmul_rows.wgsl");
pub(crate) const GROUP_TERMS: &str = wgsl!("../../shaders/lib/group_terms.wgsl");
pub(crate) const ROWS_OF_A: &str = wgsl!("../../shaders/lib/rows_of_a.wgsl");
pub(crate) const MATMUL_VEC4: &str = wgsl!("../../shaders/lib/matmul_vec4.wgsl");
pub(crate) const MATMUL_LANES: &str = wgsl!("../../shaders/lib/matmul_lanes.wgsl");
pub(crate) const MATMUL_FOUR_LANES: &str = wgsl!("../../shaders/lib/matmul_four_lanes.wgsl");
pub(crate) const STEP: &str = wgsl!("../../shaders/lib/step.wgsl");
pub(crate) const CLIP_SCALE: &str = wgsl!("../../shaders/lib/clip_scale.wgsl");
pub(crate) const FINITE: &str = wgsl!("../../shaders/lib/finite.wgsl");
pub(crate) const COLUMNS: &str = wgsl!("../../shaders/lib/columns.wgsl");
pub(crate) const NORM_COLUMNS: &str = wgsl!("../../shaders/lib/norm_columns.wgsl");
pub(crate) const KV_HEAD: &str = wgsl!("../../shaders/lib/kv_head.wgsl");
pub(crate) const CAUSAL_MASK: &str = wgsl!("../../shaders/lib/causal_mask.wgsl");

/// [`Kernel::loops`] of `passes` passes over a row of `len` elements by the invocations of a workgroup; two sums over the
/// workgroup take at most eight iterations each.
pub(crate) fn row_loops<const INVOCATIONS: u32>(len: u32, passes: u64) -> u64 {
    passes * u64::from(len.div_ceil(INVOCATIONS)) + 16
}

/// Columns that a workgroup of `lib/columns.wgsl` sums.
const COLUMNS_PER_GROUP: usize = 8;

/// Workgroups of the gradients of a norm by columns.
pub(crate) fn norm_columns_workgroups(params: &[u8]) -> Option<[u32; 3]> {
    let [n, c] = bytemuck::pod_read_unaligned::<rmsnorm::Params>(params).sizes();
    Some(row_workgroups(n + c.div_ceil(COLUMNS_PER_GROUP)))
}

/// Workgroup counts for a (rows, cols) result, with 8 × 8 invocations that compute 4 × 4 elements each.
pub(crate) fn tile_workgroups(rows: usize, cols: usize, layers: usize) -> [u32; 3] {
    [cols.div_ceil(32) as u32, rows.div_ceil(32) as u32, layers as u32]
}
