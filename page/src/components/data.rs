//! The training data: built-in stories, the user's files, or TinyStories from the hub.

use wasm_bindgen::JsCast as _;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::{counted, file_size, grouped, value_of};
use crate::app::Cx;
use crate::state::data::{DataAction, Fetching, HubText};
use crate::state::{Action, Vocabulary};
use crate::{files, hub};
use glasshead::protocol::CorpusChoice;
use glasshead::protocol::data::TaskInfo;

#[component]
pub fn DataPanel(cx: &Cx) -> Html {
    {
        let cx = cx.clone();
        use_effect_with((), move |()| hub::look(&cx));
    }
    html! {
        <>
            {corpus(cx)}
            {own_files(cx)}
            {tiny_stories(cx)}
            {vocabulary(cx)}
            {summary(cx)}
        </>
    }
}

fn corpus(cx: &Cx) -> Html {
    let state = &cx.state;
    let choose = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let value = value_of(&event);
            let task = cx.state.data.tasks.iter().position(|task| task.name == value);
            cx.act(Action::Corpus(match task {
                Some(number) => CorpusChoice::Task(number),
                None if value == "file" => CorpusChoice::File,
                None => CorpusChoice::BuiltIn,
            }));
        })
    };
    let chosen = |corpus: CorpusChoice| state.draft.corpus == corpus;
    let task = |(number, task): (usize, &TaskInfo)| {
        let selected = chosen(CorpusChoice::Task(number));
        html! { <option value={task.name.clone()} {selected}>{&task.name}</option> }
    };
    let description = match state.draft.corpus {
        CorpusChoice::Task(number) => state.data.tasks.get(number).map(|task| task.description.clone()),
        _ => None,
    };
    html! {
        <>
            <label class="wide">
                {"text"}
                <select data-testid="corpus-choice" onchange={choose}>
                    <option value="built-in" selected={chosen(CorpusChoice::BuiltIn)}>{"built-in stories"}</option>
                    if let Some(name) = &state.draft.file_name {
                        <option value="file" selected={chosen(CorpusChoice::File)}>{name}</option>
                    }
                    <optgroup label="tasks with right answers">{for state.data.tasks.iter().enumerate().map(task)}</optgroup>
                </select>
            </label>
            if let Some(description) = description { <p class="count" data-testid="task-description">{description}</p> }
        </>
    }
}

fn own_files(cx: &Cx) -> Html {
    let data = &cx.state.data;
    let pick = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
            cx.open_files(files::listed(input.and_then(|input| input.files())));
        })
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
            <label class="wide">
                {"your own text: pick files, or drop them anywhere"}
                <input type="file" data-testid="file-input" multiple=true accept=".txt,.md,.jsonl,.ndjson,.json,.parquet,text/*"
                    onchange={pick} />
            </label>
            <div role="status">
                if let Some(name) = &data.reading {
                    <p class="count" data-testid="file-reading">{format!("reading {name} …")}</p>
                }
            </div>
            if let Some(problem) = &data.file_problem {
                <p class="problem" role="alert" data-testid="file-problem">{problem}</p>
            }
            if cx.state.draft.corpus == CorpusChoice::File && !data.fields.is_empty() {
                <label class="wide">
                    {"field of its records"}
                    <select data-testid="field-choice" onchange={choose_field}>
                        {for data.fields.iter().enumerate().map(option)}
                    </select>
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
        html! { <option value={text.name()} selected={text == data.hub_text}>{text.name()}</option> }
    };
    let call = |run: fn(&Cx, HubText)| {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| run(&cx, text))
    };
    let action = match (&data.fetching, data.kept(text)) {
        (Some(fetching), _) => progress(cx, fetching),
        (None, Some(bytes)) => html! {
            <p class="tools" data-testid="hub-kept">
                {format!("kept, {}", file_size(bytes))}
                <button data-testid="hub-use" onclick={call(hub::open)}>{"use it"}</button>
                <button data-testid="hub-delete" onclick={call(hub::delete)}>{"delete"}</button>
            </p>
        },
        (None, None) => html! {
            <p class="tools">
                <button data-testid="hub-fetch" onclick={call(hub::fetch)}
                    title="from huggingface.co; kept in this browser, so that it is fetched once">{"fetch and use it"}</button>
            </p>
        },
    };
    html! {
        <>
            <label class="wide">
                {"TinyStories, from the public hub"}
                <select data-testid="hub-text" onchange={choose} disabled={data.fetching.is_some()}>
                    {for HubText::ALL.into_iter().map(option)}
                </select>
            </label>
            {action}
            if let Some(problem) = &data.problem { <p class="problem" role="alert" data-testid="hub-problem">{problem}</p> }
        </>
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
                <progress aria-label="fetched" max={total.max(&1).to_string()} value={received.to_string()}></progress>
            }
            <span>{file_size(*received)}{of}</span>
            <button data-testid="hub-cancel" onclick={cancel}>{"cancel"}</button>
        </p>
    }
}

/// The vocabulary, if it comes from the tokenizer view.
fn vocabulary(cx: &Cx) -> Html {
    let Vocabulary::Chosen { name, .. } = &cx.state.draft.vocabulary else { return html! {} };
    let back = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| cx.act(Action::DropVocabulary))
    };
    html! {
        <p class="tools" data-testid="chosen-vocabulary">
            {format!("vocabulary: {name}")}
            <button onclick={back} title="trains a vocabulary on the text when the run starts">{"learn one instead"}</button>
        </p>
    }
}

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
