//! `--variant` in `ops`: every variant that training may use runs when requested.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use glasshead::gpu::choices::Choices;
use glasshead::gpu::context::Context;
use glasshead::ops::tuning::{CANDIDATES, Candidates, force};
use safetensors::SafeTensors;
use serde_json::{Value, json};

use super::{Tensor, blob, close, frame, model, serve};
use crate::common::context;

/// Requests that together run every kernel that has variants, for every class of shapes.
fn requests() -> Vec<Vec<u8>> {
    let linear = |m: usize| [("x", Tensor::random(1, &[m, 16])), ("w", Tensor::random(2, &[36, 16]))];
    let heads = |d_model: usize, h: u32| {
        let mut tensors = model(64, d_model, 24, 1);
        let (at, ids) = (tensors.len() - 2, [5, 3, 60, 7, 7, 1, 0, 63]);
        tensors[at..].iter_mut().for_each(|(_, tensor)| *tensor = Tensor::ints(&[2, 4], &ids));
        blob("lm_grad", json!({"h": h, "theta": 10, "layers": 1}), &tensors)
    };
    let gradients = [("a", Tensor::random(3, &[70, 40]))];
    vec![
        blob("linear", json!({}), &linear(36)),
        blob("linear", json!({}), &linear(2)),
        blob("clip", json!({"max": 0.5}), &gradients),
        blob("rmsnorm", json!({"eps": 1e-5}), &[("x", Tensor::random(4, &[5, 64])), ("w", Tensor::random(5, &[64]))]),
        heads(32, 2),
        heads(32, 1),
        heads(64, 1),
    ]
}

/// The kernels with variants that requests can run: their models have neither LayerNorm nor biases.
fn served() -> impl Iterator<Item = &'static Candidates> {
    CANDIDATES.iter().filter(|candidates| !["layernorm_grad", "bias_grad"].contains(&candidates.of.name))
}

fn run(context: &Context) -> (BTreeSet<String>, Vec<f64>) {
    let stream: Vec<u8> = requests().iter().flat_map(|blob| frame(blob)).collect();
    let mut out = Vec::new();
    serve(&stream[..], &mut out, Some(context)).unwrap();
    parsed(&out)
}

/// The kernels that ran, and all numbers of the responses, tensors in the order of their names.
fn parsed(out: &[u8]) -> (BTreeSet<String>, Vec<f64>) {
    let (mut kernels, mut numbers, mut rest) = (BTreeSet::new(), Vec::new(), out);
    while let Some((length, others)) = rest.split_first_chunk::<8>() {
        let (blob, others) = others.split_at(u64::from_le_bytes(*length) as usize);
        let (_, header) = SafeTensors::read_metadata(blob).unwrap();
        let ran: Value = serde_json::from_str(&header.metadata().as_ref().unwrap()["kernels"]).unwrap();
        kernels.extend(ran.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_string()));
        let tensors = SafeTensors::deserialize(blob).unwrap();
        let mut names = tensors.names();
        names.sort();
        for name in names {
            let bytes = tensors.tensor(name).unwrap().data();
            numbers.extend(bytemuck::pod_collect_to_vec::<u8, f32>(bytes).into_iter().map(f64::from));
        }
        rest = others;
    }
    (kernels, numbers)
}

#[test]
fn every_variant_that_this_device_can_run_is_run_when_it_is_chosen() {
    let (kernels, expected) = run(&context());
    let of_ours: Vec<&str> = served().map(|candidates| candidates.of.name).collect();
    assert!(of_ours.iter().all(|&name| kernels.contains(name)), "{kernels:?}");
    let mut tried = 0;
    for candidates in served() {
        for variant in candidates.variants.iter().filter(|variant| context().can_run(variant)) {
            let name = variant.kernel.name;
            let context = context();
            let choices: Vec<String> = candidates.classes.iter().map(|class| format!("{}={name}", class.key)).collect();
            *context.told.borrow_mut() = Choices::parse(&choices.join(",")).unwrap();
            force(&context).unwrap();
            let (kernels, numbers) = run(&context);
            assert!(kernels.contains(name), "{name} did not run: {kernels:?}");
            // This variant only handles few rows; batches use the original.
            let of_few_rows = name == "matmul_nt_rows";
            assert!(of_few_rows || !kernels.contains(candidates.of.name), "{name}: {kernels:?}");
            close(name, &numbers, &expected);
            tried += 1;
        }
    }
    assert!(tried >= served().count(), "only {tried} variants");
}

#[test]
fn a_variant_that_the_device_cannot_run_is_refused() {
    let context = context();
    *context.told.borrow_mut() = Choices::parse("rmsnorm=rmsnorm_of_another_machine").unwrap();
    let sentence = force(&context).unwrap_err().to_string();
    assert!(sentence.contains("cannot run rmsnorm_of_another_machine in place of rmsnorm"), "{sentence}");
}

/// The option reaches the kernels of the program itself.
#[test]
fn the_programs_option_chooses_the_variant() {
    let context = context();
    let of = CANDIDATES.iter().find(|of| of.of.name == "rmsnorm").unwrap();
    let variant = of.variants.iter().find(|variant| context.can_run(variant)).expect("a variant of rmsnorm");
    let shape = [("x", Tensor::random(4, &[5, 64])), ("w", Tensor::random(5, &[64]))];
    let request = frame(&blob("rmsnorm", json!({"eps": 1e-5}), &shape));
    for name in [of.of.name, variant.kernel.name] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_glasshead"));
        program.args(["ops", "--backend", "gpu", "--variant", &format!("{}={name}", of.classes[0].key)]);
        let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&request).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{name}");
        assert_eq!(parsed(&output.stdout).0, BTreeSet::from([name.to_string()]));
    }
}
