//! Rows of tokens with coefficients: against PyTorch (`golden/align.safetensors`, written by `golden/align.py`), against plain
//! next-token steps, and split into batches.

use glasshead::align::{Aggregation, Dpo, Method, TokenRow};
use glasshead::config::{ModelConfig, Optimizer, Preset, RunConfig, Schedule};
use glasshead::gpu::context::Budget;
use glasshead::model::memory::MemoryPlan;
use glasshead::model::params::ParamTable;
use glasshead::model::transformer::Transformer;
use glasshead::train::align::update;
use glasshead::train::objective::{NextToken, Objective, PolicyGradient, PolicyScores, Preference, Sft};
use glasshead::train::trainer::{Row, TrainError, Trainer};
use pollster::block_on;
use safetensors::SafeTensors;

use crate::common::{context, ids, numbers};

/// The settings of `golden/align.py`.
pub fn config() -> RunConfig {
    let mut config = Preset::Nano.config();
    config.model = ModelConfig::cs336([37, 11], [24, 2, 3, 20]);
    let train = &mut config.train;
    (train.batch_size, train.optimizer, train.schedule) = (8, Optimizer::Adamw, Schedule::Constant);
    (train.max_lr, train.min_lr, train.warmup_steps) = (5e-4, 5e-4, 0);
    (train.weight_decay, train.max_grad_norm) = (0.0, 1.0);
    config
}

/// PyTorch's numbers.
pub struct Golden {
    file: SafeTensors<'static>,
}

impl Golden {
    pub fn new() -> Self {
        let bytes = include_bytes!("golden/align.safetensors");
        Self { file: SafeTensors::deserialize(bytes).expect("the committed file is whole") }
    }

    fn words<T: bytemuck::AnyBitPattern>(&self, name: &str) -> Vec<T> {
        let view = self.file.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        view.data().chunks_exact(4).map(bytemuck::pod_read_unaligned).collect()
    }

    pub fn floats(&self, name: &str) -> Vec<f32> {
        self.words(name)
    }

    /// Rows without padding, and the lengths of their prompts.
    pub fn rows(&self) -> Vec<(Vec<u32>, usize)> {
        let (ids, lengths, prompts): (Vec<u32>, Vec<u32>, Vec<u32>) =
            (self.words("ids"), self.words("lengths"), self.words("prompts"));
        let row =
            |((row, &length), &prompt): ((&[u32], &u32), &u32)| (row[..length as usize].to_vec(), prompt as usize);
        ids.chunks(12).zip(&lengths).zip(&prompts).map(row).collect()
    }

    pub fn token_rows(&self) -> Vec<TokenRow> {
        self.rows().into_iter().map(|(ids, prompt_len)| TokenRow { ids, prompt_len }).collect()
    }

    /// A padded tensor (B, T), cut to the tokens of each row.
    pub fn of_rows(&self, name: &str) -> Vec<Vec<f32>> {
        let values = self.floats(name);
        values.chunks(11).zip(self.rows()).map(|(values, (ids, _))| values[..ids.len() - 1].to_vec()).collect()
    }

    /// `PREFIX.NAME` of all parameters, laid out as in the table.
    pub fn params(&self, prefix: &str) -> Vec<f32> {
        let table = ParamTable::new(&config().model);
        let mut values = vec![0.0; table.buffer_len()];
        for param in table.iter() {
            let tensor = self.floats(&format!("{prefix}.{}", param.name));
            values[param.start..param.start + param.len()].copy_from_slice(&tensor);
        }
        values
    }
}

pub fn check(what: &str, ours: &[f32], theirs: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let most = tolerance * theirs.abs().max(1.0);
        assert!((ours - theirs).abs() <= most, "{what} [{i}] is {ours}, expected {theirs}");
    }
}

const SFT: Sft = Sft { aggregation: Aggregation::Token };

pub fn trainer(config: RunConfig, gpu: bool, params: &[f32]) -> Trainer {
    let context = gpu.then(context);
    let mut trainer = block_on(Trainer::for_objective(config, context.as_ref(), &SFT)).expect("it is small");
    trainer.set_params(params);
    trainer
}

fn slices(rows: &[Vec<u32>]) -> Vec<Row<'_>> {
    rows.iter().map(|ids| Row::of(ids)).collect()
}

#[test]
fn a_weighted_step_is_pytorchs() {
    let golden = Golden::new();
    let rows: Vec<Vec<u32>> = golden.rows().into_iter().map(|(ids, _)| ids).collect();
    let (coefficients, log_probs) = (golden.of_rows("coefficients"), golden.of_rows("log_probs"));
    let entropies = golden.of_rows("entropies");
    for gpu in [false, true] {
        let mut trainer = trainer(config(), gpu, &golden.params("weights"));
        let scores = block_on(trainer.score_rows(&slices(&rows))).unwrap();
        let (point, again) = block_on(trainer.step_on_rows(&slices(&rows), &coefficients)).unwrap();
        for (row, scores) in scores.iter().chain(&again).enumerate().map(|(i, scores)| (i % rows.len(), scores)) {
            check(&format!("log-probabilities of row {row}"), &scores.log_probs, &log_probs[row], 1e-5);
            check(&format!("entropies of row {row}"), &scores.entropies, &entropies[row], 1e-5);
        }
        check("loss", &[point.loss], &golden.floats("loss"), 1e-5);
        check("gradients", &block_on(trainer.grads()).unwrap(), &golden.params("grad"), 2e-5);
    }
}

/// Equal coefficients of 1 / N make the mean cross-entropy, and so a next-token step.
#[test]
fn equal_coefficients_make_a_next_token_step() {
    let mut config = config();
    config.train.batch_size = 4;
    let tokens = ids(1, 200, 37);
    let starts = [3, 50, 90, 140];
    let rows: Vec<Vec<u32>> = starts.iter().map(|&start| tokens[start..start + 12].to_vec()).collect();
    let coefficients = vec![vec![1.0 / 44.0; 11]; 4];
    for gpu in [false, true] {
        let context = gpu.then(context);
        let mut plain = block_on(Trainer::new(config.clone(), context.as_ref(), &tokens, &tokens)).unwrap();
        let mut weighted = trainer(config.clone(), gpu, &block_on(plain.params()).unwrap());
        for _ in 0..3 {
            let expected = block_on(plain.step_on(&starts.map(|start| start as u32))).unwrap();
            let (point, _) = block_on(weighted.step_on_rows(&slices(&rows), &coefficients)).unwrap();
            assert_eq!((point.step, point.lr), (expected.step, expected.lr));
            check("loss", &[point.loss], &[expected.loss], 1e-6);
            check("norm", &[point.grad_norm], &[expected.grad_norm], 1e-5);
        }
        check("weights", &block_on(weighted.params()).unwrap(), &block_on(plain.params()).unwrap(), 1e-5);
    }
}

#[test]
fn batches_of_a_step_add_up() {
    let rows: Vec<Vec<u32>> = (0..13).map(|row| ids(row, 2 + (row as usize * 5) % 11, 37)).collect();
    let coefficients: Vec<Vec<f32>> = rows.iter().map(|row| numbers(row.len() as u64, row.len() - 1)).collect();
    let mut whole = config();
    whole.train.batch_size = 16;
    let params = ParamTable::new(&whole.model).initial_values(7);
    for gpu in [false, true] {
        let [mut one, mut several] = [1, 3].map(|sequences| {
            let mut config = whole.clone();
            if sequences > 1 {
                (config.train.batch_size, config.train.accumulation_steps) = (sequences, 2);
            }
            trainer(config, gpu, &params)
        });
        for _ in 0..2 {
            let (point, scores) = block_on(one.step_on_rows(&slices(&rows), &coefficients)).unwrap();
            let (split, of_split) = block_on(several.step_on_rows(&slices(&rows), &coefficients)).unwrap();
            check("loss", &[split.loss], &[point.loss], 1e-5);
            check("norm", &[split.grad_norm], &[point.grad_norm], 1e-5);
            for (a, b) in scores.iter().zip(&of_split) {
                check("log-probabilities", &b.log_probs, &a.log_probs, 1e-5);
            }
        }
        check("weights", &block_on(several.params()).unwrap(), &block_on(one.params()).unwrap(), 1e-5);
    }
}

/// Padding and tokens without a coefficient add nothing, whatever the other rows are.
#[test]
fn tokens_without_a_coefficient_teach_nothing() {
    let params = ParamTable::new(&config().model).initial_values(7);
    let row = ids(3, 6, 37);
    let mut one = trainer(config(), false, &params);
    let mut two = trainer(config(), false, &params);
    let of_row = vec![0.0, 0.0, 0.5, 0.5, 0.25];
    block_on(one.step_on_rows(&[Row::of(&row)], std::slice::from_ref(&of_row))).unwrap();
    let other = ids(4, 9, 37);
    block_on(two.step_on_rows(&[Row::of(&row), Row::of(&other)], &[of_row, vec![0.0; 8]])).unwrap();
    check("weights", &block_on(two.params()).unwrap(), &block_on(one.params()).unwrap(), 1e-6);
    let mut nothing = trainer(config(), false, &params);
    let (point, _) = block_on(nothing.step_on_rows(&[Row::of(&row)], &[vec![0.0; 5]])).unwrap();
    assert_eq!((point.loss, point.grad_norm), (0.0, 0.0));
    assert_eq!(block_on(nothing.params()).unwrap(), params);
}

#[test]
fn unfit_rows_are_rejected() {
    let params = ParamTable::new(&config().model).initial_values(7);
    let mut small = config();
    small.train.batch_size = 1;
    let mut trainer = trainer(small.clone(), false, &params);
    let problem = |rows: &[Vec<u32>], coefficients: &[Vec<f32>], trainer: &mut Trainer| match block_on(
        trainer.step_on_rows(&slices(rows), coefficients),
    ) {
        Err(TrainError::Rows { problem }) => problem,
        other => panic!("{other:?}"),
    };
    assert!(problem(&[], &[], &mut trainer).contains("none"));
    assert!(problem(&[vec![1]], &[vec![]], &mut trainer).contains("0 to 0 inputs"));
    assert!(problem(&[vec![1; 13]], &[vec![0.0; 12]], &mut trainer).contains("1 to 11"));
    assert!(problem(&[vec![1; 3]], &[vec![0.0; 3]], &mut trainer).contains("coefficients"));
    let many = vec![vec![1; 12]; 2];
    assert!(problem(&many, &vec![vec![0.0; 11]; 2], &mut trainer).contains("accumulation_steps"));
    let plain = block_on(Trainer::new(small, None, &ids(1, 40, 37), &ids(1, 40, 37)));
    assert!(problem(&[vec![1; 3]], &[vec![0.0; 2]], &mut plain.unwrap()).contains("objective"));
}

#[test]
fn a_step_that_is_not_finite_changes_nothing() {
    let params = ParamTable::new(&config().model).initial_values(7);
    let mut trainer = trainer(config(), false, &params);
    let row = ids(3, 6, 37);
    let result = block_on(trainer.step_on_rows(&[Row::of(&row)], &[vec![f32::INFINITY; 5]]));
    assert!(matches!(result, Err(TrainError::Diverged { step: 1, .. })), "{result:?}");
    assert_eq!((trainer.step(), block_on(trainer.params()).unwrap()), (0, params));
    block_on(trainer.step_on_rows(&[Row::of(&row)], &[vec![0.1; 5]])).expect("further steps are possible");
}

/// A plan for next-token training has no buffer for coefficients, and its steps run no kernel for them.
#[test]
fn next_token_training_takes_nothing_more() {
    let config = config();
    let table = ParamTable::new(&config.model);
    let plan = MemoryPlan::within(Budget::default(), &config, &table, 50, 50);
    assert!(plan.buffers.specs.iter().all(|spec| !spec.name.contains("of tokens")));
    let weighted = plan.clone().with_per_token(&config.model);
    let added = weighted.buffers.fixed_bytes() - plan.buffers.fixed_bytes();
    assert_eq!(added, 2 * 4 * 8 * 11, "two values per token");
    let names = |plan: &MemoryPlan| -> Vec<&str> {
        let transformer = Transformer { config: &config, table: &table, plan };
        transformer.training_step().dispatches.iter().map(|dispatch| dispatch.kernel.name).collect()
    };
    assert_eq!(names(&plan), names(&weighted));
    assert!(names(&plan).iter().all(|name| !name.contains("weighted") && *name != "token_entropy"));
}

#[test]
fn objectives_name_what_they_need() {
    let mut on_policy = PolicyGradient { objective: Method::Grpo.objective(1.0), off_policy: false };
    let preference = Preference { dpo: Dpo { beta: 0.1, nll: 0.0 } };
    assert!(!NextToken.inputs().coefficients && !NextToken.loss().weighs_tokens());
    let objectives: [&dyn Objective; 3] = [&SFT, &on_policy, &preference];
    for objective in objectives {
        assert_eq!(objective.inputs().coefficients, objective.loss().weighs_tokens());
    }
    assert!(!on_policy.inputs().current_log_probs && !on_policy.inputs().reference_log_probs);
    assert!(PolicyGradient { off_policy: true, ..on_policy }.inputs().old_log_probs);
    on_policy.objective.loss.kl = 0.05;
    assert!(on_policy.inputs().reference_log_probs);
    assert!(preference.inputs().reference_log_probs && preference.inputs().current_log_probs);
}

/// Ten off-policy updates with clipping and a KL penalty.
#[test]
fn ten_steps_of_grpo_are_pytorchs() {
    let golden = Golden::new();
    let rows = golden.token_rows();
    let (rewards, old) = (golden.floats("rewards"), golden.of_rows("old_log_probs"));
    let rewards: Vec<f64> = rewards.into_iter().map(f64::from).collect();
    let mut objective = Method::Grpo.objective(1.0);
    objective.loss.kl = 0.05;
    let advantages = objective.advantages.compute(&rewards, 4).unwrap();
    let objective = PolicyGradient { objective, off_policy: true };
    let initial = golden.params("weights");
    for gpu in [false, true] {
        let mut trainer = trainer(config(), gpu, &initial);
        let (mut losses, mut norms) = (Vec::new(), Vec::new());
        for step in 0..10 {
            let made = update::policy(&mut trainer, &objective, &rows, &advantages, &old, Some(&initial));
            let (point, _, made) = block_on(made).unwrap();
            assert!(made.clip_fraction > 0.1 && made.clip_fraction < 0.8, "step {step}: {}", made.clip_fraction);
            losses.push(point.loss);
            norms.push(point.grad_norm);
        }
        check("losses", &losses, &golden.floats("grpo.losses"), 2e-5);
        check("norms", &norms, &golden.floats("grpo.grad_norms"), 1e-4);
        check("weights", &block_on(trainer.params()).unwrap(), &golden.params("grpo.final"), 1e-4);
    }
}

#[test]
fn ten_steps_of_dpo_are_pytorchs() {
    let golden = Golden::new();
    let rows = golden.token_rows();
    let initial = golden.params("weights");
    for (name, nll) in [("dpo", 0.0), ("dpo_nll", 1.0)] {
        let objective = Preference { dpo: Dpo { beta: 0.1, nll } };
        for gpu in [false, true] {
            let mut trainer = trainer(config(), gpu, &initial);
            let reference = block_on(update::log_probs(&mut trainer, &rows)).unwrap();
            let (mut losses, mut norms) = (Vec::new(), Vec::new());
            for _ in 0..10 {
                let made = block_on(update::preference(&mut trainer, &objective, &rows, &reference));
                let (point, pairs) = made.unwrap();
                assert_eq!(pairs.len(), 4);
                losses.push(point.loss);
                norms.push(point.grad_norm);
            }
            check("losses", &losses, &golden.floats(&format!("{name}.losses")), 2e-5);
            check("norms", &norms, &golden.floats(&format!("{name}.grad_norms")), 1e-4);
            let params = block_on(trainer.params()).unwrap();
            check(&format!("{name} weights"), &params, &golden.params(&format!("{name}.final")), 1e-4);
        }
    }
}

/// At the weights that sampled the rows, every ratio is 1, and all clipped losses are plain policy gradients.
#[test]
fn on_policy_coefficients_are_plain_policy_gradients() {
    let golden = Golden::new();
    let (rows, log_probs) = (golden.token_rows(), golden.of_rows("log_probs"));
    let advantages = [1.0, -1.0, 0.5, 0.0, 2.0, -0.25, 1.0, -2.0];
    let coefficients = |method: Method, off_policy: bool| {
        let mut objective = method.objective(10.0);
        objective.aggregation = Aggregation::Sequence;
        let objective = PolicyGradient { objective, off_policy };
        let scores = PolicyScores { policy: &log_probs, old: off_policy.then_some(&log_probs), reference: None };
        objective.weigh(&rows, &advantages, scores).unwrap().weighted.coefficients.concat()
    };
    let plain = coefficients(Method::ReinforceWithBaseline, false);
    assert!(plain.iter().any(|&c| c != 0.0));
    for method in [Method::Grpo, Method::Gspo, Method::Cispo] {
        check(method.name(), &coefficients(method, true), &plain, 1e-6);
    }
}
