//! Activation checkpointing: less memory, more dispatches, the same losses, gradients and weights to the bit.

use glasshead::config::{RunConfig, Storage};
use glasshead::gpu::recording::{BufferSpec, Role};
use glasshead::model::memory::MemoryPlan;
use glasshead::model::params::ParamTable;
use glasshead::systems::memory::Group;
use glasshead::systems::trace::Phase;
use glasshead::train::trainer::{Trainer, TrainingState};
use glasshead::types::StepPoint;
use pollster::block_on;

use crate::common::{context, ids};
use crate::step::awkward;

fn deep(n_layers: usize, every: usize) -> RunConfig {
    let mut config = awkward();
    config.model.n_layers = n_layers;
    config.train.checkpoint_every = every;
    config
}

fn train(config: RunConfig, gpu: bool) -> (Vec<StepPoint>, TrainingState, Vec<f32>) {
    let (context, tokens) = (gpu.then(context), ids(1, 400, 300));
    block_on(async {
        let mut trainer = Trainer::new(config, context.as_ref(), &tokens, &tokens).await.unwrap();
        trainer.submit(3);
        let points = trainer.collect().await.unwrap();
        (points, trainer.state().await.unwrap(), trainer.grads().await.unwrap())
    })
}

#[test]
fn nothing_but_memory_and_time_changes() {
    let changes: [&[(&str, &str)]; 4] = [
        &[],
        &[("norm", "layernorm"), ("norm_placement", "post"), ("bias", "true")],
        &[("norm", "none"), ("positions", "learned"), ("feed_forward", "gelu"), ("tied_embeddings", "true")],
        &[("activation_storage", "f16"), ("accumulation_steps", "2")],
    ];
    for change in changes {
        let config = |every: usize| {
            let mut config = deep(5, every);
            change.iter().for_each(|(field, value)| config.set(field, value).unwrap());
            config
        };
        let whole = train(config(0), false);
        // A segment of one, an uneven last segment, a segment of all.
        for every in [1, 2, 3, 5] {
            assert!(train(config(every), false) == whole, "every {every} blocks, {change:?}");
        }
    }
    let [whole, checkpointed] = [0, 2].map(|every| train(deep(3, every), true));
    assert!(checkpointed == whole, "on the GPU");
}

fn bytes(config: &RunConfig, role: Role) -> u64 {
    let plan = MemoryPlan::new(config, &ParamTable::new(&config.model), 1000, 1000);
    plan.buffers.specs.iter().filter(|spec| spec.role == role).map(BufferSpec::size_bytes).sum()
}

#[test]
fn eight_layers_store_at_most_a_third() {
    let mut config = glasshead::config::Preset::Tiny.config();
    config.model.n_layers = 8;
    let whole = bytes(&config, Role::Activations);
    config.train.checkpoint_every = config.usual_checkpoints();
    assert_eq!(config.train.checkpoint_every, 2);
    let few = bytes(&config, Role::Activations);
    assert!(3 * few <= whole, "{few} of {whole} bytes");
    // The halves of f16 storage are halves here as well.
    config.train.activation_storage = Storage::F16;
    assert!(bytes(&config, Role::Activations) < few);
}

#[test]
fn a_step_says_what_it_computes_again() {
    let tokens = ids(1, 400, 300);
    let trainer = |every| block_on(Trainer::new(deep(4, every), None, &tokens, &tokens)).unwrap();
    let [whole, checkpointed] = [trainer(0), trainer(2)];
    let count = |trainer: &Trainer, phase| trainer.step_work().iter().filter(|work| work.phase == phase).count();
    assert_eq!(count(&whole, Phase::Recompute), 0);
    for phase in [Phase::Forward, Phase::Backward, Phase::Update] {
        assert_eq!(count(&checkpointed, phase), count(&whole, phase), "{}", phase.name());
    }
    // Two of four blocks, the last one without its output.
    let work = checkpointed.step_work();
    let per_block = work.iter().filter(|work| work.phase == Phase::Forward && work.layer == Some(1)).count();
    assert_eq!(count(&checkpointed, Phase::Recompute), 2 * per_block - 1);
    let layers = |phase| {
        let mut layers: Vec<_> = work.iter().filter(|work| work.phase == phase).filter_map(|work| work.layer).collect();
        layers.dedup();
        layers
    };
    assert_eq!(layers(Phase::Forward), [0, 1, 2, 3]);
    assert_eq!(layers(Phase::Recompute), [0, 1]);
    assert_eq!(layers(Phase::Backward), [3, 2, 1, 0]);
    let flops = |trainer: &Trainer| trainer.step_work().iter().map(|work| work.flops).sum::<f64>();
    assert!(flops(&checkpointed) > flops(&whole) && flops(&checkpointed) < flops(&whole) * 4.0 / 3.0);
}

/// The timeline's plan is what the device was asked for, and its peak is where activations are complete.
#[test]
fn the_memory_timeline_is_what_the_device_has() {
    for (gpu, every) in [(false, 0), (false, 2), (true, 0), (true, 2)] {
        let (context, tokens) = (gpu.then(context), ids(1, 4000, 300));
        block_on(async {
            let mut config = deep(4, every);
            config.train.batch_size = 16;
            let mut trainer = Trainer::new(config, context.as_ref(), &tokens, &tokens).await.unwrap();
            trainer.submit(1);
            trainer.collect().await.unwrap();
            let memory = trainer.memory_timeline();
            let [planned, allocated] = [memory.planned_bytes(), memory.allocated_bytes].map(|bytes| bytes as f64);
            assert!((planned / allocated - 1.0).abs() < 0.05, "GPU {gpu}: planned {planned}, allocated {allocated}");
            let peak = memory.peak().unwrap();
            assert!(peak.bytes <= memory.step_bytes() && peak.bytes > memory.step_bytes() / 2);
            assert_eq!(peak.groups.iter().sum::<u64>(), peak.bytes);
            let work = trainer.step_work();
            assert_eq!(memory.n_dispatches, work.len());
            let live = |group: Group, at: usize| {
                memory.at(at).filter(|tensor| tensor.group == group).map(|tensor| tensor.bytes).sum::<u64>()
            };
            let (first, last) = (0, memory.n_dispatches - 1);
            for group in [Group::Parameters, Group::Moments] {
                assert!(live(group, first) > 0 && live(group, first) == live(group, last), "{}", group.name());
            }
            assert_eq!([live(Group::Gradients, first), live(Group::Activations, last)], [0, 0]);
            let gradients = 4 * trainer.table().buffer_len() as u64;
            assert_eq!(live(Group::Gradients, last), gradients, "every gradient is there for the update");
            let grows = (0..last).all(|at| live(Group::Gradients, at) <= live(Group::Gradients, at + 1));
            assert!(grows, "gradients appear one after the other");
        });
    }
}
