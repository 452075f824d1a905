//! Plain text in UTF-8, checked while it is read.

use std::io::{self, Read};

use super::error::DataError;
use super::files::Source;

/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Reads a text and refuses what is not UTF-8.
pub(super) struct PlainReader<R> {
    reader: R,
    /// What was read, up to the last whole character, and the beginning of the next one.
    chunk: Vec<u8>,
    /// How much of `chunk` is checked.
    checked: usize,
    /// How much of `chunk` was given out.
    at: usize,
    /// Bytes of the text before `chunk`.
    before: usize,
}

impl<R: Read> PlainReader<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, chunk: Vec::new(), checked: 0, at: 0, before: 0 }
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        self.before += self.checked;
        self.chunk.drain(..self.checked);
        (self.checked, self.at) = (0, 0);
        loop {
            let read = (&mut self.reader).take(CHUNK_BYTES as u64).read_to_end(&mut self.chunk)?;
            self.checked = match std::str::from_utf8(&self.chunk) {
                Ok(text) => text.len(),
                // The last character is not complete yet.
                Err(error) if error.error_len().is_none() && read > 0 => error.valid_up_to(),
                Err(error) => {
                    return Err(io::Error::other(DataError::Encoding { at: self.before + error.valid_up_to() }));
                }
            };
            if self.checked > 0 || read == 0 {
                return Ok(());
            }
        }
    }
}

impl<R: Read> Read for PlainReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.checked {
            self.next_chunk()?;
        }
        let n = out.len().min(self.checked - self.at);
        out[..n].copy_from_slice(&self.chunk[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

impl<R: Read + Send> Source for PlainReader<R> {}
