//! All heads of all layers as small maps with their entropies, and for each layer the mean and the maximum of its
//! heads.

use std::rc::Rc;

use gloo_timers::callback::Timeout;
use yew::prelude::*;

use super::canvas::Map;
use super::large::capital;
use super::{act, nothing};
use crate::core::context::Cx;
use crate::maps::Plane;
use crate::overlay::view::Frame;
use crate::shared::icon::{Icon, icon};
use crate::shared::opens::Opens;
use crate::shared::size::use_size;
use crate::state::look::LookAction;
use crate::state::overlay::Overlay;
use crate::state::shown::Table;
use crate::state::{Action, Maps};

/// Tooltip that explains entropies.
const MEANING: &str = "entropy: how widely the weights of a row are spread, −Σ w·log w, as the mean over all rows; 0 when \
                       every token looks at a single one";

/// From this many heads on, cells stand closer.
const MANY_HEADS: usize = 60;

/// Cells of at least this many pixels carry their name and entropy.
const NAMED_SIDE: u32 = 54;

/// The tile of all heads.
#[component]
pub fn HeadsTile(cx: &Cx) -> Html {
    let body = use_node_ref();
    let size = use_size(&body);
    let maps =
        use_slowly(cx.state.shown_maps(), cx.state.remember.earlier.is_none()).filter(|maps| !maps.tokens.is_empty());
    let aggregates = if cx.state.look.heads_only { 0 } else { 2 };
    let layout = maps.as_ref().map(|maps| Layout::of(maps, aggregates, size));
    let sub = match (&maps, &layout) {
        (Some(maps), Some(layout)) if layout.many => format!("{} layers × {} heads", maps.n_layers, maps.n_heads),
        (_, Some(layout)) if !layout.headed => format!("entropy, {}", unit(cx)),
        _ => String::new(),
    };
    html! {
        <section class="tile heads-tile" aria-labelledby="heads-title" data-part="attention">
            <header>
                <h2 id="heads-title">{"All heads"}<small>{sub}</small></h2>
                <span class="grow"></span>
                <Opens cx={cx.clone()} overlay={Overlay::Heads} class="ghost small square" label="Options for all heads"
                    hint="Unit of the entropies">{icon(Icon::More)}</Opens>
                <Frame cx={cx.clone()} overlay={Overlay::Heads} label="Options for all heads" class="menu">
                    <p class="count" title={MEANING} tabindex="0">{format!("Numbers: entropy of the rows in {}", unit(cx))}</p>
                    <button class="small" data-testid="entropy-unit" onclick={act(cx, Action::Look(LookAction::ToggleNats))}>
                        {if cx.state.look.nats { "Show bits" } else { "Show nats" }}
                    </button>
                    <button class="small" data-testid="head-order" aria-pressed={cx.state.look.focused_first.to_string()}
                        onclick={act(cx, Action::Look(LookAction::ToggleOrder))}>{"Most focused first"}</button>
                    <button class="small" data-testid="head-aggregates" aria-pressed={(!cx.state.look.heads_only).to_string()}
                        onclick={act(cx, Action::Look(LookAction::ToggleAggregates))}>{"Mean and maximum"}</button>
                </Frame>
            </header>
            <div class="body" ref={body}>
                if let Some((layout, maps)) = layout.zip(maps) { <Grid cx={cx.clone()} {layout} maps={Held(Some(maps))} /> } else { {placeholders(cx)} }
            </div>
        </section>
    }
}

/// Outlines of the maps to come, while the model is built.
fn placeholders(cx: &Cx) -> Html {
    let model = &cx.state.draft.config.model;
    if cx.state.has_run() || model.n_layers * model.n_heads > MANY_HEADS {
        return nothing(cx, "All heads");
    }
    let rows = model.n_heads + 2;
    html! {
        <div class="heads coming" style={format!("--rows:{rows};--cols:{}", model.n_layers)} aria-label="The heads appear as soon as the model is built">
            {for (0..rows * model.n_layers).map(|_| html! { <i></i> })}
        </div>
    }
}

/// Where the cells stand: layers from left to right, heads downwards, then mean and maximum; on a phone, layers are rows.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Layout {
    /// The side of a cell in pixels.
    cell: u32,
    /// The gap between cells in pixels.
    gap: u32,
    /// Whether rows and columns have headings, because the cells are too small for names.
    headed: bool,
    /// Whether there are very many heads.
    many: bool,
    /// Whether layers are rows.
    by_rows: bool,
    /// The side of the loupe that fits below the grid, if one fits.
    loupe: Option<u32>,
}

impl Layout {
    /// `aggregates` is the number of maps per layer besides its heads.
    fn of(maps: &Maps, aggregates: u32, (width, height): (u32, u32)) -> Self {
        const PHONE: f64 = 700.0;
        let phone = web_sys::window()
            .and_then(|window| window.inner_width().ok()?.as_f64())
            .is_some_and(|width| width <= PHONE);
        let (layers, heads) = (maps.n_layers as u32, maps.n_heads as u32 + aggregates);
        let many = maps.n_layers * maps.n_heads > MANY_HEADS;
        let (width, height) = (width.saturating_sub(24), height.saturating_sub(16));
        let each = |space: u32, n: u32, gap: u32| space.saturating_sub(gap * n.saturating_sub(1)) / n.max(1);
        if phone {
            let (columns, by_rows) = if layers <= 4 && heads <= 8 { (heads, true) } else { (layers, false) };
            let named = each(width, columns, 6).clamp(20, 58);
            let headed = named < 50 || !by_rows;
            let cell = if headed { each(width.saturating_sub(38), columns, 4).clamp(8, 58) } else { named };
            return Self { cell, gap: 4, headed: headed && !by_rows, many, by_rows, loupe: None };
        }
        let named = each(width, layers, 8).min(each(height.saturating_sub(17 * heads), heads, 4));
        if named >= NAMED_SIDE && !many {
            return Self { cell: named, gap: 4, headed: false, many, by_rows: false, loupe: None };
        }
        let gap = if many { 2 } else { 5 };
        let (across, down) =
            (each(width.saturating_sub(34 + gap), layers, gap), each(height.saturating_sub(20), heads, gap));
        let cell = across.min(down).max(6);
        let left = height.saturating_sub(20 + heads * (cell + gap));
        let loupe = (many && left > 144).then(|| (left - 44).min(width));
        Self { cell, gap, headed: true, many, by_rows: false, loupe }
    }
}

#[derive(Clone, Properties, PartialEq)]
struct GridProps {
    cx: Cx,
    layout: Layout,
    maps: Held,
}

#[component]
fn Grid(props: &GridProps) -> Html {
    let GridProps { cx, layout, maps: Held(maps) } = props;
    let state = &cx.state;
    let under_pointer = use_state(|| None::<Plane>);
    // Computed once per set of maps, identified by address; holding the Rc prevents the address from being reused.
    let entropies = use_memo(Held(maps.clone()), |Held(maps)| maps.as_ref().map(|maps| entropies(maps)));
    let (Some(maps), Some(entropies)) = (maps, &*entropies) else { return html! {} };
    let most = in_unit(cx, maps.most_entropy());
    let cell = |plane: Plane| {
        let selected = state.plane() == plane;
        let off = matches!(plane, Plane::Head(layer, head) if state.ask.off.contains(&(layer, head)));
        let entropy = entropies.iter().find(|(other, _)| *other == plane).and_then(|(_, entropy)| *entropy);
        // A sum of tiny numbers can be −0.
        let shown = entropy.map_or(String::new(), |bits| format!("{:.2}", in_unit(cx, bits.max(0.0))));
        let (test, head) = match plane {
            Plane::Head(_, head) => ("head-map", Some(head.to_string())),
            Plane::Mean(_) => ("mean-map", None),
            Plane::Max(_) => ("max-map", None),
        };
        let title = entropy.map(|bits| {
            format!("{}: {:.2} of at most {most:.2} {}; {MEANING}", plane.name(), in_unit(cx, bits), unit(cx))
        });
        let over = {
            let under_pointer = under_pointer.clone();
            layout.loupe.map(|_| Callback::from(move |_: PointerEvent| under_pointer.set(Some(plane))))
        };
        html! {
            <button key={plane.short()} class={classes!("head", selected.then_some("selected"), off.then_some("off"))} data-testid={test}
                data-layer={plane.layer().to_string()} data-head={head.clone()} aria-pressed={selected.to_string()} onpointerenter={over}
                aria-label={format!("{}{}", plane.name(), entropy.map_or(String::new(), |_| format!(", entropy {shown} {}", unit(cx))))}
                {title} onclick={act(cx, Action::Look(LookAction::Show(plane)))}>
                <Map table={Table::Weights(maps.clone(), plane)} scale={state.small_scale()} hatched={state.mask_shown && layout.cell > 34}
                    small=true theme={state.theme} />
                <span class={classes!("head-name", layout.headed.then_some("hidden"))}>
                    <span>{plane.short()}</span>
                    if head.is_some() && layout.cell >= 50 { <span class="entropy">{shown.clone()}</span> }
                </span>
            </button>
        }
    };
    let aggregates: &[&str] = if state.look.heads_only { &[] } else { &["mean", "max"] };
    let ordered = |layer: usize| {
        let mut planes: Vec<Plane> = planes_of(layer, maps.n_heads).take(maps.n_heads + aggregates.len()).collect();
        if state.look.focused_first {
            let entropy = |plane: &Plane| {
                entropies.iter().find(|(other, _)| other == plane).and_then(|(_, bits)| *bits).unwrap_or(f64::INFINITY)
            };
            planes[..maps.n_heads].sort_by(|a, b| entropy(a).total_cmp(&entropy(b)));
        }
        planes
    };
    let heading =
        |key: String, text: String| html! { <span key={key} class="heading" aria-hidden="true">{text}</span> };
    // A layer is a column of the grid (a row on a phone), and its heads follow each other.
    let mut cells: Vec<Html> = Vec::new();
    let small = layout.cell < 24;
    if layout.headed {
        cells.push(heading("corner".into(), if small { "Layer".into() } else { String::new() }));
        // Ordered by entropy, a row is a place, not a head.
        let name =
            |head: usize| if state.look.focused_first { format!("{}.", head + 1) } else { format!("H{}", head + 1) };
        cells.extend((0..maps.n_heads).map(|head| heading(format!("row {head}"), name(head))));
        cells.extend(aggregates.iter().map(|name| heading((*name).into(), (*name).into())));
    }
    for layer in 0..maps.n_layers {
        if layout.headed {
            let name = if small { (layer + 1).to_string() } else { format!("L{}", layer + 1) };
            cells.push(heading(format!("layer {layer}"), name));
        }
        cells.extend(ordered(layer).into_iter().map(cell));
    }
    let rows = maps.n_heads + aggregates.len() + usize::from(layout.headed);
    let style = format!("--rows:{rows};--cell:{}px;--gap:{}px", layout.cell, layout.gap);
    let class = classes!("heads", layout.headed.then_some("headed"), layout.by_rows.then_some("by-rows"));
    let loupe = layout.loupe.map(|side| {
        let plane = under_pointer.unwrap_or(state.plane());
        html! {
            <div class="loupe" aria-hidden="true">
                <h3>{capital(&plane.name())}</h3>
                <div style={format!("width:{side}px")}>
                    <Map table={Table::Weights(maps.clone(), plane)} scale={state.small_scale()} hatched={state.mask_shown} small=true
                        theme={state.theme} />
                </div>
            </div>
        }
    });
    html! {
        <>
            <div {class} {style} role="group"
                aria-label="All heads, and of each layer their mean and their maximum">{for cells}</div>
            {loupe}
        </>
    }
}

fn planes_of(layer: usize, n_heads: usize) -> impl Iterator<Item = Plane> {
    (0..n_heads).map(move |head| Plane::Head(layer, head)).chain([Plane::Mean(layer), Plane::Max(layer)])
}

/// All planes with their entropies in bits.
fn entropies(maps: &Maps) -> Vec<(Plane, Option<f64>)> {
    let planes = (0..maps.n_layers).flat_map(|layer| planes_of(layer, maps.n_heads));
    planes.map(|plane| (plane, maps.entropy(plane))).collect()
}

/// Milliseconds between two updates of the grid during training: of few heads, and of very many.
const UPDATE_MS: [f64; 2] = [500.0, 1000.0];

/// The latest maps, at most as often as [`UPDATE_MS`] says while they are `live`; another sentence or model is shown at once.
#[hook]
fn use_slowly(maps: Option<Rc<Maps>>, live: bool) -> Option<Rc<Maps>> {
    let shown = use_mut_ref(|| (f64::NEG_INFINITY, None::<Rc<Maps>>));
    let again = use_force_update();
    let now = js_sys::Date::now();
    let wait = {
        let (since, old) = &*shown.borrow();
        let alike = |old: &Rc<Maps>, new: &Rc<Maps>| {
            (old.n_layers, old.n_heads, old.causal) == (new.n_layers, new.n_heads, new.causal)
                && old.tokens == new.tokens
        };
        let same = old.as_ref().zip(maps.as_ref()).is_some_and(|(old, new)| alike(old, new));
        let many = maps.as_ref().is_some_and(|maps| maps.n_layers * maps.n_heads > MANY_HEADS);
        if live && same { (UPDATE_MS[usize::from(many)] - (now - since)).max(0.0) } else { 0.0 }
    };
    let newer = !matches!((&shown.borrow().1, &maps), (Some(old), Some(new)) if Rc::ptr_eq(old, new));
    if newer && wait == 0.0 {
        *shown.borrow_mut() = (now, maps);
    }
    let pending = newer && wait > 0.0;
    use_effect_with(pending, move |&pending| {
        let timer = pending.then(|| Timeout::new(wait as u32 + 1, move || again.force_update()));
        move || drop(timer)
    });
    shown.borrow().1.clone()
}

/// Maps compared by address.
#[derive(Clone)]
struct Held(Option<Rc<Maps>>);

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Rc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

/// The unit of entropies, bits or nats.
pub fn unit(cx: &Cx) -> &'static str {
    if cx.state.look.nats { "nats" } else { "bits" }
}

/// An entropy converted from bits to that unit.
pub fn in_unit(cx: &Cx, bits: f64) -> f64 {
    if cx.state.look.nats { bits * std::f64::consts::LN_2 } else { bits }
}
