//! WARC archives (ISO 28500): web pages of `response` and `resource` records, and the text of `conversion` records, which
//! WET archives consist of.

use std::io::{BufRead, Read};

use super::lines::{Line, read_line};
use super::unpack::explain;
use super::{DocumentReader, Skipped, SourceError, http};
use crate::document::{Content, Document, MAX_DOCUMENT_BYTES};

/// The maximum length of a header line, and number of header lines.
const MAX_HEADER_LINE: usize = 64 << 10;
const MAX_HEADERS: usize = 200;

/// The fields of a record that matter here.
#[derive(Default)]
struct Header {
    kind: String,
    url: String,
    content_type: String,
    n_bytes: u64,
}

pub(super) struct WarcReader<R> {
    reader: R,
    line: Vec<u8>,
    skipped: Skipped,
}

impl<R: BufRead> WarcReader<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, line: Vec::new(), skipped: Skipped::default() }
    }

    fn line(&mut self) -> Result<Line, SourceError> {
        read_line(&mut self.reader, MAX_HEADER_LINE, &mut self.line)
    }

    /// Reads the header of the next record; lines that belong to none are passed over and counted as one damaged
    /// record.
    fn header(&mut self) -> Result<Option<Header>, SourceError> {
        let mut damaged = false;
        loop {
            match self.line()? {
                Line::End => {
                    self.skipped.damaged += u64::from(damaged);
                    return Ok(None);
                }
                Line::Read if self.line.is_empty() => {}
                Line::Read if self.line.starts_with(b"WARC/") => {
                    self.skipped.damaged += u64::from(std::mem::take(&mut damaged));
                    match self.fields()? {
                        Some(header) => return Ok(Some(header)),
                        None => damaged = true,
                    }
                }
                _ => damaged = true,
            }
        }
    }

    /// The fields after the version; `None` if there is no valid length.
    fn fields(&mut self) -> Result<Option<Header>, SourceError> {
        let (mut header, mut length) = (Header::default(), None);
        for _ in 0..MAX_HEADERS {
            match self.line()? {
                Line::End => return Err(SourceError::Truncated),
                Line::TooLong => continue,
                Line::Read if self.line.is_empty() => {
                    header.n_bytes = length.unwrap_or(0);
                    return Ok(length.map(|_| header));
                }
                Line::Read => {}
            }
            let line = String::from_utf8_lossy(&self.line);
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "warc-type" => header.kind = value.to_ascii_lowercase(),
                "warc-target-uri" => header.url = value.trim_matches(['<', '>']).to_string(),
                "content-type" => header.content_type = value.to_ascii_lowercase(),
                "content-length" => length = value.parse().ok(),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Passes over the content of a record.
    fn skip(&mut self, n_bytes: u64) -> Result<(), SourceError> {
        let copied = std::io::copy(&mut self.reader.by_ref().take(n_bytes), &mut std::io::sink()).map_err(explain)?;
        if copied < n_bytes { Err(SourceError::Truncated) } else { Ok(()) }
    }

    fn block(&mut self, n_bytes: u64) -> Result<Vec<u8>, SourceError> {
        let mut block = Vec::new();
        self.reader.by_ref().take(n_bytes).read_to_end(&mut block).map_err(explain)?;
        if (block.len() as u64) < n_bytes { Err(SourceError::Truncated) } else { Ok(block) }
    }

    /// The document of a record; `None` if the record holds none.
    fn document(&mut self, header: &Header, block: Vec<u8>) -> Option<Document> {
        let url = header.url.clone();
        match header.kind.as_str() {
            "conversion" => Some(Document::text(url, String::from_utf8_lossy(&block))),
            "resource" if header.content_type.contains("html") => Some(Document::html(url, block)),
            "response" => match http::page(block) {
                Ok(page) => page
                    .map(|page| Document { url, content: Content::Html { bytes: page.bytes, charset: page.charset } }),
                Err(http::Unusable::TooLong) => {
                    self.skipped.too_long += 1;
                    None
                }
                Err(http::Unusable::Damaged) => {
                    self.skipped.damaged += 1;
                    None
                }
            },
            _ => None,
        }
    }
}

impl<R: BufRead + Send> DocumentReader for WarcReader<R> {
    fn next_document(&mut self) -> Result<Option<Document>, SourceError> {
        while let Some(header) = self.header()? {
            let wanted = matches!(header.kind.as_str(), "response" | "conversion" | "resource");
            if !wanted || header.n_bytes > MAX_DOCUMENT_BYTES as u64 {
                self.skipped.too_long += u64::from(wanted);
                self.skip(header.n_bytes)?;
                continue;
            }
            let block = self.block(header.n_bytes)?;
            if let Some(document) = self.document(&header, block) {
                return Ok(Some(document));
            }
        }
        Ok(None)
    }

    fn skipped(&self) -> Skipped {
        self.skipped
    }
}
