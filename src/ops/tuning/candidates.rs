//! The kernels that have variants, and how each variant is tried.

use super::few_rows;
use super::trials::{
    GATE, Trial, attention, attention_grad, attention_grad_like, attention_like, column_sums, column_sums_like,
    gradients, gradients_like, layer_norm_grad, layer_norm_grad_like, loss, loss_like, norm, norm_grad, norm_grad_like,
    norm_like, product, product_like, squares, table_grad,
};
use crate::gpu::kernel::Kernel;
use crate::gpu::variant::Variant;
use crate::ops::{bias, clip, cross_entropy, embedding, flash_attention, layernorm, linear_grad, matmul, rmsnorm};

/// A class of shapes for which one variant is chosen.
pub struct Class {
    /// Name under which the choice is stored and overridden: the kernel's name, with the class's name where there are
    /// several.
    pub key: &'static str,
    /// Whether parameters of the kernel belong to this class.
    pub holds: fn(params: &[u8]) -> bool,
    /// The trial to time, from the parameters of the model's largest dispatch in this class and the maximum number of
    /// operations of a run.
    pub measured: fn(params: &[u8], max_flops: f64) -> Trial,
}

impl Class {
    /// The single class of a kernel whose variants compare alike at all shapes.
    const fn all(key: &'static str, measured: fn(&[u8], f64) -> Trial) -> [Self; 1] {
        [Self { key, holds: |_| true, measured }]
    }
}

/// Variants of one kernel, and their trials.
pub struct Candidates {
    /// The kernel that they replace.
    pub of: &'static Kernel,
    /// The variants to try, in order of preference.
    pub variants: &'static [&'static Variant],
    /// Small and awkward sizes that each variant has to compute correctly before it may be used.
    pub gate: fn() -> Vec<Trial>,
    /// The classes of shapes; every shape belongs to exactly one.
    pub classes: &'static [Class],
}

/// All kernels that have variants.
pub static CANDIDATES: [Candidates; 15] = [
    Candidates {
        of: &matmul::MATMUL_NT_VEC4,
        variants: &[
            &matmul::NT_LANES,
            &matmul::NT_FOUR_LANES,
            &matmul::NT_GROUP,
            &matmul::NT_GROUP_32,
            &matmul::NT_ROWS,
        ],
        gate: || GATE.into_iter().map(|shape| product(shape, true)).collect(),
        classes: &[
            Class { key: "matmul_nt_vec4", holds: |params| !few_rows(params), measured: product_like },
            Class { key: "matmul_nt_vec4.few_rows", holds: few_rows, measured: product_like },
        ],
    },
    Candidates {
        of: &linear_grad::LINEAR_GRAD_VEC4,
        variants: &[
            &linear_grad::GRAD_LANES,
            &linear_grad::GRAD_FOUR_LANES,
            &linear_grad::GRAD_GROUP,
            &linear_grad::GRAD_GROUP_32,
            &linear_grad::GRAD_SLICED,
        ],
        gate: || GATE.into_iter().map(|shape| gradients(shape, true)).collect(),
        classes: &[
            Class {
                key: "linear_grad_vec4",
                holds: |params| !linear_grad::few_tiles(params),
                measured: gradients_like,
            },
            Class { key: "linear_grad_vec4.few_tiles", holds: linear_grad::few_tiles, measured: gradients_like },
        ],
    },
    Candidates {
        of: &flash_attention::FLASH_ATTENTION_16,
        variants: &[&flash_attention::LANES[0][0], &flash_attention::LANES[0][1]],
        gate: || vec![attention(13, 12, 0), attention(70, 16, 1)],
        classes: &Class::all("flash_attention_16", |_, _| attention(64, 16, 1)),
    },
    Candidates {
        of: &flash_attention::FLASH_ATTENTION_GRAD_16,
        variants: &[&flash_attention::LANES[1][0], &flash_attention::LANES[1][1]],
        gate: || vec![attention_grad(13, 12, 0), attention_grad(70, 16, 1)],
        classes: &Class::all("flash_attention_grad_16", |_, _| attention_grad(64, 16, 1)),
    },
    Candidates {
        of: &flash_attention::FLASH_ATTENTION_32,
        variants: &[&flash_attention::LANES[2][0], &flash_attention::LANES[2][1], &flash_attention::GROUPS[0]],
        gate: || vec![attention(13, 20, 0), attention(70, 32, 1)],
        classes: &Class::all("flash_attention_32", attention_like),
    },
    Candidates {
        of: &flash_attention::FLASH_ATTENTION_64,
        variants: &[&flash_attention::GROUPS[1]],
        gate: || vec![attention(13, 40, 0), attention(70, 64, 1)],
        classes: &Class::all("flash_attention_64", attention_like),
    },
    Candidates {
        of: &flash_attention::FLASH_ATTENTION_GRAD_32,
        variants: &[&flash_attention::LANES[3][0], &flash_attention::LANES[3][1], &flash_attention::GROUPS[2]],
        gate: || vec![attention_grad(13, 20, 0), attention_grad(70, 32, 1)],
        classes: &Class::all("flash_attention_grad_32", attention_grad_like),
    },
    Candidates {
        of: &flash_attention::FLASH_ATTENTION_GRAD_64,
        variants: &[&flash_attention::GROUPS[3]],
        gate: || vec![attention_grad(13, 40, 0), attention_grad(70, 64, 1)],
        classes: &Class::all("flash_attention_grad_64", attention_grad_like),
    },
    Candidates {
        of: &rmsnorm::RMSNORM,
        variants: &[&rmsnorm::LANES[0], &rmsnorm::LANES[1], &rmsnorm::SUBGROUPS],
        gate: || vec![norm(3, 7), norm(5, 130)],
        classes: &Class::all("rmsnorm", norm_like),
    },
    Candidates {
        of: &rmsnorm::RMSNORM_GRAD,
        variants: &[&rmsnorm::GRAD_LANES[0], &rmsnorm::GRAD_LANES[1], &rmsnorm::GRAD_COLUMNS, &rmsnorm::GRAD_SUBGROUPS],
        gate: || vec![norm_grad(3, 7), norm_grad(70, 130)],
        classes: &Class::all("rmsnorm_grad", norm_grad_like),
    },
    Candidates {
        of: &layernorm::LAYERNORM_GRAD,
        variants: &[&layernorm::GRAD_COLUMNS],
        gate: || vec![layer_norm_grad(3, 7), layer_norm_grad(70, 130)],
        classes: &Class::all("layernorm_grad", layer_norm_grad_like),
    },
    Candidates {
        of: &bias::BIAS_GRAD,
        variants: &[&bias::GRAD_COLUMNS],
        gate: || vec![column_sums(3, 7), column_sums(70, 130)],
        classes: &Class::all("bias_grad", column_sums_like),
    },
    Candidates {
        of: &cross_entropy::CROSS_ENTROPY_GRAD,
        variants: &[
            &cross_entropy::GRAD_LANES[0],
            &cross_entropy::GRAD_LANES[1],
            &cross_entropy::GRAD_ONLINE,
            &cross_entropy::GRAD_SUBGROUPS,
        ],
        gate: || vec![loss(3, 7), loss(5, 130), loss(2, 1_030)],
        classes: &Class::all("cross_entropy_grad", loss_like),
    },
    Candidates {
        of: &embedding::EMBEDDING_GRAD,
        variants: &[&embedding::GRAD_LANES[0], &embedding::GRAD_LANES[1]],
        gate: || vec![table_grad(5, 3, 7), table_grad(70, 9, 130)],
        classes: &Class::all("embedding_grad", |_, _| table_grad(256, 64, 128)),
    },
    Candidates {
        of: &clip::SQUARED_SUMS,
        variants: &[&clip::SUMS_LANES[0], &clip::SUMS_LANES[1], &clip::SUMS_SUBGROUPS],
        gate: || vec![squares(7), squares(40_000)],
        classes: &Class::all("squared_sums", |_, _| squares(100_000)),
    },
];
