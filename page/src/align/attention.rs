//! The attention of the inspected prompt: before, now, their difference, and how much each head has changed.

use std::rc::Rc;

use web_sys::{HtmlCanvasElement, HtmlElement};
use yew::prelude::*;

use super::{act, on};
use crate::core::context::Cx;
use crate::draw::figure_canvas::put_cells;
use crate::draw::frame;
use crate::draw::heat::{ColorScale, pixels};
use crate::shared::visible;
use crate::state::align::{AlignAction, Shown};

/// Maximum number of tokens with labels at the difference.
const MAX_LABELS: usize = 40;

#[component]
pub fn Attention(cx: &Cx) -> Html {
    let align = &cx.state.align;
    let cell = use_state_eq(|| None::<(usize, usize)>);
    let at = align.shown_head();
    let scale = cx.state.color_scale([255; 3]);
    let pictures = use_memo((ByAddress(align.shown.clone()), at, scale), |(shown, at, scale)| {
        shown.0.as_ref().map(|shown| pictures(shown, *at, scale))
    });
    let name = |(layer, head): (usize, usize)| format!("L{} H{}", layer + 1, head + 1);
    let Some((shown, [before, now, difference])) = align.shown.as_ref().zip(pictures.as_ref().clone()) else {
        return html! {
            <section class="tile attention-tile" aria-labelledby="align-attention">
                <header><h2 id="align-attention">{"Attention on this prompt"}</h2></header>
                <p class="empty">{"The heads of one prompt appear here: before, now, and what has changed."}</p>
            </section>
        };
    };
    let n = shown.about.tokens.len();
    let hatched = cx.state.mask_shown;
    let figure = |title: &'static str, cells: Rc<Vec<u8>>, id: &'static str| {
        let label = format!("Attention of {} {}", name(at), title.to_lowercase());
        html! { <figure data-testid={id}><figcaption>{title}</figcaption><Cells {cells} {n} {hatched} {label} /></figure> }
    };
    let most = shown.largest.max(1e-3);
    let ramp = ColorScale::around_zero(most).gradient();
    html! {
        <section class="tile attention-tile" aria-labelledby="align-attention">
            <header><h2 id="align-attention">{"Attention on this prompt"}</h2><span class="grow"></span><span class="tag accent" data-testid="align-head">{name(at)}</span></header>
            <div class="body" tabindex="0" role="region" aria-label="Attention before and now">
                <div class="pair">{figure("Before", before, "align-map-before")}{figure("Now", now, "align-map-now")}</div>
                <div class="difference-title"><b>{"Now − before"}</b><span class="grow"></span>
                    <span>{format!("−{most:.2}")}</span><i style={format!("background:{ramp}")}></i><span>{format!("+{most:.2}")}</span></div>
                {labeled(shown, difference, hatched, &cell, at)}
                <p class="readout" aria-live="polite" data-testid="align-readout">{readout(shown, *cell, at)}</p>
                {changes(cx, shown, at)}
            </div>
        </section>
    }
}

/// Maps compared by address.
struct ByAddress(Option<Rc<Shown>>);

impl PartialEq for ByAddress {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Rc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

/// The pixels of a head before and now, and of the difference.
fn pictures(shown: &Shown, at: (usize, usize), scale: &ColorScale) -> [Rc<Vec<u8>>; 3] {
    let (n, causal) = (shown.about.tokens.len(), shown.about.causal);
    let [before, now] = shown.head(at);
    let weight =
        |map: &[u8], row: usize, column: usize| f32::from(map.get(row * n + column).copied().unwrap_or(0)) / 255.0;
    let picture = |map: &[u8]| Rc::new(pixels(n, causal, scale, |row, column| weight(map, row, column)));
    let signed = ColorScale::around_zero(shown.largest.max(1e-3));
    let difference = pixels(n, causal, &signed, |row, column| weight(now, row, column) - weight(before, row, column));
    [picture(before), picture(now), Rc::new(difference)]
}

/// The difference with its tokens; a cell can be pointed at, or reached with the arrow keys.
fn labeled(
    shown: &Shown,
    cells: Rc<Vec<u8>>,
    hatched: bool,
    cell: &UseStateHandle<Option<(usize, usize)>>,
    (layer, head): (usize, usize),
) -> Html {
    let n = shown.about.tokens.len();
    let labels =
        || shown.about.tokens.iter().map(|token| html! { <span>{visible(&token.text.replace('\n', "⏎"))}</span> });
    let onpointermove = {
        let cell = cell.clone();
        Callback::from(move |event: PointerEvent| {
            let Some(element) = event.target_dyn_into::<HtmlElement>() else { return };
            let side = f64::from(element.client_width()).max(1.0);
            let place = |offset: i32| ((f64::from(offset) / side * n as f64) as usize).min(n.saturating_sub(1));
            cell.set(Some((place(event.offset_y()), place(event.offset_x()))));
        })
    };
    let onpointerleave = {
        let cell = cell.clone();
        Callback::from(move |_: PointerEvent| cell.set(None))
    };
    let onkeydown = {
        let cell = cell.clone();
        Callback::from(move |event: KeyboardEvent| {
            let (row, column) = cell.unwrap_or((n.saturating_sub(1), 0));
            let next = match event.key().as_str() {
                "ArrowUp" => (row.saturating_sub(1), column),
                "ArrowDown" => ((row + 1).min(n.saturating_sub(1)), column),
                "ArrowLeft" => (row, column.saturating_sub(1)),
                "ArrowRight" => (row, (column + 1).min(n.saturating_sub(1))),
                _ => return,
            };
            event.prevent_default();
            cell.set(Some(next));
        })
    };
    let cursor = cell.map(|(row, column)| {
        let part = |at: usize| 100.0 * at as f64 / n.max(1) as f64;
        let size = 100.0 / n.max(1) as f64;
        format!("left:{:.2}%;top:{:.2}%;width:{size:.2}%;height:{size:.2}%", part(column), part(row))
    });
    let label = format!("Change of attention of layer {}, head {}; move with the arrow keys", layer + 1, head + 1);
    html! {
        <div class={classes!("labeled", (n > MAX_LABELS).then_some("plain"))} style={format!("--n:{n}")}>
            if n <= MAX_LABELS {
                <div class="above" aria-hidden="true">{for labels()}</div>
                <div class="beside" aria-hidden="true">{for labels()}</div>
            }
            <div class="map-box" tabindex="0" role="application" aria-label={label.clone()} data-testid="align-difference"
                {onpointermove} {onpointerleave} {onkeydown}>
                <Cells {cells} {n} {hatched} {label} />
                if let Some(style) = cursor { <i class="cursor" {style}></i> }
            </div>
        </div>
    }
}

fn readout(shown: &Shown, cell: Option<(usize, usize)>, at: (usize, usize)) -> String {
    let n = shown.about.tokens.len();
    let Some((row, column)) = cell.filter(|&(row, column)| row < n && column < n) else {
        return "Point at a cell for both weights.".into();
    };
    let token = |at: usize| format!("“{}”", visible(&shown.about.tokens[at].text.replace('\n', "⏎")));
    if shown.about.causal && column > row {
        return format!("{} cannot see {}, which comes later", token(row), token(column));
    }
    let [before, now] = shown.head(at).map(|map| f32::from(map.get(row * n + column).copied().unwrap_or(0)) / 255.0);
    format!("{} looks at {}: {before:.2} before, {now:.2} now", token(row), token(column))
}

/// How much every head has changed.
fn changes(cx: &Cx, shown: &Shown, chosen: (usize, usize)) -> Html {
    let most = shown.changes.first().map_or(1.0, |(_, change)| change.max(1e-6));
    let row = |&(at, change): &((usize, usize), f32)| {
        let pressed = (at == chosen).to_string();
        html! {
            <li><button aria-pressed={pressed} onclick={on(cx, AlignAction::Head(at))} data-testid="align-change">
                <span>{format!("L{} H{}", at.0 + 1, at.1 + 1)}</span><i style={format!("width:{:.1}%", 100.0 * change / most)}></i><b>{format!("{change:.3}")}</b>
            </button></li>
        }
    };
    html! {
        <div class="changes">
            <h3>{"Change per head "}<small>{"mean |now − before|"}</small></h3>
            <ol>{for shown.changes.iter().take(24).map(row)}</ol>
            {compare(cx)}
        </div>
    }
}

/// Which weights are shown as “before”.
fn compare(cx: &Cx) -> Html {
    let align = &cx.state.align;
    let choose =
        cx.call(|cx, event: Event| act(cx, AlignAction::Compare(crate::shared::value_of(&event).parse().ok())));
    let others = align.nodes.iter().filter(|node| Some(node.id) != align.current);
    html! {
        <label class="compared">{"Compare with "}
            <select onchange={choose} data-testid="align-compare">
                <option value="" selected={align.compared.is_none()}>{"the beginning of the stage"}</option>
                {for others.map(|node| html! {
                    <option value={node.id.to_string()} selected={align.compared == Some(node.id)}>{format!("{} · {}", node.name, node.step)}</option>
                })}
            </select>
        </label>
    }
}

#[derive(PartialEq, Properties)]
struct CellsProps {
    cells: Rc<Vec<u8>>,
    n: usize,
    hatched: bool,
    label: AttrValue,
}

/// A table of numbers, one pixel per cell.
#[component]
fn Cells(props: &CellsProps) -> Html {
    let canvas = use_node_ref();
    let key = *use_memo((), |()| frame::new_key());
    {
        let canvas = canvas.clone();
        use_effect_with((props.cells.clone(), props.n), move |(cells, n)| {
            let (cells, n) = (cells.clone(), *n);
            frame::soon(key, false, move || {
                if let Some(canvas) = canvas.cast::<HtmlCanvasElement>() {
                    // A canvas that the browser refuses stays empty.
                    drop(put_cells(&canvas, &cells, n));
                }
            });
        });
    }
    html! { <canvas ref={canvas} class={classes!("map", props.hatched.then_some("hatched"))} role="img" aria-label={props.label.clone()}></canvas> }
}
