//! Long texts in blocks of about a megabyte, cut where no pre-token is split, so that each is counted or encoded alone.

use std::io::Read;

use super::error::DataError;
use super::pretokenize::Specials;

/// Bytes that are read at a time.
const BLOCK_BYTES: usize = 1 << 20;

/// The blocks of a UTF-8 text that is read as they are taken. A block is longer than usual only where one pre-token is.
pub struct Blocks<'s, R> {
    reader: R,
    specials: &'s Specials,
    buffer: Vec<u8>,
    /// Bytes of the text before the buffer.
    before: usize,
    ended: bool,
}

impl<'s, R: Read> Blocks<'s, R> {
    /// The blocks of what `reader` reads, cut outside of `specials`. A byte-order mark at the beginning is left out.
    pub fn new(reader: R, specials: &'s Specials) -> Self {
        Self { reader, specials, buffer: Vec::new(), before: 0, ended: false }
    }

    fn read(&mut self) -> Result<(), DataError> {
        // Twice as much each time that there was no border, so that looking for one stays linear.
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

    /// Where the next block ends in the buffer; none when more has to be read.
    fn border(&self) -> Result<Option<usize>, DataError> {
        let text = match std::str::from_utf8(&self.buffer) {
            Ok(text) => text,
            Err(error) if error.error_len().is_some() || self.ended => {
                return Err(DataError::Encoding { at: self.before + error.valid_up_to() });
            }
            // The last character is not complete yet. The bytes before it are valid.
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
                // `border` has made sure that these bytes are UTF-8.
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
            // Nothing comes after an error.
            self.ended = true;
            self.buffer.clear();
        }
        block.map(|text| (!text.is_empty()).then_some(text)).transpose()
    }
}
