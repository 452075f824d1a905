//! Attention with all its weights in memory, as matmuls.

use crate::ops::{attention_scores, weighted_sum};
use crate::threads;
use crate::unchecked::{Matrix, MatrixMut, multiply};

/// CPU counterpart of [`attention_scores::reference`].
pub fn attention_scores(qkv: &[f32], scores: &mut [f32], params: &attention_scores::Params) {
    let [n, h, kv, d] = [params.context_length, params.n_heads, params.n_kv_heads, params.d_head].map(|x| x as usize);
    let width = (h + 2 * kv) * d;
    threads::each(scores.chunks_exact_mut(n * n).enumerate().collect(), |(batch_head, scores)| {
        let (batch, head) = (batch_head / h, batch_head % h);
        let of_head = |head: usize| Matrix::new(&qkv[batch * n * width + head * d..], [n, d], width);
        let (q, k) = (of_head(head), of_head(h + head / (h / kv)));
        multiply(q, k.transposed(), MatrixMut::new(scores, [n, n], n), params.scale, false);
        if params.causal == 1 {
            scores.chunks_exact_mut(n).enumerate().for_each(|(query, row)| row[query + 1..].fill(params.masked_value));
        }
    });
}

/// CPU counterpart of [`weighted_sum::reference`], for weights that are 0 where masked, as after softmax.
pub fn weighted_sum(weights: &[f32], qkv: &[f32], out: &mut [f32], params: &weighted_sum::Params) {
    let [n, h, kv, d] = [params.context_length, params.n_heads, params.n_kv_heads, params.d_head].map(|x| x as usize);
    let width = (h + 2 * kv) * d;
    threads::each(out.chunks_exact_mut(n * h * d).enumerate().collect(), |(batch, out)| {
        for head in 0..h {
            let weights = Matrix::new(&weights[(batch * h + head) * n * n..], [n, n], n);
            let value = h + kv + head / (h / kv);
            let v = Matrix::new(&qkv[batch * n * width + value * d..], [n, d], width);
            multiply(weights, v, MatrixMut::new(&mut out[head * d..], [n, d], h * d), 1.0, false);
        }
    });
}
