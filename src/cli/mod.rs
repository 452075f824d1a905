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
use crate::protocol::Sampling;
use crate::train::trainer::Trainer;

#[macro_use]
mod say;

mod bench;
mod events;
mod generate;
mod interop;
mod keep;
mod kernels;
pub mod log;
pub mod ops;
mod soak;
mod tokenizer;
mod train;

/// Train a Transformer language model and look into every attention head.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How many threads the CPU backend uses; as many as there are cores unless told.
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Which variant runs in place of a kernel, instead of the fastest; several times, for several kernels.
    #[arg(long, global = true, value_name = "KERNEL=VARIANT")]
    variant: Vec<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Show the adapter, its limits and its backend.
    Info,
    /// Train a model and save it into a folder.
    Train(TrainArgs),
    /// Write on from a prompt with a saved model.
    Generate(GenerateArgs),
    /// Write the logits behind every token of a text into a file.
    Logits(generate::LogitsArgs),
    /// Write a saved model as files that other programs open.
    Export(interop::ExportArgs),
    /// Read a model of another program, to write with it and to train on.
    Import(interop::ImportArgs),
    /// Train a tokenizer, encode and decode.
    #[command(subcommand)]
    Tokenizer(tokenizer::TokenizerCommand),
    /// Print every field that --set changes, with its range and meaning.
    Settings,
    /// Measure how fast this machine is.
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Train for long through the page's own loop; fails when memory grows.
    Soak(soak::SoakArgs),
    /// Answer requests for single operations on standard input, to compare them with other programs.
    Ops {
        /// Who computes.
        #[arg(long, value_enum, default_value = "gpu")]
        backend: BackendArg,
    },
}

/// Who computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum BackendArg {
    /// The GPU, through Vulkan, Metal or Direct3D 12.
    Gpu,
    /// The CPU references.
    Cpu,
}

#[derive(Args)]
struct TrainArgs {
    /// nano, tiny, small or cs336.
    #[arg(long, default_value = "nano", value_parser = preset)]
    preset: Preset,
    /// A text file, a .jsonl or a .parquet file to train on instead of the built-in stories; several are joined by the
    /// tokenizer's end token, which <|endoftext|> in a text stands for.
    #[arg(long, visible_alias = "file")]
    text: Vec<PathBuf>,
    /// The field of .jsonl files, or the column of .parquet files, that holds the text.
    #[arg(long, default_value = "text")]
    field: String,
    /// A synthetic task to train on instead, with a vocabulary of bytes: copy, reverse, sort, addition,
    /// modular-addition, parity, brackets, induction or recall.
    #[arg(long, conflicts_with = "text", value_parser = task)]
    task: Option<Task>,
    /// How many steps in all; as many as the schedule has unless told.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// Seeds initialisation, batches and samples.
    #[arg(long)]
    seed: Option<u64>,
    /// Changes a field of the preset, for example --set norm=layernorm --set d_model=96; with --resume only what can
    /// change while a model trains.
    #[arg(long, value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// Who computes.
    #[arg(long, value_enum, default_value = "gpu")]
    backend: BackendArg,
    /// The folder for the model: checkpoint.safetensors, and the one saved before it.
    #[arg(long)]
    out: PathBuf,
    /// Save it every so many seconds.
    #[arg(long, default_value_t = 30.0, value_name = "SECONDS")]
    save_every: f64,
    /// Go on with the model in this folder, on the same text.
    #[arg(long, conflicts_with_all = ["preset", "seed"])]
    resume: Option<PathBuf>,
    /// Stop after so many tokens in all.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    stop_tokens: Option<u64>,
    /// Stop once the held-out loss is at or below this, in nats per token.
    #[arg(long)]
    stop_loss: Option<f64>,
    /// Stop after this many seconds of training; with --resume, counted from there.
    #[arg(long)]
    stop_seconds: Option<f64>,
    /// Held-out loss every so many steps.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    eval_every: u64,
    /// One JSON object a line instead of a progress bar.
    #[arg(long)]
    json: bool,
    /// A folder for log.csv, log.jsonl and an event file that TensorBoard shows. With --resume, a log that is there
    /// continues: its rows of later steps are replaced.
    #[arg(long)]
    log_dir: Option<PathBuf>,
    /// Destroys the device from a step on before a kind of work, once for each; tests look at what happens then.
    #[arg(long, hide = true, value_name = "WORK@STEP")]
    lose_device: Vec<train::Moment>,
}

#[derive(Args)]
struct GenerateArgs {
    /// The folder of a saved model.
    #[arg(long)]
    model: PathBuf,
    /// Where to begin; empty begins a new text.
    #[arg(long, default_value = "")]
    prompt: String,
    /// Logits are divided by this; 0 always takes the likeliest token.
    #[arg(long, default_value_t = Sampling::default().temperature)]
    temperature: f32,
    /// Only so many of the likeliest tokens; 0 keeps all.
    #[arg(long, default_value_t = 0)]
    top_k: usize,
    /// Only the likeliest tokens whose probabilities reach this sum.
    #[arg(long, default_value_t = Sampling::default().top_p)]
    top_p: f32,
    /// How many tokens at most.
    #[arg(long, default_value_t = 200)]
    max_tokens: usize,
    /// The same seed writes the same text.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Who computes.
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
        // What a damaged file causes is caught, and ends as a sentence.
        if !reading_parquet() {
            told(panic);
        }
    }));
    let cli = Cli::parse();
    let threads = cli.threads.map_or(Ok(()), |n| crate::threads::set_count(n.into()));
    if let Err(message) = threads.and_then(|()| kernels::tell(&cli.variant)) {
        eprintln!("glasshead: {message}");
        return ExitCode::FAILURE;
    }
    let result = match cli.command {
        Command::Info => pollster::block_on(info()),
        Command::Settings => {
            say!("{}", documentation());
            Ok(())
        }
        Command::Train(args) => pollster::block_on(train::train(args)),
        Command::Generate(args) => pollster::block_on(generate::generate(args)),
        Command::Logits(args) => pollster::block_on(generate::logits(args)),
        Command::Export(args) => interop::export(args),
        Command::Import(args) => interop::import(args),
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

/// What the system says of a file of the command line.
fn in_file(path: &Path) -> impl Fn(io::Error) -> String {
    |error| DataError::of_file(path, &error).to_string()
}

/// Refuses to write over a file that is read, which would be lost before it was.
fn check_out<'p>(out: &Path, inputs: impl IntoIterator<Item = &'p PathBuf>) -> Result<(), String> {
    let Ok(place) = out.canonicalize() else { return Ok(()) };
    match inputs.into_iter().any(|input| input.canonicalize().is_ok_and(|input| input == place)) {
        true => Err(format!("--out {} is read from; choose another file", out.display())),
        false => Ok(()),
    }
}

/// Errors end as a sentence on standard error.
fn sentence(error: impl Display) -> String {
    error.to_string()
}

/// The device to compute on; none stands for the CPU.
///
/// # Errors
/// A sentence when there is no GPU, or variants of its kernels are chosen for the CPU.
async fn open(backend: BackendArg) -> Result<Option<Context>, String> {
    match backend {
        BackendArg::Cpu if kernels::any_told() => {
            Err("--variant chooses kernels of the GPU, and --backend cpu runs none; leave out one of them".into())
        }
        BackendArg::Cpu => Ok(None),
        BackendArg::Gpu => open_gpu().await.map(Some),
    }
}

async fn open_gpu() -> Result<Context, String> {
    let hint = |error| format!("{error}; or compute on the CPU with --backend cpu");
    let context = Context::new().await.map_err(hint)?;
    kernels::prepare(&context);
    Ok(context)
}

/// Chooses the fastest kernels for training this model on this device, and says which could not be used.
async fn tune(config: &RunConfig, context: Option<&Context>) -> Result<(), String> {
    for wrong in Trainer::choose_kernels(config, context).await.map_err(sentence)? {
        eprintln!("{wrong}");
    }
    context.into_iter().for_each(kernels::keep);
    Ok(())
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
