//! The page's storage: files in folders of its origin-private file system. A run is a file with a line that describes
//! it, followed by the checkpoint's bytes. Browsers without writable files store runs in a [`database`].
//!
//! A file is written to a temporary place and replaces the old one when it is closed; if writing fails, the old file is
//! intact. All methods are called by name, because older browsers, private windows and insecure pages lack some of
//! them: this way a missing method is an error and not an uncaught exception.

use js_sys::{Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, File};

use crate::core::context::on_window;
use crate::core::database;
use crate::core::preferences;

/// The folder for runs.
const RUNS: &str = "runs";

/// Maximum length of a description in bytes.
const MAX_ABOUT: f64 = 65_536.0;

/// Calls a method and awaits its promise.
///
/// # Errors
/// The browser's message, also if the method does not exist.
pub async fn ask(object: &JsValue, method: &str, arguments: &[JsValue]) -> Result<JsValue, JsValue> {
    let function: Function = Reflect::get(object, &method.into())?.dyn_into()?;
    let answer = function.apply(object, &arguments.iter().collect())?;
    JsFuture::from(Promise::resolve(&answer)).await
}

/// Opens a folder, creating it if necessary.
///
/// # Errors
/// The browser's message.
pub async fn folder(name: &str) -> Result<JsValue, JsValue> {
    let navigator = web_sys::window().ok_or(JsValue::NULL)?.navigator();
    let storage = Reflect::get(&navigator, &"storage".into())?;
    let root = ask(&storage, "getDirectory", &[]).await?;
    ask(&root, "getDirectoryHandle", &[name.into(), making()?]).await
}

/// Opens a file of a folder.
///
/// # Errors
/// The browser's message, for example if the file does not exist.
pub async fn file(folder: &JsValue, name: &str) -> Result<File, JsValue> {
    let handle = ask(folder, "getFileHandle", &[name.into()]).await?;
    ask(&handle, "getFile", &[]).await?.dyn_into()
}

/// Opens a stream that replaces the file with this name when it is closed.
///
/// # Errors
/// The browser's message, for example if the storage is full.
pub async fn writable(folder: &JsValue, name: &str) -> Result<JsValue, JsValue> {
    let handle = ask(folder, "getFileHandle", &[name.into(), making()?]).await?;
    let writable = ask(&handle, "createWritable", &[]).await;
    if writable.is_err() {
        remove_empty(folder, name).await;
    }
    writable
}

/// Discards a stream.
pub async fn give_up(folder: &JsValue, name: &str, writable: &JsValue) {
    // The stream's data is discarded even if this fails.
    drop(ask(writable, "abort", &[]).await);
    remove_empty(folder, name).await;
}

/// Removes the empty file that opening a stream creates under a new name.
async fn remove_empty(folder: &JsValue, name: &str) {
    if file(folder, name).await.is_ok_and(|file| file.size() == 0.0) {
        drop(remove(folder, name).await); // an empty file is ignored anyway
    }
}

/// Removes a file, if it exists.
///
/// # Errors
/// The browser's message if the file could not be removed.
pub async fn remove(folder: &JsValue, name: &str) -> Result<(), JsValue> {
    match ask(folder, "removeEntry", &[name.into()]).await {
        Err(refusal) if file(folder, name).await.is_ok() => Err(refusal),
        _ => Ok(()),
    }
}

/// Whether the browser supports writable files; otherwise runs are in a [`database`].
fn has_files() -> bool {
    let prototype = Reflect::get(&js_sys::global(), &"FileSystemFileHandle".into())
        .and_then(|class| Reflect::get(&class, &"prototype".into()));
    prototype.and_then(|prototype| Reflect::has(&prototype, &"createWritable".into())).unwrap_or(false)
}

fn making() -> Result<JsValue, JsValue> {
    let options = Object::new();
    Reflect::set(&options, &"create".into(), &JsValue::TRUE)?;
    Ok(options.into())
}

/// Stores a run under a key, replacing any previous one.
///
/// # Errors
/// The browser's message; the previous run is kept.
pub async fn put(key: &str, about: &str, run: &Blob) -> Result<(), JsValue> {
    if has_files() {
        put_into(&folder(RUNS).await?, key, &[format!("{about}\n").into(), run.into()]).await?;
    } else {
        database::put(key, about, run).await?;
    }
    tell_other_tabs();
    Ok(())
}

/// Writes concatenated parts to a file of a folder, replacing any previous one.
///
/// # Errors
/// The browser's message; the previous file is kept.
pub async fn put_into(folder: &JsValue, name: &str, parts: &[JsValue]) -> Result<(), JsValue> {
    let writable = writable(folder, name).await?;
    let written = write(&writable, parts).await;
    if written.is_err() {
        give_up(folder, name, &writable).await;
    }
    written
}

async fn write(writable: &JsValue, parts: &[JsValue]) -> Result<(), JsValue> {
    for part in parts {
        ask(writable, "write", std::slice::from_ref(part)).await?;
    }
    ask(writable, "close", &[]).await.map(drop)
}

/// The entry of local storage that changes with the stored runs, which notifies other tabs.
const CHANGED: &str = "runs_changed";

fn tell_other_tabs() {
    // The value only has to differ from the previous one.
    preferences::save(CHANGED, &format!("{} {}", js_sys::Date::now(), js_sys::Math::random()));
}

/// Calls `then` when another tab stores or deletes a run, until the returned function is called.
pub fn on_change_elsewhere(then: impl Fn() + 'static) -> impl FnOnce() {
    on_window("storage", move |event| {
        let key = Reflect::get(&event, &"key".into()).ok().and_then(|key| key.as_string());
        if key.is_some_and(|key| key.ends_with(CHANGED)) {
            then();
        }
    })
}

/// All keys and descriptions, including older runs in the database if the browser has gained writable files since.
pub async fn list() -> Vec<(String, String)> {
    let mut listed = list_files().await.unwrap_or_default();
    for (key, about) in database::list().await.unwrap_or_default() {
        if listed.iter().all(|(other, _)| *other != key) {
            listed.push((key, about));
        }
    }
    listed
}

async fn list_files() -> Result<Vec<(String, String)>, JsValue> {
    let folder = folder(RUNS).await?;
    let (keys, mut listed) = (ask(&folder, "keys", &[]).await?, Vec::new());
    loop {
        let next = ask(&keys, "next", &[]).await?;
        let Some(key) = Reflect::get(&next, &"value".into())?.as_string() else { return Ok(listed) };
        // Files that are unreadable or still being written are skipped.
        if let Ok(file) = file(&folder, &key).await
            && let Ok(about) = about(&file).await
        {
            listed.push((key, about));
        }
    }
}

/// The run stored under a key.
///
/// # Errors
/// The browser's message, or null if there is no such run.
pub async fn get(key: &str) -> Result<Uint8Array, JsValue> {
    match get_file(key).await {
        Ok(bytes) => Ok(bytes),
        Err(_) => database::get(key).await,
    }
}

async fn get_file(key: &str) -> Result<Uint8Array, JsValue> {
    let file = file(&folder(RUNS).await?, key).await?;
    let start = about(&file).await?.len() + 1;
    let bytes = JsFuture::from(file.slice_with_f64(start as f64)?.array_buffer()).await?;
    Ok(Uint8Array::new(&bytes))
}

/// Deletes a run.
///
/// # Errors
/// The browser's message.
pub async fn delete(key: &str) -> Result<(), JsValue> {
    let in_database = database::delete(key).await;
    if has_files() {
        remove(&folder(RUNS).await?, key).await?;
    } else {
        in_database?;
    }
    tell_other_tabs();
    Ok(())
}

/// The description line at the beginning of a stored run.
async fn about(file: &File) -> Result<String, JsValue> {
    let text = JsFuture::from(file.slice_with_f64_and_f64(0.0, MAX_ABOUT)?.text()).await?;
    let text = text.as_string().unwrap_or_default();
    text.split_once('\n').map(|(line, _)| line.to_string()).ok_or(JsValue::NULL)
}
