//! One head, large: labels on both axes, the value under the pointer, a legend, a table.

use std::rc::Rc;

use web_sys::Element;
use yew::prelude::*;

use super::attention::Map;
use super::visible;
use crate::ui::app::Cx;
use crate::ui::state::{Action, Maps};

/// At most this many labels on an axis; the others are left out evenly.
const MOST_LABELS: usize = 40;

#[component]
pub fn Heatmap(cx: &Cx) -> Html {
    let state = &cx.state;
    let Some(maps) = state.shown_maps() else { return html! {} };
    let (layer, head) = state.selected;
    html! {
        <div class="large">
            <h3>{format!("layer {}, head {}", layer + 1, head + 1)}<small>{format!(" · step {}", maps.step)}</small></h3>
            <p class="readout" data-testid="readout" aria-live="polite">{readout(cx, &maps)}</p>
            <div class="axes">
                <span class="corner">{"query ↓ key →"}</span>
                <div class="keys" aria-hidden="true">{for labels(&maps)}</div>
                <div class="queries" aria-hidden="true">{for labels(&maps)}</div>
                <Cells ..cx.clone() />
            </div>
            {legend(cx)}
            if state.table_shown { {table(cx, &maps)} }
        </div>
    }
}

fn labels(maps: &Rc<Maps>) -> impl Iterator<Item = Html> + use<> {
    let maps = maps.clone();
    let apart = maps.tokens.len().div_ceil(MOST_LABELS).max(1);
    (0..maps.tokens.len()).map(move |at| {
        let text = if at.is_multiple_of(apart) { visible(&maps.tokens[at].text) } else { String::new() };
        html! { <span>{text}</span> }
    })
}

/// The value under the pointer in words.
fn readout(cx: &Cx, maps: &Maps) -> String {
    let state = &cx.state;
    let Some((query, key)) = state.hovered.filter(|&(query, key)| query < maps.tokens.len() && key < maps.tokens.len())
    else {
        return "Point at a cell for its weight; click to hold its row.".into();
    };
    let token = |at: usize| format!("“{}” ({at})", visible(&maps.tokens[at].text));
    if key > query {
        return format!("{} may not look at {}: it comes later (masked)", token(query), token(key));
    }
    let weight = maps.weight(state.selected, query, key);
    format!("{} looks at {}: {weight:.3}", token(query), token(key))
}

/// The canvas with crosshair and pinned row; takes pointer and keyboard.
#[component]
fn Cells(cx: &Cx) -> Html {
    let state = &cx.state;
    let cells = use_node_ref();
    let Some(maps) = state.shown_maps() else { return html! {} };
    let n = maps.tokens.len();
    let over = {
        let (cx, cells) = (cx.clone(), cells.clone());
        Callback::from(move |event: PointerEvent| {
            let cell = cells.cast::<Element>().and_then(|element| cell_at(&element, &event, n));
            if cell != cx.state.hovered {
                cx.act(Action::Hover(cell));
            }
        })
    };
    let out = {
        let cx = cx.clone();
        Callback::from(move |_: PointerEvent| cx.act(Action::Hover(None)))
    };
    let pin = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| {
            if let Some((query, _)) = cx.state.hovered {
                cx.act(Action::Pin(query));
            }
        })
    };
    let keys = {
        let cx = cx.clone();
        Callback::from(move |event: KeyboardEvent| walk(&cx, n, &event))
    };
    let percent = |at: usize, of: usize| 100.0 * at as f64 / of as f64;
    let row = |query: usize| format!("top:{}%;height:{}%", percent(query, n), percent(1, n));
    let column = |key: usize| format!("left:{}%;width:{}%", percent(key, n), percent(1, n));
    html! {
        <div class="cells" ref={cells} data-testid="large-map" tabindex="0" role="application"
            aria-label="attention weights; arrow keys walk the cells, Enter pins the row"
            onpointermove={over} onpointerleave={out} onclick={pin} onkeydown={keys}>
            <Map maps={maps.clone()} at={state.selected} colors={state.color_map} hatched={state.mask_shown} />
            if let Some(query) = state.pinned { <i class="held" style={row(query)}></i> }
            if let Some((query, key)) = state.hovered {
                <i class="cross" style={row(query)}></i>
                <i class="cross" style={column(key)}></i>
            }
        </div>
    }
}

fn cell_at(element: &Element, event: &PointerEvent, n: usize) -> Option<(usize, usize)> {
    let area = element.get_bounding_client_rect();
    let index = |offset: f64, size: f64| {
        let at = (offset / size.max(1.0) * n as f64).floor();
        (at >= 0.0 && at < n as f64).then_some(at as usize)
    };
    let query = index(f64::from(event.client_y()) - area.top(), area.height())?;
    let key = index(f64::from(event.client_x()) - area.left(), area.width())?;
    Some((query, key))
}

fn walk(cx: &Cx, n: usize, event: &KeyboardEvent) {
    let (query, key) = cx.state.hovered.unwrap_or((0, 0));
    let last = n.saturating_sub(1);
    let to = match event.key().as_str() {
        "ArrowUp" => (query.saturating_sub(1), key),
        "ArrowDown" => ((query + 1).min(last), key),
        "ArrowLeft" => (query, key.saturating_sub(1)),
        "ArrowRight" => (query, (key + 1).min(last)),
        "Home" => (query, 0),
        "End" => (query, query),
        "Enter" => return cx.act(Action::Pin(query)),
        _ => return,
    };
    event.prevent_default();
    cx.act(Action::Hover(Some(to)));
}

fn legend(cx: &Cx) -> Html {
    let act = |action: Action| {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.act(action.clone()))
    };
    let (mask, table) = (cx.state.mask_shown, cx.state.table_shown);
    html! {
        <div class="legend">
            <span>{"0"}</span>
            <span class="ramp" style={format!("background:{}", cx.state.color_map.gradient())}></span>
            <span>{"1 softmax weight"}</span>
            <span class="swatch hatched"></span>
            <span>{"masked"}</span>
            <button onclick={act(Action::ToggleMask)} aria-pressed={mask.to_string()}>{"hatching"}</button>
            <button onclick={act(Action::ToggleTable)} aria-pressed={table.to_string()}>{"show as table"}</button>
            if let Some(query) = cx.state.pinned {
                <button class="pin" onclick={act(Action::Pin(query))}>{format!("row {query} pinned ✕")}</button>
            }
        </div>
    }
}

fn table(cx: &Cx, maps: &Maps) -> Html {
    let n = maps.tokens.len();
    let weight = |query: usize, key: usize| {
        let text = match key > query {
            true => "masked".to_string(),
            false => format!("{:.3}", maps.weight(cx.state.selected, query, key)),
        };
        html! { <td>{text}</td> }
    };
    let row = |query: usize| {
        html! {
            <tr>
                <th scope="row">{visible(&maps.tokens[query].text)}</th>
                {for (0..n).map(|key| weight(query, key))}
            </tr>
        }
    };
    html! {
        <div class="table" tabindex="0" role="region" aria-label="weights of this head">
            <table>
                <caption>{"rows are queries, columns are keys"}</caption>
                <thead><tr>
                    <td></td>
                    {for maps.tokens.iter().map(|token| html! { <th scope="col">{visible(&token.text)}</th> })}
                </tr></thead>
                <tbody>{for (0..n).map(row)}</tbody>
            </table>
        </div>
    }
}
