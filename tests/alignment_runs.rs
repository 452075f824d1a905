//! Alignment runs: sampled responses, their log-probabilities, reports, and resuming.

use glasshead::align::{PromptTemplate, Rewards, TokenRow};
use glasshead::config::{ModelConfig, Preset, RunConfig, Schedule};
use glasshead::data::{END_OF_TEXT, Task, Tokenizer, train};
use glasshead::train::align::rollouts::{Rollout, Sampler};
use glasshead::train::align::update;
use glasshead::train::align::{AlignRun, Example, Examples, Pair, RunError, SettingError, Settings, Stage, StepReport};
use glasshead::train::trainer::{Trainer, TrainingState};
use pollster::block_on;

use crate::common::context;

fn tokenizer() -> Tokenizer {
    let text = Task::Reverse.text(1, 10_000);
    Tokenizer::new(&train(&text, 257, &[END_OF_TEXT]).unwrap()).unwrap()
}

fn config() -> RunConfig {
    let mut config = Preset::Nano.config();
    config.model = ModelConfig::cs336([257, 32], [16, 2, 2, 24]);
    let train = &mut config.train;
    (train.batch_size, train.accumulation_steps, train.schedule) = (16, 2, Schedule::Constant);
    (train.max_lr, train.min_lr, train.warmup_steps, train.weight_decay) = (1e-2, 1e-3, 0, 0.0);
    config
}

fn run(stage: Stage, settings: &[(&str, &str)], examples: Examples, params: Vec<f32>) -> AlignRun {
    let mut chosen = Settings::of(stage);
    settings.iter().for_each(|(field, value)| chosen.set(field, value).unwrap());
    let parts = (tokenizer(), PromptTemplate::line(), Rewards::parse(&["0.9*partial", "0.1*format"]).unwrap());
    AlignRun::new(stage, chosen, examples, parts, 7, params).unwrap()
}

fn trainer(run: &AlignRun, gpu: bool) -> Trainer {
    let context = gpu.then(context);
    block_on(Trainer::for_objective(config(), context.as_ref(), &*run.objective())).unwrap()
}

/// A model that has seen the task, so that some responses are right.
fn taught() -> TrainingState {
    let examples = Examples::Task(Task::Recall);
    let mut run = run(Stage::Sft, &[("rows", "32")], examples, Vec::new());
    let mut trainer = trainer(&run, false);
    for _ in 0..30 {
        block_on(run.step(&mut trainer)).unwrap();
    }
    TrainingState::of(block_on(trainer.params()).unwrap(), 7)
}

fn sample(trainer: &mut Trainer, prompts: &[Example], group_size: usize, step: u64) -> Vec<Rollout> {
    let (tokenizer, template, rewards) = (tokenizer(), PromptTemplate::line(), Rewards::exact());
    let sampler = Sampler {
        tokenizer: &tokenizer,
        template: &template,
        rewards: &rewards,
        max_tokens: 9,
        temperature: 1.0,
        seed: 3,
    };
    block_on(sampler.sample(trainer, prompts, group_size, step)).unwrap()
}

fn prompts() -> Vec<Example> {
    let example = |prompt: &str| Example { prompt: prompt.into(), answer: Some("x".into()) };
    ["k:a3 ?a=", "a much longer prompt=", "?"].map(example).into()
}

/// The log-probabilities kept from sampling, one token at a time with a cache, equal those of whole rows in a training pass.
#[test]
fn sampling_and_training_agree_on_log_probabilities() {
    let state = taught();
    for gpu in [false, true] {
        let made = run(Stage::Grpo, &[], Examples::Task(Task::Recall), Vec::new());
        let mut trainer = trainer(&made, gpu);
        trainer.restore(&state);
        let rollouts = sample(&mut trainer, &prompts(), 6, 5);
        let rows: Vec<TokenRow> = rollouts.iter().map(|rollout| rollout.row.clone()).collect();
        let scored = block_on(update::log_probs(&mut trainer, &rows)).unwrap();
        for (rollout, scored) in rollouts.iter().zip(&scored) {
            let sampled = rollout.target_log_probs();
            assert_eq!(sampled.len(), scored.len());
            assert_eq!(rollout.log_probs.len(), rollout.row.response().len());
            let first = rollout.row.prompt_len - 1;
            for (at, (a, b)) in sampled.iter().zip(scored).enumerate().skip(first) {
                assert!((a - b).abs() <= 1e-5, "token {at}: {a} when sampled, {b} in training");
            }
            assert!(sampled[..first].iter().all(|&value| value == 0.0));
        }
    }
}

#[test]
fn responses_of_a_group_differ_and_repeat() {
    let made = run(Stage::Grpo, &[], Examples::Task(Task::Recall), Vec::new());
    let mut trainer = trainer(&made, false);
    let rollouts = sample(&mut trainer, &prompts(), 6, 5);
    assert_eq!(rollouts.len(), 18);
    for group in rollouts.chunks(6) {
        assert!(group.iter().all(|rollout| rollout.prompt == group[0].prompt && rollout.row.ids.len() <= 33));
        let texts: std::collections::HashSet<&[u32]> = group.iter().map(|rollout| rollout.row.response()).collect();
        assert!(texts.len() > 3, "an untrained model hardly repeats itself");
    }
    assert_eq!(sample(&mut trainer, &prompts(), 6, 5), rollouts);
    assert_ne!(sample(&mut trainer, &prompts(), 6, 6), rollouts);
    // The first sample of the first prompt does not depend on the others.
    let alone = sample(&mut trainer, &prompts()[..1], 6, 5);
    assert_eq!(alone[0].row, rollouts[0].row);
}

/// Every stage: an uninterrupted run and one that is stopped at a boundary, saved and resumed end with equal bits.
#[test]
fn a_resumed_run_repeats_to_the_bit() {
    let state = taught();
    let small = [("prompts", "6"), ("group_size", "4"), ("rows", "8"), ("pairs", "10")];
    let kl = [("kl", "0.1"), ("updates", "3"), ("prompts", "6"), ("group_size", "4")];
    // Enough samples that every round has right responses.
    let many = [("prompts", "32"), ("group_size", "16"), ("rows", "8")];
    let stages: [(Stage, &[(&str, &str)]); 5] =
        [(Stage::Sft, &small), (Stage::Rft, &many), (Stage::Grpo, &small), (Stage::Grpo, &kl), (Stage::Dpo, &small)];
    for (stage, settings) in stages {
        let begin = || {
            let made = run(stage, settings, Examples::Task(Task::Recall), state.params.clone());
            let mut trainer = trainer(&made, false);
            trainer.restore(&state);
            (made, trainer)
        };
        let go = |made: &mut AlignRun, trainer: &mut Trainer, reports: &mut Vec<StepReport>| {
            // At least four updates, and on to the next boundary.
            while reports.len() < 4 || !made.at_boundary() {
                match block_on(made.step(trainer)) {
                    Ok(report) => reports.push(report),
                    // Too few right responses to go on with: the same in both runs.
                    Err(RunError::NoneRight { .. }) => break,
                    Err(error) => panic!("{stage:?}: {error}"),
                }
            }
        };
        let (mut whole, mut of_whole) = begin();
        let mut expected = Vec::new();
        go(&mut whole, &mut of_whole, &mut expected);
        let saved = block_on(of_whole.state()).unwrap();
        let mut later = Vec::new();
        go(&mut whole, &mut of_whole, &mut later);
        let (mut resumed, mut of_resumed) = begin();
        of_resumed.restore(&saved);
        let mut again = Vec::new();
        go(&mut resumed, &mut of_resumed, &mut again);
        assert!(!later.is_empty(), "{stage:?}");
        assert_eq!(again, later, "{stage:?}");
        assert_eq!(block_on(of_resumed.state()).unwrap(), block_on(of_whole.state()).unwrap(), "{stage:?}");
    }
}

#[test]
fn reports_say_what_a_step_did() {
    let state = taught();
    let settings = [("prompts", "6"), ("group_size", "4"), ("kl", "0.1"), ("updates", "2")];
    let mut made = run(Stage::Grpo, &settings, Examples::Task(Task::Recall), state.params.clone());
    let mut trainer = trainer(&made, false);
    trainer.restore(&state);
    let first = block_on(made.step(&mut trainer)).unwrap();
    assert_eq!((first.prompts.len(), first.rollouts.len(), first.point.step), (6, 24, 1));
    assert!(!made.at_boundary());
    let mean = first.rollouts.iter().map(|(rollout, _)| rollout.verdict.reward).sum::<f64>() / 24.0;
    assert!((first.metrics.reward.unwrap() - mean).abs() < 1e-12);
    assert!(first.metrics.kl.unwrap().abs() < 1e-6 && first.metrics.clip_fraction == Some(0.0), "still on-policy");
    let entropy = first.metrics.entropy.unwrap();
    assert!(entropy > 0.0 && entropy < 257_f64.ln());
    for group in first.rollouts.chunks(4) {
        assert!(group.iter().map(|(_, advantage)| advantage).sum::<f64>().abs() < 1e-6, "advantages have mean 0");
    }
    let second = block_on(made.step(&mut trainer)).unwrap();
    assert!(second.rollouts.is_empty() && second.metrics.reward.is_none() && made.at_boundary());
    assert!(second.metrics.kl.unwrap() > 0.0);
    let evaluation = block_on(made.evaluate(&mut trainer, 20)).unwrap();
    assert_eq!((evaluation.prompts, evaluation.pairs, evaluation.accuracy), (20, 0, None));
    assert_eq!(block_on(made.evaluate(&mut trainer, 20)).unwrap(), evaluation);
}

#[test]
fn preferences_of_the_user_are_learned() {
    let pair = |index: usize| Pair { prompt: format!("{index}="), chosen: "yes".into(), rejected: "not".into() };
    let pairs: Vec<Pair> = (0..40).map(pair).collect();
    let (train, held_out) = (pairs[..32].to_vec(), pairs[32..].to_vec());
    let mut made =
        run(Stage::Dpo, &[("rows", "16"), ("nll", "1")], Examples::Pairs { train, held_out }, taught().params);
    let mut trainer = trainer(&made, false);
    trainer.restore(&taught());
    let reports: Vec<StepReport> = (0..12).map(|_| block_on(made.step(&mut trainer)).unwrap()).collect();
    assert!((reports[0].metrics.accuracy.unwrap()).abs() < 1e-9, "no margin before the first update");
    let last = &reports[11].metrics;
    assert!(last.chosen.unwrap() > last.rejected.unwrap() && last.accuracy.unwrap() > 0.5, "{last:?}");
    let evaluation = block_on(made.evaluate(&mut trainer, 10)).unwrap();
    assert_eq!(evaluation.pairs, 8);
}

#[test]
fn settings_are_read_written_and_checked() {
    for stage in Stage::ALL {
        assert_eq!(Stage::from_name(stage.name()), Some(stage));
        let mut settings = Settings::of(stage);
        for (field, value) in [("method", "dr_grpo"), ("kl", "0.04"), ("temperature", "0.7"), ("updates", "4")] {
            settings.set(field, value).unwrap();
        }
        let mut again = Settings::of(Stage::Sft);
        for (field, value) in settings.to_pairs() {
            again.set(field, &value).unwrap();
        }
        assert_eq!(again, settings);
        assert_eq!((settings.weights.name(), settings.validate()), ("grpo", Ok(())));
    }
    let mut settings = Settings::of(Stage::Grpo);
    let before = settings.clone();
    for (field, value) in [
        ("prompts", "0"),
        ("group_size", "-1"),
        ("temperature", "0"),
        ("temperature", "nan"),
        ("kl", "inf"),
        ("baseline", "median"),
        ("method", "ppo"),
    ] {
        let error = settings.set(field, value).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{field} is {value}; expected")), "{error}");
    }
    assert!(matches!(settings.set("speed", "1"), Err(SettingError::Unknown { .. })));
    assert_eq!(settings, before);
    settings.set("updates", "33").unwrap();
    assert!(settings.validate().unwrap_err().to_string().contains("at most 32"));
    assert!(Settings::documentation().lines().count() == 19 && Settings::has("nll") && !Settings::has("max_lr"));
}

#[test]
fn unfit_prompts_are_reported() {
    let long = |n: usize| Example { prompt: "x".repeat(n), answer: Some("y".into()) };
    for (n, fits) in [(32, true), (33, false)] {
        let examples = Examples::Rows { train: vec![long(n)], held_out: Vec::new() };
        let mut made = run(Stage::Grpo, &[("prompts", "1"), ("group_size", "2")], examples, Vec::new());
        let mut trainer = trainer(&made, false);
        let result = block_on(made.step(&mut trainer));
        assert_eq!(result.is_ok(), fits, "{n}: {result:?}");
    }
    let nothing = Examples::Rows { train: Vec::new(), held_out: vec![long(3)] };
    let parts = (tokenizer(), PromptTemplate::line(), Rewards::exact());
    assert!(AlignRun::new(Stage::Grpo, Settings::of(Stage::Grpo), nothing, parts, 1, Vec::new()).is_err());
}
