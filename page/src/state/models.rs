//! Models of other programs: which files belong to one, and the command that imports it.

use super::State;
use glasshead::interop::companions::KEPT;
use glasshead::interop::files::CONFIG;
use glasshead::types::FileInfo;
use glasshead::wire::Command;
use glasshead::wire::runs::RunsCommand;

/// File name endings of pickled weights, which are refused.
const PICKLED: [&str; 4] = [".bin", ".pt", ".pth", ".ckpt"];

/// How a file is handled when a model is imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It is read.
    Read,
    /// It is not read; its name suffices for the error message.
    Named,
    /// It does not belong to the model.
    Ignored,
}

/// How a file is handled, judged by its name.
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

/// Whether files belong to a model of another program. A single weights file whose name does not start with `model` is
/// a checkpoint, and a single vocabulary is not a model.
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
    /// The command that imports a model, to be sent with the bytes of its files; dispatch
    /// [`RunsAction::Loading`](super::runs::RunsAction::Loading) afterwards.
    pub fn import_command(&self, name: String, files: Vec<FileInfo>) -> Command {
        let (run, backend, probe) = (self.next_run(), self.draft.backend, self.probe.clone());
        let command = RunsCommand::Import { run, backend, probe, name, corpus: self.draft.corpus, files };
        Command::Runs { command }
    }
}
