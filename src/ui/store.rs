//! What the browser keeps for this page: files in folders of its origin-private file system. Runs lie there, each as a
//! line that describes it and the bytes of its file. Browsers without such files keep runs in a [`database`].
//!
//! A file is written beside its place and comes to it when it is closed: until then, and whatever breaks it off, what was
//! there before is whole. All is called by name, because older browsers, private windows and pages that came without
//! encryption lack some of it or refuse: an error then, and never an exception that nobody catches.

use js_sys::{Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, File};

use super::app::on_window;
use super::{database, preferences};

/// The folder of runs.
const RUNS: &str = "runs";

/// No description is longer.
const MAX_ABOUT: f64 = 65_536.0;

/// Calls a method, and waits for what it promises.
///
/// # Errors
/// What the browser says, also when it knows no such method.
pub async fn ask(object: &JsValue, method: &str, arguments: &[JsValue]) -> Result<JsValue, JsValue> {
    let function: Function = Reflect::get(object, &method.into())?.dyn_into()?;
    let answer = function.apply(object, &arguments.iter().collect())?;
    JsFuture::from(Promise::resolve(&answer)).await
}

/// A folder, which is made where there is none yet.
///
/// # Errors
/// What the browser says.
pub async fn folder(name: &str) -> Result<JsValue, JsValue> {
    let navigator = web_sys::window().ok_or(JsValue::NULL)?.navigator();
    let storage = Reflect::get(&navigator, &"storage".into())?;
    let root = ask(&storage, "getDirectory", &[]).await?;
    ask(&root, "getDirectoryHandle", &[name.into(), making()?]).await
}

/// A file of a folder.
///
/// # Errors
/// What the browser says, for example that there is no such file.
pub async fn file(folder: &JsValue, name: &str) -> Result<File, JsValue> {
    let handle = ask(folder, "getFileHandle", &[name.into()]).await?;
    ask(&handle, "getFile", &[]).await?.dyn_into()
}

/// A stream into a file, which takes the place of what has that name when it is closed.
///
/// # Errors
/// What the browser says, for example that its storage is full.
pub async fn writable(folder: &JsValue, name: &str) -> Result<JsValue, JsValue> {
    let handle = ask(folder, "getFileHandle", &[name.into(), making()?]).await?;
    let writable = ask(&handle, "createWritable", &[]).await;
    if writable.is_err() {
        remove_empty(folder, name).await;
    }
    writable
}

/// Gives a stream up.
pub async fn give_up(folder: &JsValue, name: &str, writable: &JsValue) {
    // What it was to write is lost, whatever the browser says to that.
    drop(ask(writable, "abort", &[]).await);
    remove_empty(folder, name).await;
}

/// Removes the empty file that was made for a stream, where the name was new.
async fn remove_empty(folder: &JsValue, name: &str) {
    if file(folder, name).await.is_ok_and(|file| file.size() == 0.0) {
        drop(remove(folder, name).await); // an empty file is taken for none
    }
}

/// Sees to it that there is no such file.
///
/// # Errors
/// What the browser says where the file stays.
pub async fn remove(folder: &JsValue, name: &str) -> Result<(), JsValue> {
    match ask(folder, "removeEntry", &[name.into()]).await {
        Err(refusal) if file(folder, name).await.is_ok() => Err(refusal),
        _ => Ok(()),
    }
}

/// Whether the browser has files that a page can write; else runs are in a [`database`].
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

/// Keeps a run under a key, in place of what had it.
///
/// # Errors
/// What the browser says; what was there before is there still.
pub async fn put(key: &str, about: &str, run: &Blob) -> Result<(), JsValue> {
    if has_files() {
        put_into(&folder(RUNS).await?, key, &[format!("{about}\n").into(), run.into()]).await?;
    } else {
        database::put(key, about, run).await?;
    }
    tell_other_tabs();
    Ok(())
}

/// Writes parts, one after the other, into a file of a folder, in place of what had its name.
///
/// # Errors
/// What the browser says; what was there before is there still.
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

/// The name of the entry of local storage that changes with the runs that are kept; other tabs get an event then.
const CHANGED: &str = "runs_changed";

fn tell_other_tabs() {
    // The value only has to differ from the one before.
    preferences::save(CHANGED, &format!("{} {}", js_sys::Date::now(), js_sys::Math::random()));
}

/// Calls `then` whenever another tab has kept or deleted a run, until the returned guard is called.
pub fn on_change_elsewhere(then: impl Fn() + 'static) -> impl FnOnce() {
    on_window("storage", move |event| {
        let key = Reflect::get(&event, &"key".into()).ok().and_then(|key| key.as_string());
        if key.is_some_and(|key| key.ends_with(CHANGED)) {
            then();
        }
    })
}

/// All keys and descriptions. A browser that has learned to write files still has older runs in its database.
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
        // What cannot be read, or is still being written, is not there for anybody.
        if let Ok(file) = file(&folder, &key).await
            && let Ok(about) = about(&file).await
        {
            listed.push((key, about));
        }
    }
}

/// The run under a key.
///
/// # Errors
/// What the browser says, or nothing when there is no such run.
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

/// Forgets a run.
///
/// # Errors
/// What the browser says.
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

/// The line at the beginning of a kept run.
async fn about(file: &File) -> Result<String, JsValue> {
    let text = JsFuture::from(file.slice_with_f64_and_f64(0.0, MAX_ABOUT)?.text()).await?;
    let text = text.as_string().unwrap_or_default();
    text.split_once('\n').map(|(line, _)| line.to_string()).ok_or(JsValue::NULL)
}
