//! TinyStories from the public hub, streamed into the browser's own file system and stored there.
//!
//! Nothing is requested until the user starts a download. A failed or canceled download leaves no file: a writable
//! stream commits its bytes only when it is closed.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortController, File, ReadableStreamDefaultReader, RequestInit, Response};

use crate::core::context::Cx;
use crate::core::store;
use crate::state::Action;
use crate::state::data::{DataAction, Fetching, HubText};

/// The folder in the origin-private file system.
const FOLDER: &str = "data";

const NO_NETWORK: &str = "TinyStories could not be fetched: the hub does not answer. Check the connection and fetch it \
    again; until then the text stays what it is.";
const CUT: &str = "The connection broke before all of TinyStories had come; fetch it again.";
const NO_SPACE: &str = "The browser does not let the page keep a file of this size; make room, or pick the file from \
    your disk instead.";

fn act(cx: &Cx, action: DataAction) {
    cx.act(Action::Data(action));
}

/// The stored file of a text, if any.
async fn file(text: HubText) -> Option<File> {
    let folder = store::folder(FOLDER).await.ok()?;
    store::file(&folder, text.file_name()).await.ok().filter(|file| file.size() > 0.0)
}

/// Checks which texts are stored from earlier visits.
pub fn look(cx: &Cx) {
    let cx = cx.clone();
    spawn_local(async move {
        for text in HubText::ALL {
            if let Some(file) = file(text).await {
                act(&cx, DataAction::Kept(text, Some(file.size() as u64)));
            }
        }
    });
}

/// Uses a stored text as the corpus.
pub fn open(cx: &Cx, text: HubText) {
    let cx = cx.clone();
    spawn_local(async move {
        match file(text).await {
            Some(file) => cx.open_files(vec![file]),
            None => act(&cx, DataAction::Kept(text, None)),
        }
    });
}

/// Deletes a stored text.
pub fn delete(cx: &Cx, text: HubText) {
    let cx = cx.clone();
    spawn_local(async move {
        if let Ok(folder) = store::folder(FOLDER).await {
            // A file that is already missing is fine.
            drop(store::remove(&folder, text.file_name()).await);
        }
        act(&cx, DataAction::Kept(text, None));
    });
}

/// Cancels the download.
pub fn cancel(cx: &Cx) {
    if let Some(controller) = cx.kept.borrow_mut().fetch.take() {
        controller.abort();
    }
    act(cx, DataAction::NotFetched(None));
}

/// Downloads a text, stores it and uses it as the corpus.
pub fn fetch(cx: &Cx, text: HubText) {
    let Ok(controller) = AbortController::new() else { return };
    cx.kept.borrow_mut().fetch = Some(controller.clone());
    act(cx, DataAction::Fetching(Fetching { text, received: 0, total: None }));
    let cx = cx.clone();
    spawn_local(async move {
        let result = stream(&cx, text, &controller).await;
        if controller.signal().aborted() {
            return; // the cancellation was reported where it was requested
        }
        match result {
            Ok(()) => {
                let size = file(text).await.map(|file| file.size() as u64);
                act(&cx, DataAction::Kept(text, size));
                open(&cx, text);
            }
            Err(message) => act(&cx, DataAction::NotFetched(Some(message))),
        }
    });
}

async fn stream(cx: &Cx, text: HubText, controller: &AbortController) -> Result<(), String> {
    let window = web_sys::window().ok_or(NO_NETWORK)?;
    let init = RequestInit::new();
    init.set_signal(Some(&controller.signal()));
    let answer = JsFuture::from(window.fetch_with_str_and_init(&text.address(), &init)).await;
    let response: Response = answer.map_err(|_| NO_NETWORK)?.unchecked_into(); // `fetch` resolves to a `Response`
    if !response.ok() {
        let status = response.status();
        return Err(format!("The hub answered with the error {status} instead of TinyStories; try again later."));
    }
    let length = response.headers().get("content-length").ok().flatten();
    let whole: Option<u64> = length.and_then(|length| length.parse().ok());
    let total = whole.map(|whole| whole.min(text.most_bytes()));
    let body = response.body().ok_or(NO_NETWORK)?;
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into(); // the default reader was requested
    let folder = store::folder(FOLDER).await.map_err(|_| NO_SPACE)?;
    let writable = store::writable(&folder, text.file_name()).await.map_err(|_| NO_SPACE)?;
    let result = copy(cx, Fetching { text, received: 0, total }, &reader, &writable).await;
    // Errors do not matter here: the stream is being discarded.
    drop(JsFuture::from(reader.cancel()).await);
    let result = match result {
        Ok(()) => store::ask(&writable, "close", &[]).await.map(drop).map_err(|_| NO_SPACE.into()),
        broken => broken,
    };
    if result.is_err() {
        store::give_up(&folder, text.file_name(), &writable).await;
    }
    result
}

/// Writes chunk after chunk, up to the maximum size, and reports progress ten times a second.
async fn copy(
    cx: &Cx,
    mut now: Fetching,
    reader: &ReadableStreamDefaultReader,
    writable: &JsValue,
) -> Result<(), String> {
    let mut told = 0.0;
    loop {
        let part = JsFuture::from(reader.read()).await.map_err(|_| CUT)?;
        let done = Reflect::get(&part, &"done".into()).is_ok_and(|done| done.is_truthy());
        if done {
            let complete = now.received > 0 && now.total.is_none_or(|total| now.received >= total);
            return if complete { Ok(()) } else { Err(CUT.into()) };
        }
        let chunk: Uint8Array = Reflect::get(&part, &"value".into()).map_err(|_| CUT)?.unchecked_into();
        let left = now.text.most_bytes() - now.received;
        let last = u64::from(chunk.length()) >= left;
        // The text ends with a complete line, if there is one within reach.
        let chunk = if last { whole_lines(&chunk.subarray(0, left as u32)) } else { chunk };
        store::ask(writable, "write", &[chunk.clone().into()]).await.map_err(|_| NO_SPACE)?;
        now.received += u64::from(chunk.length());
        if js_sys::Date::now() - told > 100.0 {
            told = js_sys::Date::now();
            act(cx, DataAction::Fetching(now));
        }
        if last {
            return Ok(());
        }
    }
}

fn whole_lines(chunk: &Uint8Array) -> Uint8Array {
    const NEWLINE: u8 = 10;
    let end = (0..chunk.length()).rev().find(|&at| chunk.get_index(at) == NEWLINE);
    chunk.subarray(0, end.map_or(chunk.length(), |at| at + 1))
}
