//! Where an interrupted run stands.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::pipeline::Funnel;
use crate::source::Skipped;

/// Saved after batches of the first phase. The lengths of files say what belongs to it; what was written later is cut off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Of the settings and inputs; another run cannot continue.
    pub(super) fingerprint: u64,
    /// The input to continue with, and the documents of it that are done.
    pub(super) input: usize,
    pub(super) input_documents: u64,
    pub(super) spool_bytes: u64,
    pub(super) line_bytes: Vec<u64>,
    /// Of finished inputs.
    pub(super) skipped: Skipped,
    pub(super) problems: Vec<String>,
    /// Documents and bytes so far, and what the first phase dropped.
    pub(super) funnel: Funnel,
    /// The first phase is complete.
    pub(super) complete: bool,
}

impl Progress {
    /// The progress in a folder; `None` if there is none that can be read.
    pub(super) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// Replaces the file at once.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let temporary = path.with_extension("new");
        fs::write(&temporary, serde_json::to_vec(self)?)?;
        fs::rename(temporary, path)
    }
}
