//! Exports of maps: figures and weights. Errors are reported as messages.

use std::rc::Rc;

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, HtmlCanvasElement};
use yew::UseReducerDispatcher;

use crate::core::context::Cx;
use crate::core::download;
use crate::core::link::Batch;
use crate::draw::figure::{Figure, PAPER};
use crate::draw::figure_canvas::{new_canvas, paint, put_cells};
use crate::maps::Plane;
use crate::shared::visible;
use crate::state::Action;
use crate::state::Maps;
use crate::state::State;
use crate::state::remember::{RememberAction, WeightsFile};
use crate::state::shown::{Table, change};
use glasshead::types::attention_weights::{Weights, WeightsAbout, csv_of, json_of};
use glasshead::wire::Event;
use glasshead::wire::export::ExportEvent;

/// Device pixels per figure pixel.
const SCALE: f64 = 2.0;

const NO_CANVAS: &str = "The picture could not be made: the browser gives no memory for it.";
/// The message if the browser refuses a download.
pub const REFUSED: &str = "The browser refuses the download.";

fn made(message: impl Into<String>) -> Action {
    Action::Remember(RememberAction::Made(message.into()))
}

fn labels(maps: &Maps) -> Vec<String> {
    maps.tokens.iter().map(|token| visible(&token.text)).collect()
}

/// The figure of a table of the current sentence, as shown on the screen.
pub fn figure(state: &State, table: &Table) -> Option<Figure> {
    let maps = state.shown_maps().filter(|maps| !maps.tokens.is_empty())?;
    let note = format!("{} · step {} · seed {}", state.runs.name, table.step(), state.seed());
    Some(Figure::of(table, state.legend_of(table, PAPER), labels(&maps), note))
}

/// A film frame: the displayed plane's weights in an earlier snapshot.
pub fn figure_of_moment(state: &State, maps: Rc<Maps>) -> Figure {
    let (tokens, step) = (labels(&maps), maps.step);
    let table = Table::Weights(maps, state.plane());
    let note = format!("{} · step {step} · seed {}", state.runs.name, state.seed());
    Figure::of(&table, state.legend_of(&table, PAPER), tokens, note)
}

/// The figure of the difference between the pinned snapshot and the one being shown.
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
    let (difference, legend) = change(&held.maps, &shown, state.plane(), state.look.gamma);
    let title = format!("{}, B − A", state.plane().name());
    Some(Figure::of_difference(&difference, shown.causal, legend, title, labels(&shown), note))
}

/// The file name of a film.
pub fn film_name(state: &State, ending: &str) -> String {
    let of = format!("glasshead film {} {} seed {}", state.plane().name(), state.runs.name, state.seed());
    download::file_name(&of, ending)
}

fn name(figure: &Figure, ending: &str) -> String {
    download::file_name(&format!("glasshead {} {}", figure.title, figure.note), ending)
}

fn say(cx: &Cx, name: String, offered: bool) {
    cx.act(made(if offered { format!("Saved as {name}.") } else { REFUSED.into() }));
}

/// Offers a figure as an SVG file.
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

/// Offers a figure as a PNG file.
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

/// Offers the exported weights that arrived.
pub fn receive(batch: &Batch, state: &State, dispatcher: &UseReducerDispatcher<State>) {
    for (event, bytes) in batch {
        let Event::Export { run, event: ExportEvent::Weights { request, about } } = event else { continue };
        let wanted = state.remember.making.weights.filter(|wanted| wanted.request == *request && *run == state.run);
        let Some(WeightsFile { head, json, .. }) = wanted else { continue };
        let Some(weights) = bytes.as_ref().and_then(|bytes| Weights::from_bytes(about.clone(), bytes)) else {
            dispatcher.dispatch(made("The weights did not come whole; ask for them again."));
            continue;
        };
        let text = if json { weights.to_json(head) } else { weights.to_csv(head) };
        let of = format!("{} step {}", of_head(head), about.step);
        dispatcher.dispatch(made(save_weights(state, &of, &text, json)));
    }
}

fn of_head(head: Option<(usize, usize)>) -> String {
    head.map_or("all heads".into(), |(layer, head)| Plane::Head(layer, head).name())
}

/// Offers a file of weights; returns the message to show.
fn save_weights(state: &State, of: &str, text: &str, json: bool) -> String {
    let (ending, kind) = if json { ("json", "application/json") } else { ("csv", "text/csv") };
    let name =
        download::file_name(&format!("glasshead weights {of} {} seed {}", state.runs.name, state.seed()), ending);
    let offered = download::offer_bytes(&name, text.as_bytes(), kind);
    if offered { format!("Saved as {name}.") } else { REFUSED.into() }
}

/// The weights of a snapshot as stored, with a resolution of 1/255.
fn kept(state: &State, maps: &Maps) -> Weights {
    let about = WeightsAbout {
        step: maps.step,
        seed: state.seed(),
        tokens: maps.tokens.clone(),
        n_layers: maps.n_layers,
        n_heads: maps.n_heads,
        causal: maps.causal,
        kept_as_bytes: true,
    };
    Weights { about, numbers: maps.bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect() }
}

/// Offers the weights of the earlier snapshot being shown.
pub fn save_moment(cx: &Cx, head: Option<(usize, usize)>, json: bool) {
    let Some(maps) = cx.state.remember.earlier.clone() else { return };
    let weights = kept(&cx.state, &maps);
    let text = if json { weights.to_json(head) } else { weights.to_csv(head) };
    let of = format!("{} step {}", of_head(head), maps.step);
    cx.act(made(save_weights(&cx.state, &of, &text, json)));
}

/// Offers the weights of a head in every snapshot.
pub fn save_moments(cx: &Cx, head: (usize, usize), json: bool) {
    let Some(moments) = cx.state.remember.moments.clone() else { return };
    let all = (0..moments.len()).filter_map(|index| moments.maps(index)).map(|maps| kept(&cx.state, &maps));
    let text = if json { json_of(all, Some(head)) } else { csv_of(all, Some(head)) };
    let of = format!("{} every moment", of_head(Some(head)));
    cx.act(made(save_weights(&cx.state, &of, &text, json)));
}
