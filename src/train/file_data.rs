//! Text files of any size as tokens to train on: encoded once into a file beside the model, of which training reads
//! windows.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::prepare::{TOKENIZER_BYTES, train_tokenizer};
use crate::config::RunConfig;
use crate::data::{BigramCounter, DataError, TokenFile, Tokenizer, decode_text, open_files};
use crate::protocol::Baselines;

/// Tokens that are read at once while counting.
const BLOCK: usize = 1 << 20;

/// Held-out tokens that the baselines are measured on, at most.
const MEASURED: usize = 1 << 20;

/// Text, tokenizer and tokens of a run on files.
pub struct FileData {
    /// Trained on the beginning of the text, or given.
    pub tokenizer: Tokenizer,
    /// All tokens.
    pub tokens: TokenFile,
    /// How many of them are to be trained on; the others are held out.
    pub n_train: usize,
    /// What the model has to beat on the held-out part.
    pub baselines: Baselines,
    /// Size of the files.
    pub file_bytes: u64,
}

/// Encodes the text in files into a file in `folder`, unless that was done already, and counts the baselines; the text
/// of records is in `field`. Without a tokenizer, one of `config.model.vocab_size` is trained, and the size is set to
/// what came of it.
///
/// # Errors
/// When a file cannot be read or written, is not UTF-8, or is too short for the context.
pub fn prepare_files(
    paths: &[PathBuf],
    field: &str,
    folder: &Path,
    tokenizer: Option<Tokenizer>,
    config: &mut RunConfig,
) -> Result<FileData, DataError> {
    let tokenizer = match tokenizer {
        Some(tokenizer) => tokenizer,
        None => train_tokenizer(&beginning(paths, field)?, config)?,
    };
    fs::create_dir_all(folder).map_err(|error| DataError::of_file(folder, &error))?;
    let (name, file_bytes) = token_file_name(paths, field, &tokenizer)?;
    let encoded = folder.join(name);
    if !encoded.exists() {
        TokenFile::write(&encoded, open_files(paths, Some(field))?, &tokenizer)?;
    }
    let tokens = TokenFile::open(&encoded, tokenizer.vocab_size())?;
    let n_train = split(&tokens, &tokenizer)?;
    let context_length = config.model.context_length;
    for (part, n_tokens) in [("training", n_train), ("held-out", tokens.len() - n_train)] {
        if n_tokens <= context_length {
            return Err(DataError::TooShort { part, tokens: n_tokens, context_length });
        }
    }
    let baselines = measure(&tokens, n_train, tokenizer.vocab_size())?;
    Ok(FileData { tokenizer, tokens, n_train, baselines, file_bytes })
}

/// Another name for other files, another state of one, or another vocabulary; and the size of all files.
fn token_file_name(paths: &[PathBuf], field: &str, tokenizer: &Tokenizer) -> Result<(String, u64), DataError> {
    let mut hasher = DefaultHasher::new();
    let mut file_bytes = 0;
    for path in paths {
        let in_file = |error| DataError::of_file(path, &error);
        let facts = fs::metadata(path).map_err(in_file)?;
        (path.canonicalize().map_err(in_file)?, facts.len(), facts.modified().ok()).hash(&mut hasher);
        file_bytes += facts.len();
    }
    (field, tokenizer.to_json()?, tokenizer.end_of_text()).hash(&mut hasher);
    Ok((format!("tokens-{:016x}.bin", hasher.finish()), file_bytes))
}

/// As much of the text as a tokenizer learns from, with the tenth that it holds out of that.
fn beginning(paths: &[PathBuf], field: &str) -> Result<String, DataError> {
    let (mut bytes, most) = (Vec::new(), TOKENIZER_BYTES * 10 / 9);
    open_files(paths, Some(field))?.take(most as u64).read_to_end(&mut bytes).map_err(DataError::from_read)?;
    if let Err(error) = std::str::from_utf8(&bytes)
        && error.error_len().is_none()
        && bytes.len() == most
    {
        // The end has cut a character.
        bytes.truncate(error.valid_up_to());
    }
    decode_text(bytes)
}

/// Where the last tenth begins: behind the end of a text where there is one near.
fn split(tokens: &TokenFile, tokenizer: &Tokenizer) -> Result<usize, DataError> {
    let target = tokens.len() / 10 * 9;
    let near = tokens.read(target..target + (tokens.len() / 50).min(BLOCK))?;
    let end = near.iter().position(|&id| Some(id) == tokenizer.end_of_text());
    Ok(end.map_or(target, |at| target + at + 1))
}

fn measure(tokens: &TokenFile, n_train: usize, vocab_size: usize) -> Result<Baselines, DataError> {
    let mut counter = BigramCounter::new(vocab_size);
    for start in (0..n_train).step_by(BLOCK) {
        counter.add(&tokens.read(start..n_train.min(start + BLOCK))?);
    }
    let val = tokens.read(n_train..tokens.len().min(n_train + MEASURED))?;
    Ok(counter.finish().baselines(&val))
}
