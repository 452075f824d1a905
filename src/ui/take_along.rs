//! Files of maps: figures, weights, films. What went wrong is said in a sentence.

use std::rc::Rc;

use js_sys::{Array, Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, BlobEvent, BlobPropertyBag, HtmlCanvasElement, MediaRecorder, MediaRecorderOptions};
use yew::UseReducerDispatcher;

use super::app::Cx;
use super::components::visible;
use super::download;
use super::draw::figure::{Figure, Pick};
use super::draw::figure_canvas::{new_canvas, paint, put_cells};
use super::link::Batch;
use super::state::remember::{RememberAction, WeightsFile};
use super::state::{Action, Maps, State};
use crate::protocol::Event;
use crate::protocol::export::{ExportEvent, Weights};

/// Pixels of a picture to one of the figure's.
const SCALE: f64 = 2.0;

const NO_CANVAS: &str = "The picture could not be made: the browser gives no memory for it.";
const NO_RECORDER: &str = "This browser records no films; save pictures of single moments instead.";
const REFUSED: &str = "The browser refuses the download.";

fn made(message: impl Into<String>) -> Action {
    Action::Remember(RememberAction::Made(message.into()))
}

fn labels(maps: &Maps) -> Vec<String> {
    maps.tokens.iter().map(|token| visible(&token.text)).collect()
}

/// The figure of the map on show.
pub fn figure(state: &State, maps: &Maps, pick: Pick) -> Figure {
    let note = format!("{} · step {} · seed {}", state.runs.name, maps.step, state.seed());
    Figure::of_weights(maps, pick, state.selected, state.color_map, labels(maps), note)
}

/// The figure of the difference between the held moment and the one on show.
pub fn difference(state: &State) -> Option<Figure> {
    let (held, shown) = (state.remember.held.clone()?, state.shown_maps()?);
    if state.obstacle().is_some() {
        return None;
    }
    let note = format!(
        "A: {} step {} seed {} · B: {} step {} seed {}",
        held.run_name,
        held.maps.step,
        held.seed,
        state.runs.name,
        shown.step,
        state.seed()
    );
    Some(Figure::of_difference(&held.maps, &shown, state.selected, labels(&shown), note))
}

fn name(figure: &Figure, ending: &str) -> String {
    download::file_name(&format!("glasshead {} {}", figure.title, figure.note), ending)
}

fn say(cx: &Cx, name: String, offered: bool) {
    cx.act(made(if offered { format!("Saved as {name}.") } else { REFUSED.into() }));
}

/// Offers a figure as an SVG.
pub fn save_svg(cx: &Cx, figure: &Figure) {
    let image = || {
        let canvas = new_canvas()?;
        put_cells(&canvas, &figure.cells, figure.tokens.len())?;
        canvas.to_data_url()
    };
    let image = if figure.needs_image() { image() } else { Ok(String::new()) };
    let Ok(image) = image else { return cx.act(made(NO_CANVAS)) };
    let name = name(figure, "svg");
    let offered = download::offer_bytes(&name, figure.svg(&image).as_bytes(), "image/svg+xml");
    say(cx, name, offered);
}

/// Offers a figure as a PNG.
pub fn save_png(cx: &Cx, figure: Figure) {
    let cx = cx.clone();
    spawn_local(async move {
        let painted = new_canvas().and_then(|canvas| paint(&canvas, &figure, SCALE).map(|()| canvas));
        let Ok(canvas) = painted else { return cx.act(made(NO_CANVAS)) };
        let Some(blob) = png(&canvas).await else { return cx.act(made(NO_CANVAS)) };
        let name = name(&figure, "png");
        let offered = download::offer(&name, &blob);
        say(&cx, name, offered);
    });
}

async fn png(canvas: &HtmlCanvasElement) -> Option<Blob> {
    let promise = Promise::new(&mut |resolve: Function, _| {
        if canvas.to_blob(&resolve).is_err() {
            // Calling a promise's own resolve function cannot fail.
            drop(resolve.call1(&JsValue::UNDEFINED, &JsValue::NULL));
        }
    });
    JsFuture::from(promise).await.ok()?.dyn_into().ok()
}

/// Offers the files of weights that came.
pub fn receive(batch: &Batch, state: &State, dispatcher: &UseReducerDispatcher<State>) {
    for (event, bytes) in batch {
        let Event::Export { run, event: ExportEvent::Weights { request, about } } = event else { continue };
        let wanted = state.remember.making.weights.filter(|wanted| wanted.request == *request && *run == state.run);
        let Some(WeightsFile { head, json, .. }) = wanted else { continue };
        let Some(weights) = bytes.as_ref().and_then(|bytes| Weights::from_bytes(about.clone(), bytes)) else {
            dispatcher.dispatch(made("The weights did not come whole; ask for them again."));
            continue;
        };
        let of = head.map_or("all heads".into(), |at| Pick::Head.title(at));
        let (ending, kind) = if json { ("json", "application/json") } else { ("csv", "text/csv") };
        let text = if json { weights.to_json(head) } else { weights.to_csv(head) };
        let what = format!("glasshead weights {of} {} step {} seed {}", state.runs.name, about.step, about.seed);
        let name = download::file_name(&what, ending);
        let offered = download::offer_bytes(&name, text.as_bytes(), kind);
        dispatcher.dispatch(made(if offered { format!("Saved as {name}.") } else { REFUSED.into() }));
    }
}

/// Records all moments as a film and offers it.
pub fn save_film(cx: &Cx) {
    let cx = cx.clone();
    cx.act(Action::Remember(RememberAction::Frames(0, 0)));
    spawn_local(async move {
        let dispatcher = cx.state.dispatcher();
        match film(&cx).await {
            Ok(Some(message)) => dispatcher.dispatch(made(message)),
            Ok(None) => (), // cancelled, and whoever did it has said so
            Err(_) => dispatcher.dispatch(made(NO_RECORDER)),
        }
    });
}

async fn film(cx: &Cx) -> Result<Option<String>, JsValue> {
    let Some(moments) = cx.state.remember.moments.clone() else { return Ok(None) };
    let (canvas, speed, n) = (new_canvas()?, cx.state.remember.speed.max(1), moments.len());
    let frame = |index: usize| -> Result<Option<Figure>, JsValue> {
        let Some(maps) = moments.maps(index) else { return Ok(None) };
        let figure = figure(&cx.state, &maps, Pick::Head);
        paint(&canvas, &figure, 1.0)?;
        Ok(Some(figure))
    };
    let Some(first) = frame(0)? else { return Ok(None) };
    let (ending, kind) =
        if MediaRecorder::is_type_supported("video/webm") { ("webm", "video/webm") } else { ("mp4", "video/mp4") };
    let options = MediaRecorderOptions::new();
    options.set_mime_type(kind);
    let stream = canvas.capture_stream()?;
    let recorder = MediaRecorder::new_with_media_stream_and_media_recorder_options(&stream, &options)?;
    let parts = Array::new();
    let collect: Closure<dyn Fn(BlobEvent)> = {
        let parts = parts.clone();
        Closure::new(move |event: BlobEvent| {
            if let Some(blob) = event.data() {
                parts.push(&blob);
            }
        })
    };
    recorder.set_ondataavailable(Some(collect.as_ref().unchecked_ref()));
    let stopped = Promise::new(&mut |resolve, _| recorder.set_onstop(Some(&resolve)));
    recorder.start()?;
    for index in 0..n {
        frame(index)?;
        cx.act(Action::Remember(RememberAction::Frames(index + 1, n)));
        sleep(1000 / speed as i32).await;
        if cx.state.remember.making.frames.is_none() {
            recorder.stop()?;
            return Ok(None);
        }
    }
    recorder.stop()?;
    JsFuture::from(stopped).await?;
    let properties = BlobPropertyBag::new();
    properties.set_type(kind);
    let blob = Blob::new_with_blob_sequence_and_options(&parts, &properties)?;
    let name = name(&first, ending);
    let offered = download::offer(&name, &blob);
    Ok(Some(if offered { format!("Saved as {name}: {n} moments.") } else { REFUSED.into() }))
}

async fn sleep(ms: i32) {
    let promise = Promise::new(&mut |resolve, _| {
        if let Some(window) = web_sys::window() {
            // Fails only where there are no timers.
            drop(window.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, ms));
        }
    });
    // The promise is never rejected.
    drop(JsFuture::from(promise).await);
}

/// The maps on show, when there is something to take along.
pub fn shown(state: &State) -> Option<Rc<Maps>> {
    state.shown_maps().filter(|maps| !maps.tokens.is_empty())
}
