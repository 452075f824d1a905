//! Every backward reference against central differences of its forward reference, in f64.

use glasshead::ops::activation::{self, Activation};
use glasshead::ops::attention_scores::{self, MASKED};
use glasshead::ops::{
    bias, cross_entropy, embedding, flash_attention, layernorm, matmul, rmsnorm, rope, softmax, swiglu, weighted_sum,
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
    let mut x_grad = vec![0.0; x.len()];
    matmul::reference_nn(&y_grad, &w, &mut x_grad, matmul::Shape { m: n, n: d_in, k: d_out });
    check("x", &x, &x_grad, |x| loss(x, &w));
    let mut w_grad = vec![0.0; w.len()];
    matmul::reference_tn(&y_grad, &x, &mut w_grad, matmul::Shape { m: d_out, n: d_in, k: n });
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
    let params = rope::Params { n_rows: 6, context_length: 3, d_model: 8, d_head: 4, direction: 1.0 };
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

/// scores → softmax → weighted sum, with the very calls that the backward pass of the model makes.
#[test]
fn attention_gradients() {
    let (b, t, h, h_kv, d) = (2usize, 5usize, 6usize, 2usize, 4usize);
    let (wide, narrow, pairs) = (b * t * h * d, b * t * h_kv * d, b * h * t * t);
    let (context_length, n_heads, n_kv_heads, d_head) = (t as u32, h as u32, h_kv as u32, d as u32);
    let scores = |scale, masked_value| attention_scores::Params {
        context_length,
        n_heads,
        n_kv_heads,
        d_head,
        scale,
        masked_value,
    };
    let sums = |scale| weighted_sum::Params { context_length, n_heads, n_kv_heads, d_head, scale };
    let rows = softmax::Params { n_rows: (b * h * t) as u32, n_cols: t as u32 };
    let [q, k, v, out_grad] = [wide, narrow, narrow, wide].map(|len| doubles(len as u64, len));
    let forward = |q: &[f64], k: &[f64], v: &[f64]| {
        let (mut weights, mut out) = (vec![0.0; pairs], vec![0.0; wide]);
        attention_scores::reference(q, k, &mut weights, &scores(0.5, MASKED));
        softmax::reference(&mut weights, &rows);
        weighted_sum::reference(&weights, v, &mut out, &sums(1.0));
        (dot(&out, &out_grad), weights)
    };
    let (_, weights) = forward(&q, &k, &v);
    let (mut scores_grad, mut q_grad) = (vec![0.0; pairs], vec![0.0; wide]);
    let (mut k_grad, mut v_grad) = (vec![0.0; narrow], vec![0.0; narrow]);
    attention_scores::reference(&out_grad, &v, &mut scores_grad, &scores(1.0, 0.0));
    weighted_sum::reference_transposed(&weights, &out_grad, &mut v_grad, &sums(1.0));
    softmax::reference_grad(&weights, &mut scores_grad, &rows);
    weighted_sum::reference(&scores_grad, &k, &mut q_grad, &sums(0.5));
    weighted_sum::reference_transposed(&scores_grad, &q, &mut k_grad, &sums(0.5));
    check("q", &q, &q_grad, |q| forward(q, &k, &v).0);
    check("k", &k, &k_grad, |k| forward(&q, k, &v).0);
    check("v", &v, &v_grad, |v| forward(&q, &k, v).0);
}

/// FlashAttention's backward pass, with the log-sum-exp and delta that its forward pass gives, and grouped heads.
#[test]
fn flash_attention_gradients() {
    for causal in [false, true] {
        let (b, t, h, kv, d) = (2, 5, 4, 2, 3);
        let params = flash_attention::Params::new(t, h, kv, d, causal);
        let [q, out_grad] = [1, 4].map(|seed| doubles(seed, b * t * h * d));
        let [k, v] = [2, 3].map(|seed| doubles(seed, b * t * kv * d));
        let forward = |q: &[f64], k: &[f64], v: &[f64]| {
            let (mut out, mut lse) = (vec![0.0; q.len()], vec![0.0; b * h * t]);
            flash_attention::reference([q, k, v], &mut out, &mut lse, &params);
            (dot(&out, &out_grad), out, lse)
        };
        let (_, out, lse) = forward(&q, &k, &v);
        let mut delta = vec![0.0; b * h * t];
        flash_attention::reference_delta(&out, &out_grad, &mut delta, &params);
        let inputs = [&q[..], &k, &v, &out_grad, &lse, &delta];
        let mut q_grad = vec![f64::NAN; q.len()];
        flash_attention::reference_grad_q(inputs, &mut q_grad, &params);
        let (mut k_grad, mut v_grad) = (vec![f64::NAN; k.len()], vec![f64::NAN; v.len()]);
        flash_attention::reference_grad_kv(inputs, [&mut k_grad, &mut v_grad], &params);
        check("q", &q, &q_grad, |q| forward(q, &k, &v).0);
        check("k", &k, &k_grad, |k| forward(&q, k, &v).0);
        check("v", &v, &v_grad, |v| forward(&q, &k, v).0);
    }
}

/// Without groups and with the causal mask, FlashAttention is the model's attention.
#[test]
fn flash_attention_is_attention() {
    let (b, t, h, d) = (2usize, 7usize, 3usize, 4usize);
    let [q, k, v] = [1, 2, 3].map(|seed| doubles(seed, b * t * h * d));
    let (mut out, mut lse) = (vec![0.0; q.len()], vec![0.0; b * h * t]);
    let params = flash_attention::Params::new(t, h, h, d, true);
    flash_attention::reference([&q, &k, &v], &mut out, &mut lse, &params);
    for (batch, head, query) in (0..b * h * t).map(|row| (row / t / h, row / t % h, row % t)) {
        let at = |position: usize| ((batch * t + position) * h + head) * d;
        let score = |key: usize| (0.5 * dot(&q[at(query)..][..d], &k[at(key)..][..d])).exp();
        let sum: f64 = (0..=query).map(score).sum();
        assert!((lse[(batch * h + head) * t + query] - sum.ln()).abs() < 1e-12);
        for i in 0..d {
            let expected = (0..=query).map(|key| score(key) / sum * v[at(key) + i]).sum::<f64>();
            assert!((out[at(query) + i] - expected).abs() < 1e-12);
        }
    }
}

#[test]
fn swiglu_gradients() {
    let (gate, up, hidden_grad) = (doubles(1, 9), doubles(2, 9), doubles(3, 9));
    let loss = |gate: &[f64], up: &[f64]| {
        let mut hidden = vec![0.0; 9];
        swiglu::reference(gate, up, &mut hidden);
        dot(&hidden, &hidden_grad)
    };
    let (mut gate_grad, mut up_grad) = (vec![0.0; 9], vec![0.0; 9]);
    swiglu::reference_grad(&gate, &up, &hidden_grad, &mut gate_grad, &mut up_grad);
    check("gate", &gate, &gate_grad, |gate| loss(gate, &up));
    check("up", &up, &up_grad, |up| loss(&gate, up));
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
    let params = cross_entropy::Params { n_rows: 4, vocab_size: 6 };
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
fn embedding_gradient() {
    let params = embedding::Params { n_tokens: 6, vocab_size: 4, d_model: 3, accumulate: 0 };
    let (table, tokens, out_grad) = (doubles(1, 12), [2, 0, 2, 3, 2, 0], doubles(3, 18));
    let mut table_grad = vec![f64::NAN; 12];
    embedding::reference_grad(&out_grad, &tokens, &mut table_grad, &params);
    check("table", &table, &table_grad, |table| {
        let mut out = vec![0.0; 18];
        embedding::reference(table, &tokens, &mut out, &params);
        dot(&out, &out_grad)
    });
}

/// The CPU backend multiplies in another order than the references; f32 rounding is all that may differ.
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
            matmul::matmul(&mut recording, layout, slices, shape, false);
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
