//! FlashAttention-2 on the CPU: processes one block of queries at a time as small matmuls. Only the scores of one block
//! with all of its visible keys are in memory, never those of all queries.

use crate::exp::exp;
use crate::math::ln_f32;
use crate::threads;
use crate::unchecked::{Matrix, MatrixMut, multiply, wide};
use crate::{largest, sum};

/// Positions per block.
const BLOCK: usize = 64;

/// Sizes of one attention.
#[derive(Clone, Copy, Debug)]
pub struct Attention {
    /// T: positions of a sequence.
    pub n: usize,
    /// H: number of query heads.
    pub n_heads: usize,
    /// Hkv: number of KV heads, a divisor of H.
    pub n_kv_heads: usize,
    /// D: size of a head.
    pub d: usize,
    /// Whether a query attends only to itself and earlier positions.
    pub causal: bool,
    /// Factor of every score.
    pub scale: f32,
}

/// Heads of (B, T, …): every position has `row` elements, and its heads begin at element `first`.
#[derive(Clone, Copy)]
pub struct Heads<'a> {
    /// All elements.
    pub data: &'a [f32],
    /// Elements per position.
    pub row: usize,
    /// Offset of a position's first head.
    pub first: usize,
}

impl<'a> Heads<'a> {
    /// Positions `from` .. `from + rows` (counted over all sequences) of a head of size `d`.
    fn block(self, head: usize, d: usize, from: usize, rows: usize) -> Matrix<'a> {
        Matrix::new(&self.data[from * self.row + self.first + head * d..], [rows, d], self.row)
    }
}

/// As [`Heads`], mutable.
pub struct HeadsMut<'a> {
    /// All elements.
    pub data: &'a mut [f32],
    /// Elements per position.
    pub row: usize,
    /// Offset of a position's first head.
    pub first: usize,
}

impl<'a> HeadsMut<'a> {
    /// Pieces of at most [`BLOCK`] positions: sequence, first position, elements.
    fn blocks(self, n: usize) -> impl Iterator<Item = (usize, usize, &'a mut [f32])> {
        let row = self.row;
        self.data.chunks_mut(n * row).enumerate().flat_map(move |(batch, data)| {
            let positions = (0..).step_by(BLOCK);
            positions.zip(data.chunks_mut(BLOCK * row)).map(move |(from, piece)| (batch, from, piece))
        })
    }
}

/// Splits (B, H, T) for the blocks of queries: by sequence and block, one slice per head.
fn by_block<'a>(x: &'a mut [f32], att: &Attention) -> Vec<Vec<&'a mut [f32]>> {
    let mut pieces: Vec<Vec<&mut [f32]>> = Vec::new();
    for of_batch in x.chunks_mut(att.n_heads * att.n) {
        let first = pieces.len();
        for of_head in of_batch.chunks_mut(att.n) {
            for (block, piece) in of_head.chunks_mut(BLOCK).enumerate() {
                if pieces.len() == first + block {
                    pieces.push(Vec::new());
                }
                pieces[first + block].push(piece);
            }
        }
    }
    pieces
}

impl Attention {
    /// End of the range of keys (from 0) that a query attends to.
    fn keys_end(&self, query: usize) -> usize {
        if self.causal { query + 1 } else { self.n }
    }

    fn kv_head(&self, head: usize) -> usize {
        head / (self.n_heads / self.n_kv_heads)
    }

    /// CPU counterpart of `flash_attention::reference`.
    pub fn forward(&self, [q, k, v]: [Heads<'_>; 3], out: HeadsMut<'_>, lse: &mut [f32]) {
        let (row, first) = (out.row, out.first);
        let items: Vec<_> = out.blocks(self.n).zip(by_block(lse, self)).collect();
        threads::each(items, |((batch, from, out), mut lse)| {
            let rows = out.len() / row;
            let keys = self.keys_end(from + rows - 1);
            let mut scores = vec![0.0; rows * keys];
            let mut scales = [0.0; BLOCK];
            for head in 0..self.n_heads {
                let q = q.block(head, self.d, batch * self.n + from, rows);
                let [k, v] = [k, v].map(|x| x.block(self.kv_head(head), self.d, batch * self.n, keys));
                multiply(q, k.transposed(), MatrixMut::new(&mut scores, [rows, keys], keys), self.scale, false);
                wide(|| {
                    let queries = scores.chunks_exact_mut(keys).zip(lse[head].iter_mut()).zip(&mut scales);
                    for (position, ((row, lse), scale)) in (from..).zip(queries) {
                        let (visible, hidden) = row.split_at_mut(self.keys_end(position));
                        let most = largest(visible);
                        visible.iter_mut().for_each(|score| *score = exp(*score - most));
                        hidden.fill(0.0);
                        let total = sum(visible, |e| e);
                        (*lse, *scale) = (most + ln_f32(total), 1.0 / total);
                    }
                });
                let at = first + head * self.d;
                let weights = Matrix::new(&scores, [rows, keys], keys);
                multiply(weights, v, MatrixMut::new(&mut out[at..], [rows, self.d], row), 1.0, false);
                for (out, &scale) in out.chunks_mut(row).zip(&scales) {
                    out[at..][..self.d].iter_mut().for_each(|x| *x *= scale);
                }
            }
        });
    }

    /// Σ_d out_grad · out of every query; part of `flash_attention::reference_grad`.
    pub fn delta(&self, [out, out_grad]: [Heads<'_>; 2], delta: &mut [f32]) {
        let items: Vec<_> = delta.chunks_mut(self.n).enumerate().collect();
        threads::each(items, |(batch_head, delta)| {
            let (batch, head) = (batch_head / self.n_heads, batch_head % self.n_heads);
            wide(|| {
                for (position, delta) in delta.iter_mut().enumerate() {
                    let of = |x: Heads<'_>| (batch * self.n + position) * x.row + x.first + head * self.d;
                    let (out, grad) = (&out.data[of(out)..][..self.d], &out_grad.data[of(out_grad)..][..self.d]);
                    *delta = super::sum2(out, grad, |out, grad| out * grad);
                }
            });
        });
    }

    /// The gradients of the queries; part of `flash_attention::reference_grad`.
    pub fn grad_q(&self, inputs: [Heads<'_>; 4], stats: [&[f32]; 2], q_grad: HeadsMut<'_>) {
        let (row, first) = (q_grad.row, q_grad.first);
        let items: Vec<_> = q_grad.blocks(self.n).collect();
        threads::each(items, |(batch, from, q_grad)| {
            let rows = q_grad.len() / row;
            let keys = self.keys_end(from + rows - 1);
            let mut room = [vec![0.0; rows * keys], vec![0.0; rows * keys]];
            for head in 0..self.n_heads {
                self.pairs(inputs, stats, (batch, head), [from, rows, 0, keys], &mut room);
                let k = inputs[1].block(self.kv_head(head), self.d, batch * self.n, keys);
                let out = MatrixMut::new(&mut q_grad[first + head * self.d..], [rows, self.d], row);
                multiply(Matrix::new(&room[1], [rows, keys], keys), k, out, self.scale, false);
            }
        });
    }

    /// The gradients of keys and values; part of `flash_attention::reference_grad`. Both outputs have rows of the same
    /// size.
    pub fn grad_kv(&self, inputs: [Heads<'_>; 4], stats: [&[f32]; 2], [k_grad, v_grad]: [HeadsMut<'_>; 2]) {
        let (rows_k, rows_v) = ([k_grad.row, k_grad.first], [v_grad.row, v_grad.first]);
        let items: Vec<_> = k_grad.blocks(self.n).zip(v_grad.blocks(self.n)).collect();
        threads::each(items, |((batch, from, k_grad), (_, _, v_grad))| {
            let keys = k_grad.len() / rows_k[0];
            let mut room = [vec![0.0; BLOCK * keys], vec![0.0; BLOCK * keys]];
            let group = self.n_heads / self.n_kv_heads;
            for head in 0..self.n_heads {
                let first_query = if self.causal { from } else { 0 };
                for query in (first_query..self.n).step_by(BLOCK) {
                    let rows = BLOCK.min(self.n - query);
                    self.pairs(inputs, stats, (batch, head), [query, rows, from, keys], &mut room);
                    let more = head % group > 0 || query > first_query;
                    let add = |pairs: &[f32], x: Heads<'_>, grad: &mut [f32], [row, first]: [usize; 2], scale| {
                        let pairs = Matrix::new(pairs, [rows, keys], keys).transposed();
                        let x = x.block(head, self.d, batch * self.n + query, rows);
                        let at = first + head / group * self.d;
                        multiply(pairs, x, MatrixMut::new(&mut grad[at..], [keys, self.d], row), scale, more);
                    };
                    add(&room[0], inputs[3], v_grad, rows_v, 1.0);
                    add(&room[1], inputs[0], k_grad, rows_k, self.scale);
                }
            }
        });
    }

    /// For `rows` queries from `from` and `keys` keys from `first_key`: softmax weights, and the gradients of the scores
    /// weights ⊙ (out_grad·v − delta), both 0 where masked. Inputs are q, k, v and the gradient of the output; `stats`
    /// are lse and delta.
    fn pairs(
        &self,
        [q, k, v, out_grad]: [Heads<'_>; 4],
        [lse, delta]: [&[f32]; 2],
        (batch, head): (usize, usize),
        [from, rows, first_key, keys]: [usize; 4],
        [weights, score_grads]: &mut [Vec<f32>; 2],
    ) {
        let [k, v] = [k, v].map(|x| x.block(self.kv_head(head), self.d, batch * self.n + first_key, keys).transposed());
        let [q, out_grad] = [q, out_grad].map(|x| x.block(head, self.d, batch * self.n + from, rows));
        let (weights, score_grads) = (&mut weights[..rows * keys], &mut score_grads[..rows * keys]);
        multiply(q, k, MatrixMut::new(weights, [rows, keys], keys), self.scale, false);
        multiply(out_grad, v, MatrixMut::new(score_grads, [rows, keys], keys), 1.0, false);
        let at = (batch * self.n_heads + head) * self.n + from;
        let stats = lse[at..][..rows].iter().zip(&delta[at..][..rows]);
        wide(|| {
            let pairs = weights.chunks_exact_mut(keys).zip(score_grads.chunks_exact_mut(keys));
            for (query, ((weights, grads), (&lse, &delta))) in (from..).zip(pairs.zip(stats)) {
                let seen = self.keys_end(query).saturating_sub(first_key).min(keys);
                for (weight, grad) in weights[..seen].iter_mut().zip(&mut grads[..seen]) {
                    *weight = exp(*weight - lse);
                    *grad = *weight * (*grad - delta);
                }
                weights[seen..].fill(0.0);
                grads[seen..].fill(0.0);
            }
        });
    }
}
