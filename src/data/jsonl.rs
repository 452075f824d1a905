//! Texts in JSON Lines: an object on every line, of which one field is the text.

use std::io::{self, BufRead, Read};

use rustc_hash::FxHashSet;
use serde_json::{Map, Value};

use super::error::DataError;
use super::tokenizer::END_OF_TEXT;

/// The field that holds the text unless told otherwise.
pub const TEXT_FIELD: &str = "text";

/// Lines that [`jsonl_fields`] looks at.
const LINES_LOOKED_AT: usize = 20;

/// Fields that a sentence names.
const FIELDS_NAMED: usize = 30;

/// The fields with text in the first lines of a file, in the order in which they come.
pub fn jsonl_fields(bytes: &[u8]) -> Vec<String> {
    let (mut fields, mut known): (Vec<String>, FxHashSet<String>) = Default::default();
    for line in bytes.split(|&byte| byte == b'\n').take(LINES_LOOKED_AT) {
        let Ok(object) = serde_json::from_slice::<Map<String, Value>>(line) else { continue };
        let texts = object.into_iter().filter(|(_, value)| value.is_string());
        fields.extend(texts.map(|(field, _)| field).filter(|field| known.insert(field.clone())));
    }
    fields
}

/// The text of one line; none for an empty line.
fn line_text(line: &str, number: usize, field: &str) -> Result<Option<String>, DataError> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    let bad = |problem: String| DataError::JsonLine { line: number, problem };
    let mut object: Map<String, Value> = serde_json::from_str(line).map_err(|error| bad(error.to_string()))?;
    match object.remove(field) {
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(bad(format!("its field {field:?} is no text"))),
        None => {
            let there: Vec<&str> = object.keys().map(String::as_str).take(FIELDS_NAMED).collect();
            Err(DataError::NoField { line: number, field: field.into(), there: there.join(", ") })
        }
    }
}

/// Reads the texts of a `.jsonl` file as one text, each followed by [`END_OF_TEXT`] and a new line; a line in memory
/// at a time.
pub struct JsonlReader<R> {
    reader: R,
    field: String,
    line: usize,
    text: Vec<u8>,
    /// How much of `text` was given out.
    at: usize,
}

impl<R: BufRead> JsonlReader<R> {
    /// The texts in `field`.
    pub fn new(reader: R, field: &str) -> Self {
        Self { reader, field: field.into(), line: 0, text: Vec::new(), at: 0 }
    }

    /// The next text with what ends it; empty at the end of the file.
    fn next_text(&mut self) -> io::Result<String> {
        let mut line = String::new();
        let not_utf8 = |line| {
            move |error: io::Error| match error.kind() {
                io::ErrorKind::InvalidData => {
                    io::Error::other(DataError::JsonLine { line, problem: "it is not UTF-8".into() })
                }
                _ => error,
            }
        };
        while self.reader.read_line(&mut line).map_err(not_utf8(self.line + 1))? > 0 {
            self.line += 1;
            if let Some(text) = line_text(&line, self.line, &self.field).map_err(io::Error::other)? {
                return Ok(text + END_OF_TEXT + "\n");
            }
            line.clear();
        }
        Ok(String::new())
    }
}

impl<R: BufRead> Read for JsonlReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.text.len() {
            (self.text, self.at) = (self.next_text()?.into_bytes(), 0);
        }
        let n = out.len().min(self.text.len() - self.at);
        out[..n].copy_from_slice(&self.text[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}
