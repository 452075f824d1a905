//! The files of the user go to the worker.

use js_sys::Uint8Array;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortController, File, FileList};

use super::app::Cx;
use super::checkpoints;
use super::link::Outgoing;
use super::state::Action;
use crate::protocol::{Command, FileInfo};

/// What was given to the worker, so that a new one can be given it again.
#[derive(Default)]
pub struct Kept {
    /// The corpus.
    pub files: Vec<File>,
    /// The vocabulary of the next run, as `tokenizer.json`.
    pub vocabulary: Option<Vec<u8>>,
    /// Stops what is being fetched.
    pub fetch: Option<AbortController>,
}

/// The files of a list.
pub fn listed(list: Option<FileList>) -> Vec<File> {
    list.map_or(Vec::new(), |list| (0..list.length()).filter_map(|index| list.get(index)).collect())
}

/// The bytes of a file.
///
/// # Errors
/// A sentence when it cannot be read.
pub async fn read(file: &File) -> Result<Uint8Array, String> {
    let buffer = JsFuture::from(file.array_buffer()).await;
    buffer
        .map(|buffer| Uint8Array::new(&buffer))
        .map_err(|_| format!("{} could not be read; choose it again", file.name()))
}

/// The command that gives files to a worker.
///
/// # Errors
/// A sentence when one cannot be read.
pub async fn load_command(files: &[File]) -> Result<Outgoing, String> {
    let (mut infos, mut parts) = (Vec::new(), Vec::new());
    for file in files {
        let bytes = read(file).await?;
        infos.push(FileInfo { name: file.name(), size: bytes.length() as usize });
        parts.push(bytes);
    }
    let all = match parts.as_slice() {
        [only] => only.clone(),
        parts => {
            let all = Uint8Array::new_with_length(parts.iter().map(Uint8Array::length).sum());
            let mut at = 0;
            for part in parts {
                all.set(part, at);
                at += part.length();
            }
            all
        }
    };
    Ok((Command::LoadFiles { files: infos }, Some(all)))
}

impl Cx {
    /// Reads files of the user's: goes on with the run that one holds, or takes them as texts to train on.
    pub fn open_files(&self, files: Vec<File>) {
        let Some(first) = files.first() else { return };
        if checkpoints::is_checkpoint(&first.name()) {
            let (cx, file) = (self.clone(), first.clone());
            return spawn_local(async move { checkpoints::resume_blob(&cx, &file, &file.name()).await });
        }
        let name = match files.len() {
            1 => first.name(),
            n => format!("{} and {} more", first.name(), n - 1),
        };
        let cx = self.clone();
        spawn_local(async move {
            match load_command(&files).await {
                Ok((command, bytes)) => {
                    if let Some(bytes) = bytes {
                        cx.send_with(&command, &bytes);
                    }
                    cx.kept.borrow_mut().files = files;
                    cx.act(Action::File(name));
                }
                Err(message) => cx.act(Action::EntryProblem(message)),
            }
        });
    }

    /// What a new worker has to be given again.
    pub async fn kept_messages(&self) -> Vec<Outgoing> {
        let mut out = Vec::new();
        let (files, vocabulary) = {
            let kept = self.kept.borrow();
            (kept.files.clone(), kept.vocabulary.clone())
        };
        if !files.is_empty() {
            // A file that is gone meanwhile is missed when a run on it starts.
            out.extend(load_command(&files).await.ok());
            out.extend(self.clone().state.data.field_command().map(|command| (command, None)));
        }
        if let Some(json) = vocabulary {
            out.push((Command::LoadVocabulary, Some(Uint8Array::from(json.as_slice()))));
        }
        out
    }
}
