//! `glasshead align`: supervised fine-tuning, expert iteration, policy gradients and preference optimization. `session` is the
//! loop, `report` its output, `record` what a checkpoint remembers of the run.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use clap::Args;

use super::{BackendArg, in_file, load_checkpoint, open, preset, sentence, task, tune};
use crate::align::{PromptTemplate, Rewards};
use crate::config::Preset;
use crate::data::Task;
use crate::run::stage::{self, Prepared, Schedule, StageDriver, StageModel};
use crate::run::system_clock;
use crate::train::align::{Examples, Stage};
use crate::train::checkpoint::Checkpoint;
use crate::train::trainer::{Trainer, TrainingState};

mod record;
mod report;
mod session;

use record::Record;
use report::Report;
use session::Session;

#[derive(Args)]
pub(super) struct AlignArgs {
    /// What to teach with: sft (fine-tune on given responses), rft (on sampled responses that are right), grpo (policy
    /// gradients from rewards) or dpo (pairs of responses).
    #[arg(value_parser = stage)]
    stage: Stage,
    /// The folder of the model to begin with.
    #[arg(long, required_unless_present = "preset")]
    model: Option<PathBuf>,
    /// Begin with an untrained model of this preset, with a vocabulary of bytes.
    #[arg(long, value_parser = preset, conflicts_with = "model")]
    preset: Option<Preset>,
    /// A synthetic task whose prompts and answers to use.
    #[arg(long, value_parser = task, required_unless_present = "data")]
    task: Option<Task>,
    /// A .jsonl file: rows with prompt and response (sft), prompt and answer (rft, grpo), or prompt, chosen and rejected
    /// (dpo). A fifth of the prompts is held out.
    #[arg(long, conflicts_with = "task")]
    data: Option<PathBuf>,
    /// A judge of responses: exact, partial, format, length:N, regex:PATTERN or word:WORD, each with an optional weight as in
    /// 0.5*exact. Can be repeated; rewards add up.
    #[arg(long, default_value = "exact", value_name = "JUDGE")]
    reward: Vec<String>,
    /// The text around prompt and response, which ends with a line break (\n) or <|endoftext|>; by default the response follows
    /// the prompt and ends with a line break.
    #[arg(long)]
    template: Option<String>,
    /// Only the text after the last occurrence of this marker is a response's answer.
    #[arg(long)]
    answer_after: Option<String>,
    /// The total number of updates.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    /// Stop once this share of held-out prompts is answered exactly when sampling, from 0 to 1.
    #[arg(long)]
    stop_exact: Option<f64>,
    /// The seed of prompts and samples, and of a new model's weights.
    #[arg(long)]
    seed: Option<u64>,
    /// Change a setting of the method, for example --set group_size=16 or --set method=dr_grpo, or of training, for example
    /// --set max_lr=3e-4. See glasshead settings, with and without --align.
    #[arg(long, value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// The backend.
    #[arg(long, value_enum, default_value = "gpu")]
    backend: BackendArg,
    /// The output folder for checkpoint.safetensors, the previous checkpoint and rollouts.jsonl.
    #[arg(long)]
    out: PathBuf,
    /// Save every N seconds.
    #[arg(long, default_value_t = 30.0, value_name = "SECONDS")]
    save_every: f64,
    /// Continue the run in the output folder. Repeat its other options.
    #[arg(long)]
    resume: bool,
    /// Evaluate every N updates.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u64).range(1..))]
    eval_every: u64,
    /// The number of held-out prompts to evaluate on; the last evaluation takes at least 500.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    eval_prompts: u32,
    /// Write the sampled responses of every N-th update to rollouts.jsonl.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    rollouts_every: u64,
    /// Print one JSON object per line instead of a progress bar.
    #[arg(long)]
    json: bool,
    /// A folder for log.csv, log.jsonl and an event file for TensorBoard.
    #[arg(long)]
    log_dir: Option<PathBuf>,
}

fn stage(name: &str) -> Result<Stage, String> {
    Stage::from_name(name).ok_or_else(|| format!("expected one of {}", Stage::ALL.map(Stage::name).join(", ")))
}

pub(super) async fn align(args: AlignArgs) -> Result<(), String> {
    if args.stop_exact.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        return Err("--stop-exact expects a number from 0 to 1".into());
    }
    let changes = changes(&args.set)?;
    let mut start = start(&args, &changes)?;
    let settings = stage::configure(args.stage, start.fresh, args.steps, &changes, &mut start.config);
    let settings = settings.map_err(sentence)?;
    let template = match &args.template {
        Some(text) => text.parse().map_err(sentence)?,
        None => PromptTemplate::line(),
    };
    let marker = args.answer_after.as_deref().unwrap_or_default();
    let rewards = stage::rewards(&args.reward, marker, args.task).map_err(sentence)?;
    let examples = examples(&args, &rewards)?;
    let record = Record::new(&args, &settings, &start.config, &template);
    let resumed = args.resume.then(|| record.resume(&args.out)).transpose()?;
    let prepared = stage::prepare(args.stage, settings, examples, (template, rewards), &start).map_err(sentence)?;
    let Prepared { run, config, tokens_per_step } = prepared;
    let context = open(args.backend).await?;
    tune(&config, context.as_ref()).await?;
    let objective = run.objective();
    let made = Trainer::for_objective(config, context.as_ref(), &*objective).await;
    let mut trainer = made.map_err(sentence)?;
    let resumed_at = resumed.as_ref().map(|state| state.step);
    trainer.restore(resumed.as_ref().unwrap_or(&start.state));
    let report = Report::new(&args, tokens_per_step, resumed_at)?;
    let driver = StageDriver::new(run, trainer, schedule(&args), system_clock(), resumed_at.is_some());
    Session::new(&args, driver, start.config, record, report)?.train().await
}

fn schedule(args: &AlignArgs) -> Schedule {
    let (evaluate_every, prompts) = (args.eval_every, args.eval_prompts as usize);
    Schedule { steps: args.steps, stop_exact: args.stop_exact, evaluate_every, prompts, thorough_end: true }
}

/// Changes of fields, as (field, value).
fn changes(set: &[String]) -> Result<Vec<(String, String)>, String> {
    let split = |change: &String| {
        let (field, value) = change.split_once('=').ok_or(format!("--set {change} is not FIELD=VALUE"))?;
        Ok((field.trim().to_string(), value.trim().to_string()))
    };
    set.iter().map(split).collect()
}

/// Loads the model, or creates an untrained one. Its steps and moments begin at 0.
fn start(args: &AlignArgs, changes: &[(String, String)]) -> Result<StageModel, String> {
    if let Some(folder) = &args.model {
        let Checkpoint { mut config, tokenizer, state } = load_checkpoint(folder)?;
        config.train.seed = args.seed.unwrap_or(config.train.seed);
        let state = TrainingState::of(state.params, config.train.seed);
        return Ok(StageModel { config, tokenizer, state, fresh: false });
    }
    let [model, _] = stage::split_changes(changes);
    stage::byte_model(args.preset.unwrap_or(Preset::Nano), args.seed, &model).map_err(sentence)
}

fn examples(args: &AlignArgs, rewards: &Rewards) -> Result<Examples, String> {
    let Some(path) = &args.data else {
        let task = args.task.ok_or("--task or --data is missing")?;
        return Ok(Examples::Task(task));
    };
    let file = BufReader::new(File::open(path).map_err(in_file(path))?);
    stage::read_rows(args.stage, rewards, file).map_err(|error| format!("{}: {error}", path.display()))
}
