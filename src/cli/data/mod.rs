//! `glasshead data`: filters web pages to training text, generates dirty pages, and explains and compares decisions.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use glasshead_filter::classify::Classifier;
use glasshead_filter::pipeline::Pipeline;
use glasshead_filter::run::{Report, Run, RunError, run};
use glasshead_filter::settings::Settings;
use glasshead_filter::source::{self, DocumentReader, SourceError};

use super::{in_file, sentence};
use crate::data::open_files;
use crate::threads;

mod classifier;
mod compare;
mod explain;
mod generate;
mod labels;
mod summary;

#[derive(Subcommand)]
pub(super) enum DataCommand {
    /// Filter files and write kept.jsonl, decisions.jsonl, clusters.jsonl and summary.json. A run that was interrupted
    /// continues when it is started again.
    Run(RunArgs),
    /// Print the decision of every stage for one document, with the parts that a rule objects to.
    Explain(explain::ExplainArgs),
    /// Compare the decisions of two runs on the same documents.
    Compare {
        /// The output folder of the first run.
        a: PathBuf,
        /// The output folder of the second run.
        b: PathBuf,
    },
    /// Print the default settings as a TOML file.
    Settings,
    /// Train a quality classifier on good and bad documents.
    Classifier(classifier::ClassifierArgs),
    /// Generate dirty web pages with known labels around the built-in stories.
    Generate(generate::GenerateArgs),
    /// Compare the decisions of a run with the labels of generated pages: precision and recall of every stage.
    Labels {
        /// The output folder of the run.
        run: PathBuf,
        /// The generated file.
        #[arg(long)]
        pages: PathBuf,
    },
}

#[derive(Args)]
pub(super) struct RunArgs {
    /// The settings, a TOML file; `glasshead data settings` prints the defaults.
    settings: PathBuf,
    /// Files and folders: WARC, WET, HTML, JSON Lines and plain text, each also compressed with gzip or Zstandard, and
    /// Parquet.
    #[arg(long = "in", required = true, num_args = 1..)]
    inputs: Vec<PathBuf>,
    /// The output folder.
    #[arg(long)]
    out: PathBuf,
    /// The field of JSON Lines, or the column of Parquet files, with the text.
    #[arg(long, default_value = "text")]
    field: String,
    /// Print one JSON object at the end instead of a table.
    #[arg(long)]
    json: bool,
}

pub(super) fn data(command: DataCommand) -> Result<(), String> {
    match command {
        DataCommand::Run(args) => run_files(args),
        DataCommand::Explain(args) => explain::explain(args),
        DataCommand::Compare { a, b } => compare::compare(&a, &b),
        DataCommand::Settings => {
            say!("{}", Settings::default().to_toml());
            Ok(())
        }
        DataCommand::Classifier(args) => classifier::train(args),
        DataCommand::Generate(args) => generate::generate(args),
        DataCommand::Labels { run, pages } => labels::labels(&run, &pages),
    }
}

/// The pipeline of a settings file.
fn pipeline(path: &Path) -> Result<Pipeline, String> {
    let text = fs::read_to_string(path).map_err(in_file(path))?;
    let settings = Settings::from_toml(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let model = &settings.quality.model;
    let classifier = if model.is_empty() {
        None
    } else {
        // The model is named relative to the settings.
        let model = path.parent().unwrap_or(Path::new("")).join(model);
        let bytes = fs::read(&model).map_err(in_file(&model))?;
        Some(Classifier::from_bytes(&bytes).map_err(|error| format!("{}: {error}", model.display()))?)
    };
    Ok(Pipeline::new(settings, classifier))
}

/// Opens an input: Parquet with the reader of training texts, everything else with the reader of documents.
fn open(path: &Path, field: &str) -> Result<Box<dyn DocumentReader>, SourceError> {
    let name = path.display().to_string();
    if name.to_ascii_lowercase().ends_with(".parquet") {
        let text =
            open_files(&[path], Some(field)).map_err(|error| SourceError::Read(io::Error::other(error.to_string())))?;
        return source::open(&format!("{name}.txt"), text, field);
    }
    source::open(&name, fs::File::open(path)?, field)
}

/// The files, and those in folders in the order of their names, without hidden ones.
fn files(inputs: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for input in inputs {
        if !input.is_dir() {
            fs::metadata(input).map_err(in_file(input))?;
            found.push(input.clone());
            continue;
        }
        let mut entries = fs::read_dir(input)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>())
            .map_err(in_file(input))?;
        entries.retain(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')));
        entries.sort();
        found.extend(files(&entries)?);
    }
    Ok(found)
}

/// The message for a run that failed.
fn run_failed(error: RunError) -> String {
    match error {
        RunError::File { path, source } => in_file(&path)(source),
        other => other.to_string(),
    }
}

fn run_files(args: RunArgs) -> Result<(), String> {
    let pipeline = pipeline(&args.settings)?;
    let inputs = files(&args.inputs)?;
    let start = Instant::now();
    let bar = summary::bar(args.json);
    let mut report = |report: Report<'_>| summary::show(&bar, report, start.elapsed());
    let result = run(Run {
        pipeline: &pipeline,
        inputs,
        open: &|path| open(path, &args.field),
        out: args.out.clone(),
        n_threads: threads::count(),
        save_every: Duration::from_secs(1),
        report: &mut report,
    });
    bar.finish_and_clear();
    let summary = result.map_err(run_failed)?;
    if args.json {
        say!("{}", serde_json::to_string(&summary).map_err(sentence)?);
    } else {
        summary::print(&summary, pipeline.settings(), start.elapsed());
    }
    Ok(())
}
