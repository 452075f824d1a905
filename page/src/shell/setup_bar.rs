//! The setup bar: the eight settings that matter most. All others are in the drawer.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::shared::icon::{Icon, icon};
use crate::shared::pill::{NumberPill, SelectPill};
use crate::shared::{counted, value_of};
use crate::overlay::view::overlay;
use crate::shared::opens::Opens;
use crate::state::overlay::{Overlay, OverlayAction};
use crate::state::{Action, State};
use glasshead::config::Preset;
use glasshead::config::fields::Field;
use glasshead::types::CorpusChoice;
use glasshead::types::tasks::TaskInfo;

/// The numbers of the bar: field and short label.
const NUMBERS: [(&str, &str); 6] = [
    ("n_layers", "Layers"),
    ("n_heads", "Heads"),
    ("d_model", "Width"),
    ("context_length", "Context"),
    ("batch_size", "Batch size"),
    ("max_lr", "Learning rate"),
];

/// Whether a field is in the bar, and therefore not in the drawer.
pub fn in_bar(name: &str) -> bool {
    NUMBERS.iter().any(|(field, _)| *field == name)
}

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
                title="What it costs: memory and operations, part by part">{cost(state)}</button>
        </div>
    }
}

fn cost(state: &State) -> String {
    let (config, of_run) = state.accounted();
    let memory =
        state.summary.as_ref().filter(|_| of_run).map(|summary| format!(" · {} MiB", summary.memory_bytes >> 20));
    format!("{}{}", counted(config.model.n_params(), "parameter"), memory.unwrap_or_default())
}

/// Whether a setting waits for a restart, or for a click in the drawer.
fn changed(state: &State, name: &str) -> bool {
    state.mark(name).is_some_and(|mark| mark.pending)
}

fn preset(cx: &Cx) -> Html {
    let model = &cx.state.draft.config.model;
    let now = Preset::ALL.into_iter().find(|preset| preset.config().model == *model);
    let option = |preset: Preset| {
        let label = format!("{} · {}", preset.name(), counted(preset.config().model.n_params(), "parameter"));
        html! { <option value={preset.name()} selected={now == Some(preset)}>{label}</option> }
    };
    let change = cx.call(|cx, event: Event| {
        if let Some(preset) = Preset::from_name(&value_of(&event)) {
            cx.change_settings(Action::Preset(preset));
        }
    });
    html! {
        <SelectPill label="Model" value={model_name(&cx.state)} testid="preset" hint="preset: sets layers, heads, width, context and vocabulary"
            changed=false onchange={change}>
            if now.is_none() { <option value="" selected=true>{"custom"}</option> }
            {for Preset::ALL.into_iter().map(option)}
        </SelectPill>
    }
}

fn text(cx: &Cx) -> Html {
    let state = &cx.state;
    let choose = cx.call(|cx, event: Event| {
        let value = value_of(&event);
        let task = cx.state.data.tasks.iter().position(|task| task.name == value);
        cx.act(Action::Corpus(match task {
            Some(number) => CorpusChoice::Task(number),
            None if value == "file" => CorpusChoice::File,
            None => CorpusChoice::BuiltIn,
        }));
    });
    let chosen = |corpus: CorpusChoice| state.draft.corpus == corpus;
    let task = |(number, task): (usize, &TaskInfo)| {
        let selected = chosen(CorpusChoice::Task(number));
        html! { <option value={task.name.clone()} {selected}>{&task.name}</option> }
    };
    let value = match state.draft.corpus {
        CorpusChoice::BuiltIn => Some("Built-in stories".to_string()),
        CorpusChoice::File => state.draft.file_name.clone(),
        CorpusChoice::Task(number) => state.data.tasks.get(number).map(|task| task.name.clone()),
    };
    let changed = state.pending().contains(&"text");
    html! {
        <SelectPill label="Text" value={value.unwrap_or_default()} testid="corpus-choice" hint="corpus: the text to train on" {changed}
            onchange={choose}>
            <option value="built-in" selected={chosen(CorpusChoice::BuiltIn)}>{"built-in stories"}</option>
            if let Some(name) = &state.draft.file_name {
                <option value="file" selected={chosen(CorpusChoice::File)}>{name}</option>
            }
            <optgroup label="tasks with right answers">{for state.data.tasks.iter().enumerate().map(task)}</optgroup>
        </SelectPill>
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
