//! Cross-entropy per position, `losses[n] = ln Σ exp(logits[n]) − logits[n, targets[n]]`, in nats; the loss is their
//! mean, or their sum with one coefficient each. Their negatives are the log-probabilities of the targets; the kernels for
//! coefficients also write the entropy of every position's distribution.

use bytemuck::{Pod, Zeroable};

use super::{EIGHT_LANES, FLAT, FOUR_LANES, REDUCE, REDUCE_LANES, REDUCE_SUBGROUPS, Real, cpu, row_loops};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::Kernel;
use crate::gpu::recording::{Recording, Slice, row_workgroups};
use crate::gpu::variant::Variant;

/// Uniform parameters of both kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// N: number of rows.
    pub n_rows: u32,
    /// V: vocabulary size.
    pub vocab_size: u32,
    /// Columns of a block: the logits are stored as consecutive blocks (N, block), of which the last may be narrower. V,
    /// or a multiple of 64.
    pub block: u32,
    /// Rows of the whole batch, over which the loss is averaged: N, unless this dispatch computes only part of the batch.
    pub n_total: u32,
}

impl Params {
    /// Parameters for all rows of a batch in a single block.
    pub fn new(n_rows: usize, vocab_size: usize) -> Self {
        let [n_rows, vocab_size] = [n_rows, vocab_size].map(|size| size as u32);
        Self { n_rows, vocab_size, block: vocab_size, n_total: n_rows }
    }

    fn sizes(&self) -> [usize; 2] {
        [self.n_rows as usize, self.vocab_size as usize]
    }

    /// The widths of the blocks.
    fn blocks(&self) -> impl Iterator<Item = usize> {
        let (v, block) = (self.vocab_size, self.block.max(1));
        (0..v.div_ceil(block)).map(move |index| block.min(v - index * block) as usize)
    }

    /// Converts logits from blocks to rows.
    fn rows_of(&self, blocked: &[f32]) -> Vec<f32> {
        let (n, v) = (self.n_rows as usize, self.vocab_size as usize);
        let mut rows = vec![0.0; n * v];
        let (mut first, mut rest) = (0, blocked);
        for width in self.blocks() {
            let (block, others) = rest.split_at(n * width);
            for (row, part) in rows.chunks_exact_mut(v).zip(block.chunks_exact(width)) {
                row[first..first + width].copy_from_slice(part);
            }
            (first, rest) = (first + width, others);
        }
        rows
    }

    /// Converts rows to blocks.
    fn write_blocks(&self, rows: &[f32], blocked: &mut [f32]) {
        let (n, v) = (self.n_rows as usize, self.vocab_size as usize);
        let (mut first, mut rest) = (0, blocked);
        for width in self.blocks() {
            let (block, others) = rest.split_at_mut(n * width);
            for (row, part) in rows.chunks_exact(v).zip(block.chunks_exact_mut(width)) {
                part.copy_from_slice(&row[first..first + width]);
            }
            (first, rest) = (first + width, others);
        }
    }
}

const WGSL: &str = wgsl!("../../shaders/cross_entropy.wgsl");
const ONLINE: &str = wgsl!("../../shaders/cross_entropy_online.wgsl");
const MEAN: &str = wgsl!("../../shaders/lib/mean_of_rows.wgsl");
const COEFFICIENTS: &str = wgsl!("../../shaders/lib/row_coefficients.wgsl");
const NO_ENTROPIES: &str = wgsl!("../../shaders/lib/no_row_entropies.wgsl");
const ENTROPIES: &str = wgsl!("../../shaders/lib/row_entropies.wgsl");

/// logits (N, V), targets (N) → losses (N)
pub static CROSS_ENTROPY: Kernel = Kernel {
    name: "cross_entropy",
    wgsl: &[FLAT, REDUCE, MEAN, NO_ENTROPIES, WGSL, row_entry!("cross_entropy", "row_loss")],
    access: &[Read, Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: |params| block_loops::<64>(&bytemuck::pod_read_unaligned(params), 2),
    cpu: |call| {
        let params: Params = call.params();
        let (sizes, logits) = ([params.n_rows as usize, params.vocab_size as usize], call.f32(1));
        let (targets, losses) = (call.u32(2), &mut call.f32_mut(3));
        match params.block == params.vocab_size {
            true => cpu::loss::cross_entropy(&logits, &targets, losses, sizes),
            false => cpu::loss::cross_entropy(&params.rows_of(&logits), &targets, losses, sizes),
        }
    },
};

/// logits (N, V) are replaced by the gradient of the mean loss; targets (N) → losses (N)
pub static CROSS_ENTROPY_GRAD: Kernel = grad(
    "cross_entropy_grad",
    grad_loops::<64>,
    &[FLAT, REDUCE, MEAN, NO_ENTROPIES, WGSL, row_entry!("cross_entropy_grad", "row_grad")],
);

/// [`CROSS_ENTROPY_GRAD`] with subgroups of eight.
pub static CROSS_ENTROPY_GRAD_LANES: Kernel = grad(
    "cross_entropy_grad_lanes",
    grad_loops::<8>,
    &[FLAT, EIGHT_LANES, REDUCE_LANES, MEAN, NO_ENTROPIES, WGSL, row_entry!("cross_entropy_grad_lanes", "row_grad")],
);

/// [`CROSS_ENTROPY_GRAD`] with subgroups of four.
pub static CROSS_ENTROPY_GRAD_FOUR_LANES: Kernel = grad(
    "cross_entropy_grad_four_lanes",
    grad_loops::<4>,
    &[
        FLAT,
        FOUR_LANES,
        REDUCE_LANES,
        MEAN,
        NO_ENTROPIES,
        WGSL,
        row_entry!("cross_entropy_grad_four_lanes", "row_grad"),
    ],
);

/// [`CROSS_ENTROPY_GRAD`] for GPUs: maximum and sum in one pass.
pub static CROSS_ENTROPY_GRAD_ONLINE: Kernel = grad(
    "cross_entropy_grad_online",
    grad_loops::<64>,
    &[FLAT, REDUCE, MEAN, NO_ENTROPIES, WGSL, ONLINE, row_entry!("cross_entropy_grad_online", "row_grad_online")],
);

/// [`CROSS_ENTROPY_GRAD_ONLINE`] with subgroups of any size.
pub static CROSS_ENTROPY_GRAD_SUBGROUPS: Kernel = grad(
    "cross_entropy_grad_subgroups",
    grad_loops::<64>,
    &[
        FLAT,
        REDUCE_SUBGROUPS,
        MEAN,
        NO_ENTROPIES,
        WGSL,
        ONLINE,
        subgroup_row_entry!("cross_entropy_grad_subgroups", "row_grad_online"),
    ],
);

/// [`CROSS_ENTROPY_GRAD_SUBGROUPS`] in place of [`CROSS_ENTROPY_GRAD`].
pub static GRAD_SUBGROUPS: Variant = Variant::of_subgroups(&CROSS_ENTROPY_GRAD, &CROSS_ENTROPY_GRAD_SUBGROUPS);

/// [`CROSS_ENTROPY_GRAD_ONLINE`] in place of [`CROSS_ENTROPY_GRAD`].
pub static GRAD_ONLINE: Variant =
    Variant { hardware: true, ..Variant::of_rows(&CROSS_ENTROPY_GRAD, &CROSS_ENTROPY_GRAD_ONLINE, 0) };

/// logits (N, V), targets (N) → losses (N), entropies (N)
pub static TOKEN_ENTROPY: Kernel = Kernel {
    name: "token_entropy",
    wgsl: &[FLAT, REDUCE, MEAN, ENTROPIES, WGSL, row_entry!("token_entropy", "row_loss")],
    access: &[Read, Read, ReadWrite, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: |params| block_loops::<64>(&bytemuck::pod_read_unaligned(params), 2) + ENTROPY_SUM,
    cpu: |call| {
        let params: Params = call.params();
        let (sizes, logits) = (params.sizes(), call.f32(1));
        let (targets, losses, entropies) = (call.u32(2), &mut call.f32_mut(3), &mut call.f32_mut(4));
        match params.block == params.vocab_size {
            true => cpu::loss::cross_entropy_and_entropies(&logits, &targets, losses, entropies, sizes),
            false => {
                let rows = params.rows_of(&logits);
                cpu::loss::cross_entropy_and_entropies(&rows, &targets, losses, entropies, sizes);
            }
        }
    },
};

/// logits (N, V) are replaced by the gradient of Σ coefficient · loss; targets (N) → losses (N), entropies (N); coefficients
/// (N)
pub static WEIGHTED_CROSS_ENTROPY_GRAD: Kernel = Kernel {
    name: "weighted_cross_entropy_grad",
    wgsl: &[FLAT, REDUCE, COEFFICIENTS, ENTROPIES, WGSL, row_entry!("weighted_cross_entropy_grad", "row_grad")],
    access: &[ReadWrite, Read, ReadWrite, ReadWrite, Read],
    params_bytes: size_of::<Params>(),
    loops: |params| grad_loops::<64>(params) + ENTROPY_SUM,
    cpu: |call| {
        let params: Params = call.params();
        let (sizes, logits, targets) = (params.sizes(), &mut *call.f32_mut(1), &*call.u32(2));
        let (losses, entropies, coefficients) = (&mut *call.f32_mut(3), &mut *call.f32_mut(4), &*call.f32(5));
        let outputs = [losses, entropies];
        if params.block == params.vocab_size {
            cpu::loss::weighted_cross_entropy_grad(logits, targets, outputs, coefficients, sizes);
        } else {
            let mut rows = params.rows_of(logits);
            cpu::loss::weighted_cross_entropy_grad(&mut rows, targets, outputs, coefficients, sizes);
            params.write_blocks(&rows, logits);
        }
    },
};

/// Iterations of one more sum over a workgroup.
const ENTROPY_SUM: u64 = 6;

/// Subgroup variants of [`CROSS_ENTROPY_GRAD`].
pub static GRAD_LANES: [Variant; 2] = [
    Variant::of_rows(&CROSS_ENTROPY_GRAD, &CROSS_ENTROPY_GRAD_LANES, 8),
    Variant::of_rows(&CROSS_ENTROPY_GRAD, &CROSS_ENTROPY_GRAD_FOUR_LANES, 4),
];

/// Iterations of `passes` passes over the blocks of a row.
fn block_loops<const INVOCATIONS: u32>(params: &Params, passes: u64) -> u64 {
    row_loops::<INVOCATIONS>(params.vocab_size, passes)
        + 2 * passes * u64::from(params.vocab_size / params.block.max(1))
}

fn grad_loops<const INVOCATIONS: u32>(params: &[u8]) -> u64 {
    block_loops::<INVOCATIONS>(&bytemuck::pod_read_unaligned(params), 3)
}

const fn grad(name: &'static str, loops: fn(&[u8]) -> u64, wgsl: &'static [&'static str]) -> Kernel {
    Kernel {
        name,
        wgsl,
        access: &[ReadWrite, Read, ReadWrite],
        params_bytes: size_of::<Params>(),
        loops,
        cpu: |call| {
            let params: Params = call.params();
            let (logits, targets, losses) = (&mut *call.f32_mut(1), &*call.u32(2), &mut *call.f32_mut(3));
            let sizes = [params.n_rows as usize, params.vocab_size as usize];
            let count = params.n_total as usize;
            if params.block == params.vocab_size {
                cpu::loss::cross_entropy_grad(logits, targets, losses, sizes, count);
            } else {
                let mut rows = params.rows_of(logits);
                cpu::loss::cross_entropy_grad(&mut rows, targets, losses, sizes, count);
                params.write_blocks(&rows, logits);
            }
        },
    }
}

/// Appends the losses without the gradient.
pub fn cross_entropy(recording: &mut Recording, bindings: [Slice; 3], params: Params) {
    recording.dispatch(&CROSS_ENTROPY, params, &bindings, row_workgroups(params.n_rows as usize));
}

/// Appends the losses and the gradient, which replaces the logits.
pub fn cross_entropy_grad(recording: &mut Recording, bindings: [Slice; 3], params: Params) {
    recording.dispatch(&CROSS_ENTROPY_GRAD, params, &bindings, row_workgroups(params.n_rows as usize));
}

/// Appends losses and entropies: logits, targets, losses, entropies.
pub fn token_entropy(recording: &mut Recording, bindings: [Slice; 4], params: Params) {
    recording.dispatch(&TOKEN_ENTROPY, params, &bindings, row_workgroups(params.n_rows as usize));
}

/// Appends losses, entropies and the gradient of the weighted sum, which replaces the logits: logits, targets, losses,
/// entropies, coefficients.
pub fn weighted_cross_entropy_grad(recording: &mut Recording, bindings: [Slice; 5], params: Params) {
    recording.dispatch(&WEIGHTED_CROSS_ENTROPY_GRAD, params, &bindings, row_workgroups(params.n_rows as usize));
}

/// `losses[n] = ln Σ exp(logits[n]) − logits[n, targets[n]]`
pub fn reference<T: Real>(logits: &[T], targets: &[u32], losses: &mut [T], params: &Params) {
    for (n, row) in logits.chunks_exact(params.vocab_size as usize).enumerate().take(params.n_rows as usize) {
        let largest = row.iter().copied().fold(T::neg_infinity(), T::max);
        let sum: T = row.iter().map(|&logit| (logit - largest).exp()).sum();
        losses[n] = sum.ln() + largest - row[targets[n] as usize];
    }
}

/// `logits[n, v] ← (softmax(logits[n])[v] − [v = targets[n]]) / N`
pub fn reference_grad<T: Real>(logits: &mut [T], targets: &[u32], params: &Params) {
    let (n_rows, n_cols) = (params.n_rows, params.vocab_size);
    super::softmax::reference(logits, &super::softmax::Params { n_rows, n_cols });
    let count = T::of(f64::from(params.n_total));
    for (row, &target) in logits.chunks_exact_mut(n_cols as usize).zip(&targets[..n_rows as usize]) {
        row[target as usize] = row[target as usize] - T::one();
        row.iter_mut().for_each(|grad| *grad = *grad / count);
    }
}

/// `logits[n, v] ← coefficients[n] · (softmax(logits[n])[v] − [v = targets[n]])`
pub fn reference_weighted<T: Real>(logits: &mut [T], targets: &[u32], coefficients: &[T], params: &Params) {
    reference_grad(logits, targets, &Params { n_total: 1, ..*params });
    for (row, &coefficient) in logits.chunks_exact_mut(params.vocab_size as usize).zip(coefficients) {
        row.iter_mut().for_each(|grad| *grad = *grad * coefficient);
    }
}

/// `entropies[n] = −Σ p·ln p` of `softmax(logits[n])`, in nats
pub fn reference_entropies<T: Real>(logits: &[T], entropies: &mut [T], params: &Params) {
    let mut weights = logits.to_vec();
    let (n_rows, n_cols) = (params.n_rows, params.vocab_size);
    super::softmax::reference(&mut weights, &super::softmax::Params { n_rows, n_cols });
    for (row, entropy) in weights.chunks_exact(n_cols as usize).zip(entropies) {
        *entropy = row.iter().filter(|&&p| p > T::zero()).map(|&p| -p * p.ln()).sum();
    }
}
