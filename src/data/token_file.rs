//! A file of tokens: only their ids, little-endian, as u16, or as u32 for vocabularies of more than 65,536 tokens. The
//! file is memory-mapped, so the system loads the parts that are used and can evict the others.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::DataError;
use super::tokenizer::Tokenizer;
use crate::unchecked::{self, Mmap};

/// The size of an id in bytes.
fn width(vocab_size: usize) -> usize {
    if vocab_size <= 1 << 16 { 2 } else { 4 }
}

/// The sizes of an encoded text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EncodedFile {
    /// The size of the text in bytes.
    pub bytes: usize,
    /// The number of tokens in the file.
    pub tokens: usize,
}

/// A memory-mapped file of tokens. Clones share the map.
#[derive(Clone, Debug)]
pub struct TokenFile {
    path: PathBuf,
    map: Arc<Mmap>,
    vocab_size: usize,
    len: usize,
}

impl TokenFile {
    /// Encodes everything that `text` reads into the file `path`, with one block in memory at a time. The file is
    /// written atomically.
    ///
    /// # Errors
    /// When the text cannot be read or is not UTF-8, or the file cannot be written.
    pub fn write(path: &Path, text: impl Read, tokenizer: &Tokenizer) -> Result<EncodedFile, DataError> {
        // Appended to the whole name: replacing the extension could give the name of the text itself.
        let mut half_done = path.as_os_str().to_owned();
        half_done.push(".part");
        let half_done = PathBuf::from(half_done);
        let result = write_ids(&half_done, text, tokenizer).and_then(|encoded| {
            fs::rename(&half_done, path).map(|()| encoded).map_err(|error| DataError::of_file(path, &error))
        });
        if result.is_err() {
            // The file may not exist.
            fs::remove_file(&half_done).ok();
        }
        result
    }

    /// Opens a file that was encoded with a vocabulary of `vocab_size` tokens.
    ///
    /// # Errors
    /// When it cannot be read, or its length is not a whole number of ids.
    pub fn open(path: &Path, vocab_size: usize) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|error| DataError::of_file(path, &error))?;
        if file.metadata().is_ok_and(|facts| facts.is_dir()) {
            return Err(DataError::of_file(path, &io::ErrorKind::IsADirectory.into()));
        }
        let map = Arc::new(unchecked::map(&file).map_err(|error| DataError::of_file(path, &error))?);
        let bytes = map.len() as u64;
        if !bytes.is_multiple_of(width(vocab_size) as u64) {
            let problem = format!("{bytes} bytes are no whole number of ids; encode the text again");
            return Err(DataError::File { path: path.into(), problem });
        }
        let len = (bytes / width(vocab_size) as u64) as usize;
        Ok(Self { path: path.into(), map, vocab_size, len })
    }

    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The tokens in `range`, which is clipped to the file.
    ///
    /// # Errors
    /// When an id is not below `vocab_size`.
    pub fn read(&self, range: Range<usize>) -> Result<Vec<u32>, DataError> {
        let (start, end) = (range.start.min(self.len), range.end.min(self.len));
        let width = width(self.vocab_size);
        let bytes = &self.map[start * width..start.max(end) * width];
        let ids: Vec<u32> = match width {
            2 => bytes.chunks_exact(2).map(|id| u32::from(u16::from_le_bytes([id[0], id[1]]))).collect(),
            _ => bytes.chunks_exact(4).map(|id| u32::from_le_bytes([id[0], id[1], id[2], id[3]])).collect(),
        };
        match ids.iter().find(|&&id| id as usize >= self.vocab_size) {
            Some(id) => {
                let vocab_size = self.vocab_size;
                let problem =
                    format!("it holds the id {id}, and the vocabulary has {vocab_size}; encode the text again");
                Err(DataError::File { path: self.path.clone(), problem })
            }
            None => Ok(ids),
        }
    }
}

fn write_ids(path: &Path, text: impl Read, tokenizer: &Tokenizer) -> Result<EncodedFile, DataError> {
    let mut out = BufWriter::new(File::create(path).map_err(|error| DataError::of_file(path, &error))?);
    let mut text = Counting { reader: text, bytes: 0 };
    let (width, mut tokens) = (width(tokenizer.vocab_size()), 0);
    for ids in tokenizer.encode_reader(&mut text) {
        let ids = ids?;
        tokens += ids.len();
        let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes().into_iter().take(width)).collect();
        out.write_all(&bytes).map_err(|error| DataError::of_file(path, &error))?;
    }
    out.flush().map_err(|error| DataError::of_file(path, &error))?;
    Ok(EncodedFile { bytes: text.bytes, tokens })
}

/// Counts the bytes read.
struct Counting<R> {
    reader: R,
    bytes: usize,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(out)?;
        self.bytes += n;
        Ok(n)
    }
}
