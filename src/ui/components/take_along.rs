//! What can be taken along: pictures of maps, weights, a film.

use yew::prelude::*;

use super::value_of;
use crate::protocol::Command;
use crate::protocol::export::ExportCommand;
use crate::ui::app::Cx;
use crate::ui::draw::figure::Pick;
use crate::ui::state::Action;
use crate::ui::state::remember::{RememberAction, WeightsFile};
use crate::ui::take_along::{difference, figure, save_film, save_png, save_svg, shown};

/// The choice that is no [`Pick`].
const DIFFERENCE: &str = "difference";

#[component]
pub fn TakeAlong(cx: &Cx) -> Html {
    let choice = use_state(|| Pick::Head.name().to_string());
    let choose = {
        let choice = choice.clone();
        Callback::from(move |event: Event| choice.set(value_of(&event)))
    };
    let making = &cx.state.remember.making;
    let comparable = cx.state.remember.held.is_some() && cx.state.obstacle().is_none();
    let option = |name: &'static str, text: &'static str| {
        html! { <option value={name} selected={*choice == name}>{text}</option> }
    };
    let picture = |save: fn(&Cx, &str), name: String| {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| save(&cx, &name))
    };
    html! {
        <details class="take-along" data-testid="take-along">
            <summary>{"Take along"}</summary>
            <div class="line">
                <label class="beside">
                    {"picture of"}
                    <select onchange={choose} data-testid="figure">
                        {option(Pick::Head.name(), "this head")}
                        {option(Pick::Mean.name(), "mean of its layer")}
                        {option(Pick::Max.name(), "max of its layer")}
                        if comparable { {option(DIFFERENCE, "difference B − A")} }
                    </select>
                </label>
                <button onclick={picture(as_png, (*choice).clone())} data-testid="save-png">{"PNG"}</button>
                <button onclick={picture(as_svg, (*choice).clone())} data-testid="save-svg">{"SVG"}</button>
            </div>
            {weights(cx)}
            {film(cx)}
            <p role="status" class="count" data-testid="made">{making.message.clone().unwrap_or_default()}</p>
        </details>
    }
}

fn with_figure(cx: &Cx, choice: &str, save: impl FnOnce(crate::ui::draw::figure::Figure)) {
    let pick = Pick::ALL.into_iter().find(|pick| pick.name() == choice);
    let made = match pick {
        Some(pick) => shown(&cx.state).map(|maps| figure(&cx.state, &maps, pick)),
        None => difference(&cx.state),
    };
    match made {
        Some(made) => save(made),
        None => cx.act(Action::Remember(RememberAction::Made("There is no such map on show; choose another.".into()))),
    }
}

fn as_png(cx: &Cx, choice: &str) {
    with_figure(cx, choice, |figure| save_png(cx, figure));
}

fn as_svg(cx: &Cx, choice: &str) {
    with_figure(cx, choice, |figure| save_svg(cx, &figure));
}

fn weights(cx: &Cx) -> Html {
    let making = &cx.state.remember.making;
    let ask = |head: Option<(usize, usize)>, json: bool| {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| {
            let file = WeightsFile { request: cx.state.version as u32, head, json };
            cx.act(Action::Remember(RememberAction::Asked(file)));
            cx.send(&Command::Export(ExportCommand::Weights { request: file.request }));
        })
    };
    let blocked = !cx.state.has_run() || making.weights.is_some();
    let one = Some(cx.state.selected);
    html! {
        <div class="line" title="softmax weights of the model as it is now, every digit of them">
            {"weights now: this head"}
            <button onclick={ask(one, false)} disabled={blocked} data-testid="csv-head">{"CSV"}</button>
            <button onclick={ask(one, true)} disabled={blocked} data-testid="json-head">{"JSON"}</button>
            {"all heads"}
            <button onclick={ask(None, false)} disabled={blocked} data-testid="csv-all">{"CSV"}</button>
            <button onclick={ask(None, true)} disabled={blocked} data-testid="json-all">{"JSON"}</button>
        </div>
    }
}

fn film(cx: &Cx) -> Html {
    let remember = &cx.state.remember;
    let n = remember.moments.as_ref().map_or(0, |moments| moments.len());
    let record = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| save_film(&cx))
    };
    let cancel = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| {
            cx.act(Action::Remember(RememberAction::Made("The film was given up.".into())));
        })
    };
    html! {
        <div class="line">
            <button onclick={record} disabled={n < 2 || remember.making.frames.is_some()} data-testid="save-film">
                {format!("film of {n} moments, {} a second", remember.speed)}
            </button>
            if let Some((done, of)) = remember.making.frames {
                <progress max={of.to_string()} value={done.to_string()} aria-label="frames of the film"></progress>
                <button onclick={cancel} data-testid="cancel-film">{"cancel"}</button>
            }
        </div>
    }
}
