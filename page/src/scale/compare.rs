//! The small and the large model of one budget on the same sentence.

use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use super::geometry::{amount, flops};
use super::heads::{Role, best};
use super::state::ScaleAction;
use crate::core::context::Cx;
use crate::maps::Plane;
use crate::runs::queue::checkpoint;
use crate::shared::entry::Entry;
use crate::shared::value_of;
use crate::state::Action;
use crate::state::shown::Table;
use crate::train::attention::canvas::Map;
use glasshead::wire::Command;
use glasshead::wire::queue::QueueCommand;

#[component]
pub fn Compare(cx: &Cx) -> Html {
    let compared = &cx.state.scale.compared;
    {
        let cx = cx.clone();
        let ids: Vec<String> = compared.models.iter().map(|(id, _)| id.clone()).collect();
        use_effect_with((compared.sentence.clone(), ids), move |(sentence, ids)| {
            let (cx, sentence, ids) = (cx.clone(), sentence.clone(), ids.clone());
            spawn_local(async move {
                for id in ids {
                    let bytes = checkpoint(&id).await;
                    let sentence = sentence.clone();
                    cx.send_outgoing((Command::Queue(QueueCommand::Maps { id, sentence }), bytes));
                }
            });
        });
    }
    let sentence = cx.call(|cx, event: Event| cx.act(Action::Scale(ScaleAction::Sentence(value_of(&event)))));
    html! {
        <div class="body two-models" data-testid="scale-compare">
            <label>{"Sentence"}<Entry value={compared.sentence.clone()} onchange={sentence} inputmode="text" testid="compare-sentence" /></label>
            if let Some(problem) = &compared.problem { <p class="problem">{problem}</p> }
            if compared.models.len() < 2 {
                <p class="empty">{"Two sizes of one budget have to be trained first."}</p>
            }
            <div class="models">{for (0..compared.models.len()).map(|at| model(cx, at))}</div>
        </div>
    }
}

fn model(cx: &Cx, at: usize) -> Html {
    let scale = &cx.state.scale;
    let (id, maps) = &scale.compared.models[at];
    let Some(spec) = scale.sweep.spec_of(id) else { return html! {} };
    let loss = scale.sweep.runs.results.get(&spec.id).and_then(|result| result.points.last()).map(|point| point.loss);
    let budget = spec.horizons.last().map_or(0.0, |last| last.budget);
    let title = format!("{} parameters at {} FLOPs", amount(spec.n_params as f64), flops(budget));
    let Some(maps) = maps else {
        return html! { <section aria-label={title.clone()}><h3>{&title}</h3><p class="muted">{"Computing its maps…"}</p></section> };
    };
    let plane = scale.compared.shown.get(at).copied().unwrap_or(Plane::Head(0, 0));
    let heads = (0..maps.n_layers).flat_map(|layer| (0..maps.n_heads).map(move |head| Plane::Head(layer, head)));
    let button = |shown: Plane| {
        html! {
            <button class="small" aria-pressed={(shown == plane).to_string()} onclick={cx.on(Action::Scale(ScaleAction::Head(at, shown)))}>
                {shown.short()}
            </button>
        }
    };
    let role = |role: Role| {
        let ((layer, head), score) = best(maps, role);
        html! {
            <tr><th scope="row">{role.title()}</th><td>{format!("L{} H{}", layer + 1, head + 1)}</td><td>{format!("{score:.2}")}</td></tr>
        }
    };
    html! {
        <section aria-label={title.clone()}>
            <h3>{&title}{loss.map(|loss| html! { <small>{format!(" loss {loss:.3}")}</small> })}</h3>
            <div class="heads-of">{for heads.map(button)}</div>
            <div class="map-of" role="img" aria-label={format!("Attention of {}", plane.name())}>
                <Map table={Table::Weights(maps.clone(), plane)} scale={cx.state.small_scale()} hatched={true} theme={cx.state.theme} />
            </div>
            <div class="table"><table>
                <caption>{"Strongest head for each role: mean weight"}</caption>
                <tbody>{for Role::ALL.map(role)}</tbody>
            </table></div>
        </section>
    }
}
