//! gzip with any number of members, and Zstandard, both streamed and limited in their expansion.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::SourceError;

/// Data that expands to more than this many times its size is rejected. Web pages reach 30.
pub const MAX_RATIO: u64 = 250;

/// Expansion is not limited before this many bytes.
const FREE_BYTES: u64 = 16 << 20;

/// The largest window of a Zstandard frame, which is kept in memory.
const MAX_WINDOW_BYTES: u64 = 32 << 20;

/// Unpacks a stream if it is compressed.
///
/// # Errors
/// When the stream cannot be read.
pub fn unpack<'r>(reader: impl Read + Send + 'r) -> Result<Box<dyn Read + Send + 'r>, SourceError> {
    let consumed = Arc::new(AtomicU64::new(0));
    let mut reader = BufReader::with_capacity(1 << 16, Counted { inner: reader, n_bytes: Arc::clone(&consumed) });
    let start = reader.fill_buf()?;
    let limited = |inner: Box<dyn Read + Send + 'r>| -> Box<dyn Read + Send + 'r> {
        Box::new(Limited { inner, consumed, n_bytes: 0 })
    };
    if start.starts_with(&[0x1f, 0x8b]) {
        return Ok(limited(Box::new(MultiGzDecoder::new(reader))));
    }
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Ok(limited(Box::new(Frames { state: State::Between(reader) })));
    }
    Ok(Box::new(reader))
}

/// Finds the error of this module in an error of a reader.
pub(super) fn explain(error: io::Error) -> SourceError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Stop>()) {
        Some(Stop::Bomb(at)) => SourceError::Bomb(*at),
        Some(Stop::Damaged(at)) => SourceError::Damaged(*at),
        None if error.kind() == io::ErrorKind::UnexpectedEof => SourceError::Truncated,
        None => SourceError::Read(error),
    }
}

/// Errors that pass through `io::Error`.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("too large")]
    Bomb(u64),
    #[error("damaged")]
    Damaged(u64),
}

/// Counts the bytes that are read.
struct Counted<R> {
    inner: R,
    n_bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.n_bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Unpacked data that may not be much longer than its source.
struct Limited<'r> {
    inner: Box<dyn Read + Send + 'r>,
    consumed: Arc<AtomicU64>,
    n_bytes: u64,
}

impl Read for Limited<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::Interrupted => error,
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
                io::Error::other(Stop::Damaged(self.n_bytes))
            }
            _ => error,
        })?;
        self.n_bytes += n as u64;
        let allowed = FREE_BYTES + MAX_RATIO * self.consumed.load(Ordering::Relaxed);
        if self.n_bytes > allowed {
            return Err(io::Error::other(Stop::Bomb(self.n_bytes)));
        }
        Ok(n)
    }
}

/// Zstandard frames one after the other.
struct Frames<R: BufRead> {
    state: State<R>,
}

enum State<R: BufRead> {
    Between(R),
    Inside(Box<StreamingDecoder<R, FrameDecoder>>),
    Ended,
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Ok(0),
                State::Between(mut reader) => {
                    if reader.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    let decoder = StreamingDecoder::new_with_max_window_size(reader, MAX_WINDOW_BYTES);
                    self.state =
                        State::Inside(Box::new(decoder.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?));
                }
                State::Inside(mut decoder) => {
                    let n = decoder.read(buffer)?;
                    if n > 0 || buffer.is_empty() {
                        self.state = State::Inside(decoder);
                        return Ok(n);
                    }
                    self.state = State::Between(decoder.into_inner());
                }
            }
        }
    }
}
