//! `glasshead align`: supervised fine-tuning, expert iteration, policy gradients and preference optimization. `session` is the
//! loop, `report` its output, `record` what a checkpoint remembers of the run.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use clap::Args;

use super::{BackendArg, in_file, load_checkpoint, open, preset, sentence, task, tune};
use crate::align::{PromptTemplate, Rewards, TokenRow, read_preferences, read_prompts, read_responses};
use crate::config::{Preset, RunConfig, Schedule};
use crate::data::{END_OF_TEXT, Task, Tokenizer};
use crate::train::align::{AlignRun, Examples, Settings, Stage};
use crate::train::checkpoint::Checkpoint;
use crate::train::trainer::{Trainer, TrainingState};

mod record;
mod report;
mod session;

use record::Record;
use report::Report;
use session::Session;

/// The vocabulary of fresh models: the 256 bytes and the end-of-text token.
const BYTE_VOCABULARY: usize = 257;

/// Steps of warm-up for a model with untrained weights.
const FRESH_WARMUP: u64 = 50;

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

/// The model with which a run begins.
struct Start {
    config: RunConfig,
    tokenizer: Tokenizer,
    state: TrainingState,
}

pub(super) async fn align(args: AlignArgs) -> Result<(), String> {
    if args.stop_exact.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        return Err("--stop-exact expects a number from 0 to 1".into());
    }
    let mut settings = Settings::of(args.stage);
    let mut start = start(&args)?;
    configure(&args, &mut start.config, &mut settings)?;
    let seed = start.config.train.seed;
    let template = match &args.template {
        Some(text) => text.parse().map_err(sentence)?,
        None => PromptTemplate::line(),
    };
    let marker = args.answer_after.as_deref().or_else(|| args.task.and_then(Task::answer_marker));
    let rewards = Rewards::parse(&args.reward).map_err(sentence)?.after(marker.unwrap_or_default());
    let examples = examples(&args, &rewards)?;
    let widest = widest(&examples, &template, &start.tokenizer, seed)?;
    let record = Record::new(&args, &settings, &start.config, &template);
    let resumed = args.resume.then(|| record.resume(&args.out)).transpose()?;
    let parts = (start.tokenizer.clone(), template, rewards);
    let run =
        AlignRun::new(args.stage, settings, examples, parts, seed, start.state.params.clone()).map_err(sentence)?;
    let mut config = start.config.clone();
    fit_batch(&mut config, run.rows_per_update(), widest + run.max_tokens());
    let context = open(args.backend).await?;
    tune(&config, context.as_ref()).await?;
    let objective = run.objective();
    let made = Trainer::for_objective(config, context.as_ref(), &*objective).await;
    let mut trainer = made.map_err(sentence)?;
    let resumed_at = resumed.as_ref().map(|state| state.step);
    trainer.restore(resumed.as_ref().unwrap_or(&start.state));
    let tokens_per_step = run.rows_per_update() * (widest + run.max_tokens());
    let report = Report::new(&args, tokens_per_step, resumed_at)?;
    Session::new(&args, run, start.config, record, report)?.train(trainer, resumed_at).await
}

/// Loads the model, or creates an untrained one. Its steps and moments begin at 0.
fn start(args: &AlignArgs) -> Result<Start, String> {
    if let Some(folder) = &args.model {
        let Checkpoint { mut config, tokenizer, state } = load_checkpoint(folder)?;
        config.train.seed = args.seed.unwrap_or(config.train.seed);
        let state = TrainingState::of(state.params, config.train.seed);
        return Ok(Start { config, tokenizer, state });
    }
    let mut config = args.preset.unwrap_or(Preset::Nano).config();
    config.model.vocab_size = BYTE_VOCABULARY;
    config.train.seed = args.seed.unwrap_or(config.train.seed);
    // Sizes have to be known before the weights.
    let (model, _) = split_settings(&args.set);
    super::train::apply(&mut config, &model)?;
    // A vocabulary of this size has no merges, whatever the text is.
    let vocabulary = crate::data::train("\n", BYTE_VOCABULARY, &[END_OF_TEXT]).map_err(sentence)?;
    let tokenizer = Tokenizer::new(&vocabulary).map_err(sentence)?;
    config.model.vocab_size = tokenizer.vocab_size();
    config.validate().map_err(sentence)?;
    let params = crate::model::params::ParamTable::new(&config.model).initial_values(config.train.seed);
    Ok(Start { state: TrainingState::of(params, config.train.seed), config, tokenizer })
}

/// The defaults of alignment, then the user's changes.
fn configure(args: &AlignArgs, config: &mut RunConfig, settings: &mut Settings) -> Result<(), String> {
    let model = config.model.clone();
    let train = &mut config.train;
    (train.schedule, train.weight_decay, train.max_grad_norm) = (Schedule::Constant, 0.0, 1.0);
    (train.schedule_steps, train.warmup_steps) = (args.steps, 0);
    train.max_lr = match args.stage {
        Stage::Sft if args.model.is_none() => 3e-3,
        Stage::Dpo => 3e-4,
        _ => 1e-3,
    };
    train.min_lr = train.max_lr / 10.0;
    if args.model.is_none() {
        train.warmup_steps = FRESH_WARMUP;
    }
    let (of_training, of_method) = split_settings(&args.set);
    super::train::apply(config, &of_training)?;
    config.train.min_lr = config.train.min_lr.min(config.train.max_lr);
    config.validate().map_err(sentence)?;
    if args.model.is_some() && config.model != model {
        return Err(
            "--set changes the shape of the model in --model, which alignment cannot; leave that field out".into()
        );
    }
    for (field, value) in of_method {
        settings.set(&field, &value).map_err(sentence)?;
    }
    Ok(())
}

/// Separates the settings of training from those of the method, as (field, value).
fn split_settings(changes: &[String]) -> (Vec<String>, Vec<(String, String)>) {
    let (mut training, mut method) = (Vec::new(), Vec::new());
    for change in changes {
        match change.split_once('=') {
            Some((field, value)) if Settings::has(field.trim()) => {
                method.push((field.trim().to_string(), value.trim().to_string()));
            }
            _ => training.push(change.clone()),
        }
    }
    (training, method)
}

fn examples(args: &AlignArgs, rewards: &Rewards) -> Result<Examples, String> {
    let Some(path) = &args.data else {
        let task = args.task.ok_or("--task or --data is missing")?;
        return Ok(Examples::Task(task));
    };
    let file = BufReader::new(File::open(path).map_err(in_file(path))?);
    let examples = match args.stage {
        Stage::Sft => read_responses(file).map(Examples::from_responses),
        Stage::Dpo => read_preferences(file).map(Examples::from_preferences),
        Stage::Rft | Stage::Grpo => read_prompts(file, rewards.needs_answer()).map(Examples::from_prompts),
    };
    examples.map_err(|error| format!("{}: {error}", path.display()))
}

/// Number of tokens of the widest prompt (with its response, where it is given) among some examples.
fn widest(examples: &Examples, template: &PromptTemplate, tokenizer: &Tokenizer, seed: u64) -> Result<usize, String> {
    if examples.is_empty() {
        return Err("every prompt of the file is held out; add rows".into());
    }
    let mut rng = crate::rng::Rng::new(seed);
    let some = examples.draw(&mut rng, 256);
    let lens =
        some.iter().map(|example| TokenRow::new(&template.prompt_ids(tokenizer, &example.prompt), &[]).ids.len());
    Ok(lens.max().unwrap_or(1))
}

/// Plans memory for the rows of an update. Wider rows than expected are computed in several batches.
fn fit_batch(config: &mut RunConfig, rows: usize, tokens: usize) {
    let context = config.model.context_length;
    let window = tokens.next_power_of_two().min(context);
    config.train.batch_size = (rows * window).div_ceil(context).max(1);
    config.train.accumulation_steps = 2;
}
