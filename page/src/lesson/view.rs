//! The lesson: one step per screen, with the matrices that the worker computed, one control and one question.

pub mod edit;
pub mod formula;
pub mod grid;
pub mod pair;
pub mod picture;
pub mod tokens;

use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement, KeyboardEvent};
use yew::prelude::*;

use crate::core::context::Cx;
use crate::core::context::on_window;
use crate::core::navigation;
use crate::fields::not_a_number;
use crate::lesson::formula::{pieces, spoken};
use crate::lesson::steps::{Control, GROUPS, STEPS, Step, from_hash};
use crate::lesson::view::edit::EditX;
use crate::lesson::view::formula::math;
use crate::lesson::view::grid::Lines;
use crate::lesson::view::picture::picture;
use crate::lesson::worked::worked;
use crate::shared::entry::Entry;
use crate::shared::icon::{Icon, icon};
use crate::shared::value_of;
use crate::state::Action;
use crate::state::lesson::LessonAction;
use glasshead::types::BackendChoice;
use glasshead::types::lesson::WORDS;
use glasshead::wire::Command;
use glasshead::wire::lesson::LessonCommand;

/// The key under which refused text of the seed field is stored.
const SEED: &str = "lesson seed";

/// Dispatches a lesson action.
pub fn act(cx: &Cx, action: LessonAction) {
    cx.act(Action::Lesson(action));
}

#[component]
pub fn LessonView(cx: &Cx) -> Html {
    use_questions(cx);
    use_link(cx);
    use_keys(cx);
    let state = &cx.state.lesson;
    let step = &STEPS[state.step];
    let done = state.reached.contains(&state.step);
    html! {
        <div class="lesson tiles" data-testid="lesson" data-step={step.name}
            data-computed={state.answered.is_some_and(|answered| answered == state.request).to_string()}>
            {contents(cx)}
            <section class="tile text" aria-labelledby="lesson-title">
                <div class="body">
                    <h2 id="lesson-title" tabindex="-1">{step.title}</h2>
                    <p class="said">{step.text}</p>
                    <div class="equation" tabindex="0" role="group" aria-label={format!("equation: {}", spoken(step.equation))}>
                        {for pieces(step.equation).into_iter().map(|piece| math(piece, true))}
                    </div>
                    <div class="callout">
                        <h3>{"Try this"}</h3>
                        <p>{step.try_this}</p>
                    </div>
                    <div class={classes!("callout", "question", done.then_some("done"))}>
                        <h3>{"Question"}
                            <strong role="status" data-testid="lesson-answered">{if done { "✓ answered" } else { "" }}</strong>
                        </h3>
                        <p>{step.question}</p>
                    </div>
                    {code(cx, step)}
                    <p class="sources">{"Sources: "}{step.sources}</p>
                </div>
            </section>
            <section class="tile picture" aria-label="Picture of the step">
                <header>{control(cx, step)}</header>
                <div class="body">
                    {picture(cx, step.picture)}
                    <Lines ..cx.clone() />
                    <EditX ..cx.clone() />
                    if let Some(problem) = &state.problem { <p class="problem" role="alert">{problem}</p> }
                </div>
                {sum(cx)}
            </section>
            {walk(cx)}
        </div>
    }
}

/// Sends the latest request whenever the worker has none pending.
#[hook]
fn use_questions(cx: &Cx) {
    let state = &cx.state.lesson;
    let cx = cx.clone();
    use_effect_with((state.request, state.waiting, state.answered), move |_| {
        if let Some(question) = cx.state.lesson.question() {
            act(&cx, LessonAction::Asked);
            cx.ask_with(Command::Lesson(question), None);
        }
    });
}

/// Stores the step in the link.
#[hook]
fn use_link(cx: &Cx) {
    {
        let cx = cx.clone();
        use_effect_with((), move |()| {
            let follow = move || {
                let hash = web_sys::window().and_then(|window| window.location().hash().ok()).unwrap_or_default();
                if let Some(step) = from_hash(&hash) {
                    act(&cx, LessonAction::Go(step));
                }
            };
            follow();
            on_window("hashchange", move |_| follow())
        });
    }
    let first = use_mut_ref(|| true);
    use_effect_with(cx.state.lesson.step, move |&step| {
        navigation::remember_step(STEPS[step].name);
        // Focusing the title makes screen readers announce the new step; the first step does not take the focus.
        if !first.replace(false) {
            focus_title();
        }
    });
}

fn focus_title() {
    let title =
        web_sys::window().and_then(|window| window.document()).and_then(|d| d.get_element_by_id("lesson-title"));
    if let Some(title) = title.and_then(|title| title.dyn_into::<HtmlElement>().ok()) {
        drop(title.focus()); // focusing an attached element cannot fail
    }
}

/// ← and → move between steps, except in fields and matrices, which use these keys themselves; PageUp and PageDown
/// always do.
#[hook]
fn use_keys(cx: &Cx) {
    let cx = cx.clone();
    use_effect_with((), move |()| {
        on_window("keydown", move |event| {
            let Ok(event) = event.dyn_into::<KeyboardEvent>() else { return };
            let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
            let busy = target.is_some_and(|element| {
                element.closest("input, select, textarea, pre, [role=grid], [role=listbox]").ok().flatten().is_some()
            });
            let by = match event.key().as_str() {
                "PageDown" => 1,
                "PageUp" => -1,
                "ArrowRight" if !busy => 1,
                "ArrowLeft" if !busy => -1,
                _ => return,
            };
            if event.ctrl_key() || event.meta_key() || event.alt_key() {
                return;
            }
            event.prevent_default();
            act(&cx, LessonAction::Walk(by));
        })
    });
}

fn go(cx: &Cx, step: usize) -> Callback<MouseEvent> {
    let cx = cx.clone();
    Callback::from(move |_| act(&cx, LessonAction::Go(step)))
}

/// The list of all steps in groups.
fn contents(cx: &Cx) -> Html {
    let state = &cx.state.lesson;
    let entry = |number: usize| {
        let step = &STEPS[number];
        let current = (number == state.step).then_some("step");
        let done = state.reached.contains(&number);
        let mark = if done {
            icon(Icon::Check)
        } else {
            html! { {number + 1} }
        };
        html! {
            <li><button onclick={go(cx, number)} aria-current={current} title={step.title}
                aria-label={format!("step {}: {}{}", number + 1, step.title, if done { ", answered" } else { "" })}>
                <span class="mark">{mark}</span><span class="name">{step.short_title()}</span>
            </button></li>
        }
    };
    let group = |(title, steps): (&'static str, std::ops::Range<usize>)| {
        html! { <section aria-label={title}><h2>{title}</h2><ol>{for steps.map(entry)}</ol></section> }
    };
    html! {
        <nav class="tile outline" aria-label="Steps of the lesson" tabindex="0">{for GROUPS.into_iter().map(group)}</nav>
    }
}

/// Back and Next, which name where they lead, and how far the reader is.
fn walk(cx: &Cx) -> Html {
    let state = &cx.state.lesson;
    let reset = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| act(&cx, LessonAction::Reset))
    };
    let backend = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let cpu = value_of(&event) == "cpu";
            act(&cx, LessonAction::Backend(if cpu { BackendChoice::Cpu } else { BackendChoice::Auto }));
        })
    };
    let device = state.answer.as_ref().map(|answer| answer.device.name.clone()).unwrap_or("…".into());
    let (previous, next) = (state.step.checked_sub(1), Some(state.step + 1).filter(|&next| next < STEPS.len()));
    let named = |word: &str, to: Option<usize>| match to {
        Some(step) => format!("{word}: {}", STEPS[step].short_title()),
        None => word.to_string(),
    };
    html! {
        <footer class="tile walk">
            <button data-testid="lesson-back" disabled={previous.is_none()} title="← or PageUp"
                onclick={go(cx, previous.unwrap_or(0))}>{icon(Icon::Left)}<span>{named("Back", previous)}</span></button>
            <progress aria-label="Steps" max={STEPS.len().to_string()} value={(state.step + 1).to_string()}></progress>
            <button class="ghost" data-testid="lesson-reset" aria-label="Reset values" onclick={reset}>{icon(Icon::Restart)}<span>{"Reset values"}</span></button>
            <label class="beside">{"Computed on"}
                <select data-testid="lesson-backend" onchange={backend} title="What computes the lesson">
                    <option value="auto" selected={state.backend == BackendChoice::Auto}>{"GPU, or processor if there is none"}</option>
                    <option value="cpu" selected={state.backend == BackendChoice::Cpu}>{"Processor"}</option>
                </select>
            </label>
            <small data-testid="lesson-device">{device}</small>
            <button data-testid="lesson-next" class="primary" disabled={next.is_none()} title="→ or PageDown"
                onclick={go(cx, state.step + 1)}><span>{named("Next", next)}</span>{icon(Icon::Right)}</button>
        </footer>
    }
}

fn control(cx: &Cx, step: &Step) -> Html {
    let state = &cx.state.lesson;
    let with = |change: fn(&Cx, &str)| {
        let cx = cx.clone();
        move |event: &web_sys::Event| change(&cx, &value_of(event))
    };
    let number = |cx: &Cx, text: &str| text.parse().map_or((), |value| act(cx, LessonAction::Control(value)));
    match step.control {
        Control::Query => {
            let change = with(|cx, text| text.parse().map_or((), |query| act(cx, LessonAction::Query(query))));
            let option = |(query, word): (usize, &&str)| {
                html! { <option value={query.to_string()} selected={query == state.query}>{format!("{word} ({query})")}</option> }
            };
            html! { <label class="beside">{"Selected token"}
            <select data-testid="lesson-control" onchange={Callback::from(move |event: Event| change(&event))}>
                {for WORDS.iter().enumerate().map(option)}
            </select></label> }
        }
        Control::Seed => {
            let change = with(|cx, text| match crate::fields::number(text) {
                Some(seed) => {
                    cx.act(Action::Accept(SEED));
                    act(cx, LessonAction::Seed(seed));
                }
                None => cx.act(Action::Refuse(SEED, text.into(), not_a_number("the seed", text, true))),
            });
            let refused = cx.state.refused(SEED);
            let value = refused.map_or_else(|| state.seed.to_string(), |refused| refused.text.clone());
            html! { <>
                <label class="beside">{"Seed, as in torch.manual_seed"}
                <Entry testid="lesson-control" inputmode="numeric" {value} invalid={refused.is_some()}
                    onchange={Callback::noop()} oninput={Callback::from(move |event: InputEvent| change(&event))} /></label>
                if let Some(refused) = refused { <p class="problem" role="alert">{&refused.problem}</p> }
            </> }
        }
        Control::Embedding => {
            html! { <p>{"Hover a number of X, or move to it with the arrow keys. Click it or press Enter to change it."}</p> }
        }
        Control::Slider { label, range: [from, to, by], .. } => {
            let change = with(number);
            let shown = step.control.written(state.control());
            html! { <label class="beside slide">{label}
            <input type="range" data-testid="lesson-control" min={from.to_string()} max={to.to_string()}
                step={by.to_string()} value={state.control().to_string()} aria-valuetext={shown.clone()}
                oninput={Callback::from(move |event: InputEvent| change(&event))} />
            <output>{shown}</output></label> }
        }
        Control::Choice { label, options, .. } => {
            let change = with(number);
            let option = |(place, words): (usize, &&'static str)| {
                html! { <option value={place.to_string()} selected={place as f64 == state.control()}>{*words}</option> }
            };
            html! { <label class="beside">{label}
            <select data-testid="lesson-control" onchange={Callback::from(move |event: Event| change(&event))}>
                {for options.iter().enumerate().map(option)}
            </select></label> }
        }
    }
}

/// The calculation of the highlighted cell.
fn sum(cx: &Cx) -> Html {
    let state = &cx.state.lesson;
    let text = match (state.sheet(), state.lit) {
        (Some(sheet), Some(cell)) => worked(sheet, cell),
        _ => "Hover a number to see how it was computed.".into(),
    };
    html! { <p class="worked" data-testid="worked" aria-live="polite">{text}</p> }
}

fn code(cx: &Cx, step: &Step) -> Html {
    let state = &cx.state.lesson;
    let kernels = state.sheet().map(|sheet| sheet.kernels.clone()).unwrap_or_default();
    // On the CPU, the Rust equivalents of the shaders run.
    let cpu = state.answer.as_ref().is_some_and(|answer| answer.device.backend == "CPU");
    let ran = if cpu { "the WGSL whose CPU version just ran" } else { "the WGSL that just ran" };
    let file = |kernel: &String| {
        let open = {
            let (cx, kernel) = (cx.clone(), kernel.clone());
            Callback::from(move |_: Event| {
                if !cx.state.lesson.codes.contains_key(&kernel) {
                    cx.ask_with(Command::Lesson(LessonCommand::Code { kernel: kernel.clone() }), None);
                }
            })
        };
        let wgsl = state.codes.get(kernel).cloned().unwrap_or_default();
        html! {
            <details ontoggle={open} key={kernel.clone()}>
                <summary>{format!("{kernel}, {ran}")}</summary>
                <pre tabindex="0" data-testid="wgsl">{wgsl}</pre>
            </details>
        }
    };
    html! {
        <details class="code" data-testid="lesson-code">
            <summary>{"As code"}</summary>
            <pre tabindex="0">{step.numpy}</pre>
            {for kernels.iter().map(file)}
        </details>
    }
}
