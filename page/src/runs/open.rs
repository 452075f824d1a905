//! Opening the user's files by their kind.

use wasm_bindgen_futures::spawn_local;
use web_sys::File;

use super::{checkpoints, import};
use crate::core::context::Cx;
use crate::core::files::read;
use crate::data::source;
use crate::state::data::DataAction;
use crate::state::models::is_model;
use crate::state::runs::RunsAction;
use crate::state::{Action, View};

impl Cx {
    /// Opens dropped files: as pages in the Data view, else by their kind.
    pub fn open_here(&self, files: Vec<File>) {
        if self.state.view == View::Data {
            return source::choose(self, files);
        }
        self.open_files(files);
    }

    /// Opens the user's files: imports a model, resumes the run if the first file is a checkpoint, or else uses the
    /// files as training text.
    pub fn open_files(&self, files: Vec<File>) {
        let Some(first) = files.first() else { return };
        self.act(Action::Data(DataAction::Opening));
        if is_model(&files.iter().map(File::name).collect::<Vec<_>>()) {
            return import::open(self, files);
        }
        if checkpoints::is_checkpoint(&first.name()) {
            let (cx, file) = (self.clone(), first.clone());
            return spawn_local(async move {
                match read(&file).await {
                    Ok(bytes) => checkpoints::resume_bytes(&cx, bytes, None, None),
                    Err(message) => cx.act(Action::Runs(RunsAction::Message(format!("{message}.")))),
                }
            });
        }
        let name = match files.len() {
            1 => first.name(),
            n => format!("{} and {} more", first.name(), n - 1),
        };
        let field = self.state.runs.needs_file.as_ref().and_then(|file| file.field.clone());
        self.load(files, field, Action::File(name));
    }
}
