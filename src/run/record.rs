//! The page's data in a run's file: its training text and losses.

use safetensors::SafeTensors;

use crate::config::RunConfig;
use crate::data::Tokenizer;
use crate::train::checkpoint::{CheckpointError, to_bytes};
use crate::train::trainer::TrainingState;
use crate::types::History;
use crate::types::runs::{CorpusRecord, RunRecord};

/// Name of the metadata entry.
const FIELD: &str = "run";

/// Approximate maximum number of steps whose losses are saved; longer runs are thinned.
const MAX_POINTS: usize = 20_000;

/// A hash that identifies a text, as 16 hexadecimal digits: FNV-1a, the same on every machine.
pub fn fingerprint(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}

/// Serializes a checkpoint with a record in its header.
///
/// # Errors
/// As [`Checkpoint::to_bytes`](crate::train::checkpoint::Checkpoint::to_bytes).
pub fn to_bytes_with(
    config: &RunConfig,
    tokenizer: &Tokenizer,
    state: &TrainingState,
    name: &str,
    corpus: &CorpusRecord,
    history: &History,
) -> Result<Vec<u8>, CheckpointError> {
    let history = history.thinned(MAX_POINTS);
    let record = RunRecord { name: name.into(), corpus: corpus.clone(), history };
    let json = serde_json::to_string(&record);
    let json = json.map_err(|error| CheckpointError::Metadata { field: FIELD, detail: error.to_string() })?;
    to_bytes(config, tokenizer, state, Some((FIELD, json)))
}

/// The record of a serialized checkpoint; `None` for one written by the command line.
pub fn read(bytes: &[u8]) -> Option<RunRecord> {
    let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
    serde_json::from_str(header.metadata().as_ref()?.get(FIELD)?).ok()
}
