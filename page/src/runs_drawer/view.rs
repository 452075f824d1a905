//! The drawer with runs.

use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::spawn_local;
use web_sys::{File, HtmlInputElement};
use yew::prelude::*;

use super::awake::Awake;
use super::export::Export;
use super::saved::Saved;
use super::session::Session;
use crate::core::context::Cx;
use crate::core::files;
use crate::overlay::icon::icon;
use crate::overlay::view::{Frame, close_button};
use crate::runs::checkpoints;
use crate::runs::import as models;
use crate::state::Action;
use crate::state::overlay::Overlay;
use crate::state::runs::RunsAction;
use glasshead::wire::Command;
use glasshead::wire::runs::RunsCommand;

/// The runs drawer.
#[component]
pub fn RunsDrawer(cx: &Cx) -> Html {
    {
        let dispatcher = cx.state.dispatcher();
        use_effect_with((), move |()| spawn_local(checkpoints::list(dispatcher)));
    }
    let wide = cx.state.overlay.runs_wide.then_some("wide");
    html! {
        <Frame cx={cx.clone()} overlay={Overlay::Runs} label="Runs" class={classes!("runs-drawer", wide)}>
            <header role="none">
                <h2>{"Runs"}</h2>
                <span class="grow"></span>
                {import(cx)}
                {close_button(cx)}
            </header>
            <div class="scroll" tabindex="0" role="region" aria-label="Lists of runs">
                <p class="dropzone">
                    {icon("download")}
                    <span>{"Drop a run, text files or a Hugging Face model (.zip, .safetensors) anywhere on \
                            the page"}</span>
                </p>
                {messages(cx)}
                <Session ..cx.clone() />
                <Saved ..cx.clone() />
                <Export ..cx.clone() />
            </div>
            <footer>
                <Awake ..cx.clone() />
                <span class="grow"></span>
                {save(cx)}
            </footer>
        </Frame>
    }
}

/// Progress and results of saving and loading.
fn messages(cx: &Cx) -> Html {
    let runs = &cx.state.runs;
    html! {
        <>
            <div role="status">
                if runs.loading.is_some() && runs.needs_file.is_none() { <p class="count">{"Loading…"}</p> }
                if let Some(message) = &runs.message { <p class="pending" data-testid="save-message">{message}</p> }
                if let Some(said) = &runs.autosave.said { <p class="count" data-testid="kept-by-itself">{said}</p> }
            </div>
        </>
    }
}

fn save(cx: &Cx) -> Html {
    let runs = &cx.state.runs;
    let save = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| save_run(&cx))
    };
    html! {
        <button class="primary" data-testid="save" onclick={save} disabled={!cx.state.has_run() || runs.saving}
            title="One file: weights, optimizer state, data position, tokenizer, losses.">
            {if runs.saving { "Saving…" } else { "Save this run" }}
        </button>
    }
}

/// Saves the current run in the browser and as a file.
pub fn save_run(cx: &Cx) {
    let name = cx.state.runs.name.clone();
    cx.send(&Command::Runs { command: RunsCommand::Save { name } });
    cx.act(Action::Runs(RunsAction::Saving));
}

/// One picker for runs, models, tokenizers and texts; the type is recognized from the file.
fn import(cx: &Cx) -> Html {
    let pick = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
            if let Some(input) = input {
                open_any(&cx, files::listed(input.files()));
                input.set_value(""); // allows choosing the same files again
            }
        })
    };
    html! {
        <label class="button file" title="A run, a Hugging Face model or text files.">
            {icon("upload")}{"Import…"}
            <input type="file" class="sr" multiple=true data-testid="checkpoint-file" onchange={pick} />
        </label>
    }
}

/// Opens files of any kind: several files that belong to a model as that model, others by their type.
pub fn open_any(cx: &Cx, picked: Vec<File>) {
    if picked.is_empty() {
        return;
    }
    let names: Vec<String> = picked.iter().map(|file| file.name().to_lowercase()).collect();
    let of_model = |name: &String| {
        name.ends_with(".zip")
            || name.ends_with(".bin")
            || name.ends_with(".pt")
            || name.ends_with(".pth")
            || name == "config.json"
    };
    if names.iter().any(of_model) { models::open(cx, picked) } else { cx.open_files(picked) }
}
