//! The operations of alignment, with values that PyTorch computed in float64 (`tests/align/generate.py`).

use glasshead::gpu::context::Context;
use serde_json::{Value, json};

use super::{Tensor, Tensors, ask, close};
use crate::common::context;

fn golden() -> Value {
    serde_json::from_str(include_str!("../align/golden.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn floats(shape: &[usize], value: &Value) -> Tensor {
    Tensor::floats(shape, &numbers(value).into_iter().map(|number| number as f32).collect::<Vec<_>>())
}

fn flags(shape: &[usize], value: &Value) -> Tensor {
    Tensor::flags(shape, &value.as_array().unwrap().iter().map(|flag| flag.as_bool().unwrap()).collect::<Vec<_>>())
}

/// Checks one tensor of a response.
fn check(op: &str, args: Value, tensors: Tensors<'_>, name: &str, shape: &[usize], expected: &[f64]) {
    let (_, out) = ask(op, args.clone(), tensors, None).unwrap_or_else(|error| panic!("{op} {args}: {error}"));
    assert_eq!(out[name].shape, shape, "{op}");
    close(&format!("{op} {args}"), &out[name].f64s(), expected);
}

/// The log-probabilities of the golden labels.
fn log_probs(golden: &Value) -> Vec<f64> {
    let (logits, labels) = (numbers(&golden["logits"]), numbers(&golden["labels"]));
    let of =
        |(row, label): (&[f64], &f64)| row[*label as usize] - row.iter().map(|logit| logit.exp()).sum::<f64>().ln();
    logits.chunks_exact(5).zip(&labels).map(of).collect()
}

#[test]
fn log_probabilities_and_entropies_on_both_backends() {
    let (golden, gpu) = (golden(), context());
    let labels: Vec<i64> = numbers(&golden["labels"]).into_iter().map(|label| label as i64).collect();
    let x = floats(&[12, 7, 5], &golden["logits"]);
    for context in [None, Some(&gpu)] {
        let tensors = [("x", x.clone()), ("labels", Tensor::ints(&[12, 7], &labels))];
        let (_, out) = ask("token_log_probs", json!({}), &tensors, context).unwrap();
        assert_eq!((out.len(), &out["log_probs"].shape), (2, &vec![12, 7]));
        close("log_probs", &out["log_probs"].f64s(), &log_probs(&golden));
        close("token_entropy", &out["token_entropy"].f64s(), &numbers(&golden["entropies"]));
        let (_, out) = ask("entropy", json!({}), &[("x", x.clone())], context).unwrap();
        assert_eq!(out["out"].shape, [12, 7]);
        close("entropy", &out["out"].f64s(), &numbers(&golden["entropies"]));
        // Shifts do not matter, a certain token has no entropy, and equal ones have the most.
        let extreme = [1000.0, 1000.0, -1000.0, -1000.0, 80.0, f32::MIN, f32::MIN, f32::MIN];
        let (_, out) = ask("entropy", json!({}), &[("x", Tensor::floats(&[2, 4], &extreme))], context).unwrap();
        close("extreme entropies", &out["out"].f64s(), &[2.0f64.ln(), 0.0]);
    }
}

#[test]
fn masked_reductions_along_any_dimension() {
    let x = Tensor::floats(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, f32::INFINITY]);
    let m = Tensor::flags(&[2, 3], &[true, true, false, false, true, false]);
    let tensors = [("x", x.clone()), ("m", m)];
    let mean = |dim: Value, shape: &[usize], expected: &[f64]| {
        check("masked_mean", json!({"dim": dim}), &tensors, "out", shape, expected);
    };
    mean(Value::Null, &[], &[8.0 / 3.0]);
    mean(json!(1), &[2], &[1.5, 5.0]);
    mean(json!(-1), &[2], &[1.5, 5.0]);
    let (_, out) = ask("masked_mean", json!({"dim": 0}), &tensors, None).unwrap();
    let found = out["out"].f64s();
    assert!(found[..2] == [1.0, 3.5] && found[2].is_nan(), "{found:?}");
    let sums = |dim: Value, shape: &[usize], expected: &[f64]| {
        check("masked_normalize", json!({"dim": dim, "c": 2}), &tensors, "out", shape, expected);
    };
    sums(Value::Null, &[], &[4.0]);
    sums(json!(0), &[3], &[0.5, 3.5, 0.0]);
    sums(json!(-1), &[2], &[1.5, 2.5]);
    // A mask of one row counts for all rows.
    let row = [("x", x), ("m", Tensor::flags(&[3], &[true, false, false]))];
    check("masked_mean", json!({"dim": null}), &row, "out", &[], &[2.5]);
}

#[test]
fn advantages_of_groups() {
    let golden = golden();
    let tensors = [("r", floats(&[12], &golden["rewards"]))];
    for case in golden["all_advantages"].as_array().unwrap() {
        let expected = numbers(&case["out"]);
        if expected.iter().any(|advantage| advantage.abs() > 1e3) {
            continue; // divided by ε: compared in f64
        }
        let args = json!({"g": 4, "eps": 1e-6, "baseline": case["baseline"], "normalizer": case["normalizer"]});
        check("advantages", args, &tensors, "out", &[12], &expected);
        let std = case["normalizer"] == "std";
        if case["baseline"] == "mean" && case["normalizer"] != "mean" {
            check("group_norm", json!({"g": 4, "eps": 1e-6, "std": std}), &tensors, "out", &[12], &expected);
        }
    }
}

fn policy_tensors(golden: &Value) -> Vec<(&'static str, Tensor)> {
    let policy: Vec<f32> = log_probs(golden).into_iter().map(|number| number as f32).collect();
    vec![
        ("policy_log_probs", Tensor::floats(&[12, 7], &policy)),
        ("old_log_probs", floats(&[12, 7], &golden["old"])),
        ("ref_log_probs", floats(&[12, 7], &golden["reference"])),
        ("mask", flags(&[12, 7], &golden["mask"])),
        ("response_mask", flags(&[12, 7], &golden["mask"])),
        ("a", floats(&[12, 1], &golden["advantages"])),
        ("advantages", floats(&[12, 1], &golden["advantages"])),
        ("raw_rewards", floats(&[12, 1], &golden["advantages"])),
    ]
}

#[test]
fn losses_of_tokens_and_their_aggregation() {
    let golden = golden();
    let tensors = policy_tensors(&golden);
    for case in golden["policy"].as_array().unwrap() {
        if case["kl"] != 0.0 {
            continue;
        }
        let (losses, normalization) = (numbers(&case["token_losses"]), &case["normalization"]);
        let args = json!({"weights": case["weights"], "cliprange": 0.2});
        check("pg_loss26", args, &tensors, "out", &[12, 7], &losses);
        let l = [("l", floats(&[12, 7], &case["token_losses"])), tensors[3].clone()];
        let args = json!({"normalization": normalization, "c": 50});
        check("aggregate", args, &l, "out", &[], &[case["loss"].as_f64().unwrap()]);
        let types: &[&str] = match case["weights"].as_str().unwrap() {
            "none" => &["no_baseline", "reinforce_with_baseline"],
            "grpo" => &["grpo_clip"],
            _ => &[],
        };
        for loss_type in types {
            let args = json!({"loss_type": loss_type, "cliprange": 0.2});
            check("pg_loss", args, &tensors, "out", &[12, 7], &losses);
            if normalization == "sequence" {
                let args = json!({"loss_type": loss_type, "cliprange": 0.2, "ga": 2});
                let loss = [case["loss"].as_f64().unwrap() / 2.0];
                check("grpo_step", args.clone(), &tensors, "loss", &[], &loss);
                let grad: Vec<f64> = numbers(&case["grad_log_probs"]).iter().map(|grad| grad / 2.0).collect();
                check("grpo_step", args, &tensors, "grad", &[12, 7], &grad);
            }
        }
    }
}

#[test]
fn coefficients_of_tokens() {
    let golden = golden();
    let mut tensors = policy_tensors(&golden);
    // Rewards that are their own advantages.
    tensors.push(("rewards", floats(&[12], &golden["advantages"])));
    for case in golden["policy"].as_array().unwrap() {
        let expected: Vec<f64> = numbers(&case["grad_log_probs"]).iter().map(|grad| -grad).collect();
        let args = json!({
            "method": "rft", "baseline": "none", "normalizer": "none", "weights": case["weights"], "g": 4,
            "normalization": case["normalization"], "c": 50, "cliprange": 0.2, "kl": case["kl"],
        });
        check("token_coefficients", args, &tensors, "out", &[12, 7], &expected);
    }
    // The settings of a method, and supervised fine-tuning, which ignores rewards.
    tensors.last_mut().unwrap().1 = floats(&[12], &golden["rewards"]);
    let of = |args: Value| ask("token_coefficients", args, &tensors, None).unwrap().1["out"].f64s();
    let named = of(json!({"method": "dr_grpo", "g": 4, "c": 50}));
    let settings = json!({
        "baseline": "mean", "normalizer": "none", "weights": "grpo", "normalization": "constant", "g": 4, "c": 50,
        "cliprange": 0.2,
    });
    assert_eq!(named, of(settings));
    let mask = golden["mask"].as_array().unwrap();
    let n = mask.iter().filter(|flag| **flag == json!(true)).count() as f64;
    let expected: Vec<f64> = mask.iter().map(|flag| if *flag == json!(true) { 1.0 / n } else { 0.0 }).collect();
    close("sft", &of(json!({"method": "sft", "normalization": "token"})), &expected);
}

#[test]
fn supervised_steps_preferences_and_rows() {
    let policy = Tensor::floats(&[2, 3], &[-1.0, -2.0, -3.0, -4.0, -5.0, -6.0]);
    let mask = Tensor::flags(&[2, 3], &[false, true, true, false, false, true]);
    let tensors = [("policy_log_probs", policy), ("response_mask", mask)];
    check("sft_step", json!({"ga": 2, "c": 5}), &tensors, "loss", &[], &[11.0 / 20.0]);
    let grad = [0.0, -0.05, -0.05, 0.0, 0.0, -0.05];
    check("sft_step", json!({"ga": 2, "c": 5}), &tensors, "grad", &[2, 3], &grad);

    let golden = golden();
    let case = &golden["dpo"][0];
    let names = ["policy_chosen", "policy_rejected", "ref_chosen", "ref_rejected"];
    let tensors: Vec<_> =
        names.into_iter().enumerate().map(|(at, name)| (name, floats(&[5], &case["pairs"][at]))).collect();
    check("dpo_loss", json!({"beta": 0.1}), &tensors, "out", &[5], &numbers(&case["losses"]));
    let (result, _) = ask("dpo_loss", json!({"beta": 0.1}), &tensors, None).unwrap();
    assert_eq!(result["accuracy"], case["accuracy"]);

    let args = json!({"prompts": [[1, 2], [3]], "outputs": [[4], [5, 6, 7]], "pad": 0});
    let (_, out) = ask("tokenize_prompt_output", args, &[], None).unwrap();
    assert_eq!(out["input_ids"].i64s(), [1, 2, 4, 3, 5, 6]);
    assert_eq!(out["labels"].i64s(), [2, 4, 0, 5, 6, 7]);
    assert_eq!(out["response_mask"], Tensor::flags(&[2, 3], &[false, true, false, true, true, true]));
}

#[test]
fn answers_in_texts() {
    let mmlu = |output: &str| {
        let options = ["100", "1", "10", "unknown"];
        ask("parse_mmlu", json!({"options": options, "output": output}), &[], None).unwrap().0
    };
    assert_eq!(mmlu("The correct answer is B. There is only one."), json!("B"));
    assert_eq!(mmlu("The correct answer is 10000 polyomaviruses."), Value::Null);
    let gsm8k = |output: &str| ask("parse_gsm8k", json!({"output": output}), &[], None).unwrap().0;
    assert_eq!([gsm8k("48+24 = 72 clips."), gsm8k("seventy-two")], [json!("72"), Value::Null]);
}

#[test]
fn bad_requests_name_the_field() {
    let golden = golden();
    let tensors = policy_tensors(&golden);
    let without = |name: &str| tensors.iter().filter(|(other, _)| *other != name).cloned().collect::<Vec<_>>();
    let bad = |op: &str, args: Value, tensors: Tensors<'_>, words: &str| {
        let error = ask(op, args.clone(), tensors, None).expect_err(op);
        assert!(error.contains(words), "{op} {args}: {error}");
    };
    bad("pg_loss", json!({"loss_type": "grpo"}), &tensors, "no_baseline, reinforce_with_baseline, grpo_clip");
    bad("pg_loss", json!({"loss_type": "grpo_clip"}), &tensors, "cliprange");
    bad("pg_loss26", json!({"weights": "gspo", "cliprange": 0.2}), &without("mask"), "mask");
    bad("pg_loss26", json!({"weights": "noclip"}), &without("old_log_probs"), "old_log_probs");
    bad(
        "aggregate",
        json!({"normalization": "constant"}),
        &[("l", tensors[0].1.clone()), tensors[3].clone()],
        "argument c",
    );
    bad(
        "advantages",
        json!({"g": 5, "baseline": "mean", "normalizer": "std"}),
        &[("r", Tensor::random(1, &[12]))],
        "5",
    );
    bad("group_norm", json!({"g": 0, "std": true}), &[("r", Tensor::random(1, &[12]))], "argument g");
    bad("masked_mean", json!({"dim": 2}), &[("x", tensors[0].1.clone()), ("m", tensors[3].1.clone())], "dim");
    bad(
        "token_log_probs",
        json!({}),
        &[("x", Tensor::random(1, &[1, 1, 2])), ("labels", Tensor::ints(&[1, 1], &[2]))],
        "0 to 1",
    );
    bad("tokenize_prompt_output", json!({"prompts": [[1]], "outputs": [], "pad": 0}), &[], "outputs");
    bad("tokenize_prompt_output", json!({"prompts": ["a"], "outputs": ["b"], "pad": 0}), &[], "lists of ids");
    bad("newton_schulz", json!({"steps": 101}), &[("x", Tensor::random(1, &[2, 2]))], "at most 100");
    bad("dpo_loss", json!({"beta": -1}), &[], "policy_chosen");
}

/// Muon's iteration in f64.
fn newton_schulz(x: &[f64], [m, n]: [usize; 2], steps: usize) -> Vec<f64> {
    let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let mut x: Vec<f64> = x.iter().map(|x| x / norm).collect();
    let multiply = |a: &[f64], b: &[f64], [m, n, k]: [usize; 3]| -> Vec<f64> {
        (0..m * n).map(|at| (0..k).map(|i| a[at / n * k + i] * b[i * n + at % n]).sum()).collect()
    };
    for _ in 0..steps {
        let transposed: Vec<f64> = (0..m * n).map(|at| x[at % m * n + at / m]).collect();
        let gram = multiply(&x, &transposed, [m, m, n]);
        let squared = multiply(&gram, &gram, [m, m, m]);
        let polynomial: Vec<f64> = gram.iter().zip(&squared).map(|(a, b)| -4.775 * a + 2.0315 * b).collect();
        let moved = multiply(&polynomial, &x, [m, n, m]);
        x = x.iter().zip(&moved).map(|(x, moved)| 3.4445 * x + moved).collect();
    }
    x
}

fn orthogonalized(x: &Tensor, steps: usize, context: Option<&Context>) -> Vec<f64> {
    let (_, out) = ask("newton_schulz", json!({"steps": steps}), &[("x", x.clone())], context).unwrap();
    assert_eq!(out["out"].shape, x.shape);
    out["out"].f64s()
}

#[test]
fn singular_values_move_towards_1() {
    let gpu = context();
    for (shape, steps) in [([5, 9], 5), ([9, 5], 5), ([8, 8], 3), ([4, 64], 5), ([1, 3], 2), ([6, 7], 0)] {
        let x = Tensor::random(7, &shape);
        let expected = newton_schulz(&x.f64s(), shape, steps);
        for context in [None, Some(&gpu)] {
            close(&format!("{shape:?}"), &orthogonalized(&x, steps, context), &expected);
        }
    }
    // Scales do not matter, even far below 1.
    let (small, zero) = (Tensor::floats(&[2, 2], &[3e-5, 0.0, 0.0, 4e-5]), Tensor::floats(&[2, 2], &[0.0; 4]));
    close("small", &orthogonalized(&small, 5, None), &newton_schulz(&[3.0, 0.0, 0.0, 4.0], [2, 2], 5));
    assert_eq!(orthogonalized(&zero, 5, None), [0.0; 4]);
}
