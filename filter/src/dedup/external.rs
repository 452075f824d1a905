//! Pairs of a hash and a number that do not fit into memory: they are appended to files by the leading bits of the hash,
//! and each file is read alone.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The number of files.
const N_FILES: usize = 64;
const ENTRY_BYTES: usize = 12;

/// Files of pairs, split by hash.
pub struct Partitions {
    folder: PathBuf,
    name: &'static str,
    files: Vec<BufWriter<File>>,
}

impl Partitions {
    /// Opens the files, and cuts each to a length: 0 for new ones.
    ///
    /// # Errors
    /// When a file cannot be opened.
    pub fn open(folder: &Path, name: &'static str, lengths: &[u64]) -> io::Result<Self> {
        let open = |at: usize| {
            let file = OpenOptions::new().create(true).append(true).truncate(false).open(path(folder, name, at))?;
            file.set_len(lengths.get(at).copied().unwrap_or(0))?;
            Ok(BufWriter::with_capacity(1 << 15, file))
        };
        Ok(Self { folder: folder.into(), name, files: (0..N_FILES).map(open).collect::<io::Result<_>>()? })
    }

    /// Appends a pair.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, hash: u64, number: u32) -> io::Result<()> {
        let mut entry = [0; ENTRY_BYTES];
        entry[..8].copy_from_slice(&hash.to_le_bytes());
        entry[8..].copy_from_slice(&number.to_le_bytes());
        self.files[(hash >> 58) as usize].write_all(&entry)
    }

    /// Writes everything to the files and returns their lengths.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn flush(&mut self) -> io::Result<Vec<u64>> {
        self.files
            .iter_mut()
            .map(|file| file.flush().and_then(|()| file.get_ref().metadata()).map(|data| data.len()))
            .collect()
    }

    /// Reads the parts, one after the other. Equal hashes are in one part.
    ///
    /// # Errors
    /// When the files cannot be written. Each part may fail when its file cannot be read.
    pub fn parts(&mut self) -> io::Result<impl Iterator<Item = io::Result<Vec<(u64, u32)>>> + use<>> {
        self.flush()?;
        let (folder, name) = (self.folder.clone(), self.name);
        Ok((0..N_FILES).map(move |at| read(&path(&folder, name, at))))
    }
}

fn path(folder: &Path, name: &str, at: usize) -> PathBuf {
    folder.join(format!("{name}.{at:02}"))
}

fn read(path: &Path) -> io::Result<Vec<(u64, u32)>> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    let (entries, _) = bytes.as_chunks::<ENTRY_BYTES>();
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |value, &byte| value << 8 | u64::from(byte));
    Ok(entries.iter().map(|entry| (number(&entry[..8]), number(&entry[8..]) as u32)).collect())
}
