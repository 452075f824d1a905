//! Reads documents from files and from the generator.

use std::io::Read;

use super::{Doc, Session, Work};
use crate::document::Document;
use crate::generate::{Label, Page};
use crate::source::{DocumentReader, open};

/// Documents of one unit of work.
pub(super) const DOCUMENTS_AT_ONCE: usize = 8;

/// Where documents come from.
pub(super) enum Source {
    File { name: String, reader: Box<dyn Read + Send>, bytes: u64 },
    Pages { pages: Box<dyn Iterator<Item = Page> + Send>, bytes: u64 },
}

impl Source {
    pub fn bytes(&self) -> u64 {
        match self {
            Self::File { bytes, .. } | Self::Pages { bytes, .. } => *bytes,
        }
    }
}

/// A source that is being read.
pub(super) enum Open {
    File { name: String, reader: Box<dyn DocumentReader>, bytes: u64 },
    Pages { pages: Box<dyn Iterator<Item = Page> + Send>, left: i64, bytes: u64 },
}

impl Session {
    pub(super) fn read(&mut self) {
        for _ in 0..DOCUMENTS_AT_ONCE {
            let Some((document, label)) = self.next() else { return self.finish_reading() };
            let (text, unreadable) = match self.pipeline.extract(&document) {
                Ok(text) => (text, None),
                Err(error) => (String::new(), Some(error.to_string())),
            };
            let n_bytes = document.n_bytes();
            self.docs.push(Doc { url: document.url, n_bytes, text, changed: None, language: None, unreadable, label });
            self.measure(self.docs.len() - 1);
        }
    }

    pub(super) fn finish_reading(&mut self) {
        self.work = Work::Idle;
        self.decide();
    }

    fn next(&mut self) -> Option<(Document, Option<Label>)> {
        loop {
            match self.open.as_mut() {
                None => self.open_next()?,
                Some(Open::Pages { pages, left, bytes }) => {
                    let bytes = *bytes;
                    if let Some(page) = pages.next().filter(|_| *left > 0) {
                        *left -= page.html.len() as i64;
                        return Some((Document::html(page.url, page.html), Some(page.label)));
                    }
                    (self.open, self.read_bytes) = (None, self.read_bytes + bytes);
                }
                Some(Open::File { name, reader, bytes }) => {
                    let bytes = *bytes;
                    match reader.next_document() {
                        Ok(Some(document)) => return Some((document, None)),
                        Ok(None) => {}
                        Err(error) => self.problems.push(format!("{name} {error}.")),
                    }
                    self.skipped.add(reader.skipped());
                    (self.open, self.read_bytes) = (None, self.read_bytes + bytes);
                }
            }
        }
    }

    /// Opens the next source; `None` if there is none.
    fn open_next(&mut self) -> Option<()> {
        self.open = match self.waiting.pop_front()? {
            Source::Pages { pages, bytes } => Some(Open::Pages { pages, left: bytes as i64, bytes }),
            Source::File { name, reader, bytes } => match open(&name, reader, &self.field) {
                Ok(reader) => Some(Open::File { name, reader, bytes }),
                Err(error) => {
                    self.problems.push(format!("{name} {error}."));
                    self.read_bytes += bytes;
                    None
                }
            },
        };
        Some(())
    }
}
