//! Model files of other programs: exported as one ZIP or into a folder, and imported.

use std::cell::RefCell;

use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{DataTransfer, File};
use yew::UseReducerDispatcher;

use crate::core::context::Cx;
use crate::core::download;
use crate::core::files;
use crate::core::link::Batch;
use crate::core::store;
use crate::state::Action;
use crate::state::State;
use crate::state::models::{Part, part};
use crate::state::runs::RunsAction;
use glasshead::types::FileInfo;
use glasshead::wire::export::{ExportCommand, ExportEvent};
use glasshead::wire::{Command, Event};

fn say(dispatcher: &UseReducerDispatcher<State>, message: String) {
    dispatcher.dispatch(Action::Runs(RunsAction::Message(message)));
}

/// Offers the exported models that arrived.
pub fn receive(batch: &Batch, state: &State, dispatcher: &UseReducerDispatcher<State>) {
    for (event, bytes) in batch {
        let Event::Export { run, event } = event else { continue };
        match (event, bytes) {
            _ if *run != state.run => (),
            (ExportEvent::Model { step }, Some(bytes)) => {
                let name = download::file_name(&format!("glasshead {} step {step}", state.runs.name), "zip");
                let offered = download::offer_bytes(&name, bytes, "application/zip");
                let message = match offered {
                    true => format!("Exported at step {step} as {name}: unpack it, and transformers opens the folder."),
                    false => "The model could not be exported: the browser refuses the download.".into(),
                };
                say(dispatcher, message);
            }
            (ExportEvent::Files { step, files }, Some(bytes)) => fill(*step, files.clone(), bytes, dispatcher.clone()),
            (ExportEvent::NoModel { message }, _) => say(dispatcher, format!("Not exported: {message}.")),
            _ => (),
        }
    }
}

thread_local! {
    /// The folder that the user chose for the export in progress.
    static CHOSEN: RefCell<Option<JsValue>> = const { RefCell::new(None) };
}

/// Whether the browser supports choosing a folder to write into.
pub fn can_write_folders() -> bool {
    web_sys::window().is_some_and(|window| method(&window, PICKER).is_some())
}

const PICKER: &str = "showDirectoryPicker";

/// Shows a folder picker, then requests the model's files.
pub fn export_into_folder(cx: &Cx, training_state: bool) {
    let cx = cx.clone();
    spawn_local(async move {
        let Some(window) = web_sys::window() else { return };
        let options = Object::new();
        // Setting a property on a plain object cannot fail.
        drop(Reflect::set(&options, &"mode".into(), &"readwrite".into()));
        // If the user cancels, nothing happens.
        let Ok(folder) = store::ask(&window, PICKER, &[options.into()]).await else { return };
        CHOSEN.set(Some(folder));
        cx.send(&Command::Export(ExportCommand::Model { loose: true, training_state }));
        cx.act(Action::Runs(RunsAction::Saving));
    });
}

/// Writes the concatenated files into the chosen folder.
fn fill(step: u64, files: Vec<FileInfo>, bytes: &[u8], dispatcher: UseReducerDispatcher<State>) {
    let (Some(folder), bytes) = (CHOSEN.take(), Uint8Array::from(bytes)) else { return };
    spawn_local(async move {
        let (mut start, mut written) = (0, Ok(()));
        for file in &files {
            let end = start + file.size as u32;
            written = store::put_into(&folder, &file.name, &[bytes.subarray(start, end).into()]).await;
            if written.is_err() {
                break;
            }
            start = end;
        }
        let message = match written {
            Ok(()) => format!("Exported at step {step}: transformers opens the folder with its {} files.", files.len()),
            Err(_) => "The model could not be exported: the browser cannot write into this folder.".into(),
        };
        say(&dispatcher, message);
    });
}

/// A display name for a model: its folder, or its file.
fn name_of(files: &[File]) -> String {
    let path = |file: &File| Reflect::get(file, &"webkitRelativePath".into()).ok().and_then(|path| path.as_string());
    let folder = files.iter().filter_map(path).find_map(|path| Some(path.split_once('/')?.0.to_string()));
    let packed = || files.iter().map(File::name).find(|name| name.to_lowercase().ends_with(".zip"));
    let name = folder.or_else(packed).unwrap_or_else(|| "imported".into());
    name.trim_end_matches(".zip").chars().take(24).collect()
}

/// Sends a model's files to the worker.
pub fn open(cx: &Cx, files: Vec<File>) {
    let cx = cx.clone();
    spawn_local(async move {
        let (mut infos, mut parts) = (Vec::new(), Vec::new());
        for file in &files {
            let bytes = match part(&file.name()) {
                Part::Ignored => continue,
                Part::Named => Uint8Array::new_with_length(0),
                Part::Read => match files::read(file).await {
                    Ok(bytes) => bytes,
                    Err(message) => return say(&cx.state.dispatcher(), format!("{message}.")),
                },
            };
            infos.push(FileInfo { name: file.name(), size: bytes.length() as usize, fields: Vec::new() });
            parts.push(bytes);
        }
        let command = cx.state.import_command(name_of(&files), infos);
        match files::joined(parts) {
            Ok(bytes) => {
                cx.send_or_connect(command, Some(bytes));
                cx.act(Action::Runs(RunsAction::Loading(None)));
            }
            Err(message) => say(&cx.state.dispatcher(), message),
        }
    });
}

/// Opens the dropped files, including those in dropped folders.
pub fn open_dropped(cx: &Cx, dropped: &DataTransfer) {
    let plain = files::listed(dropped.files());
    // Entries are only valid during this event; browsers without them provide files only.
    let items = dropped.items();
    let entry = |index: u32| {
        let item: JsValue = items.get(index)?.into();
        method(&item, "webkitGetAsEntry")?.call0(&item).ok().filter(JsValue::is_object)
    };
    let entries: Vec<JsValue> = (0..items.length()).filter_map(entry).collect();
    let folder = entries.into_iter().find(|entry| flag(entry, "isDirectory"));
    let Some(folder) = folder else { return cx.open_here(plain) };
    let cx = cx.clone();
    spawn_local(async move {
        match files_in(&folder).await {
            Some(files) => cx.open_here(files),
            None => say(&cx.state.dispatcher(), "The folder could not be read; choose its files instead.".into()),
        }
    });
}

fn flag(object: &JsValue, name: &str) -> bool {
    Reflect::get(object, &name.into()).is_ok_and(|flag| flag.is_truthy())
}

/// The files in a folder, excluding subfolders.
async fn files_in(folder: &JsValue) -> Option<Vec<File>> {
    let reader = method(folder, "createReader")?.call0(folder).ok()?;
    let mut files = Vec::new();
    loop {
        // The reader returns entries in batches, and an empty batch at the end.
        let entries: Array = answer(&reader, "readEntries").await?.dyn_into().ok()?;
        if entries.length() == 0 {
            return Some(files);
        }
        for entry in entries.iter().filter(|entry| flag(entry, "isFile")) {
            files.push(answer(&entry, "file").await?.dyn_into().ok()?);
        }
    }
}

fn method(object: &JsValue, name: &str) -> Option<Function> {
    Reflect::get(object, &name.into()).ok()?.dyn_into().ok()
}

/// Calls a method that takes a success and an error callback; returns the value passed to the former.
async fn answer(object: &JsValue, name: &str) -> Option<JsValue> {
    let method = method(object, name)?;
    let promise = Promise::new(&mut |resolve, reject| {
        if method.call2(object, &resolve, &reject).is_err() {
            // Calling a promise's own reject function cannot fail.
            drop(reject.call0(&JsValue::UNDEFINED));
        }
    });
    JsFuture::from(promise).await.ok()
}
