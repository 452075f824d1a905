//! `glasshead scale plan`: chooses budgets, sizes and the learning rate of a sweep.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::super::{BackendArg, in_file, open, sentence};
use super::execute::{Runner, SAVE_EVERY};
use super::folder::{Folder, Stored};
use crate::config::{Preset, Schedule};
use crate::data::encoded_files::{FileData, prepare_files};
use crate::data::stories;
use crate::scaling::limits::short;
use crate::scaling::pilot::{Pilot, Trial};
use crate::scaling::plan::{Plan, Request};
use crate::scaling::planner::{Planner, Target, pilot_run, trial, usual_lr};
use crate::scaling::shape::{Shape, Task};
use crate::scaling::spec::{Outcome, RunSettings, SweepRun};
use crate::scaling::variable::Variable;

/// Seconds of each measurement of a size, and their number; the fastest counts, because other programs only slow it down.
const MEASURED_S: f64 = 0.1;
const MEASUREMENTS: usize = 3;

#[derive(Args)]
pub(in super::super) struct PlanArgs {
    /// The time for all runs and the check run on this device, in minutes.
    #[arg(long, required_unless_present = "flops", conflicts_with = "flops")]
    minutes: Option<f64>,
    /// The largest budget in FLOPs, instead of a time.
    #[arg(long)]
    flops: Option<f64>,
    /// What is varied at equal compute. All but sizes use one size per budget.
    #[arg(long, value_enum, default_value = "size")]
    law: LawArg,
    /// The number of budgets.
    #[arg(long, default_value_t = 3)]
    budgets: usize,
    /// The ratio of neighboring budgets.
    #[arg(long, default_value_t = 3.2)]
    budget_ratio: f64,
    /// The number of sizes for each budget.
    #[arg(long, default_value_t = 5)]
    sizes: usize,
    /// The ratio of neighboring sizes.
    #[arg(long, default_value_t = 1.7)]
    size_ratio: f64,
    /// The number of seeds of each run.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    seeds: u64,
    /// The first seed, also that of the built-in stories.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The vocabulary size; 257 trains on bytes.
    #[arg(long, default_value_t = 257)]
    vocab_size: usize,
    /// The context length.
    #[arg(long, default_value_t = 64)]
    context_length: usize,
    /// The batch size.
    #[arg(long, default_value_t = 8)]
    batch_size: usize,
    /// The schedule: with wsd, one run serves all budgets of its size.
    #[arg(long, value_enum, default_value = "cosine")]
    schedule: ScheduleArg,
    /// The learning rate of the smallest size; by default, the best of a short sweep.
    #[arg(long)]
    lr: Option<f64>,
    /// The learning rate is proportional to N^-EXPONENT.
    #[arg(long, default_value_t = 0.5, value_name = "EXPONENT")]
    lr_exponent: f64,
    /// The budget of the check run, relative to the largest budget.
    #[arg(long, default_value_t = 3.0)]
    check_factor: f64,
    /// Text files to train on instead of the built-in stories.
    #[arg(long)]
    text: Vec<PathBuf>,
    /// The field of .jsonl files, or the column of .parquet files, that contains the text.
    #[arg(long, default_value = "text")]
    field: String,
    /// The size of the built-in stories in MiB.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=256))]
    megabytes: u64,
    /// The folder of the sweep.
    #[arg(long)]
    out: PathBuf,
    /// The backend.
    #[arg(long, value_enum, default_value = "gpu")]
    backend: BackendArg,
    /// Print the plan as one JSON object.
    #[arg(long)]
    json: bool,
}

/// What a sweep varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LawArg {
    Size,
    Lr,
    Batch,
    Depth,
    Epochs,
}

impl LawArg {
    fn variable(self) -> Variable {
        match self {
            Self::Size => Variable::Size,
            Self::Lr => Variable::LearningRate,
            Self::Batch => Variable::BatchSize,
            Self::Depth => Variable::Depth,
            Self::Epochs => Variable::Epochs,
        }
    }
}

/// Schedules after warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ScheduleArg {
    Cosine,
    Linear,
    Wsd,
}

pub(super) async fn plan(args: &PlanArgs) -> Result<(), String> {
    let request = request(args)?;
    let data = data(args, &request)?;
    let task = Task { vocab_size: data.tokenizer.vocab_size(), ..request.task };
    let request = Request { task, ..request };
    let context = open(args.backend).await?;
    let device = context.as_ref().map_or("CPU".to_string(), |context| context.adapter.name.clone());
    let FileData { tokenizer, tokens, n_train, .. } = data;
    let runner = Runner { context, tokenizer: tokenizer.into(), tokens, n_train, save_every: SAVE_EVERY };
    let mut planner = planner(args, &request);
    loop {
        let shapes = planner.to_measure().map_err(sentence)?;
        if shapes.is_empty() {
            break;
        }
        for shape in &shapes {
            measure(&runner, shape, &mut planner.settings, args.seed).await?;
        }
    }
    let plan = planner.plan().map_err(sentence)?;
    let pilot = if args.lr.is_some() { Pilot::default() } else { pilot(&runner, &plan, args.lr_exponent).await? };
    let plan = planner.plan_with(&pilot).map_err(sentence)?;
    let tokens = token_file(&args.out)?;
    let stored = Stored { version: 0, plan, tokens, n_train, pilot, device };
    let folder = Folder::create(&args.out, stored, &runner.tokenizer)?;
    report(&folder.stored, args);
    Ok(())
}

fn request(args: &PlanArgs) -> Result<Request, String> {
    let positive = [("--minutes", args.minutes), ("--flops", args.flops), ("--lr", args.lr)];
    for (name, value) in positive {
        if value.is_some_and(|value| !(value > 0.0 && value.is_finite())) {
            return Err(format!("{name} has to be a number greater than 0"));
        }
    }
    if !(args.check_factor > 1.0 && args.check_factor <= 1000.0 && (-3.0..=3.0).contains(&args.lr_exponent)) {
        return Err("--check-factor has to be between 1 and 1000, and --lr-exponent between -3 and 3".into());
    }
    if args.out.join("plan.json").exists() {
        return Err(format!("{} already holds a sweep; choose another folder", args.out.display()));
    }
    let task = Task { vocab_size: args.vocab_size, context_length: args.context_length };
    let mut config = task.smallest(args.batch_size);
    config.train.max_lr = args.lr.unwrap_or(config.train.max_lr);
    config.train.min_lr = 0.0;
    config.validate().map_err(sentence)?;
    config.check_trained_vocabulary().map_err(sentence)?;
    Ok(Request {
        variable: args.law.variable(),
        task,
        n_budgets: args.budgets,
        budget_ratio: args.budget_ratio,
        n_sizes: args.sizes,
        size_ratio: args.size_ratio,
        seeds: (0..args.seeds).map(|i| args.seed.wrapping_add(i)).collect(),
        check_factor: args.check_factor,
    })
}

/// The text as a token file in the sweep's folder.
fn data(args: &PlanArgs, request: &Request) -> Result<FileData, String> {
    let mut config = Preset::Nano.config();
    (config.model.vocab_size, config.model.context_length) = (request.task.vocab_size, request.task.context_length);
    fs::create_dir_all(&args.out).map_err(in_file(&args.out))?;
    let mut paths = args.text.clone();
    if paths.is_empty() {
        let path = args.out.join("stories.txt");
        fs::write(&path, stories(args.seed, (args.megabytes as usize) << 20)).map_err(in_file(&path))?;
        paths.push(path);
    }
    prepare_files(&paths, &args.field, &args.out, None, &mut config).map_err(sentence)
}

/// The name of the token file that [`data`] has written.
fn token_file(folder: &Path) -> Result<String, String> {
    let entries = fs::read_dir(folder).map_err(in_file(folder))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut files: Vec<String> = names.filter(|name| name.starts_with("tokens")).collect();
    match (files.pop(), files.is_empty()) {
        (Some(name), true) => Ok(name),
        _ => Err(format!("{} holds other token files; choose an empty folder", folder.display())),
    }
}

fn planner(args: &PlanArgs, request: &Request) -> Planner {
    let schedule = match args.schedule {
        ScheduleArg::Cosine => Schedule::Cosine,
        ScheduleArg::Linear => Schedule::Linear,
        ScheduleArg::Wsd => Schedule::Wsd,
    };
    let target = match (args.minutes, args.flops) {
        (Some(minutes), _) => Target::Seconds(60.0 * minutes),
        (None, flops) => Target::Flops(flops.unwrap_or_default()),
    };
    Planner::new(request.clone(), target, args.batch_size, schedule, (args.lr, args.lr_exponent))
}

/// The size of the smallest planned model.
fn smallest(plan: &Plan) -> f64 {
    plan.runs.iter().map(|run| run.n_params).min().unwrap_or(1) as f64
}

/// Measures the tokens per second of one size.
async fn measure(runner: &Runner, shape: &Shape, settings: &mut RunSettings, seed: u64) -> Result<(), String> {
    let mut spec = SweepRun::new(shape, &[1e9], settings, seed);
    // The time does not depend on it, and a rate that diverges would end the measurement.
    (spec.config.train.max_lr, spec.config.train.min_lr) = (1e-4, 1e-4);
    let mut trainer = runner.trainer(&spec).await?;
    // The first steps allocate memory.
    for _ in 0..2 {
        trainer.submit(1);
        trainer.collect().await.map_err(sentence)?;
    }
    let mut tokens_per_s: f64 = 0.0;
    for _ in 0..MEASUREMENTS {
        let (clock, mut steps) = (Instant::now(), 0);
        while clock.elapsed().as_secs_f64() < MEASURED_S {
            trainer.submit(5);
            steps += trainer.collect().await.map_err(sentence)?.len();
        }
        let tokens = (steps * spec.config.tokens_per_step()) as f64;
        tokens_per_s = tokens_per_s.max(tokens / clock.elapsed().as_secs_f64());
    }
    settings.speed.add(shape.n_params, tokens_per_s);
    Ok(())
}

/// Trains the smallest run at several learning rates.
async fn pilot(runner: &Runner, plan: &Plan, exponent: f64) -> Result<Pilot, String> {
    let run = pilot_run(plan).ok_or("the plan has no runs")?;
    let mut pilot = Pilot::default();
    while let Some(lr) = pilot.next(usual_lr(run.n_params, exponent)) {
        let result = runner.execute(&trial(run, lr), None, &|| Ok(f64::INFINITY)).await?;
        let loss = result.points.first().map(|point| point.loss).filter(|_| result.outcome == Outcome::Done);
        pilot.add(Trial { lr, loss });
    }
    Ok(pilot)
}

fn report(stored: &Stored, args: &PlanArgs) {
    let Stored { plan, pilot, device, .. } = stored;
    if args.json {
        return say!("{}", json!(stored));
    }
    say!("Speed on {device}:");
    for (n, speed) in plan.settings.speed.measured() {
        say!("{:>10} parameters {:>10} tokens/s", short(*n), short(*speed));
    }
    if !pilot.trials().is_empty() {
        say!("Learning rates at {} parameters:", short(smallest(plan)));
    }
    for Trial { lr, loss } in pilot.trials() {
        say!("{:>10} {}", short(*lr), loss.map_or("diverged".into(), |loss| format!("loss {loss:.4}")));
    }
    say!("{:<28} {:>10} {:>10} {:>9} {:>10} {:>9}", "run", "N", "tokens", "steps", "lr", "time");
    for run in &plan.runs {
        let tokens = run.tokens(run.horizons.last().map_or(0, |horizon| horizon.steps));
        let (lr, steps) = (short(run.config.train.max_lr), run.total_steps());
        let (n, seconds) = (run.n_params, run.expected_s);
        say!("{:<28} {n:>10} {tokens:>10} {steps:>9} {lr:>10} {seconds:>7.1} s", run.id);
    }
    let budgets: Vec<String> = plan.budgets.iter().map(|&budget| short(budget)).collect();
    say!("budgets: {} FLOPs", budgets.join(", "));
    let allowed = plan.allowed_s.map_or(String::new(), |allowed| format!(" of {allowed:.0} s"));
    say!(
        "expected: {:.0} s, {:.0} s of it for the check run; reserved: {:.0} s{allowed}",
        plan.expected_s(),
        plan.check_s,
        plan.reserved_s()
    );
    say!("continue with: glasshead scale run {}", args.out.display());
}
