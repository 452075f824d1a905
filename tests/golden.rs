//! PyTorch's numbers for a tiny model, in `golden/tiny.safetensors`; `golden/generate.py` has made them.

use glasshead::config::{ModelConfig, Optimizer, RunConfig, Schedule, TrainConfig};
use glasshead::model::params::ParamTable;
use glasshead::protocol::StepPoint;
use glasshead::train::trainer::Trainer;
use pollster::block_on;
use safetensors::SafeTensors;

use crate::common::context;

/// As in the generator.
fn config() -> RunConfig {
    let model = ModelConfig::cs336([37, 11], [24, 2, 3, 20]);
    let train = TrainConfig {
        batch_size: 3,
        accumulation_steps: 1,
        optimizer: Optimizer::Adamw,
        schedule: Schedule::Cosine,
        max_lr: 1e-2,
        min_lr: 1e-3,
        warmup_steps: 3,
        schedule_steps: 8,
        beta1: 0.9,
        beta2: 0.95,
        adam_eps: 1e-8,
        momentum: 0.9,
        weight_decay: 0.1,
        max_grad_norm: 1.0,
        seed: 0,
    };
    RunConfig { model, train }
}

struct Golden(SafeTensors<'static>);

impl Golden {
    fn new() -> Self {
        let bytes = include_bytes!("golden/tiny.safetensors");
        Self(SafeTensors::deserialize(bytes).expect("the committed file is whole"))
    }

    fn words<T: bytemuck::AnyBitPattern>(&self, name: &str) -> Vec<T> {
        let view = self.0.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        view.data().chunks_exact(4).map(bytemuck::pod_read_unaligned).collect()
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        self.words(name)
    }

    /// The tensors `PREFIX.NAME` of all parameters, laid out by the table.
    fn params(&self, prefix: &str) -> Vec<f32> {
        let table = ParamTable::new(&config().model);
        let mut values = vec![0.0; table.buffer_len()];
        for param in table.iter() {
            let tensor = self.floats(&format!("{prefix}.{}", param.name));
            values[param.start..param.start + param.len()].copy_from_slice(&tensor);
        }
        values
    }
}

/// A trainer with PyTorch's weights; its training tokens are all batches, one sequence after the other.
fn trainer(golden: &Golden, gpu: bool) -> Trainer {
    let tokens: Vec<u32> = golden.words("tokens");
    let context = gpu.then(context);
    let mut trainer = block_on(Trainer::new(config(), context.as_ref(), &tokens, &tokens)).expect("it is small");
    trainer.set_params(&golden.params("weights"));
    trainer
}

/// Where the sequences of batch `step` (from 0) begin.
fn starts(step: u32) -> [u32; 3] {
    [0, 1, 2].map(|sequence| (step * 3 + sequence) * 12)
}

fn check(what: &str, ours: &[f32], theirs: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let most = tolerance * theirs.abs().max(1.0);
        assert!((ours - theirs).abs() <= most, "{what} [{i}] is {ours}; PyTorch has {theirs}");
    }
}

#[test]
fn logits_are_pytorchs() {
    let golden = Golden::new();
    let (tokens, logits): (Vec<u32>, _) = (golden.words("tokens"), golden.floats("logits"));
    for gpu in [false, true] {
        let mut trainer = trainer(&golden, gpu);
        for (sequence, window) in tokens.chunks(12).take(3).enumerate() {
            for position in 0..11 {
                let ours = block_on(trainer.next_logits(&window[..=position])).unwrap();
                let theirs = &logits[(sequence * 11 + position) * 37..][..37];
                check(&format!("logits of sequence {sequence}, position {position}"), &ours, theirs, 1e-5);
            }
        }
    }
}

#[test]
fn attention_is_pytorchs() {
    const HEADS: usize = 3;
    let golden = Golden::new();
    let (tokens, maps): (Vec<u32>, _) = (golden.words("tokens"), golden.floats("attention"));
    for gpu in [false, true] {
        let mut trainer = trainer(&golden, gpu);
        for (sequence, window) in tokens.chunks(12).take(3).enumerate() {
            let bytes = block_on(trainer.attention(&window[..11])).unwrap();
            for (head, bytes) in bytes.chunks(11 * 11).enumerate() {
                let (layer, head) = (head / HEADS, head % HEADS);
                let theirs = &maps[((layer * 3 + sequence) * HEADS + head) * 121..][..121];
                let ours: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
                // Half a step of a byte, and a little for rounding.
                check(&format!("softmax weights of layer {layer}, head {head}"), &ours, theirs, 0.502 / 255.0);
            }
        }
    }
}

#[test]
fn gradients_and_ten_steps_are_pytorchs() {
    let golden = Golden::new();
    for gpu in [false, true] {
        let mut trainer = trainer(&golden, gpu);
        let mut points: Vec<StepPoint> = Vec::new();
        for step in 0..10 {
            points.push(block_on(trainer.step_on(&starts(step))).unwrap());
            if step == 0 {
                let grads = block_on(trainer.grads()).unwrap();
                check("clipped gradients", &grads, &golden.params("clipped_grad"), 1e-6);
            }
        }
        let column = |of: fn(&StepPoint) -> f32| points.iter().map(of).collect::<Vec<_>>();
        check("learning rates", &column(|point| point.lr), &golden.floats("lrs"), 1e-9);
        check("losses", &column(|point| point.loss), &golden.floats("losses"), 2e-5);
        check("gradient norms", &column(|point| point.grad_norm), &golden.floats("grad_norms"), 1e-4);
        let params = block_on(trainer.params()).unwrap();
        check("weights after ten steps", &params, &golden.params("final"), 1e-4);
    }
}
