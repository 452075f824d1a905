//! FlashAttention over rows of queries, keys and values.

use super::attention::{Attention, Heads, HeadsMut};
use crate::ops::flash_attention::{Params, turn_back};

impl Params {
    fn on_cpu(&self) -> Attention {
        let [n, n_heads, n_kv_heads, d] =
            [self.context_length, self.n_heads, self.n_kv_heads, self.d_head].map(|x| x as usize);
        Attention { n, n_heads, n_kv_heads, d, causal: self.causal == 1, scale: self.scale }
    }

    /// Queries, keys and values in qkv.
    fn parts<'a>(&self, qkv: &'a [f32]) -> [Heads<'a>; 3] {
        let [h, kv, d] = [self.n_heads, self.n_kv_heads, self.d_head].map(|x| x as usize);
        [0, h * d, (h + kv) * d].map(|first| Heads { data: qkv, row: self.width(), first })
    }

    fn out_row(&self) -> usize {
        self.n_heads as usize * self.d_head as usize
    }
}

/// CPU counterpart of [`flash_attention::reference`](crate::ops::flash_attention::reference).
pub fn forward(qkv: &[f32], out: &mut [f32], lse: &mut [f32], params: &Params) {
    let out = HeadsMut { data: out, row: params.out_row(), first: 0 };
    params.on_cpu().forward(params.parts(qkv), out, lse);
}

/// CPU counterpart of [`flash_attention::reference_grad`](crate::ops::flash_attention::reference_grad).
pub fn grad([qkv, out, out_grad, lse, cos_sin]: [&[f32]; 5], qkv_grad: &mut [f32], params: &Params) {
    let (att, width) = (params.on_cpu(), params.width());
    let [out, out_grad] = [out, out_grad].map(|data| Heads { data, row: params.out_row(), first: 0 });
    let mut delta = vec![0.0; lse.len()];
    att.delta([out, out_grad], &mut delta);
    let [q, k, v] = params.parts(qkv);
    let inputs = [q, k, v, out_grad];
    att.grad_q(inputs, [lse, &delta], HeadsMut { data: qkv_grad, row: width, first: 0 });
    // Keys and values get temporary buffers, because both are written at the same time.
    let kv_row = params.n_kv_heads as usize * params.d_head as usize;
    let [mut k_grad, mut v_grad] = [(); 2].map(|()| vec![0.0; qkv_grad.len() / width * kv_row]);
    let grads = [&mut k_grad, &mut v_grad].map(|data| HeadsMut { data, row: kv_row, first: 0 });
    att.grad_kv(inputs, [lse, &delta], grads);
    let parts = k_grad.chunks_exact(kv_row).zip(v_grad.chunks_exact(kv_row));
    for (row, (k_grad, v_grad)) in qkv_grad.chunks_exact_mut(width).zip(parts) {
        let (keys, values) = row[width - 2 * kv_row..].split_at_mut(kv_row);
        keys.copy_from_slice(k_grad);
        values.copy_from_slice(v_grad);
    }
    if params.rotated == 1 {
        turn_back(cos_sin, qkv_grad, params);
    }
}
