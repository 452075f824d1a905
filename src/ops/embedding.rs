//! Token embedding: `out[n] = table[ids[n]]`, (N, C) from (V, C).

use bytemuck::{Pod, Zeroable};

use super::{EIGHT_LANES, FLAT, FOUR_LANES, REDUCE_LANES, Real, cpu};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{CpuCall, Kernel, NO_LOOPS};
use crate::gpu::recording::{Recording, Slice, flat_workgroups, row_workgroups};
use crate::gpu::variant::Variant;

/// Uniform parameters of both kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// N: number of tokens.
    pub n_tokens: u32,
    /// V: vocabulary size.
    pub vocab_size: u32,
    /// C: width of a row.
    pub d_model: u32,
    /// 1: the gradient is added to the values of `table_grad`.
    pub accumulate: u32,
    /// Token id of the first of the V rows of the table that are bound. Tokens of other rows are skipped.
    pub first_id: u32,
}

impl Params {
    /// The bound row of a token; `None` if its row is not bound.
    fn row_of(&self, id: u32) -> Option<usize> {
        let v = id.checked_sub(self.first_id)?;
        (v < self.vocab_size).then_some(v as usize)
    }
}

const EMBEDDING_WGSL: &str = wgsl!("../../shaders/embedding.wgsl");
const ROWS_IN_LANES: &str = wgsl!("../../shaders/lib/embedding_lanes.wgsl");

const WGSL: &[&str] = &[FLAT, EMBEDDING_WGSL];

/// table (V, C), ids (N) → out (N, C)
pub static EMBEDDING: Kernel = Kernel {
    name: "embedding",
    wgsl: WGSL,
    access: &[Read, Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: NO_LOOPS,
    cpu: |call| {
        let params: Params = call.params();
        reference(&call.f32(1), &call.u32(2), &mut call.f32_mut(3), &params);
    },
};

/// out_grad (N, C), ids (N) → table_grad (V, C)
pub static EMBEDDING_GRAD: Kernel = grad("embedding_grad", block_loops, WGSL);

/// [`EMBEDDING_GRAD`] with subgroups of eight.
pub static EMBEDDING_GRAD_LANES: Kernel = grad(
    "embedding_grad_lanes",
    row_loops_of::<8>,
    &[FLAT, EIGHT_LANES, REDUCE_LANES, EMBEDDING_WGSL, ROWS_IN_LANES, row_entry!("embedding_grad_lanes", "sum_hits")],
);

/// [`EMBEDDING_GRAD`] with subgroups of four.
pub static EMBEDDING_GRAD_FOUR_LANES: Kernel = grad(
    "embedding_grad_four_lanes",
    row_loops_of::<4>,
    &[
        FLAT,
        FOUR_LANES,
        REDUCE_LANES,
        EMBEDDING_WGSL,
        ROWS_IN_LANES,
        row_entry!("embedding_grad_four_lanes", "sum_hits"),
    ],
);

/// Subgroup variants of [`EMBEDDING_GRAD`].
pub static GRAD_LANES: [Variant; 2] = [whole_rows(&EMBEDDING_GRAD_LANES, 8), whole_rows(&EMBEDDING_GRAD_FOUR_LANES, 4)];

/// Columns per workgroup of [`EMBEDDING_GRAD`].
const COLUMNS: u32 = 256;

/// A variant with one workgroup per row of the table, which computes all columns.
const fn whole_rows(kernel: &'static Kernel, subgroup_size: u32) -> Variant {
    Variant { workgroups: |_, [x, y, _]| Some([x, y, 1]), ..Variant::of_rows(&EMBEDDING_GRAD, kernel, subgroup_size) }
}

/// At most one hit per token; for every 1,024 tokens, 16 rounds over their ids and 32 words of hits.
fn block_loops(params: &[u8]) -> u64 {
    let n_tokens = u64::from(bytemuck::pod_read_unaligned::<Params>(params).n_tokens);
    n_tokens + n_tokens.div_ceil(1024) * 49
}

/// In the worst case all tokens are identical: each of them adds a whole row.
fn row_loops_of<const INVOCATIONS: u32>(params: &[u8]) -> u64 {
    let params: Params = bytemuck::pod_read_unaligned(params);
    let of_row = u64::from(params.d_model.div_ceil(INVOCATIONS));
    u64::from(params.n_tokens) * (1 + of_row) + u64::from(params.n_tokens.div_ceil(INVOCATIONS)) + of_row
}

const fn grad(name: &'static str, loops: fn(&[u8]) -> u64, wgsl: &'static [&'static str]) -> Kernel {
    Kernel { name, wgsl, access: &[Read, Read, ReadWrite], params_bytes: size_of::<Params>(), loops, cpu: run_grad }
}

fn run_grad(call: &CpuCall<'_>) {
    let params: Params = call.params();
    let [n_tokens, vocab_size, width] = [params.n_tokens, params.vocab_size, params.d_model].map(|size| size as usize);
    let table_grad = &mut call.f32_mut(3)[..vocab_size * width];
    let (out_grad, ids, accumulate) = (call.f32(1), call.u32(2), params.accumulate == 1);
    if params.first_id == 0 && ids[..n_tokens].iter().all(|&id| id < params.vocab_size) {
        cpu::embedding::embedding_grad(&out_grad, &ids[..n_tokens], table_grad, width, accumulate);
    } else {
        reference_grad(&out_grad, &ids, table_grad, &params);
    }
}

/// Appends the forward pass.
pub fn embedding(recording: &mut Recording, [table, ids, out]: [Slice; 3], params: Params) {
    let elements = params.n_tokens as usize * params.d_model as usize;
    recording.dispatch(&EMBEDDING, params, &[table, ids, out], flat_workgroups(elements));
}

/// Appends the backward pass, which overwrites `table_grad`, or adds to it when `accumulate` is 1.
pub fn embedding_grad(recording: &mut Recording, [out_grad, ids, table_grad]: [Slice; 3], params: Params) {
    let [x, y, _] = row_workgroups(params.vocab_size as usize);
    let workgroups = [x, y, params.d_model.div_ceil(COLUMNS)];
    recording.dispatch(&EMBEDDING_GRAD, params, &[out_grad, ids, table_grad], workgroups);
}

/// `out[n, c] = table[ids[n], c]`
pub fn reference<T: Real>(table: &[T], ids: &[u32], out: &mut [T], params: &Params) {
    let width = params.d_model as usize;
    for (row, &id) in out.chunks_exact_mut(width).zip(&ids[..params.n_tokens as usize]) {
        if let Some(v) = params.row_of(id) {
            row.copy_from_slice(&table[v * width..][..width]);
        }
    }
}

/// `table_grad[v, c] = Σ out_grad[n, c]` over the n with `ids[n] = v`, added when `accumulate` is 1
pub fn reference_grad<T: Real>(out_grad: &[T], ids: &[u32], table_grad: &mut [T], params: &Params) {
    let width = params.d_model as usize;
    if params.accumulate == 0 {
        table_grad[..params.vocab_size as usize * width].fill(T::zero());
    }
    for (row, &id) in out_grad.chunks_exact(width).zip(&ids[..params.n_tokens as usize]) {
        let Some(v) = params.row_of(id) else { continue };
        for (sum, &grad) in table_grad[v * width..][..width].iter_mut().zip(row) {
            *sum += grad;
        }
    }
}
