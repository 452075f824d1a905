//! The user's rows in JSON Lines: prompts with answers (reinforcement learning), with responses (supervised fine-tuning), or
//! with a chosen and a rejected response (preference optimization). Other fields are ignored.

use std::io::{BufRead, Read as _};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::error::{AlignError, shown};
use crate::data::{is_held_out, without_no_numbers};

/// The maximum length of a line in bytes.
pub const MAX_ROW_BYTES: usize = 1 << 20;

/// The maximum number of rows of a file.
pub const MAX_ROWS: usize = 1_000_000;

/// The maximum total length of a file's rows in bytes.
const MAX_TOTAL_BYTES: usize = 1 << 28;

/// A prompt, with its answer if a judge needs one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptRow {
    /// The prompt.
    pub prompt: String,
    /// The right answer.
    pub answer: Option<String>,
}

/// A prompt with the response to learn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseRow {
    /// The prompt.
    pub prompt: String,
    /// The response.
    pub response: String,
}

/// A prompt with a better and a worse response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreferenceRow {
    /// The prompt.
    pub prompt: String,
    /// The better response.
    pub chosen: String,
    /// The worse response.
    pub rejected: String,
}

/// A string, or a number, which becomes its text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    String(String),
    Number(serde_json::Number),
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        match text {
            Text::String(text) => text,
            Text::Number(number) => number.to_string(),
        }
    }
}

#[derive(Deserialize)]
struct Prompt {
    prompt: String,
    #[serde(default, alias = "ground_truth", alias = "target")]
    answer: Option<Text>,
}

#[derive(Deserialize)]
struct WithResponse {
    prompt: String,
    #[serde(alias = "completion")]
    response: String,
}

#[derive(Deserialize)]
struct Preference {
    prompt: String,
    chosen: String,
    rejected: String,
}

/// Reads rows with `prompt` and `answer` (text or a number). Without `needs_answer`, `answer` may be missing.
///
/// # Errors
/// When a line is malformed or too long, or there are no rows or too many.
pub fn read_prompts(reader: impl BufRead, needs_answer: bool) -> Result<Vec<PromptRow>, AlignError> {
    read(reader, "`prompt` and `answer`", |row: Prompt| {
        let answer = row.answer.map(String::from);
        if needs_answer && answer.is_none() {
            return Err(RowError::NoAnswer);
        }
        Ok(PromptRow { prompt: row.prompt, answer })
    })
}

/// Reads rows with `prompt` and `response` (or `completion`).
///
/// # Errors
/// When a line is malformed or too long, or there are no rows or too many.
pub fn read_responses(reader: impl BufRead) -> Result<Vec<ResponseRow>, AlignError> {
    read(reader, "`prompt` and `response`", |row: WithResponse| {
        not_empty("response", &row.response)?;
        Ok(ResponseRow { prompt: row.prompt, response: row.response })
    })
}

/// Reads rows with `prompt`, `chosen` and `rejected`.
///
/// # Errors
/// When a line is malformed or too long, both responses are equal, or there are no rows or too many.
pub fn read_preferences(reader: impl BufRead) -> Result<Vec<PreferenceRow>, AlignError> {
    read(reader, "`prompt`, `chosen` and `rejected`", |row: Preference| {
        not_empty("chosen", &row.chosen)?;
        if row.chosen == row.rejected {
            return Err(RowError::Equal);
        }
        Ok(PreferenceRow { prompt: row.prompt, chosen: row.chosen, rejected: row.rejected })
    })
}

/// Why a row cannot be learned from.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
enum RowError {
    #[error("missing field `answer`, which the judge compares with")]
    NoAnswer,
    #[error("`{0}` is empty")]
    Empty(&'static str),
    #[error("`chosen` and `rejected` are equal; delete the row")]
    Equal,
}

fn not_empty(field: &'static str, text: &str) -> Result<(), RowError> {
    if text.is_empty() { Err(RowError::Empty(field)) } else { Ok(()) }
}

fn read<Raw: DeserializeOwned, Row>(
    mut reader: impl BufRead,
    fields: &'static str,
    convert: impl Fn(Raw) -> Result<Row, RowError>,
) -> Result<Vec<Row>, AlignError> {
    let (mut rows, mut line, mut number, mut total) = (Vec::new(), Vec::new(), 0, 0);
    loop {
        line.clear();
        let n = reader
            .by_ref()
            .take(MAX_ROW_BYTES as u64 + 1)
            .read_until(b'\n', &mut line)
            .map_err(|error| AlignError::Read { problem: error.to_string() })?;
        if n == 0 {
            break;
        }
        (number, total) = (number + 1, total + n);
        let wrong = |problem: String| AlignError::Row { line: number, problem };
        if n > MAX_ROW_BYTES {
            return Err(wrong(format!("it is longer than {MAX_ROW_BYTES} bytes")));
        }
        let text = std::str::from_utf8(&line).map_err(|_| wrong("it is not UTF-8".into()))?;
        let text = if number == 1 { text.trim_start_matches('\u{feff}') } else { text };
        if text.trim().is_empty() {
            continue;
        }
        if rows.len() == MAX_ROWS || total > MAX_TOTAL_BYTES {
            return Err(AlignError::TooManyRows { most: rows.len() });
        }
        if !text.trim_start().starts_with('{') {
            return Err(wrong(format!("expected a JSON object with {fields}")));
        }
        let raw = parsed(text).map_err(|error| wrong(problem_of(&error, fields)))?;
        rows.push(convert(raw).map_err(|error| wrong(error.to_string()))?);
    }
    if rows.is_empty() { Err(AlignError::NoRows { fields }) } else { Ok(rows) }
}

/// A row; NaN and Infinity, which Python's `json` writes, may occur in fields that are not read.
fn parsed<Raw: DeserializeOwned>(text: &str) -> Result<Raw, serde_json::Error> {
    serde_json::from_str(text).or_else(|error| match without_no_numbers(text) {
        Some(text) => serde_json::from_str(&text).map_err(|_| error),
        None => Err(error),
    })
}

/// Splits rows into those to train on and those held out, by a hash of the prompt: the same prompts in every file and run,
/// chosen as for the built-in tasks.
pub fn split_held_out<Row>(rows: Vec<Row>, prompt: impl Fn(&Row) -> &str) -> (Vec<Row>, Vec<Row>) {
    rows.into_iter().partition(|row| !is_held_out(prompt(row)))
}

/// A message of serde_json, with the column but without the line, which is always 1.
fn problem_of(error: &serde_json::Error, fields: &str) -> String {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    let message = shown(message);
    format!("{message} (column {}); expected a JSON object with {fields}", error.column())
}
