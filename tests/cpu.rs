//! The CPU backend's fast twins against the references, at sizes that straddle their blocks, on any number of threads.

use glasshead::config::{ModelConfig, Preset, RunConfig};
use glasshead::gpu::backend::Backend;
use glasshead::ops::activation::{self, Activation};
use glasshead::ops::cpu;
use glasshead::ops::flash_attention::{self, Params};
use glasshead::ops::matmul::{Layout, Shape, reference_nn, reference_nt, reference_tn};
use glasshead::ops::{cross_entropy, embedding, layernorm, rmsnorm, rope, softmax, swiglu};
use glasshead::train::trainer::Trainer;
use pollster::block_on;

use crate::common::{ids, numbers};

/// Sizes below and above the pieces into which work is split.
const SIZES: [[usize; 2]; 7] = [[1, 1], [3, 15], [17, 16], [65, 33], [129, 128], [300, 65], [2, 20_000]];

fn assert_close(fast: &[f32], reference: &[f32], label: &str) {
    assert_eq!(fast.len(), reference.len());
    for (i, (fast, reference)) in fast.iter().zip(reference).enumerate() {
        let difference = (fast - reference).abs();
        assert!(difference <= 2e-5 * (1.0 + reference.abs()), "{label}, element {i}: {fast} for {reference}");
    }
}

#[test]
fn the_exponential_is_right_to_the_last_place() {
    let mut largest: f64 = 0.0;
    for i in -870_000..887_000 {
        let x = i as f32 * 1e-4;
        let exact = f64::from(x).exp();
        largest = largest.max((f64::from(cpu::exp::exp(x)) / exact - 1.0).abs());
    }
    assert!(largest < 1.2e-7, "relative error {largest}");
    assert_eq!(cpu::exp::exp(-1e30), 0.0, "what is masked has no weight");
    assert_eq!(cpu::exp::exp(f32::NEG_INFINITY), 0.0);
    assert_eq!(cpu::exp::exp(f32::INFINITY), f32::INFINITY);
    assert_eq!(cpu::exp::exp(0.0), 1.0);
    assert!(cpu::exp::exp(f32::NAN).is_nan(), "what is poisoned stays so");
}

#[test]
fn products_agree_with_their_references() {
    for [m, n, k] in [[1, 1, 1], [1, 512, 128], [2, 3, 4], [17, 5, 31], [65, 64, 513], [130, 344, 128], [33, 1, 1030]] {
        let (a, b, shape) = (numbers(1, m * k), numbers(2, n * k), Shape { m, n, k });
        let references = [reference_nt, reference_nn, reference_tn];
        for (layout, reference) in [Layout::Nt, Layout::Nn, Layout::Tn].into_iter().zip(references) {
            let (mut y, mut expected) = (vec![f32::NAN; m * n], vec![0.0; m * n]);
            reference(&a, &b, &mut expected, shape);
            cpu::matmul::matmul(layout, [&a, &b], &mut y, shape, false);
            assert_close(&y, &expected, &format!("{layout:?} {shape:?}"));
            cpu::matmul::matmul(layout, [&a, &b], &mut y, shape, true);
            expected.iter_mut().for_each(|y| *y *= 2.0);
            assert_close(&y, &expected, &format!("{layout:?} {shape:?} twice"));
        }
    }
}

#[test]
fn norms_agree_with_their_references() {
    for [n, c] in SIZES {
        let label = format!("({n}, {c})");
        let (x, gain, y_grad) = (numbers(1, n * c), numbers(2, c), numbers(3, n * c));
        for accumulate in [0, 1] {
            let params = rmsnorm::Params { n_rows: n as u32, d_model: c as u32, eps: 1e-2, accumulate };
            let mut sides = [(); 2].map(|()| [vec![1.0; n * c], vec![0.0; n], vec![1.0; n * c], vec![1.0; c]]);
            let [[y, inv, x_grad, gain_grad], fast] = &mut sides;
            rmsnorm::reference(&x, &gain, y, inv, &params);
            rmsnorm::reference_grad_x(&x, &gain, &y_grad, inv, x_grad, &params);
            rmsnorm::reference_grad_gain(&x, &y_grad, inv, gain_grad, &params);
            let [y, inv, x_grad, gain_grad] = fast;
            cpu::norm::rmsnorm(&x, &gain, y, inv, [n, c], params.eps);
            cpu::norm::rmsnorm_grad_x([&x, &gain, &y_grad, inv], x_grad, [n, c], accumulate == 1);
            cpu::norm::rmsnorm_grad_gain([&x, &y_grad, inv], gain_grad, [n, c]);
            let [reference, fast] = &sides;
            fast.iter().zip(reference).for_each(|(a, b)| assert_close(a, b, &format!("rmsnorm {label}")));
            let mut sides = [(); 2].map(|()| [vec![1.0; n * c], vec![0.0; 2 * n], vec![1.0; n * c], vec![1.0; c]]);
            let [[y, stats, x_grad, gain_grad], fast] = &mut sides;
            layernorm::reference(&x, &gain, y, stats, &params);
            layernorm::reference_grad_x(&x, &gain, &y_grad, stats, x_grad, &params);
            layernorm::reference_grad_gain(&x, &y_grad, stats, gain_grad, &params);
            let [y, stats, x_grad, gain_grad] = fast;
            cpu::norm::layernorm(&x, &gain, y, stats, [n, c], params.eps);
            cpu::norm::layernorm_grad_x([&x, &gain, &y_grad, stats], x_grad, [n, c], accumulate == 1);
            cpu::norm::layernorm_grad_gain([&x, &y_grad, stats], gain_grad, [n, c]);
            let [reference, fast] = &sides;
            fast.iter().zip(reference).for_each(|(a, b)| assert_close(a, b, &format!("layernorm {label}")));
        }
    }
}

#[test]
fn softmax_and_cross_entropy_agree_with_their_references() {
    for [n, c] in SIZES {
        let label = format!("({n}, {c})");
        let logits: Vec<f32> = numbers(1, n * c).iter().map(|x| 30.0 * x).collect();
        let targets = ids(2, n, c);
        let params = softmax::Params { n_rows: n as u32, n_cols: c as u32 };
        let (mut fast, mut reference) = (logits.clone(), logits.clone());
        cpu::softmax::softmax(&mut fast, [n, c]);
        softmax::reference(&mut reference, &params);
        assert_close(&fast, &reference, &format!("softmax {label}"));
        let params = cross_entropy::Params::new(n, c);
        let [mut losses, mut fast_losses, mut again] = [(); 3].map(|()| vec![0.0; n]);
        let (mut fast, mut reference) = (logits.clone(), logits.clone());
        cross_entropy::reference(&logits, &targets, &mut losses, &params);
        cpu::loss::cross_entropy(&logits, &targets, &mut again, [n, c]);
        assert_close(&again, &losses, &format!("cross_entropy {label}"));
        cross_entropy::reference_grad(&mut reference, &targets, &params);
        cpu::loss::cross_entropy_grad(&mut fast, &targets, &mut fast_losses, [n, c], n);
        assert_close(&fast_losses, &losses, &format!("losses {label}"));
        let times_n = |grads: Vec<f32>| -> Vec<f32> { grads.iter().map(|grad| grad * n as f32).collect() };
        assert_close(&times_n(fast), &times_n(reference), &format!("cross_entropy_grad {label}"));
        let coefficients = numbers(5, n);
        let [mut entropies, mut fast_entropies, mut entropies_again] = [(); 3].map(|()| vec![0.0; n]);
        let (mut fast, mut reference) = (logits.clone(), logits.clone());
        cross_entropy::reference_weighted(&mut reference, &targets, &coefficients, &params);
        cross_entropy::reference_entropies(&logits, &mut entropies, &params);
        let outputs = [&mut fast_losses[..], &mut fast_entropies[..]];
        cpu::loss::weighted_cross_entropy_grad(&mut fast, &targets, outputs, &coefficients, [n, c]);
        cpu::loss::cross_entropy_and_entropies(&logits, &targets, &mut again, &mut entropies_again, [n, c]);
        assert_close(&fast, &reference, &format!("weighted gradient {label}"));
        for losses_of in [&fast_losses, &again] {
            assert_close(losses_of, &losses, &format!("losses {label}"));
        }
        for entropies_of in [&fast_entropies, &entropies_again] {
            assert_close(entropies_of, &entropies, &format!("entropies {label}"));
        }
    }
}

#[test]
fn activations_embeddings_and_rotations_agree_with_their_references() {
    for [n, c] in SIZES {
        let label = format!("({n}, {c})");
        let x: Vec<f32> = numbers(1, n * c).iter().map(|x| 8.0 * x).collect();
        let grad = numbers(3, n * c);
        let gate_up: Vec<f32> = numbers(2, 2 * n * c).iter().map(|x| 8.0 * x).collect();
        let params = swiglu::Params { n_rows: n as u32, d_ff: c as u32 };
        let mut sides = [(); 2].map(|()| [vec![0.0; n * c], vec![0.0; 2 * n * c]]);
        let [[hidden, gate_up_grad], fast] = &mut sides;
        swiglu::reference(&gate_up, hidden, &params);
        swiglu::reference_grad(&gate_up, &grad, gate_up_grad, &params);
        let [hidden, gate_up_grad] = fast;
        cpu::activation::swiglu(&gate_up, hidden, c);
        cpu::activation::swiglu_grad(&gate_up, &grad, gate_up_grad, c);
        sides[1].iter().zip(&sides[0]).for_each(|(a, b)| assert_close(a, b, &format!("swiglu {label}")));
        for which in [Activation::Silu, Activation::Gelu] {
            let [mut y, mut fast, mut x_grad, mut fast_grad] = [(); 4].map(|()| vec![0.0; n * c]);
            activation::reference(which, &x, &mut y);
            cpu::activation::activation(which, &x, &mut fast);
            assert_close(&fast, &y, &format!("{which:?} {label}"));
            activation::reference_grad(which, &x, &grad, &mut x_grad);
            cpu::activation::activation_grad(which, &x, &grad, &mut fast_grad);
            assert_close(&fast_grad, &x_grad, &format!("gradient of {which:?} {label}"));
        }
        let vocab_size = 500;
        let ids = ids(4, n, vocab_size);
        for accumulate in [0, 1] {
            let params = embedding::Params {
                n_tokens: n as u32,
                vocab_size: vocab_size as u32,
                d_model: c as u32,
                accumulate,
                first_id: 0,
            };
            let [mut sums, mut fast] = [(); 2].map(|()| vec![1.0; vocab_size * c]);
            embedding::reference_grad(&grad, &ids, &mut sums, &params);
            cpu::embedding::embedding_grad(&grad, &ids, &mut fast, c, accumulate == 1);
            assert_close(&fast, &sums, &format!("embedding_grad {label}"));
        }
        let (d_head, n_heads) = (2 * c.min(64), 2);
        let table = rope::cos_sin_table(n, d_head, 10_000.0);
        let (context_length, d_model) = (n as u32, (n_heads * d_head) as u32);
        let (stride, d_head) = (d_model + 3, d_head as u32);
        let params = rope::Params { n_rows: 2 * n as u32, context_length, d_model, stride, d_head, direction: -1.0 };
        let [mut turned, mut fast] = [(); 2].map(|()| numbers(5, 2 * n * stride as usize));
        rope::reference(&table, &mut turned, &params);
        let [width, stride, d_head] = [d_model, stride, d_head].map(|size| size as usize);
        let rows = cpu::rope::Rows { n: 2 * n, context_length: n, width, stride, d_head };
        cpu::rope::rope(&table, &mut fast, rows, params.direction);
        assert_close(&fast, &turned, &format!("rope {label}"));
    }
}

#[test]
fn attention_agrees_with_its_reference() {
    for (n, n_heads, n_kv_heads, d) in [(1, 1, 1, 2), (63, 2, 1, 8), (64, 4, 2, 6), (65, 2, 2, 32), (200, 2, 1, 128)] {
        for causal in [0, 1] {
            let params = Params { causal, rotated: causal, ..Params::new(n, n_heads, n_kv_heads, d) };
            let (cells, width) = (2 * n * n_heads, (n_heads + 2 * n_kv_heads) * d);
            let (qkv, out_grad) = (numbers(1, 2 * n * width), numbers(2, cells * d));
            let table = rope::cos_sin_table(n, d, 10_000.0);
            let mut sides = [(); 2].map(|()| [cells * d, cells, 2 * n * width].map(|len| vec![0.5; len]));
            let [[out, lse, qkv_grad], fast] = &mut sides;
            flash_attention::reference(&qkv, out, lse, &params);
            flash_attention::reference_grad([&qkv, out, &out_grad, lse, &table], qkv_grad, &params);
            let [out, lse, qkv_grad] = fast;
            cpu::flash::forward(&qkv, out, lse, &params);
            cpu::flash::grad([&qkv, out, &out_grad, lse, &table], qkv_grad, &params);
            let label = format!("{n} positions, {n_heads}/{n_kv_heads} heads of {d}, causal {causal}");
            sides[1].iter().zip(&sides[0]).for_each(|(a, b)| assert_close(a, b, &label));
        }
    }
}

/// Large enough that every kernel splits its work between threads.
fn large() -> RunConfig {
    let mut config = Preset::Nano.config();
    config.model = ModelConfig::cs336([512, 130], [128, 1, 4, 344]);
    config.train.batch_size = 8;
    config
}

#[test]
fn results_are_the_same_to_the_bit_on_any_number_of_threads() {
    let train = || {
        let tokens = ids(1, 4000, 512);
        let mut trainer = block_on(Trainer::new(large(), None, &tokens, &tokens)).unwrap();
        trainer.submit(2);
        block_on(trainer.collect()).unwrap();
        block_on(trainer.state()).unwrap().params.iter().map(|x| x.to_bits()).collect::<Vec<u32>>()
    };
    let on = |n: usize| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(train);
    let one = on(1);
    assert!(one == on(2), "two threads differ from one");
    assert!(one == on(5), "five threads differ from one");
}

#[test]
fn the_cpu_backend_times_its_dispatches() {
    use glasshead::gpu::recording::{Buffers, Recording};
    use glasshead::ops::residual;
    let mut buffers = Buffers::default();
    let slices = [(); 3].map(|()| buffers.add("test", 40_000));
    let mut backend = Backend::cpu(&buffers);
    let mut recording = Recording::new("test");
    residual::residual(&mut recording, slices);
    let program = backend.prepare(recording);
    let timings = block_on(backend.profile(program)).unwrap();
    assert_eq!(timings.len(), 1);
    assert!(timings[0].kernel == "residual" && timings[0].ns > 0.0);
}
