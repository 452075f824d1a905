//! The pages of a column, decompressed and validated before the parquet crate decodes them.

use std::sync::Arc;

use bytes::buf::Reader;
use bytes::{Buf as _, Bytes};
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use super::{footer, varint};

/// The maximum number of values per page; typical pages have some thousands.
const MAX_VALUES: u32 = 1 << 24;

/// Snappy expands 3 bytes to at most 64.
const SNAPPY_RATIO: usize = 22;

/// The maximum block size of delta-encoded lengths; writers use 128.
const MAX_BLOCK: u64 = 1 << 16;

/// The length prefix of each value in a plain page.
const LENGTH_BYTES: usize = 4;

/// The maximum size of a page header in bytes.
const MAX_HEADER_BYTES: u64 = 1 << 16;

/// A file that returns only valid page headers.
struct CheckedHeaders<R>(Arc<R>);

impl<R: ChunkReader> Length for CheckedHeaders<R> {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl<R: ChunkReader> ChunkReader for CheckedHeaders<R> {
    type T = Reader<Bytes>;

    /// The crate reads headers with this method, and pages with `get_bytes`.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        let left = self.0.len().saturating_sub(start).min(MAX_HEADER_BYTES);
        let bytes = self.0.get_bytes(start, left as usize)?;
        if footer::is_page_header(&bytes) { Ok(bytes.reader()) } else { Err(wrong("the header of a page is damaged")) }
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.0.get_bytes(start, length)
    }
}

/// Pages with validated sizes.
pub(super) struct CheckedPages<R: ChunkReader> {
    /// The pages as stored in the file.
    pages: SerializedPageReader<CheckedHeaders<R>>,
    snappy: bool,
    /// Whether values can be missing.
    optional: bool,
    /// Whether a dictionary page was read. The crate assumes that it precedes the pages that use it.
    dictionary: bool,
}

impl<R: ChunkReader> CheckedPages<R> {
    /// The pages of a column chunk.
    pub fn new(source: Arc<R>, chunk: &ColumnChunkMetaData, rows: usize) -> Result<Self> {
        let snappy = chunk.compression() == Compression::SNAPPY;
        let optional = chunk.column_descr().max_def_level() > 0;
        // Pages are decompressed here because the crate would allocate the size that a page claims.
        let packed = chunk.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build()?;
        let source = Arc::new(CheckedHeaders(source));
        Ok(Self { pages: SerializedPageReader::new(source, &packed, rows, None)?, snappy, optional, dictionary: false })
    }

    fn unpack(&self, packed: Bytes) -> Result<Bytes> {
        if !self.snappy || packed.is_empty() {
            return Ok(packed);
        }
        let n_bytes = snap::raw::decompress_len(&packed).map_err(wrong)?;
        if n_bytes / SNAPPY_RATIO > packed.len() {
            return Err(wrong("a page claims to be larger than it can be"));
        }
        snap::raw::Decoder::new().decompress_vec(&packed).map(Bytes::from).map_err(wrong)
    }

    fn check(&mut self, mut page: Page) -> Result<Page> {
        match &mut page {
            Page::DictionaryPage { buf, num_values, .. } => {
                *buf = self.unpack(buf.clone())?;
                if *num_values as usize > buf.len() / LENGTH_BYTES {
                    return Err(wrong("a dictionary claims to have more values than it can have"));
                }
                self.dictionary = true;
            }
            Page::DataPage { buf, num_values, encoding, def_level_encoding, .. } => {
                *buf = self.unpack(buf.clone())?;
                let levels_bytes = match self.optional {
                    true if *def_level_encoding == Encoding::RLE => {
                        let length = buf.first_chunk().map(|bytes| u32::from_le_bytes(*bytes) as usize);
                        length.and_then(|length| length.checked_add(LENGTH_BYTES))
                    }
                    true => return Err(wrong("its levels are packed in an old way")),
                    false => Some(0),
                };
                self.check_dictionary(*encoding)?;
                check_values(*encoding, *num_values, levels_bytes.and_then(|start| buf.get(start..)))?;
            }
            // The levels precede the values and are never compressed.
            Page::DataPageV2 {
                buf,
                num_values,
                encoding,
                def_levels_byte_len,
                rep_levels_byte_len,
                is_compressed,
                ..
            } => {
                let levels_bytes = (*def_levels_byte_len as usize).checked_add(*rep_levels_byte_len as usize);
                let levels_bytes = levels_bytes.filter(|&n_bytes| n_bytes <= buf.len()).ok_or_else(cut)?;
                if *is_compressed {
                    let values = self.unpack(buf.slice(levels_bytes..))?;
                    *buf = [&buf[..levels_bytes], &values].concat().into();
                }
                self.check_dictionary(*encoding)?;
                check_values(*encoding, *num_values, buf.get(levels_bytes..))?;
            }
        }
        Ok(page)
    }

    fn check_dictionary(&self, encoding: Encoding) -> Result<()> {
        match encoding {
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY if !self.dictionary => {
                Err(wrong("its texts stand in a dictionary that is not there"))
            }
            _ => Ok(()),
        }
    }
}

/// Checks the claimed number of values against `values`, the bytes that encode them.
fn check_values(encoding: Encoding, num_values: u32, values: Option<&[u8]>) -> Result<()> {
    if num_values > MAX_VALUES {
        return Err(wrong(format!("a page claims to have {num_values} values")));
    }
    let mut values = values.ok_or_else(cut)?;
    match encoding {
        Encoding::PLAIN | Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => Ok(()),
        Encoding::DELTA_LENGTH_BYTE_ARRAY => {
            // The lengths come first. Their header: block size, miniblocks per block, number of values.
            let mut header = [0; 3];
            for number in &mut header {
                *number = varint(&mut values).ok_or_else(cut)?;
            }
            let [block, blocks_in_it, n_lengths] = header;
            if block.max(blocks_in_it) > MAX_BLOCK || n_lengths > u64::from(num_values) {
                return Err(wrong("a page claims to have more values than it can have"));
            }
            Ok(())
        }
        other => Err(wrong(format!("its texts are written as {other}, and only PLAIN and dictionaries can be read"))),
    }
}

fn cut() -> ParquetError {
    wrong("a page is cut")
}

fn wrong(problem: impl ToString) -> ParquetError {
    ParquetError::General(problem.to_string())
}

impl<R: ChunkReader> Iterator for CheckedPages<R> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl<R: ChunkReader> PageReader for CheckedPages<R> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        page.map(|page| self.check(page)).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }
}
