//! The large map: canvas, crosshair and pinned rows; pointer, touch and keyboard input; and the grid for screen
//! readers.

use std::cell::RefCell;
use std::rc::Rc;

use web_sys::{Element, HtmlElement, PointerEvent};
use yew::prelude::*;

use crate::core::context::Cx;
use crate::draw::window::Window;
use crate::state::Action;
use crate::state::Maps;
use crate::state::look::LookAction;
use crate::train::attention::canvas::Map;
use crate::train::attention::tooltip::Tooltip;
use crate::train::attention::tooltip::pointed;
use crate::train::attention::tooltip::sentence;

/// A pointer that moves farther than this many pixels drags instead of clicking.
const DRAG: f64 = 5.0;

/// The pointers that are down, and how far the first has moved.
#[derive(Default)]
struct Fingers {
    /// Each pointer's id and its position in the map, from 0 to 1.
    down: Vec<(i32, [f64; 2])>,
    /// Pixels that the first pointer has moved since it went down.
    moved: f64,
}

#[component]
pub fn Cells(cx: &Cx) -> Html {
    let state = &cx.state;
    let frame = use_node_ref();
    let fingers = use_mut_ref(Fingers::default);
    let Some((maps, table)) = state.shown_maps().zip(state.table()) else { return html! {} };
    let (n, window) = (maps.n(), state.look.window);
    let cell = pointed(cx, &maps);
    let percent = |part: f64| 100.0 * part;
    let inner = format!(
        "width:{p:.3}%;height:{p:.3}%;left:{:.3}%;top:{:.3}%",
        percent(-window.left / window.size),
        percent(-window.top / window.size),
        p = percent(1.0 / window.size)
    );
    let side = percent(1.0 / n as f64);
    let row = |query: usize| format!("top:{}%;height:{side}%", percent(query as f64 / n as f64));
    let column = |key: usize| format!("left:{}%;width:{side}%", percent(key as f64 / n as f64));
    let held = (0..n).filter(|&row| state.holds(row));
    let touch = if window.is_whole() { "pan-x pan-y" } else { "none" };
    html! {
        <div class="cells" ref={frame.clone()} data-testid="large-map" tabindex="0" role="grid"
            aria-label="Attention weights. Rows are queries, columns are keys. Arrow keys walk the cells, Enter pins the row."
            aria-rowcount={n.to_string()} aria-colcount={n.to_string()} aria-readonly="true"
            aria-activedescendant={cell.map(|(query, key)| format!("cell-{query}-{key}"))}
            onpointerdown={down(&frame, &fingers)} onpointermove={moving(cx, &frame, &fingers, n)}
            onpointerup={up(&fingers)} onpointercancel={up(&fingers)} onpointerleave={leave(cx, &fingers)}
            onclick={click(cx, &frame, &fingers, n)} onwheel={wheel(cx, &frame, n)} onkeydown={keys(cx, &frame, n)}>
            <div class="seen" style={format!("touch-action:{touch}")} aria-hidden="true">
                <div class="whole-map" style={inner}>
                    <Map scale={state.legend_of(&table, [255; 3]).scale} {table}
                        hatched={state.mask_shown} theme={state.theme} />
                    {for held.map(|query| html! { <i class="held" style={row(query)}></i> })}
                    if let Some((query, key)) = cell {
                        <i class="cross" style={row(query)}></i>
                        <i class="cross" style={column(key)}></i>
                    }
                </div>
            </div>
            {spoken(cx, &maps, cell.unwrap_or((0, 0)))}
            <Tooltip ..cx.clone() />
        </div>
    }
}

/// The cells around the current one for screen readers; never the whole grid.
fn spoken(cx: &Cx, maps: &Maps, (query, key): (usize, usize)) -> Html {
    let around = |at: usize| at.saturating_sub(1)..(at + 2).min(maps.n());
    let row = |row: usize| {
        let cell = |column: usize| {
            html! {
                <span role="gridcell" id={format!("cell-{row}-{column}")} aria-colindex={(column + 1).to_string()}
                    aria-selected={cx.state.holds(row).to_string()}>{sentence(cx, maps, (row, column))}</span>
            }
        };
        html! { <div role="row" aria-rowindex={(row + 1).to_string()}>{for around(key).map(cell)}</div> }
    };
    html! { <div class="hidden" role="rowgroup">{for around(query).map(row)}</div> }
}

/// The pointer's position in the map, from 0 to 1, and the map's side in pixels.
fn place(frame: &NodeRef, event: &MouseEvent) -> Option<([f64; 2], f64)> {
    let area = frame.cast::<Element>()?.get_bounding_client_rect();
    let x = (coordinate(event, "clientX") - area.left()) / area.width().max(1.0);
    let y = (coordinate(event, "clientY") - area.top()) / area.height().max(1.0);
    Some(([x, y], area.width().max(1.0)))
}

/// A coordinate with its fraction, which web-sys cuts off: cells can be narrower than two pixels.
fn coordinate(event: &MouseEvent, name: &str) -> f64 {
    js_sys::Reflect::get(event, &name.into()).ok().and_then(|value| value.as_f64()).unwrap_or_default()
}

/// Moves the tooltip immediately, without a rerender.
fn put_tip(frame: &NodeRef, [x, y]: [f64; 2]) {
    if let Some(frame) = frame.cast::<HtmlElement>() {
        for (name, part) in [("--x", x), ("--y", y)] {
            // Fails only for invalid property names.
            drop(frame.style().set_property(name, &format!("{:.2}%", 100.0 * part)));
        }
    }
}

type Held = Rc<RefCell<Fingers>>;

fn down(frame: &NodeRef, fingers: &Held) -> Callback<PointerEvent> {
    let (frame, fingers) = (frame.clone(), fingers.clone());
    Callback::from(move |event: PointerEvent| {
        let mut fingers = fingers.borrow_mut();
        if let Some((place, _)) = place(&frame, &event) {
            fingers.down.retain(|(id, _)| *id != event.pointer_id());
            fingers.down.push((event.pointer_id(), place));
            fingers.moved = 0.0;
        }
    })
}

fn up(fingers: &Held) -> Callback<PointerEvent> {
    let fingers = fingers.clone();
    Callback::from(move |event: PointerEvent| {
        fingers.borrow_mut().down.retain(|(id, _)| *id != event.pointer_id());
    })
}

fn leave(cx: &Cx, fingers: &Held) -> Callback<PointerEvent> {
    let (cx, fingers) = (cx.clone(), fingers.clone());
    Callback::from(move |event: PointerEvent| {
        fingers.borrow_mut().down.retain(|(id, _)| *id != event.pointer_id());
        if event.pointer_type() != "touch" {
            cx.act(Action::Hover(None));
        }
    })
}

/// Pointer movement: one pressed pointer drags the map, two pinch it; with none pressed, the cell under it is hovered.
fn moving(cx: &Cx, frame: &NodeRef, fingers: &Held, n: usize) -> Callback<PointerEvent> {
    let (cx, frame, fingers) = (cx.clone(), frame.clone(), fingers.clone());
    Callback::from(move |event: PointerEvent| {
        let Some((to, side)) = place(&frame, &event) else { return };
        let window = cx.state.look.window;
        let mut fingers = fingers.borrow_mut();
        let index = fingers.down.iter().position(|(id, _)| *id == event.pointer_id());
        if let Some(index) = index {
            let from = std::mem::replace(&mut fingers.down[index].1, to);
            let by = [from[0] - to[0], from[1] - to[1]];
            fingers.moved += by[0].hypot(by[1]) * side;
            let other = fingers.down.iter().find(|(id, _)| *id != event.pointer_id()).map(|(_, place)| *place);
            let next = match other {
                Some(other) => pinched(window, [from, to], other, n),
                None if !window.is_whole() && fingers.moved > DRAG => window.moved(by),
                None => window,
            };
            if next != window {
                cx.act(Action::Look(LookAction::Window(next)));
            }
        }
        if event.pointer_type() != "touch" {
            put_tip(&frame, to);
            let cell = window.cell_at(to, n);
            if cell != cx.state.hovered {
                cx.act(Action::Hover(cell));
            }
        }
    })
}

/// The window after one of two pointers has moved: zoomed by the change of their distance, around their midpoint.
fn pinched(window: Window, [from, to]: [[f64; 2]; 2], other: [f64; 2], n: usize) -> Window {
    let apart = |[x, y]: [f64; 2]| (x - other[0]).hypot(y - other[1]).max(1e-3);
    let middle = [(to[0] + other[0]) / 2.0, (to[1] + other[1]) / 2.0];
    window.zoomed(apart(to) / apart(from), middle, n)
}

/// A click pins the row; Shift-click adds it to the pinned rows. On touch, the first tap hovers a cell and the second
/// pins its row.
fn click(cx: &Cx, frame: &NodeRef, fingers: &Held, n: usize) -> Callback<MouseEvent> {
    use wasm_bindgen::JsCast as _;
    let (cx, frame, fingers) = (cx.clone(), frame.clone(), fingers.clone());
    Callback::from(move |event: MouseEvent| {
        let Some((at, _)) = place(&frame, &event) else { return };
        let Some(cell) = cx.state.look.window.cell_at(at, n).filter(|_| fingers.borrow().moved <= DRAG) else { return };
        let touch = event.dyn_ref::<PointerEvent>().is_some_and(|event| event.pointer_type() == "touch");
        put_tip(&frame, at);
        cx.act(match () {
            () if touch && cx.state.hovered != Some(cell) => Action::Hover(Some(cell)),
            () if event.shift_key() => Action::Look(LookAction::Add(cell.0)),
            () => Action::Pin(cell.0),
        });
    })
}

/// The wheel zooms with Ctrl (also a touchpad pinch) or while the map has focus; otherwise the page scrolls.
fn wheel(cx: &Cx, frame: &NodeRef, n: usize) -> Callback<WheelEvent> {
    let (cx, frame) = (cx.clone(), frame.clone());
    Callback::from(move |event: WheelEvent| {
        let focused = frame.cast::<Element>().is_some_and(|frame| frame.matches(":focus").unwrap_or(false));
        let Some((at, _)) = place(&frame, &event).filter(|_| focused || event.ctrl_key()) else { return };
        event.prevent_default();
        let factor = if event.delta_y() < 0.0 { 1.25 } else { 0.8 };
        cx.act(Action::Look(LookAction::Window(cx.state.look.window.zoomed(factor, at, n))));
    })
}

fn keys(cx: &Cx, frame: &NodeRef, n: usize) -> Callback<KeyboardEvent> {
    let (cx, frame) = (cx.clone(), frame.clone());
    Callback::from(move |event: KeyboardEvent| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        let window = cx.state.look.window;
        let (query, key) = cx.state.hovered.unwrap_or((0, 0));
        let last = n.saturating_sub(1);
        let to = match event.key().as_str() {
            "ArrowUp" => (query.saturating_sub(1), key),
            "ArrowDown" => ((query + 1).min(last), key),
            "ArrowLeft" => (query, key.saturating_sub(1)),
            "ArrowRight" => (query, (key + 1).min(last)),
            "Home" => (query, 0),
            "End" => (query, query),
            "Enter" if event.shift_key() => return cx.act(Action::Look(LookAction::Add(query))),
            "Enter" => return cx.act(Action::Pin(query)),
            "+" | "=" | "-" | "0" => {
                let middle = [window.middle(window.left, key, n), window.middle(window.top, query, n)];
                let next = match event.key().as_str() {
                    "0" => Window::WHOLE,
                    "-" => window.zoomed(0.8, middle, n),
                    _ => window.showing((query, key), n).zoomed(1.25, middle, n),
                };
                return cx.act(Action::Look(LookAction::Window(next)));
            }
            _ => return,
        };
        event.prevent_default();
        let next = window.showing(to, n);
        if next != window {
            cx.act(Action::Look(LookAction::Window(next)));
        }
        put_tip(&frame, [next.middle(next.left, to.1, n), next.middle(next.top, to.0, n)]);
        cx.act(Action::Hover(Some(to)));
    })
}
