//! Two snapshots of one run or of two, side by side with their difference.

use std::rc::Rc;

use web_sys::{Element, HtmlCanvasElement};
use yew::prelude::*;

use crate::core::context::Cx;
use crate::draw::figure_canvas::put_cells;
use crate::draw::heat::{ColorScale, pixels};
use crate::maps::Plane;
use crate::shared::{grouped, visible};
use crate::state::Action;
use crate::state::Maps;
use crate::state::difference::mean_absolute;
use crate::state::remember::{Held, RememberAction};
use crate::state::shown::{Legend, Table, change};
use crate::train::attention::canvas::page_is_dark;
use crate::train::attention::capital;

#[component]
pub fn Compare(cx: &Cx) -> Html {
    let state = &cx.state;
    let both = state.remember.held.as_ref().zip(state.shown_maps()).filter(|_| state.obstacle().is_none());
    let both = Both(both.map(|(held, shown)| [held.maps.clone(), shown]));
    // Hovering cells does not repaint these.
    let look = (state.color_scale([255; 3]), page_is_dark());
    let pictures = use_memo((both, state.plane(), look), |(both, plane, (scale, dark))| {
        both.0.as_ref().map(|both| pictures(both, *plane, scale, *dark))
    });
    let (Some(held), Some(shown)) = (state.remember.held.clone(), state.shown_maps()) else { return html! {} };
    let release = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.act(Action::Remember(RememberAction::LetGo)))
    };
    let stop = html! { <button class="small" onclick={release} data-testid="let-go">{"Stop comparing"}</button> };
    html! {
        <div class="compare" data-testid="compare">
            if let Some(obstacle) = state.obstacle() {
                <p class="problem" data-testid="obstacle">{obstacle}</p>
                {stop}
            } else if let Some(pictures) = &*pictures {
                {maps(cx, &held, &shown, pictures)}
                <div class="comparison">
                    <p class="readout" data-testid="compare-readout" aria-live="polite">{readout(cx, &held, &shown)}</p>
                    {heads(cx, &held, &shown)}
                    {difference_legend(&pictures.legend)}
                    <p>{stop}</p>
                </div>
            }
        </div>
    }
}

/// The images A, B and B − A, and the legend of the last.
struct Pictures {
    cells: [Rc<Vec<u8>>; 3],
    legend: Legend,
}

fn pictures([held, shown]: &[Rc<Maps>; 2], plane: Plane, scale: &ColorScale, dark: bool) -> Pictures {
    let n = shown.n();
    let (difference, mut legend) = change(held, shown, plane, scale.gamma);
    legend.scale = legend.scale.on_page(dark);
    let changes =
        pixels(n, shown.causal, &legend.scale, |row, column| difference.get(row * n + column).copied().unwrap_or(0.0));
    let [a, b] = [held, shown].map(|maps| Table::Weights(maps.clone(), plane).pixels(scale));
    Pictures { cells: [a, b, changes].map(Rc::new), legend }
}

/// Maps compared by address.
struct Both(Option<[Rc<Maps>; 2]>);

impl PartialEq for Both {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some([a, b]), Some([c, d])) => Rc::ptr_eq(a, c) && Rc::ptr_eq(b, d),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

fn maps(cx: &Cx, held: &Held, shown: &Maps, pictures: &Pictures) -> Html {
    let (state, n) = (&cx.state, shown.tokens.len());
    let [a, b, changes] = &pictures.cells;
    let one = |title: Html, cells: Rc<Vec<u8>>, id: &'static str| {
        let point = {
            let cx = cx.clone();
            Callback::from(move |event: PointerEvent| {
                let cell = event.target_dyn_into::<Element>().and_then(|element| cell_at(&element, &event, n));
                if cell != cx.state.hovered {
                    cx.act(Action::Hover(cell));
                }
            })
        };
        let out = {
            let cx = cx.clone();
            Callback::from(move |_: PointerEvent| cx.act(Action::Hover(None)))
        };
        html! {
            <figure data-testid={id} onpointermove={point} onpointerleave={out}>
                <figcaption>{title}</figcaption>
                <Cells {cells} {n} hatched={state.mask_shown} />
            </figure>
        }
    };
    html! {
        <>
            {one(html! { <><span class="tag accent">{"A"}</span><span class="hidden">{": "}</span>{format!("{}, step {}", capital(&held.run_name), grouped(held.maps.step))}</> }, a.clone(), "map-a")}
            {one(html! { <><span class="tag accent">{"B"}</span><span class="hidden">{": "}</span>{format!("{}, step {}", capital(&state.runs.name), grouped(shown.step))}</> }, b.clone(), "map-b")}
            {one(html! { <b>{"B − A"}</b> }, changes.clone(), "map-difference")}
        </>
    }
}

fn difference_legend(legend: &Legend) -> Html {
    html! {
        <div class="legend" data-testid="difference-legend">
            <span>{&legend.low}</span>
            <span class="ramp" style={format!("background:{}", legend.scale.gradient())}></span>
            <span>{&legend.high}</span>
            <span>{legend.what}</span>
            if !legend.notes().is_empty() { <span>{legend.notes()}</span> }
        </div>
    }
}

fn readout(cx: &Cx, held: &Held, shown: &Maps) -> String {
    let n = shown.tokens.len();
    let Some((query, key)) = cx.state.hovered.filter(|&(query, key)| query < n && !shown.hides(query, key)) else {
        return "Point at a cell for both weights and their difference.".into();
    };
    let [a, b] = [&*held.maps, shown].map(|maps| maps.value(cx.state.plane(), query, key));
    let token = |at: usize| format!("“{}” ({at})", visible(&shown.tokens[at].text));
    format!("{} looks at {}: A {a:.3}, B {b:.3}, B − A {:+.3}", token(query), token(key), b - a)
}

/// How much every head has changed, as numbers.
fn heads(cx: &Cx, held: &Held, shown: &Maps) -> Html {
    let cell = |at: (usize, usize)| {
        let select = {
            let cx = cx.clone();
            Callback::from(move |_: MouseEvent| cx.act(Action::Select(at.0, at.1)))
        };
        let pressed = (cx.state.selected == at).to_string();
        let label = format!("{}: mean absolute difference", Plane::Head(at.0, at.1).name());
        html! {
            <td><button onclick={select} aria-pressed={pressed} aria-label={label} data-testid="head-change">
                {format!("{:.3}", mean_absolute(&held.maps, shown, at))}
            </button></td>
        }
    };
    let row = |layer: usize| {
        html! {
            <tr><th scope="row">{format!("L{}", layer + 1)}</th>
                {for (0..shown.n_heads).map(|head| cell((layer, head)))}</tr>
        }
    };
    html! {
        <div class="table" tabindex="0" role="region" aria-label="mean absolute difference per head">
            <table>
                <thead><tr>
                    <td title="Mean absolute difference over the cells that are not masked">{"|B − A|"}</td>
                    {for (0..shown.n_heads).map(|head| html! { <th scope="col">{format!("H{}", head + 1)}</th> })}
                </tr></thead>
                <tbody>{for (0..shown.n_layers).map(row)}</tbody>
            </table>
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
    Some((query, index(f64::from(event.client_x()) - area.left(), area.width())?))
}

/// Properties of a canvas of cells, enlarged by the style sheet.
#[derive(Clone, PartialEq, Properties)]
struct CellsProps {
    cells: Rc<Vec<u8>>,
    n: usize,
    hatched: bool,
}

#[component]
fn Cells(props: &CellsProps) -> Html {
    let canvas = use_node_ref();
    {
        let canvas = canvas.clone();
        use_effect_with((props.cells.clone(), props.n), move |(cells, n)| {
            if let Some(canvas) = canvas.cast::<HtmlCanvasElement>() {
                // If the browser is out of memory, only the hatching is shown.
                drop(put_cells(&canvas, cells, *n));
            }
        });
    }
    html! { <canvas ref={canvas} class={classes!("map", props.hatched.then_some("hatched"))}></canvas> }
}
