//! Deduplication of text files, each a document, as course assignments define it: the output has files of the same names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use thiserror::Error;

use crate::dedup::{MinHash, Sketcher, cluster};
use crate::hash::hash;

/// Why files cannot be deduplicated.
#[derive(Debug, Error)]
pub enum FilesError {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's message.
        source: io::Error,
    },
    /// Two files would be written to the same place.
    #[error("two of the files are named {0}; rename one of them")]
    SameName(String),
    /// A path has no file name.
    #[error("{path} is no file", path = .0.display())]
    NoFile(PathBuf),
}

fn failed(path: &Path) -> impl Fn(io::Error) -> FilesError {
    |source| FilesError::File { path: path.into(), source }
}

fn read(path: &Path) -> Result<Vec<u8>, FilesError> {
    fs::read(path).map_err(failed(path))
}

/// The place of each file in the output folder, which is created.
fn places(paths: &[PathBuf], out: &Path) -> Result<Vec<PathBuf>, FilesError> {
    fs::create_dir_all(out).map_err(failed(out))?;
    let mut names = FxHashSet::default();
    let place = |path: &PathBuf| {
        let name = path.file_name().ok_or_else(|| FilesError::NoFile(path.clone()))?;
        if !names.insert(name.to_os_string()) {
            return Err(FilesError::SameName(name.to_string_lossy().into()));
        }
        Ok(out.join(name))
    };
    paths.iter().map(place).collect()
}

/// A line without its end.
fn content(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Removes every line that occurs more than once in the files, with all its occurrences. Empty lines count.
///
/// # Errors
/// When a file cannot be read or written, or two have one name.
pub fn dedup_lines(paths: &[PathBuf], out: &Path) -> Result<(), FilesError> {
    let places = places(paths, out)?;
    let mut counts: FxHashMap<u64, u32> = FxHashMap::default();
    for path in paths {
        read(path)?
            .split_inclusive(|&b| b == b'\n')
            .for_each(|line| *counts.entry(hash(content(line))).or_default() += 1);
    }
    for (path, place) in paths.iter().zip(&places) {
        let text = read(path)?;
        let unique = |line: &&[u8]| counts.get(&hash(content(line))) == Some(&1);
        let kept: Vec<&[u8]> = text.split_inclusive(|&b| b == b'\n').filter(unique).collect();
        fs::write(place, kept.concat()).map_err(failed(place))?;
    }
    Ok(())
}

/// Writes one file of each cluster of near duplicates.
///
/// # Errors
/// When a file cannot be read or written, or two have one name.
pub fn dedup_minhash(paths: &[PathBuf], out: &Path, settings: &MinHash) -> Result<(), FilesError> {
    let places = places(paths, out)?;
    let sketcher = Sketcher::new(settings);
    let mut sets: Vec<Arc<[u64]>> = Vec::with_capacity(paths.len());
    let mut entries = Vec::new();
    for (path, at) in paths.iter().zip(0..) {
        let sketch = sketcher.sketch(&String::from_utf8_lossy(&read(path)?));
        entries.extend(sketch.bands.iter().map(|band| (*band, at)));
        sets.push(sketch.shingles.into());
    }
    let sets = |at: u32| Ok(Arc::clone(&sets[at as usize]));
    let mut clusters = cluster(paths.len(), [Ok(entries)], settings.threshold, sets).map_err(failed(out))?;
    for ((path, place), at) in paths.iter().zip(&places).zip(0..) {
        if clusters.kept(at) == at {
            fs::write(place, read(path)?).map_err(failed(place))?;
        }
    }
    Ok(())
}
