//! The model with a change, compared with the unchanged model: heads switched off, or one weight overridden.

use yew::prelude::*;

use crate::train::inspector::ask;

use crate::core::context::Cx;
use crate::shared::{counted, grouped, value_of, visible};
use crate::state::Action;
use crate::state::ask::AskAction;
use crate::state::typed::TypedField;
use crate::train::inspector::explain;
use crate::train::writing::typed;
use glasshead::types::inspect::{Comparison, WeightAt};
use glasshead::wire::Command;
use glasshead::wire::inspect::InspectCommand;

#[component]
pub fn WhatIf(cx: &Cx) -> Html {
    let state = &cx.state;
    html! {
        <div data-testid="what-if">
            {heads(cx)}
            {weight(cx)}
            if let Some(message) = &state.ask.message {
                <p class="pending" role="status" data-testid="what-if-message">{message}</p>
            }
            if let Some(comparison) = &state.ask.comparison { {compared(cx, comparison)} }
        </div>
    }
}

fn heads(cx: &Cx) -> Html {
    let state = &cx.state;
    let Some(maps) = &state.maps else { return html! {} };
    let (layer, head) = state.selected;
    let others = |whole: bool| {
        let all = (0..maps.n_layers).flat_map(|layer| (0..maps.n_heads).map(move |head| (layer, head)));
        let all = all.filter(|&(other, number)| (whole || other == layer) && (other, number) != (layer, head));
        ask(cx, AskAction::Off(all.collect()))
    };
    let off = |&(layer, head): &(usize, usize)| {
        html! {
            <button class="small" onclick={ask(cx, AskAction::ToggleHead(layer, head))}
                aria-label={format!("Switch layer {} head {} on again", layer + 1, head + 1)}>
                {format!("L{} H{} ✕", layer + 1, head + 1)}
            </button>
        }
    };
    let is_off = state.ask.off.contains(&(layer, head));
    html! {
        <>
            <h3>{"Heads"}{explain(cx, "knock-out")}</h3>
            <div class="line">
                <button class="small" data-testid="toggle-head" aria-pressed={is_off.to_string()}
                    onclick={ask(cx, AskAction::ToggleHead(layer, head))}>
                    {format!("L{} H{} off", layer + 1, head + 1)}
                </button>
                <button class="small" onclick={others(false)}>{"Only this in its layer"}</button>
                <button class="small" onclick={others(true)}>{"Only this in the model"}</button>
                <button class="small ghost" data-testid="all-on" disabled={state.ask.off.is_empty()} onclick={ask(cx, AskAction::Off(Vec::new()))}>
                    {"All on"}
                </button>
            </div>
            <div class="line" role="group" aria-label="Heads that are off">{for state.ask.off.iter().map(off)}</div>
        </>
    }
}

fn weight(cx: &Cx) -> Html {
    let state = &cx.state;
    let Some(at) = state.ask.weight.clone() else { return first_weight(cx) };
    let keep = {
        let (cx, at, value) = (cx.clone(), at.clone(), state.ask.value);
        Callback::from(move |_: MouseEvent| {
            if let Some(value) = value {
                cx.send(&Command::Inspect { command: InspectCommand::Keep(at.clone(), value) });
            }
        })
    };
    html! {
        <>
            <h3>{"One weight"}</h3>
            {fields(cx, &at)}
            <div class="line">
                <button class="small" disabled={state.ask.value.is_none()} onclick={ask(cx, AskAction::Value(None))}>{"Undo"}</button>
                <button class="small" data-testid="keep-weight" disabled={state.ask.value.is_none()} onclick={keep}
                    title="Puts the new value into the run itself; training goes on from it">
                    {"Keep it in the run"}
                </button>
            </div>
        </>
    }
}

fn first_weight(cx: &Cx) -> Html {
    let (layer, head) = cx.state.selected;
    let d = cx.state.summary.as_ref().map_or(1, |summary| summary.config.model.d_head());
    let tensor = format!("layers.{layer}.attn.q_proj.weight");
    let first = WeightAt { tensor, row: head * d, column: 0 };
    html! {
        <>
            <h3>{"One weight"}</h3>
            <button class="small" data-testid="edit-weight" title="Begins with W_q of this head"
                onclick={ask(cx, AskAction::Weight(first))}>{"Change one weight…"}</button>
        </>
    }
}

/// The fields for choosing a weight, its current value, and the value to try.
fn fields(cx: &Cx, at: &WeightAt) -> Html {
    let state = &cx.state;
    let choose = {
        let (cx, at) = (cx.clone(), at.clone());
        Callback::from(move |event: Event| {
            let at = WeightAt { tensor: value_of(&event), ..at.clone() };
            cx.act(Action::Ask(AskAction::Weight(at)));
        })
    };
    let problems = state.typed_problems(&[TypedField::WeightRow, TypedField::WeightColumn, TypedField::WeightValue]);
    let old = state.ask.comparison.as_ref().filter(|shown| shown.change.weight.as_ref() == Some(at));
    let old = old.and_then(|shown| shown.old).map_or("…".into(), |old| format!("{old}"));
    html! {
        <>
            <label>{"Tensor"}
                <select onchange={choose}>
                    {for state.ask.tensors.iter().map(|tensor| html! {
                        <option value={tensor.name.clone()} selected={tensor.name == at.tensor}>
                            {format!("{} ({} × {})", tensor.name, tensor.rows, tensor.columns)}
                        </option>
                    })}
                </select>
            </label>
            <div class="fields">
                {typed(cx, TypedField::WeightRow, Some("weight-row"))}
                {typed(cx, TypedField::WeightColumn, Some("weight-column"))}
                <label>{"Now"}<output data-testid="old-weight">{old}</output></label>
                {typed(cx, TypedField::WeightValue, Some("new-weight"))}
            </div>
            <div role="alert">{for problems.iter().map(|problem| html! { <p class="problem">{problem}</p> })}</div>
        </>
    }
}

fn compared(cx: &Cx, comparison: &Comparison) -> Html {
    let [plain, changed] = comparison.losses;
    let line = |choice: &glasshead::types::inspect::Compared| {
        let [plain, changed] = choice.p;
        html! {
            <tr>
                <th scope="row">{visible(&choice.token.text)}</th>
                <td>{format!("{plain:.3}")}</td><td>{format!("{changed:.3}")}</td>
                <td>{signed(changed - plain, 3)}</td>
            </tr>
        }
    };
    let last = comparison
        .position
        .as_ref()
        .map(|(position, token)| format!("What comes after “{}” (position {position})", visible(&token.text)));
    let columns = ["Now", "Changed", "Change"].map(|name| html! { <th scope="col">{name}</th> });
    html! {
        <>
            <h3>{"Then"}<small>{format!(" step {}", grouped(comparison.step))}</small></h3>
            <div class="table what-if" tabindex="0" role="region" aria-label="The model as it is and with the change">
                <table>
                    <thead><tr><td></td>{for columns}</tr></thead>
                    <tbody>
                        <tr class="whole" data-testid="what-if-loss">
                            <th scope="row">{"Held-out loss"}</th>
                            <td>{format!("{plain:.4}")}</td><td>{format!("{changed:.4}")}</td>
                            <td class={(changed > plain + 5e-5).then_some("worse")}>{signed(changed - plain, 4)}</td>
                        </tr>
                        {for comparison.choices.iter().map(line)}
                    </tbody>
                </table>
            </div>
            <p class="tiny muted">
                {last}{format!(". The loss is over the same {} each time.", counted(comparison.n_tokens, "held-out token"))}
                {explain(cx, "held-out loss")}{explain(cx, "probability")}
            </p>
            {position(cx)}
        </>
    }
}

/// A difference rounded to `decimals`, with its sign unless it rounds to 0.
fn signed(difference: f32, decimals: usize) -> String {
    let text = format!("{difference:+.decimals$}");
    if text.contains(|digit: char| ('1'..='9').contains(&digit)) { text.replace('-', "−") } else { text[1..].into() }
}

fn position(cx: &Cx) -> Html {
    let Some(maps) = &cx.state.maps else { return html! {} };
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| cx.act(Action::Ask(AskAction::Position(value_of(&event).parse().ok()))))
    };
    let option = |(at, token): (usize, &glasshead::types::Token)| {
        let text = format!("{} ({at})", visible(&token.text));
        html! { <option value={at.to_string()} selected={cx.state.ask.position == Some(at)}>{text}</option> }
    };
    html! {
        <label>{"Predict the token after"}
            <select onchange={change}>
                <option value="" selected={cx.state.ask.position.is_none()}>{"The last token"}</option>
                {for maps.tokens.iter().enumerate().map(option)}
            </select>
        </label>
    }
}
