//! `glasshead train`: options to a specification, and its run with the terminal as observer.

use serde_json::json;

use super::{SpecArgs, TrainArgs, sentence};
use crate::config::RunConfig;
use crate::config::rules::Rules;
use crate::config::table::FIELDS;
use crate::data::Task;
use crate::parallel::ranks::{Plan, StepReport};
use crate::run::native::log::LogObserver;
use crate::run::native::{self, Outcome, SavedRun};
use crate::run::{Observer, RunSpec, TextSource};
use crate::types::CorpusChoice;

mod lose_device;
mod terminal;

pub(super) use lose_device::Moment;
use terminal::Terminal;

/// The vocabulary of synthetic tasks: the 256 bytes and the end-of-text token.
const BYTE_VOCABULARY: usize = 257;

pub(super) async fn train(args: TrainArgs) -> Result<(), String> {
    let saved = args.resume.as_deref().map(native::load).transpose().map_err(sentence)?;
    saved.iter().filter_map(|saved| saved.notice.as_ref()).for_each(|notice| eprintln!("{notice}"));
    let out = args.out.file_name().unwrap_or_default().to_string_lossy();
    let spec = RunSpec { samples: !args.json, ..spec(&args.spec, &out, saved.as_ref())? };
    let mut terminal = Terminal::new(&args, spec.rules.stop_steps.unwrap_or_default());
    let mut log = LogObserver::new(args.log_dir.clone());
    let observer = &mut (&mut terminal, &mut log);
    let outcome = match args.ranks {
        None => native::run(&spec, &args.out, saved, observer).await.map_err(sentence)?,
        Some(ranks) => on_ranks(&args, &spec, (saved, ranks.into()), observer).await?,
    };
    terminal.end(&outcome);
    Ok(())
}

/// Trains on ranks, and reports what each of them needs.
async fn on_ranks(
    args: &TrainArgs,
    spec: &RunSpec,
    (saved, ranks): (Option<SavedRun>, usize),
    observer: &mut impl Observer,
) -> Result<Outcome, String> {
    let plan =
        Plan { strategy: args.strategy, ranks, kind: args.links.into(), link: None, bucket_bytes: f64::from(1 << 18) };
    let every = args.spec.eval_every;
    let report = |step: u64, of_step: StepReport| {
        if args.json || step.is_multiple_of(every) || step == 1 {
            let StepReport { loss, grad_norm, seconds, waited_s } = of_step;
            let line =
                json!({ "step": step, "loss": loss, "grad_norm": grad_norm, "seconds": seconds, "waited_s": waited_s });
            say!("{line}");
        }
    };
    let trained = native::run_on_ranks(spec, &args.out, saved, plan, (&report, observer)).await;
    let (outcome, result) = trained.map_err(sentence)?;
    if let Some(result) = result {
        say!(
            "{} ranks, {}: {:.1} MiB on each rank; rank 0 has sent {:.1} MB in {} messages since the last hand-over",
            ranks,
            args.strategy.name(),
            result.memory.total() / f64::from(1 << 20),
            result.sent_bytes as f64 / 1e6,
            result.messages
        );
    }
    Ok(outcome)
}

/// The specification that the options describe, under this name unless the saved run has one.
pub(super) fn spec(args: &SpecArgs, name: &str, saved: Option<&SavedRun>) -> Result<RunSpec, String> {
    let config = match saved {
        Some(saved) => retuned(saved, &args.set)?,
        None => fresh_config(args)?,
    };
    let rules = Rules {
        stop_steps: Some(args.steps.unwrap_or(config.train.schedule_steps)),
        stop_tokens: args.stop_tokens,
        stop_loss: args.stop_loss,
        stop_seconds: args.stop_seconds,
        evaluate_every: Some(args.eval_every),
    };
    let record = saved.and_then(|saved| saved.record.as_ref());
    let spec = RunSpec {
        name: record.map_or_else(|| name.into(), |record| record.name.clone()),
        text: text(args, saved),
        backend: args.backend.into(),
        rules,
        snapshot_seconds: args.save_every,
        samples: false,
        config,
    };
    spec.validate().map_err(sentence)?;
    Ok(spec)
}

/// The text that the options choose; for a resumed run without such an option, the generated text that it was trained on.
fn text(args: &SpecArgs, saved: Option<&SavedRun>) -> TextSource {
    if !args.text.is_empty() {
        return TextSource::Files { paths: args.text.clone(), field: args.field.clone() };
    }
    let record = saved.and_then(|saved| saved.record.as_ref());
    match (args.task, record.map(|record| record.corpus.choice)) {
        (Some(task), _) => TextSource::Task(task),
        (None, Some(CorpusChoice::Task(number))) => {
            Task::ALL.get(number).copied().map_or_else(Default::default, TextSource::Task)
        }
        (None, _) => TextSource::BuiltIn,
    }
}

/// The preset with the command line's changes; the schedule ends at the last step.
fn fresh_config(args: &SpecArgs) -> Result<RunConfig, String> {
    let mut config = args.preset.config();
    if args.task.is_some() {
        config.model.vocab_size = BYTE_VOCABULARY;
    }
    config.train.seed = args.seed.unwrap_or(config.train.seed);
    config.train.schedule_steps = args.steps.unwrap_or(config.train.schedule_steps);
    config.train.warmup_steps = config.train.warmup_steps.min(config.train.schedule_steps / 10);
    apply(&mut config, &args.set)?;
    Ok(config)
}

/// A saved run's configuration with changes of settings that can change during training.
fn retuned(saved: &SavedRun, changes: &[String]) -> Result<RunConfig, String> {
    let before = &saved.checkpoint.config;
    let mut config = before.clone();
    apply(&mut config, changes)?;
    let tuned = RunConfig { train: before.train.with_live_of(&config.train), ..before.clone() };
    if tuned != config {
        let fixed = config.differences(&tuned).join(", ");
        let live = FIELDS.iter().filter(|field| field.is_live()).map(|field| field.name).collect::<Vec<_>>().join(", ");
        return Err(format!("{fixed} cannot change during training. With --resume, --set accepts {live}."));
    }
    Ok(config)
}

/// Applies changes of the form FIELD=VALUE.
pub(super) fn apply(config: &mut RunConfig, changes: &[String]) -> Result<(), String> {
    for change in changes {
        let (field, value) = change.split_once('=').ok_or(format!("--set {change} is not FIELD=VALUE"))?;
        config.set(field.trim(), value.trim()).map_err(sentence)?;
    }
    Ok(())
}
