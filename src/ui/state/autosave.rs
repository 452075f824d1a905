//! What the page knows of copies that it keeps by itself.

use super::runs::{KeptCheckpoint, RunsAction};
use super::{RunState, State};
use crate::protocol::Command;
use crate::protocol::runs::RunsCommand;

/// How often a copy is kept, in seconds, unless told otherwise.
pub const EVERY_SECONDS: u32 = 30;

/// The keys of such copies begin so.
const PREFIX: &str = "auto-";

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autosave {
    /// Seconds between copies; none keeps none.
    pub every: Option<u32>,
    /// The latest copy, or why there is none.
    pub said: Option<String>,
    /// Whether the page has offered what it kept in an earlier visit, and was told no.
    pub declined: bool,
}

impl Default for Autosave {
    fn default() -> Self {
        Self { every: Some(EVERY_SECONDS), said: None, declined: false }
    }
}

impl Autosave {
    /// What the worker is told.
    pub fn command(&self) -> Command {
        Command::Runs { command: RunsCommand::Copies { every_seconds: self.every } }
    }

    /// Takes over an entry: seconds, or nothing for never.
    ///
    /// # Errors
    /// A sentence.
    pub fn set(&mut self, entry: &str) -> Result<(), String> {
        let entry = entry.trim();
        self.every = match entry.parse() {
            _ if entry.is_empty() => None,
            Ok(seconds) if (1..=86_400).contains(&seconds) => Some(seconds),
            _ => {
                return Err(format!("save_every cannot be “{entry}”; enter seconds, 1 to 86400, or nothing for never"));
            }
        };
        Ok(())
    }
}

/// The two copies of a run have the same key but for the last digit. What it is without it.
pub fn run_of(key: &str) -> Option<&str> {
    let rest = key.strip_prefix(PREFIX)?;
    let (run, generation) = rest.rsplit_once('-')?;
    matches!(generation, "0" | "1").then(|| &key[..PREFIX.len() + run.len()])
}

/// The key of a run's copy.
pub fn key(run: &str, generation: u8) -> String {
    format!("{run}-{}", generation % 2)
}

/// The keys of all that belongs to a kept run: both copies, also one that is too damaged to be listed, or the one file.
pub fn files_of(kept: &str) -> Vec<String> {
    run_of(kept).map_or_else(|| vec![kept.to_string()], |run| vec![key(run, 0), key(run, 1)])
}

/// A key for a new run.
pub fn new_run(now_ms: f64, chance: f64) -> String {
    format!("{PREFIX}{now_ms:.0}x{:06.0}", chance * 1e6)
}

/// The generation to overwrite next, when the latest copy has this key.
pub fn next_generation(key: &str) -> u8 {
    u8::from(key.ends_with('0'))
}

/// Of the two copies of each run, latest first in the list, the older one becomes what the newer falls back on.
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
    /// What was kept by itself: in an earlier visit, as long as this one has not trained, or of a run that has failed.
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
