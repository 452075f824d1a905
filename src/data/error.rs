//! Errors in text and vocabularies.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A problem with the data, and how to fix it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DataError {
    /// The text is empty.
    #[error("the text is empty; choose a file with some text in it")]
    Empty,
    /// The bytes are not text in a supported encoding.
    #[error("byte {at} is not UTF-8; save the file as UTF-8 and choose it again")]
    Encoding {
        /// Position of the first invalid byte.
        at: usize,
    },
    /// A file cannot be read.
    #[error("the text cannot be read: {problem}")]
    Read {
        /// The system's error message.
        problem: String,
    },
    /// A file cannot be used.
    #[error("{path}: {problem}", path = path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// A problem in one of several files.
    #[error("{name}: {problem}")]
    InFile {
        /// The file's name.
        name: String,
        /// The problem.
        problem: Box<DataError>,
    },
    /// The text is too long.
    #[error(
        "the text has {} MB, and {} MB fit here; choose a part of it, or train with the command line (glasshead train)",
        bytes / 1_000_000, most / 1_000_000
    )]
    TooLarge {
        /// The actual size.
        bytes: usize,
        /// The maximum size.
        most: usize,
    },
    /// There is no memory for the text.
    #[error("there is not enough memory for a text of {mib} MiB; choose a shorter one")]
    NoMemory {
        /// The size of its files.
        mib: usize,
    },
    /// The file is not text.
    #[error("this {advice}")]
    OtherKind {
        /// Its type and what to do.
        advice: &'static str,
    },
    /// A line of a `.jsonl` file is malformed.
    #[error("line {line} is not what a .jsonl file has on a line ({problem}); correct or delete it")]
    JsonLine {
        /// The line number, from 1.
        line: usize,
        /// The problem.
        problem: String,
    },
    /// No row has text in the chosen field.
    #[error("no row of {rows} has text in the field {field:?}; {}", choose("fields", there))]
    NoField {
        /// The number of rows.
        rows: u64,
        /// The requested field.
        field: String,
        /// The text fields of the first rows.
        there: String,
    },
    /// A Parquet file is damaged or uses an unsupported feature.
    #[error(
        "this Parquet file cannot be read: {problem}; write it again, for example with pandas.read_parquet and \
         to_parquet, or as .jsonl with to_json"
    )]
    Parquet {
        /// The problem.
        problem: String,
    },
    /// A Parquet file uses an unsupported compression.
    #[error(
        "its column {column} is compressed with {codec}, and only Snappy is known here; write it again, for example with \
         pandas.read_parquet and to_parquet(compression=\"snappy\")"
    )]
    ParquetCodec {
        /// The column.
        column: String,
        /// The compression.
        codec: String,
    },
    /// A Parquet file lacks the requested column.
    #[error("there is no column {field:?} with text; {}", choose("columns", there))]
    NoColumn {
        /// The requested column.
        field: String,
        /// The available string columns.
        there: String,
    },
    /// A special token is empty.
    #[error("a special token is empty; give it some text, or leave it out")]
    EmptySpecial,
    /// There are more different pre-tokens than training supports.
    #[error("the text has more than 4 GiB of different words; train the tokenizer on a part of it")]
    TooManyWords,
    /// A part of the text is shorter than one window.
    #[error(
        "the {part} text has {tokens} tokens, and a context of {context_length} needs {needed}; choose a longer text \
         or a shorter context_length",
        needed = context_length + 1
    )]
    TooShort {
        /// The part: `training` or `held-out`.
        part: &'static str,
        /// The actual number of tokens.
        tokens: usize,
        /// T: the context length.
        context_length: usize,
    },
    /// The vocabulary has no room for the 256 bytes.
    #[error("vocab_size {vocab_size} is too small; 256 bytes and special tokens ({specials}) need {least}")]
    VocabularyTooSmall {
        /// The requested size.
        vocab_size: usize,
        /// The number of special tokens.
        specials: usize,
        /// The minimum size.
        least: usize,
    },
    /// A tokenizer file describes something other than byte-level BPE with a supported pre-tokenizer.
    #[error(
        "the tokenizer has {what}, and only byte-level BPE as GPT-2 has it can be used; choose the tokenizer.json of a \
         model of GPT-2's kind, or train one"
    )]
    OtherTokenizer {
        /// The unsupported part.
        what: String,
    },
    /// A line of a `.tiktoken` file is not a token in Base64, a space and its rank.
    #[error("line {line} is not a token in Base64, a space and a rank; choose a .tiktoken file")]
    Ranks {
        /// The line number, from 1.
        line: usize,
    },
    /// A rank file of an unknown encoding.
    #[error(
        "this rank file has {n_ranks} ranks and is none of r50k_base, p50k_base, cl100k_base and o200k_base; name the \
         pattern that it was made with (--pattern {names}), or choose the tokenizer.json of its model"
    )]
    UnknownRanks {
        /// The number of its ranks.
        n_ranks: usize,
        /// The available patterns.
        names: String,
    },
    /// A SentencePiece tokenizer.
    #[error(
        "the tokenizer is of SentencePiece's kind (byte_fallback), as Llama 2 and Mistral have it, and only byte-level \
         BPE can be read; choose a model with byte-level BPE, such as Llama 3, Qwen 2, SmolLM or GPT-2"
    )]
    SentencePiece,
    /// The `tokenizers` crate rejected the vocabulary, or a tokenizer file cannot be read.
    #[error("the tokenizer cannot be used: {0}")]
    Tokenizer(String),
}

/// Advice, given the available text fields or columns.
fn choose(what: &str, there: &str) -> String {
    match there {
        "" => format!("none of its {what} holds text, so choose another file"),
        _ => format!("choose one of its {what}: {there}"),
    }
}

impl DataError {
    /// The system's error message for a file, with advice where possible.
    pub fn of_file(path: &Path, error: &io::Error) -> Self {
        let problem = match error.kind() {
            io::ErrorKind::NotFound => "there is no such file or folder; check the name".into(),
            io::ErrorKind::IsADirectory => "this is a folder; name a file".into(),
            io::ErrorKind::NotADirectory => "it would lie within a file; name a folder instead of that".into(),
            io::ErrorKind::AlreadyExists => "there is a file of this name; choose another folder".into(),
            _ => error.to_string(),
        };
        Self::File { path: path.into(), problem }
    }

    /// Unwraps an error that one of this crate's readers returned as an I/O error.
    pub fn from_read(error: io::Error) -> Self {
        let problem = error.to_string();
        error.downcast::<Self>().unwrap_or(Self::Read { problem })
    }
}
