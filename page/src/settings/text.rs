//! The preset, the training text and the vocabulary: built-in stories, tasks, the user's files, TinyStories from the hub.

use wasm_bindgen::JsCast as _;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::field::{Row, row};
use super::state::{sentence_case, task_title};
use crate::core::context::Cx;
use crate::core::{files, hub};
use crate::shared::value_of;
use crate::state::data::{DataAction, Fetching, HubText};
use crate::state::{Action, State, Vocabulary};
use crate::units::{counted, file_size, grouped};
use glasshead::config::Preset;
use glasshead::types::CorpusChoice;
use glasshead::types::tasks::TaskInfo;

/// A preset's name as a title.
pub fn preset_title(preset: Preset) -> String {
    match preset {
        Preset::Cs336 => "CS336".into(),
        other => sentence_case(other.name()),
    }
}

/// The preset that the draft's model equals.
pub fn current_preset(state: &State) -> Option<Preset> {
    let draft = &state.draft.config.model;
    Preset::ALL.into_iter().find(|preset| preset.config().model == *draft)
}

/// The list of presets.
pub fn preset(cx: &Cx) -> Html {
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            if let Some(preset) = Preset::from_name(&value_of(&event)) {
                cx.change_settings(Action::Preset(preset));
            }
        })
    };
    let now = current_preset(&cx.state);
    let option = |preset: Preset| {
        let label = format!("{} · {}", preset_title(preset), counted(preset.config().model.n_params(), "parameter"));
        html! { <option value={preset.name()} selected={now == Some(preset)}>{label}</option> }
    };
    let control = html! {
        <span class="input">
            <select data-testid="preset" onchange={change}>
                if now.is_none() { <option value="" selected=true>{"Your own"}</option> }
                {for Preset::ALL.into_iter().map(option)}
            </select>
        </span>
    };
    let help = "Sets the sizes below, the context, the vocabulary and the schedule";
    let field = Row { name: "preset", label: "Model", help, live: false, problem: None, changed: false };
    html! { <div class="wide">{row(field, control, html! {})}</div> }
}

/// A note for counts of a run whose vocabulary is still to be trained.
pub fn smaller_vocabulary(state: &State) -> &'static str {
    match state.draft.vocabulary {
        Vocabulary::OfTheText => ", fewer where the text gives a smaller vocabulary",
        Vocabulary::Chosen { .. } => "",
    }
}

/// The training text, and where it comes from.
#[component]
pub fn TextSettings(cx: &Cx) -> Html {
    {
        let cx = cx.clone();
        use_effect_with((), move |()| hub::look(&cx));
    }
    html! {
        <div class="wide texts">
            {corpus(cx)}
            {own_files(cx)}
            {tiny_stories(cx)}
            {vocabulary(cx)}
            {summary(cx)}
        </div>
    }
}

/// Chooses the training text with this name: a task, `file`, or the built-in stories.
pub fn choose_corpus(cx: &Cx, name: &str) {
    let task = cx.state.data.tasks.iter().position(|task| task.name == name);
    cx.act(Action::Corpus(match task {
        Some(number) => CorpusChoice::Task(number),
        None if name == "file" => CorpusChoice::File,
        None => CorpusChoice::BuiltIn,
    }));
}

fn corpus(cx: &Cx) -> Html {
    let state = &cx.state;
    let choose = {
        let cx = cx.clone();
        Callback::from(move |event: Event| choose_corpus(&cx, &value_of(&event)))
    };
    let chosen = |corpus: CorpusChoice| state.draft.corpus == corpus;
    let task = |(number, task): (usize, &TaskInfo)| {
        let selected = chosen(CorpusChoice::Task(number));
        html! { <option value={task.name.clone()} {selected}>{task_title(&task.name)}</option> }
    };
    let description = match state.draft.corpus {
        CorpusChoice::Task(number) => state.data.tasks.get(number).map(|task| task.description.clone()),
        _ => None,
    };
    let control = html! {
        <span class="input">
            <select data-testid="corpus-choice" onchange={choose}>
                <option value="built-in" selected={chosen(CorpusChoice::BuiltIn)}>{"Built-in stories"}</option>
                if let Some(name) = &state.draft.file_name {
                    <option value="file" selected={chosen(CorpusChoice::File)}>{name}</option>
                }
                <optgroup label="Tasks with right answers">{for state.data.tasks.iter().enumerate().map(task)}</optgroup>
            </select>
        </span>
    };
    let changed = state.pending().contains(&"text");
    let help = "What the next run trains on";
    html! {
        <>
            {row(Row { name: "text", label: "Text", help, live: false, problem: None, changed }, control, html! {})}
            if let Some(description) = description { <p class="count" data-testid="task-description">{description}</p> }
        </>
    }
}

/// The file types that [`TextSettings`] and the Text menu accept.
pub const TEXT_FILES: &str = ".txt,.md,.jsonl,.ndjson,.json,.parquet,text/*";

/// Opens the files that were chosen in a file input.
pub fn open_picked(cx: &Cx, event: &Event) {
    let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
    cx.open_files(files::listed(input.and_then(|input| input.files())));
}

fn own_files(cx: &Cx) -> Html {
    let data = &cx.state.data;
    let pick = {
        let cx = cx.clone();
        Callback::from(move |event: Event| open_picked(&cx, &event))
    };
    let choose_field = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            cx.choose_field(value_of(&event));
        })
    };
    let option = |(index, name): (usize, &String)| {
        // Keyed, so that an option keeps its selection when it moves.
        html! { <option key={name.clone()} value={name.clone()} selected={index == data.field}>{name}</option> }
    };
    html! {
        <>
            <label class="field" data-setting="own files">
                <span class="label">{"Your files"}</span>
                <input type="file" data-testid="file-input" multiple=true accept={TEXT_FILES} onchange={pick} />
                <span class="help">{"Text, Markdown, JSON Lines or Parquet; or drop them anywhere on the page"}</span>
            </label>
            <div role="status">
                if let Some(name) = &data.reading {
                    <p class="count" data-testid="file-reading">{format!("Reading {name}…")}</p>
                }
            </div>
            if let Some(problem) = &data.file_problem {
                <p class="problem" role="alert" data-testid="file-problem">{problem}</p>
            }
            if cx.state.draft.corpus == CorpusChoice::File && !data.fields.is_empty() {
                <label class="field">
                    <span class="label">{"Field of the records"}</span>
                    <span class="input">
                        <select data-testid="field-choice" onchange={choose_field}>
                            {for data.fields.iter().enumerate().map(option)}
                        </select>
                    </span>
                </label>
            }
        </>
    }
}

fn tiny_stories(cx: &Cx) -> Html {
    let data = &cx.state.data;
    let text = data.hub_text;
    let choose = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let name = value_of(&event);
            let text = HubText::ALL.into_iter().find(|text| text.name() == name).unwrap_or(HubText::Validation);
            cx.act(Action::Data(DataAction::HubText(text)));
        })
    };
    let option = |text: HubText| {
        html! { <option value={text.name()} selected={text == data.hub_text}>{sentence_case(text.name())}</option> }
    };
    html! {
        <>
            <label class="field" data-setting="TinyStories">
                <span class="label">{"TinyStories, from Hugging Face"}</span>
                <span class="input">
                    <select data-testid="hub-text" onchange={choose} disabled={data.fetching.is_some()}>
                        {for HubText::ALL.into_iter().map(option)}
                    </select>
                </span>
            </label>
            {hub_tools(cx, text)}
            if let Some(problem) = &data.problem { <p class="problem" role="alert" data-testid="hub-problem">{problem}</p> }
        </>
    }
}

fn hub_tools(cx: &Cx, text: HubText) -> Html {
    let data = &cx.state.data;
    let call = |run: fn(&Cx, HubText)| {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| run(&cx, text))
    };
    match (&data.fetching, data.kept(text)) {
        (Some(fetching), _) => progress(cx, fetching),
        (None, Some(bytes)) => html! {
            <p class="tools" data-testid="hub-kept">
                {format!("Stored in this browser, {}", file_size(bytes))}
                <button class="small" data-testid="hub-use" onclick={call(hub::open)}>{"Use"}</button>
                <button class="small" data-testid="hub-delete" onclick={call(hub::delete)}>{"Delete"}</button>
            </p>
        },
        (None, None) => html! {
            <p class="tools">
                <button class="small" data-testid="hub-fetch" onclick={call(hub::fetch)}
                    title="From huggingface.co; stored in this browser, so that it is downloaded once.">
                    {format!("Download ({})", download_size(text))}
                </button>
            </p>
        },
    }
}

/// How much is downloaded, in words.
pub fn download_size(text: HubText) -> &'static str {
    match text {
        HubText::Validation => "22 MB",
        HubText::Training => "100 MB",
    }
}

fn progress(cx: &Cx, Fetching { received, total, .. }: &Fetching) -> Html {
    let cancel = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| hub::cancel(&cx))
    };
    let of = total.map_or(String::new(), |total| format!(" of {}", file_size(total)));
    html! {
        <p class="tools" data-testid="hub-progress">
            if let Some(total) = total {
                <progress aria-label="Downloaded" max={total.max(&1).to_string()} value={received.to_string()}></progress>
            }
            <span>{file_size(*received)}{of}</span>
            <button class="small" data-testid="hub-cancel" onclick={cancel}>{"Cancel"}</button>
        </p>
    }
}

/// The vocabulary, if it comes from the Tokenizer view.
fn vocabulary(cx: &Cx) -> Html {
    let Vocabulary::Chosen { name, .. } = &cx.state.draft.vocabulary else { return html! {} };
    let back = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.act(Action::DropVocabulary))
    };
    html! {
        <p class="tools" data-testid="chosen-vocabulary">
            {format!("vocabulary: {name}")}
            <button class="small" onclick={back} title="Trains a vocabulary on the text when the run starts.">
                {"Train a new one"}
            </button>
        </p>
    }
}

/// The size of the run's text.
fn summary(cx: &Cx) -> Html {
    let Some(summary) = &cx.state.summary else { return html! {} };
    html! {
        <p class="count" data-testid="corpus">
            {format!(
                "This run: {}, {}: {} to train on, {} held out, vocabulary {}",
                summary.corpus,
                file_size(summary.corpus_bytes as u64),
                counted(summary.train_tokens, "token"),
                grouped(summary.val_tokens),
                grouped(summary.config.model.vocab_size),
            )}
        </p>
    }
}
