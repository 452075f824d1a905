//! The user's files as one text: plain text, JSON Lines and Parquet, one or more files. The page reads them from memory
//! and the command line from disk, with the same reader.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use super::dataset::decode_text;
use super::error::DataError;
use super::jsonl::{JsonlReader, TEXT_FIELD, is_object};
use super::parquet::{MAGIC, ParquetReader, is_parquet};
use super::plain::PlainReader;
use super::source::{MAX_BYTES, Source};
use super::tokenizer::END_OF_TEXT;

/// The number of bytes read at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// The first line decides whether a `.json` file is JSON Lines, unless it is longer than this.
const MAX_FIRST_LINE: usize = 64 << 20;

/// The magic bytes of unsupported file types, with advice for each.
const OTHER_KINDS: [(&[u8], &str); 4] = [
    (&[0x1f, 0x8b], "is compressed with gzip; unpack it first"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "is compressed with Zstandard; unpack it first"),
    (b"PK\x03\x04", "is a zip archive or an office document; unpack it, or save it as plain text"),
    (b"%PDF", "is a PDF; save it as plain text"),
];

type Opened<'a> = Result<Box<dyn Source + 'a>, DataError>;

/// Whether a file is JSON Lines: by its name, or for `.json`, by its first line that is not blank.
pub fn is_jsonl(name: &str, bytes: &[u8]) -> bool {
    let name = name.to_lowercase();
    if !name.ends_with(".json") {
        return name.ends_with(".jsonl") || name.ends_with(".ndjson");
    }
    let mut lines = bytes[..bytes.len().min(MAX_FIRST_LINE)].split(|&byte| byte == b'\n').map(String::from_utf8_lossy);
    lines.find(|line| !line.trim().is_empty()).is_some_and(|line| is_object(line.trim_start_matches('\u{feff}')))
}

/// The text of files in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    /// The texts, joined by [`END_OF_TEXT`].
    pub text: String,
    /// The number of skipped rows without text.
    pub skipped: u64,
}

/// The text of files, given by name and content. For JSON Lines, `field` selects the text; the default is `text`.
///
/// # Errors
/// Names the file that is empty, too large, malformed, or of an unsupported type or encoding.
pub fn read_files(files: &[(&str, &[u8])], field: Option<&str>) -> Result<Texts, DataError> {
    let bytes = files.iter().map(|(_, bytes)| bytes.len()).sum();
    if bytes > MAX_BYTES {
        return Err(DataError::TooLarge { bytes, most: MAX_BYTES });
    }
    let open = |&(name, bytes): &(&str, _)| (name.to_string(), open_memory(name, bytes, field));
    let mut reader = TextReader::new(files.iter().map(open))?;
    let (mut text, no_memory) = (String::new(), DataError::NoMemory { mib: bytes.div_ceil(1 << 20) });
    // A text that grows while it is read needs up to three times its size.
    text.try_reserve_exact(bytes).map_err(|_| no_memory.clone())?;
    reader.read_to_string(&mut text).map_err(|error| match error.kind() {
        std::io::ErrorKind::OutOfMemory => no_memory,
        _ => DataError::from_read(error),
    })?;
    if text.is_empty() { Err(DataError::Empty) } else { Ok(Texts { text, skipped: reader.skipped() }) }
}

/// Opens files of any size as one text, joined by [`END_OF_TEXT`] and read lazily. For JSON Lines and Parquet files,
/// `field` selects the text; the default is `text`.
///
/// # Errors
/// When a file cannot be opened or has an unsupported type. Other errors occur when the text is read.
pub fn open_files(paths: &[impl AsRef<Path>], field: Option<&str>) -> Result<TextReader<'static>, DataError> {
    TextReader::new(paths.iter().map(AsRef::as_ref).map(|path| (path.display().to_string(), open_disk(path, field))))
}

/// Reads several files as one text, with exactly one [`END_OF_TEXT`] between two files.
pub struct TextReader<'a> {
    waiting: VecDeque<(String, Box<dyn Source + 'a>)>,
    current: Option<(String, Box<dyn Source + 'a>)>,
    /// Whether the current file has been blank so far.
    blank: bool,
    end: LastCharacters,
    skipped: u64,
    chunk: Vec<u8>,
    /// The number of bytes of `chunk` already returned.
    at: usize,
}

impl<'a> TextReader<'a> {
    fn new(sources: impl Iterator<Item = (String, Opened<'a>)>) -> Result<Self, DataError> {
        let mut waiting = VecDeque::new();
        for (name, source) in sources {
            match source {
                Ok(source) => waiting.push_back((name, source)),
                Err(problem) => return Err(in_file(name, problem)),
            }
        }
        let (end, chunk) = (LastCharacters::default(), Vec::new());
        Ok(Self { current: waiting.pop_front(), waiting, blank: true, end, skipped: 0, chunk, at: 0 })
    }

    /// The number of skipped rows without text so far.
    pub fn skipped(&self) -> u64 {
        self.skipped + self.current.as_ref().map_or(0, |(_, source)| source.skipped())
    }

    /// Reads the next part into `chunk`, which is empty at the end of the last file.
    fn next_chunk(&mut self) -> Result<(), DataError> {
        self.at = 0;
        self.chunk.clear();
        while let Some((name, source)) = &mut self.current {
            let read = source.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut self.chunk);
            read.map_err(|error| in_file(name.clone(), DataError::from_read(error)))?;
            if !self.chunk.is_empty() {
                self.blank &= self.chunk.trim_ascii().is_empty();
                self.end.add(&self.chunk);
                return Ok(());
            }
            if self.blank {
                return Err(in_file(name.clone(), source.no_text()));
            }
            self.skipped += source.skipped();
            (self.current, self.blank) = (self.waiting.pop_front(), true);
            if self.current.is_some() && !self.end.is(END_OF_TEXT.as_bytes()) {
                self.chunk.extend([END_OF_TEXT, "\n"].concat().as_bytes());
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Read for TextReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len()
            && let Err(error) = self.next_chunk()
        {
            (self.current, self.waiting) = (None, VecDeque::new());
            self.chunk.clear();
            return Err(io::Error::other(error));
        }
        let n = out.len().min(self.chunk.len() - self.at);
        out[..n].copy_from_slice(&self.chunk[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

fn in_file(name: String, problem: DataError) -> DataError {
    match problem {
        DataError::File { .. } | DataError::InFile { .. } => problem,
        _ => DataError::InFile { name, problem: Box::new(problem) },
    }
}

/// The last characters of a text before trailing white space, as many as the end-of-text token has.
#[derive(Default)]
struct LastCharacters {
    kept: Vec<u8>,
    /// The white space after them.
    space: Vec<u8>,
}

impl LastCharacters {
    fn add(&mut self, part: &[u8]) {
        let n = part.trim_ascii_end().len();
        if n > 0 {
            self.kept.append(&mut self.space);
            self.kept.extend(&part[..n]);
            self.kept.drain(..self.kept.len().saturating_sub(END_OF_TEXT.len()));
        }
        // White space beyond the length of the token does not matter.
        let room = END_OF_TEXT.len().saturating_sub(self.space.len());
        self.space.extend(part[n..].iter().take(room));
    }

    fn is(&self, end: &[u8]) -> bool {
        self.kept.ends_with(end)
    }
}

fn check_kind(begin: &[u8]) -> Result<(), DataError> {
    match OTHER_KINDS.iter().find(|(other, _)| begin.starts_with(other)) {
        Some((_, advice)) => Err(DataError::OtherKind { advice }),
        None => Ok(()),
    }
}

fn open_memory<'a>(name: &str, bytes: &'a [u8], field: Option<&str>) -> Opened<'a> {
    if bytes.starts_with(MAGIC) {
        // Files named `.parquet` are read elsewhere: a panic here would end more than the read.
        return Err(DataError::OtherKind { advice: "is a Parquet file; let its name end in .parquet" });
    }
    open_text(name, bytes, field)
}

fn open_disk(path: &Path, field: Option<&str>) -> Opened<'static> {
    let of_file = |error| DataError::of_file(path, &error);
    let mut file = File::open(path).map_err(of_file)?;
    let mut begin = Vec::new();
    (&mut file).take(MAGIC.len() as u64).read_to_end(&mut begin).map_err(of_file)?;
    let name = path.to_string_lossy();
    if begin == MAGIC || is_parquet(&name) {
        return Ok(Box::new(ParquetReader::open(file, Some(field.unwrap_or(TEXT_FIELD)))?));
    }
    open_text(&name, BufReader::new(Cursor::new(begin).chain(file)), field).map_err(|problem| match problem {
        DataError::Read { problem } => DataError::File { path: path.into(), problem },
        other => other,
    })
}

/// A file's text without a byte-order mark. Only UTF-16 text is read into memory as a whole.
fn open_text<'a>(name: &str, mut bytes: impl BufRead + Send + 'a, field: Option<&str>) -> Opened<'a> {
    let mut begin = Vec::new();
    (&mut bytes).take(4).read_to_end(&mut begin).map_err(DataError::from_read)?;
    check_kind(&begin)?;
    if begin.starts_with(&[0xff, 0xfe]) || begin.starts_with(&[0xfe, 0xff]) {
        bytes.read_to_end(&mut begin).map_err(DataError::from_read)?;
        begin = decode_text(begin)?.into_bytes();
    } else if begin.starts_with(&[0xef, 0xbb, 0xbf]) {
        begin.drain(..3);
    }
    let mut bytes = Cursor::new(begin).chain(bytes);
    // The first line decides if the name does not.
    let mut line = Vec::new();
    while name.to_lowercase().ends_with(".json") && line.trim_ascii().is_empty() {
        let room = MAX_FIRST_LINE.saturating_sub(line.len()) as u64;
        if (&mut bytes).take(room).read_until(b'\n', &mut line).map_err(DataError::from_read)? == 0 {
            break;
        }
    }
    let rows = is_jsonl(name, &line);
    let bytes = Cursor::new(line).chain(bytes);
    Ok(if rows {
        Box::new(JsonlReader::new(bytes, field.unwrap_or(TEXT_FIELD)))
    } else {
        Box::new(PlainReader::new(bytes))
    })
}
