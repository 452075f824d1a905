//! `glasshead export` and `glasshead import`: models in Hugging Face's format.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::load_checkpoint as load;
use super::{in_file, sentence};
use crate::interop::export::{changes, export as to_files, training_state};
use crate::interop::import::{Opened, Source, SourceError};
use crate::train::checkpoint::rotation;
use crate::train::checkpoint::{self, Checkpoint};
use crate::train::context_length::{Held, fitting_context, shorten};
use crate::train::import::{ImportedRun, adopt, fine_tuning_config, saved_state};

/// The file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Hugging Face: config.json, model.safetensors, tokenizer.json.
    Hf,
}

#[derive(Args)]
pub(super) struct ExportArgs {
    /// The folder of a saved model.
    #[arg(long)]
    model: PathBuf,
    /// The file format.
    #[arg(long, value_enum, default_value = "hf")]
    format: Format,
    /// Also write training_state.safetensors: the optimizer's moments, the step, and the state of the batch generator.
    #[arg(long)]
    training_state: bool,
    /// The output folder, which is created if it is missing.
    to: PathBuf,
}

#[derive(Args)]
pub(super) struct ImportArgs {
    /// The folder with config.json, model.safetensors (or its shards) and tokenizer.json.
    from: PathBuf,
    /// The output folder for checkpoint.safetensors.
    #[arg(long)]
    out: PathBuf,
}

pub(super) fn export(args: ExportArgs) -> Result<(), String> {
    let Format::Hf = args.format;
    let Checkpoint { config, tokenizer, state } = load(&args.model)?;
    let mut files = to_files(&config.model, &tokenizer, &state.params).map_err(sentence)?;
    let changes = changes(&config.model, &tokenizer, &state.params).map_err(sentence)?;
    changes.iter().for_each(|change| eprintln!("{change}"));
    if args.training_state {
        files.push(training_state(&config.model, &saved_state(&config, state)).map_err(sentence)?);
    }
    fs::create_dir_all(&args.to).map_err(in_file(&args.to))?;
    for (name, bytes) in files {
        let path = args.to.join(name);
        fs::write(&path, bytes).map_err(in_file(&path))?;
        say!("{}", path.display());
    }
    Ok(())
}

/// A folder on disk as a source of model files.
struct Folder<'a>(&'a Path);

impl Source for Folder<'_> {
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    fn size(&mut self, name: &str) -> u64 {
        fs::metadata(self.0.join(name)).map_or(0, |facts| facts.len())
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>, SourceError> {
        Ok(fs::read(self.0.join(name))?)
    }
}

pub(super) fn import(args: ImportArgs) -> Result<(), String> {
    if !args.from.is_dir() {
        return Err(format!("{} is no folder", args.from.display()));
    }
    let mut folder = Folder(&args.from);
    let opened = Opened::new(&mut folder).map_err(sentence)?;
    let held = Held { copies: 1, file_bytes: 0 };
    let (context_length, no_training) =
        fitting_context(fine_tuning_config(opened.model().clone()), None, held).map_err(sentence)?;
    let ImportedRun { mut config, tokenizer, state, mut notes } = adopt(opened.read(&mut folder).map_err(sentence)?);
    notes.extend(shorten(&mut config, context_length));
    notes.extend(no_training);
    notes.iter().for_each(|note| eprintln!("{note}"));
    let bytes = checkpoint::to_bytes(&config, &tokenizer, &state, None).map_err(sentence)?;
    rotation::save(&args.out, &bytes).map_err(sentence)?;
    let (path, n_params) = (args.out.join(checkpoint::FILE_NAME), config.model.n_params());
    say!("{}: {n_params} parameters, {} steps done", path.display(), state.step);
    Ok(())
}
