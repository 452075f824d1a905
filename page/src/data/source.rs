//! Where the pages come from: files, which stay in the browser's storage for the next visit, or the generator.

use std::cell::RefCell;

use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Blob, File};

use super::effect::EffectAction;
use super::link::{read_source, write_source};
use super::state::{DataViewAction, Source};
use super::{helpers, worker};
use crate::core::context::Cx;
use crate::core::{download, navigation, parquet, preferences, store};
use crate::state::overlay::OverlayAction;
use crate::state::{Action, View};
use glasshead::config::Preset;
use glasshead_filter::wire::Request;

/// The folder of the browser's storage for the files.
const FOLDER: &str = "pages";

/// Files of at most this many bytes are stored.
const MAX_STORED: f64 = 500e6;

/// The preference with the source: `generated SEED:MEGABYTES`, or `files` and a name per line.
const SOURCE: &str = "pages";

/// The preference with the results of paired runs.
const EFFECT: &str = "effect";

fn act(cx: &Cx, action: DataViewAction) {
    cx.act(Action::Filters(action));
}

fn problem(cx: &Cx, message: String) {
    act(cx, DataViewAction::Problem(Some(message)));
}

thread_local! {
    /// The source that was read last.
    static READ: RefCell<Source> = const { RefCell::new(Source::None) };
}

/// Reads the generated pages of a link that was opened in the page.
pub fn follow(cx: &Cx, source: &Source) {
    if let Source::Generated { seed, megabytes } = *source
        && READ.with_borrow(|read| read != source)
    {
        generate(cx, seed, megabytes);
    }
}

/// Starts the worker with the present settings.
fn ready(cx: &Cx) {
    if worker::start(cx) {
        worker::send_settings(&cx.clone().state.filters.changes);
        worker::send(&Request::Plant, &[]);
    }
}

/// Reads files, and stores them for the next visit.
pub fn choose(cx: &Cx, files: Vec<File>) {
    if files.is_empty() {
        return;
    }
    cx.act(Action::Overlay(OverlayAction::Close));
    let cx = cx.clone();
    spawn_local(async move {
        let mut parts = Vec::new();
        for file in &files {
            match part(file).await {
                Ok(part) => parts.push(part),
                Err(message) => problem(&cx, format!("{message}.")),
            }
        }
        if parts.is_empty() {
            return;
        }
        read(&cx, &parts);
        let kept = keep(&parts).await;
        act(&cx, DataViewAction::Kept(kept));
        let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
        preferences::save(SOURCE, &if kept { format!("files\n{}", names.join("\n")) } else { String::new() });
    });
}

/// A name and its content: texts of Parquet files are read first, by a worker of their own.
async fn part(file: &File) -> Result<(String, Blob), String> {
    let name = file.name();
    if !parquet::is_parquet(file) {
        return Ok((name, file.clone().into()));
    }
    let text = parquet::read(file, None).await?.text;
    let blob =
        Blob::new_with_u8_array_sequence(&Array::of1(&text)).map_err(|_| format!("{name} has no room in memory"))?;
    Ok((format!("{name}.txt"), blob))
}

/// Sends files to the worker.
fn read(cx: &Cx, parts: &[(String, Blob)]) {
    let names: Vec<String> = parts.iter().map(|(name, _)| name.clone()).collect();
    let bytes = parts.iter().map(|(_, blob)| blob.size() as u64).sum();
    let source = Source::Files { names: names.clone(), bytes };
    READ.set(source.clone());
    act(cx, DataViewAction::Source(source));
    ready(cx);
    let blobs: Vec<JsValue> = parts.iter().map(|(_, blob)| blob.into()).collect();
    worker::send(&Request::Read { names, field: "text".into() }, &blobs);
}

/// Stores files; false if they are too large or the browser has no room.
async fn keep(parts: &[(String, Blob)]) -> bool {
    if parts.iter().map(|(_, blob)| blob.size()).sum::<f64>() > MAX_STORED {
        return false;
    }
    let Ok(folder) = store::folder(FOLDER).await else { return false };
    for (at, (_, blob)) in parts.iter().enumerate() {
        if store::put_into(&folder, &at.to_string(), &[blob.into()]).await.is_err() {
            return false;
        }
    }
    // Files of an earlier source.
    for at in parts.len().. {
        if store::file(&folder, &at.to_string()).await.is_err()
            || store::remove(&folder, &at.to_string()).await.is_err()
        {
            break;
        }
    }
    true
}

/// Reads generated pages.
pub fn generate(cx: &Cx, seed: u64, megabytes: u32) {
    cx.act(Action::Overlay(OverlayAction::Close));
    let source = Source::Generated { seed, megabytes };
    let text = write_source(&source).unwrap_or_default();
    preferences::save(SOURCE, &format!("generated {text}"));
    READ.set(source.clone());
    if cx.state.view == View::Data {
        navigation::remember("pages", &text);
    }
    act(cx, DataViewAction::Source(source));
    ready(cx);
    let cx = cx.clone();
    spawn_local(async move {
        let bytes = u64::from(megabytes) * 1_000_000;
        // About half of the pages have a story of their own; the rest of a page is its frame.
        match helpers::stories(seed, (bytes * 6 / 10) as usize).await {
            Ok(stories) => worker::send(&Request::Generate { seed, bytes }, &[stories.into()]),
            Err(message) => problem(&cx, message),
        }
    });
}

/// Reads the present source again.
pub fn again(cx: &Cx) {
    match cx.state.filters.source {
        Source::Generated { seed, megabytes } => generate(cx, seed, megabytes),
        Source::Files { .. } => restore_files(cx),
        Source::None => {}
    }
}

/// Starts with what a link or the latest visit left: settings, source, results.
pub fn restore(cx: &Cx) {
    let view = &cx.state.filters;
    let (linked, source) = (!view.changes.is_empty(), view.source.clone());
    if !linked {
        act(cx, DataViewAction::SetAll(worker::stored_settings()));
    }
    let stored = preferences::load(SOURCE).unwrap_or_default();
    let cx = cx.clone();
    match (source, stored.strip_prefix("generated ").and_then(read_source)) {
        (Source::Generated { seed, megabytes }, _) | (Source::None, Some(Source::Generated { seed, megabytes })) => {
            generate(&cx, seed, megabytes);
        }
        _ if stored.starts_with("files\n") => restore_files(&cx),
        _ => ready(&cx),
    }
    if let Some(saved) = preferences::load(EFFECT).and_then(|text| serde_json::from_str(&text).ok()) {
        act(&cx, DataViewAction::Effect(EffectAction::Restore(saved)));
    }
}

/// Reads the stored files.
fn restore_files(cx: &Cx) {
    let stored = preferences::load(SOURCE).unwrap_or_default();
    let names: Vec<String> = stored.lines().skip(1).map(str::to_string).collect();
    let cx = cx.clone();
    spawn_local(async move {
        let mut parts = Vec::new();
        if let Ok(folder) = store::folder(FOLDER).await {
            for (at, name) in names.iter().enumerate() {
                if let Ok(file) = store::file(&folder, &at.to_string()).await {
                    parts.push((name.clone(), file.into()));
                }
            }
        }
        if parts.is_empty() {
            ready(&cx);
            return problem(
                &cx,
                "The pages of the last visit are not stored in this browser; choose their files again.".into(),
            );
        }
        read(&cx, &parts);
        act(&cx, DataViewAction::Kept(true));
    });
}

/// Stores the results of paired runs.
pub fn keep_effect(cx: &Cx) {
    let saved = cx.clone().state.filters.effect.saved();
    let text = saved.and_then(|saved| serde_json::to_string(&saved).ok());
    text.into_iter().for_each(|text| preferences::save(EFFECT, &text));
}

/// Opens the Train view with a text.
pub fn train_on(cx: &Cx, text: &Uint8Array) {
    let properties = web_sys::FilePropertyBag::new();
    properties.set_type("text/plain");
    let name = download::file_name(&format!("filtered {}", cx.state.filters.source.title()), "txt");
    match File::new_with_u8_array_sequence_and_options(&Array::of1(text), &name, &properties) {
        Ok(file) => {
            cx.open_files(vec![file]);
            // A link's experiment or task would hide the text.
            if cx.state.draft.config.model.vocab_size < 300 {
                cx.act(Action::Preset(Preset::Nano));
            }
            navigation::open(View::Train);
        }
        Err(_) => problem(cx, "The browser has no room for this text; download it and open it in Train.".into()),
    }
}
