//! Where documents come from: WARC and WET archives, HTML and text files, JSON Lines, each plain or compressed with gzip
//! or Zstandard. Everything is streamed: memory depends on the longest document, not on the file.

use std::io::{self, BufRead, BufReader, Read};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::document::Document;

mod files;
mod http;
mod jsonl;
mod lines;
mod unpack;
mod warc;

pub use unpack::{MAX_RATIO, unpack};

/// Separates documents in text files.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// Documents that a source could not deliver, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Longer than the limit.
    pub too_long: u64,
    /// Records and lines that are no valid WARC, HTTP or JSON.
    pub damaged: u64,
    /// Rows without text, and empty files.
    pub no_text: u64,
}

impl Skipped {
    /// All skipped documents.
    pub fn total(&self) -> u64 {
        self.too_long + self.damaged + self.no_text
    }

    /// Adds the counts of another source.
    pub fn add(&mut self, other: Self) {
        self.too_long += other.too_long;
        self.damaged += other.damaged;
        self.no_text += other.no_text;
    }
}

/// Why a source ends early.
#[derive(Debug, Error)]
pub enum SourceError {
    /// Reading fails.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// The file ends inside a compressed member, a record or a page.
    #[error("ends early; the documents before the end are used")]
    Truncated,
    /// The compressed data is damaged.
    #[error("has damaged compressed data after {0} bytes; the documents before it are used")]
    Damaged(u64),
    /// The compressed data expands too much.
    #[error(
        "expands to more than {MAX_RATIO} times its size after {0} bytes; no text does that, so the rest is not read"
    )]
    Bomb(u64),
    /// The type is not supported.
    #[error("is {0}; use WARC, WET, HTML, JSON Lines or plain text, or compress it with gzip or Zstandard")]
    Kind(&'static str),
}

/// A stream of documents.
pub trait DocumentReader: Send {
    /// The next document; `None` at the end.
    ///
    /// # Errors
    /// When the source cannot deliver more documents. The documents so far remain valid.
    fn next_document(&mut self) -> Result<Option<Document>, SourceError>;

    /// What has been skipped so far.
    fn skipped(&self) -> Skipped;
}

/// Opens a stream by its content and name. `field` is the field of JSON Lines with the text.
///
/// # Errors
/// When the stream cannot be read, or its type is not supported.
pub fn open<'r>(
    name: &str,
    reader: impl Read + Send + 'r,
    field: &str,
) -> Result<Box<dyn DocumentReader + 'r>, SourceError> {
    let mut reader = BufReader::with_capacity(1 << 16, unpack(reader)?);
    let start = fill(&mut reader)?;
    if let Some(kind) = other_kind(start) {
        return Err(SourceError::Kind(kind));
    }
    let lower = name.to_ascii_lowercase();
    let bare = lower.trim_end_matches(".gz").trim_end_matches(".zst");
    let is = |ends: &[&str]| ends.iter().any(|end| bare.ends_with(end));
    if start.starts_with(b"WARC/") || is(&[".warc", ".wet"]) {
        return Ok(Box::new(warc::WarcReader::new(reader)));
    }
    if is(&[".jsonl", ".ndjson"]) || (is(&[".json"]) && start.trim_ascii_start().starts_with(b"{")) {
        return Ok(Box::new(jsonl::JsonlReader::new(reader, name, field)));
    }
    if is(&[".html", ".htm", ".xhtml"]) || (!is(&[".txt", ".md"]) && crate::html::is_html(start)) {
        return Ok(Box::new(files::PageReader::new(reader, name)));
    }
    Ok(Box::new(files::TextReader::new(reader, name)))
}

/// The buffered start of a stream.
fn fill(reader: &mut impl BufRead) -> Result<&[u8], SourceError> {
    reader.fill_buf().map_err(unpack::explain)
}

/// Well-known types that are no text.
fn other_kind(start: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 6] = [
        (b"PK\x03\x04", "a ZIP archive or an office document"),
        (b"%PDF", "a PDF"),
        (b"PAR1", "a Parquet file"),
        (b"\x89PNG", "an image"),
        (b"\xff\xd8\xff", "an image"),
        (b"BZh", "compressed with bzip2"),
    ];
    KINDS.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests;
