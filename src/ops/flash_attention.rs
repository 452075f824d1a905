//! FlashAttention-2 (Dao 2023): attention and its gradients without the (T, T) scores in memory. The forward pass keeps
//! the log-sum-exp of each query's scores, from which the backward pass computes the weights anew, tile by tile.
//!
//! q, out and their gradients are (B, T, H, D); k, v and theirs (B, T, Hkv, D); lse and delta (B, H, T).

use bytemuck::{Pod, Zeroable};

use super::cpu::attention::{Attention, Heads, HeadsMut};
use super::{CAUSAL_MASK, FLASH_TILE, KV_HEAD, Real, TILE};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::Kernel;
use crate::gpu::recording::{Recording, Slice};

/// The largest head that the kernels can hold in their tiles.
pub const MOST_D_HEAD: usize = 128;

/// Pairs of positions in a tile.
const TILE_PAIRS: usize = 1024;

/// The uniform of all four kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// T
    pub context_length: u32,
    /// H
    pub n_heads: u32,
    /// Hkv, a divisor of H.
    pub n_kv_heads: u32,
    /// D, at most [`MOST_D_HEAD`].
    pub d_head: u32,
    /// Width of a tile.
    cols: u32,
    /// 1: a query attends to no later position.
    causal: u32,
    /// 1/√D
    scale: f32,
}

impl Params {
    /// Parameters for T positions, H heads of queries, Hkv heads of keys and values, and heads of size D.
    ///
    /// # Panics
    /// When D is larger than [`MOST_D_HEAD`], or Hkv does not divide H.
    pub fn new(context_length: usize, n_heads: usize, n_kv_heads: usize, d_head: usize, causal: bool) -> Self {
        assert!(d_head <= MOST_D_HEAD, "d_head {d_head} is larger than {MOST_D_HEAD}");
        assert!(n_heads.is_multiple_of(n_kv_heads), "{n_kv_heads} heads of keys for {n_heads} heads of queries");
        Self {
            context_length: context_length as u32,
            n_heads: n_heads as u32,
            n_kv_heads: n_kv_heads as u32,
            d_head: d_head as u32,
            cols: d_head.next_power_of_two().max(4) as u32,
            causal: u32::from(causal),
            scale: 1.0 / (d_head as f32).sqrt(),
        }
    }

    /// One workgroup per tile of positions and head.
    fn workgroups(&self, batch_size: usize, n_heads: u32) -> [u32; 3] {
        let rows = TILE_PAIRS as u32 / self.cols;
        [self.context_length.div_ceil(rows), batch_size as u32 * n_heads, 1]
    }

    /// The keys that a query attends to are 0 .. this.
    fn keys_end(&self, query: usize) -> usize {
        if self.causal == 1 { query + 1 } else { self.context_length as usize }
    }

    /// Every query of a q with `q_len` elements.
    fn queries(&self, q_len: usize) -> impl Iterator<Item = Query> + use<> {
        let [n, h, kv, d] = [self.context_length, self.n_heads, self.n_kv_heads, self.d_head].map(|x| x as usize);
        (0..q_len / d).map(move |row| {
            let (batch, head, position) = (row / n / h, row / n % h, row % n);
            let at = ((batch * n + position) * h + head) * d;
            Query { position, at, first_key_at: (batch * n * kv + head / (h / kv)) * d, row }
        })
    }

    fn on_cpu(&self) -> Attention {
        let [n, n_heads, n_kv_heads, d] =
            [self.context_length, self.n_heads, self.n_kv_heads, self.d_head].map(|x| x as usize);
        Attention { n, n_heads, n_kv_heads, d, causal: self.causal == 1, scale: self.scale }
    }

    fn query_stride(&self) -> usize {
        self.n_heads as usize * self.d_head as usize
    }

    fn queries_of<'a>(&self, data: &'a [f32]) -> Heads<'a> {
        Heads { data, row: self.query_stride(), first: 0 }
    }

    fn keys_of<'a>(&self, data: &'a [f32]) -> Heads<'a> {
        Heads { data, row: self.key_stride(), first: 0 }
    }

    fn inputs<'a>(&self, [q, k, v, out_grad]: [&'a [f32]; 4]) -> [Heads<'a>; 4] {
        [self.queries_of(q), self.keys_of(k), self.keys_of(v), self.queries_of(out_grad)]
    }

    fn queries_mut<'a>(&self, data: &'a mut [f32]) -> HeadsMut<'a> {
        HeadsMut { data, row: self.query_stride(), first: 0 }
    }

    fn keys_mut<'a>(&self, data: &'a mut [f32]) -> HeadsMut<'a> {
        HeadsMut { data, row: self.key_stride(), first: 0 }
    }

    /// From one key of a head to the next.
    fn key_stride(&self) -> usize {
        self.n_kv_heads as usize * self.d_head as usize
    }
}

/// Where a query is, and what belongs to it.
struct Query {
    position: usize,
    /// Where it begins in q.
    at: usize,
    /// Where its head's first key begins in k.
    first_key_at: usize,
    /// Its index in lse.
    row: usize,
}

const BACKWARD: &[crate::gpu::kernel::Access] = &[Read, Read, Read, Read, Read, Read, ReadWrite];

/// q, k, v → out, lse
pub static FLASH_ATTENTION: Kernel = Kernel {
    name: "flash_attention",
    wgsl: &[TILE, CAUSAL_MASK, KV_HEAD, FLASH_TILE, include_str!("../../shaders/flash_attention.wgsl")],
    access: &[Read, Read, Read, ReadWrite, ReadWrite],
    params_bytes: size_of::<Params>(),
    cpu: |call| {
        let params: Params = call.params();
        let [q, k, v] = &std::array::from_fn(|i| call.f32(i + 1));
        let (out, lse) = (&mut call.f32_mut(4), &mut call.f32_mut(5));
        params.on_cpu().forward(
            [params.queries_of(q), params.keys_of(k), params.keys_of(v)],
            params.queries_mut(out),
            lse,
        );
    },
};

/// out, out_grad → delta
pub static FLASH_ATTENTION_DELTA: Kernel = Kernel {
    name: "flash_attention_delta",
    wgsl: &[TILE, CAUSAL_MASK, KV_HEAD, FLASH_TILE, include_str!("../../shaders/flash_attention_grad_q.wgsl")],
    access: &[Read, Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    cpu: |call| {
        let params: Params = call.params();
        let (out, out_grad) = (&call.f32(1), &call.f32(2));
        params.on_cpu().delta([out, out_grad].map(|x| params.queries_of(x)), &mut call.f32_mut(3));
    },
};

/// q, k, v, out_grad, lse, delta → q_grad
pub static FLASH_ATTENTION_GRAD_Q: Kernel = Kernel {
    name: "flash_attention_grad_q",
    wgsl: &[TILE, CAUSAL_MASK, KV_HEAD, FLASH_TILE, include_str!("../../shaders/flash_attention_grad_q.wgsl")],
    access: BACKWARD,
    params_bytes: size_of::<Params>(),
    cpu: |call| {
        let params: Params = call.params();
        let [q, k, v, out_grad, lse, delta] = &std::array::from_fn(|i| call.f32(i + 1));
        let inputs = params.inputs([q, k, v, out_grad]);
        params.on_cpu().grad_q(inputs, [lse, delta], params.queries_mut(&mut call.f32_mut(7)));
    },
};

/// q, k, v, out_grad, lse, delta → k_grad, v_grad
pub static FLASH_ATTENTION_GRAD_KV: Kernel = Kernel {
    name: "flash_attention_grad_kv",
    wgsl: &[TILE, CAUSAL_MASK, KV_HEAD, FLASH_TILE, include_str!("../../shaders/flash_attention_grad_kv.wgsl")],
    access: &[Read, Read, Read, Read, Read, Read, ReadWrite, ReadWrite],
    params_bytes: size_of::<Params>(),
    cpu: |call| {
        let params: Params = call.params();
        let [q, k, v, out_grad, lse, delta] = &std::array::from_fn(|i| call.f32(i + 1));
        let (k_grad, v_grad) = (&mut call.f32_mut(7), &mut call.f32_mut(8));
        let grads = [params.keys_mut(k_grad), params.keys_mut(v_grad)];
        params.on_cpu().grad_kv(params.inputs([q, k, v, out_grad]), [lse, delta], grads);
    },
};

/// Appends the forward pass of `batch_size` sequences: q, k, v → out, lse.
pub fn flash_attention(recording: &mut Recording, bindings: [Slice; 5], batch_size: usize, params: Params) {
    let workgroups = params.workgroups(batch_size, params.n_heads);
    recording.dispatch(&FLASH_ATTENTION, params, &bindings, workgroups);
}

/// Appends the backward pass: from `out_grad` to `grads`, the gradients of q, k and v. `delta` (B, H, T) is written on
/// the way.
pub fn flash_attention_grad(
    recording: &mut Recording,
    [q, k, v, out, lse]: [Slice; 5],
    [out_grad, delta]: [Slice; 2],
    grads: [Slice; 3],
    batch_size: usize,
    params: Params,
) {
    let rows = [params.context_length.div_ceil(64), batch_size as u32 * params.n_heads, 1];
    recording.dispatch(&FLASH_ATTENTION_DELTA, params, &[out, out_grad, delta], rows);
    let [q_grad, k_grad, v_grad] = grads;
    let of_queries = params.workgroups(batch_size, params.n_heads);
    let bindings = [q, k, v, out_grad, lse, delta, q_grad];
    recording.dispatch(&FLASH_ATTENTION_GRAD_Q, params, &bindings, of_queries);
    let of_keys = params.workgroups(batch_size, params.n_kv_heads);
    let bindings = [q, k, v, out_grad, lse, delta, k_grad, v_grad];
    recording.dispatch(&FLASH_ATTENTION_GRAD_KV, params, &bindings, of_keys);
}

fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).map(|(&a, &b)| a * b).sum()
}

fn add_scaled<T: Real>(sums: &mut [T], scale: T, x: &[T]) {
    sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum += scale * x);
}

/// `lse[query] = ln Σ_key exp(scale · q·k);   out[query] = Σ_key exp(scale · q·k − lse[query]) · v[key]`
pub fn reference<T: Real>([q, k, v]: [&[T]; 3], out: &mut [T], lse: &mut [T], params: &Params) {
    let (d, scale, stride) = (params.d_head as usize, T::of(f64::from(params.scale)), params.key_stride());
    out.fill(T::zero());
    for query in params.queries(q.len()) {
        let (q, out) = (&q[query.at..][..d], &mut out[query.at..][..d]);
        let keys = (0..params.keys_end(query.position)).map(|key| query.first_key_at + key * stride);
        let scores: Vec<T> = keys.clone().map(|at| scale * dot(q, &k[at..][..d])).collect();
        let largest = scores.iter().copied().fold(T::neg_infinity(), T::max);
        let sum: T = scores.iter().map(|&score| (score - largest).exp()).sum();
        lse[query.row] = largest + sum.ln();
        for (at, &score) in keys.zip(&scores) {
            add_scaled(out, (score - largest).exp() / sum, &v[at..][..d]);
        }
    }
}

/// `delta[query] = Σ_d out_grad · out`
pub fn reference_delta<T: Real>(out: &[T], out_grad: &[T], delta: &mut [T], params: &Params) {
    let d = params.d_head as usize;
    for query in params.queries(out.len()) {
        delta[query.row] = dot(&out[query.at..][..d], &out_grad[query.at..][..d]);
    }
}

/// Calls `visit(query, where the key begins, weight, gradient of the score)` for every visible pair.
fn visit_pairs<T: Real>(
    [q, k, v, out_grad, lse, delta]: [&[T]; 6],
    params: &Params,
    mut visit: impl FnMut(&Query, usize, T, T),
) {
    let (d, scale) = (params.d_head as usize, T::of(f64::from(params.scale)));
    for query in params.queries(q.len()) {
        let (q, out_grad) = (&q[query.at..][..d], &out_grad[query.at..][..d]);
        for key in 0..params.keys_end(query.position) {
            let at = query.first_key_at + key * params.key_stride();
            let weight = (scale * dot(q, &k[at..][..d]) - lse[query.row]).exp();
            let score_grad = weight * (dot(out_grad, &v[at..][..d]) - delta[query.row]);
            visit(&query, at, weight, score_grad);
        }
    }
}

/// `q_grad[query] = scale · Σ_key scores_grad[query, key] · k[key],   scores_grad = weights ⊙ (out_grad·v − delta)`
pub fn reference_grad_q<T: Real>(inputs: [&[T]; 6], q_grad: &mut [T], params: &Params) {
    let (d, scale) = (params.d_head as usize, T::of(f64::from(params.scale)));
    q_grad.fill(T::zero());
    visit_pairs(inputs, params, |query, key_at, _, score_grad| {
        add_scaled(&mut q_grad[query.at..][..d], scale * score_grad, &inputs[1][key_at..][..d]);
    });
}

/// `k_grad[key] = scale · Σ_query scores_grad[query, key] · q[query];   v_grad[key] = Σ_query weights · out_grad[query]`
pub fn reference_grad_kv<T: Real>(inputs: [&[T]; 6], [k_grad, v_grad]: [&mut [T]; 2], params: &Params) {
    let (d, scale) = (params.d_head as usize, T::of(f64::from(params.scale)));
    k_grad.fill(T::zero());
    v_grad.fill(T::zero());
    visit_pairs(inputs, params, |query, key_at, weight, score_grad| {
        add_scaled(&mut k_grad[key_at..][..d], scale * score_grad, &inputs[0][query.at..][..d]);
        add_scaled(&mut v_grad[key_at..][..d], weight, &inputs[3][query.at..][..d]);
    });
}
