//! The scores of known kinds of heads, head by head. Their history is in the tile of training time.

use yew::prelude::*;

use super::{ask, explain};
use crate::core::context::Cx;
use crate::shared::grouped;
use crate::state::Action;
use crate::state::ask::AskAction;
use crate::train::time::nearest;
use glasshead::types::inspect::ScoreKind;

#[component]
pub fn HeadScores(cx: &Cx) -> Html {
    let history = &cx.state.ask.scores;
    if let Some(reason) = &history.reason {
        return html! { <p class="count" data-testid="no-scores">{reason}</p> };
    }
    // An earlier snapshot shows the scores measured nearest to its step.
    let moment = cx.state.remember.earlier.as_ref().map(|maps| maps.step);
    let measured = moment.and_then(|step| nearest(history, step as f64)).and_then(|at| history.snapshots.get(at));
    let Some((step, scores)) = measured.or(history.snapshots.last()) else {
        return html! { <p class="count" role="status">{"The first scores come with the first maps."}</p> };
    };
    let row = |at: usize| {
        let (layer, head) = (at / history.n_heads.max(1), at % history.n_heads.max(1));
        let select = {
            let cx = cx.clone();
            Callback::from(move |_: MouseEvent| cx.act(Action::Select(layer, head)))
        };
        let cell = |(kind, score): (usize, f32)| {
            html! { <td class={classes!("scored", format!("role{kind}"))} style={format!("--p:{score:.3}")}>{format!("{score:.2}")}</td> }
        };
        html! {
            <tr class={classes!((cx.state.selected == (layer, head)).then_some("chosen"))}>
                <th scope="row"><button class="link" onclick={select}>{format!("L{} H{}", layer + 1, head + 1)}</button></th>
                {for scores[at].into_iter().enumerate().map(cell)}
            </tr>
        }
    };
    let name = |kind: ScoreKind| {
        let (short, term) = match kind {
            ScoreKind::PreviousToken => ("Previous", "previous-token head"),
            ScoreKind::Sink => ("Sink", "attention sink"),
            ScoreKind::SameToken => ("Same", "same-token head"),
            ScoreKind::Induction => ("Induct.", "induction head"),
        };
        let label = format!("What is: {term}");
        html! {
            <th scope="col"><button class="link tiny" title={label.clone()} aria-label={label} onclick={ask(cx, AskAction::ExplainHere(term))}>{short}</button></th>
        }
    };
    html! {
        <div data-testid="head-scores">
            <p class="tiny muted">
                {format!("Measured on random tokens that come twice, step {}", grouped(*step))}
                if let Some(moment) = moment { {format!(", the nearest to step {} in view", grouped(moment))} }
                {"."}{explain(cx, "measuring sequence")}
            </p>
            <div class="table head-roles" tabindex="0" role="region" aria-label="Scores of all heads">
                <table>
                    <thead><tr><th scope="col">{"Head"}</th>{for ScoreKind::ALL.map(name)}</tr></thead>
                    <tbody>{for (0..scores.len()).map(row)}</tbody>
                </table>
            </div>
            <ul class="appeared tiny muted">
                {for history.milestones.iter().map(|milestone| html! { <li>{milestone.sentence()}</li> })}
            </ul>
        </div>
    }
}
