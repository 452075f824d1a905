//! UTF-8 text, validated while it is read.

use std::io::{self, Read};

use super::error::DataError;
use super::source::Source;

/// The number of bytes read at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Reads a text and rejects invalid UTF-8.
pub(super) struct PlainReader<R> {
    reader: R,
    /// The bytes read so far, including the start of an incomplete character.
    chunk: Vec<u8>,
    /// The number of validated bytes in `chunk`.
    checked: usize,
    /// The number of bytes of `chunk` already returned.
    at: usize,
    /// The number of bytes before `chunk`.
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
                // The last character is incomplete.
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
