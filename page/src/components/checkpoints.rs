//! Saved runs: save the current one, load one from a file, or resume one from the browser's storage.

use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::spawn_local;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::awake::Awake;
use super::entry::Entry;
use super::models::Models;
use super::{counted, file_size, grouped, value_of};
use crate::app::Cx;
use crate::state::Action;
use crate::state::autosave::run_of;
use crate::state::runs::{KeptCheckpoint, NeededFile, RunsAction};
use crate::{autosave, checkpoints, files};
use glasshead::protocol::Command;
use glasshead::protocol::runs::RunsCommand;

#[component]
pub fn Checkpoints(cx: &Cx) -> Html {
    {
        let dispatcher = cx.state.dispatcher();
        use_effect_with((), move |()| spawn_local(checkpoints::list(dispatcher)));
    }
    let runs = &cx.state.runs;
    let save = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| {
            let name = cx.state.runs.name.clone();
            cx.send(&Command::Runs { command: RunsCommand::Save { name } });
            cx.act(Action::Runs(RunsAction::Saving));
        })
    };
    let refused = cx.state.refused("save_every");
    let in_force = || runs.autosave.every.map_or(String::new(), |every| every.to_string());
    let all = runs.kept.iter().flatten();
    let (copies, kept): (Vec<_>, Vec<_>) = all.partition(|kept| run_of(&kept.key).is_some());
    let every = {
        let cx = cx.clone();
        Callback::from(move |event: Event| autosave::set(&cx, &value_of(&event)))
    };
    html! {
        <section class="panel checkpoints" aria-labelledby="checkpoints-title">
            <h2 id="checkpoints-title">{"Saved runs"}</h2>
            <div class="line">
                <button data-testid="save" onclick={save} disabled={!cx.state.has_run() || runs.saving}
                    title="one file: weights, optimiser, data position, tokenizer, losses">
                    {if runs.saving { "saving …" } else { "save this run" }}
                </button>
                if runs.loading.is_some() && runs.needs_file.is_none() { <span class="count">{"loading …"}</span> }
            </div>
            <div role="status">
                if let Some(message) = &runs.message {
                    <p class="pending" data-testid="save-message">{message}</p>
                }
            </div>
            {needs_file(cx)}
            {pick(cx)}
            <div class="fields">
                <label title="a copy is kept in this browser by itself, every so many seconds of training; empty: never">
                    <span>{"save_every"}</span>
                    <Entry name="save_every" placeholder="–" onchange={every} invalid={refused.is_some()}
                        value={refused.map_or_else(in_force, |refused| refused.text.clone())} />
                </label>
            </div>
            if let Some(refused) = refused { <p class="problem" role="alert">{&refused.problem}</p> }
            <Awake ..cx.clone() />
            if let Some(said) = &runs.autosave.said { <p class="count" data-testid="kept-by-itself">{said}</p> }
            if !copies.is_empty() {
                <h3>{"kept by themselves"}</h3>
                <ol class="kept">{for copies.iter().map(|checkpoint| item(cx, checkpoint, "copy"))}</ol>
            }
            <Models ..cx.clone() />
            if !kept.is_empty() {
                <h3>{"kept in this browser"}</h3>
                <ol class="kept">{for kept.iter().map(|checkpoint| item(cx, checkpoint, "kept"))}</ol>
            }
        </section>
    }
}

/// A message that requests the file that a saved run was trained on.
fn needs_file(cx: &Cx) -> Html {
    let Some(NeededFile { name, problem, .. }) = &cx.state.runs.needs_file else { return html! {} };
    let pick = {
        let cx = cx.clone();
        Callback::from(move |event: Event| picked(&cx, &event))
    };
    let forget = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| {
            cx.send(&Command::Runs { command: RunsCommand::ForgetResume });
            cx.act(Action::Runs(RunsAction::ForgetFile));
        })
    };
    html! {
        <div class="pending" data-testid="needs-file" role="alert">
            if let Some(problem) = problem { <p>{problem}</p> }
            <label>
                <span>{"This run was trained on your file "}<strong>{name}</strong>{": choose it again, and it goes on."}</span>
                <input type="file" data-testid="asked-file" onchange={pick} />
            </label>
            <button onclick={forget}>{"leave it"}</button>
        </div>
    }
}

fn pick(cx: &Cx) -> Html {
    let pick = {
        let cx = cx.clone();
        Callback::from(move |event: Event| picked(&cx, &event))
    };
    html! {
        <label class="wide">
            {"load from a file, or drop one anywhere"}
            <input type="file" data-testid="checkpoint-file" accept=".safetensors" onchange={pick} />
        </label>
    }
}

fn picked(cx: &Cx, event: &Event) {
    let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
    if let Some(input) = input {
        cx.open_files(files::listed(input.files()));
        input.set_value(""); // allows choosing the same file again
    }
}

/// One list entry; `kind` is "kept" for runs saved by the user, "copy" for autosaves.
fn item(cx: &Cx, checkpoint: &KeptCheckpoint, kind: &'static str) -> Html {
    let act = |act: fn(&Cx, &KeptCheckpoint)| {
        let (cx, checkpoint) = (cx.clone(), checkpoint.clone());
        Callback::from(move |_: MouseEvent| act(&cx, &checkpoint))
    };
    let resume = act(checkpoints::resume);
    let offer = act(checkpoints::offer);
    let delete = act(checkpoints::delete);
    let named = |what: &str| if kind == "kept" { what.to_string() } else { format!("{what}-copy") };
    let KeptCheckpoint { about, bytes, saved, .. } = checkpoint;
    let loss = match (about.val_loss, about.loss) {
        (Some(val), _) => format!(" · held-out {val:.3}"),
        (None, Some(loss)) => format!(" · loss {loss:.3}"),
        (None, None) => String::new(),
    };
    let title = format!("{}, {}", counted(about.n_params, "parameter"), about.corpus);
    let what = format!("{} at step {}", about.name, about.step);
    html! {
        <li data-testid={kind} {title}>
            <strong>{&about.name}</strong>
            <small>
                {format!("step {}{loss} · {} · {saved}", grouped(about.step), file_size(*bytes as u64))}
            </small>
            <span class="line">
                <button data-testid={named("resume")} onclick={resume} disabled={cx.state.runs.loading.is_some()}
                    aria-label={format!("go on with {what}")}>{"go on"}</button>
                <button onclick={offer} aria-label={format!("download {what}")}>{"download"}</button>
                <button data-testid={named("delete-kept")} onclick={delete} aria-label={format!("delete {what}")}>{"delete"}</button>
            </span>
        </li>
    }
}
