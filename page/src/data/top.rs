//! The top bar of the Data view: source, transport, key numbers, and the menus of source and files.

use js_sys::Array;
use wasm_bindgen::JsCast as _;
use web_sys::{File, HtmlInputElement};
use yew::prelude::*;

use super::link::MAX_MEGABYTES;
use super::state::{DataViewAction, Source, WorkerState};
use super::{effect_tile, source, worker};
use crate::core::context::Cx;
use crate::core::files::listed;
use crate::overlay::view::{Frame, overlay};
use crate::shared::icon::{Icon, icon};
use crate::shared::opens::Opens;
use crate::shared::{grouped, value_of};
use crate::state::Action;
use crate::state::overlay::{Overlay, OverlayAction};
use crate::units::file_size;
use glasshead_filter::wire::{Phase, Request};

/// The types in the file picker.
pub const PAGE_FILES: &str = ".warc,.wet,.html,.htm,.txt,.md,.json,.jsonl,.ndjson,.parquet,.gz,.zst";

/// Dispatches an action of the Data view.
pub fn act(cx: &Cx, action: DataViewAction) {
    cx.act(Action::Filters(action));
}

#[component]
pub fn DataTop(cx: &Cx) -> Html {
    let view = &cx.state.filters;
    let busy = view.busy();
    let reading = view.progress.as_ref().is_some_and(|progress| progress.phase == Some(Phase::Reading));
    let has_source = view.source != Source::None;
    let again = cx.call(|cx, _: MouseEvent| source::again(cx));
    let cancel = cx.call(|_, _: MouseEvent| worker::send(&Request::Cancel, &[]));
    html! {
        <>
            <Opens cx={cx.clone()} overlay={Overlay::Pages} class="run-button pages-button" testid="pages" hint="Choose where the pages come from">
                <b>{"Pages"}</b>{icon(Icon::Down)}<small>{view.source.title()}</small>
            </Opens>
            <span class="rule"></span>
            <div class="transport" role="group" aria-label="Filtering">
                if reading {
                    <button class="large-button" data-testid="data-cancel" onclick={cancel}>{icon(Icon::Pause)}{"Stop"}</button>
                } else {
                    <button class="large-button" data-testid="data-again" disabled={!has_source || busy} onclick={again}>
                        {icon(Icon::Restart)}{"Run again"}</button>
                }
                {effect_tile::train_button(cx)}
            </div>
            {numbers(cx)}
            <span class="data-state">{state(cx)}</span>
            <Opens cx={cx.clone()} overlay={Overlay::DataFiles} class="data-save" testid="data-files" hint="Use the kept text in Train, or save it">
                {icon(Icon::Save)}<span class="label">{"Use and save"}</span>{icon(Icon::Down)}
            </Opens>
            <PagesMenu ..cx.clone() />
            <FilesMenu ..cx.clone() />
        </>
    }
}

fn numbers(cx: &Cx) -> Html {
    let view = &cx.state.filters;
    let dash = || "–".to_string();
    let funnel = view.funnel.as_deref();
    let pages = view.progress.as_ref().map_or_else(dash, |progress| grouped(progress.documents));
    let kept = funnel.map_or_else(dash, |funnel| grouped(funnel.kept));
    let share = funnel
        .filter(|funnel| funnel.documents > 0)
        .map(|funnel| format!(" {:.1} %", 100.0 * funnel.kept as f64 / funnel.documents as f64));
    let text = funnel.map_or_else(dash, |funnel| file_size(funnel.kept_bytes));
    let speed = view.progress.as_ref().filter(|progress| progress.seconds > 0.05);
    let speed = speed.map_or_else(dash, |progress| format!("{:.1}", progress.bytes as f64 / progress.seconds / 1e6));
    html! {
        <dl class="numbers">
            <div><dt>{"Pages in"}</dt><dd data-testid="data-pages">{pages}</dd></div>
            <div><dt>{"Kept"}</dt><dd><span data-testid="data-kept">{kept}</span><small>{share}</small></dd></div>
            <div class="only-wide"><dt>{"Kept text"}</dt><dd>{text}</dd></div>
            <div class="only-wide" title="Megabytes of pages per second of work in this browser"><dt>{"Speed"}</dt>
                <dd>{speed}<small>{" MB/s"}</small></dd></div>
        </dl>
    }
}

/// What the worker does.
fn state(cx: &Cx) -> Html {
    let view = &cx.state.filters;
    if let WorkerState::Failed(_) = view.worker {
        return html! { <span class="tag bad">{"Stopped"}</span> };
    }
    let phase = view.progress.as_ref().and_then(|progress| Some((progress.phase?, progress.share)));
    match phase {
        Some((phase, share)) => {
            let word = match phase {
                Phase::Reading => "Reading",
                Phase::Measuring => "Measuring",
                Phase::Comparing => "Comparing",
            };
            html! { <span class="tag accent" data-testid="data-state" data-state="busy">{format!("{word} {:.0} %", 100.0 * share)}</span> }
        }
        None if view.funnel.is_some() => {
            html! { <span class="tag good" data-testid="data-state" data-state="done"><i class="dot"></i>{"Done"}</span> }
        }
        None => html! {},
    }
}

/// The files that a picker has selected.
pub fn picked(event: &Event) -> Vec<File> {
    let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
    let files = listed(input.as_ref().and_then(HtmlInputElement::files));
    // So that choosing the same file again is a change.
    input.iter().for_each(|input| input.set_value(""));
    files
}

/// The form of the generator.
#[component]
pub fn Generator(cx: &Cx) -> Html {
    let (seed, megabytes) = match cx.state.filters.source {
        Source::Generated { seed, megabytes } => (seed, megabytes),
        _ => (1, 8),
    };
    let (seed, megabytes) = (use_state(|| seed.to_string()), use_state(|| megabytes.to_string()));
    let set = |field: &UseStateHandle<String>| {
        let field = field.clone();
        Callback::from(move |event: InputEvent| field.set(value_of(&event)))
    };
    let values = seed.parse::<u64>().ok().zip(megabytes.parse().ok().filter(|n| (1..=MAX_MEGABYTES).contains(n)));
    let start = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| {
            if let Some((seed, megabytes)) = values {
                source::generate(&cx, seed, megabytes);
            }
        })
    };
    html! {
        <div class="generator">
            <label>{"Megabytes"}<input inputmode="numeric" data-testid="data-megabytes" value={(*megabytes).clone()} oninput={set(&megabytes)} /></label>
            <label>{"Seed"}<input inputmode="numeric" data-testid="data-seed" value={(*seed).clone()} oninput={set(&seed)} /></label>
            <button class="primary" data-testid="data-generate" disabled={values.is_none()} onclick={start}>{"Generate"}</button>
            if values.is_none() { <small class="problem">{format!("From 1 to {MAX_MEGABYTES} MB, and a whole number as the seed")}</small> }
        </div>
    }
}

#[component]
fn PagesMenu(cx: &Cx) -> Html {
    let pick = cx.call(|cx, event: Event| source::choose(cx, picked(&event)));
    html! {
        <Frame cx={cx.clone()} overlay={Overlay::Pages} label="Pages" class="menu wider data-menu">
            <h2>{"Files"}</h2>
            <label class="button file">{icon(Icon::Save)}{"Choose files…"}
                <input type="file" class="sr" multiple=true accept={PAGE_FILES} data-testid="data-file" onchange={pick} /></label>
            <p class="count">{"WARC, WET, HTML, JSON Lines, Parquet or plain text, also .gz and .zst. Drop files or a folder anywhere in \
                this view. Nothing leaves this computer."}</p>
            <h2>{"Generated pages"}</h2>
            <p class="count">{"Stories inside pages with menus and banners, and pages that a filter should drop, each labeled."}</p>
            <Generator ..cx.clone() />
        </Frame>
    }
}

#[component]
fn FilesMenu(cx: &Cx) -> Html {
    let request = |request: Request| {
        cx.call(move |cx, _: MouseEvent| {
            worker::send(&request, &[]);
            cx.act(Action::Overlay(OverlayAction::Close));
        })
    };
    let none = cx.state.filters.funnel.is_none();
    let train = cx.call(|cx, _: MouseEvent| {
        cx.act(Action::Overlay(OverlayAction::Close));
        worker::send_to_train();
    });
    let open = cx.call(|cx, event: Event| {
        let files: Array = picked(&event).into_iter().collect();
        if files.length() > 0 {
            worker::send(&Request::SettingsFile, &[files.get(0)]);
        }
        cx.act(Action::Overlay(OverlayAction::Close));
    });
    html! {
        <Frame cx={cx.clone()} overlay={Overlay::DataFiles} label="Use and save" class="menu data-menu">
            <button class="item" data-testid="data-train" disabled={none} onclick={train}><b>{"Use in Train"}</b><small>{"the kept text"}</small></button>
            <button class="item" data-testid="data-kept-file" disabled={none} onclick={request(Request::Export { decisions: false })}>
                <b>{"Save the kept text"}</b><small>{".jsonl"}</small></button>
            <button class="item" data-testid="data-decisions-file" disabled={none} onclick={request(Request::Export { decisions: true })}>
                <b>{"Save every decision"}</b><small>{".jsonl"}</small></button>
            <button class="item" data-testid="data-settings-file" onclick={request(Request::WriteSettings)}>
                <b>{"Save the settings"}</b><small>{".toml"}</small></button>
            <label class="item file"><b>{"Open settings…"}</b><small>{".toml"}</small>
                <input type="file" class="sr" accept=".toml" data-testid="data-settings-open" onchange={open} /></label>
            <button class="item" onclick={overlay::<MouseEvent>(cx, OverlayAction::Open(Overlay::Share))}>
                <b>{"Share a link"}</b><small>{"settings and seed"}</small></button>
        </Frame>
    }
}
