//! Exports: images of maps, weights, films.

use yew::prelude::*;

use super::value_of;
use crate::app::Cx;
use crate::draw::figure::Figure;
use crate::film::{self, Format};
use crate::maps::Plane;
use crate::state::Action;
use crate::state::remember::{RememberAction, WeightsFile};
use crate::state::shown::Table;
use crate::take_along::{difference, figure, save_moment, save_moments, save_png, save_svg};
use glasshead::protocol::Command;
use glasshead::protocol::export::ExportCommand;

/// The images that can be exported: value and label in the list.
const PICTURES: [(&str, &str); 4] = [
    ("shown", "the map above"),
    ("mean", "mean of its layer"),
    ("max", "max of its layer"),
    ("difference", "difference B − A"),
];

#[component]
pub fn TakeAlong(cx: &Cx) -> Html {
    let choice = use_state(|| PICTURES[0].0.to_string());
    let choose = {
        let choice = choice.clone();
        Callback::from(move |event: Event| choice.set(value_of(&event)))
    };
    let comparable = cx.state.remember.held.is_some() && cx.state.obstacle().is_none();
    let option = |(name, text): (&'static str, &'static str)| {
        html! { <option value={name} selected={*choice == name}>{text}</option> }
    };
    let picture = |save: fn(&Cx, Figure)| {
        let (cx, choice) = (cx.clone(), (*choice).clone());
        Callback::from(move |_: MouseEvent| match chosen(&cx, &choice) {
            Some(figure) => save(&cx, figure),
            None => cx.act(made("There is no such map on show; choose another.")),
        })
    };
    let pictures = PICTURES.into_iter().filter(|(name, _)| comparable || *name != "difference");
    html! {
        <details class="take-along" data-testid="take-along">
            <summary>{"Take along"}</summary>
            <div class="line">
                <label class="beside">
                    {"picture of"}
                    <select onchange={choose} data-testid="figure">{for pictures.map(option)}</select>
                </label>
                <button onclick={picture(save_png)} data-testid="save-png">{"PNG"}</button>
                <button onclick={picture(|cx, figure| save_svg(cx, &figure))} data-testid="save-svg">{"SVG"}</button>
            </div>
            {weights(cx)}
            {moments(cx)}
            {films(cx)}
            <p class="count" data-testid="made">{cx.state.remember.making.message.clone().unwrap_or_default()}</p>
        </details>
    }
}

fn made(message: &str) -> Action {
    Action::Remember(RememberAction::Made(message.into()))
}

fn chosen(cx: &Cx, choice: &str) -> Option<Figure> {
    let state = &cx.state;
    let layer = state.selected.0;
    match choice {
        "difference" => difference(state),
        "mean" => figure(state, &Table::Weights(state.shown_maps()?, Plane::Mean(layer))),
        "max" => figure(state, &Table::Weights(state.shown_maps()?, Plane::Max(layer))),
        _ => figure(state, &state.table()?),
    }
}

/// Export of one head's weights or of all heads', from the latest snapshot or the earlier one being shown.
fn weights(cx: &Cx) -> Html {
    let remember = &cx.state.remember;
    let earlier = remember.earlier.as_ref().map(|maps| maps.step);
    let ask = |head: Option<(usize, usize)>, json: bool| {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| {
            if earlier.is_some() {
                return save_moment(&cx, head, json);
            }
            let file = WeightsFile { request: cx.state.version as u32, head, json };
            cx.act(Action::Remember(RememberAction::Asked(file)));
            cx.send(&Command::Export(ExportCommand::Weights { request: file.request }));
        })
    };
    let blocked = earlier.is_none() && (!cx.state.has_run() || remember.making.weights.is_some());
    let (of, title) = match earlier {
        None => ("weights now".to_string(), "softmax weights of the model as it is now, every digit of them"),
        Some(step) => (format!("weights at step {step}"), "softmax weights as they were kept, to 1/255"),
    };
    let one = Some(cx.state.selected);
    let button = |name: &'static str, of_head: &str, test: &'static str, click: Callback<MouseEvent>| {
        html! {
            <button onclick={click} disabled={blocked} data-testid={test} aria-label={format!("{of}, {of_head}, {name}")}>
                {name}
            </button>
        }
    };
    html! {
        <div class="line" {title}>
            {format!("{of}: this head")}
            {button("CSV", "this head", "csv-head", ask(one, false))}
            {button("JSON", "this head", "json-head", ask(one, true))}
            {"all heads"}
            {button("CSV", "all heads", "csv-all", ask(None, false))}
            {button("JSON", "all heads", "json-all", ask(None, true))}
        </div>
    }
}

fn moments(cx: &Cx) -> Html {
    let n = cx.state.remember.moments.as_ref().map_or(0, |moments| moments.len());
    let save = |json: bool| {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| save_moments(&cx, cx.state.selected, json))
    };
    html! {
        <div class="line" title="softmax weights as they were kept, to 1/255">
            {format!("this head at all {n} moments")}
            <button onclick={save(false)} data-testid="csv-moments" aria-label="this head at all moments, CSV">{"CSV"}</button>
            <button onclick={save(true)} data-testid="json-moments" aria-label="this head at all moments, JSON">{"JSON"}</button>
        </div>
    }
}

fn films(cx: &Cx) -> Html {
    let remember = &cx.state.remember;
    let n = remember.moments.as_ref().map_or(0, |moments| moments.len());
    let blocked = n < 2 || remember.making.film.is_some();
    let save = |format: Format| {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| film::save(&cx, format))
    };
    let cancel = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.act(made("The film was given up.")))
    };
    html! {
        <div class="line">
            {format!("film of {n} moments, {} a second", remember.speed)}
            if film::records() {
                <button onclick={save(Format::Video)} disabled={blocked} data-testid="save-film"
                    title="recorded as it plays">{"video"}</button>
            }
            <button onclick={save(Format::Gif)} disabled={blocked} data-testid="save-gif">{"GIF"}</button>
            if let Some(making) = remember.making.film {
                <progress max={making.of.max(1).to_string()} value={making.done.to_string()}
                    aria-label="frames of the film"></progress>
                <button onclick={cancel} data-testid="cancel-film">{"cancel"}</button>
            }
        </div>
    }
}
