//! The worker of the Data view, which starts when the view opens. Its module is a file of its own.

use std::cell::RefCell;
use std::collections::BTreeMap;

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, Worker, WorkerOptions, WorkerType};

use super::state::{DataViewAction, WorkerState};
use super::{helpers, link, source};
use crate::core::context::Cx;
use crate::core::download::offer_bytes;
use crate::core::{navigation, preferences};
use crate::state::{Action, View};
use glasshead_filter::wire::{FileOf, Reply, Request, TextOf};

/// The preference with the settings that differ from the defaults.
pub const SETTINGS: &str = "filters";

struct Running {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(web_sys::Event)>,
}

thread_local! {
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
    /// The settings that were sent or confirmed last.
    static SETTINGS_SENT: RefCell<Option<BTreeMap<String, String>>> = const { RefCell::new(None) };
    /// The kept text was requested for the Train view.
    static FOR_TRAINING: RefCell<bool> = const { RefCell::new(false) };
}

fn act(cx: &Cx, action: DataViewAction) {
    cx.act(Action::Filters(action));
}

/// Starts the worker if it is not running; true if it was started now.
pub fn start(cx: &Cx) -> bool {
    if RUNNING.with_borrow(Option::is_some) {
        return false;
    }
    match run(cx) {
        Ok(running) => {
            RUNNING.set(Some(running));
            SETTINGS_SENT.set(None);
            act(cx, DataViewAction::Worker(WorkerState::On));
            true
        }
        Err(message) => {
            act(cx, DataViewAction::Worker(WorkerState::Failed(message.into())));
            false
        }
    }
}

fn run(cx: &Cx) -> Result<Running, &'static str> {
    let refused = "The browser did not start the worker of the filters; reload the page.";
    let document = web_sys::window().and_then(|window| window.document()).ok_or(refused)?;
    let meta = document.query_selector("meta[name='data-worker']").ok().flatten();
    let address = meta.and_then(|meta| meta.get_attribute("content")).ok_or(refused)?;
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    let worker = Worker::new_with_options(&address, &options).map_err(|_| refused)?;
    let on_message: Closure<dyn FnMut(MessageEvent)> = {
        let cx = cx.clone();
        // A handle keeps every state that it has read alive, so each message gets its own clone.
        Closure::new(move |message: MessageEvent| receive(&cx.clone(), &Array::from(&message.data())))
    };
    let on_error: Closure<dyn FnMut(web_sys::Event)> = {
        let cx = cx.clone();
        Closure::new(move |event: web_sys::Event| {
            event.prevent_default();
            drop(RUNNING.take());
            let message = "The worker of the filters stopped, perhaps for lack of memory. Read fewer pages, or use `glasshead data run`.";
            act(&cx, DataViewAction::Worker(WorkerState::Failed(message.into())));
        })
    };
    worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
    Ok(Running { worker, _on_message: on_message, _on_error: on_error })
}

/// Sends a request with files or bytes.
pub fn send(request: &Request, files: &[JsValue]) {
    let Ok(json) = serde_json::to_string(request) else { return };
    let message: Array = std::iter::once(JsValue::from(json)).chain(files.iter().cloned()).collect();
    RUNNING.with_borrow(|running| {
        if let Some(running) = running {
            // Text, files and bytes can be cloned.
            let _ = running.worker.post_message(&message);
        }
    });
}

/// Puts settings in use, unless they are already.
pub fn send_settings(changes: &BTreeMap<String, String>) {
    let sent = SETTINGS_SENT.with_borrow_mut(|sent| sent.replace(changes.clone()));
    if sent.as_ref() != Some(changes) {
        send(&Request::Settings { changes: changes.clone() }, &[]);
    }
}

/// Requests the kept text and opens the Train view with it.
pub fn send_to_train() {
    FOR_TRAINING.set(true);
    send(&Request::Text { of: TextOf::Kept, hold_out: false }, &[]);
}

fn receive(cx: &Cx, message: &Array) {
    let reply = message.get(0).as_string().and_then(|json| serde_json::from_str::<Reply>(&json).ok());
    let Some(reply) = reply else { return };
    let bytes = message.get(1).dyn_into::<Uint8Array>().ok();
    match &reply {
        Reply::File { of, documents } => {
            if let Some(bytes) = bytes {
                file(cx, *of, *documents, &bytes);
            }
            return;
        }
        Reply::Settings { changes, .. } => {
            let text = link::write(changes);
            preferences::save(SETTINGS, &text);
            SETTINGS_SENT.set(Some(changes.clone()));
            if cx.state.view == View::Data {
                navigation::remember("filters", &text);
            }
        }
        _ => {}
    }
    act(cx, DataViewAction::Heard(Box::new(reply)));
}

/// Saves a file, or passes a text on.
fn file(cx: &Cx, of: FileOf, documents: usize, bytes: &Uint8Array) {
    let offer = |name: &str, kind: &str| {
        offer_bytes(name, &bytes.to_vec(), kind);
    };
    match of {
        FileOf::Settings => offer("filters.toml", "application/toml"),
        FileOf::Kept => offer("kept.jsonl", "application/jsonl"),
        FileOf::Decisions => offer("decisions.jsonl", "application/jsonl"),
        FileOf::Text { of: TextOf::Kept } if FOR_TRAINING.replace(false) => {
            if documents == 0 {
                let message = "No document is kept, so there is no text to train on. Move a limit first.";
                return act(cx, DataViewAction::Problem(Some(message.into())));
            }
            source::train_on(cx, bytes);
        }
        FileOf::Text { of } => helpers::text(cx, of, bytes),
    }
}

/// The settings of the latest visit.
pub fn stored_settings() -> BTreeMap<String, String> {
    preferences::load(SETTINGS).map_or_else(BTreeMap::new, |text| link::read(&text))
}
