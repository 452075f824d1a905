//! The command palette.

use wasm_bindgen::JsCast as _;
use web_sys::{HtmlElement, HtmlInputElement};
use yew::prelude::*;

use super::state::{Entry, Target, entries, search};
use crate::core::context::Cx;
use crate::core::{navigation, preferences};
use crate::overlay::icon::icon;
use crate::overlay::view::Frame;
use crate::runs::checkpoints;
use crate::settings::state::Group;
use crate::shared::value_of;
use crate::state::ask::AskAction;
use crate::state::overlay::{HelpTab, Overlay, OverlayAction};
use crate::state::profile::ProfileState;
use crate::state::remember::RememberAction;
use crate::state::runs::RunsAction;
use crate::state::{Action, View};
use crate::{experiments, runs_drawer};
use glasshead::wire::Command;
use glasshead::wire::runs::RunsCommand;

/// The palette; its entries are computed only while it is open.
#[component]
pub fn Palette(cx: &Cx) -> Html {
    let open = cx.state.overlay.is_open(Overlay::Palette);
    html! {
        <Frame cx={cx.clone()} overlay={Overlay::Palette} label="Search or run a command" class="palette" centered=true>
            if open { <Search ..cx.clone() /> }
        </Frame>
    }
}

#[component]
fn Search(cx: &Cx) -> Html {
    let (text, chosen) = (use_state(String::new), use_state(|| 0usize));
    let found = search(&entries(&cx.state), &text);
    let chosen_now = (*chosen).min(found.len().saturating_sub(1));
    let input = {
        let (text, chosen) = (text.clone(), chosen.clone());
        Callback::from(move |event: InputEvent| {
            text.set(value_of(&event));
            chosen.set(0);
        })
    };
    let keys = {
        let (cx, chosen, found) = (cx.clone(), chosen.clone(), found.clone());
        Callback::from(move |event: KeyboardEvent| {
            let last = found.len().saturating_sub(1);
            match event.key().as_str() {
                "ArrowDown" => chosen.set(if chosen_now == last { 0 } else { chosen_now + 1 }),
                "ArrowUp" => chosen.set(if chosen_now == 0 { last } else { chosen_now - 1 }),
                "Home" => chosen.set(0),
                "End" => chosen.set(last),
                "Enter" => {
                    if let Some(entry) = found.get(chosen_now) {
                        run(&cx, &entry.target);
                    }
                }
                _ => return,
            }
            event.prevent_default();
        })
    };
    let field = use_node_ref();
    {
        let field = field.clone();
        use_effect_with((), move |()| {
            if let Some(field) = field.cast::<HtmlInputElement>() {
                let _ = field.focus(); // focusing an attached element cannot fail
            }
        });
    }
    {
        use_effect_with(chosen_now, move |&at| {
            let document = web_sys::window().and_then(|window| window.document());
            let option = document.and_then(|document| document.get_element_by_id(&format!("command-{at}")));
            option.iter().for_each(reveal);
        });
    }
    let row = |(at, entry): (usize, &Entry)| {
        let first = at == 0 || found[at - 1].kind != entry.kind;
        let click = {
            let (cx, target) = (cx.clone(), entry.target.clone());
            Callback::from(move |_: MouseEvent| run(&cx, &target))
        };
        html! {
            <>
                if first { <li class="heading" role="presentation">{entry.kind.title()}</li> }
                <li id={format!("command-{at}")} role="option" aria-selected={(at == chosen_now).to_string()} onclick={click}
                    data-testid="command">
                    {icon(entry.kind.icon())}
                    <span>{&entry.title}</span>
                    <small>{&entry.detail}</small>
                    if !entry.key.is_empty() { <kbd>{entry.key}</kbd> }
                </li>
            </>
        }
    };
    html! {
        <>
            <div class="query">
                {icon("search")}
                <input ref={field} data-testid="command-search" data-first="" role="combobox" aria-expanded="true"
                    aria-controls="commands" aria-activedescendant={format!("command-{chosen_now}")} autocomplete="off"
                    aria-label="Search or run a command" placeholder="Settings, actions, views, experiments, runs, terms"
                    oninput={input} onkeydown={keys} value={(*text).clone()} />
                <kbd>{"Esc"}</kbd>
            </div>
            <ul id="commands" role="listbox" aria-label="Results">{for found.iter().enumerate().map(row)}</ul>
            if found.is_empty() { <p class="count" role="status">{"Nothing matches."}</p> }
        </>
    }
}

/// Carries out what was chosen.
fn run(cx: &Cx, target: &Target) {
    let act = |action: OverlayAction| cx.act(Action::Overlay(action));
    act(OverlayAction::Close);
    match target {
        Target::Setting(name) => setting(cx, name),
        Target::Train => cx.toggle_training(),
        Target::Step => cx.step(),
        Target::Restart => cx.restart(),
        Target::FindLr => {
            cx.send(&Command::Runs { command: RunsCommand::FindLr });
            cx.act(Action::Runs(RunsAction::Finding));
            setting(cx, "find max_lr");
        }
        Target::Save => runs_drawer::view::save_run(cx),
        Target::Import => {
            act(OverlayAction::Open(Overlay::Runs));
            click("[data-testid=checkpoint-file]");
        }
        Target::Share => act(OverlayAction::Open(Overlay::Share)),
        Target::Runs => act(OverlayAction::Open(Overlay::Runs)),
        Target::Settings => act(OverlayAction::Open(Overlay::Settings)),
        Target::Keys => act(OverlayAction::Help(HelpTab::Keyboard)),
        Target::Theme => {
            let next = cx.state.theme.next();
            preferences::save("theme", next.name());
            cx.act(Action::Theme(next));
        }
        Target::Live => cx.act(Action::Remember(RememberAction::Live)),
        Target::Measure => {
            navigation::open(View::Systems);
            cx.send(&ProfileState::command());
            cx.act(Action::Profile);
        }
        Target::View(view) => navigation::open(*view),
        Target::Experiment(name) => experiments::run::start(cx, name),
        Target::Continue(key) => {
            let kept = cx.state.runs.kept.iter().flatten().find(|kept| kept.key == *key).cloned();
            kept.iter().for_each(|kept| checkpoints::resume(cx, kept));
        }
        Target::Term(name) => cx.act(Action::Ask(AskAction::Explain(name))),
    }
}

fn setting(cx: &Cx, name: &'static str) {
    let group = Group::of(name).unwrap_or(Group::Model);
    cx.act(Action::Overlay(OverlayAction::Setting(group.name(), name)));
}

/// Scrolls the list as far as necessary to show an option.
fn reveal(option: &web_sys::Element) {
    let Some((option, list)) = option.dyn_ref::<HtmlElement>().zip(option.parent_element()) else { return };
    let (top, height) = (option.offset_top(), option.offset_height());
    if top < list.scroll_top() {
        list.set_scroll_top(top);
    } else if top + height > list.scroll_top() + list.client_height() {
        list.set_scroll_top(top + height - list.client_height());
    }
}

/// Clicks an element, for example a file input that opens its picker.
fn click(selector: &str) {
    let document = web_sys::window().and_then(|window| window.document());
    let element = document.and_then(|document| document.query_selector(selector).ok().flatten());
    if let Some(element) = element.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        element.click();
    }
}
