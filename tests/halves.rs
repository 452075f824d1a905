//! Activations stored as f16.

use std::collections::HashSet;

use glasshead::config::{Preset, RunConfig};
use glasshead::gpu::kernel::{Halves, Kernel};
use glasshead::gpu::recording::{BufferSpec, Role, Storage};
use glasshead::model::memory::MemoryPlan;
use glasshead::model::params::ParamTable;
use glasshead::model::transformer::Transformer;
use glasshead::ops::tuning::CANDIDATES;
use glasshead::train::trainer::{TrainError, Trainer};
use pollster::block_on;

use crate::common::{context, ids};
use crate::shaders::parse_with;
use crate::step::{awkward, first_difference};

/// The same run with f16 activations.
fn halved(mut config: RunConfig) -> RunConfig {
    config.train.activation_storage = Storage::F16;
    config
}

/// Models that together use all kernels that read or write activations stored for the backward pass.
fn models() -> Vec<RunConfig> {
    let switches: [&[(&str, &str)]; 4] = [
        &[],
        &[("norm", "layernorm"), ("positions", "learned"), ("feed_forward", "gelu"), ("bias", "true")],
        &[("norm_placement", "post"), ("feed_forward", "silu")],
        &[("norm", "none"), ("tied_embeddings", "true")],
    ];
    let with = |switches: &[(&str, &str)], mut config: RunConfig| {
        switches.iter().for_each(|(field, value)| config.set(field, value).expect("a switch"));
        halved(config)
    };
    switches.iter().flat_map(|of| [with(of, awkward()), with(of, Preset::Nano.config())]).collect()
}

/// Bytes per number in a binding of a kernel's shader.
fn number_bytes(kernel: &Kernel, halves: Halves, number: usize) -> u8 {
    let (module, info) = parse_with(kernel, halves);
    let entry = module.entry_points.iter().position(|entry| entry.name == kernel.name).expect("its entry point");
    let uses = info.get_entry_point(entry);
    let (_, variable) = module
        .global_variables
        .iter()
        .find(|(handle, of)| {
            !uses[*handle].is_empty() && of.binding.as_ref().is_some_and(|at| at.binding as usize == number)
        })
        .expect("a binding that is used");
    let naga::TypeInner::Array { base, .. } = module.types[variable.ty].inner else {
        panic!("{}: no array", kernel.name)
    };
    match module.types[base].inner {
        naga::TypeInner::Scalar(scalar) | naga::TypeInner::Vector { scalar, .. } => scalar.width,
        ref other => panic!("{}: {other:?}", kernel.name),
    }
}

#[test]
fn shaders_see_each_binding_as_it_is_stored() {
    let mut checked = HashSet::new();
    for config in models() {
        let table = ParamTable::new(&config.model);
        let plan = MemoryPlan::new(&config, &table, 1000, 1000);
        let transformer = Transformer { config: &config, table: &table, plan: &plan };
        for recording in [transformer.training_step(), transformer.evaluation(), transformer.probe(&plan.probe)] {
            for dispatch in &recording.dispatches {
                let halves = plan.buffers.halves(dispatch);
                let of = CANDIDATES.iter().find(|of| of.of.name == dispatch.kernel.name);
                let variants = of.map_or(&[][..], |of| of.variants).iter().filter(|of| halves.is_none() || !of.int64);
                for kernel in std::iter::once(dispatch.kernel).chain(variants.map(|variant| variant.kernel)) {
                    if halves.is_none() || !checked.insert((kernel.name, halves)) {
                        continue;
                    }
                    for number in (1..=kernel.access.len()).filter(|&number| halves.has(number)) {
                        assert_eq!(number_bytes(kernel, halves, number), 2, "{}, binding {number}", kernel.name);
                    }
                }
            }
        }
    }
    assert!(checked.len() > 25, "only {} were checked", checked.len());
}

/// Both round to 11 bits, not always in the same direction; over a step's dispatches these differences add up.
#[test]
fn a_training_step_is_the_same_on_gpu_and_cpu() {
    for config in models() {
        let difference = first_difference(&config, |transformer| transformer.training_step(), 4e-3);
        assert_eq!(difference, None, "{:?}", config.model);
    }
}

#[test]
fn what_waits_takes_half_the_memory() {
    let bytes = |config: &RunConfig| {
        let plan = MemoryPlan::new(config, &ParamTable::new(&config.model), 1000, 1000);
        let full = ["stream", "sum-exp", "statistics"];
        let waits = |spec: &&BufferSpec| {
            let of_block = spec.role == Role::Activations && spec.layer.is_some();
            of_block && !full.iter().any(|name| spec.name.ends_with(name))
        };
        let of_rows = plan.buffers.specs.iter().filter(waits);
        of_rows.map(|spec| spec.size_bytes()).sum::<u64>()
    };
    let config = Preset::Tiny.config();
    let (full, half) = (bytes(&config), bytes(&halved(config)));
    assert_eq!(full, 2 * half);
    assert!(half > 0);
}

/// Losses of a run on a GPU, averaged over ten steps each.
fn losses(config: RunConfig) -> Vec<f32> {
    let (context, tokens) = (context(), ids(3, 3_000, 40));
    block_on(async {
        let mut trainer = Trainer::new(config, Some(&context), &tokens, &tokens).await.unwrap();
        let mut means = Vec::new();
        for _ in 0..12 {
            trainer.submit(10);
            let points = trainer.collect().await.unwrap();
            means.push(points.iter().map(|point| point.loss).sum::<f32>() / 10.0);
        }
        means
    })
}

#[test]
fn it_learns_as_with_32_bits() {
    let mut config = awkward();
    (config.train.warmup_steps, config.train.max_lr) = (10, 1e-2);
    let (full, half) = (losses(config.clone()), losses(halved(config)));
    assert!(full[11] < full[0] - 1.0, "it learned nothing: {full:?}");
    for (full, half) in full.iter().zip(&half) {
        assert!((full - half).abs() < 0.02, "{full} with 32 bits, {half} with 16");
    }
    assert_ne!(full, half, "nothing was stored in 16 bits");
}

/// The comparison with the CPU before training, of a small model with the same settings, passes for all of them.
#[test]
fn every_kind_of_model_passes_the_comparison_at_the_start() {
    let context = context();
    for config in models() {
        let chosen = block_on(Trainer::choose_kernels(&config, Some(&context)));
        assert_eq!(chosen.expect("no refusal"), Vec::<String>::new());
    }
}

#[test]
fn a_device_without_them_says_what_to_set() {
    let mut context = context();
    context.f16 = false;
    let tokens = ids(1, 100, 300);
    let refused = block_on(Trainer::new(halved(awkward()), Some(&context), &tokens, &tokens)).err().expect("a refusal");
    assert!(matches!(refused, TrainError::NoHalves { .. }));
    assert!(refused.to_string().ends_with("set activation_storage to f32"), "{refused}");
}
