//! Attention with all its weights in memory, as products of matrices.

use crate::ops::{attention_scores, weighted_sum};
use crate::threads;
use crate::unchecked::{Matrix, MatrixMut, multiply};

/// Twin of [`attention_scores::reference`](crate::ops::attention_scores::reference).
pub fn attention_scores(q: &[f32], k: &[f32], scores: &mut [f32], params: &attention_scores::Params) {
    let [n, h, kv, d] = [params.context_length, params.n_heads, params.n_kv_heads, params.d_head].map(|x| x as usize);
    threads::each(scores.chunks_exact_mut(n * n).enumerate().collect(), |(batch_head, scores)| {
        let (batch, head) = (batch_head / h, batch_head % h);
        let q = Matrix::new(&q[(batch * n * h + head) * d..], [n, d], h * d);
        let k = Matrix::new(&k[(batch * n * kv + head / (h / kv)) * d..], [n, d], kv * d);
        multiply(q, k.transposed(), MatrixMut::new(scores, [n, n], n), params.scale, false);
        scores.chunks_exact_mut(n).enumerate().for_each(|(query, row)| row[query + 1..].fill(params.masked_value));
    });
}

/// Twin of [`weighted_sum::reference`](crate::ops::weighted_sum::reference), for weights that are 0 where masked, as
/// softmax and its gradient leave them.
pub fn weighted_sum(weights: &[f32], v: &[f32], out: &mut [f32], params: &weighted_sum::Params) {
    let [n, h, kv, d] = [params.context_length, params.n_heads, params.n_kv_heads, params.d_head].map(|x| x as usize);
    threads::each(out.chunks_exact_mut(n * h * d).enumerate().collect(), |(batch, out)| {
        for head in 0..h {
            let weights = Matrix::new(&weights[(batch * h + head) * n * n..], [n, n], n);
            let v = Matrix::new(&v[(batch * n * kv + head / (h / kv)) * d..], [n, d], kv * d);
            multiply(weights, v, MatrixMut::new(&mut out[head * d..], [n, d], h * d), params.scale, false);
        }
    });
}

/// Twin of [`weighted_sum::reference_transposed`](crate::ops::weighted_sum::reference_transposed), for such weights.
pub fn weighted_sum_transposed(weights: &[f32], v: &[f32], out: &mut [f32], params: &weighted_sum::Params) {
    let [n, h, kv, d] = [params.context_length, params.n_heads, params.n_kv_heads, params.d_head].map(|x| x as usize);
    threads::each(out.chunks_exact_mut(n * kv * d).enumerate().collect(), |(batch, out)| {
        for head in 0..h {
            let group = h / kv;
            let weights = Matrix::new(&weights[(batch * h + head) * n * n..], [n, n], n).transposed();
            let v = Matrix::new(&v[(batch * n * h + head) * d..], [n, d], h * d);
            let out = MatrixMut::new(&mut out[head / group * d..], [n, d], kv * d);
            multiply(weights, v, out, params.scale, head % group > 0);
        }
    });
}
