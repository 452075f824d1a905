//! All heads of all layers as small maps with their entropies, and for each layer the mean and the maximum of its
//! heads.

use std::rc::Rc;

use yew::prelude::*;

use super::act;
use super::canvas::Map;
use crate::app::Cx;
use crate::maps::Plane;
use crate::state::look::LookAction;
use crate::state::shown::Table;
use crate::state::{Action, Maps};

/// Tooltip that explains entropies.
const MEANING: &str = "entropy: how widely the weights of a row are spread, −Σ w·log w, as the mean over all rows; 0 when \
                       every token looks at a single one";

#[component]
pub fn Grid(cx: &Cx) -> Html {
    let state = &cx.state;
    // Computed once per set of maps, identified by address; holding the Rc prevents the address from being reused.
    let maps = state.shown_maps();
    let entropies = use_memo(Held(maps.clone()), |Held(maps)| maps.as_ref().map(|maps| entropies(maps)));
    let (Some(maps), Some(entropies)) = (maps, &*entropies) else { return html! {} };
    let most = in_unit(cx, maps.most_entropy());
    let cell = |plane: Plane| {
        let selected = state.plane() == plane;
        let off = matches!(plane, Plane::Head(layer, head) if state.ask.off.contains(&(layer, head)));
        let entropy = entropies.iter().find(|(other, _)| *other == plane).and_then(|(_, entropy)| *entropy);
        let shown = entropy.map_or(String::new(), |bits| format!("{:.2}", in_unit(cx, bits)));
        let (test, head) = match plane {
            Plane::Head(_, head) => ("head-map", Some(head.to_string())),
            Plane::Mean(_) => ("mean-map", None),
            Plane::Max(_) => ("max-map", None),
        };
        let title =
            entropy.map(|bits| format!("{:.2} of at most {most:.2} {}; {MEANING}", in_unit(cx, bits), unit(cx)));
        html! {
            <button key={plane.short()} class={classes!("head", selected.then_some("selected"), off.then_some("off"))} data-testid={test}
                data-layer={plane.layer().to_string()} data-head={head} aria-pressed={selected.to_string()}
                aria-label={format!("{}{}", plane.name(), entropy.map_or(String::new(), |_| format!(", entropy {shown} {}", unit(cx))))}
                {title} onclick={act(cx, Action::Look(LookAction::Show(plane)))}>
                <Map table={Table::Weights(maps.clone(), plane)} scale={state.small_scale()} hatched={state.mask_shown} small=true
                    theme={state.theme} />
                <span class="head-name"><span>{plane.short()}</span><span class="entropy">{shown.clone()}</span></span>
            </button>
        }
    };
    let planes = (0..maps.n_layers).flat_map(|layer| planes_of(layer, maps.n_heads));
    html! {
        <>
            <div class="heads" style={format!("--heads:{}", maps.n_heads + 2)} role="group"
                aria-label="All heads, and of each layer their mean and their maximum">
                {for planes.map(cell)}
            </div>
            <p class="count line">
                <span title={MEANING} tabindex="0">{format!("numbers: entropy of the rows in {}", unit(cx))}</span>
                <button data-testid="entropy-unit" onclick={act(cx, Action::Look(LookAction::ToggleNats))}>
                    {if state.look.nats { "show bits" } else { "show nats" }}
                </button>
            </p>
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

/// Maps compared by address.
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
