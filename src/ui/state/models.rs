//! Models from elsewhere: which files are of one, and what the worker is told.

use super::State;
use crate::interop::companions::KEPT;
use crate::interop::files::CONFIG;
use crate::protocol::runs::RunsCommand;
use crate::protocol::{Command, FileInfo};

/// How names of files that are no model's own, but beside it or instead of it, end: weights that are refused.
const PICKLED: [&str; 4] = [".bin", ".pt", ".pth", ".ckpt"];

/// What becomes of a file that was chosen together with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It is read.
    Read,
    /// Its name is enough to say why not.
    Named,
    /// It is none of the model's.
    Ignored,
}

/// What a file is to a model from elsewhere, by its name.
pub fn part(name: &str) -> Part {
    let name = name.to_lowercase();
    match name.as_str() {
        "tokenizer.json" => Part::Read,
        name if KEPT.contains(&name) => Part::Read,
        _ if [".safetensors", ".safetensors.index.json", ".zip"].iter().any(|end| name.ends_with(end)) => Part::Read,
        _ if PICKLED.iter().any(|end| name.ends_with(end)) => Part::Named,
        _ => Part::Ignored,
    }
}

/// Whether files are of a model from elsewhere. A single file of weights with a name of its own is a saved run, and a
/// single vocabulary none of a model.
pub fn is_model(names: &[String]) -> bool {
    match names {
        [name] if name.to_lowercase().ends_with(".zip") || name == "config.json" => true,
        [name] if name.starts_with("model") => part(name) != Part::Ignored,
        [name] => part(name) == Part::Named,
        names => {
            names.iter().any(|name| part(name) != Part::Ignored && (name == CONFIG || !KEPT.contains(&name.as_str())))
        }
    }
}

impl State {
    /// The command that goes on with a model from elsewhere, whose files have to ride along;
    /// [`RunsAction::Loading`](super::runs::RunsAction::Loading) has to follow.
    pub fn import_command(&self, name: String, files: Vec<FileInfo>) -> Command {
        let (run, backend, probe) = (self.next_run(), self.draft.backend, self.probe.clone());
        let command = RunsCommand::Import { run, backend, probe, name, corpus: self.draft.corpus, files };
        Command::Runs { command }
    }
}
