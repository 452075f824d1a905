//! HTML files, which are one document each, and text files, whose documents are separated by `<|endoftext|>`.

use std::io::{BufRead, Read};

use super::lines::{Line, read_line};
use super::unpack::explain;
use super::{DocumentReader, END_OF_TEXT, Skipped, SourceError};
use crate::document::{Document, MAX_DOCUMENT_BYTES};
use crate::html::decode;

/// Reads one page.
pub(super) struct PageReader<R> {
    reader: Option<R>,
    name: String,
    skipped: Skipped,
}

impl<R: Read> PageReader<R> {
    pub(super) fn new(reader: R, name: &str) -> Self {
        Self { reader: Some(reader), name: name.into(), skipped: Skipped::default() }
    }
}

impl<R: Read + Send> DocumentReader for PageReader<R> {
    fn next_document(&mut self) -> Result<Option<Document>, SourceError> {
        let Some(reader) = self.reader.take() else { return Ok(None) };
        let mut bytes = Vec::new();
        reader.take(MAX_DOCUMENT_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(explain)?;
        if bytes.len() > MAX_DOCUMENT_BYTES {
            self.skipped.too_long += 1;
            return Ok(None);
        }
        if bytes.trim_ascii().is_empty() {
            self.skipped.no_text += 1;
            return Ok(None);
        }
        Ok(Some(Document::html(self.name.as_str(), bytes)))
    }

    fn skipped(&self) -> Skipped {
        self.skipped
    }
}

/// Reads the documents of a text file.
pub(super) struct TextReader<R> {
    reader: R,
    name: String,
    /// The bytes of the current document.
    bytes: Vec<u8>,
    too_long: bool,
    line: Vec<u8>,
    n_documents: u64,
    ended: bool,
    skipped: Skipped,
}

impl<R: BufRead> TextReader<R> {
    pub(super) fn new(reader: R, name: &str) -> Self {
        let (bytes, line, skipped) = (Vec::new(), Vec::new(), Skipped::default());
        Self { reader, name: name.into(), bytes, too_long: false, line, n_documents: 0, ended: false, skipped }
    }

    fn add(&mut self, part: &[u8]) {
        self.too_long |= self.bytes.len() + part.len() > MAX_DOCUMENT_BYTES;
        if self.too_long { self.bytes.clear() } else { self.bytes.extend_from_slice(part) }
    }

    /// Ends the current document.
    fn finish(&mut self) -> Option<Document> {
        let bytes = std::mem::take(&mut self.bytes);
        if std::mem::take(&mut self.too_long) {
            self.skipped.too_long += 1;
            return None;
        }
        let text = decode(&bytes, None);
        let text = text.trim_matches(['\n', '\r']);
        if text.trim().is_empty() {
            return None;
        }
        self.n_documents += 1;
        let url = if self.n_documents == 1 { self.name.clone() } else { format!("{}:{}", self.name, self.n_documents) };
        Some(Document::text(url, text))
    }
}

impl<R: BufRead + Send> DocumentReader for TextReader<R> {
    fn next_document(&mut self) -> Result<Option<Document>, SourceError> {
        loop {
            if self.ended {
                return Ok(None);
            }
            // What follows a separator in a line waits for the next call.
            let mut line = std::mem::take(&mut self.line);
            if line.is_empty() {
                match read_line(&mut self.reader, MAX_DOCUMENT_BYTES, &mut line)? {
                    Line::End => {
                        self.ended = true;
                        let last = self.finish();
                        if last.is_none() && self.n_documents == 0 && self.skipped.total() == 0 {
                            self.skipped.no_text += 1;
                        }
                        return Ok(last);
                    }
                    Line::TooLong => {
                        self.too_long = true;
                        continue;
                    }
                    Line::Read => line.push(b'\n'),
                }
            }
            let mark = END_OF_TEXT.as_bytes();
            match line.windows(mark.len()).position(|window| window == mark) {
                Some(at) => {
                    self.add(&line[..at]);
                    line.drain(..at + mark.len());
                    self.line = line;
                    if let Some(document) = self.finish() {
                        return Ok(Some(document));
                    }
                }
                None => self.add(&line),
            }
        }
    }

    fn skipped(&self) -> Skipped {
        self.skipped
    }
}
