//! A checksum embedded in the file itself: 16 hexadecimal digits in the header's metadata, computed over the whole file with
//! zeros in their place. Other programs can read the file as usual.

/// Name of the metadata entry.
pub(super) const FIELD: &str = "checksum";

/// Placeholder until the file is sealed.
pub(super) const BLANK: &str = "0000000000000000";

/// Start of the entry; within a metadata string its quotes would be escaped.
const BEFORE: &[u8] = b"\"checksum\":\"";

/// Writes the checksum into a file that was serialized with [`BLANK`].
pub(super) fn seal(file: &mut [u8]) {
    if let Some(at) = place(file) {
        let digits = format!("{:016x}", hash(file, at));
        file[at..at + BLANK.len()].copy_from_slice(digits.as_bytes());
    }
}

/// Whether the file matches its checksum; true for a file without one, as written by earlier versions.
pub(super) fn holds(file: &[u8]) -> bool {
    place(file).is_none_or(|at| file[at..at + BLANK.len()] == *format!("{:016x}", hash(file, at)).as_bytes())
}

/// Offset of the digits.
fn place(file: &[u8]) -> Option<usize> {
    let header_len = u64::from_le_bytes(*file.first_chunk()?);
    let end = usize::try_from(header_len).ok()?.checked_add(8)?;
    let header = file.get(8..end)?;
    let at = 8 + header.windows(BEFORE.len()).position(|window| window == BEFORE)? + BEFORE.len();
    (at + BLANK.len() <= end).then_some(at)
}

/// Hash of the length and of all bytes before and after the digits.
fn hash(file: &[u8], at: usize) -> u64 {
    let parts = [&file[..at], &file[at + BLANK.len()..]];
    parts.into_iter().fold(file.len() as u64, |hash, part| {
        let (words, rest) = part.as_chunks::<8>();
        let hash = words.iter().fold(hash, |hash, word| mix(hash, u64::from_le_bytes(*word)));
        rest.iter().fold(hash, |hash, &byte| mix(hash, u64::from(byte)))
    })
}

/// FNV-1a on words; the shift moves high bits down, which a multiplication alone never does.
fn mix(hash: u64, word: u64) -> u64 {
    let product = (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
    product ^ (product >> 29)
}
