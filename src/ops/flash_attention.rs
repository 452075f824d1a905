//! FlashAttention-2 (Dao 2023): attention and its gradients without the (T, T) scores in memory. The forward pass stores
//! the log-sum-exp of each query's scores, from which the backward pass recomputes the weights.
//!
//! qkv and its gradient are (B, T, (H + 2·Hkv)·D), rows of queries, keys and values; out and its gradient are
//! (B, T, H, D); lse is (B, H, T).
//!
//! The kernels differ in how many elements of a head an invocation holds, in whether these are the whole head, and in
//! whether they read vectors of four. Subgroup variants load every key once for all of their invocations (see
//! [`super::tuning`]).

use bytemuck::{Pod, Zeroable};

use super::rows::{ROW_16, ROW_32, ROW_64};
use super::{CAUSAL_MASK, KV_HEAD, Real, TILE, cpu};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{CpuCall, Kernel};
use crate::gpu::recording::{Recording, Slice};
use crate::gpu::variant::Variant;

mod group;

pub use group::*;

/// Positions per workgroup.
const POSITIONS: u32 = 128;

/// Uniform parameters of all kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// T: positions of a sequence.
    pub context_length: u32,
    /// H: number of query heads.
    pub n_heads: u32,
    /// Hkv: number of KV heads, a divisor of H.
    pub n_kv_heads: u32,
    /// D: size of a head.
    pub d_head: u32,
    /// 1: a query attends only to itself and earlier positions.
    pub causal: u32,
    /// 1: q and k have been rotated, so their gradients are rotated back.
    pub rotated: u32,
    /// Factor of the scores: 1/√D.
    pub scale: f32,
}

impl Params {
    /// Parameters for T positions, H query heads, Hkv KV heads, and heads of size D, with the causal mask and without
    /// rotation.
    ///
    /// # Panics
    /// When Hkv does not divide H.
    pub fn new(context_length: usize, n_heads: usize, n_kv_heads: usize, d_head: usize) -> Self {
        assert!(n_heads.is_multiple_of(n_kv_heads), "{n_kv_heads} heads of keys for {n_heads} heads of queries");
        Self {
            context_length: context_length as u32,
            n_heads: n_heads as u32,
            n_kv_heads: n_kv_heads as u32,
            d_head: d_head as u32,
            causal: 1,
            rotated: 0,
            scale: 1.0 / (d_head as f32).sqrt(),
        }
    }

    /// Workgroup counts: one per run of positions, head, and part of a head.
    fn workgroups(&self, batch_size: usize, parts: u32) -> [u32; 3] {
        [self.context_length.div_ceil(POSITIONS), batch_size as u32 * self.n_heads, parts]
    }

    /// End of the range of keys (from 0) that a query attends to.
    fn keys_end(&self, query: usize) -> usize {
        if self.causal == 1 { query + 1 } else { self.context_length as usize }
    }

    /// Elements of a row of qkv.
    pub(super) fn width(&self) -> usize {
        (self.n_heads + 2 * self.n_kv_heads) as usize * self.d_head as usize
    }

    /// Every query of an `out` with `len` elements.
    fn queries(&self, len: usize) -> impl Iterator<Item = Query> + use<> {
        let [n, h, kv, d] = [self.context_length, self.n_heads, self.n_kv_heads, self.d_head].map(|x| x as usize);
        let width = self.width();
        (0..len / d).map(move |row| {
            let (batch, head, position) = (row / n / h, row / n % h, row % n);
            Query {
                position,
                q_at: (batch * n + position) * width + head * d,
                out_at: ((batch * n + position) * h + head) * d,
                first_key_at: batch * n * width + (h + head / (h / kv)) * d,
                row,
            }
        })
    }
}

/// Offsets of a query and its data.
struct Query {
    position: usize,
    /// Offset of the query in qkv.
    q_at: usize,
    /// Offset of its output in out.
    out_at: usize,
    /// Offset of its head's first key in qkv; each value comes Hkv·D after its key.
    first_key_at: usize,
    /// Index of the query in lse.
    row: usize,
}

/// Upper bound of the iterations for one query and one key with `products` inner products: the loop over keys, the one
/// over the keys of a subgroup, and those over the parts of a head that an invocation does not hold.
fn pair_loops(params: &Params, products: u64) -> u64 {
    2 + products * parts(params)
}

/// The parts of a head that an invocation loops over.
fn parts(params: &Params) -> u64 {
    u64::from(match params.d_head {
        d if !d.is_multiple_of(4) => d.div_ceil(32),
        ..=64 => 0,
        d => d.div_ceil(64),
    })
}

/// Iterations of what is done once for each of four positions: loading, deltas, storing.
fn position_loops(params: &Params) -> u64 {
    32 + 4 * parts(params)
}

fn forward_loops(params: &Params) -> u64 {
    u64::from(params.context_length) * pair_loops(params, 1) + position_loops(params)
}

/// A workgroup that owns keys visits the queries of all heads that share them.
fn grad_loops(params: &Params) -> u64 {
    let pairs = u64::from(params.context_length) * u64::from(params.n_heads / params.n_kv_heads);
    pairs * pair_loops(params, 2) + position_loops(params)
}

/// Defines the forward and backward kernels for rows of one length.
macro_rules! kernels {
    ($forward:ident $forward_name:literal, $backward:ident $backward_name:literal, $row:ident, [$($piece:literal),*], $doc:literal) => {
        #[doc = concat!("qkv → out, lse, ", $doc)]
        pub static $forward: Kernel = Kernel {
            name: $forward_name,
            wgsl: kernels!(@wgsl $forward_name, $backward_name, $row, [$($piece),*]),
            access: &[Read, ReadWrite, ReadWrite],
            params_bytes: size_of::<Params>(),
            loops: |params| forward_loops(&bytemuck::pod_read_unaligned(params)),
            cpu: |call| cpu::flash::forward(&call.f32(1), &mut call.f32_mut(2), &mut call.f32_mut(3), &call.params()),
        };
        #[doc = concat!("qkv, out, out_grad, lse, cos_sin → qkv_grad, ", $doc)]
        pub static $backward: Kernel = Kernel {
            name: $backward_name,
            wgsl: kernels!(@wgsl $forward_name, $backward_name, $row, [$($piece),*]),
            access: &[Read, Read, Read, Read, Read, ReadWrite],
            params_bytes: size_of::<Params>(),
            loops: |params| grad_loops(&bytemuck::pod_read_unaligned(params)),
            cpu: run_grad,
        };
    };
    (@wgsl $forward_name:literal, $backward_name:literal, $row:ident, [$($piece:literal),*]) => {
        &[
            CAUSAL_MASK,
            KV_HEAD,
            TILE,
            $row,
            $(wgsl!(concat!("../../shaders/lib/", $piece, ".wgsl")),)*
            wgsl!("../../shaders/lib/rows_of_four.wgsl"),
            wgsl!("../../shaders/flash_attention.wgsl"),
            wgsl!("../../shaders/flash_attention_grad.wgsl"),
            wgsl!("../../shaders/flash_attention_grad_keys.wgsl"),
            entry!($forward_name, "attend"),
            entry!($backward_name, "attend_grad"),
        ]
    };
}

kernels!(
    FLASH_ATTENTION_16 "flash_attention_16", FLASH_ATTENTION_GRAD_16 "flash_attention_grad_16",
    ROW_16, ["element_vec4", "flash_vec4", "flash_whole", "flash_alone"], "D ≤ 16"
);
kernels!(
    FLASH_ATTENTION_32 "flash_attention_32", FLASH_ATTENTION_GRAD_32 "flash_attention_grad_32",
    ROW_32, ["element_vec4", "flash_vec4", "flash_whole", "flash_alone"], "D ≤ 32"
);
kernels!(
    FLASH_ATTENTION_64 "flash_attention_64", FLASH_ATTENTION_GRAD_64 "flash_attention_grad_64",
    ROW_64, ["element_vec4", "flash_vec4", "flash_whole", "flash_alone"], "D ≤ 64"
);
kernels!(
    FLASH_ATTENTION_PARTS "flash_attention_parts", FLASH_ATTENTION_GRAD_PARTS "flash_attention_grad_parts",
    ROW_64, ["element_vec4", "flash_vec4", "flash_parts", "flash_alone"], "D a multiple of 4"
);
kernels!(
    FLASH_ATTENTION_ANY "flash_attention_any", FLASH_ATTENTION_GRAD_ANY "flash_attention_grad_any",
    ROW_32, ["flash_scalar", "flash_parts", "flash_alone"], "any D"
);
kernels!(
    FLASH_ATTENTION_16_LANES "flash_attention_16_lanes", FLASH_ATTENTION_GRAD_16_LANES "flash_attention_grad_16_lanes",
    ROW_16, ["element_u64", "flash_vec4", "flash_whole", "eight_lanes", "flash_lanes"], "D ≤ 16, with subgroups"
);
kernels!(
    FLASH_ATTENTION_32_LANES "flash_attention_32_lanes", FLASH_ATTENTION_GRAD_32_LANES "flash_attention_grad_32_lanes",
    ROW_32, ["element_u64", "flash_vec4", "flash_whole", "eight_lanes", "flash_lanes"], "D ≤ 32, with subgroups"
);

kernels!(
    FLASH_ATTENTION_16_FOUR_LANES "flash_attention_16_four_lanes",
    FLASH_ATTENTION_GRAD_16_FOUR_LANES "flash_attention_grad_16_four_lanes",
    ROW_16, ["element_vec4", "flash_vec4", "flash_whole", "four_lanes", "flash_lanes"], "D ≤ 16, with subgroups of four"
);
kernels!(
    FLASH_ATTENTION_32_FOUR_LANES "flash_attention_32_four_lanes",
    FLASH_ATTENTION_GRAD_32_FOUR_LANES "flash_attention_grad_32_four_lanes",
    ROW_32, ["element_vec4", "flash_vec4", "flash_whole", "four_lanes", "flash_lanes"], "D ≤ 32, with subgroups of four"
);

/// Subgroup variants of each of these kernels: with subgroups of eight and of four.
pub static LANES: [[Variant; 2]; 4] = [
    lanes(&FLASH_ATTENTION_16, [&FLASH_ATTENTION_16_LANES, &FLASH_ATTENTION_16_FOUR_LANES]),
    lanes(&FLASH_ATTENTION_GRAD_16, [&FLASH_ATTENTION_GRAD_16_LANES, &FLASH_ATTENTION_GRAD_16_FOUR_LANES]),
    lanes(&FLASH_ATTENTION_32, [&FLASH_ATTENTION_32_LANES, &FLASH_ATTENTION_32_FOUR_LANES]),
    lanes(&FLASH_ATTENTION_GRAD_32, [&FLASH_ATTENTION_GRAD_32_LANES, &FLASH_ATTENTION_GRAD_32_FOUR_LANES]),
];

const fn lanes(of: &'static Kernel, [eight, four]: [&'static Kernel; 2]) -> [Variant; 2] {
    [
        Variant { of, kernel: eight, workgroups: workgroups_of::<8>, subgroup_size: 8, int64: true, hardware: false },
        Variant { of, kernel: four, workgroups: workgroups_of::<4>, subgroup_size: 4, int64: false, hardware: false },
    ]
}

/// Workgroup counts for workgroups of `INVOCATIONS` invocations, each of which owns four positions.
fn workgroups_of<const INVOCATIONS: u32>(params: &[u8], [_, y, z]: [u32; 3]) -> Option<[u32; 3]> {
    let params: Params = bytemuck::pod_read_unaligned(params);
    Some([params.context_length.div_ceil(4 * INVOCATIONS), y, z])
}

fn run_grad(call: &CpuCall<'_>) {
    let [qkv, out, out_grad, lse, cos_sin] = &std::array::from_fn(|i| call.f32(i + 1));
    cpu::flash::grad([qkv, out, out_grad, lse, cos_sin], &mut call.f32_mut(6), &call.params());
}

/// The kernels for heads of this size, and the number of elements that an invocation holds.
fn kernels(d_head: u32) -> ([&'static Kernel; 2], u32) {
    match d_head {
        d if !d.is_multiple_of(4) => ([&FLASH_ATTENTION_ANY, &FLASH_ATTENTION_GRAD_ANY], 32),
        ..=16 => ([&FLASH_ATTENTION_16, &FLASH_ATTENTION_GRAD_16], 16),
        17..=32 => ([&FLASH_ATTENTION_32, &FLASH_ATTENTION_GRAD_32], 32),
        33..=64 => ([&FLASH_ATTENTION_64, &FLASH_ATTENTION_GRAD_64], 64),
        _ => ([&FLASH_ATTENTION_PARTS, &FLASH_ATTENTION_GRAD_PARTS], 64),
    }
}

/// Appends the forward pass of `batch_size` sequences: qkv → out, lse.
pub fn flash_attention(recording: &mut Recording, bindings: [Slice; 3], batch_size: usize, params: Params) {
    let ([kernel, _], row) = kernels(params.d_head);
    recording.dispatch(kernel, params, &bindings, params.workgroups(batch_size, params.d_head.div_ceil(row)));
}

/// Appends the backward pass: qkv, out, out_grad, lse, cos_sin → qkv_grad. `cos_sin` needs at least four elements, and is
/// read only where `rotated` is 1.
pub fn flash_attention_grad(recording: &mut Recording, bindings: [Slice; 6], batch_size: usize, params: Params) {
    let ([_, kernel], row) = kernels(params.d_head);
    // Half of the workgroups own queries, the others keys.
    recording.dispatch(kernel, params, &bindings, params.workgroups(batch_size, 2 * params.d_head.div_ceil(row)));
}

/// Operations of attention with these parameters and an output of `out_len` elements, where every visible pair of query
/// and key takes part in `products` products.
pub(super) fn flops(params: &[u8], out_len: usize, products: f64) -> f64 {
    let params: Params = bytemuck::pod_read_unaligned(params);
    let n = f64::from(params.context_length);
    let keys_per_query = if params.causal == 1 { (n + 1.0) / 2.0 } else { n };
    2.0 * products * out_len as f64 * keys_per_query
}

fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).map(|(&a, &b)| a * b).sum()
}

fn add_scaled<T: Real>(sums: &mut [T], scale: T, x: &[T]) {
    sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum += scale * x);
}

/// `lse[query] = ln Σ_key exp(scale · q·k);   out[query] = Σ_key exp(scale · q·k − lse[query]) · v[key]`
pub fn reference<T: Real>(qkv: &[T], out: &mut [T], lse: &mut [T], params: &Params) {
    let (d, scale) = (params.d_head as usize, T::of(f64::from(params.scale)));
    let (width, to_value) = (params.width(), params.n_kv_heads as usize * d);
    out.fill(T::zero());
    for query in params.queries(out.len()) {
        let (q, out) = (&qkv[query.q_at..][..d], &mut out[query.out_at..][..d]);
        let keys = (0..params.keys_end(query.position)).map(|key| query.first_key_at + key * width);
        let scores: Vec<T> = keys.clone().map(|at| scale * dot(q, &qkv[at..][..d])).collect();
        let largest = scores.iter().copied().fold(T::neg_infinity(), T::max);
        let sum: T = scores.iter().map(|&score| (score - largest).exp()).sum();
        lse[query.row] = largest + sum.ln();
        for (at, &score) in keys.zip(&scores) {
            add_scaled(out, (score - largest).exp() / sum, &qkv[at + to_value..][..d]);
        }
    }
}

/// With `weights = exp(scale · q·k − lse)`, `delta = Σ_d out_grad · out` and
/// `scores_grad = weights ⊙ (out_grad·v − delta)`:
/// `q_grad = scale · scores_grad · k`, `k_grad = scale · scores_gradᵀ · q`, `v_grad = weightsᵀ · out_grad`
pub fn reference_grad<T: Real>([qkv, out, out_grad, lse, cos_sin]: [&[T]; 5], qkv_grad: &mut [T], params: &Params) {
    let (d, scale) = (params.d_head as usize, T::of(f64::from(params.scale)));
    let (width, to_value) = (params.width(), params.n_kv_heads as usize * d);
    qkv_grad.fill(T::zero());
    for query in params.queries(out.len()) {
        let (q, grad) = (&qkv[query.q_at..][..d], &out_grad[query.out_at..][..d]);
        let delta = dot(&out[query.out_at..][..d], grad);
        for key in 0..params.keys_end(query.position) {
            let (k_at, v_at) = (query.first_key_at + key * width, query.first_key_at + key * width + to_value);
            let weight = (scale * dot(q, &qkv[k_at..][..d]) - lse[query.row]).exp();
            let score_grad = scale * weight * (dot(grad, &qkv[v_at..][..d]) - delta);
            add_scaled(&mut qkv_grad[query.q_at..][..d], score_grad, &qkv[k_at..][..d]);
            add_scaled(&mut qkv_grad[k_at..][..d], score_grad, q);
            add_scaled(&mut qkv_grad[v_at..][..d], weight, grad);
        }
    }
    if params.rotated == 1 {
        turn_back(cos_sin, qkv_grad, params);
    }
}

/// (x₀, x₁) ← (x₀·cos + x₁·sin, x₁·cos − x₀·sin) for queries and keys
pub(super) fn turn_back<T: Real>(cos_sin: &[T], qkv_grad: &mut [T], params: &Params) {
    let (d, n) = (params.d_head as usize, params.context_length as usize);
    let rotated = (params.n_heads + params.n_kv_heads) as usize * d;
    for (row, grads) in qkv_grad.chunks_exact_mut(params.width()).enumerate() {
        let table = &cos_sin[row % n * d..][..d];
        for head in grads[..rotated].chunks_exact_mut(d) {
            for (x, turn) in head.chunks_exact_mut(2).zip(table.chunks_exact(2)) {
                (x[0], x[1]) = (x[0] * turn[0] + x[1] * turn[1], x[1] * turn[0] - x[0] * turn[1]);
            }
        }
    }
}
