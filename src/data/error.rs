//! What can be wrong with text and vocabularies.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// What is wrong with the data, and what to change.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DataError {
    /// There is no text.
    #[error("the text is empty; choose a file with some text in it")]
    Empty,
    /// The bytes are no text in an encoding that is understood.
    #[error("byte {at} is not UTF-8; save the file as UTF-8 and choose it again")]
    Encoding {
        /// Position of the first byte that does not fit.
        at: usize,
    },
    /// A file cannot be read.
    #[error("the text cannot be read: {problem}")]
    Read {
        /// What the system says.
        problem: String,
    },
    /// A file cannot be used.
    #[error("{path}: {problem}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// What is wrong with one of several files.
    #[error("{name}: {problem}")]
    InFile {
        /// Which file.
        name: String,
        /// What is wrong with it.
        problem: Box<DataError>,
    },
    /// More text than fits.
    #[error(
        "the text has {} MB, and {} MB fit here; choose a part of it, or train with the command line (glasshead train)",
        bytes / 1_000_000, most / 1_000_000
    )]
    TooLarge {
        /// What there is.
        bytes: usize,
        /// What there may be.
        most: usize,
    },
    /// There is no memory for the text.
    #[error("there is not enough memory for a text of {mib} MiB; choose a shorter one")]
    NoMemory {
        /// The size of its files.
        mib: usize,
    },
    /// A file of another kind than text.
    #[error("this {advice}")]
    OtherKind {
        /// What it is and what to do.
        advice: &'static str,
    },
    /// A line of a `.jsonl` file cannot be read.
    #[error("line {line} is not what a .jsonl file has on a line ({problem}); correct or delete it")]
    JsonLine {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// No row has text in the chosen field.
    #[error("no row of {rows} has text in the field {field:?}; {}", choose("fields", there))]
    NoField {
        /// How many rows there are.
        rows: u64,
        /// The field that was asked for.
        field: String,
        /// The fields with text in the first rows.
        there: String,
    },
    /// A Parquet file is damaged, or has something that cannot be read.
    #[error(
        "this Parquet file cannot be read: {problem}; write it again, for example with pandas.read_parquet and \
         to_parquet, or as .jsonl with to_json"
    )]
    Parquet {
        /// What is wrong with it.
        problem: String,
    },
    /// A Parquet file is compressed in a way that is not known here.
    #[error(
        "its column {column} is compressed with {codec}, and only Snappy is known here; write it again, for example with \
         pandas.read_parquet and to_parquet(compression=\"snappy\")"
    )]
    ParquetCodec {
        /// Which column.
        column: String,
        /// How it is compressed.
        codec: String,
    },
    /// A Parquet file lacks the column with the text.
    #[error("there is no column {field:?} with text; {}", choose("columns", there))]
    NoColumn {
        /// The column that was asked for.
        field: String,
        /// The columns with text that there are.
        there: String,
    },
    /// A special token without text.
    #[error("a special token is empty; give it some text, or leave it out")]
    EmptySpecial,
    /// More different pre-tokens than a vocabulary can be trained on.
    #[error("the text has more than 4 GiB of different words; train the tokenizer on a part of it")]
    TooManyWords,
    /// A part of the text is too short for one window.
    #[error(
        "the {part} text has {tokens} tokens, and a context of {context_length} needs {needed}; choose a longer text \
         or a shorter context_length",
        needed = context_length + 1
    )]
    TooShort {
        /// `training` or `held-out`.
        part: &'static str,
        /// What there is.
        tokens: usize,
        /// T
        context_length: usize,
    },
    /// The vocabulary has no room for the bytes.
    #[error("vocab_size {vocab_size} is too small; 256 bytes and special tokens ({specials}) need {least}")]
    VocabularyTooSmall {
        /// What was asked for.
        vocab_size: usize,
        /// How many special tokens there are.
        specials: usize,
        /// The smallest size that works.
        least: usize,
    },
    /// A tokenizer file asks for something else than byte-level BPE with GPT-2's pre-tokenisation.
    #[error(
        "the tokenizer has {what}, and only byte-level BPE as GPT-2 has it can be used; choose the tokenizer.json of a \
         model of GPT-2's kind, or train one"
    )]
    OtherTokenizer {
        /// What does not fit.
        what: String,
    },
    /// A line of a `.tiktoken` file is not a token in Base64, a space and its rank.
    #[error("line {line} is not a token in Base64, a space and a rank; choose a .tiktoken file")]
    Ranks {
        /// Counted from 1.
        line: usize,
    },
    /// A rank file of an encoding that is not known.
    #[error(
        "this rank file has {n_ranks} ranks and is none of r50k_base, p50k_base, cl100k_base and o200k_base; name the \
         pattern that it was made with (--pattern {names}), or choose the tokenizer.json of its model"
    )]
    UnknownRanks {
        /// How many ranks it has.
        n_ranks: usize,
        /// The patterns to choose from.
        names: String,
    },
    /// A tokenizer of SentencePiece's kind.
    #[error(
        "the tokenizer is of SentencePiece's kind (byte_fallback), as Llama 2 and Mistral have it, and only byte-level \
         BPE can be read; choose a model with byte-level BPE, such as Llama 3, Qwen 2, SmolLM or GPT-2"
    )]
    SentencePiece,
    /// The library refused the vocabulary, or a tokenizer file cannot be read.
    #[error("the tokenizer cannot be used: {0}")]
    Tokenizer(String),
}

/// What to do, where these are the fields or columns with text.
fn choose(what: &str, there: &str) -> String {
    match there {
        "" => format!("none of its {what} holds text, so choose another file"),
        _ => format!("choose one of its {what}: {there}"),
    }
}

impl DataError {
    /// What the system says of a file, and what to do where that is clear.
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

    /// What went wrong while text was read; a reader of ours says it as one of these.
    pub fn from_read(error: io::Error) -> Self {
        let problem = error.to_string();
        error.downcast::<Self>().unwrap_or(Self::Read { problem })
    }
}
