//! Training on text files of any size: the text is encoded once into a token file next to the model, from which training reads
//! windows.

use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fnv::FnvHasher;

use super::fingerprint::{Fingerprint, FingerprintReader};
use crate::config::RunConfig;
use crate::data::prepare::{TOKENIZER_BYTES, tokenizer_text, train_tokenizer_on};
use crate::data::{BigramCounter, DataError, TokenFile, Tokenizer, held_out_offset, held_out_window, open_files};
use crate::types::Baselines;

/// Number of tokens read at a time for counting.
const BLOCK: usize = 1 << 20;

/// Maximum number of held-out tokens for the baselines.
const MEASURED: usize = 1 << 20;

/// Text, tokenizer and tokens of a run on files.
pub struct FileData {
    /// The tokenizer, trained on the beginning of the text or given.
    pub tokenizer: Tokenizer,
    /// All tokens.
    pub tokens: TokenFile,
    /// Number of training tokens; the remaining ones are held out.
    pub n_train: usize,
    /// Losses of simple models on the held-out part.
    pub baselines: Baselines,
    /// Size of the text files in bytes.
    pub file_bytes: u64,
    /// Number of skipped rows without text; 0 if the text was encoded earlier.
    pub skipped: u64,
    /// Identifies the text.
    pub fingerprint: String,
}

/// Encodes text files into a token file in `folder`, unless it exists, and computes the baselines; `field` is the text field of
/// records. Without a tokenizer, one of `config.model.vocab_size` is trained, and that size is set to the actual vocabulary
/// size.
///
/// # Errors
/// If a file cannot be read or written, is not UTF-8, or is too short for the context.
pub fn prepare_files(
    paths: &[PathBuf],
    field: &str,
    folder: &Path,
    tokenizer: Option<Tokenizer>,
    config: &mut RunConfig,
) -> Result<FileData, DataError> {
    let tokenizer = match tokenizer {
        Some(tokenizer) => tokenizer,
        None => train_tokenizer_on(&beginning(paths, field)?, config)?,
    };
    fs::create_dir_all(folder).map_err(|error| DataError::of_file(folder, &error))?;
    let (name, file_bytes) = token_file_name(paths, field, &tokenizer)?;
    let encoded = folder.join(name);
    let (fingerprint, skipped) = encode(paths, field, &encoded, &tokenizer)?;
    let tokens = TokenFile::open(&encoded, tokenizer.vocab_size())?;
    let n_train = split(&tokens, &tokenizer)?;
    let context_length = config.model.context_length;
    for (part, n_tokens) in [("training", n_train), ("held-out", tokens.len() - n_train)] {
        if n_tokens <= context_length {
            return Err(DataError::TooShort { part, tokens: n_tokens, context_length });
        }
    }
    let baselines = measure(&tokens, n_train, tokenizer.vocab_size())?;
    Ok(FileData { tokenizer, tokens, n_train, baselines, file_bytes, skipped, fingerprint })
}

/// Encodes the text into `encoded`, unless that exists; returns the text's fingerprint, which is stored in a file of its own, and
/// the number of skipped rows.
fn encode(paths: &[PathBuf], field: &str, encoded: &Path, tokenizer: &Tokenizer) -> Result<(String, u64), DataError> {
    let stem = encoded.file_stem().unwrap_or_default();
    let stored = encoded.with_file_name(format!("text-of-{}.fingerprint", stem.display()));
    if encoded.exists()
        && let Ok(fingerprint) = fs::read_to_string(&stored)
    {
        return Ok((fingerprint, 0));
    }
    let mut text = open_files(paths, Some(field))?;
    let mut reader = FingerprintReader { reader: &mut text, fingerprint: Fingerprint::default() };
    if encoded.exists() {
        io::copy(&mut reader, &mut io::sink()).map_err(DataError::from_read)?;
    } else {
        TokenFile::write(encoded, &mut reader, tokenizer)?;
    }
    let fingerprint = reader.fingerprint.finish();
    fs::write(&stored, &fingerprint).map_err(|error| DataError::of_file(&stored, &error))?;
    Ok((fingerprint, text.skipped()))
}

/// A file name that depends on the text files, their state and the vocabulary; and the total size of the text files.
fn token_file_name(paths: &[PathBuf], field: &str, tokenizer: &Tokenizer) -> Result<(String, u64), DataError> {
    let mut hasher = FnvHasher::default();
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

/// The beginning of the text, long enough for [`tokenizer_text`] to select the same part as from the whole text.
fn beginning(paths: &[PathBuf], field: &str) -> Result<String, DataError> {
    // For a text of this length, the part that is not held out is sufficient.
    const ENOUGH: usize = (TOKENIZER_BYTES / 9 + 1) * 10;
    let mut bytes = Vec::new();
    open_files(paths, Some(field))?.take(ENOUGH as u64).read_to_end(&mut bytes).map_err(DataError::from_read)?;
    let whole = bytes.len() < ENOUGH;
    // Only a character cut at the end can be invalid, because the reader validates its input.
    let valid = bytes.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
    bytes.truncate(valid);
    let mut text = String::from_utf8(bytes).map_err(|error| DataError::Read { problem: error.to_string() })?;
    text.truncate(if whole { tokenizer_text(&text).len() } else { text.floor_char_boundary(TOKENIZER_BYTES) });
    Ok(text)
}

/// Index of the first held-out token.
fn split(tokens: &TokenFile, tokenizer: &Tokenizer) -> Result<usize, DataError> {
    let window = held_out_window(tokens.len());
    Ok(window.start + held_out_offset(&tokens.read(window)?, tokenizer))
}

fn measure(tokens: &TokenFile, n_train: usize, vocab_size: usize) -> Result<Baselines, DataError> {
    let mut counter = BigramCounter::new(vocab_size);
    for start in (0..n_train).step_by(BLOCK) {
        counter.add(&tokens.read(start..n_train.min(start + BLOCK))?);
    }
    let val = tokens.read(n_train..tokens.len().min(n_train + MEASURED))?;
    Ok(counter.finish().baselines(&val))
}
