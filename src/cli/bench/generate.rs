//! `glasshead bench generate`: tokens per second of generation, by the number of simultaneous texts.

use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use super::{Machine, median, reference_workload};
use crate::cli::{BackendArg, preset, sentence, tune};
use crate::config::Preset;
use crate::train::generate::{Generator, Text};
use crate::train::trainer::Trainer;
use crate::types::Sampling;

/// Options of the generation benchmark.
#[derive(Args)]
pub(in crate::cli) struct GenerateArgs {
    /// B: simultaneous texts; several values are measured in turn.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64, 256],
          value_parser = clap::value_parser!(u32).range(1..=1 << 14))]
    rows: Vec<u32>,
    /// The prompt's length in tokens.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1 << 14))]
    prompt: u32,
    /// The number of tokens to generate.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1 << 14))]
    tokens: u32,
    /// The model: nano, tiny, small or cs336; the reference workload by default.
    #[arg(long, value_parser = preset)]
    config: Option<Preset>,
    /// The backend.
    #[arg(long, value_enum, default_value = "gpu")]
    backend: BackendArg,
    /// The number of runs; the median is reported.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) async fn generate(args: GenerateArgs) -> Result<(), String> {
    let mut config = args.config.map_or_else(reference_workload, Preset::config);
    // Nothing is trained.
    config.train.batch_size = 1;
    let machine = Machine::open(args.backend).await?;
    tune(&config, machine.context.as_ref()).await?;
    let tokens = vec![0; config.model.context_length + 1];
    let trainer = Trainer::new(config, machine.context.as_ref(), &tokens, &tokens).await;
    let mut trainer = trainer.map_err(sentence)?;
    let mut rows = Vec::new();
    for &n_texts in &args.rows {
        measure(&mut trainer, n_texts, &args, 0).await?; // warm-up, which prepares the programs
        let mut seconds = Vec::new();
        for run in 1..=args.runs {
            seconds.push(measure(&mut trainer, n_texts, &args, run).await?);
        }
        let seconds = median(&seconds);
        let tokens_per_s = f64::from(n_texts * args.tokens) / seconds;
        rows.push(json!({ "rows": n_texts, "tokens_per_s": tokens_per_s, "seconds": seconds }));
    }
    report(&machine, &args, rows);
    Ok(())
}

/// The time for one batch of texts in seconds.
async fn measure(trainer: &mut Trainer, n_texts: u32, args: &GenerateArgs, run: u32) -> Result<f64, String> {
    let v = trainer.config().model.vocab_size as u32;
    let prompt = |number: u32| (0..args.prompt).map(|at| (31 * number + 7 * at + run) % v).collect();
    let text = |number| Text::new(number, prompt(number), Vec::new(), args.tokens as usize);
    let mut generator = Generator::new((0..n_texts).map(text).collect(), Sampling::default(), u64::from(run));
    let began = Instant::now();
    generator.complete(trainer).await.map_err(sentence)?;
    Ok(began.elapsed().as_secs_f64())
}

fn report(machine: &Machine, args: &GenerateArgs, rows: Vec<Value>) {
    if args.json {
        let mut line = machine.describe();
        line["generation"] = rows.into();
        say!("{line}");
        return;
    }
    say!("{machine}: prompts of {} tokens, {} tokens each", args.prompt, args.tokens);
    say!("{:>8} {:>12} {:>12}", "rows", "tokens/s", "s per batch");
    for row in rows {
        let number = |key: &str| row[key].as_f64().unwrap_or(f64::NAN);
        say!("{:>8} {:>12.0} {:>12.3}", row["rows"].to_string(), number("tokens_per_s"), number("seconds"));
    }
}
