//! Lines of bounded length.

use std::io::BufRead;

use super::SourceError;
use super::unpack::explain;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The line is in the buffer, without its end.
    Read,
    /// The line is longer than the limit and was passed over.
    TooLong,
    /// The input has ended.
    End,
}

/// Reads a line of at most `max` bytes into `line`.
pub(super) fn read_line(reader: &mut impl BufRead, max: usize, line: &mut Vec<u8>) -> Result<Line, SourceError> {
    line.clear();
    let (mut n_bytes, mut ended) = (0usize, false);
    while !ended {
        let buffer = reader.fill_buf().map_err(explain)?;
        if buffer.is_empty() {
            if n_bytes == 0 {
                return Ok(Line::End);
            }
            break;
        }
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        n_bytes += part.len() + usize::from(end.is_some());
        if line.len() + part.len() <= max {
            line.extend_from_slice(part);
        } else {
            n_bytes = n_bytes.max(max + 2);
            line.clear();
            line.shrink_to(0);
        }
        ended = end.is_some();
        let used = part.len() + usize::from(ended);
        reader.consume(used);
    }
    if n_bytes > max + 1 {
        line.clear();
        return Ok(Line::TooLong);
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Line::Read)
}
