//! Operations against small computations in f64.

use std::fs;

use glasshead::gpu::context::Context;
use serde_json::{Value, json};

use super::{Tensor, Tensors, answers, ask, blob, close, frame, model};
use crate::common::context;

/// Checks the only tensor of a response, on both backends.
fn check_out(gpu: &Context, op: &str, args: Value, tensors: Tensors<'_>, shape: &[usize], expected: &[f64]) {
    for context in [None, Some(gpu)] {
        let (_, out) = ask(op, args.clone(), tensors, context).unwrap();
        let out = &out["out"];
        assert_eq!(out.shape, shape, "{op}");
        close(op, &out.f64s(), expected);
    }
}

#[test]
fn linear_and_softmax_on_any_dimension() {
    let gpu = context();
    let (x, w) = (Tensor::random(1, &[2, 3, 7]), Tensor::random(2, &[5, 7]));
    let (xs, ws) = (x.f64s(), w.f64s());
    let dot = |row: usize, out: usize| (0..7).map(|i| xs[row * 7 + i] * ws[out * 7 + i]).sum();
    let expected: Vec<f64> = (0..30).map(|at| dot(at / 5, at % 5)).collect();
    check_out(&gpu, "linear", json!({}), &[("x", x.clone()), ("w", w)], &[2, 3, 5], &expected);
    // Along the middle dimension, with one −∞ as in masks.
    let mut values: Vec<f32> = xs.iter().map(|&x| x as f32).collect();
    values[8] = f32::NEG_INFINITY;
    let exp = |at: usize| f64::from(values[at]).exp();
    let sum = |at: usize| (0..3).map(|row| exp(at / 21 * 21 + row * 7 + at % 7)).sum::<f64>();
    let expected: Vec<f64> = (0..42).map(|at| exp(at) / sum(at)).collect();
    for dim in [1, -2] {
        let x = Tensor::floats(&[2, 3, 7], &values);
        check_out(&gpu, "softmax", json!({"dim": dim}), &[("x", x)], &[2, 3, 7], &expected);
    }
    let masked = Tensor::floats(&[2], &[f32::NEG_INFINITY; 2]);
    check_out(&gpu, "softmax", json!({"dim": 0}), &[("x", masked)], &[2], &[0.5; 2]);
    check_out(&gpu, "softmax", json!({"dim": -1}), &[("x", Tensor::floats(&[], &[3.0]))], &[], &[1.0]);
}

#[test]
fn rope_takes_any_positions_and_broadcasts_them() {
    let (x, positions) = (Tensor::random(1, &[2, 3, 4]), [-7i64, 0, 100]);
    let xs = x.f64s();
    let mut expected = Vec::new();
    for (pair, x) in xs.chunks(2).enumerate() {
        let (row, i) = (pair / 2, pair % 2);
        let (sine, cosine) = (positions[row % 3] as f64 * 100f64.powf(-2.0 * i as f64 / 4.0)).sin_cos();
        expected.extend([x[0] * cosine - x[1] * sine, x[0] * sine + x[1] * cosine]);
    }
    let pos = ("pos", Tensor::ints(&[1, 3], &positions));
    check_out(&context(), "rope", json!({"theta": 100}), &[("x", x), pos], &[2, 3, 4], &expected);
}

#[test]
fn sdpa_takes_any_mask_and_flash_attention_is_the_same() {
    let gpu = context();
    let [q, k, v] = [(1, 5), (2, 3), (3, 3)].map(|(seed, t)| Tensor::random(seed, &[2, t, 4]));
    let mask: Vec<bool> = (0..15).map(|at| at / 3 != 2 && at % 4 != 1).collect(); // query 2 attends to nothing
    let (qs, ks, vs) = (q.f64s(), k.f64s(), v.f64s());
    let mut expected = vec![0.0; 40];
    for (batch, query) in (0..10).map(|row| (row / 5, row % 5)) {
        let score = |key: usize| {
            let dot: f64 = (0..4).map(|i| qs[(batch * 5 + query) * 4 + i] * ks[(batch * 3 + key) * 4 + i]).sum();
            if mask[query * 3 + key] { (dot / 2.0).exp() } else { 0.0 }
        };
        let sum: f64 = (0..3).map(score).sum();
        for (key, i) in (0..12).map(|at| (at / 4, at % 4)).filter(|_| sum > 0.0) {
            expected[(batch * 5 + query) * 4 + i] += score(key) / sum * vs[(batch * 3 + key) * 4 + i];
        }
    }
    let tensors = [("q", q), ("k", k), ("v", v), ("mask", Tensor::flags(&[5, 3], &mask))];
    check_out(&gpu, "sdpa", json!({}), &tensors, &[2, 5, 4], &expected);

    let [q, k, v] = [1, 2, 3].map(|seed| Tensor::random(seed, &[2, 2, 6, 5]));
    let causal: Vec<bool> = (0..36).map(|at| at % 6 <= at / 6).collect();
    let mut tensors = vec![("q", q), ("k", k), ("v", v)];
    let flash = ask("flash_fwd", json!({"causal": true}), &tensors, Some(&gpu)).unwrap().1;
    assert_eq!(flash["l"].shape, [2, 2, 6]);
    tensors.push(("mask", Tensor::flags(&[6, 6], &causal)));
    check_out(&gpu, "sdpa", json!({}), &tensors, &[2, 2, 6, 5], &flash["o"].f64s());
}

#[test]
fn optimizer_clipping_and_schedule() {
    let gpu = context();
    let [p, g, m] = [1, 2, 3].map(|seed| Tensor::random(seed, &[3]));
    let v = Tensor::floats(&[3], &[0.1, 0.2, 0.3]);
    // With a large ε, it matters that it is added after the bias correction.
    let args = |eps: f64| json!({"lr": 0.01, "betas": [0.9, 0.95], "eps": eps, "wd": 0.1, "t": 3});
    let update = |i: usize, eps: f64| {
        let m = 0.9 * m.f64s()[i] + 0.1 * g.f64s()[i];
        let v = 0.95 * v.f64s()[i] + 0.05 * g.f64s()[i].powi(2);
        let (m_hat, v_hat) = (m / (1.0 - 0.9f64.powi(3)), v / (1.0 - 0.95f64.powi(3)));
        [p.f64s()[i] * (1.0 - 0.01 * 0.1) - 0.01 * m_hat / (v_hat.sqrt() + eps), m, v]
    };
    let tensors = [("p", p.clone()), ("g", g.clone()), ("m", m.clone()), ("v", v.clone())];
    let big = [("b", Tensor::floats(&[2], &[3.0, 0.0])), ("a", Tensor::floats(&[], &[4.0]))];
    for context in [None, Some(&gpu)] {
        for eps in [1e-8, 0.3] {
            let out = ask("adamw", args(eps), &tensors, context).unwrap().1;
            for (at, name) in ["p", "m", "v"].into_iter().enumerate() {
                close(name, &out[name].f64s(), &[0, 1, 2].map(|i| update(i, eps)[at]));
            }
        }
        let out = ask("clip", json!({"max": 1.0}), &big, context).unwrap().1;
        close("clip", &[&out["b"].f64s()[..], &out["a"].f64s()].concat(), &[0.6, 0.0, 0.8]);
        assert_eq!(ask("clip", json!({"max": 6.0}), &big, context).unwrap().1["a"], big[1].1);
    }
    let lr = |it: u64| {
        let args = json!({"it": it, "max": 1.0, "min": 0.1, "warm": 7, "cyc": 21});
        ask("lr", args, &[], None).unwrap().0.as_f64().unwrap()
    };
    let middle = 0.1 + 0.5 * 0.9;
    close("lr", &[0, 1, 7, 14, 21, 22, 1000].map(lr), &[0.0, 1.0 / 7.0, 1.0, middle, 0.1, 0.1, 0.1]);
}

/// 200 steps against `torch.optim.AdamW` in float64 (`adamw.py`). With 1 − β computed from a rounded β, the second moment would
/// be off by 1.3e-5 at 0.999 and by 1.3 % at 0.999999.
#[test]
fn adamw_computes_what_pytorch_does_in_float64_for_any_betas() {
    let gpu = context();
    let oracle: Value = serde_json::from_str(include_str!("adamw.json")).unwrap();
    let numbers = |value: &Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    };
    let start: Vec<f32> = numbers(&oracle["start"]).iter().map(|&x| x as f32).collect();
    let shape = [start.len()];
    for run in oracle["runs"].as_array().unwrap() {
        for context in [None, Some(&gpu)] {
            let zeros = Tensor::floats(&shape, &vec![0.0; start.len()]);
            let mut state = [("p", Tensor::floats(&shape, &start)), ("m", zeros.clone()), ("v", zeros)];
            for t in 1..=oracle["steps"].as_u64().unwrap() {
                let gradient = |i: usize| ((37 * t as usize + 11 * i) % 101) as f32 - 50.0;
                let gradient = |i: usize| gradient(i) / 64.0 * 0.5f32.powi(i as i32);
                let g = ("g", Tensor::floats(&shape, &(0..start.len()).map(gradient).collect::<Vec<_>>()));
                let args = json!({"lr": 1e-3, "betas": run["betas"], "eps": 1e-8, "wd": 0.1, "t": t});
                let mut out = ask("adamw", args, &[&state[..], &[g]].concat(), context).unwrap().1;
                state.iter_mut().for_each(|(name, tensor)| *tensor = out.remove(*name).unwrap());
            }
            for (name, found) in &state {
                for (i, (found, expected)) in found.f64s().into_iter().zip(numbers(&run[*name])).enumerate() {
                    let allowed = if *name == "v" { 3e-6 * expected } else { 1e-6 * expected.abs().max(1.0) };
                    let error = (found - expected).abs();
                    assert!(error <= allowed, "{}: {name}[{i}] is {found}, not {expected}", run["betas"]);
                }
            }
        }
    }
}

#[test]
fn what_f32_cannot_hold_is_refused_and_a_schedule_does_not_overflow() {
    let one = Tensor::floats(&[1], &[1.0]);
    let tensors = ["p", "g", "m", "v"].map(|name| (name, one.clone()));
    let good = json!({"lr": 0.1, "betas": [0.9, 0.99], "eps": 1e-8, "wd": 0.1, "t": 1});
    for argument in ["lr", "eps", "wd"] {
        let mut args = good.clone();
        args[argument] = json!(1e39);
        let sentence = ask("adamw", args, &tensors, None).unwrap_err();
        assert!(sentence.contains(argument) && sentence.contains("f32 can hold"), "{sentence}");
    }
    let args = json!({"it": 10, "max": 1.7e308, "min": -1.7e308, "warm": 0, "cyc": 40});
    let rate = ask("lr", args, &[], None).unwrap().0.as_f64().unwrap();
    let expected = 1.7e308 * std::f64::consts::FRAC_1_SQRT_2;
    assert!((rate / expected - 1.0).abs() < 1e-12, "{rate}");
    let args = json!({"it": 10, "max": 1e308, "min": 0, "warm": 20, "cyc": 40});
    assert_eq!(ask("lr", args, &[], None).unwrap().0, json!(5e307));
}

/// A single sequential sum of a million terms in f32 is off by 1e-5.
#[test]
fn the_mean_of_many_losses_is_that_of_f64() {
    let gpu = context();
    let n = 1_000_000;
    let logits: Vec<f32> = (0..n).flat_map(|row| [0.0, (row % 1009) as f32 / 256.0]).collect();
    let losses = logits.chunks(2).map(|row| (1.0 + f64::from(row[1]).exp()).ln());
    let expected = losses.sum::<f64>() / n as f64;
    let tensors = [("x", Tensor::floats(&[n, 2], &logits)), ("t", Tensor::ints(&[n], &vec![0; n]))];
    for context in [None, Some(&gpu)] {
        let mean = ask("cross_entropy", json!({}), &tensors, context).unwrap().1["out"].f64s()[0];
        assert!((mean / expected - 1.0).abs() < 1e-6, "{mean} instead of {expected}");
    }
}

#[test]
fn get_batch_cuts_windows_from_every_start() {
    let gpu = context();
    let data: Vec<i64> = (0..10).map(|i| i * (1 << 33) - 5).collect();
    let tensors = [("data", Tensor::ints(&[10], &data))];
    let mut seen = [0; 7];
    for context in [None, Some(&gpu)] {
        let out = ask("get_batch", json!({"b": 200, "ctx": 3}), &tensors, context).unwrap().1;
        let (x, y) = (out["x"].i64s(), out["y"].i64s());
        assert_eq!((&out["x"].shape[..], &out["y"].shape[..]), (&[200, 3][..], &[200, 3][..]));
        for (x, y) in x.chunks(3).zip(y.chunks(3)) {
            let start = data.iter().position(|&token| token == x[0]).unwrap();
            assert_eq!((x, y), (&data[start..start + 3], &data[start + 1..start + 4]));
            seen[start] += 1;
        }
    }
    assert!(seen.iter().all(|&count| count > 0), "{seen:?}");
}

#[test]
fn the_models_loss_is_that_of_its_logits_and_its_gradient_points_uphill() {
    let gpu = context();
    let args = json!({"h": 2, "theta": 10_000, "layers": 2});
    let tensors = model(7, 8, 12, 2);
    for context in [None, Some(&gpu)] {
        let graded = ask("lm_grad", args.clone(), &tensors, context).unwrap().1;
        assert_eq!(graded.len(), tensors.len() - 2 + 1);
        let logits = &ask("lm", args.clone(), &tensors, context).unwrap().1["out"];
        assert_eq!(logits.shape, [2, 3, 7]);
        let targets = tensors[tensors.len() - 1].1.i64s();
        let loss = |row: usize| {
            let logits = &logits.f64s()[row * 7..][..7];
            logits.iter().map(|logit| logit.exp()).sum::<f64>().ln() - logits[targets[row] as usize]
        };
        close("loss", &graded["loss"].f64s(), &[(0..6).map(loss).sum::<f64>() / 6.0]);
        // Along the gradient, the loss changes by the square of its norm.
        let square: f64 =
            graded.iter().filter(|(name, _)| *name != "loss").flat_map(|(_, g)| g.f64s()).map(|g| g * g).sum();
        let step = 2e-3 / square.sqrt();
        let moved = |sign: f64| {
            let shifted: Vec<(&str, Tensor)> = tensors
                .iter()
                .map(|(name, tensor)| {
                    let Some(grad) = graded.get(&format!("grad.{name}")) else { return (*name, tensor.clone()) };
                    let sum = tensor
                        .f64s()
                        .iter()
                        .zip(grad.f64s())
                        .map(|(w, g)| (w + sign * step * g) as f32)
                        .collect::<Vec<_>>();
                    (*name, Tensor::floats(&tensor.shape, &sum))
                })
                .collect();
            ask("lm_grad", args.clone(), &shifted, context).unwrap().1["loss"].f64s()[0]
        };
        let slope = (moved(1.0) - moved(-1.0)) / (2.0 * step);
        assert!((slope / square - 1.0).abs() < 0.01, "{slope} instead of {square}");
    }
}

#[test]
fn checkpoints_come_back_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let args = json!({"path": path, "meta": {"step": 3, "loss": 0.1234567890123456, "notes": [null, "é"]}});
    let tensors = [
        ("scalar", Tensor::floats(&[], &[1.5])),
        ("none", Tensor::floats(&[0, 4], &[])),
        ("flags", Tensor::flags(&[3], &[true, false, true])),
        ("ids", Tensor::ints(&[2], &[i64::MIN, i64::MAX])),
    ];
    ask("ckpt_save", args.clone(), &tensors, None).unwrap();
    let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["run.safetensors"]);
    let (meta, loaded) = ask("ckpt_load", json!({"path": path}), &[], None).unwrap();
    assert_eq!(meta, args["meta"]);
    assert_eq!(loaded, tensors.map(|(name, tensor)| (name.to_string(), tensor)).into());
    fs::write(&path, b"cut").unwrap();
    assert!(ask("ckpt_load", json!({"path": path}), &[], None).unwrap_err().contains("safetensors"));
}

#[test]
fn a_vocabulary_is_trained_and_used_through_handles() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.txt");
    fs::write(&path, "low low low lower<|end|>lowest newest newest").unwrap();
    let args = json!({"path": path, "n": 262, "special": ["<|end|>"]});
    let trained = ask("train_bpe", args, &[], None).unwrap().0;
    let (vocab, merges) = (trained["vocab"].as_array().unwrap(), trained["merges"].as_array().unwrap());
    assert_eq!((vocab.len(), merges.len()), (262, 5));
    assert_eq!(vocab[0], json!("PHxlbmR8Pg=="), "the special token comes first");
    assert_eq!(merges[0], json!(["bw==", "dw=="]), "o w comes before l o, which is as frequent, because it is greater");
    let by_id: serde_json::Map<_, _> =
        (0..).zip(vocab).map(|(id, token): (usize, _)| (id.to_string(), token.clone())).collect();
    let new = frame(&blob("tok_new", json!({"vocab": by_id, "merges": merges, "special": ["<|end|>"]}), &[]));
    let encode = |h: u32, text: &str| frame(&blob("tok_encode", json!({"h": h, "text": text}), &[]));
    let decode = |ids: &[i64]| frame(&blob("tok_decode", json!({"h": 0}), &[("ids", Tensor::ints(&[ids.len()], ids))]));
    let stream = [
        new.clone(),
        new,
        encode(1, "low<|end|>é"),
        encode(0, ""),
        encode(2, ""),
        decode(&[1 + 0xf0, 1 + i64::from(b'!')]),
        decode(&[]),
        decode(&[262]),
    ];
    let (answers, end) = answers(&stream.concat(), None);
    end.unwrap();
    let result = |at: usize| &answers[at].as_ref().unwrap().0;
    let ids = |at: usize| answers[at].as_ref().unwrap().1["ids"].i64s();
    assert_eq!((result(0), result(1)), (&json!(0), &json!(1)));
    let low = vocab.iter().position(|token| *token == json!("bG93")).unwrap() as i64;
    assert_eq!(ids(2), [low, 0, 1 + 0xc3, 1 + 0xa9]);
    assert_eq!(ids(3), [0i64; 0]);
    assert!(answers[4].as_ref().is_err_and(|sentence| sentence.contains("handle")));
    assert_eq!((result(5), result(6)), (&json!("\u{fffd}!"), &json!("")));
    assert!(answers[7].as_ref().is_err_and(|sentence| sentence.contains("from 0 to 261")));
}

#[test]
fn parts_that_make_no_tokenizer_are_refused() {
    let table = [
        (json!({"vocab": {"a": "YQ=="}, "merges": []}), "vocab"),
        (json!({"vocab": {"0": "?"}, "merges": []}), "vocab[0]"),
        (json!({"vocab": {"0": "YQ=="}, "merges": [["YQ=="]]}), "merges[0]"),
        (json!({"vocab": {"0": "YQ=="}, "merges": [["YQ==", "Yg=="]]}), "tokenizer"),
        (json!({"vocab": {"0": "YQ=="}, "merges": [], "special": [1]}), "special"),
        (json!({"vocab": {"4000000000": "YQ=="}, "merges": []}), "4000000000"),
    ];
    for (args, words) in table {
        let sentence = ask("tok_new", args, &[], None).unwrap_err();
        assert!(sentence.contains(words), "{sentence}");
    }
    let sentence = ask("train_bpe", json!({"path": "/no/such", "n": 300}), &[], None).unwrap_err();
    assert!(sentence.contains("/no/such"), "{sentence}");
    let small = json!({"path": file!(), "n": 10});
    assert!(ask("train_bpe", small, &[], None).unwrap_err().contains("too small"));
}
