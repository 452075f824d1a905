//! The drawer with all settings.

use wasm_bindgen::JsCast as _;
use web_sys::HtmlElement;
use yew::prelude::*;

use super::state::{Group, changed, field_found, group_found};
use super::{costs, device, field, lr_find, saving, stop, text};
use crate::core::context::Cx;
use crate::overlay::icon::icon;
use crate::overlay::view::{Frame, close_button};
use crate::shared::value_of;
use crate::state::Action;
use crate::state::overlay::{Overlay, OverlayAction};
use glasshead::config::Preset;
use glasshead::config::fields::Field;

/// The settings drawer.
#[component]
pub fn SettingsDrawer(cx: &Cx) -> Html {
    use_wanted(cx);
    html! {
        <Frame cx={cx.clone()} overlay={Overlay::Settings} label="All settings" class="left settings">
            <header role="none">
                <h2>{"All settings"}</h2>
                <span class="grow"></span>
                {reset_to_preset(cx)}
                {close_button(cx)}
            </header>
            {search(cx)}
            <div class="scroll" tabindex="0" role="region" aria-label="Groups of settings">
                {for Group::ALL.into_iter().map(|of| group(cx, of))}
            </div>
            {problems(cx)}
            {footer(cx)}
        </Frame>
    }
}

/// Scrolls to the setting that was requested, or to its group, and focuses it.
#[hook]
fn use_wanted(cx: &Cx) {
    use_effect_with(cx.state.overlay.wanted, move |wanted| {
        let document = web_sys::window().and_then(|window| window.document());
        let Some((document, (name, _))) = document.zip(*wanted) else { return };
        let group = Group::of(name).map_or("", Group::name);
        let places = [
            format!("[data-overlay=settings] [data-setting='{name}'] :is(input, select, button)"),
            format!("[data-overlay=settings] [data-testid=group-{group}] > summary"),
        ];
        let mut found = places.iter().filter_map(|place| document.query_selector(place).ok().flatten());
        if let Some(element) = found.next().and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
            element.scroll_into_view();
            let _ = element.focus(); // focusing an attached element cannot fail
        }
    });
}

/// Restores the preset that the draft is closest to.
fn reset_to_preset(cx: &Cx) -> Html {
    let config = &cx.state.draft.config;
    let differing = |preset: &Preset| preset.config().differences(config).len();
    let nearest = Preset::ALL.into_iter().min_by_key(differing).unwrap_or(Preset::Nano);
    let reset = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.change_settings(Action::Preset(nearest)))
    };
    html! {
        <button class="ghost" data-testid="reset-to-preset" onclick={reset} disabled={differing(&nearest) == 0}>
            {format!("Reset to {}", text::preset_title(nearest))}
        </button>
    }
}

fn search(cx: &Cx) -> Html {
    let input = {
        let cx = cx.clone();
        Callback::from(move |event: InputEvent| {
            cx.act(Action::Overlay(OverlayAction::Search(value_of(&event))));
        })
    };
    html! {
        <label class="search">
            {icon("search")}
            <input type="search" data-testid="settings-search" data-first="" aria-label="Find a setting" autocomplete="off"
                placeholder="Find a setting, e.g. warm-up or warmup_steps" oninput={input}
                value={cx.state.overlay.search.clone()} />
        </label>
    }
}

fn group(cx: &Cx, group: Group) -> Html {
    let overlay = &cx.state.overlay;
    let searching = !overlay.search.trim().is_empty();
    if searching && !group_found(&overlay.search, group) {
        return html! {};
    }
    let open = searching || overlay.groups.contains(group.name());
    let toggle = {
        let cx = cx.clone();
        // The state decides what is open; the browser's own toggling would differ from it while a search is active.
        Callback::from(move |event: MouseEvent| {
            event.prevent_default();
            cx.act(Action::Overlay(OverlayAction::Group(group.name(), !open)));
        })
    };
    let n_changed = changed(&cx.state, group);
    html! {
        <details class="group" {open} data-testid={format!("group-{}", group.name())} key={group.name()}>
            <summary onclick={toggle}>
                {icon("right")}
                {group.title()}
                if n_changed > 0 { <span class="ring" title={format!("{n_changed} changed, waiting for a restart")}></span> }
                <span class="sum">{group.summary(&cx.state)}</span>
            </summary>
            <div class="in">{contents(cx, group)}</div>
        </details>
    }
}

fn contents(cx: &Cx, group: Group) -> Html {
    let search = &cx.state.overlay.search;
    let fields = group.fields().iter().filter_map(|name| Field::find(name));
    let fields = fields.filter(|field| search.trim().is_empty() || field_found(search, field));
    let fields = html! { {for fields.map(|of| field::field(cx, of))} };
    match group {
        Group::Text => html! { <><text::TextSettings ..cx.clone() />{fields}</> },
        Group::Model => html! { <>{text::preset(cx)}{fields}</> },
        Group::Optimizer => html! { <>{fields}<lr_find::LrFind ..cx.clone() /></> },
        Group::Stop => stop::rules(cx),
        Group::Device => html! { <>{device::backend(cx)}{device::workers_field(cx)}</> },
        Group::Saving => saving::saving(cx),
        Group::Costs => html! { <costs::Costs ..cx.clone() /> },
        Group::Architecture | Group::Batches => fields,
    }
}

/// What is wrong with refused entries, and a button to restore the values in force.
fn problems(cx: &Cx) -> Html {
    let state = &cx.state;
    if state.refused.is_empty() {
        return html! {};
    }
    let discard = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.act(Action::Discard))
    };
    let of_setup = state.refused.iter().filter(|refused| !refused.name.contains(' ') && refused.name != "save_every");
    let lines: Vec<Html> = of_setup.map(|refused| html! { <p class="problem">{&refused.problem}</p> }).collect();
    html! {
        <div role="alert" class="problems" data-testid="setup-problems">
            {for lines}
            if state.problem().is_some() {
                <button class="small" data-testid="discard" onclick={discard}>{"Discard refused entries"}</button>
            }
        </div>
    }
}

/// The settings that differ from the run's, and buttons to apply or undo them.
fn footer(cx: &Cx) -> Html {
    let (names, live) = (cx.state.pending(), cx.state.pending_live());
    let blocked = cx.state.problem().is_some();
    let none = names.is_empty() || blocked;
    let restart = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.restart())
    };
    let apply = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.change_settings(Action::ApplyToRun))
    };
    let undo = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.change_settings(Action::Undo))
    };
    html! {
        <footer>
            if none {
                <span class="legend"><i class="live"></i>{"applies at once"}</span>
            } else {
                <p class="pending" data-testid="pending">
                    {format!("Not applied to this run yet: {}.", names.join(", "))}
                    if !live.is_empty() {
                        {" "}
                        <button class="small" data-testid="apply-to-run" onclick={apply} title={live.join(", ")}>
                            {if live.len() == names.len() { "Apply to this run" } else { "Apply what needs no restart" }}
                        </button>
                    }
                </p>
            }
            <span class="grow"></span>
            <button data-testid="undo-changes" onclick={undo} disabled={none}>{"Undo changes"}</button>
            <button class="primary" data-testid="reset-to-apply" onclick={restart} disabled={none}>{"Restart to apply"}</button>
        </footer>
    }
}
