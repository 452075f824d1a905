//! The user's files as one text: plain text, JSON Lines and Parquet, one file or several.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;

use super::dataset::decode_text;
use super::error::DataError;
use super::jsonl::{JsonlReader, TEXT_FIELD};
use super::parquet::{MAGIC, ParquetReader};
use super::tokenizer::END_OF_TEXT;

/// A text in memory may have this many bytes: with its tokens, a browser's wasm has no room for more.
pub(super) const MOST_BYTES: usize = 512 << 20;

/// How files of other kinds begin, and what to do with them.
const OTHER_KINDS: [(&[u8], &str); 4] = [
    (&[0x1f, 0x8b], "is compressed with gzip; unpack it first"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "is compressed with Zstandard; unpack it first"),
    (b"PK\x03\x04", "is a zip archive or an office document; unpack it, or save it as plain text"),
    (b"%PDF", "is a PDF; save it as plain text"),
];

/// Whether a file is JSON Lines, by its name.
pub fn is_jsonl(name: &str) -> bool {
    let name = name.to_lowercase();
    name.ends_with(".jsonl") || name.ends_with(".ndjson")
}

/// The text of files, given by name and content, joined by [`END_OF_TEXT`]. Of JSON Lines, the text is in
/// `jsonl_field`, or in `text`.
///
/// # Errors
/// A sentence that names the file, when one is empty, too large, of another kind or encoding, or has a bad line.
pub fn read_files(files: &[(&str, &[u8])], jsonl_field: Option<&str>) -> Result<String, DataError> {
    let bytes = files.iter().map(|(_, bytes)| bytes.len()).sum();
    if bytes > MOST_BYTES {
        return Err(DataError::TooLarge { bytes, most: MOST_BYTES });
    }
    let mut all = String::new();
    for (name, bytes) in files {
        let in_file = |problem| DataError::InFile { name: name.to_string(), problem: Box::new(problem) };
        let text = read_file(name, bytes, jsonl_field.unwrap_or(TEXT_FIELD)).map_err(in_file)?;
        if !all.is_empty() && !all.trim_end().ends_with(END_OF_TEXT) {
            all.push_str(END_OF_TEXT);
            all.push('\n');
        }
        all.push_str(&text);
    }
    if all.is_empty() { Err(DataError::Empty) } else { Ok(all) }
}

fn read_file(name: &str, bytes: &[u8], field: &str) -> Result<String, DataError> {
    if bytes.starts_with(MAGIC) {
        // What has the name is read before it comes here, where a panic would end more than the reading.
        return Err(DataError::OtherKind { advice: "is a Parquet file; let its name end in .parquet" });
    }
    check_kind(bytes)?;
    let text = decode_text(bytes.to_vec())?;
    if !is_jsonl(name) {
        return Ok(text);
    }
    let mut texts = String::new();
    let mut reader = JsonlReader::new(text.as_bytes(), field);
    reader.read_to_string(&mut texts).map_err(DataError::from_read)?;
    if texts.is_empty() { Err(DataError::Empty) } else { Ok(texts) }
}

fn check_kind(begin: &[u8]) -> Result<(), DataError> {
    match OTHER_KINDS.iter().find(|(other, _)| begin.starts_with(other)) {
        Some((_, advice)) => Err(DataError::OtherKind { advice }),
        None => Ok(()),
    }
}

/// Opens files of any size as one text, joined by [`END_OF_TEXT`]. They are read as the text is. Of JSON Lines and
/// Parquet files, the text is in `field`, or in `text`.
///
/// # Errors
/// When one cannot be opened or is of another kind. What else is wrong shows when the text is read.
pub fn open_files(paths: &[impl AsRef<Path>], field: Option<&str>) -> Result<Box<dyn Read + Send>, DataError> {
    let mut all: Box<dyn Read + Send> = Box::new(std::io::empty());
    for (index, path) in paths.iter().map(AsRef::as_ref).enumerate() {
        let name = || path.display().to_string();
        let text = open_file(path, field.unwrap_or(TEXT_FIELD)).map_err(|problem| match problem {
            DataError::File { .. } => problem,
            _ => DataError::InFile { name: name(), problem: Box::new(problem) },
        })?;
        all = match index {
            0 => text,
            _ => Box::new(all.chain(END_OF_TEXT.as_bytes()).chain(b"\n".as_slice()).chain(text)),
        };
    }
    Ok(all)
}

/// One file's text, as UTF-8 without a byte-order mark. Only a text in UTF-16 has to be in memory as a whole.
fn open_file(path: &Path, field: &str) -> Result<Box<dyn Read + Send>, DataError> {
    let mut file = File::open(path).map_err(|error| DataError::of_file(path, &error))?;
    let mut begin = Vec::new();
    (&mut file).take(4).read_to_end(&mut begin).map_err(|error| DataError::of_file(path, &error))?;
    if begin == MAGIC {
        return Ok(Box::new(ParquetReader::open(file, Some(field))?));
    }
    check_kind(&begin)?;
    let file: Box<dyn BufRead + Send> = if begin.starts_with(&[0xff, 0xfe]) || begin.starts_with(&[0xfe, 0xff]) {
        file.read_to_end(&mut begin).map_err(|error| DataError::of_file(path, &error))?;
        Box::new(Cursor::new(decode_text(begin)?.into_bytes()))
    } else {
        if begin.starts_with(&[0xef, 0xbb, 0xbf]) {
            begin.drain(..3);
        }
        Box::new(BufReader::new(Cursor::new(begin).chain(file)))
    };
    Ok(if is_jsonl(&path.to_string_lossy()) { Box::new(JsonlReader::new(file, field)) } else { Box::new(file) })
}
