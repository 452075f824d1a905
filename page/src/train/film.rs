//! Films of a sentence's snapshots: recorded by the browser as WebM (or MP4), or encoded as an animated GIF, which
//! needs no recorder.

use js_sys::{Array, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, BlobEvent, BlobPropertyBag, HtmlCanvasElement, MediaRecorder, MediaRecorderOptions};

use crate::core::context::Cx;
use crate::core::download;
use crate::draw::figure::Figure;
use crate::draw::figure_canvas::{new_canvas, paint, read};
use crate::draw::gif::Gif;
use crate::state::Action;
use crate::state::remember::RememberAction;
use crate::state::snapshots::Snapshots;
use crate::train::figures::REFUSED;
use crate::train::figures::figure_of_moment;
use crate::train::figures::film_name;

const NO_RECORDER: &str = "This browser gave up recording the film; a GIF needs no recorder.";

/// The format of a film.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// WebM or MP4, whichever the browser records.
    Video,
    /// An animated GIF.
    Gif,
}

/// Whether the browser can record video.
pub fn records() -> bool {
    web_sys::window().is_some_and(|window| Reflect::has(&window, &"MediaRecorder".into()).unwrap_or(false))
}

/// Makes a film of all snapshots and offers it as a download. It can be canceled at every frame.
pub fn save(cx: &Cx, format: Format) {
    let cx = cx.clone();
    let film = cx.state.version;
    cx.act(Action::Remember(RememberAction::Film(film)));
    spawn_local(async move {
        let done = match format {
            Format::Video => video(&cx, film).await,
            Format::Gif => gif(&cx, film).await,
        };
        // Canceling reports its own message.
        let message = match done {
            Ok(message) => message,
            Err(_) => Some(NO_RECORDER.to_string()),
        };
        if let Some(message) = message.filter(|_| wanted(&cx, film)) {
            cx.act(Action::Remember(RememberAction::Made(message)));
        }
    });
}

/// Whether a film has not been canceled.
fn wanted(cx: &Cx, film: u64) -> bool {
    // A handle keeps every state that it has read alive, so a short-lived clone reads this one.
    cx.clone().state.remember.making.film.is_some_and(|making| making.id == film)
}

/// The frames of a film, painted one after the other on the same canvas.
struct Frames<'a> {
    cx: &'a Cx,
    film: u64,
    moments: std::rc::Rc<Snapshots>,
    canvas: HtmlCanvasElement,
}

impl<'a> Frames<'a> {
    fn new(cx: &'a Cx, film: u64) -> Result<Self, JsValue> {
        let moments = cx.state.remember.moments.clone().ok_or(JsValue::NULL)?;
        Ok(Self { cx, film, moments, canvas: new_canvas()? })
    }

    /// Paints a frame; returns none if the film was canceled.
    fn paint(&self, index: usize) -> Result<Option<Figure>, JsValue> {
        let Some(maps) = self.moments.maps(index).filter(|_| wanted(self.cx, self.film)) else { return Ok(None) };
        let figure = figure_of_moment(&self.cx.state, maps.into());
        paint(&self.canvas, &figure, 1.0)?;
        let frames = RememberAction::Frames { film: self.film, done: index + 1, of: self.moments.len() };
        self.cx.act(Action::Remember(frames));
        Ok(Some(figure))
    }

    fn said(&self, name: String, offered: bool) -> Option<String> {
        Some(if offered { format!("Saved as {name}: {} moments.", self.moments.len()) } else { REFUSED.into() })
    }
}

async fn gif(cx: &Cx, film: u64) -> Result<Option<String>, JsValue> {
    let frames = Frames::new(cx, film)?;
    let hundredths = (100 / cx.state.remember.speed.max(1)) as u16;
    let mut made: Option<Gif> = None;
    for index in 0..frames.moments.len() {
        let Some(figure) = frames.paint(index)? else { return Ok(None) };
        let gif = made.get_or_insert_with(|| {
            // A figure's sides are far below 65,536.
            let size = [frames.canvas.width() as u16, frames.canvas.height() as u16];
            Gif::new(size, &figure.legend.scale)
        });
        gif.push(&read(&frames.canvas, gif.size())?, hundredths);
        sleep(0).await;
    }
    let (Some(gif), name) = (made, film_name(&cx.state, "gif")) else { return Ok(None) };
    let offered = download::offer_bytes(&name, &gif.finish(), "image/gif");
    Ok(frames.said(name, offered))
}

async fn video(cx: &Cx, film: u64) -> Result<Option<String>, JsValue> {
    let frames = Frames::new(cx, film)?;
    frames.paint(0)?;
    let (ending, kind) =
        if MediaRecorder::is_type_supported("video/webm") { ("webm", "video/webm") } else { ("mp4", "video/mp4") };
    let options = MediaRecorderOptions::new();
    options.set_mime_type(kind);
    let stream = frames.canvas.capture_stream()?;
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
    let mut whole = true;
    for index in 0..frames.moments.len() {
        whole = frames.paint(index)?.is_some();
        if !whole {
            break;
        }
        sleep(1000 / cx.state.remember.speed.max(1) as i32).await;
    }
    recorder.stop()?;
    JsFuture::from(stopped).await?;
    if !whole || !wanted(cx, film) {
        return Ok(None);
    }
    let properties = BlobPropertyBag::new();
    properties.set_type(kind);
    let blob = Blob::new_with_blob_sequence_and_options(&parts, &properties)?;
    let name = film_name(&cx.state, ending);
    let offered = download::offer(&name, &blob);
    Ok(frames.said(name, offered))
}

async fn sleep(ms: i32) {
    let promise = Promise::new(&mut |resolve, _| {
        if let Some(window) = web_sys::window() {
            // Fails only in environments without timers.
            drop(window.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, ms));
        }
    });
    // The promise is never rejected.
    drop(JsFuture::from(promise).await);
}
