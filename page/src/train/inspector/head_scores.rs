//! The scores of known kinds of heads, head by head. Their history is in the tile of training time.

use yew::prelude::*;

use super::explain;
use crate::core::context::Cx;
use crate::state::Action;
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
    let name = |kind: ScoreKind| html! { <th scope="col">{kind.short()}</th> };
    html! {
        <div data-testid="head-scores">
            <p>
                {format!("Measured on random tokens that come twice, at step {step}")}
                if let Some(moment) = moment { {format!(", the nearest to the moment on show, {moment}")} }
                {explain(cx, "measuring sequence")}
            </p>
            <div class="line">
                {"previous"}{explain(cx, "previous-token head")}{"sink"}{explain(cx, "attention sink")}
                {"same"}{explain(cx, "same-token head")}{"induction"}{explain(cx, "induction head")}
            </div>
            <div class="table" tabindex="0" role="region" aria-label="scores of all heads">
                <table>
                    <thead><tr><td></td>{for ScoreKind::ALL.map(name)}</tr></thead>
                    <tbody>{for (0..scores.len()).map(row)}</tbody>
                </table>
            </div>
            <ul class="appeared">
                {for history.milestones.iter().map(|milestone| html! { <li>{milestone.sentence()}</li> })}
            </ul>
        </div>
    }
}
