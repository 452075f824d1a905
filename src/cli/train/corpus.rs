//! The training data of a run, from which trainers can be built repeatedly. Its tokens are in memory or in a file.

use super::super::{TrainArgs, sentence, tune};
use crate::config::RunConfig;
use crate::data::encoded_files::{FileData, prepare_files};
use crate::data::prepare::{built_in_bytes, encode, train_tokenizer};
use crate::data::{DataError, Dataset, TokenFile, Tokenizer, stories};
use crate::gpu::context::Context;
use crate::train::trainer::Trainer;
use crate::types::Baselines;

/// The data of a run.
pub(super) struct Corpus {
    pub tokenizer: Tokenizer,
    pub baselines: Baselines,
    pub text_bytes: u64,
    pub n_train: usize,
    pub n_val: usize,
    tokens: Tokens,
}

/// The location of the tokens.
enum Tokens {
    InMemory(Dataset),
    InFile(TokenFile),
}

impl Corpus {
    /// Prepares the tokens that the command line selects. Without a tokenizer, one is trained, and the vocabulary size
    /// is set to its size.
    ///
    /// # Errors
    /// When the text cannot be read or is too short.
    pub fn new(args: &TrainArgs, config: &mut RunConfig, tokenizer: Option<Tokenizer>) -> Result<Self, String> {
        if args.text.is_empty() {
            Self::generated(args, config, tokenizer)
        } else {
            Self::files(args, config, tokenizer)
        }
    }

    /// Text files, whose tokens are written to a file in the model's folder.
    fn files(args: &TrainArgs, config: &mut RunConfig, tokenizer: Option<Tokenizer>) -> Result<Self, String> {
        let in_file = |error| match (&args.text[..], &error) {
            (_, DataError::File { .. } | DataError::InFile { .. }) => error.to_string(),
            ([path], _) => format!("{}: {error}", path.display()),
            _ => format!("the files: {error}"),
        };
        let data = prepare_files(&args.text, &args.field, &args.out, tokenizer, config).map_err(in_file)?;
        let FileData { tokenizer, tokens, n_train, baselines, file_bytes: text_bytes, skipped } = data;
        super::super::report_skipped(skipped, &args.field);
        let n_val = tokens.len() - n_train;
        Ok(Self { tokenizer, baselines, text_bytes, n_train, n_val, tokens: Tokens::InFile(tokens) })
    }

    /// Built-in stories or a task.
    fn generated(args: &TrainArgs, config: &mut RunConfig, tokenizer: Option<Tokenizer>) -> Result<Self, String> {
        let (seed, bytes) = (config.train.seed, built_in_bytes(config));
        let text = args.task.map_or_else(|| stories(seed, bytes), |task| task.text(seed, bytes));
        let tokenizer = match tokenizer {
            Some(tokenizer) => tokenizer,
            None => train_tokenizer(&text, config).map_err(sentence)?,
        };
        let data = encode(&text, tokenizer, config).map_err(sentence)?;
        let (n_train, n_val, text_bytes) = (data.dataset.train.len(), data.dataset.val.len(), text.len() as u64);
        let (tokenizer, baselines) = (data.tokenizer, data.baselines);
        Ok(Self { tokenizer, baselines, text_bytes, n_train, n_val, tokens: Tokens::InMemory(data.dataset) })
    }

    /// A model with untrained weights on this device (the CPU if `None`), with the fastest kernels.
    ///
    /// # Errors
    /// When the model does not fit, or the device fails.
    pub async fn trainer(&self, config: RunConfig, context: Option<&Context>) -> Result<Trainer, String> {
        tune(&config, context).await?;
        let trainer = match &self.tokens {
            Tokens::InMemory(Dataset { train, val }) => Trainer::new(config, context, train, val).await,
            Tokens::InFile(tokens) => Trainer::on_file(config, context, tokens.clone(), self.n_train).await,
        };
        trainer.map_err(sentence)
    }
}
