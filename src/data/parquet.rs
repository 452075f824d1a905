//! Reads texts from Parquet files: one string column, a few rows at a time.
//!
//! The parquet crate trusts its input: it can panic, or allocate as much memory as a file claims to need. Sizes are
//! therefore checked first (`footer`, `pages`), and the crate runs under [`guarded`]. A browser's wasm cannot catch
//! panics, so there these files are read in a separate worker.

use std::cell::Cell;
use std::fmt::Display;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, ConvertedType, LogicalType, Type};
use parquet::column::reader::{ColumnReaderImpl, GenericColumnReader};
use parquet::data_type::ByteArrayType;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::ChunkReader;
use parquet::schema::types::ColumnDescriptor;

use super::error::DataError;
use super::jsonl::TEXT_FIELD;
use super::source::{MAX_BYTES, Source};
use super::tokenizer::END_OF_TEXT;

mod footer;
mod format;
mod pages;
mod thrift;

use pages::CheckedPages;

/// The magic bytes at both ends of a file.
pub(super) const MAGIC: &[u8] = b"PAR1";

/// The magic bytes of an encrypted file.
const ENCRYPTED_MAGIC: &[u8] = b"PARE";

/// The size of a file's tail: the footer's length and the magic.
const TAIL_BYTES: u64 = 8;

/// The maximum footer size in bytes; typical footers have some thousands.
const MAX_FOOTER_BYTES: u64 = 64 << 20;

/// The number of rows read at once.
const ROWS: usize = 1024;

/// The maximum ratio of text to file size above [`MIN_TEXT_BYTES`]: a file that repeats one word could otherwise expand
/// without limit.
const MAX_RATIO: u64 = 1000;

/// Every file may expand to at least this much text.
const MIN_TEXT_BYTES: u64 = 1 << 20;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside the parquet crate, where a panic is caught and reported as an error.
pub fn reading_parquet() -> bool {
    GUARDED.get()
}

/// Runs `work` and turns a panic into an error.
fn guarded<T>(work: impl FnOnce() -> Result<T, DataError>) -> Result<T, DataError> {
    let before = GUARDED.replace(true);
    // A reader stops at its first error, so state left inconsistent by a panic is never used.
    let result = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    result.unwrap_or_else(|_| Err(damaged("its parts contradict one another")))
}

fn damaged(problem: impl Display) -> DataError {
    DataError::Parquet { problem: problem.to_string() }
}

/// Whether a file is a Parquet file, judged by its name.
pub fn is_parquet(name: &str) -> bool {
    name.to_lowercase().ends_with(".parquet")
}

/// The text of a Parquet file in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParquetText {
    /// The string columns: the one that was read, then the others.
    pub fields: Vec<String>,
    /// The texts of the column, each followed by [`END_OF_TEXT`] and a newline.
    pub text: String,
    /// The number of skipped rows without text.
    pub skipped: u64,
}

/// Reads the texts of a column into memory; by default `text`, or else the first string column.
///
/// # Errors
/// When the file is damaged or too large, has no such column, or uses an unsupported compression.
pub fn read_parquet(bytes: Vec<u8>, field: Option<&str>) -> Result<ParquetText, DataError> {
    let mut reader = ParquetReader::open(Bytes::from(bytes), field)?;
    let mut text = String::new();
    (&mut reader).take(MAX_BYTES as u64 + 1).read_to_string(&mut text).map_err(DataError::from_read)?;
    if text.len() > MAX_BYTES {
        return Err(DataError::TooLarge { bytes: text.len(), most: MAX_BYTES });
    }
    if text.is_empty() {
        return Err(reader.no_text());
    }
    Ok(ParquetText { fields: reader.fields, text, skipped: reader.skipped })
}

/// Reads the texts of a column as one text, each followed by [`END_OF_TEXT`] and a newline.
pub struct ParquetReader<R: ChunkReader> {
    source: Arc<R>,
    metadata: ParquetMetaData,
    fields: Vec<String>,
    /// The index of the column.
    column: usize,
    /// The next row group.
    next_group: usize,
    texts: Option<ColumnReaderImpl<ByteArrayType>>,
    text: Vec<u8>,
    /// The number of bytes of `text` already returned.
    at: usize,
    /// The number of bytes of text still allowed.
    left: u64,
    /// The number of rows without text so far.
    skipped: u64,
}

impl<R: ChunkReader + 'static> ParquetReader<R> {
    /// Opens the column `field`; by default `text`, or else the first string column.
    ///
    /// # Errors
    /// When the file is damaged, has no such column, or uses an unsupported compression.
    pub fn open(source: R, field: Option<&str>) -> Result<Self, DataError> {
        guarded(|| {
            let metadata = read_metadata(&source)?;
            let (column, fields) = choose_column(&metadata, field)?;
            for group in metadata.row_groups() {
                let chunk = group.columns().get(column).ok_or_else(|| damaged("a part of it lacks a column"))?;
                check_chunk(chunk, source.len())?;
            }
            let left = source.len().saturating_mul(MAX_RATIO).saturating_add(MIN_TEXT_BYTES);
            let (source, text) = (Arc::new(source), Vec::new());
            Ok(Self { source, metadata, fields, column, next_group: 0, texts: None, text, at: 0, left, skipped: 0 })
        })
    }

    /// The string columns: the one that is read, then the others.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// Reads the next rows into `text`, which is empty at the end of the file.
    fn next_rows(&mut self) -> Result<(), DataError> {
        (self.at, self.text) = (0, std::mem::take(&mut self.text));
        self.text.clear();
        while self.text.is_empty() {
            let Some(texts) = &mut self.texts else {
                if self.next_group == self.metadata.num_row_groups() {
                    return Ok(());
                }
                self.texts = Some(self.open_group(self.next_group)?);
                self.next_group += 1;
                continue;
            };
            let (mut levels, mut values) = (Vec::new(), Vec::new());
            let (rows, ..) = texts.read_records(ROWS, Some(&mut levels), None, &mut values).map_err(damaged)?;
            if rows == 0 {
                self.texts = None;
            }
            self.skipped += rows.saturating_sub(values.len()) as u64;
            for value in &values {
                self.left = self.left.saturating_sub(value.data().len() as u64);
                if self.left == 0 {
                    return Err(damaged(format!("it holds more than {MAX_RATIO} times as much text as it is long")));
                }
                let text = std::str::from_utf8(value.data()).map_err(|_| damaged("a text in it is not UTF-8"))?;
                self.text.extend([text, END_OF_TEXT, "\n"].iter().flat_map(|part| part.as_bytes()));
            }
        }
        Ok(())
    }

    fn open_group(&self, group: usize) -> Result<ColumnReaderImpl<ByteArrayType>, DataError> {
        let group = self.metadata.row_group(group);
        let rows = usize::try_from(group.num_rows()).map_err(|_| damaged("a part of it has less than no rows"))?;
        let chunk = group.column(self.column);
        let pages = CheckedPages::new(self.source.clone(), chunk, rows).map_err(damaged)?;
        Ok(GenericColumnReader::new(chunk.column_descr_ptr(), Box::new(pages)))
    }
}

impl<R: ChunkReader + Send + 'static> Source for ParquetReader<R> {
    fn skipped(&self) -> u64 {
        self.skipped
    }

    fn no_text(&self) -> DataError {
        if self.skipped == 0 {
            return DataError::Empty;
        }
        let field = self.fields.first().cloned().unwrap_or_default();
        DataError::NoField { rows: self.skipped, field, there: self.fields[1.min(self.fields.len())..].join(", ") }
    }
}

impl<R: ChunkReader + 'static> Read for ParquetReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.text.len()
            && let Err(error) = guarded(|| self.next_rows())
        {
            (self.next_group, self.texts) = (self.metadata.num_row_groups(), None);
            self.text.clear();
            return Err(io::Error::other(error));
        }
        let n = out.len().min(self.text.len() - self.at);
        out[..n].copy_from_slice(&self.text[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

fn read_metadata(source: &impl ChunkReader) -> Result<ParquetMetaData, DataError> {
    let cut = || damaged("it is cut");
    let end = source.len().checked_sub(TAIL_BYTES).ok_or_else(cut)?;
    let tail = source.get_bytes(end, TAIL_BYTES as usize).map_err(damaged)?;
    let (length, magic) = tail.split_first_chunk().ok_or_else(cut)?;
    match magic {
        MAGIC => (),
        ENCRYPTED_MAGIC => return Err(damaged("it is encrypted")),
        _ => return Err(cut()),
    }
    let length = u64::from(u32::from_le_bytes(*length));
    let begin = end.checked_sub(length).filter(|&begin| begin >= MAGIC.len() as u64).ok_or_else(cut)?;
    if length > MAX_FOOTER_BYTES {
        return Err(damaged(format!("its footer has {length} bytes")));
    }
    let footer = source.get_bytes(begin, length as usize).map_err(damaged)?;
    footer::check(&footer).map_err(damaged)?;
    ParquetMetaDataReader::decode_metadata(&footer).map_err(damaged)
}

/// The index of the column to read, and the names of all string columns, this one first.
fn choose_column(metadata: &ParquetMetaData, field: Option<&str>) -> Result<(usize, Vec<String>), DataError> {
    let schema = metadata.file_metadata().schema_descr();
    let all: Vec<(usize, String)> =
        schema.columns().iter().enumerate().map(|(number, column)| (number, column.path().string())).collect();
    let those = |fits: fn(&ColumnDescriptor) -> bool| -> Vec<(usize, String)> {
        all.iter().filter(|(number, _)| fits(&schema.column(*number))).cloned().collect()
    };
    // Old writers do not mark which byte columns are text.
    let mut texts = those(is_text);
    if texts.is_empty() {
        texts = those(|column| is_flat(column) && column.physical_type() == Type::BYTE_ARRAY);
    }
    let named = |name: &str| texts.iter().position(|(_, field)| field == name);
    let at = match field {
        Some(field) => named(field),
        None => named(TEXT_FIELD).or((!texts.is_empty()).then_some(0)),
    };
    let Some(at) = at else {
        let there: Vec<String> = texts.into_iter().map(|(_, field)| field).collect();
        return Err(DataError::NoColumn { field: field.unwrap_or(TEXT_FIELD).into(), there: there.join(", ") });
    };
    texts[..=at].rotate_right(1);
    Ok((texts[0].0, texts.into_iter().map(|(_, field)| field).collect()))
}

/// Whether the column has at most one value per row.
fn is_flat(column: &ColumnDescriptor) -> bool {
    column.max_rep_level() == 0
}

fn is_text(column: &ColumnDescriptor) -> bool {
    let logical =
        matches!(column.logical_type_ref(), Some(LogicalType::String | LogicalType::Json | LogicalType::Enum));
    let converted = matches!(column.converted_type(), ConvertedType::UTF8 | ConvertedType::JSON | ConvertedType::ENUM);
    is_flat(column) && column.physical_type() == Type::BYTE_ARRAY && (logical || converted)
}

/// Checks that the column chunk lies within the file and has a supported compression.
fn check_chunk(chunk: &ColumnChunkMetaData, file_bytes: u64) -> Result<(), DataError> {
    if chunk.file_path().is_some() {
        return Err(damaged("its columns are in other files"));
    }
    let codec = chunk.compression();
    if !matches!(codec, Compression::UNCOMPRESSED | Compression::SNAPPY) {
        // GZIP(GzipLevel(6)) → GZIP
        let codec = format!("{codec:?}").split('(').next().unwrap_or_default().to_string();
        return Err(DataError::ParquetCodec { column: chunk.column_path().string(), codec });
    }
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let end = u64::try_from(start).ok().zip(u64::try_from(chunk.compressed_size()).ok());
    let end = end.and_then(|(start, length)| start.checked_add(length));
    match end {
        Some(end) if end <= file_bytes => Ok(()),
        _ => Err(damaged("it is cut: a column goes on past its end")),
    }
}

/// Reads a varint: seven bits per byte, lowest first.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Some(value);
        }
    }
    None
}
