//! `policy_step` with what transformers' models computed in float64 (`tests/ops/policy_step.py`).

use safetensors::SafeTensors;
use serde_json::{Value, json};

use super::{Tensor, ask, close};
use crate::common::context;

/// A request, the loss, and the weights after the step.
struct Case {
    args: Value,
    tensors: Vec<(String, Tensor)>,
    loss: f64,
    after: Vec<(String, Tensor)>,
}

/// The requests of the committed file.
fn requests() -> Vec<Case> {
    let bytes = include_bytes!("policy_step.safetensors");
    let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
    let file = SafeTensors::deserialize(bytes).unwrap();
    let requests: Vec<Value> = serde_json::from_str(&header.metadata().as_ref().unwrap()["requests"]).unwrap();
    let request = |(at, request): (usize, Value)| {
        let (mut tensors, mut after) = (Vec::new(), Vec::new());
        for (name, view) in file.tensors() {
            let Some(name) = name.strip_prefix(&format!("{at}/")) else { continue };
            let tensor = Tensor { dtype: view.dtype(), shape: view.shape().to_vec(), bytes: view.data().to_vec() };
            match name.strip_prefix("after/") {
                Some(name) => after.push((name.to_string(), tensor)),
                None => tensors.push((name.to_string(), tensor)),
            }
        }
        Case { args: request["args"].clone(), tensors, loss: request["loss"].as_f64().unwrap(), after }
    };
    requests.into_iter().enumerate().map(request).collect()
}

fn named(tensors: &[(String, Tensor)]) -> Vec<(&str, Tensor)> {
    tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.clone())).collect()
}

#[test]
fn a_policy_step_is_pytorchs() {
    let gpu = context();
    for Case { args, tensors, loss, after } in requests() {
        for context in [None, Some(&gpu)] {
            let (_, out) = ask("policy_step", args.clone(), &named(&tensors), context).unwrap();
            assert_eq!(out.len(), after.len() + 1);
            close("loss", &out["loss"].f64s(), &[loss]);
            for (name, expected) in &after {
                assert_eq!(out[name].shape, expected.shape, "{name}");
                for (ours, theirs) in out[name].f64s().iter().zip(expected.f64s()) {
                    assert!((ours - theirs).abs() < 1e-4, "{name} is {ours}; PyTorch has {theirs}; {args}");
                }
            }
        }
    }
}

#[test]
fn micro_batches_add_up_to_one_batch() {
    let Case { mut args, tensors, .. } = requests().remove(1);
    let mut step = |n: usize| {
        args["microbatches"] = json!(n);
        ask("policy_step", args.clone(), &named(&tensors), None).unwrap().1
    };
    let whole = step(1);
    for n in [2, 5, 12] {
        let split = step(n);
        for (name, tensor) in &whole {
            for (a, b) in split[name].f64s().iter().zip(tensor.f64s()) {
                assert!((a - b).abs() < 1e-5, "{name} with {n} micro-batches: {a} instead of {b}");
            }
        }
    }
}

/// Makes a request unfit.
type Change<'a> = &'a dyn for<'t> Fn(&mut Value, &mut Vec<(&'t str, Tensor)>);

#[test]
fn unfit_requests_are_answered_with_a_sentence() {
    let Case { args, tensors, .. } = requests().remove(0);
    let refuse = |change: Change<'_>, expected: &str| {
        let (mut args, mut tensors) = (args.clone(), named(&tensors));
        change(&mut args, &mut tensors);
        let error = ask("policy_step", args, &tensors, None).unwrap_err();
        assert!(error.contains(expected), "{error:?} does not contain {expected:?}");
    };
    refuse(&|args, _| args["microbatches"] = json!(13), "microbatches");
    refuse(&|args, _| args["g"] = json!(5), "groups of 5");
    refuse(&|args, _| args["optimizer"] = json!({"name": "adam", "lr": 1}), "sgd or adamw");
    refuse(&|args, _| args["optimizer"]["lr"] = json!("fast"), "optimizer.lr");
    refuse(&|args, _| args["optimizer"]["betas"] = json!([0.9, 1.0]), "betas");
    refuse(&|args, _| args["max_grad_norm"] = json!(0), "max_grad_norm");
    refuse(&|args, _| args["config"]["model_type"] = json!("bert"), "model_type");
    refuse(&|args, _| args["config"]["hidden_size"] = json!(24), "config.json asks for");
    refuse(&|args, _| args["config"]["max_position_embeddings"] = json!(8), "context");
    refuse(&|_, tensors| tensors.retain(|(name, _)| *name != "model.norm.weight"), "model.norm.weight");
    refuse(&|_, tensors| tensors.retain(|(name, _)| *name != "rewards"), "rewards");
    refuse(
        &|_, tensors| {
            tensors.iter_mut().filter(|(name, _)| *name == "labels").for_each(|(_, tensor)| tensor.bytes[0] = 200);
        },
        "labels",
    );
}
