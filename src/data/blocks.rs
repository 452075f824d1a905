//! Long texts in blocks of about a megabyte. No pre-token crosses a block boundary, so each block is counted or encoded
//! separately.

use std::io::Read;

use super::error::DataError;
use super::pretokenize::Specials;

/// The number of bytes read at a time.
const BLOCK_BYTES: usize = 1 << 20;

/// The blocks of a UTF-8 text, read lazily. A block is longer than usual only if a single pre-token is.
pub struct Blocks<'s, R> {
    reader: R,
    specials: &'s Specials,
    buffer: Vec<u8>,
    /// The number of bytes before the buffer.
    before: usize,
    ended: bool,
}

impl<'s, R: Read> Blocks<'s, R> {
    /// The blocks of everything that `reader` reads, without a leading byte-order mark; no block ends inside one of
    /// `specials`.
    pub fn new(reader: R, specials: &'s Specials) -> Self {
        Self { reader, specials, buffer: Vec::new(), before: 0, ended: false }
    }

    fn read(&mut self) -> Result<(), DataError> {
        // The size doubles whenever no boundary was found, so that the search stays linear.
        let wanted = BLOCK_BYTES.max(self.buffer.len());
        let read = (&mut self.reader).take(wanted as u64).read_to_end(&mut self.buffer);
        let read = read.map_err(DataError::from_read)?;
        self.ended = read < wanted;
        if self.before == 0 && self.buffer.starts_with(&[0xef, 0xbb, 0xbf]) {
            self.buffer.drain(..3);
            self.before = 3;
        }
        Ok(())
    }

    /// The end of the next block in the buffer; `None` if more must be read.
    fn border(&self) -> Result<Option<usize>, DataError> {
        let text = match std::str::from_utf8(&self.buffer) {
            Ok(text) => text,
            Err(error) if error.error_len().is_some() || self.ended => {
                return Err(DataError::Encoding { at: self.before + error.valid_up_to() });
            }
            // The last character is incomplete; the bytes before it are valid.
            Err(error) => std::str::from_utf8(&self.buffer[..error.valid_up_to()]).unwrap_or_default(),
        };
        Ok(if self.ended { Some(text.len()) } else { self.specials.safe_border(text) })
    }

    fn next_block(&mut self) -> Result<String, DataError> {
        loop {
            if !self.ended {
                self.read()?;
            }
            if let Some(border) = self.border()? {
                let rest = self.buffer.split_off(border);
                let block = std::mem::replace(&mut self.buffer, rest);
                self.before += block.len();
                // `border` has checked that these bytes are UTF-8.
                return String::from_utf8(block).map_err(|_| DataError::Encoding { at: self.before });
            }
        }
    }
}

impl<R: Read> Iterator for Blocks<'_, R> {
    type Item = Result<String, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended && self.buffer.is_empty() {
            return None;
        }
        let block = self.next_block();
        if block.is_err() {
            // Iteration stops after an error.
            self.ended = true;
            self.buffer.clear();
        }
        block.map(|text| (!text.is_empty()).then_some(text)).transpose()
    }
}
