//! A whole training step on the GPU against the same recording on the CPU.

use glasshead::config::{ModelConfig, Preset, RunConfig};
use glasshead::gpu::compare::SideBySide;
use glasshead::gpu::recording::Recording;
use glasshead::model::memory::MemoryPlan;
use glasshead::model::params::ParamTable;
use glasshead::model::transformer::Transformer;
use glasshead::ops::rope::cos_sin_table;
use glasshead::ops::step::Step;
use pollster::block_on;

use crate::common::{context, ids};

/// Rounding errors accumulate over the dispatches of a step.
const TOLERANCE: f32 = 2e-5;

/// Sizes that are not multiples of any tile.
pub fn awkward() -> RunConfig {
    let mut config = Preset::Nano.config();
    config.model = ModelConfig::cs336([300, 11], [18, 2, 3, 20]);
    config.train.batch_size = 3;
    config
}

fn differ(recording_of: fn(&Transformer<'_>) -> Recording) -> Option<String> {
    first_difference(&awkward(), recording_of, TOLERANCE)
}

/// The first difference between GPU and CPU in a recording of a model with made-up weights and tokens.
pub fn first_difference(
    config: &RunConfig,
    recording_of: fn(&Transformer<'_>) -> Recording,
    tolerance: f32,
) -> Option<String> {
    let context = context();
    let table = ParamTable::new(&config.model);
    let plan = MemoryPlan::new(config, &table, 200, 200);
    let recording = recording_of(&Transformer { config, table: &table, plan: &plan });
    block_on(async {
        let mut sides = SideBySide::new(&context, &plan.buffers).await.unwrap();
        sides.write(plan.params, bytemuck::cast_slice(&table.initial_values(1)));
        let rope = cos_sin_table(config.model.context_length, config.model.d_head(), config.model.rope_theta);
        sides.write(plan.cos_sin, bytemuck::cast_slice(&rope));
        for (seed, tokens) in [plan.train_tokens, plan.val_tokens].into_iter().enumerate() {
            sides.write(tokens, &ids(seed as u64, 200, config.model.vocab_size));
        }
        sides.write(plan.probe.inputs, &ids(9, config.model.context_length, config.model.vocab_size));
        sides.write(plan.starts, &[0, 40, 88]);
        let step = Step {
            lr: 1e-3,
            // Adam divides by the root of the second moment; a larger ε keeps the rounding of tiny gradients tiny.
            eps: 1e-3,
            weight_decay: 0.1,
            max_grad_norm: 1.0,
            slot: 1,
            momentum: 0.9,
            weight: 0.5,
            first: 1,
            ..bytemuck::Zeroable::zeroed()
        };
        let step = step.with_betas([0.9, 0.95], 1.0);
        sides.write(plan.step, bytemuck::cast_slice(&[step]));
        sides.first_difference(&recording, tolerance).await.unwrap().map(|difference| difference.to_string())
    })
}

#[test]
fn a_training_step_is_the_same_on_gpu_and_cpu() {
    assert_eq!(differ(|model| model.training_step()), None);
}

/// Every dispatch costs tens of microseconds in a browser, whatever it computes.
#[test]
fn a_step_of_the_reference_workload_takes_at_most_80_dispatches() {
    let mut config = Preset::Nano.config();
    config.model = ModelConfig::cs336([512, 128], [128, 4, 4, 344]);
    config.train.batch_size = 8;
    let table = ParamTable::new(&config.model);
    let plan = MemoryPlan::new(&config, &table, 1000, 1000);
    let step = Transformer { config: &config, table: &table, plan: &plan }.training_step();
    let kernels: Vec<_> = step.dispatches.iter().map(|dispatch| dispatch.kernel.name).collect();
    assert!(kernels.len() <= 80, "{} dispatches: {kernels:?}", kernels.len());
}

#[test]
fn an_evaluation_is_the_same_on_gpu_and_cpu() {
    assert_eq!(differ(|model| model.evaluation()), None);
}

/// The comparison must find a dispatch that differs between the backends: here a residual whose CPU function is wrong.
#[test]
fn a_difference_is_found_and_named() {
    use glasshead::gpu::kernel::Kernel;
    use glasshead::gpu::recording::Buffers;
    use glasshead::ops::residual::{Params, RESIDUAL};
    static WRONG: Kernel = Kernel {
        name: "residual",
        wgsl: RESIDUAL.wgsl,
        access: RESIDUAL.access,
        params_bytes: RESIDUAL.params_bytes,
        loops: RESIDUAL.loops,
        cpu: |call| call.f32_mut(3).fill(7.0),
    };
    let mut buffers = Buffers::default();
    let slices = [(); 3].map(|()| buffers.add("test", 4));
    let mut recording = Recording::new("test");
    for kernel in [&RESIDUAL, &WRONG] {
        recording.dispatch(kernel, Params { len: 4 }, &slices, [1, 1, 1]);
    }
    let found = block_on(async {
        let mut sides = SideBySide::new(&context(), &buffers).await.unwrap();
        sides.first_difference(&recording, TOLERANCE).await.unwrap()
    });
    let found = found.expect("the second dispatch differs");
    assert_eq!((found.dispatch, found.kernel, found.binding, found.cpu), (1, "residual", 3, 7.0));
}

/// An error of a tenth in a gradient of a ten-thousandth is far below a tolerance relative to 1.
#[test]
fn small_tensors_are_compared_by_their_own_size() {
    use glasshead::gpu::kernel::Kernel;
    use glasshead::gpu::recording::Buffers;
    use glasshead::ops::residual::{Params, RESIDUAL};
    static WRONG: Kernel = Kernel {
        name: "residual",
        wgsl: RESIDUAL.wgsl,
        access: RESIDUAL.access,
        params_bytes: RESIDUAL.params_bytes,
        loops: RESIDUAL.loops,
        cpu: |call| {
            (RESIDUAL.cpu)(call);
            call.f32_mut(3).iter_mut().for_each(|x| *x *= 1.1);
        },
    };
    let mut buffers = Buffers::default();
    let slices = [(); 3].map(|()| buffers.add("test", 4));
    let mut recording = Recording::new("test");
    recording.dispatch(&WRONG, Params { len: 4 }, &slices, [1, 1, 1]);
    let context = context();
    block_on(async {
        let mut sides = SideBySide::new(&context, &buffers).await.unwrap();
        sides.write(slices[0], &[1e-4f32.to_bits(); 4]);
        assert_eq!(sides.first_difference(&recording, 4e-3).await.unwrap(), None, "it escapes this comparison");
        let found = sides.first_wrong(&recording, 2e-4).await.unwrap().expect("a difference");
        assert_eq!((found.kernel, found.binding), ("residual", 3));
    });
}
