//! PyTorch's numbers for a tiny model, in `golden/tiny.safetensors`; `golden/generate.py` has made them.

use glasshead::config::{
    FeedForward, ModelConfig, Norm, NormPlacement, Optimizer, Positions, RunConfig, Schedule, TrainConfig,
};
use glasshead::model::params::ParamTable;
use glasshead::protocol::export::{Weights, WeightsAbout};
use glasshead::protocol::{StepPoint, Token};
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
        activation_storage: Default::default(),
        optimizer: Optimizer::Adamw,
        schedule: Schedule::Cosine,
        max_lr: 1e-2,
        min_lr: 1e-3,
        warmup_steps: 3,
        schedule_steps: 8,
        decay_fraction: 0.2,
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

/// A still smaller model of CS336, to turn one switch of.
fn small() -> RunConfig {
    let mut config = config();
    config.model = ModelConfig::cs336([13, 5], [8, 2, 4, 12]);
    config.train.batch_size = 2;
    config
}

/// What turns the small model into a variant.
type Change = fn(&mut ModelConfig, &mut TrainConfig);

/// As in the generator.
const VARIANTS: [(&str, Change); 18] = [
    ("layernorm", |model, _| model.norm = Norm::Layernorm),
    ("no_norm", |model, _| model.norm = Norm::None),
    ("post_norm", |model, _| model.norm_placement = NormPlacement::Post),
    ("post_layernorm_bias", |model, _| {
        (model.norm, model.norm_placement, model.bias) = (Norm::Layernorm, NormPlacement::Post, true);
    }),
    ("learned_positions", |model, _| model.positions = Positions::Learned),
    ("no_positions", |model, _| model.positions = Positions::None),
    ("silu", |model, _| model.feed_forward = FeedForward::Silu),
    ("gelu", |model, _| model.feed_forward = FeedForward::Gelu),
    ("bias", |model, _| model.bias = true),
    ("tied", |model, _| model.tied_embeddings = true),
    ("grouped_queries", |model, _| model.n_kv_heads = 2),
    ("one_kv_head", |model, _| model.n_kv_heads = 1),
    ("sgd", |_, train| train.optimizer = Optimizer::Sgd),
    ("linear_schedule", |_, train| train.schedule = Schedule::Linear),
    ("constant_schedule", |_, train| train.schedule = Schedule::Constant),
    ("accumulation", |_, train| train.accumulation_steps = 3),
    ("no_mask", |model, _| model.causal = false),
    ("gpt2", |model, _| {
        (model.norm, model.positions, model.feed_forward) = (Norm::Layernorm, Positions::Learned, FeedForward::Gelu);
        (model.bias, model.tied_embeddings) = (true, true);
    }),
];

struct Golden {
    file: SafeTensors<'static>,
    /// Before every name in the file.
    prefix: String,
    config: RunConfig,
}

impl Golden {
    fn tiny() -> Self {
        let bytes = include_bytes!("golden/tiny.safetensors");
        let file = SafeTensors::deserialize(bytes).expect("the committed file is whole");
        Self { file, prefix: String::new(), config: config() }
    }

    fn variant(name: &str, change: Change) -> Self {
        let bytes = include_bytes!("golden/variants.safetensors");
        let file = SafeTensors::deserialize(bytes).expect("the committed file is whole");
        let mut config = small();
        change(&mut config.model, &mut config.train);
        Self { file, prefix: format!("{name}/"), config }
    }

    fn words<T: bytemuck::AnyBitPattern>(&self, name: &str) -> Vec<T> {
        let name = format!("{}{name}", self.prefix);
        let view = self.file.tensor(&name).unwrap_or_else(|error| panic!("{name}: {error}"));
        view.data().chunks_exact(4).map(bytemuck::pod_read_unaligned).collect()
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        self.words(name)
    }

    /// The tensors `PREFIX.NAME` of all parameters, laid out by the table. There are no others in the file.
    fn params(&self, prefix: &str) -> Vec<f32> {
        let table = ParamTable::new(&self.config.model);
        let start = format!("{}{prefix}.", self.prefix);
        let in_file = self.file.names().into_iter().filter(|name| name.starts_with(&start)).count();
        assert_eq!(in_file, table.iter().count(), "{start}: number of parameters");
        let mut values = vec![0.0; table.buffer_len()];
        for param in table.iter() {
            let tensor = self.floats(&format!("{prefix}.{}", param.name));
            values[param.start..param.start + param.len()].copy_from_slice(&tensor);
        }
        values
    }

    /// A trainer with PyTorch's weights; its training tokens are all batches, one sequence after the other.
    fn trainer(&self, gpu: bool) -> Trainer {
        let tokens: Vec<u32> = self.words("tokens");
        let context = gpu.then(context);
        let made = block_on(Trainer::new(self.config.clone(), context.as_ref(), &tokens, &tokens));
        let mut trainer = made.expect("it is small");
        trainer.set_params(&self.params("weights"));
        trainer
    }

    /// Where the sequences of step `step` (from 0) begin.
    fn starts(&self, step: usize) -> Vec<u32> {
        let n = self.config.train.batch_size * self.config.train.accumulation_steps;
        (step * n..(step + 1) * n).map(|sequence| (sequence * (self.config.model.context_length + 1)) as u32).collect()
    }
}

fn check(what: &str, ours: &[f32], theirs: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let most = tolerance * theirs.abs().max(1.0);
        assert!((ours - theirs).abs() <= most, "{what} [{i}] is {ours}; PyTorch has {theirs}");
    }
}

/// Position by position, which takes keys and values from the cache. Without the causal mask each position's logits are
/// those of a text that ends there.
fn check_logits(golden: &Golden, gpu: bool) {
    let of = if golden.config.model.causal { "logits" } else { "end_logits" };
    let (tokens, logits): (Vec<u32>, _) = (golden.words("tokens"), golden.floats(of));
    let (n, v) = (golden.config.model.context_length, golden.config.model.vocab_size);
    let mut trainer = golden.trainer(gpu);
    for (sequence, window) in tokens.chunks(n + 1).take(golden.config.train.batch_size).enumerate() {
        for position in 0..n {
            let ours = block_on(trainer.next_logits(&window[..=position])).unwrap();
            let theirs = &logits[(sequence * n + position) * v..][..v];
            let what = format!("{}logits of sequence {sequence}, position {position}", golden.prefix);
            check(&what, &ours, theirs, 1e-5);
        }
        // The whole window at once, without the cache.
        trainer.set_params(&golden.params("weights"));
        let ours = block_on(trainer.next_logits(&window[..n])).unwrap();
        check("logits of a window", &ours, &logits[(sequence * n + n - 1) * v..][..v], 1e-5);
    }
}

fn check_ten_steps(golden: &Golden, gpu: bool) {
    let mut trainer = golden.trainer(gpu);
    let name = &golden.prefix;
    let mut points: Vec<StepPoint> = Vec::new();
    for step in 0..10 {
        points.push(block_on(trainer.step_on(&golden.starts(step))).unwrap());
        if step == 0 {
            let mut grads = block_on(trainer.grads()).unwrap();
            // The optimizer clips on its way.
            let scale = (golden.config.train.max_grad_norm as f32 / (points[0].grad_norm + 1e-6)).min(1.0);
            grads.iter_mut().for_each(|grad| *grad *= scale);
            check(&format!("{name}clipped gradients"), &grads, &golden.params("clipped_grad"), 1e-6);
        }
    }
    let column = |of: fn(&StepPoint) -> f32| points.iter().map(of).collect::<Vec<_>>();
    check(&format!("{name}learning rates"), &column(|point| point.lr), &golden.floats("lrs"), 1e-9);
    check(&format!("{name}losses"), &column(|point| point.loss), &golden.floats("losses"), 2e-5);
    check(&format!("{name}gradient norms"), &column(|point| point.grad_norm), &golden.floats("grad_norms"), 1e-4);
    let (params, theirs) = (block_on(trainer.params()).unwrap(), golden.params("final"));
    for param in ParamTable::new(&golden.config.model).iter() {
        // Without RoPE a bias of the keys adds the same to all scores of a query, which softmax ignores: its gradient
        // is 0, and Adam makes steps of what rounding leaves of it.
        if golden.config.model.positions == Positions::Rope || !param.name.ends_with("k_proj.bias") {
            let range = param.start..param.start + param.len();
            check(&format!("{name}{} after ten steps", param.name), &params[range.clone()], &theirs[range], 1e-4);
        }
    }
}

#[test]
fn logits_are_pytorchs() {
    for gpu in [false, true] {
        check_logits(&Golden::tiny(), gpu);
    }
}

#[test]
fn gradients_and_ten_steps_are_pytorchs() {
    for gpu in [false, true] {
        check_ten_steps(&Golden::tiny(), gpu);
    }
}

#[test]
fn every_switch_is_pytorchs() {
    for (name, change) in VARIANTS {
        for gpu in [false, true] {
            let golden = Golden::variant(name, change);
            check_logits(&golden, gpu);
            check_ten_steps(&golden, gpu);
        }
    }
}

#[test]
fn attention_is_pytorchs() {
    const HEADS: usize = 3;
    let golden = Golden::tiny();
    let (tokens, maps): (Vec<u32>, _) = (golden.words("tokens"), golden.floats("attention"));
    for gpu in [false, true] {
        let mut trainer = golden.trainer(gpu);
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

/// In full precision, and through the file that the page offers.
#[test]
fn exported_weights_are_pytorchs() {
    const HEADS: usize = 3;
    let golden = Golden::tiny();
    let (ids, maps): (Vec<u32>, _) = (golden.words("tokens"), golden.floats("attention"));
    let tokens: Vec<Token> = ids[..11].iter().map(|&id| Token { id, text: format!("t{id}") }).collect();
    for gpu in [false, true] {
        let mut trainer = golden.trainer(gpu);
        let numbers = block_on(trainer.attention_weights(&ids[..11])).unwrap();
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let about = WeightsAbout {
            step: 0,
            seed: 0,
            tokens: tokens.clone(),
            n_layers: 2,
            n_heads: HEADS,
            causal: true,
            kept_as_bytes: false,
        };
        let csv = Weights::from_bytes(about, &bytes).unwrap().to_csv(None);
        let lines: Vec<&str> = csv.lines().skip(1).collect();
        assert_eq!(lines.len(), 2 * HEADS * 66, "every cell that is not masked");
        for line in lines {
            let fields: Vec<&str> = line.split(',').collect();
            let [layer, head, query, key] = [1, 2, 3, 4].map(|at| fields[at].parse::<usize>().unwrap());
            let at = ((layer - 1) * 3 * HEADS + head - 1) * 121 + query * 11 + key;
            let (ours, theirs) = (fields[7].parse::<f32>().unwrap(), maps[at]);
            assert!((ours - theirs).abs() < 1e-5, "{line}: PyTorch has {theirs}");
        }
    }
}

#[test]
fn the_count_of_parameters_is_the_tables() {
    for (name, change) in VARIANTS {
        let model = Golden::variant(name, change).config.model;
        let in_table: usize = ParamTable::new(&model).iter().map(|param| param.len()).sum();
        assert_eq!(model.n_params(), in_table as u64, "{name}");
    }
}

#[test]
fn every_choice_has_a_name() {
    use glasshead::config::Choice;
    assert_eq!(Norm::from_name(Norm::Layernorm.name()), Some(Norm::Layernorm));
    assert_eq!(Positions::ALL.len() + FeedForward::ALL.len() + NormPlacement::ALL.len(), 8);
    assert_eq!(FeedForward::from_name("relu"), None);
}
