//! JSON Lines: one object per line, with the text in one field, and optionally `url` or `id` and `html`.

use std::io::BufRead;

use serde_json::{Map, Value};

use super::lines::{Line, read_line};
use super::{DocumentReader, Skipped, SourceError};
use crate::document::{Document, MAX_DOCUMENT_BYTES};

pub(super) struct JsonlReader<R> {
    reader: R,
    name: String,
    field: String,
    line: Vec<u8>,
    n_lines: u64,
    skipped: Skipped,
}

impl<R: BufRead> JsonlReader<R> {
    pub(super) fn new(reader: R, name: &str, field: &str) -> Self {
        let (name, field) = (name.into(), field.into());
        Self { reader, name, field, line: Vec::new(), n_lines: 0, skipped: Skipped::default() }
    }

    /// The document of a row; `None` if it has no text.
    fn document(&self, mut row: Map<String, Value>) -> Option<Document> {
        let mut take = |field: &str| match row.remove(field) {
            Some(Value::String(text)) => Some(text),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let html = take("html");
        let address = take("url").or_else(|| take("id")).unwrap_or_else(|| format!("{}:{}", self.name, self.n_lines));
        if let Some(html) = html.filter(|html| self.field != "html" && !html.is_empty()) {
            return Some(Document::html(address, html));
        }
        let Some((first, rest)) = self.field.split_once('.') else {
            let text = take(&self.field)?;
            let is_page = self.field == "html";
            return Some(if is_page { Document::html(address, text) } else { Document::text(address, text) });
        };
        let inner = rest.split('.').try_fold(row.remove(first)?, |value, field| match value {
            Value::Object(mut object) => object.remove(field),
            _ => None,
        });
        match inner {
            Some(Value::String(text)) => Some(Document::text(address, text)),
            _ => None,
        }
    }
}

impl<R: BufRead + Send> DocumentReader for JsonlReader<R> {
    fn next_document(&mut self) -> Result<Option<Document>, SourceError> {
        loop {
            // Escapes make a line longer than its text.
            match read_line(&mut self.reader, 2 * MAX_DOCUMENT_BYTES, &mut self.line)? {
                Line::End => return Ok(None),
                Line::TooLong => self.skipped.too_long += 1,
                Line::Read => {
                    self.n_lines += 1;
                    let line = self.line.trim_ascii();
                    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
                    if line.is_empty() {
                        continue;
                    }
                    match serde_json::from_slice(line) {
                        Ok(row) => match self.document(row) {
                            Some(document) if document.n_bytes() <= MAX_DOCUMENT_BYTES => return Ok(Some(document)),
                            Some(_) => self.skipped.too_long += 1,
                            None => self.skipped.no_text += 1,
                        },
                        Err(_) => self.skipped.damaged += 1,
                    }
                }
            }
        }
    }

    fn skipped(&self) -> Skipped {
        self.skipped
    }
}
