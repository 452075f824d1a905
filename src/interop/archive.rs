//! A model's files as one archive: packed into a ZIP for download, and read from the files that the user selected.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::InteropError;
use super::export::NamedFile;
use super::import::{Source, SourceError};

/// Packs files into one ZIP without compression, because weights hardly shrink.
///
/// # Errors
/// When a file is too large for the format.
pub fn pack(files: &[NamedFile]) -> Result<Vec<u8>, InteropError> {
    let refused = |detail: String| InteropError::File { name: "the ZIP".into(), detail };
    let size: usize = files.iter().map(|(name, bytes)| bytes.len() + 2 * name.len() + 256).sum();
    let mut zip = ZipWriter::new(Cursor::new(Vec::with_capacity(size)));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in files {
        zip.start_file(*name, options).map_err(|error| refused(error.to_string()))?;
        zip.write_all(bytes).map_err(|error| refused(error.to_string()))?;
    }
    zip.finish().map(Cursor::into_inner).map_err(|error| refused(error.to_string()))
}

/// The maximum ratio of a ZIP's unpacked to packed size above [`MIN_BYTES`]: a small ZIP could otherwise fill the
/// memory.
const MAX_RATIO: u64 = 100;

/// Every ZIP may unpack to at least this much.
const MIN_BYTES: u64 = 1 << 20;

/// The user's selection: individual files, or one ZIP with all of them. Each file can be read once.
pub enum Chosen {
    /// Individual files by name.
    Loose(BTreeMap<String, Vec<u8>>),
    /// A ZIP with all files.
    Packed(Packed),
}

/// An opened ZIP.
pub struct Packed {
    archive: ZipArchive<Cursor<Vec<u8>>>,
    /// The index of each file by its name.
    places: BTreeMap<String, usize>,
    /// The number of bytes that may still be unpacked.
    left: u64,
}

impl Chosen {
    /// Takes the files; a single `.zip` file is opened.
    ///
    /// # Errors
    /// When that file is not a ZIP.
    pub fn new(mut files: Vec<(String, Vec<u8>)>) -> Result<Self, InteropError> {
        match files.pop() {
            Some((name, bytes)) if files.is_empty() && name.to_lowercase().ends_with(".zip") => {
                let damaged = |error: zip::result::ZipError| InteropError::File {
                    name: name.clone(),
                    detail: format!("{error}; it was cut or is no ZIP file"),
                };
                let left = (bytes.len() as u64).saturating_mul(MAX_RATIO).saturating_add(MIN_BYTES);
                let archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
                let mut names = BTreeMap::new();
                for index in 0..archive.len() {
                    let Some(Ok(path)) = archive.name_for_index(index) else { continue };
                    // A model may be in a folder, next to folders with other files: the outermost file of a name wins.
                    let (depth, name) = (path.matches('/').count(), path.rsplit('/').next().unwrap_or_default());
                    let place = names.entry(name.to_string()).or_insert((depth, index));
                    *place = (*place).min((depth, index));
                }
                let places = names.into_iter().map(|(name, (_, index))| (name, index)).collect();
                Ok(Self::Packed(Packed { archive, places, left }))
            }
            last => Ok(Self::Loose(files.into_iter().chain(last).collect())),
        }
    }
}

impl Source for Chosen {
    fn names(&self) -> Vec<String> {
        match self {
            Self::Loose(files) => files.keys().cloned().collect(),
            Self::Packed(packed) => packed.places.keys().cloned().collect(),
        }
    }

    fn size(&mut self, name: &str) -> u64 {
        match self {
            Self::Loose(files) => files.get(name).map_or(0, |bytes| bytes.len() as u64),
            Self::Packed(packed) => packed.size(name),
        }
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>, SourceError> {
        match self {
            Self::Loose(files) => files.remove(name).ok_or(SourceError::Missing),
            Self::Packed(packed) => packed.read(name),
        }
    }
}

impl Packed {
    /// The unpacked size that the file's header states.
    fn size(&mut self, name: &str) -> u64 {
        let file = self.places.get(name).and_then(|&index| self.archive.by_index_raw(index).ok());
        file.map_or(0, |file| file.size().min(self.left))
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>, SourceError> {
        let index = *self.places.get(name).ok_or(SourceError::Missing)?;
        let mut file = self.archive.by_index(index)?;
        let size = file.size();
        let mib = size >> 20;
        self.left = self.left.checked_sub(size).ok_or(SourceError::Ratio { mib, factor: MAX_RATIO })?;
        let mut bytes = Vec::new();
        let asked = usize::try_from(size).ok().and_then(|size| bytes.try_reserve_exact(size).ok());
        asked.ok_or(SourceError::Memory { mib })?;
        // The limit keeps a file larger than stated from filling the memory; reading to the end also verifies the
        // checksum.
        file.by_ref().take(size.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == size { Ok(bytes) } else { Err(SourceError::Length) }
    }
}
