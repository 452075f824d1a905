//! TensorBoard's event files: `Event` protocol buffers in TFRecord frames.
//!
//! A record is its length (u64), the masked CRC-32C of the length (u32), its bytes, and the masked CRC-32C of the bytes
//! (u32), all little-endian (tensorflow.org/tutorials/load_data/tfrecord). Fields of `Event` (event.proto): `wall_time`
//! (1, double), `step` (2, int64), `file_version` (3, string), `summary` (5) and `session_log` (7). Fields of `Summary`
//! (summary.proto): `value` (1), with `tag` (1, string) and `simple_value` (2, float). Field of `SessionLog`: `status`
//! (1), where 1 means start.

use std::io::{self, Read};

/// The tag of held-out losses.
pub(super) const HELD_OUT: &str = "loss/held-out";

/// The version that readers expect in the first record.
const VERSION: &str = "brain.Event:2";

/// Wire types of protocol buffers.
const VARINT: u8 = 0;
const EIGHT_BYTES: u8 = 1;
const LENGTH: u8 = 2;
const FOUR_BYTES: u8 = 5;

/// The polynomial of Castagnoli's CRC-32C, reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// The content of a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Event<'a> {
    /// The file version, in the first record.
    Version,
    /// A scalar at a step.
    Scalar {
        /// The number of completed steps.
        step: u64,
        /// The scalar's name.
        tag: &'a str,
        /// The scalar's value.
        value: f32,
    },
    /// Discards the events of this step and later ones, because these steps are trained again.
    Restart {
        /// The first discarded step.
        step: u64,
    },
}

impl Event<'_> {
    /// Encodes the event as a protocol buffer; `wall_time` is in seconds since 1970.
    pub fn encoded(self, wall_time: f64) -> Vec<u8> {
        let mut out = Vec::new();
        field(&mut out, 1, EIGHT_BYTES, &wall_time.to_le_bytes());
        match self {
            Self::Version => field(&mut out, 3, LENGTH, VERSION.as_bytes()),
            Self::Scalar { step, tag, value } => {
                let (mut scalar, mut summary) = (Vec::new(), Vec::new());
                field(&mut scalar, 1, LENGTH, tag.as_bytes());
                field(&mut scalar, 2, FOUR_BYTES, &value.to_le_bytes());
                field(&mut summary, 1, LENGTH, &scalar);
                field(&mut out, 2, VARINT, &varint(step));
                field(&mut out, 5, LENGTH, &summary);
            }
            Self::Restart { step } => {
                let mut status = Vec::new();
                field(&mut status, 1, VARINT, &varint(1));
                field(&mut out, 2, VARINT, &varint(step));
                field(&mut out, 7, LENGTH, &status);
            }
        }
        out
    }
}

fn field(out: &mut Vec<u8>, number: u8, kind: u8, bytes: &[u8]) {
    out.push(number << 3 | kind);
    if kind == LENGTH {
        out.extend(varint(bytes.len() as u64));
    }
    out.extend(bytes);
}

/// Seven bits per byte, lowest first; the highest bit marks that more bytes follow.
fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// The result of [`decoded`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub step: u64,
    /// Whether the event discards this step and later ones.
    pub restart: bool,
}

/// The step (0 if absent) and kind of an encoded [`Event`]; `None` if the bytes are not a protocol buffer.
pub(super) fn decoded(mut bytes: &[u8]) -> Option<Decoded> {
    let mut event = Decoded { step: 0, restart: false };
    while !bytes.is_empty() {
        let key = take_varint(&mut bytes)?;
        let skipped = match (key & 7) as u8 {
            VARINT => {
                let value = take_varint(&mut bytes)?;
                event.step = if key >> 3 == 2 { value } else { event.step };
                0
            }
            EIGHT_BYTES => 8,
            FOUR_BYTES => 4,
            LENGTH => usize::try_from(take_varint(&mut bytes)?).ok()?,
            _ => return None,
        };
        event.restart |= key >> 3 == 7;
        bytes = bytes.get(skipped..)?;
    }
    Some(event)
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Records are short; a longer one indicates damage.
const MAX_RECORD_BYTES: u64 = 1 << 20;

/// The bytes of the next record; `None` at the end of the file or at damaged data.
pub(super) fn next_record(reader: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    const CHECKSUM_BYTES: u64 = 4;
    let head = read_up_to(reader, 8 + CHECKSUM_BYTES)?;
    let Some((length, checksum)) = head.split_first_chunk::<8>() else { return Ok(None) };
    let n_bytes = u64::from_le_bytes(*length);
    if checksum != masked(crc32c(length)).to_le_bytes() || n_bytes > MAX_RECORD_BYTES {
        return Ok(None);
    }
    let mut body = read_up_to(reader, n_bytes + CHECKSUM_BYTES)?;
    let checksum = body.split_off(body.len().min(n_bytes as usize));
    Ok((checksum == masked(crc32c(&body)).to_le_bytes()).then_some(body))
}

fn read_up_to(reader: &mut impl Read, n_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(n_bytes).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The size of a record's frame without its contents.
pub(super) const FRAME_BYTES: u64 = 16;

/// Frames a record.
pub(super) fn record(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    let mut out = Vec::with_capacity(bytes.len() + 16);
    out.extend(length);
    out.extend(masked(crc32c(&length)).to_le_bytes());
    out.extend(bytes);
    out.extend(masked(crc32c(bytes)).to_le_bytes());
    out
}

/// Masks a checksum, so that checksums over data that includes checksums remain meaningful.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C bit by bit, which is fast enough for few, short records.
fn crc32c(bytes: &[u8]) -> u32 {
    let shift = |crc: u32, _| (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, appendix B.4, and the standard check value.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_record_is_framed_and_an_event_encoded_by_their_definitions() {
        let event = Event::Scalar { step: 300, tag: "loss", value: 1.5 }.encoded(2.0);
        let scalar = [&[0x0a, 4][..], b"loss", &[0x15], &1.5f32.to_le_bytes()].concat();
        let summary = [&[0x0a, scalar.len() as u8][..], &scalar].concat();
        let expected =
            [&[0x09][..], &2f64.to_le_bytes(), &[0x10, 0xac, 0x02, 0x2a, summary.len() as u8], &summary].concat();
        assert_eq!(event, expected);
        let restart = Event::Restart { step: 7 }.encoded(2.0);
        assert_eq!(restart, [&[0x09][..], &2f64.to_le_bytes(), &[0x10, 7, 0x3a, 2, 0x08, 1]].concat());
        assert_eq!(decoded(&event), Some(Decoded { step: 300, restart: false }));
        assert_eq!(decoded(&restart), Some(Decoded { step: 7, restart: true }));
        assert_eq!(decoded(&event[..event.len() - 1]), None);
        let framed = record(&event);
        assert_eq!(next_record(&mut &framed[..]).unwrap(), Some(event.clone()));
        for at in 0..framed.len() {
            let mut changed = framed.clone();
            changed[at] ^= 4;
            assert_eq!(next_record(&mut &changed[..]).unwrap(), None, "byte {at} changed");
            assert_eq!(next_record(&mut &framed[..at]).unwrap(), None, "cut to {at} bytes");
        }
        assert_eq!(framed[..8], (event.len() as u64).to_le_bytes());
        assert_eq!(framed[8..12], masked(crc32c(&framed[..8])).to_le_bytes());
        assert_eq!(framed[12..12 + event.len()], event);
        assert_eq!(framed[12 + event.len()..], masked(crc32c(&event)).to_le_bytes());
    }
}
