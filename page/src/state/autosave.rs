//! State and settings of autosaves.

use super::error::EntryError;
use super::runs::{KeptCheckpoint, RunsAction};
use super::{RunState, State};
use glasshead::wire::Command;
use glasshead::wire::runs::RunsCommand;

/// Default interval between autosaves in seconds.
pub const EVERY_SECONDS: u32 = 30;

/// Prefix of autosave keys.
const PREFIX: &str = "auto-";

/// Settings and status of autosaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autosave {
    /// Seconds between autosaves; none disables them.
    pub every: Option<u32>,
    /// The latest autosave, or why it failed.
    pub said: Option<String>,
    /// Whether the user has declined to resume an autosave of an earlier visit.
    pub declined: bool,
}

impl Default for Autosave {
    fn default() -> Self {
        Self { every: Some(EVERY_SECONDS), said: None, declined: false }
    }
}

impl Autosave {
    /// The command that sets the interval in the worker.
    pub fn command(&self) -> Command {
        Command::Runs { command: RunsCommand::Copies { every_seconds: self.every } }
    }

    /// Sets the interval from text: seconds, or empty for never.
    ///
    /// # Errors
    /// A message if the text is invalid.
    pub fn set(&mut self, entry: &str) -> Result<(), EntryError> {
        let entry = entry.trim();
        self.every = match entry.parse() {
            _ if entry.is_empty() => None,
            Ok(seconds) if (1..=86_400).contains(&seconds) => Some(seconds),
            _ => return Err(EntryError::Interval(entry.into())),
        };
        Ok(())
    }
}

/// The name shared by both autosave keys of a run, which differ only in their last digit; none for other keys.
pub fn run_of(key: &str) -> Option<&str> {
    let rest = key.strip_prefix(PREFIX)?;
    let (run, generation) = rest.rsplit_once('-')?;
    matches!(generation, "0" | "1").then(|| &key[..PREFIX.len() + run.len()])
}

/// The key of a run's autosave.
pub fn key(run: &str, generation: u8) -> String {
    format!("{run}-{}", generation % 2)
}

/// The keys of all files of a stored run: both autosaves, even one too damaged to be listed, or the single file.
pub fn files_of(kept: &str) -> Vec<String> {
    run_of(kept).map_or_else(|| vec![kept.to_string()], |run| vec![key(run, 0), key(run, 1)])
}

/// A new name for a run's autosaves.
pub fn new_run(now_ms: f64, chance: f64) -> String {
    format!("{PREFIX}{now_ms:.0}x{:06.0}", chance * 1e6)
}

/// The rotation index to overwrite next, given the key of the latest autosave.
pub fn next_generation(key: &str) -> u8 {
    u8::from(key.ends_with('0'))
}

/// Merges the two autosaves of each run (latest first in the list): the older becomes the fallback of the newer.
pub fn pair(kept: Vec<KeptCheckpoint>) -> Vec<KeptCheckpoint> {
    let mut pairs: Vec<KeptCheckpoint> = Vec::with_capacity(kept.len());
    for checkpoint in kept {
        let run = run_of(&checkpoint.key).map(str::to_string);
        let newer = run.and_then(|run| pairs.iter_mut().find(|newer| run_of(&newer.key) == Some(&run)));
        match newer {
            Some(newer) => newer.older = Some(checkpoint.key),
            None => pairs.push(checkpoint),
        }
    }
    pairs
}

impl State {
    /// The autosave to offer: from an earlier visit as long as nothing was trained in this one, or of a run that has
    /// failed.
    pub fn offered_run(&self) -> Option<&KeptCheckpoint> {
        let over = self.step == 0 || matches!(self.run_state, RunState::Failed(_));
        let idle = over && self.runs.loading.is_none() && !self.runs.autosave.declined;
        let mut kept = self.runs.kept.iter().flatten();
        kept.find(|kept| idle && run_of(&kept.key).is_some())
    }

    pub(super) fn apply_autosave(&mut self, action: RunsAction) {
        let autosave = &mut self.runs.autosave;
        match action {
            RunsAction::SaveEvery(every) => (autosave.every, autosave.said) = (every, None),
            RunsAction::SavedByItself(said) => autosave.said = Some(said),
            RunsAction::Decline => autosave.declined = true,
            _ => (),
        }
    }
}
