//! Saved runs in the browser: written to its storage, offered as files, and sent back to the worker.

use js_sys::{Date, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::Blob;
use yew::UseReducerDispatcher;

use crate::core::context::Cx;
use crate::core::download;
use crate::core::link::Batch;
use crate::core::store;
use crate::state::Action;
use crate::state::State;
use crate::state::autosave;
use crate::state::runs::{KeptCheckpoint, RunsAction};
use glasshead::types::runs::CheckpointInfo;
use glasshead::wire::Event;
use glasshead::wire::runs::RunsEvent;

type Dispatcher = UseReducerDispatcher<State>;

/// A checkpoint's description as stored.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Kept {
    about: CheckpointInfo,
    bytes: usize,
    /// Save time in milliseconds since 1970.
    saved_ms: f64,
}

impl Kept {
    /// The description of a file saved at the current time.
    pub fn now(about: CheckpointInfo, file: &Blob) -> Self {
        Self { about, bytes: file.size() as usize, saved_ms: Date::now() }
    }
}

fn say(dispatcher: &Dispatcher, message: impl Into<String>) {
    dispatcher.dispatch(Action::Runs(RunsAction::Message(message.into())));
}

/// Whether a file is a checkpoint, judged by its name.
pub fn is_checkpoint(name: &str) -> bool {
    name.to_lowercase().ends_with(".safetensors")
}

/// The file name of a checkpoint.
fn file_name(about: &CheckpointInfo) -> String {
    download::file_name(&format!("glasshead {} step {}", about.name, about.step), "safetensors")
}

/// Stores and offers the checkpoints that the worker emitted.
pub fn receive(batch: &Batch, dispatcher: &Dispatcher) {
    for (event, bytes) in batch {
        if let (Event::Runs { event: RunsEvent::Saved { about }, .. }, Some(bytes)) = (event, bytes) {
            match download::blob(&Uint8Array::from(&**bytes), download::BYTES) {
                Ok(blob) => save(about.clone(), blob, dispatcher.clone()),
                Err(_) => say(dispatcher, "The run could not be saved: the browser has no memory for its file."),
            }
        }
    }
}

fn save(about: CheckpointInfo, blob: Blob, dispatcher: Dispatcher) {
    let offered = download::offer(&file_name(&about), &blob);
    spawn_local(async move {
        let kept = Kept::now(about, &blob);
        let saved_ms = kept.saved_ms;
        let json = serde_json::to_string(&kept).unwrap_or_default();
        let message = match (store::put(&format!("{saved_ms:.0}"), &json, &blob).await, offered) {
            (Ok(()), true) => format!("Saved at step {}: kept in this browser, and downloaded.", kept.about.step),
            (Ok(()), false) => format!("Saved at step {}: kept in this browser.", kept.about.step),
            (Err(_), true) => {
                "The file was downloaded, but not kept in this browser: its storage is full or forbidden (as in a private \
                 window). Runs that are listed here stay."
                    .into()
            }
            (Err(_), false) => {
                "The run could not be saved: the browser refuses both its storage and a download.".into()
            }
        };
        say(&dispatcher, message);
        list(dispatcher).await;
    });
}

/// Lists the checkpoints in the browser's storage.
pub async fn list(dispatcher: Dispatcher) {
    dispatcher.dispatch(Action::Runs(RunsAction::Kept(autosave::pair(kept().await))));
}

/// The stored checkpoints, latest first.
pub async fn kept() -> Vec<KeptCheckpoint> {
    let mut kept: Vec<(f64, KeptCheckpoint)> = Vec::new();
    // Without storage the list is empty.
    for (key, json) in store::list().await {
        if let Ok(Kept { about, bytes, saved_ms }) = serde_json::from_str(&json) {
            let saved = Date::new(&JsValue::from_f64(saved_ms));
            let saved = format!("{} {}", saved.to_locale_date_string("default", &JsValue::UNDEFINED), clock(&saved));
            kept.push((saved_ms, KeptCheckpoint { key, about, bytes, saved, older: None }));
        }
    }
    kept.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    kept.into_iter().map(|(_, checkpoint)| checkpoint).collect()
}

/// Hours and minutes.
pub fn clock(time: &Date) -> String {
    format!("{:02}:{:02}", time.get_hours(), time.get_minutes())
}

/// Resumes a stored run.
pub fn resume(cx: &Cx, checkpoint: &KeptCheckpoint) {
    let KeptCheckpoint { key, older, about, .. } = checkpoint.clone();
    with_kept(cx, key.clone(), |cx, bytes, _| resume_bytes(&cx, bytes, Some((key, older)), Some(about.name)));
}

/// After a reload from the crash screen, resumes the run that the screen named, once.
pub fn resume_after_crash(cx: &Cx) {
    const KEY: &str = "glasshead.resume";
    let Some(storage) = web_sys::window().and_then(|window| window.session_storage().ok().flatten()) else { return };
    let Some(wanted) = storage.get_item(KEY).ok().flatten() else { return };
    drop(storage.remove_item(KEY)); // removing an existing entry cannot fail
    let cx = cx.clone();
    spawn_local(async move {
        let all = autosave::pair(kept().await);
        if let Some(found) = all.iter().find(|kept| autosave::run_of(&kept.key) == autosave::run_of(&wanted)) {
            resume(&cx, found);
        }
    });
}

/// Offers a stored run as a file.
pub fn offer(cx: &Cx, checkpoint: &KeptCheckpoint) {
    let name = file_name(&checkpoint.about);
    with_kept(cx, checkpoint.key.clone(), move |_, bytes, dispatcher| {
        if !download::blob(&bytes, download::BYTES).is_ok_and(|blob| download::offer(&name, &blob)) {
            say(dispatcher, "The browser refuses the download.");
        }
    });
}

fn with_kept(cx: &Cx, key: String, then: impl FnOnce(Cx, Uint8Array, &Dispatcher) + 'static) {
    let (cx, dispatcher) = (cx.clone(), cx.state.dispatcher());
    spawn_local(async move {
        match store::get(&key).await {
            Ok(bytes) => then(cx, bytes, &dispatcher),
            Err(_) => say(&dispatcher, "The browser has lost this run; delete it from the list."),
        }
    });
}

/// Deletes a stored run.
pub fn delete(cx: &Cx, checkpoint: &KeptCheckpoint) {
    let (dispatcher, checkpoint) = (cx.state.dispatcher(), checkpoint.clone());
    spawn_local(async move {
        let mut refused = false;
        for key in autosave::files_of(&checkpoint.key) {
            refused |= store::delete(&key).await.is_err();
        }
        if refused {
            say(&dispatcher, "The browser refuses to delete this run; clear the site's data instead.");
        }
        list(dispatcher).await;
    });
}

/// Resumes a saved run. `copy` is its storage key and that of the older file in its rotation; `name` is its name in the
/// list of saved runs.
pub fn resume_bytes(cx: &Cx, bytes: Uint8Array, copy: Option<(String, Option<String>)>, name: Option<String>) {
    super::autosave::sending(copy);
    cx.send_or_connect(cx.state.resume_command(), Some(bytes));
    cx.act(Action::Runs(RunsAction::Loading(name)));
}
