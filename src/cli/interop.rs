//! `glasshead export` and `glasshead import`: models in Hugging Face's files.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::sentence;
use crate::config::{Preset, RunConfig};
use crate::interop::export::export as to_files;
use crate::interop::import::{Imported, Source, import as from_files};
use crate::train::checkpoint::{self, Checkpoint};
use crate::train::trainer::TrainingState;

/// A model trained elsewhere is trained on gently.
const FINE_TUNING_LR: f64 = 1e-4;

/// The format of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Hugging Face's: config.json, model.safetensors, tokenizer.json.
    Hf,
}

#[derive(Args)]
pub(super) struct ExportArgs {
    /// The folder of a saved model.
    #[arg(long)]
    model: PathBuf,
    /// Which files.
    #[arg(long, value_enum, default_value = "hf")]
    format: Format,
    /// The folder for them, which is made if it is missing.
    to: PathBuf,
}

#[derive(Args)]
pub(super) struct ImportArgs {
    /// The folder with config.json, model.safetensors (or its shards) and tokenizer.json.
    from: PathBuf,
    /// The folder for the model: checkpoint.safetensors.
    #[arg(long)]
    out: PathBuf,
}

pub(super) fn export(args: ExportArgs) -> Result<(), String> {
    let Format::Hf = args.format;
    let Checkpoint { config, tokenizer, state } = checkpoint::load(&args.model).map_err(sentence)?;
    let files = to_files(&config.model, &tokenizer, &state.params).map_err(sentence)?;
    fs::create_dir_all(&args.to).map_err(|error| format!("{}: {error}", args.to.display()))?;
    for (name, bytes) in files {
        let path = args.to.join(name);
        fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// A folder on disk.
struct Folder<'a>(&'a Path);

impl Source for Folder<'_> {
    fn has(&self, name: &str) -> bool {
        self.0.join(name).is_file()
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>, String> {
        fs::read(self.0.join(name)).map_err(sentence)
    }
}

pub(super) fn import(args: ImportArgs) -> Result<(), String> {
    if !args.from.is_dir() {
        return Err(format!("{} is no folder", args.from.display()));
    }
    let Imported { model, tokenizer, params } = from_files(&mut Folder(&args.from)).map_err(sentence)?;
    let mut config = RunConfig { model, train: Preset::Small.config().train };
    (config.train.max_lr, config.train.min_lr) = (FINE_TUNING_LR, FINE_TUNING_LR / 10.0);
    config.train.batch_size = 1;
    let state = TrainingState::of(params, config.train.seed);
    checkpoint::save(&args.out, &config, &tokenizer, &state).map_err(sentence)?;
    println!("{}: {} parameters", args.out.join(checkpoint::FILE_NAME).display(), config.model.n_params());
    Ok(())
}
