//! A model's files together: packed as one ZIP for the page to offer, and found in what a person has chosen.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::InteropError;
use super::export::NamedFile;
use super::import::Source;

/// One ZIP with these files. Nothing is compressed: weights hardly shrink.
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

/// What a person has chosen: files one by one, or one ZIP with all of them. Each can be read once.
pub enum Chosen {
    /// Files by their names.
    Loose(BTreeMap<String, Vec<u8>>),
    /// A ZIP, and the place of each file in it by its name.
    Packed(ZipArchive<Cursor<Vec<u8>>>, BTreeMap<String, usize>),
}

impl Chosen {
    /// The files; a single one that ends in `.zip` is opened.
    ///
    /// # Errors
    /// When such a one is no ZIP.
    pub fn new(mut files: Vec<(String, Vec<u8>)>) -> Result<Self, InteropError> {
        match files.pop() {
            Some((name, bytes)) if files.is_empty() && name.to_lowercase().ends_with(".zip") => {
                let damaged = |error: zip::result::ZipError| InteropError::File {
                    name: name.clone(),
                    detail: format!("{error}; it was cut or is no ZIP file"),
                };
                let archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
                let mut names = BTreeMap::new();
                for index in 0..archive.len() {
                    let Some(Ok(path)) = archive.name_for_index(index) else { continue };
                    // A model may lie in a folder, and other things beside it in others: the outermost file counts.
                    let (depth, name) = (path.matches('/').count(), path.rsplit('/').next().unwrap_or_default());
                    let place = names.entry(name.to_string()).or_insert((depth, index));
                    *place = (*place).min((depth, index));
                }
                Ok(Self::Packed(archive, names.into_iter().map(|(name, (_, index))| (name, index)).collect()))
            }
            last => Ok(Self::Loose(files.into_iter().chain(last).collect())),
        }
    }
}

impl Source for Chosen {
    fn names(&self) -> Vec<String> {
        match self {
            Self::Loose(files) => files.keys().cloned().collect(),
            Self::Packed(_, names) => names.keys().cloned().collect(),
        }
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let gone = "it is not there";
        match self {
            Self::Loose(files) => files.remove(name).ok_or_else(|| gone.into()),
            Self::Packed(archive, names) => {
                let index = *names.get(name).ok_or(gone)?;
                let mut file = archive.by_index(index).map_err(|error| error.to_string())?;
                let size = file.size();
                let mut bytes = Vec::new();
                let asked = usize::try_from(size).ok().and_then(|size| bytes.try_reserve_exact(size).ok());
                asked.ok_or_else(|| format!("it needs {} MiB, more than there are", size >> 20))?;
                // A file that holds more than it says would fill the memory. The checksum is looked at behind the end.
                file.by_ref()
                    .take(size.saturating_add(1))
                    .read_to_end(&mut bytes)
                    .map_err(|error| error.to_string())?;
                if bytes.len() as u64 == size { Ok(bytes) } else { Err("it holds more than it says".into()) }
            }
        }
    }
}
