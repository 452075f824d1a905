//! Fusions: one dispatch in place of two or three, with the same results.

use glasshead::config::{ModelConfig, Preset, RunConfig};
use glasshead::gpu::backend::Backend;
use glasshead::gpu::choices::Choices;
use glasshead::gpu::fusion::{Fusion, fuse};
use glasshead::gpu::interpret::CpuBackend;
use glasshead::gpu::recording::{Buffers, Recording, Slice};
use glasshead::model::memory::MemoryPlan;
use glasshead::model::params::ParamTable;
use glasshead::model::transformer::Transformer;
use glasshead::ops::fused::{linear_grad_swiglu, norm_linear, swiglu_linear};
use glasshead::ops::matmul::{Layout, Shape, matmul};
use glasshead::ops::rope::cos_sin_table;
use glasshead::ops::tuning::{CANDIDATES, FUSIONS, force, fusion_difference};
use glasshead::ops::{linear_grad, rmsnorm, rope, swiglu};
use glasshead::train::trainer::Trainer;
use pollster::block_on;
use safetensors::SafeTensors;

use crate::common::{context, ids, numbers};

/// The reference workload.
fn reference() -> RunConfig {
    let mut config = Preset::Nano.config();
    config.model = ModelConfig::cs336([512, 128], [128, 4, 4, 344]);
    config.train.batch_size = 8;
    config
}

fn step(config: &RunConfig) -> Recording {
    let table = ParamTable::new(&config.model);
    let plan = MemoryPlan::new(config, &table, 1000, 1000);
    Transformer { config, table: &table, plan: &plan }.training_step()
}

/// One fusion of each kind.
fn one_of_each() -> Vec<&'static Fusion> {
    FUSIONS.iter().map(|of| &of.fusions[0]).collect()
}

/// Every dispatch costs a GPU some microseconds, whatever it computes.
#[test]
fn a_fused_step_of_the_reference_workload_takes_at_most_60_dispatches() {
    let (step, fusions) = (step(&reference()), one_of_each());
    let fused = fuse(step, &fusions);
    let kernels: Vec<_> = fused.dispatches.iter().map(|dispatch| dispatch.kernel.name).collect();
    assert!(kernels.len() <= 60, "{} dispatches: {kernels:?}", kernels.len());
    for fusion in fusions {
        assert!(kernels.contains(&fusion.kernel.name), "{} is not used: {kernels:?}", fusion.kernel.name);
    }
}

/// A step in pieces, norms after the sums, LayerNorm, biases and activations without a gate keep the dispatches that do not fit.
#[test]
fn what_does_not_fit_stays_separate() {
    let fusions = one_of_each();
    let count = |set: &[(&str, &str)]| {
        let mut config = reference();
        set.iter().for_each(|(field, value)| config.set(field, value).unwrap());
        let step = step(&config);
        let before = step.dispatches.len();
        before - fuse(step, &fusions).dispatches.len()
    };
    assert_eq!(count(&[]), 21);
    assert_eq!(count(&[("norm", "layernorm")]), 8, "the gates");
    assert_eq!(count(&[("positions", "none")]), 17, "no rotation, so only norms and gates");
    assert_eq!(count(&[("feed_forward", "gelu")]), 13, "norms and rotations");
    assert_eq!(count(&[("norm", "layernorm"), ("feed_forward", "gelu")]), 0);
    assert_eq!(count(&[("batch_size", "4"), ("context_length", "17")]), 4, "68 rows: only the gradients of the gates");
}

/// A device that keeps the originals, or an adapter that is emulated on the CPU, compiles no fusion.
#[test]
fn only_fusions_with_tiles_in_use_are_tried() {
    for fusion in FUSIONS.iter().flat_map(|of| of.fusions) {
        let variant =
            CANDIDATES.iter().flat_map(|of| of.variants).find(|variant| variant.kernel.name == fusion.tiles.name);
        assert!(variant.is_some_and(|variant| variant.hardware), "{}", fusion.kernel.name);
    }
    let context = context();
    let messages = block_on(Trainer::choose_kernels(&reference(), Some(&context))).unwrap();
    assert_eq!(messages, Vec::<String>::new());
    let fused = context.fused(step(&reference()));
    assert_eq!(fused.dispatches.len(), 80, "nothing is fused on a software adapter");
    assert_eq!(context.known.borrow().get("norm_linear"), Some("norm_linear"), "which is remembered");
}

#[test]
fn every_fusion_passes_its_trials_on_the_device() {
    let context = context();
    for of in &FUSIONS {
        for fusion in of.fusions {
            let difference = block_on(fusion_difference(&context, of, fusion)).unwrap();
            assert_eq!(difference, None, "{}", fusion.kernel.name);
        }
    }
}

/// On the CPU both run the same functions, so a fused step leaves the same bits in every buffer but the one that it skips.
#[test]
fn a_fused_step_leaves_the_same_buffers() {
    let mut config = reference();
    config.model = ModelConfig::cs336([64, 32], [16, 2, 4, 24]);
    config.train.batch_size = 4;
    let table = ParamTable::new(&config.model);
    let plan = MemoryPlan::new(&config, &table, 200, 200);
    let transformer = Transformer { config: &config, table: &table, plan: &plan };
    let run = |recording: Recording| {
        let cpu = CpuBackend::new(&plan.buffers);
        cpu.write(plan.params, bytemuck::cast_slice(&table.initial_values(1)));
        cpu.write(plan.cos_sin, bytemuck::cast_slice(&cos_sin_table(32, 4, 1e4)));
        cpu.write(plan.train_tokens, &ids(1, 200, 64));
        cpu.write(plan.starts, &[0, 40, 80, 120]);
        (0..recording.dispatches.len()).for_each(|index| cpu.run_dispatch(&recording, index));
        cpu
    };
    let fused = fuse(transformer.gradients(), &one_of_each());
    assert!(fused.dispatches.len() + 10 < transformer.gradients().dispatches.len());
    let [before, after] = [run(transformer.gradients()), run(fused)];
    let skipped = plan.gradients.hidden.buffer;
    for (index, spec) in plan.buffers.specs.iter().enumerate() {
        let whole = Slice { buffer: glasshead::gpu::recording::BufferId(index), start: 0, len: spec.len };
        if whole.buffer != skipped {
            assert_eq!(before.read(whole), after.read(whole), "{}", spec.label());
        }
    }
}

/// Trains with every fusion and without any: the losses are equal to rounding, because the fused norm sums squares in another
/// order.
#[test]
fn fused_training_has_the_same_losses() {
    let mut config = Preset::Nano.config();
    config.model = ModelConfig::cs336([128, 32], [64, 2, 4, 96]);
    config.train.batch_size = 4;
    let tokens = ids(3, 3_000, 128);
    let losses = |told: &str| {
        let context = context();
        *context.told.borrow_mut() = Choices::parse(told).unwrap();
        force(&context).unwrap();
        let mut trainer = block_on(Trainer::new(config.clone(), Some(&context), &tokens, &tokens)).unwrap();
        trainer.submit(6);
        let points = block_on(trainer.collect()).unwrap();
        let costs = trainer.step_costs();
        assert_eq!(costs.len(), trainer.dispatches_per_step());
        let flops: f64 = costs.iter().map(|cost| cost.flops).sum();
        (points.iter().map(|point| point.loss).collect::<Vec<_>>(), trainer.dispatches_per_step(), flops)
    };
    let (separate, n_separate, flops) = losses("");
    for which in 0..2 {
        let told: Vec<_> = FUSIONS.iter().map(|of| format!("{}={}", of.key, of.fusions[which].kernel.name)).collect();
        let (fused, n_fused, fused_flops) = losses(&told.join(","));
        assert_eq!(n_separate - n_fused, 11, "{told:?}");
        assert_eq!(flops, fused_flops, "{told:?}: operations of a step");
        for (a, b) in separate.iter().zip(&fused) {
            assert!((a - b).abs() < 2e-5, "{told:?}: {separate:?} and {fused:?}");
        }
    }
}

/// The hidden layer's gradient may only be left out if nothing else reads it.
#[test]
fn a_gradient_that_something_else_reads_is_kept() {
    let fusions = one_of_each();
    let (mut buffers, mut recording) = (Buffers::default(), Recording::new("test"));
    let [x, w, y_grad, x_grad, w_grad] = [4 * 8, 12 * 8, 4 * 12, 4 * 8, 12 * 8].map(|len| buffers.add("test", len));
    let [gate_up, gate_up_grad, copy] = [4 * 16, 4 * 16, 4 * 8].map(|len| buffers.add("test", len));
    linear_grad::linear_grad(&mut recording, [x, w, y_grad, x_grad, w_grad], 4, false);
    swiglu::swiglu_grad(&mut recording, [gate_up, x_grad, gate_up_grad], 4);
    glasshead::ops::residual::residual(&mut recording, [x_grad, x, copy]);
    assert_eq!(fuse(recording, &fusions).dispatches.len(), 3);
}

struct Golden(SafeTensors<'static>);

impl Golden {
    fn floats(&self, name: &str) -> Vec<f32> {
        let view = self.0.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        view.data().chunks_exact(4).map(bytemuck::pod_read_unaligned).collect()
    }
}

/// The sizes in `golden/generate_fused.py`: rows, positions, width, head size, hidden width, outputs.
const SIZES: [usize; 6] = [64, 32, 12, 4, 20, 36];

/// Every fusion on the device, and its reference, against PyTorch.
#[test]
fn fused_kernels_compute_what_pytorch_computes() {
    let golden = Golden(SafeTensors::deserialize(include_bytes!("golden/fused.safetensors")).unwrap());
    let [n, t, c, d, f, out] = SIZES;
    let context = context();
    let close = |name: &str, values: &[f32], what: &str| {
        let expected = golden.floats(name);
        assert_eq!(expected.len(), values.len());
        for (i, (a, b)) in expected.iter().zip(values).enumerate() {
            assert!((a - b).abs() < 1e-5 * (1.0 + a.abs()), "{what}: {name}[{i}] is {b}, not {a}");
        }
    };
    let on_device = |fusion: &'static Fusion| {
        let (mut buffers, mut recording) = (Buffers::default(), Recording::new("test"));
        let mut inputs = Vec::new();
        let mut input = |buffers: &mut Buffers, name: &str| {
            let numbers = golden.floats(name);
            inputs.push((buffers.add(name, numbers.len()), numbers));
            inputs.last().unwrap().0
        };
        let results: Vec<(&str, Slice)> = match fusion.key {
            "linear_grad_swiglu" => {
                let [x, w, y_grad, gate_up] =
                    ["hidden", "w2", "out_grad", "gate_up"].map(|name| input(&mut buffers, name));
                let [x_grad, gate_up_grad, w_grad] = [n * f, 2 * n * f, c * f].map(|len| buffers.add("result", len));
                linear_grad::linear_grad(&mut recording, [x, w, y_grad, x_grad, w_grad], n, false);
                swiglu::swiglu_grad(&mut recording, [gate_up, x_grad, gate_up_grad], n);
                vec![("gate_up_grad", gate_up_grad), ("w2_grad", w_grad)]
            }
            "swiglu_linear" => {
                let [gate_up, w, base] = ["gate_up", "w2", "base"].map(|name| input(&mut buffers, name));
                let [hidden, y] = [n * f, n * c].map(|len| buffers.add("result", len));
                swiglu::swiglu(&mut recording, [gate_up, hidden], n);
                matmul(&mut recording, Layout::Nt, [hidden, w, y], Shape { m: n, n: c, k: f }, Some(base));
                vec![("hidden", hidden), ("out", y)]
            }
            key => {
                let [x, gain, w] = ["x", "gain", "w_qkv"].map(|name| input(&mut buffers, name));
                let [values, stats, y] = [n * c, n, n * out].map(|len| buffers.add("result", len));
                let params = rmsnorm::Params { n_rows: n as u32, d_model: c as u32, eps: 1e-5, accumulate: 0 };
                rmsnorm::rmsnorm(&mut recording, [x, gain, values, stats], params);
                matmul(&mut recording, Layout::Nt, [values, w, y], Shape { m: n, n: out, k: c }, None);
                if key == "norm_rope_linear" {
                    let cos_sin = buffers.add("table", t * d);
                    inputs.push((cos_sin, cos_sin_table(t, d, 1e4)));
                    let [n_rows, context_length, d_model, stride, d_head] =
                        [n, t, 2 * out / 3, out, d].map(|size| size as u32);
                    let params = rope::Params { n_rows, context_length, d_model, stride, d_head, direction: 1.0 };
                    rope::rope(&mut recording, [cos_sin, y], params);
                }
                vec![("values", values), (if key == "norm_linear" { "y" } else { "rotated" }, y)]
            }
        };
        let fused = fuse(recording, &[fusion]);
        assert_eq!(fused.dispatches.len(), 1, "{}", fusion.kernel.name);
        block_on(async {
            let mut backend = Backend::gpu(&context, &buffers).await.unwrap();
            inputs.iter().for_each(|(slice, numbers)| backend.write_f32(*slice, numbers));
            let program = backend.prepare(fused);
            backend.run(program);
            for (name, slice) in results {
                close(name, &backend.read_f32(slice).await.unwrap(), fusion.kernel.name);
            }
        });
    };
    FUSIONS.iter().flat_map(|of| of.fusions).for_each(on_device);

    let rotated = norm_linear::Params {
        m: n as u32,
        n: out as u32,
        k: c as u32,
        eps: 1e-5,
        rotated: 2 * out as u32 / 3,
        context_length: t as u32,
        d_head: d as u32,
    };
    for (params, result) in [(rotated, "rotated"), (norm_linear::Params { rotated: 0, ..rotated }, "y")] {
        let [x, w, gain] = ["x", "w_qkv", "gain"].map(|name| golden.floats(name));
        let [mut y, mut values, mut stats] = [n * out, n * c, n].map(|len| vec![0.0; len]);
        let table = cos_sin_table(t, d, 1e4);
        norm_linear::reference([&x, &w, &gain, &table], [&mut y, &mut values, &mut stats], &params);
        close(result, &y, "the reference");
        close("values", &values, "the reference");
    }
    let [gate_up, w, base, hidden, out_grad] =
        ["gate_up", "w2", "base", "hidden", "out_grad"].map(|name| golden.floats(name));
    let [mut y, mut again] = [n * c, n * f].map(|len| vec![0.0; len]);
    let params = glasshead::ops::matmul::Params { m: n as u32, n: c as u32, k: f as u32, onto: 1 };
    swiglu_linear::reference([&gate_up, &w, &base], [&mut y, &mut again], &params);
    close("out", &y, "the reference");
    let [mut gate_up_grad, mut w_grad] = [2 * n * f, c * f].map(|len| vec![0.0; len]);
    let params = linear_grad::Params { n_rows: n as u32, d_in: f as u32, d_out: c as u32, accumulate: 0 };
    linear_grad_swiglu::reference([&hidden, &w, &out_grad, &gate_up], [&mut gate_up_grad, &mut w_grad], &params);
    close("gate_up_grad", &gate_up_grad, "the reference");
    close("w2_grad", &w_grad, "the reference");
}

/// linear_grad_swiglu is the gradient of swiglu_linear, by central differences in f64.
#[test]
fn gradients_through_the_gate_are_those_of_the_fused_forward_pass() {
    let (n, f, c) = (3, 4, 5);
    let doubles = |seed, len| numbers(seed, len).into_iter().map(f64::from).collect::<Vec<_>>();
    let (gate_up, w, y_grad) = (doubles(1, 2 * n * f), doubles(2, c * f), doubles(3, n * c));
    let forward = glasshead::ops::matmul::Params { m: n as u32, n: c as u32, k: f as u32, onto: 0 };
    let run = |gate_up: &[f64], w: &[f64]| {
        let (mut y, mut hidden) = (vec![0.0; n * c], vec![0.0; n * f]);
        swiglu_linear::reference([gate_up, w, &[]], [&mut y, &mut hidden], &forward);
        (y.iter().zip(&y_grad).map(|(a, b)| a * b).sum::<f64>(), hidden)
    };
    let hidden = run(&gate_up, &w).1;
    let (mut gate_up_grad, mut w_grad) = (vec![0.0; gate_up.len()], vec![0.0; w.len()]);
    let params = linear_grad::Params { n_rows: n as u32, d_in: f as u32, d_out: c as u32, accumulate: 0 };
    linear_grad_swiglu::reference([&hidden, &w, &y_grad, &gate_up], [&mut gate_up_grad, &mut w_grad], &params);
    const H: f64 = 1e-5;
    let check = |x: &[f64], grad: &[f64], loss: &dyn Fn(&[f64]) -> f64| {
        for i in 0..x.len() {
            let at = |offset: f64| {
                let mut x = x.to_vec();
                x[i] += offset;
                loss(&x)
            };
            let numeric = (at(H) - at(-H)) / (2.0 * H);
            assert!((numeric - grad[i]).abs() < 1e-7, "[{i}]: {} against {numeric}", grad[i]);
        }
    };
    check(&gate_up, &gate_up_grad, &|gate_up| run(gate_up, &w).0);
    check(&w, &w_grad, &|w| run(&gate_up, w).0);
}
