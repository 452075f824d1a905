//! The setup bar: the settings of the next stage that matter most, and the button that begins it.

use yew::prelude::*;

use super::{act, on, run};
use crate::core::context::Cx;
use crate::core::files::listed;
use crate::settings::state::task_title;
use crate::shared::icon::{Icon, icon};
use crate::shared::pill::NumberPill;
use crate::shared::segmented::{Choice, Segmented};
use crate::shared::value_of;
use crate::state::RunState;
use crate::state::align::AlignAction;
use crate::state::align::draft::{JUDGES, METHODS, STAGES, Start};
use web_sys::HtmlInputElement;

/// Pills of numbers for each kind of stage: field and label.
const NUMBERS: [&[(&str, &str)]; 4] = [
    &[("rows", "Rows"), ("steps", "Updates"), ("max_lr", "Learning rate")],
    &[("group_size", "Group size"), ("prompts", "Prompts"), ("steps", "Updates"), ("max_lr", "Learning rate")],
    &[
        ("group_size", "Group size"),
        ("prompts", "Prompts"),
        ("steps", "Updates"),
        ("max_lr", "Learning rate"),
        ("kl", "KL penalty"),
    ],
    &[("pairs", "Pairs"), ("steps", "Updates"), ("max_lr", "Learning rate"), ("beta", "β"), ("nll", "NLL")],
];

#[component]
pub fn SetupBar(cx: &Cx) -> Html {
    let align = &cx.state.align;
    let draft = &align.draft;
    let kind = |(at, (name, label, title)): (usize, &(&str, &str, &str))| Choice {
        label: (*label).to_string().into(),
        title: (*title).to_string().into(),
        testid: format!("align-kind-{name}").into(),
        on: draft.stage == at,
        choose: on(cx, AlignAction::Stage(at)),
    };
    let begin = cx.call(|cx, _: MouseEvent| run::begin(cx));
    let waits = align.fields.is_empty() || (draft.start == Start::Run && !cx.state.can_train());
    html! {
        <div class="setup-bar" role="group" aria-label="Next stage">
            <Segmented label="Kind of stage" choices={STAGES.iter().enumerate().map(kind).collect::<Vec<_>>()} />
            if draft.stage == 2 { {method(cx)} }
            {start(cx)}
            <span class="rule"></span>
            {task(cx)}
            if draft.stage != 0 { {judge(cx)} }
            <span class="rule"></span>
            {for NUMBERS[draft.stage].iter().map(|&(name, label)| number(cx, name, label))}
            <button data-testid="align-settings" aria-expanded={align.settings_open.to_string()} title="All settings of the next stage"
                onclick={on(cx, AlignAction::Settings(!align.settings_open))}>{icon(Icon::Sliders)}<span class="optional">{"All settings"}</span></button>
            <span class="grow"></span>
            <button class="primary" data-testid="align-begin" disabled={waits} onclick={begin}>{format!("Begin {}", STAGES[draft.stage].1)}</button>
        </div>
    }
}

fn number(cx: &Cx, name: &'static str, label: &'static str) -> Html {
    let align = &cx.state.align;
    let refused = align.refused.as_ref().filter(|(refused, ..)| refused == name);
    let value = refused.map_or_else(|| align.draft.value(name, &align.fields), |(_, text, _)| text.clone());
    let help = align
        .fields
        .iter()
        .find(|field| field.name == name)
        .map(|field| format!(" · {} ({})", field.help, field.expected));
    let hint = refused.map_or_else(|| format!("{name}{}", help.unwrap_or_default()), |(.., problem)| problem.clone());
    html! {
        <NumberPill {name} {label} {hint} {value} live={false} factor={name == "max_lr"} changed={false} refused={refused.is_some()}
            onenter={cx.call(move |cx, text: String| act(cx, AlignAction::Enter(name.into(), text)))} />
    }
}

/// A pill with a list.
fn list(
    label: &'static str,
    hint: String,
    testid: &'static str,
    options: Vec<(String, String, bool)>,
    onchange: Callback<Event>,
) -> Html {
    html! {
        <label class="pill" title={hint}><span>{label}</span>
            <select data-testid={testid} aria-label={label} {onchange}>
                {for options.into_iter().map(|(value, title, selected)| html! { <option {value} {selected}>{title}</option> })}
            </select>
        </label>
    }
}

fn method(cx: &Cx) -> Html {
    let align = &cx.state.align;
    let now = align.draft.value("method", &align.fields);
    let options = METHODS.iter().map(|(name, title)| ((*name).into(), (*title).into(), *name == now)).collect();
    let choose = cx.call(|cx, event: Event| act(cx, AlignAction::Enter("method".into(), value_of(&event))));
    list("Method", "method".into(), "align-method", options, choose)
}

fn start(cx: &Cx) -> Html {
    let align = &cx.state.align;
    let now = align.draft.start;
    let mut options = vec![("untrained".to_string(), "Untrained nano".to_string(), now == Start::Untrained)];
    if matches!(cx.state.run_state, RunState::Ready | RunState::Training | RunState::Paused) || now == Start::Run {
        options.push(("run".into(), format!("{}, step {}", cx.state.runs.name, cx.state.step), now == Start::Run));
    }
    for node in align.nodes.iter() {
        let chosen = now == Start::Node(node.id);
        let step = align.draft.from_step.filter(|_| chosen).unwrap_or(node.step);
        options.push((node.id.to_string(), format!("{}, {step}", node.name), chosen));
    }
    let choose = cx.call(|cx, event: Event| {
        let start = match value_of(&event).as_str() {
            "untrained" => Start::Untrained,
            "run" => Start::Run,
            id => id.parse().map_or(Start::Untrained, Start::Node),
        };
        act(cx, AlignAction::Start(start));
    });
    list("From", "The model that the stage begins with".into(), "align-from", options, choose)
}

fn task(cx: &Cx) -> Html {
    let align = &cx.state.align;
    let draft = &align.draft;
    let mut options: Vec<(String, String, bool)> = cx
        .state
        .data
        .tasks
        .iter()
        .map(|task| (task.name.clone(), task_title(&task.name), draft.task.as_ref() == Some(&task.name)))
        .collect();
    let rows = align
        .rows
        .as_ref()
        .map_or("Your rows…".to_string(), |(name, counts)| format!("{name} ({})", counts.iter().max().unwrap_or(&0)));
    options.push((String::new(), rows, draft.task.is_none()));
    let choose = cx.call(|cx, event: Event| {
        let task = Some(value_of(&event)).filter(|name| !name.is_empty());
        act(cx, AlignAction::Task(task));
    });
    let pick = cx.call(|cx, event: Event| {
        let input = event.target_dyn_into::<HtmlInputElement>();
        let files = listed(input.and_then(|input| input.files()));
        files.into_iter().next().into_iter().for_each(|file| super::store::load_rows(cx, file));
    });
    html! {
        <>
            {list("Task", "The prompts: a task, or rows of a .jsonl file".into(), "align-task", options, choose)}
            if draft.task.is_none() {
                <label class="button small file-pick">{"Choose .jsonl"}<input type="file" class="sr" accept=".jsonl" onchange={pick} data-testid="align-rows" /></label>
            }
        </>
    }
}

fn judge(cx: &Cx) -> Html {
    let align = &cx.state.align;
    let now = align.draft.judges.clone();
    let mut options: Vec<(String, String, bool)> =
        JUDGES.iter().map(|(name, title)| ((*name).into(), (*title).into(), *name == now)).collect();
    if options.iter().all(|(.., chosen)| !chosen) {
        options.push((now.clone(), now, true));
    }
    let choose = cx.call(|cx, event: Event| act(cx, AlignAction::Enter("judges".into(), value_of(&event))));
    list(
        "Judge",
        "How answers are graded; others can be entered under All settings".into(),
        "align-judge",
        options,
        choose,
    )
}
