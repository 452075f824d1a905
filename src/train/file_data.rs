//! A text file of any size as tokens to train on: encoded once into a file beside the model, of which training reads
//! windows.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use super::prepare::{TOKENIZER_BYTES, train_tokenizer};
use crate::config::RunConfig;
use crate::data::{BigramCounter, DataError, TokenFile, Tokenizer, decode_text};
use crate::protocol::Baselines;

/// Tokens that are read at once while counting.
const BLOCK: usize = 1 << 20;

/// Held-out tokens that the baselines are measured on, at most.
const MEASURED: usize = 1 << 20;

/// Text, tokenizer and tokens of a run on a file.
pub struct FileData {
    /// Trained on the beginning of the text, or given.
    pub tokenizer: Tokenizer,
    /// All tokens.
    pub tokens: TokenFile,
    /// How many of them are to be trained on; the others are held out.
    pub n_train: usize,
    /// What the model has to beat on the held-out part.
    pub baselines: Baselines,
    /// Size of the text.
    pub text_bytes: u64,
}

/// Encodes the text in `path` into a file in `folder`, unless that was done already, and counts the baselines. Without
/// a tokenizer, one of `config.model.vocab_size` is trained, and the size is set to what came of it.
///
/// # Errors
/// When a file cannot be read or written, is not UTF-8, or is too short for the context.
pub fn prepare_file(
    path: &Path,
    folder: &Path,
    tokenizer: Option<Tokenizer>,
    config: &mut RunConfig,
) -> Result<FileData, DataError> {
    let facts = fs::metadata(path).map_err(|error| file_error(path, &error))?;
    let tokenizer = match tokenizer {
        Some(tokenizer) => tokenizer,
        None => train_tokenizer(&beginning(path, facts.len())?, config)?,
    };
    fs::create_dir_all(folder).map_err(|error| file_error(folder, &error))?;
    let encoded = folder.join(file_name(path, &facts, &tokenizer)?);
    if !encoded.exists() {
        TokenFile::write(&encoded, open_text(path)?, &tokenizer)?;
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
    Ok(FileData { tokenizer, tokens, n_train, baselines, text_bytes: facts.len() })
}

/// Another name for another text, another state of it, or another vocabulary.
fn file_name(path: &Path, facts: &fs::Metadata, tokenizer: &Tokenizer) -> Result<PathBuf, DataError> {
    let mut hasher = DefaultHasher::new();
    let whole = path.canonicalize().map_err(|error| file_error(path, &error))?;
    (whole, facts.len(), facts.modified().ok(), tokenizer.to_json()?).hash(&mut hasher);
    Ok(format!("tokens-{:016x}.bin", hasher.finish()).into())
}

/// The bytes of the text, as UTF-8 without a byte-order mark. Only a text in UTF-16 has to be in memory as a whole.
fn open_text(path: &Path) -> Result<Box<dyn Read>, DataError> {
    let mut file = File::open(path).map_err(|error| file_error(path, &error))?;
    let mut mark = Vec::new();
    (&mut file).take(3).read_to_end(&mut mark).map_err(|error| file_error(path, &error))?;
    match mark.as_slice() {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            file.read_to_end(&mut mark).map_err(|error| file_error(path, &error))?;
            Ok(Box::new(Cursor::new(decode_text(mark)?.into_bytes())))
        }
        [0xef, 0xbb, 0xbf] => Ok(Box::new(file)),
        _ => Ok(Box::new(Cursor::new(mark).chain(file))),
    }
}

/// As much of the text as a tokenizer learns from, with the tenth that it holds out of that.
fn beginning(path: &Path, text_bytes: u64) -> Result<String, DataError> {
    let mut bytes = Vec::new();
    let most = text_bytes.min(TOKENIZER_BYTES as u64 * 10 / 9);
    open_text(path)?.take(most).read_to_end(&mut bytes).map_err(|error| file_error(path, &error))?;
    let cut = bytes.len();
    if let Err(error) = std::str::from_utf8(&bytes) {
        // The end may have cut a character.
        if error.error_len().is_none() && cut as u64 == most {
            bytes.truncate(error.valid_up_to());
        }
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

fn file_error(path: &Path, error: &std::io::Error) -> DataError {
    DataError::File { path: path.into(), problem: error.to_string() }
}
