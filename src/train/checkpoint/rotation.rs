//! A rotation of checkpoint files in a folder: the latest and the previous one. A new checkpoint is written under a temporary
//! name, synchronized to disk, and then renamed, so that at least one file is complete whenever the program terminates.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use super::{Checkpoint, CheckpointError, FILE_NAME};

/// Name of the previous checkpoint.
pub const PREVIOUS: &str = "checkpoint.previous.safetensors";

/// Temporary name during writing.
const PART: &str = "checkpoint.part";

/// A checkpoint and, if it is not the latest, the reason.
pub struct Loaded {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Name of its file.
    pub file: &'static str,
    /// Why later checkpoints could not be loaded.
    pub notice: Option<String>,
}

/// Creates the folder if it is missing, and checks that it is writable.
///
/// # Errors
/// If it is not writable.
pub fn check_folder(folder: &Path) -> Result<(), CheckpointError> {
    let probe = folder.join("checkpoint.probe");
    let tried = fs::create_dir_all(folder).and_then(|()| File::create(&probe)).and_then(|_| fs::remove_file(&probe));
    tried.map_err(|source| CheckpointError::File { path: folder.into(), source })
}

/// Writes a serialized checkpoint into `folder`, which is created if it is missing.
///
/// # Errors
/// If the file cannot be written; the existing checkpoints are then unchanged.
pub fn save(folder: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    let (path, part) = (folder.join(FILE_NAME), folder.join(PART));
    let written = fs::create_dir_all(folder).and_then(|()| write(&part, bytes));
    if written.is_err() {
        // Frees disk space; the file may not exist.
        drop(fs::remove_file(&part));
    }
    written.and_then(|()| put_in_place(folder)).map_err(|source| CheckpointError::File { path, source })
}

fn write(part: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(part)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Moves the latest checkpoint to the previous one, and the new file to the latest.
fn put_in_place(folder: &Path) -> io::Result<()> {
    let [path, part, previous] = [FILE_NAME, PART, PREVIOUS].map(|name| folder.join(name));
    if path.exists() {
        fs::rename(&path, previous)?;
    }
    fs::rename(part, path)?;
    // If folders cannot be synchronized, the system does so at its own time.
    drop(File::open(folder).and_then(|folder| folder.sync_all()));
    Ok(())
}

/// Loads the latest complete checkpoint of `folder`.
///
/// # Errors
/// If there is none: the error of the latest checkpoint.
pub fn load(folder: &Path) -> Result<Loaded, CheckpointError> {
    let read = |name: &str| {
        let path = folder.join(name);
        let bytes = fs::read(&path).map_err(|source| CheckpointError::File { path, source })?;
        Checkpoint::from_bytes(&bytes)
    };
    let problem = match read(FILE_NAME) {
        Ok(checkpoint) => return Ok(Loaded { checkpoint, file: FILE_NAME, notice: None }),
        Err(problem) => problem,
    };
    // A file that was written but not renamed is either complete or fails its checksum.
    for name in [PART, PREVIOUS] {
        if let Ok(checkpoint) = read(name) {
            let step = checkpoint.state.step;
            let notice = Some(format!(
                "{} cannot be read ({problem}); going back to {name}, which is whole and stands at step {step}",
                folder.join(FILE_NAME).display(),
            ));
            return Ok(Loaded { checkpoint, file: name, notice });
        }
    }
    Err(problem)
}
