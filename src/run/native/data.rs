//! The training data of a native run, from which trainers can be built repeatedly. Its tokens are in memory or in a file.

use std::path::{Path, PathBuf};

use super::{RunError, SavedRun, tune_kernels};
use crate::config::RunConfig;
use crate::data::encoded_files::{FileData, prepare_files};
use crate::data::prepare::{encode, train_tokenizer};
use crate::data::{DataError, Dataset, TokenFile, Tokenizer};
use crate::gpu::context::Context;
use crate::run::record::fingerprint;
use crate::run::text::generated;
use crate::run::{RunSpec, TextSource, TextSummary};
use crate::train::trainer::{TrainError, Trainer};
use crate::types::CorpusChoice;
use crate::types::runs::CorpusRecord;
use crate::types::tasks::skipped_rows;

/// The data of a run.
pub struct RunData {
    /// The tokenizer of the run's tokens.
    pub tokenizer: Tokenizer,
    /// The text in numbers.
    pub summary: TextSummary,
    /// Identifies the text in the run's file.
    pub record: CorpusRecord,
    /// What to report about the text.
    pub warnings: Vec<String>,
    tokens: Tokens,
}

/// The location of the tokens.
enum Tokens {
    InMemory(Dataset),
    InFile(TokenFile),
}

impl RunData {
    /// Prepares the tokens of a run, with the tokenizer of `saved` if there is one. Otherwise one is trained, and the vocabulary
    /// size of `config` is set to its size. The tokens of files are written to a file in `folder`.
    ///
    /// # Errors
    /// When the text cannot be read or is too short.
    pub fn new(
        spec: &RunSpec,
        folder: &Path,
        config: &mut RunConfig,
        saved: Option<&SavedRun>,
    ) -> Result<Self, RunError> {
        let tokenizer = saved.map(|saved| saved.checkpoint.tokenizer.clone());
        let known = saved.and_then(|saved| saved.record.as_ref()).map(|record| &record.corpus);
        let mut data = match &spec.text {
            TextSource::Files { paths, field } => Self::files(paths, field, folder, config, tokenizer)?,
            TextSource::BuiltIn | TextSource::Task(_) => {
                // The size of the text depends on the configuration that was first asked for.
                let same = known.filter(|known| known.choice == spec.text.choice());
                let asked = same.map_or_else(|| config.clone(), |known| known.asked.clone());
                Self::generated(spec.text.choice(), asked, config, tokenizer)?
            }
        };
        if let Some(known) =
            known.filter(|known| known.choice != CorpusChoice::File || known.choice == data.record.choice)
        {
            data.record.vocabulary.clone_from(&known.vocabulary);
            if known.fingerprint != data.record.fingerprint {
                let name = &known.name;
                data.warnings.push(format!("This run was trained on another text ({name}); it continues on this one."));
            }
        }
        Ok(data)
    }

    fn files(
        paths: &[PathBuf],
        field: &str,
        folder: &Path,
        config: &mut RunConfig,
        tokenizer: Option<Tokenizer>,
    ) -> Result<Self, RunError> {
        let asked = config.clone();
        let data = prepare_files(paths, field, folder, tokenizer, config);
        let data = data.map_err(|error| RunError::Text { paths: paths.into(), error })?;
        let FileData { tokenizer, tokens, n_train, baselines, file_bytes, skipped, fingerprint } = data;
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = match paths {
            [] => String::new(),
            [path] => name(path),
            [first, rest @ ..] => format!("{} and {} more", name(first), rest.len()),
        };
        let field = Some(field.to_string()).filter(|_| paths.iter().any(|path| has_fields(path)));
        let warnings = skipped_rows(skipped, field.as_deref().unwrap_or_default()).into_iter().collect();
        let choice = CorpusChoice::File;
        let record = CorpusRecord { choice, name, field, vocabulary: None, fingerprint, asked };
        let n_val = tokens.len() - n_train;
        let summary = TextSummary { text_bytes: file_bytes, n_train, n_val, baselines };
        Ok(Self { tokenizer, summary, record, warnings, tokens: Tokens::InFile(tokens) })
    }

    fn generated(
        choice: CorpusChoice,
        asked: RunConfig,
        config: &mut RunConfig,
        tokenizer: Option<Tokenizer>,
    ) -> Result<Self, RunError> {
        let in_text = |error: DataError| RunError::Text { paths: Vec::new(), error };
        let (name, text) = generated(choice, &asked)?;
        let tokenizer = match tokenizer {
            Some(tokenizer) => tokenizer,
            None => train_tokenizer(&text, config).map_err(in_text)?,
        };
        let data = encode(&text, tokenizer, config).map_err(in_text)?;
        let record =
            CorpusRecord { choice, name, field: None, vocabulary: None, fingerprint: fingerprint(&text), asked };
        Ok(Self {
            tokenizer: data.tokenizer,
            summary: TextSummary {
                text_bytes: text.len() as u64,
                n_train: data.dataset.train.len(),
                n_val: data.dataset.val.len(),
                baselines: data.baselines,
            },
            record,
            warnings: Vec::new(),
            tokens: Tokens::InMemory(data.dataset),
        })
    }

    /// A model with untrained weights on this device (the CPU if `None`) with the fastest kernels, and a message for each kernel
    /// variant that cannot be used.
    ///
    /// # Errors
    /// When the model does not fit, or the device fails.
    pub async fn trainer(
        &self,
        config: RunConfig,
        context: Option<&Context>,
    ) -> Result<(Trainer, Vec<String>), TrainError> {
        let warnings = tune_kernels(&config, context).await?;
        let trainer = match &self.tokens {
            Tokens::InMemory(Dataset { train, val }) => Trainer::new(config, context, train, val).await?,
            Tokens::InFile(tokens) => Trainer::on_file(config, context, tokens.clone(), self.summary.n_train).await?,
        };
        Ok((trainer, warnings))
    }
}

/// Whether the file holds records, of which one field is the text.
fn has_fields(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    ["jsonl", "ndjson", "json", "parquet"].iter().any(|known| extension == *known)
}
