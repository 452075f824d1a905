//! The native command line.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::fields::documentation;
use crate::config::{Preset, RunConfig};
use crate::data::{DataError, Task, reading_parquet};
use crate::gpu::context::Context;
use crate::run::native::{self, open_device, set_overrides, tune_kernels};
use crate::train::align::Settings;
use crate::train::checkpoint::Checkpoint;
use crate::types::tasks::skipped_rows;
use crate::types::{BackendChoice, Sampling};

#[macro_use]
mod say;

mod align;
mod bench;
mod data;
mod generate;
mod interop;
pub mod ops;
mod queue;
mod scale;
mod soak;
mod tokenizer;
mod train;

/// Train a Transformer language model and inspect every attention head.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// The number of threads of the CPU backend; by default, the number of cores.
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Make the CPU backend compute the same bits as in a browser, which is slower.
    #[arg(long, global = true)]
    portable: bool,
    /// Use this variant of a kernel instead of the fastest; can be repeated for several kernels.
    #[arg(long, global = true, value_name = "KERNEL=VARIANT")]
    variant: Vec<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Show the adapter, its limits and its backend.
    Info,
    /// Train a model and save it to a folder.
    Train(TrainArgs),
    /// Train a list of runs, one after the other or several at a time.
    #[command(subcommand)]
    Queue(queue::QueueCommand),
    /// Teach a model with responses, rewards or preferences.
    Align(Box<align::AlignArgs>),
    /// Generate text from a prompt with a saved model.
    Generate(GenerateArgs),
    /// Write the logits after every token of a text to a file.
    Logits(generate::LogitsArgs),
    /// Export a saved model as files for other programs.
    Export(interop::ExportArgs),
    /// Import a model from another program, to generate with it or to train it.
    Import(interop::ImportArgs),
    /// Fit scaling laws, and find the best model size for a compute budget on this machine.
    #[command(subcommand)]
    Scale(scale::ScaleCommand),
    /// Train a tokenizer, encode text and decode ids.
    #[command(subcommand)]
    Tokenizer(tokenizer::TokenizerCommand),
    /// Filter web pages to training text, and explain every decision.
    #[command(subcommand)]
    Data(data::DataCommand),
    /// Print every field that --set can change, with its range and meaning.
    Settings {
        /// Print the settings of the methods of glasshead align instead.
        #[arg(long)]
        align: bool,
    },
    /// Measure the speed of this machine.
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Train for a long time through the page's own loop; fails if memory grows.
    Soak(soak::SoakArgs),
    /// Serve requests for single operations on standard input, to compare them with other programs.
    Ops {
        /// The backend.
        #[arg(long, value_enum, default_value = "gpu")]
        backend: BackendArg,
    },
}

/// The device that computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum BackendArg {
    /// The GPU, through Vulkan, Metal or Direct3D 12.
    Gpu,
    /// The CPU reference implementations.
    Cpu,
}

impl From<BackendArg> for BackendChoice {
    fn from(backend: BackendArg) -> Self {
        match backend {
            BackendArg::Gpu => Self::Gpu,
            BackendArg::Cpu => Self::Cpu,
        }
    }
}

/// Options that describe a run.
#[derive(Args)]
struct SpecArgs {
    /// The model preset: nano, tiny, small or cs336.
    #[arg(long, default_value = "nano", value_parser = preset)]
    preset: Preset,
    /// A text file, a .jsonl (.ndjson, or .json with an object on each line) or a .parquet file to train on instead of
    /// the built-in stories; several files are separated by the tokenizer's end token, written as <|endoftext|> in the
    /// text.
    #[arg(long, visible_alias = "file")]
    text: Vec<PathBuf>,
    /// The field of .jsonl files, or the column of .parquet files, that contains the text; write a nested field as
    /// meta.text.
    #[arg(long, default_value = "text")]
    field: String,
    /// A synthetic task to train on instead, with a vocabulary of bytes: copy, reverse, sort, addition,
    /// modular-addition, parity, brackets, induction, recall, reversed-addition or worked-addition.
    #[arg(long, conflicts_with = "text", value_parser = task)]
    task: Option<Task>,
    /// The total number of steps; by default, the length of the schedule.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// The seed of initialization, batches and samples.
    #[arg(long)]
    seed: Option<u64>,
    /// Change a field of the preset, for example --set norm=layernorm --set d_model=96; with --resume, only fields that
    /// can change during training.
    #[arg(long, value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// The backend.
    #[arg(long, value_enum, default_value = "gpu")]
    backend: BackendArg,
    /// Save every N seconds.
    #[arg(long, default_value_t = 30.0, value_name = "SECONDS")]
    save_every: f64,
    /// Stop after N tokens in total.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    stop_tokens: Option<u64>,
    /// Stop once the held-out loss is at or below this value, in nats per token.
    #[arg(long)]
    stop_loss: Option<f64>,
    /// Stop after this many seconds of training; with --resume, earlier training does not count.
    #[arg(long)]
    stop_seconds: Option<f64>,
    /// Evaluate the held-out loss every N steps.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    eval_every: u64,
}

#[derive(Args)]
struct TrainArgs {
    #[command(flatten)]
    spec: SpecArgs,
    /// The output folder for checkpoint.safetensors and the previous checkpoint.
    #[arg(long)]
    out: PathBuf,
    /// Resume the model in this folder, on the same text.
    #[arg(long, conflicts_with_all = ["preset", "seed"])]
    resume: Option<PathBuf>,
    /// Print one JSON object per line instead of a progress bar.
    #[arg(long)]
    json: bool,
    /// A folder for log.csv, log.jsonl and an event file for TensorBoard. With --resume, an existing log continues, and
    /// its rows of later steps are replaced.
    #[arg(long)]
    log_dir: Option<PathBuf>,
    /// Destroy the device before the first work of this kind at or after a step; for tests.
    #[arg(long, hide = true, value_name = "WORK@STEP")]
    lose_device: Vec<train::Moment>,
}

#[derive(Args)]
struct GenerateArgs {
    /// The folder of a saved model.
    #[arg(long)]
    model: PathBuf,
    /// The prompt; if empty, a new text is generated.
    #[arg(long, default_value = "")]
    prompt: String,
    /// The sampling temperature, by which logits are divided; 0 always selects the most likely token.
    #[arg(long, default_value_t = Sampling::default().temperature)]
    temperature: f32,
    /// Sample only from the N most likely tokens; 0 disables this.
    #[arg(long, default_value_t = 0)]
    top_k: usize,
    /// Sample only from the most likely tokens whose probabilities add up to this value.
    #[arg(long, default_value_t = Sampling::default().top_p)]
    top_p: f32,
    /// The maximum number of tokens.
    #[arg(long, default_value_t = 200)]
    max_tokens: usize,
    /// The random seed; equal seeds give equal texts.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The backend.
    #[arg(long, value_enum, default_value = "gpu")]
    backend: BackendArg,
}

fn task(name: &str) -> Result<Task, String> {
    Task::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = Task::ALL.into_iter().map(Task::name).collect();
        format!("there are {}", names.join(", "))
    })
}

fn preset(name: &str) -> Result<Preset, String> {
    Preset::from_name(name).ok_or_else(|| "there are nano, tiny, small and cs336".to_string())
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // Panics caused by damaged files are caught and reported as errors.
        if !reading_parquet() {
            told(panic);
        }
    }));
    let cli = Cli::parse();
    crate::portable::set_portable(cli.portable);
    let threads = cli.threads.map_or(Ok(()), |n| crate::threads::set_count(n.into()));
    let threads = threads.map_err(|error| format!("the number of threads cannot be set: {error}"));
    if let Err(message) = threads.and_then(|()| set_overrides(&cli.variant).map_err(sentence)) {
        eprintln!("glasshead: {message}");
        return ExitCode::FAILURE;
    }
    let result = match cli.command {
        Command::Info => pollster::block_on(info()),
        Command::Settings { align } => {
            match align {
                true => say!("{}", Settings::documentation().trim_end()),
                false => say!("{}", documentation()),
            }
            Ok(())
        }
        Command::Train(args) => pollster::block_on(train::train(args)),
        Command::Queue(command) => queue::queue(command),
        Command::Align(args) => pollster::block_on(align::align(*args)),
        Command::Generate(args) => pollster::block_on(generate::generate(args)),
        Command::Logits(args) => pollster::block_on(generate::logits(args)),
        Command::Export(args) => interop::export(args),
        Command::Import(args) => interop::import(args),
        Command::Scale(command) => pollster::block_on(scale::scale(command)),
        Command::Data(command) => data::data(command),
        Command::Tokenizer(command) => tokenizer::tokenizer(command),
        Command::Bench(command) => bench::bench(command),
        Command::Soak(args) => pollster::block_on(soak::soak(args)),
        Command::Ops { backend } => pollster::block_on(ops::ops(backend)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("glasshead: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The error message for a file given on the command line.
fn in_file(path: &Path) -> impl Fn(io::Error) -> String {
    |error| DataError::of_file(path, &error).to_string()
}

/// Rejects an output file that is also an input, which would be overwritten before it is read.
fn check_out<'p>(out: &Path, inputs: impl IntoIterator<Item = &'p PathBuf>) -> Result<(), String> {
    let Ok(place) = out.canonicalize() else { return Ok(()) };
    match inputs.into_iter().any(|input| input.canonicalize().is_ok_and(|input| input == place)) {
        true => Err(format!("--out {} is read from; choose another file", out.display())),
        false => Ok(()),
    }
}

/// Reports skipped rows, whose field has no text.
fn report_skipped(rows: u64, field: &str) {
    skipped_rows(rows, field).iter().for_each(|message| eprintln!("{message}"));
}

/// Converts an error to its message.
fn sentence(error: impl Display) -> String {
    error.to_string()
}

/// The device to compute on; `None` for the CPU.
///
/// # Errors
/// When there is no GPU, or kernel variants are selected for the CPU.
async fn open(backend: BackendArg) -> Result<Option<Context>, String> {
    open_device(backend.into()).await.map_err(sentence)
}

/// Selects the fastest kernels for training this model on this device, and reports variants that failed.
async fn tune(config: &RunConfig, context: Option<&Context>) -> Result<(), String> {
    for wrong in tune_kernels(config, context).await.map_err(sentence)? {
        eprintln!("{wrong}");
    }
    Ok(())
}

/// Reads the latest intact checkpoint of a folder, and reports when it is an older one.
fn load_checkpoint(folder: &Path) -> Result<Checkpoint, String> {
    let loaded = native::load(folder).map_err(sentence)?;
    loaded.notice.iter().for_each(|notice| eprintln!("{notice}"));
    Ok(loaded.checkpoint)
}

async fn info() -> Result<(), String> {
    let adapter = Context::new().await.map_err(sentence)?.adapter;
    say!("adapter         {}{}", adapter.name, if adapter.software { " (emulated on the CPU)" } else { "" });
    say!("backend         {}", adapter.backend);
    say!("driver          {}", adapter.driver);
    say!("largest buffer  {} MiB", adapter.limits.buffer_bytes >> 20);
    say!("largest binding {} MiB", adapter.limits.binding_bytes >> 20);
    Ok(())
}
