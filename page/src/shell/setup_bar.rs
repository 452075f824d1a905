//! The setup bar: the eight settings that matter most. All others are in the drawer.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::overlay::view::overlay;
use crate::settings::state::task_title;
use crate::shared::icon::{Icon, icon};
use crate::shared::opens::Opens;
use crate::shared::pill::NumberPill;
use crate::shared::{counted, grouped};
use crate::state::overlay::{Overlay, OverlayAction};
use crate::state::{Action, RunState, State, Vocabulary};
use glasshead::config::Preset;
use glasshead::config::fields::Field;
use glasshead::types::CorpusChoice;

/// The numbers of the bar: field and short label.
const NUMBERS: [(&str, &str); 6] = [
    ("n_layers", "Layers"),
    ("n_heads", "Heads"),
    ("d_model", "Width"),
    ("context_length", "Context"),
    ("batch_size", "Batch size"),
    ("max_lr", "Learning rate"),
];

/// The preset's name with a capital, if the draft's model is one.
pub fn model_name(state: &State) -> String {
    let preset = Preset::ALL.into_iter().find(|preset| preset.config().model == state.draft.config.model);
    let name = preset.map_or("custom", Preset::name);
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[component]
pub fn SetupBar(cx: &Cx) -> Html {
    let state = &cx.state;
    let (model, training) = NUMBERS.split_at(4);
    html! {
        <div class="setup-bar" role="group" aria-label="Setup" data-part="setup">
            {preset(cx)}
            {text(cx)}
            <span class="rule"></span>
            {for model.iter().map(|&(name, label)| number(cx, name, label))}
            <span class="rule"></span>
            {for training.iter().map(|&(name, label)| number(cx, name, label))}
            if !state.draft.config.model.causal { <span class="tag warn optional">{"No causal mask"}</span> }
            <Opens cx={cx.clone()} overlay={Overlay::Settings} testid="all-settings" hint="All settings, with search">
                {icon(Icon::Sliders)}{"All settings"}
            </Opens>
            <button class="link cost" data-part="costs" onclick={overlay::<MouseEvent>(cx, OverlayAction::Setting("costs", "parameters"))}
                data-testid="parameters" title="What it costs: memory and operations, part by part">
                <span class="hidden">{whose(state)}</span>{cost(state)}<span class="hidden">{smaller_vocabulary(state)}</span>
            </button>
        </div>
    }
}

fn cost(state: &State) -> String {
    let (config, of_run) = state.accounted();
    let memory =
        state.summary.as_ref().filter(|_| of_run).map(|summary| format!(" · {} MiB", summary.memory_bytes >> 20));
    format!("{}{}", counted(config.model.n_params(), "parameter"), memory.unwrap_or_default())
}

/// Whose cost it is, for screen readers.
fn whose(state: &State) -> &'static str {
    if state.accounted().1 { "This run: " } else { "Next run: " }
}

/// A note for counts of a run whose vocabulary is still to be trained.
fn smaller_vocabulary(state: &State) -> &'static str {
    let trained = state.draft.vocabulary == Vocabulary::OfTheText;
    if trained && !state.accounted().1 { ", fewer where the text gives a smaller vocabulary" } else { "" }
}

/// Whether a setting waits for a restart or for a click in the drawer, or is the likely cause of a divergence.
fn changed(state: &State, name: &str) -> bool {
    let guilty = name == "max_lr" && matches!(state.run_state, RunState::Diverged(_));
    guilty || state.mark(name).is_some_and(|mark| mark.pending)
}

fn preset(cx: &Cx) -> Html {
    html! {
        <Opens cx={cx.clone()} overlay={Overlay::Model} class="pill" testid="model-pill"
            hint="preset: sets layers, heads, width, context and vocabulary">
            <span>{"Model"}</span><b>{model_name(&cx.state)}{icon(Icon::Down)}</b>
        </Opens>
    }
}

fn text(cx: &Cx) -> Html {
    let state = &cx.state;
    let value = match state.draft.corpus {
        CorpusChoice::BuiltIn => Some("Built-in stories".to_string()),
        CorpusChoice::File => state.draft.file_name.clone(),
        CorpusChoice::Task(number) => state.data.tasks.get(number).map(|task| task_title(&task.name)),
    };
    let counts = state.summary.as_ref().map_or(String::new(), |summary| {
        format!(" · {} tokens to train on, {} held out", grouped(summary.train_tokens), grouped(summary.val_tokens))
    });
    let changed = state.pending().contains(&"text").then_some("changed");
    html! {
        <Opens cx={cx.clone()} overlay={Overlay::Text} class={classes!("pill", changed)} testid="text-pill" hint={format!("corpus{counts}")}>
            <span>{"Text"}</span><b class="clip">{value}{icon(Icon::Down)}</b>
        </Opens>
    }
}

fn number(cx: &Cx, name: &'static str, label: &'static str) -> Html {
    let state = &cx.state;
    let Some(field) = Field::find(name) else { return html! {} };
    let unit = if field.unit.is_empty() { String::new() } else { format!(" ({})", field.unit) };
    html! {
        <NumberPill {name} {label} hint={format!("{name}{unit} · {}", field.help)} value={state.field_text(name)}
            live={field.is_live()} factor={name == "max_lr"} changed={changed(state, name)} refused={state.refused(name).is_some()}
            onenter={cx.call(move |cx, text: String| cx.change_settings(Action::Enter(name, text)))} />
    }
}
