//! Why the state refuses an entry. The messages are shown next to its field.

use thiserror::Error;

use crate::fields::not_a_number;
use glasshead::accounting::device::DeviceError;
use glasshead::config::ConfigError;

/// Why a configuration cannot be the draft.
#[derive(Debug, Error, PartialEq)]
pub enum DraftError {
    /// It is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It contradicts the chosen vocabulary.
    #[error(
        "vocab_size is {vocab_size}, the size of the chosen vocabulary {name}; to change it, train a vocabulary on the \
         text instead"
    )]
    Vocabulary {
        /// Name of the vocabulary.
        name: String,
        /// Its size.
        vocab_size: usize,
    },
    /// The device cannot train it.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// Why text typed into a field outside of the configuration is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EntryError {
    /// The number is too large.
    #[error("{name} cannot be {entry}; enter at most {max}")]
    TooLarge {
        /// Name of the field.
        name: &'static str,
        /// The entry.
        entry: String,
        /// The largest accepted number.
        max: u64,
    },
    /// The number is outside of its range.
    #[error("{name} cannot be {entry}; enter a number {range}")]
    Range {
        /// Name of the field.
        name: &'static str,
        /// The entry.
        entry: String,
        /// The accepted range, in words.
        range: &'static str,
    },
    /// The entry is not a number.
    #[error("{}", not_a_number(name, entry, *whole))]
    NotANumber {
        /// Name of the field.
        name: &'static str,
        /// The entry.
        entry: String,
        /// Whether a whole number is required.
        whole: bool,
    },
    /// A length of 0.
    #[error("max tokens is 0; enter at least 1")]
    NoTokens,
    /// Not an interval between autosaves.
    #[error("save_every cannot be “{0}”; enter seconds, 1 to 86400, or nothing for never")]
    Interval(String),
    /// Not a size of a vocabulary.
    #[error("The size has to be a number from {min} (256 bytes and the end of a text) to {max}.")]
    VocabularySize {
        /// The smallest accepted size.
        min: usize,
        /// The largest accepted size.
        max: usize,
    },
}
