//! Every backward reference against central differences of its forward reference, in f64.

use glasshead::ops::activation::{self, Activation};
use glasshead::ops::attention_scores::{self, MASKED};
use glasshead::ops::{
    bias, cross_entropy, embedding, flash_attention, layernorm, linear_grad, matmul, rmsnorm, rope, softmax, swiglu,
    weighted_sum,
};

use crate::common::{ids, numbers};

fn doubles(seed: u64, len: usize) -> Vec<f64> {
    numbers(seed, len).into_iter().map(f64::from).collect()
}

/// Compares `grad` with (f(x + h) − f(x − h)) / 2h for every element of `x`.
fn check(name: &str, x: &[f64], grad: &[f64], f: impl Fn(&[f64]) -> f64) {
    const H: f64 = 1e-5;
    assert_eq!(x.len(), grad.len(), "{name}");
    for i in 0..x.len() {
        let at = |offset: f64| {
            let mut x = x.to_vec();
            x[i] += offset;
            f(&x)
        };
        let numeric = (at(H) - at(-H)) / (2.0 * H);
        let error = (numeric - grad[i]).abs() / (1e-3 + numeric.abs().max(grad[i].abs()));
        assert!(error < 1e-6, "{name}[{i}]: {} against {numeric}", grad[i]);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn matmul_gradients() {
    let (n, d_in, d_out) = (3, 5, 4);
    let (x, w, y_grad) = (doubles(1, n * d_in), doubles(2, d_out * d_in), doubles(3, n * d_out));
    let loss = |x: &[f64], w: &[f64]| {
        let mut y = vec![0.0; n * d_out];
        matmul::reference_nt(x, w, &mut y, matmul::Shape { m: n, n: d_out, k: d_in });
        dot(&y, &y_grad)
    };
    let (mut x_grad, mut w_grad) = (vec![0.0; x.len()], vec![0.0; w.len()]);
    let params = linear_grad::Params { n_rows: n as u32, d_in: d_in as u32, d_out: d_out as u32, accumulate: 0 };
    linear_grad::reference([&x, &w, &y_grad], [&mut x_grad, &mut w_grad], &params);
    check("x", &x, &x_grad, |x| loss(x, &w));
    check("W", &w, &w_grad, |w| loss(&x, w));
}

#[test]
fn rmsnorm_gradients() {
    let params = rmsnorm::Params { n_rows: 3, d_model: 7, eps: rmsnorm::EPS, accumulate: 0 };
    let (x, gain, y_grad) = (doubles(1, 21), doubles(2, 7), doubles(3, 21));
    let forward = |x: &[f64], gain: &[f64]| {
        let (mut y, mut inv_rms) = (vec![0.0; 21], vec![0.0; 3]);
        rmsnorm::reference(x, gain, &mut y, &mut inv_rms, &params);
        (dot(&y, &y_grad), inv_rms)
    };
    let (_, inv_rms) = forward(&x, &gain);
    let mut x_grad = vec![0.0; 21];
    rmsnorm::reference_grad_x(&x, &gain, &y_grad, &inv_rms, &mut x_grad, &params);
    check("x", &x, &x_grad, |x| forward(x, &gain).0);
    let mut gain_grad = vec![0.0; 7];
    rmsnorm::reference_grad_gain(&x, &y_grad, &inv_rms, &mut gain_grad, &params);
    check("gain", &gain, &gain_grad, |gain| forward(&x, gain).0);
}

#[test]
fn rope_gradient_is_the_rotation_back() {
    let params = rope::Params { n_rows: 6, context_length: 3, d_model: 8, stride: 8, d_head: 4, direction: 1.0 };
    let table: Vec<f64> = rope::cos_sin_table(3, 4, 10_000.0).into_iter().map(f64::from).collect();
    let (x, y_grad) = (doubles(1, 48), doubles(2, 48));
    let mut x_grad = y_grad.clone();
    rope::reference(&table, &mut x_grad, &rope::Params { direction: -1.0, ..params });
    check("x", &x, &x_grad, |x| {
        let mut y = x.to_vec();
        rope::reference(&table, &mut y, &params);
        dot(&y, &y_grad)
    });
}

/// FlashAttention's backward pass, with the log-sum-exp of its forward pass, grouped heads, and the rotation of queries and
/// keys before it.
#[test]
fn flash_attention_gradients() {
    for causal in [0, 1] {
        let (b, t, h, kv, d) = (2usize, 5, 4, 2, 4);
        let (cells, width) = (b * t * h, (h + 2 * kv) * d);
        let params = flash_attention::Params { causal, rotated: 1, ..flash_attention::Params::new(t, h, kv, d) };
        let table: Vec<f64> = rope::cos_sin_table(t, d, 10_000.0).into_iter().map(f64::from).collect();
        let turn = rope::Params {
            n_rows: (b * t) as u32,
            context_length: t as u32,
            d_model: ((h + kv) * d) as u32,
            stride: width as u32,
            d_head: d as u32,
            direction: 1.0,
        };
        let (qkv, out_grad) = (doubles(1, b * t * width), doubles(4, cells * d));
        let forward = |qkv: &[f64]| {
            let (mut rotated, mut out, mut lse) = (qkv.to_vec(), vec![0.0; cells * d], vec![0.0; cells]);
            rope::reference(&table, &mut rotated, &turn);
            flash_attention::reference(&rotated, &mut out, &mut lse, &params);
            (dot(&out, &out_grad), rotated, out, lse)
        };
        let (_, rotated, out, lse) = forward(&qkv);
        let mut qkv_grad = vec![f64::NAN; qkv.len()];
        flash_attention::reference_grad([&rotated, &out, &out_grad, &lse, &table], &mut qkv_grad, &params);
        check("qkv", &qkv, &qkv_grad, |qkv| forward(qkv).0);
    }
}

/// FlashAttention equals the explicit attention that the page shows: scores, softmax, weighted sum.
#[test]
fn flash_attention_is_attention() {
    let (b, t, h, kv, d) = (2usize, 7usize, 6usize, 2usize, 4usize);
    let (context_length, n_heads, n_kv_heads, d_head) = (t as u32, h as u32, kv as u32, d as u32);
    let qkv = doubles(1, b * t * (h + 2 * kv) * d);
    let (mut out, mut lse) = (vec![0.0; b * t * h * d], vec![0.0; b * h * t]);
    flash_attention::reference(&qkv, &mut out, &mut lse, &flash_attention::Params::new(t, h, kv, d));
    let mut weights = vec![0.0; b * h * t * t];
    let scores = attention_scores::Params {
        context_length,
        n_heads,
        n_kv_heads,
        d_head,
        causal: 1,
        scale: 0.5,
        masked_value: MASKED,
    };
    attention_scores::reference(&qkv, &mut weights, &scores);
    for (scores, lse) in weights.chunks_exact(t).zip(&lse) {
        let sum: f64 = scores.iter().map(|score| score.exp()).sum();
        assert!((lse - sum.ln()).abs() < 1e-12);
    }
    softmax::reference(&mut weights, &softmax::Params { n_rows: (b * h * t) as u32, n_cols: t as u32 });
    let mut expected = vec![0.0; out.len()];
    let sums = weighted_sum::Params { context_length, n_heads, n_kv_heads, d_head, causal: 1 };
    weighted_sum::reference(&weights, &qkv, &mut expected, &sums);
    for (out, expected) in out.iter().zip(expected) {
        assert!((out - expected).abs() < 1e-12);
    }
}

#[test]
fn swiglu_gradients() {
    let params = swiglu::Params { n_rows: 3, d_ff: 3 };
    let (gate_up, hidden_grad) = (doubles(1, 18), doubles(3, 9));
    let mut gate_up_grad = vec![0.0; 18];
    swiglu::reference_grad(&gate_up, &hidden_grad, &mut gate_up_grad, &params);
    check("gate and up", &gate_up, &gate_up_grad, |gate_up| {
        let mut hidden = vec![0.0; 9];
        swiglu::reference(gate_up, &mut hidden, &params);
        dot(&hidden, &hidden_grad)
    });
}

#[test]
fn activation_gradients() {
    let (x, y_grad): (Vec<f64>, _) = (doubles(1, 9).iter().map(|x| 3.0 * x).collect(), doubles(2, 9));
    for which in [Activation::Silu, Activation::Gelu] {
        let mut x_grad = vec![0.0; 9];
        activation::reference_grad(which, &x, &y_grad, &mut x_grad);
        check("x", &x, &x_grad, |x| {
            let mut y = vec![0.0; 9];
            activation::reference(which, x, &mut y);
            dot(&y, &y_grad)
        });
    }
}

#[test]
fn layernorm_gradients() {
    let params = rmsnorm::Params { n_rows: 3, d_model: 7, eps: rmsnorm::EPS, accumulate: 0 };
    let (x, gain, y_grad) = (doubles(1, 21), doubles(2, 7), doubles(3, 21));
    let forward = |x: &[f64], gain: &[f64]| {
        let (mut y, mut stats) = (vec![0.0; 21], vec![0.0; 6]);
        layernorm::reference(x, gain, &mut y, &mut stats, &params);
        (dot(&y, &y_grad), stats)
    };
    let (_, stats) = forward(&x, &gain);
    let (mut x_grad, mut gain_grad) = (vec![0.0; 21], vec![0.0; 7]);
    layernorm::reference_grad_x(&x, &gain, &y_grad, &stats, &mut x_grad, &params);
    check("x", &x, &x_grad, |x| forward(x, &gain).0);
    layernorm::reference_grad_gain(&x, &y_grad, &stats, &mut gain_grad, &params);
    check("gain", &gain, &gain_grad, |gain| forward(&x, gain).0);
}

#[test]
fn bias_gradient() {
    let (b, y_grad) = (doubles(1, 4), doubles(2, 12));
    let mut b_grad = vec![f64::NAN; 4];
    bias::reference_grad(&y_grad, &mut b_grad);
    check("bias", &b, &b_grad, |b| {
        let mut y = vec![0.0; 12];
        bias::reference(b, &mut y);
        dot(&y, &y_grad)
    });
}

#[test]
fn cross_entropy_gradient() {
    let params = cross_entropy::Params::new(4, 6);
    let (logits, targets) = (doubles(1, 24), ids(2, 4, 6));
    let mut grad = logits.clone();
    cross_entropy::reference_grad(&mut grad, &targets, &params);
    check("logits", &logits, &grad, |logits| {
        let mut losses = vec![0.0; 4];
        cross_entropy::reference(logits, &targets, &mut losses, &params);
        losses.iter().sum::<f64>() / 4.0
    });
}

#[test]
fn weighted_cross_entropy_gradient() {
    let params = cross_entropy::Params::new(4, 6);
    let (logits, targets) = (doubles(1, 24), ids(2, 4, 6));
    let coefficients = [0.5, -2.0, 0.0, 1.25];
    let mut grad = logits.clone();
    cross_entropy::reference_weighted(&mut grad, &targets, &coefficients, &params);
    check("logits", &logits, &grad, |logits| {
        let mut losses = vec![0.0; 4];
        cross_entropy::reference(logits, &targets, &mut losses, &params);
        dot(&losses, &coefficients)
    });
}

#[test]
fn embedding_gradient() {
    let params = embedding::Params { n_tokens: 6, vocab_size: 4, d_model: 3, accumulate: 0, first_id: 0 };
    let (table, tokens, out_grad) = (doubles(1, 12), [2, 0, 2, 3, 2, 0], doubles(3, 18));
    let mut table_grad = vec![f64::NAN; 12];
    embedding::reference_grad(&out_grad, &tokens, &mut table_grad, &params);
    check("table", &table, &table_grad, |table| {
        let mut out = vec![0.0; 18];
        embedding::reference(table, &tokens, &mut out, &params);
        dot(&out, &out_grad)
    });
}

/// The CPU backend multiplies in a different order than the references; only f32 rounding may differ.
#[test]
fn fast_matmuls_agree_with_the_references() {
    use glasshead::gpu::interpret::CpuBackend;
    use glasshead::gpu::recording::{Buffers, Recording};
    type Reference = fn(&[f32], &[f32], &mut [f32], matmul::Shape);
    let layouts: [(_, Reference); 3] = [
        (matmul::Layout::Nt, matmul::reference_nt),
        (matmul::Layout::Nn, matmul::reference_nn),
        (matmul::Layout::Tn, matmul::reference_tn),
    ];
    for (m, n, k) in [(1, 1, 1), (2, 33, 17), (31, 5, 64), (7, 16, 257)] {
        for (layout, reference) in layouts {
            let shape = matmul::Shape { m, n, k };
            let (a, b) = (numbers(1, m * k), numbers(2, n * k));
            let mut buffers = Buffers::default();
            let slices = [m * k, n * k, m * n].map(|len| buffers.add("test", len));
            let mut recording = Recording::new("test");
            matmul::matmul(&mut recording, layout, slices, shape, None);
            let cpu = CpuBackend::new(&buffers);
            cpu.write(slices[0], bytemuck::cast_slice(&a));
            cpu.write(slices[1], bytemuck::cast_slice(&b));
            cpu.run_dispatch(&recording, 0);
            let mut y = vec![0.0; m * n];
            reference(&a, &b, &mut y, shape);
            for (fast, slow) in cpu.read(slices[2]).into_iter().map(f32::from_bits).zip(y) {
                assert!((fast - slow).abs() < 1e-5 * (1.0 + slow.abs()), "{layout:?}: {fast} against {slow}");
            }
        }
    }
}
