//! The numbers of one row: the query and, for every key, the products that make up q·k, the key, the value, and the
//! value's contribution to the head's output. One row per key, one colored cell per dimension.

use std::rc::Rc;

use wasm_bindgen::{Clamped, JsCast as _};
use web_sys::{CanvasRenderingContext2d, Element, HtmlCanvasElement, ImageData};
use yew::prelude::*;

use crate::train::inspector::arithmetic;

use crate::core::context::Cx;
use crate::draw::signed::signed_pixels;
use crate::shared::value_of;
use crate::shared::visible;
use crate::state::Maps;
use crate::state::arithmetic::{Row, output, products};
use crate::state::ask::Head;
use crate::train::inspector::explain;
use glasshead::types::inspect::HeadRows;

/// What the key rows show.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    Products,
    Keys,
    Values,
    Weighted,
}

impl Shown {
    const ALL: [Self; 4] = [Self::Products, Self::Keys, Self::Values, Self::Weighted];

    fn name(self) -> &'static str {
        match self {
            Self::Products => "q × k",
            Self::Keys => "k",
            Self::Values => "v",
            Self::Weighted => "w × v",
        }
    }

    /// Whether the right-hand column shows q·k instead of the weight.
    fn before_softmax(self) -> bool {
        matches!(self, Self::Products | Self::Keys)
    }

    /// The numbers of all keys that the query may attend to, (keys, D).
    fn numbers(self, head: &Head, query: usize) -> Vec<f32> {
        let rows = &head.rows;
        let n = rows.keys(query);
        let all = |of: &[f32]| (0..n).flat_map(|key| rows.row(of, key).to_vec()).collect();
        match self {
            Self::Products => {
                (0..n).flat_map(|key| products(rows, query, key).map(|(_, _, product)| product)).collect()
            }
            Self::Keys => all(&rows.k),
            Self::Values => all(&rows.v),
            Self::Weighted => {
                let Some(row) = Row::of(rows, query) else { return Vec::new() };
                (0..n)
                    .flat_map(|key| rows.row(&rows.v, key).iter().map(move |v| (key, v)))
                    .map(|(key, v)| row.weight(key) * v)
                    .collect()
            }
        }
    }
}

#[component]
pub fn Neurons(cx: &Cx) -> Html {
    let pointed = use_state(|| None::<(usize, usize)>);
    let shown = use_state(|| Shown::Products);
    let area = use_node_ref();
    let Some((maps, head, query, _)) = arithmetic::cell(cx) else { return arithmetic::hint() };
    let Some(row) = Row::of(&head.rows, query) else { return arithmetic::hint() };
    let (n, d) = (head.rows.keys(query), head.rows.d_head);
    let change = {
        let shown = shown.clone();
        Callback::from(move |event: Event| {
            let name = value_of(&event);
            Shown::ALL.into_iter().filter(|shown| shown.name() == name).for_each(|chosen| shown.set(chosen));
        })
    };
    let option = |one: Shown| html! { <option value={one.name()} selected={*shown == one}>{one.name()}</option> };
    let at_right = |key: usize| match shown.before_softmax() {
        true => format!("{:.2}", row.dots[key]),
        false => format!("{:.3}", row.weight(key)),
    };
    let readout = pointed.filter(|&(key, at)| key < n && at < d);
    let readout = readout.and_then(|cell| readout_of(&maps, &head.rows, query, cell));
    let line = |name: &'static str, numbers: Vec<f32>| {
        html! {
            <>
                <span class="names">{name}</span>
                <div class="dims"><Canvas numbers={Rc::new(numbers)} width={d} /></div>
                <span class="dots"></span>
            </>
        }
    };
    html! {
        <div data-testid="neurons">
            <p class="line spread">
                <span><b class="mono">{visible(&maps.tokens[query].text)}</b>{" against each key"}</span>
                <select class="short" aria-label="What the rows show" data-testid="neurons-shown" onchange={change}>{for Shown::ALL.map(option)}</select>
            </p>
            <p class="readout tiny muted" aria-live="polite">{readout.unwrap_or_else(|| "Point at a cell for its numbers.".into())}</p>
            <div class="neurons one">{line("query", head.rows.row(&head.rows.q, query).to_vec())}</div>
            <div class="neurons" style={format!("--rows:{n}")}>
                <div class="names" aria-hidden="true">
                    {for maps.tokens[..n].iter().map(|token| html! { <span>{visible(&token.text)}</span> })}
                </div>
                <div ref={area.clone()} class="dims" tabindex="0" role="application"
                    onpointermove={over(&area, &pointed, [n, d])} onkeydown={keys(&pointed, [n, d])}
                    aria-label={format!("{} per dimension; arrow keys walk them", shown.name())}>
                    <Canvas numbers={Rc::new(shown.numbers(&head, query))} width={d} />
                </div>
                <div class="dots" aria-hidden="true">{for (0..n).map(|key| html! { <span>{at_right(key)}</span> })}</div>
            </div>
            <div class="neurons one">{line("out", output(&head.rows, query))}</div>
            <p class="tiny muted">
                {format!("Columns are the {d} dimensions of this head. Blue: above 0, red: below. At the right: {}. The last row is what \
                          the head passes on to W_o.", if shown.before_softmax() { "q·k" } else { "the weight" })}
                {explain(cx, "query")}{explain(cx, "key")}{explain(cx, "value")}
            </p>
        </div>
    }
}

/// The numbers of one dimension of a key and its value, as text.
fn readout_of(maps: &Maps, rows: &HeadRows, query: usize, (key, at): (usize, usize)) -> Option<String> {
    let (q, k, product) = products(rows, query, key).nth(at)?;
    let (v, weight) = (rows.row(&rows.v, key).get(at)?, Row::of(rows, query)?.weight(key));
    let token = visible(&maps.tokens.get(key)?.text);
    Some(format!(
        "dimension {at}, key “{token}” ({key}): q {q:.3} × k {k:.3} = {product:.3}; weight {weight:.3} × v {v:.3} = {:.3}",
        weight * v
    ))
}

type Pointed = UseStateHandle<Option<(usize, usize)>>;

fn over(area: &NodeRef, pointed: &Pointed, [n, d]: [usize; 2]) -> Callback<PointerEvent> {
    let (pointed, area) = (pointed.clone(), area.clone());
    Callback::from(move |event: PointerEvent| {
        let Some(element) = area.cast::<Element>() else { return };
        let rect = element.get_bounding_client_rect();
        let index =
            |offset: f64, size: f64, n: usize| ((offset / size.max(1.0) * n as f64).max(0.0) as usize).min(n - 1);
        let key = index(f64::from(event.client_y()) - rect.top(), rect.height(), n);
        pointed.set(Some((key, index(f64::from(event.client_x()) - rect.left(), rect.width(), d))));
    })
}

fn keys(pointed: &Pointed, [n, d]: [usize; 2]) -> Callback<KeyboardEvent> {
    let pointed = pointed.clone();
    Callback::from(move |event: KeyboardEvent| {
        let (key, at) = pointed.unwrap_or((0, 0));
        let to = match event.key().as_str() {
            "ArrowUp" => (key.saturating_sub(1), at),
            "ArrowDown" => ((key + 1).min(n - 1), at),
            "ArrowLeft" => (key, at.saturating_sub(1)),
            "ArrowRight" => (key, (at + 1).min(d - 1)),
            _ => return,
        };
        event.prevent_default();
        pointed.set(Some(to));
    })
}

/// A canvas with one pixel per number; the largest magnitude has full color.
#[derive(PartialEq, Properties)]
struct CanvasProps {
    numbers: Rc<Vec<f32>>,
    width: usize,
}

#[component]
fn Canvas(props: &CanvasProps) -> Html {
    let canvas = use_node_ref();
    {
        let canvas = canvas.clone();
        use_effect_with((props.numbers.clone(), props.width), move |(numbers, width)| {
            if let Some(canvas) = canvas.cast::<HtmlCanvasElement>() {
                put_pixels(&canvas, &signed_pixels(numbers), *width);
            }
        });
    }
    html! { <canvas ref={canvas}></canvas> }
}

fn put_pixels(canvas: &HtmlCanvasElement, pixels: &[u8], width: usize) {
    canvas.set_width(width as u32);
    canvas.set_height((pixels.len() / 4 / width.max(1)) as u32);
    let context = canvas.get_context("2d").ok().flatten();
    let image = ImageData::new_with_u8_clamped_array(Clamped(pixels), width as u32);
    if let (Some(context), Ok(image)) = (context, image)
        && let Some(context) = context.dyn_ref::<CanvasRenderingContext2d>()
    {
        // Fails only for detached image data; this array is new.
        drop(context.put_image_data(&image, 0.0, 0.0));
    }
}
