//! Exports: images of maps, weights, films.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::draw::figure::Figure;
use crate::maps::Plane;
use crate::overlay::view::Frame;
use crate::shared::value_of;
use crate::state::Action;
use crate::state::overlay::Overlay;
use crate::state::remember::{RememberAction, WeightsFile};
use crate::state::shown::Table;
use crate::train::figures::{difference, figure, save_moment, save_moments, save_png, save_svg};
use crate::train::film::{self, Format};
use crate::units::counted;
use glasshead::wire::Command;
use glasshead::wire::export::ExportCommand;

/// The images that can be exported: value and label in the list.
const PICTURES: [(&str, &str); 4] = [
    ("shown", "this map"),
    ("mean", "the mean of its layer"),
    ("max", "the maximum of its layer"),
    ("difference", "the difference B − A"),
];

#[component]
pub fn SaveMenu(cx: &Cx) -> Html {
    let snapshots = cx.state.remember.moments.as_ref().map_or(0, |moments| moments.len());
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
            None => cx.act(made("This map is not shown at the moment. Choose another picture.")),
        })
    };
    let pictures = PICTURES.into_iter().filter(|(name, _)| comparable || *name != "difference");
    html! {
        <Frame cx={cx.clone()} overlay={Overlay::Save} label="Save this figure" class="menu take-along">
            <div data-testid="take-along">
                <h3>{"This moment"}</h3>
                <div class="line">
                    <label class="beside">
                        {"Picture of"}
                        <select onchange={choose} data-testid="figure">{for pictures.map(option)}</select>
                    </label>
                    <span class="grow"></span>
                    <button class="small" onclick={picture(save_png)} data-testid="save-png">{"PNG"}</button>
                    <button class="small" onclick={picture(|cx, figure| save_svg(cx, &figure))} data-testid="save-svg">{"SVG"}</button>
                </div>
                {weights(cx)}
                <h3>{format!("Whole training, {}", counted(snapshots, "snapshot"))}</h3>
                {moments(cx)}
                {films(cx)}
                <p class="count" data-testid="made" role="status">{cx.state.remember.making.message.clone().unwrap_or_default()}</p>
            </div>
        </Frame>
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
    let (title, at) = match earlier {
        None => ("Softmax weights of the model as it is now, with all digits.", "now".to_string()),
        Some(step) => ("Softmax weights as they were stored, to 1/255.", format!("at step {step}")),
    };
    let one = Some(cx.state.selected);
    let button = |name: &'static str, of: &str, test: &'static str, click: Callback<MouseEvent>| {
        html! {
            <button class="small" onclick={click} disabled={blocked} data-testid={test}
                aria-label={format!("{of}, weights {at}, {name}")}>{name}</button>
        }
    };
    html! {
        <>
            <div class="line" {title}>
                <span class="grow">{format!("This head, weights {at}")}</span>
                {button("CSV", "This head", "csv-head", ask(one, false))}
                {button("JSON", "This head", "json-head", ask(one, true))}
            </div>
            <div class="line" {title}>
                <span class="grow">{format!("All heads, weights {at}")}</span>
                {button("CSV", "All heads", "csv-all", ask(None, false))}
                {button("JSON", "All heads", "json-all", ask(None, true))}
            </div>
        </>
    }
}

fn moments(cx: &Cx) -> Html {
    let save = |json: bool| {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| save_moments(&cx, cx.state.selected, json))
    };
    html! {
        <div class="line" title="Softmax weights as they were stored, to 1/255.">
            <span class="grow">{"This head at every snapshot"}</span>
            <button class="small" onclick={save(false)} data-testid="csv-moments" aria-label="This head at every snapshot, CSV">{"CSV"}</button>
            <button class="small" onclick={save(true)} data-testid="json-moments" aria-label="This head at every snapshot, JSON">{"JSON"}</button>
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
        Callback::from(move |_: MouseEvent| cx.act(made("The film was canceled.")))
    };
    html! {
        <div class="line">
            <span class="grow">{format!("Film, {} s", (n as f64 / f64::from(remember.speed.max(1))).ceil())}</span>
            if film::records() {
                <button class="small" onclick={save(Format::Video)} disabled={blocked} data-testid="save-film"
                    title="Recorded while it plays.">{"Video"}</button>
            }
            <button class="small" onclick={save(Format::Gif)} disabled={blocked} data-testid="save-gif">{"GIF"}</button>
            if let Some(making) = remember.making.film {
                <progress max={making.of.max(1).to_string()} value={making.done.to_string()}
                    aria-label="Frames of the film"></progress>
                <button class="small" onclick={cancel} data-testid="cancel-film">{"Cancel"}</button>
            }
        </div>
    }
}
