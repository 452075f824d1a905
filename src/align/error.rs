//! Errors in rows, settings and shapes of alignment.

use thiserror::Error;

/// A problem with alignment data or settings, and how to fix it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AlignError {
    /// A tensor does not have the number of elements that the batch needs.
    #[error("{what} has {found} elements; expected {expected}")]
    Length {
        /// The tensor.
        what: &'static str,
        /// Its number of elements.
        found: usize,
        /// The expected number.
        expected: usize,
    },
    /// The rewards do not form complete groups.
    #[error("{rewards} rewards do not form groups of {group_size}; send a multiple of the group size")]
    Groups {
        /// Number of rewards.
        rewards: usize,
        /// Responses per prompt.
        group_size: usize,
    },
    /// A setting is out of range.
    #[error("{field} is {found}; expected {expected}")]
    Setting {
        /// The setting.
        field: &'static str,
        /// Its value.
        found: String,
        /// Valid values.
        expected: &'static str,
    },
    /// An objective needs log-probabilities that are missing.
    #[error("{method} needs {needed}, which are missing")]
    Missing {
        /// The objective or penalty.
        method: &'static str,
        /// The missing log-probabilities.
        needed: &'static str,
    },
    /// A reward specification cannot be parsed.
    #[error("reward `{spec}`: {problem}")]
    Reward {
        /// The specification.
        spec: String,
        /// The problem and valid values.
        problem: String,
    },
    /// A prompt template cannot be parsed.
    #[error("template `{template}`: {problem}")]
    Template {
        /// The template.
        template: String,
        /// The problem and an example.
        problem: &'static str,
    },
    /// The tokenizer has no end-of-text token.
    #[error(
        "the template ends with <|endoftext|>, but the tokenizer has no such token; end the template with a line break"
    )]
    NoEndOfText,
    /// A row of a file cannot be used.
    #[error("line {line}: {problem}")]
    Row {
        /// The line number, from 1.
        line: usize,
        /// The problem and what to change.
        problem: String,
    },
    /// A file contains no rows.
    #[error("the file contains no rows; expected one JSON object per line with {fields}")]
    NoRows {
        /// The required fields.
        fields: &'static str,
    },
    /// A file contains too many rows.
    #[error("the file contains more than {most} rows; split it")]
    TooManyRows {
        /// The maximum number.
        most: usize,
    },
    /// Reading failed.
    #[error("the rows cannot be read: {problem}")]
    Read {
        /// The system's error message.
        problem: String,
    },
    /// A row does not fit into the context.
    #[error(
        "row {row} has {found} tokens (prompt and response), but the context has {most}; shorten the row or raise \
         context_length"
    )]
    TooLong {
        /// Index of the row, from 1.
        row: usize,
        /// Its number of tokens.
        found: usize,
        /// The context length plus one.
        most: usize,
    },
}

/// The maximum number of characters that a message quotes.
const MAX_SHOWN: usize = 200;

/// The beginning of a text, for a message.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}

/// Checks the number of elements of a tensor.
pub(super) fn expect_len(what: &'static str, found: usize, expected: usize) -> Result<(), AlignError> {
    if found == expected { Ok(()) } else { Err(AlignError::Length { what, found, expected }) }
}
