//! The Text menu: stories, tasks, the user's files.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::core::hub;
use crate::overlay::icon::icon;
use crate::overlay::view::Frame;
use crate::settings::state::task_title;
use crate::settings::text::{TEXT_FILES, choose_corpus, download_size, open_picked};
use crate::state::Action;
use crate::state::data::{DataAction, HubText};
use crate::state::overlay::{Overlay, OverlayAction};
use crate::units::{counted, file_size, grouped};
use glasshead::types::CorpusChoice;
use glasshead::types::tasks::TaskInfo;

fn choose(cx: &Cx, name: &str) -> Callback<MouseEvent> {
    let (cx, name) = (cx.clone(), name.to_string());
    Callback::from(move |_| {
        choose_corpus(&cx, &name);
        cx.act(Action::Overlay(OverlayAction::Close));
    })
}

#[component]
pub fn TextMenu(cx: &Cx) -> Html {
    let draft = &cx.state.draft;
    let task = |(number, task): (usize, &TaskInfo)| {
        let chosen = draft.corpus == CorpusChoice::Task(number);
        html! {
            <button class="small" aria-pressed={chosen.to_string()} title={task.description.clone()}
                data-testid={format!("task-{}", task.name)} onclick={choose(cx, &task.name)}>{task_title(&task.name)}</button>
        }
    };
    let pick = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            open_picked(&cx, &event);
            cx.act(Action::Overlay(OverlayAction::Close));
        })
    };
    let built_in = draft.corpus == CorpusChoice::BuiltIn;
    html! {
        <Frame cx={cx.clone()} overlay={Overlay::Text} label="Text" class="menu wider">
            <h3>{"Stories"}</h3>
            <button class="item" aria-pressed={built_in.to_string()} data-testid="text-built-in" onclick={choose(cx, "built-in")}>
                <span class="mark">if built_in { {icon("check")} }</span>
                <b>{"Built-in stories"}</b><small>{"2.9 MB"}</small>
            </button>
            {for HubText::ALL.map(|text| hub_item(cx, text))}
            <h3>{"Tasks"}</h3>
            <div class="task-list">{for cx.state.data.tasks.iter().enumerate().map(task)}</div>
            <h3>{"Yours"}</h3>
            if let Some(name) = &draft.file_name {
                <button class="item" aria-pressed={(draft.corpus == CorpusChoice::File).to_string()} onclick={choose(cx, "file")}>
                    <span class="mark">if draft.corpus == CorpusChoice::File { {icon("check")} }</span>
                    <b>{name}</b>
                </button>
            }
            <label class="item file">
                <span class="mark">{icon("upload")}</span>
                <b>{"Choose text files…"}</b><small>{"or drop them anywhere"}</small>
                <input type="file" class="sr" multiple=true accept={TEXT_FILES} onchange={pick} />
            </label>
            {counts(cx)}
        </Frame>
    }
}

fn hub_item(cx: &Cx, text: HubText) -> Html {
    let data = &cx.state.data;
    let name = match text {
        HubText::Validation => "TinyStories, validation",
        HubText::Training => "TinyStories, training",
    };
    let stored = data.kept(text);
    let click = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| {
            cx.act(Action::Data(DataAction::HubText(text)));
            if cx.state.data.kept(text).is_some() {
                hub::open(&cx, text);
                cx.act(Action::Overlay(OverlayAction::Close));
            } else {
                hub::fetch(&cx, text);
            }
        })
    };
    let fetching = data.fetching.filter(|fetching| fetching.text == text);
    let failed = data.problem.is_some() && data.hub_text == text;
    let detail = match (fetching, stored) {
        (Some(fetching), _) => format!("{} received", file_size(fetching.received)),
        (None, Some(bytes)) => format!("{}, stored", file_size(bytes)),
        (None, None) if failed => "failed · Retry".into(),
        (None, None) => format!("download {}", download_size(text)),
    };
    html! {
        <button class="item" onclick={click} disabled={data.fetching.is_some()} title={data.problem.clone().filter(|_| failed)}>
            <span class="mark">{icon(if stored.is_some() { "text" } else { "download" })}</span>
            <b>{name}</b><small>{detail}</small>
        </button>
    }
}

/// The size of the run's text in tokens.
fn counts(cx: &Cx) -> Html {
    let Some(summary) = &cx.state.summary else { return html! {} };
    html! {
        <p class="count">
            {format!("This run: {} to train on · {} held out", counted(summary.train_tokens, "token"), grouped(summary.val_tokens))}
        </p>
    }
}
