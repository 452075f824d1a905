//! Checkpoints in a folder. Two are kept, the latest and the one before, and a new one appears whole or not at all: it is
//! written under another name, brought to the disk, and then renamed. Whenever the program dies, one is whole.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use super::checkpoint::{Checkpoint, CheckpointError, FILE_NAME};

/// The one before.
pub const PREVIOUS: &str = "checkpoint.previous.safetensors";

/// One that is being written.
const PART: &str = "checkpoint.part";

/// A checkpoint and, where it is not the latest, a sentence that says why.
pub struct Loaded {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// What was wrong with later ones.
    pub notice: Option<String>,
}

/// Makes the folder if it is missing and finds out whether it takes files.
///
/// # Errors
/// When it does not.
pub fn check_folder(folder: &Path) -> Result<(), CheckpointError> {
    let probe = folder.join("checkpoint.probe");
    let tried = fs::create_dir_all(folder).and_then(|()| File::create(&probe)).and_then(|_| fs::remove_file(&probe));
    tried.map_err(|source| CheckpointError::File { path: folder.into(), source })
}

/// Writes the bytes of a checkpoint into `folder`, which is made if it is missing.
///
/// # Errors
/// When they cannot be written. Then the checkpoints that were there are as they were.
pub fn save(folder: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    let (path, part) = (folder.join(FILE_NAME), folder.join(PART));
    let written = fs::create_dir_all(folder).and_then(|()| write(&part, bytes));
    if written.is_err() {
        // It is of no use, and the disk may be full. That it is not there is as good.
        drop(fs::remove_file(&part));
    }
    written.and_then(|()| put_in_place(folder)).map_err(|source| CheckpointError::File { path, source })
}

fn write(part: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(part)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// What was written becomes the latest, and the latest the one before.
fn put_in_place(folder: &Path) -> io::Result<()> {
    let [path, part, previous] = [FILE_NAME, PART, PREVIOUS].map(|name| folder.join(name));
    if path.exists() {
        fs::rename(&path, previous)?;
    }
    fs::rename(part, path)?;
    // Where folders cannot be synchronised, the system does it when it likes.
    drop(File::open(folder).and_then(|folder| folder.sync_all()));
    Ok(())
}

/// Reads the latest checkpoint of `folder` that is whole.
///
/// # Errors
/// When there is none: what is wrong with the latest.
pub fn load(folder: &Path) -> Result<Loaded, CheckpointError> {
    let read = |name: &str| {
        let path = folder.join(name);
        let bytes = fs::read(&path).map_err(|source| CheckpointError::File { path, source })?;
        Checkpoint::from_bytes(&bytes)
    };
    let problem = match read(FILE_NAME) {
        Ok(checkpoint) => return Ok(Loaded { checkpoint, notice: None }),
        Err(problem) => problem,
    };
    // A file that was written but not renamed is whole or fails its checksum.
    for name in [PART, PREVIOUS] {
        if let Ok(checkpoint) = read(name) {
            let step = checkpoint.state.step;
            let notice = Some(format!(
                "{} cannot be read ({problem}); going back to {name}, which is whole and stands at step {step}",
                folder.join(FILE_NAME).display(),
            ));
            return Ok(Loaded { checkpoint, notice });
        }
    }
    Err(problem)
}
