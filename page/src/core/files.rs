//! Reads the user's files and sends them to the worker.

use js_sys::Uint8Array;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortController, File, FileList};

use crate::core::context::Cx;
use crate::core::link::Outgoing;
use crate::core::parquet;
use crate::core::parquet::ParquetText;
use crate::state::Action;
use crate::state::data::DataAction;
use glasshead::types::FileInfo;
use glasshead::types::tasks::skipped_rows;
use glasshead::wire::data::DataCommand;
use glasshead::wire::{Command, Event};

/// The maximum that the worker accepts at once: it addresses 4 GiB and needs room for the results.
const MAX_BYTES: u64 = 1 << 31;

/// What was sent to the worker, so that it can be sent again to a new one.
#[derive(Default)]
pub struct Kept {
    /// The files of the corpus.
    pub files: Vec<File>,
    /// Counts the times that files were opened, so that only the latest are used.
    opened: u32,
    /// The name of the next run's vocabulary, and its `tokenizer.json`.
    pub vocabulary: Option<(String, Vec<u8>)>,
    /// Aborts the download in progress.
    pub fetch: Option<AbortController>,
}

/// The files in a file list; none without one.
pub fn listed(list: Option<FileList>) -> Vec<File> {
    list.map_or(Vec::new(), |list| (0..list.length()).filter_map(|index| list.get(index)).collect())
}

/// The bytes of a file.
///
/// # Errors
/// A message if it cannot be read.
pub async fn read(file: &File) -> Result<Uint8Array, String> {
    let buffer = JsFuture::from(file.array_buffer()).await;
    buffer
        .map(|buffer| Uint8Array::new(&buffer))
        .map_err(|_| format!("{} could not be read; choose it again", file.name()))
}

/// Files ready to be sent to a worker.
pub struct Loaded {
    /// The command that sends them, with their bytes.
    pub outgoing: Outgoing,
    /// A message about Parquet rows without text, if any were skipped.
    pub notice: Option<String>,
}

/// Reads files and prepares the command that sends them; from Parquet files, it reads the texts in `field`.
///
/// # Errors
/// A message if a file cannot be read.
pub async fn load_command(files: &[File], field: Option<String>) -> Result<Loaded, String> {
    let (mut infos, mut parts, mut skipped_in) = (Vec::new(), Vec::new(), (0, String::new()));
    for file in files {
        let ParquetText { text, fields, skipped } = match parquet::is_parquet(file) {
            true => parquet::read(file, field.clone()).await?,
            false => ParquetText { text: read(file).await?, fields: Vec::new(), skipped: 0 },
        };
        if skipped > 0 {
            skipped_in = (skipped_in.0 + skipped, fields.first().cloned().unwrap_or_default());
        }
        infos.push(FileInfo { name: file.name(), size: text.length() as usize, fields });
        parts.push(text);
    }
    let notice = skipped_rows(skipped_in.0, &skipped_in.1);
    Ok(Loaded { outgoing: (Command::LoadFiles { files: infos }, Some(joined(parts)?)), notice })
}

/// The concatenated bytes of several files.
///
/// # Errors
/// A message if they exceed the size of a browser array.
pub fn joined(parts: Vec<Uint8Array>) -> Result<Uint8Array, String> {
    if let [only] = parts.as_slice() {
        return Ok(only.clone());
    }
    let bytes: u64 = parts.iter().map(|part| u64::from(part.length())).sum();
    if bytes > MAX_BYTES {
        let (mib, missing) = (bytes >> 20, (bytes - MAX_BYTES).div_ceil(1 << 20));
        return Err(format!("The files have {mib} MiB together; {missing} MiB are missing to hold them at once."));
    }
    let all = Uint8Array::new_with_length(bytes as u32);
    let mut at = 0;
    for part in parts {
        all.set(&part, at);
        at += part.length();
    }
    Ok(all)
}

impl Cx {
    /// Reads the text from another field of the records.
    pub fn choose_field(&self, field: String) {
        let files = self.kept.borrow().files.clone();
        if files.iter().any(parquet::is_parquet) {
            // The worker has only the previous column's text. The field to read comes first.
            return self.load(files, Some(field), Action::Data(DataAction::Field(0)));
        }
        let index = self.state.data.fields.iter().position(|name| *name == field);
        self.act(Action::Data(DataAction::Field(index.unwrap_or(0))));
        self.send(&Command::Data(DataCommand::ChooseField { field }));
    }

    /// Sends files to the worker; dispatches `then` once they are sent.
    pub fn load(&self, files: Vec<File>, field: Option<String>, then: Action) {
        let opened = {
            let mut kept = self.kept.borrow_mut();
            kept.opened += 1;
            kept.opened
        };
        if let Some(file) = files.iter().find(|file| parquet::is_parquet(file)) {
            self.act(Action::Data(DataAction::Reading(file.name())));
        }
        let cx = self.clone();
        spawn_local(async move {
            let loaded = load_command(&files, field.clone()).await;
            if cx.kept.borrow().opened != opened {
                return; // other files were opened in the meantime
            }
            match loaded {
                Ok(Loaded { outgoing, notice }) => {
                    cx.send_outgoing(outgoing);
                    let notices = notice.into_iter().map(|message| (Event::Notice { run: 0, message }, None));
                    cx.act(Action::Events(notices.collect()));
                    field.into_iter().for_each(|field| cx.send(&Command::Data(DataCommand::ChooseField { field })));
                    cx.kept.borrow_mut().files = files;
                    cx.act(Action::Data(DataAction::Read(None)));
                    cx.act(then);
                }
                Err(message) => cx.act(Action::Data(DataAction::Read(Some(message)))),
            }
        });
    }

    /// The messages that a new worker has to receive again.
    pub async fn kept_messages(&self) -> Vec<Outgoing> {
        let mut out = Vec::new();
        let (files, vocabulary) = {
            let kept = self.kept.borrow();
            (kept.files.clone(), kept.vocabulary.clone())
        };
        if !files.is_empty() {
            // A file that no longer exists is reported as missing when a run on it starts.
            let data = &self.clone().state.data;
            out.extend(load_command(&files, data.chosen_field()).await.ok().map(|loaded| loaded.outgoing));
            out.extend(data.field_command().map(|command| (command, None)));
        }
        if let Some((name, json)) = vocabulary {
            out.push((Command::LoadVocabulary { name }, Some(Uint8Array::from(json.as_slice()))));
        }
        out
    }
}
