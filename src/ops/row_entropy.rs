//! The entropy of every row of softmax weights, −Σ w·log₂ w in bits, for each head and for the mean of all heads.

use bytemuck::{Pod, Zeroable};

use super::{FLAT, REDUCE, row_loops};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::Kernel;
use crate::gpu::recording::{Recording, Slice, row_workgroups};

/// Uniform parameters of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// H: number of query heads.
    pub n_heads: u32,
    /// T: positions of the window.
    pub window: u32,
    /// Index of the first element to write.
    pub start: u32,
}

/// weights (H, T, T) → (H + 1, T) from `start`; the last T are those of the heads' mean
pub static ROW_ENTROPY: Kernel = Kernel {
    name: "row_entropy",
    wgsl: &[FLAT, REDUCE, wgsl!("../../shaders/row_entropy.wgsl")],
    access: &[Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: |params| {
        let Params { n_heads, window, .. } = bytemuck::pod_read_unaligned(params);
        row_loops::<64>(window, u64::from(n_heads) + 1)
    },
    cpu: |call| {
        let params: Params = call.params();
        reference(&call.f32(1), &mut call.f32_mut(2)[params.start as usize..], &params);
    },
};

/// Appends the entropies of all rows of `weights` into `entropies`.
pub fn row_entropy(recording: &mut Recording, [weights, entropies]: [Slice; 2], params: Params) {
    let rows = (params.n_heads + 1) * params.window;
    recording.dispatch(&ROW_ENTROPY, params, &[weights, entropies], row_workgroups(rows as usize));
}

/// `entropies[row] ← −Σ w·log₂ w`, where a weight of 0 adds nothing
pub fn reference(weights: &[f32], entropies: &mut [f32], params: &Params) {
    let (n_heads, window) = (params.n_heads as usize, params.window as usize);
    let cells = window * window;
    let weight = |head: usize, cell: usize| match head < n_heads {
        true => weights[head * cells + cell],
        false => (0..n_heads).map(|head| weights[head * cells + cell]).sum::<f32>() / n_heads as f32,
    };
    for (row, entropy) in entropies.iter_mut().take((n_heads + 1) * window).enumerate() {
        let (head, query) = (row / window, row % window);
        let row = (0..window).map(|key| weight(head, query * window + key)).filter(|&w| w > 0.0);
        *entropy = row.map(|w| -w * w.log2()).sum();
    }
}
