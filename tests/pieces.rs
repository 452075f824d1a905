//! Layers in pieces: for devices with small bindings, and so that no dispatch takes too long.

use glasshead::config::{ModelConfig, Preset, RunConfig};
use glasshead::gpu::compare::SideBySide;
use glasshead::gpu::context::{Budget, Context};
use glasshead::gpu::interpret::CpuBackend;
use glasshead::gpu::recording::{Buffers, Recording};
use glasshead::model::memory::MemoryPlan;
use glasshead::model::params::ParamTable;
use glasshead::model::transformer::Transformer;
use glasshead::ops::cost::costs;
use glasshead::ops::rope::cos_sin_table;
use glasshead::ops::step::Step;
use glasshead::train::trainer::Trainer;
use pollster::block_on;

use crate::common::{context, ids};

const MIB: u64 = 1 << 20;

/// A vocabulary that is not a multiple of four, with rows and sequences for several pieces.
fn config(tied: bool) -> RunConfig {
    let mut config = Preset::Nano.config();
    config.model = ModelConfig::cs336([1_101, 64], [160, 2, 4, 48]);
    config.model.tied_embeddings = tied;
    (config.train.batch_size, config.train.accumulation_steps) = (4, 1);
    config
}

/// So small that everything divisible is split.
const TIGHT: Budget = Budget { binding_bytes: 600_000, dispatch_flops: 2e6 };

fn gpt2_small(batch_size: usize) -> RunConfig {
    let mut config = Preset::Cs336.config();
    config.model = ModelConfig::cs336([50_257, 1024], [768, 12, 12, 3072]);
    for (switch, value) in [("norm", "layernorm"), ("positions", "learned"), ("feed_forward", "gelu"), ("bias", "true")]
    {
        config.set(switch, value).unwrap();
    }
    config.model.tied_embeddings = true;
    config.train.batch_size = batch_size;
    config
}

/// The recordings that a run replays.
fn recordings(transformer: &Transformer<'_>) -> [Recording; 4] {
    let probe = &transformer.plan.probe;
    [transformer.training_step(), transformer.evaluation(), transformer.probe(probe), transformer.next_token()]
}

fn largest_binding(buffers: &Buffers, recording: &Recording) -> (u64, &'static str) {
    let bindings = recording.dispatches.iter().flat_map(|dispatch| {
        dispatch.bindings.iter().map(|&slice| (buffers.storage(slice).size_bytes(slice.len), dispatch.kernel.name))
    });
    bindings.max().unwrap()
}

/// Loss ring and gradients of a step on the CPU.
fn step_on_cpu(config: &RunConfig, budget: Budget) -> (Vec<f32>, usize) {
    let table = ParamTable::new(&config.model);
    let plan = MemoryPlan::within(budget, config, &table, 2_000, 2_000);
    let recording = Transformer { config, table: &table, plan: &plan }.training_step();
    let cpu = CpuBackend::new(&plan.buffers);
    for (slice, words) in contents(config, &table, &plan) {
        cpu.write(slice, &words);
    }
    (0..recording.dispatches.len()).for_each(|index| cpu.run_dispatch(&recording, index));
    let numbers = [plan.grads, plan.loss_ring, plan.norm_ring, plan.adam_m, plan.adam_v, plan.params]
        .map(|slice| cpu.read(slice));
    (numbers.concat().into_iter().map(f32::from_bits).collect(), recording.dispatches.len())
}

fn contents(
    config: &RunConfig,
    table: &ParamTable,
    plan: &MemoryPlan,
) -> Vec<(glasshead::gpu::recording::Slice, Vec<u32>)> {
    let model = &config.model;
    let rope = cos_sin_table(model.context_length, model.d_head(), model.rope_theta);
    let starts: Vec<u32> = (0..config.train.batch_size as u32).map(|index| 31 * index).collect();
    let step = Step {
        lr: 0.01,
        eps: 1e-8,
        weight_decay: 0.1,
        max_grad_norm: 1.0,
        weight: 1.0,
        first: 1,
        ..bytemuck::Zeroable::zeroed()
    };
    let step = step.with_betas([0.9, 0.95], 1.0);
    vec![
        (plan.params, table.initial_values(3).into_iter().map(f32::to_bits).collect()),
        (plan.cos_sin, bytemuck::cast_slice(&rope).to_vec()),
        (plan.train_tokens, ids(5, 2_000, model.vocab_size)),
        (plan.starts, starts),
        (plan.step, bytemuck::cast_slice(&[step]).to_vec()),
    ]
}

#[test]
fn a_step_in_pieces_computes_what_a_whole_one_does() {
    for tied in [false, true] {
        let config = config(tied);
        let (whole, n_whole) = step_on_cpu(&config, Budget::WHOLE);
        let (cut, n_cut) = step_on_cpu(&config, TIGHT);
        assert!(n_cut > n_whole + 30, "{n_cut} dispatches instead of {n_whole}");
        let n_params = ParamTable::new(&config.model).buffer_len();
        let differ = |a: &[f32], b: &[f32]| {
            let largest = a.iter().fold(0f32, |most, x| most.max(x.abs()));
            a.iter().zip(b).filter(|(a, b)| (*a - *b).abs() > 1e-5 * largest).count()
        };
        let params_at = whole.len() - n_params;
        assert_eq!(differ(&whole[..params_at], &cut[..params_at]), 0, "tied {tied}: gradients, losses and moments");
        // AdamW's first update depends on the sign of a gradient, even of one near 0.
        let n_differ = differ(&whole[params_at..], &cut[params_at..]);
        assert!(n_differ < n_params / 1000, "tied {tied}: {n_differ} of {n_params} parameters");
    }
}

#[test]
fn a_step_in_pieces_is_the_same_on_gpu_and_cpu_and_binds_no_more_than_allowed() {
    let context = context();
    for tied in [false, true] {
        let config = config(tied);
        let table = ParamTable::new(&config.model);
        let plan = MemoryPlan::within(TIGHT, &config, &table, 2_000, 2_000);
        let transformer = Transformer { config: &config, table: &table, plan: &plan };
        for recording in recordings(&transformer).into_iter().take(2) {
            let (bytes, kernel) = largest_binding(&plan.buffers, &recording);
            assert!(bytes <= TIGHT.binding_bytes, "{}: {kernel} binds {bytes} bytes", recording.name);
            let difference = block_on(async {
                let mut sides = SideBySide::new(&context, &plan.buffers).await.unwrap();
                contents(&config, &table, &plan).iter().for_each(|(slice, words)| sides.write(*slice, words));
                sides.first_wrong(&recording, 1e-4).await.unwrap()
            });
            assert_eq!(difference, None, "tied {tied}: {}", recording.name);
        }
    }
}

/// Nothing is allocated: the bindings and operations of the recordings are counted.
#[test]
fn large_models_fit_bindings_of_128_mib_and_no_dispatch_takes_too_long() {
    for config in [Preset::Cs336.config(), gpt2_small(1), gpt2_small(8)] {
        let table = ParamTable::new(&config.model);
        let budget = Budget { binding_bytes: 128 * MIB, ..Budget::default() };
        let plan = MemoryPlan::within(budget, &config, &table, 100_000, 100_000);
        let transformer = Transformer { config: &config, table: &table, plan: &plan };
        let name = format!("V {}, batch {}", config.model.vocab_size, config.train.batch_size);
        for recording in recordings(&transformer) {
            let (bytes, kernel) = largest_binding(&plan.buffers, &recording);
            assert!(bytes <= 128 * MIB, "{name}, {}: {kernel} binds {} MiB", recording.name, bytes / MIB);
            let most = costs(&recording).into_iter().map(|cost| cost.flops).fold(0.0, f64::max);
            assert!(most <= 2.1e10, "{name}, {}: {} GFLOP in one dispatch", recording.name, most / 1e9);
        }
        // After a device is lost, its replacement gets smaller pieces.
        let smaller = Budget { dispatch_flops: budget.dispatch_flops / 4.0, ..budget };
        let cut = MemoryPlan::within(smaller, &config, &table, 100_000, 100_000);
        let step = Transformer { config: &config, table: &table, plan: &cut }.training_step();
        let most = costs(&step).into_iter().map(|cost| cost.flops).fold(0.0, f64::max);
        assert!(most <= 1e10, "{name}: {} GFLOP after a loss", most / 1e9);
    }
}

/// The device itself enforces its limit.
#[test]
fn a_model_whose_tables_exceed_a_binding_trains_and_writes() {
    let tokens = ids(5, 2_000, 1_101);
    let losses = |context: Option<&Context>, submissions: Option<f64>| {
        block_on(async {
            let mut trainer = Trainer::new(config(true), context, &tokens, &tokens).await.unwrap();
            if submissions.is_some() {
                trainer.limit_submissions(submissions);
                assert!(trainer.submits_per_step() > 2.0, "{}", trainer.submits_per_step());
            }
            let mut losses = vec![trainer.evaluate().await.unwrap()];
            trainer.submit(3);
            losses.extend(trainer.collect().await.unwrap().iter().map(|point| point.loss));
            losses.extend(trainer.logits(&tokens[..50]).await.unwrap());
            losses.extend(trainer.next_logits(&tokens[..7]).await.unwrap());
            losses.extend(trainer.next_logits(&tokens[..8]).await.unwrap());
            losses
        })
    };
    let small = block_on(Context::with_binding_limit(TIGHT.binding_bytes)).unwrap();
    assert_eq!(small.device.limits().max_storage_buffer_binding_size, TIGHT.binding_bytes);
    let (on_cpu, on_small) = (losses(None, None), losses(Some(&small), None));
    assert_eq!(on_cpu.len(), on_small.len());
    for (at, (a, b)) in on_cpu.iter().zip(&on_small).enumerate() {
        assert!((a - b).abs() < 1e-3, "number {at}: {a} on the CPU, {b} with small bindings");
    }
    // Steps of a slow device are split into several submissions, which changes no result.
    assert!(losses(Some(&small), Some(1.0)) == on_small, "submissions change nothing");
}

#[test]
fn a_lost_device_is_followed_by_smaller_pieces() {
    let context = context();
    let before = context.budget();
    context.losses.set(2);
    let after = context.budget();
    assert_eq!(after.dispatch_flops * 16.0, before.dispatch_flops);
    assert_eq!(after.binding_bytes, before.binding_bytes);
}
