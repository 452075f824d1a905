//! The rail of views and the top bar: transport, key numbers, device, runs, share.

use yew::prelude::*;

use crate::align::top::AlignTop;
use crate::core::context::Cx;
use crate::core::{navigation, preferences};
use crate::lesson::steps::STEPS;
use crate::overlay::view::Frame;
use crate::scale::{Transport, about as about_sweep};
use crate::shared::grouped;
use crate::shared::icon::{Icon, icon, logo};
use crate::shared::opens::Opens;
use crate::state::overlay::Overlay;
use crate::state::{Action, RunState, State, Theme, View};
use glasshead::config::{EVALUATION_TOKENS, Schedule};
use glasshead::types::CorpusChoice;

/// The icon of a view.
fn icon_of(view: View) -> Icon {
    match view {
        View::Train => Icon::Train,
        View::Align => Icon::Align,
        View::Scale => Icon::Scale,
        View::Data => Icon::Data,
        View::Tokenizer => Icon::Tokenizer,
        View::Lesson => Icon::Lesson,
        View::Systems => Icon::Systems,
        View::Experiments => Icon::Experiments,
    }
}

/// Whether a phone shows the view under “More”.
fn minor(view: View) -> bool {
    matches!(view, View::Tokenizer | View::Systems | View::Scale | View::Data)
}

fn link(cx: &Cx, view: View, testid: String) -> Html {
    let current = (view == cx.state.view).then_some("page");
    html! {
        <a class={classes!(minor(view).then_some("minor"))} href={navigation::link_to(view)} aria-current={current}
            data-testid={testid}>{icon(icon_of(view))}{view.title()}</a>
    }
}

#[component]
pub fn Rail(cx: &Cx) -> Html {
    let theme = cx.state.theme;
    let next_theme = cx.call(move |cx, _: MouseEvent| {
        let next = theme.next();
        preferences::save("theme", next.name());
        cx.act(Action::Theme(next));
    });
    let theme_hint = match theme {
        Theme::Auto => "Theme: follows the system. Click for light.",
        Theme::Light => "Theme: light. Click for dark.",
        Theme::Dark => "Theme: dark. Click to follow the system.",
    };
    let group = |views: &[View]| -> Html {
        views.iter().map(|&view| link(cx, view, format!("view-{}", view.name()))).collect()
    };
    html! {
        <nav class="rail" aria-label="Views" data-part="title">
            <h1 title="Glasshead">{"Glasshead"}{logo()}</h1>
            {group(&[View::Experiments])}
            <hr />
            {group(&[View::Train, View::Align, View::Scale, View::Data, View::Systems])}
            <hr />
            {group(&[View::Tokenizer, View::Lesson])}
            <Opens cx={cx.clone()} overlay={Overlay::MoreViews} class="more">{icon(Icon::More)}{"More"}</Opens>
            <Frame cx={cx.clone()} overlay={Overlay::MoreViews} label="More views" class="more-views">
                {for View::ALL.into_iter().filter(|&view| minor(view)).map(|view| link(cx, view, format!("more-{}", view.name())))}
            </Frame>
            <span class="grow"></span>
            <button class="minor" data-testid="theme" onclick={next_theme} title={theme_hint}>{icon(Icon::Theme)}{"Theme"}</button>
            <Opens cx={cx.clone()} overlay={Overlay::Help} class="minor" testid="help" hint="Keyboard and glossary (?)">
                {icon(Icon::Help)}{"Help"}
            </Opens>
        </nav>
    }
}

#[component]
pub fn TopBar(cx: &Cx) -> Html {
    html! {
        <header class="top">
            <Opens cx={cx.clone()} overlay={Overlay::Runs} class={classes!("run-button", subtitle(&cx.state).map(|_| "away"))} part="title saved" hint="Switch, compare or save runs">
                <b>{&cx.state.runs.name}</b>{icon(Icon::Down)}<small>{about(&cx.state)}</small>
            </Opens>
            {title(cx)}
            if cx.state.view == View::Align { <AlignTop ..cx.clone() /> }
            if cx.state.view == View::Scale { <Transport ..cx.clone() /> }
            <div class="run-controls" hidden={subtitle(&cx.state).is_some()}>
                <span class="rule" data-part="title"></span>
                {transport(cx)}
                <span class="rule" data-part="controls"></span>
                {numbers(cx)}
            </div>
            <span class="grow"></span>
            {running(cx)}
            {adapter(cx)}
            <Opens cx={cx.clone()} overlay={Overlay::Palette} class="command only-wide" part="title" hint="Search views, runs, experiments and settings">
                {icon(Icon::Search)}<span>{"Search or run a command"}</span><kbd>{"⌘K"}</kbd>
            </Opens>
            <Opens cx={cx.clone()} overlay={Overlay::Palette} class="ghost square only-narrow" part="title" label="Search or run a command"
                hint="Search or run a command (⌘K)">{icon(Icon::Search)}</Opens>
            <Opens cx={cx.clone()} overlay={Overlay::Runs} class="ghost" part="title saved" label="Runs" hint="Saved runs, import and export">
                {icon(Icon::Runs)}<span class="label">{"Runs"}</span>
            </Opens>
            <Opens cx={cx.clone()} overlay={Overlay::Share} class="ghost" part="title" testid="share" label="Share" hint="A link to this view">
                {icon(Icon::Share)}<span class="label">{"Share"}</span>
            </Opens>
        </header>
    }
}

/// What stands in the place of the transport in views that are not about the run.
fn subtitle(state: &State) -> Option<String> {
    match state.view {
        View::Experiments => Some("One click sets everything up and starts. Change any setting afterwards.".into()),
        View::Align => Some(String::new()),
        View::Lesson => {
            let (step, n) = (state.lesson.step + 1, STEPS.len());
            Some(format!("Step {step} of {n} · every number is computed live and can be changed"))
        }
        View::Scale => Some(about_sweep(&state.scale)),
        View::Data => Some(String::new()),
        _ => None,
    }
}

fn title(cx: &Cx) -> Html {
    if cx.state.view == View::Data {
        return html! { <crate::data::top::DataTop ..cx.clone() /> };
    }
    let Some(subtitle) = subtitle(&cx.state).filter(|subtitle| !subtitle.is_empty()) else { return html! {} };
    html! { <div class="view-title"><b>{cx.state.view.title()}</b><small>{subtitle}</small></div> }
}

/// The run in the background of a view without its transport.
fn running(cx: &Cx) -> Html {
    let state = &cx.state;
    if subtitle(state).is_none() || state.run_state != RunState::Training {
        return html! {};
    }
    html! {
        <a class="tag good" href={navigation::link_to(View::Train)}>
            <i class="dot"></i>{format!("{} training · {}", state.runs.name, grouped(state.step))}
        </a>
    }
}

/// The run's model and text in a few words.
fn about(state: &State) -> String {
    let model = super::setup_bar::model_name(state);
    let text = match state.draft.corpus {
        CorpusChoice::Task(number) => state.data.tasks.get(number).map(|task| task.name.clone()),
        CorpusChoice::File => state.draft.file_name.clone(),
        CorpusChoice::BuiltIn => None,
    };
    format!("{model} · {}", text.unwrap_or_else(|| "built-in stories".into()))
}

fn transport(cx: &Cx) -> Html {
    let state = &cx.state;
    let training = state.run_state == RunState::Training;
    let (image, label) = if training { (Icon::Pause, "Pause") } else { (Icon::Play, "Train") };
    let waiting = state.needs_restart() && state.problem().is_none();
    let restart_hint =
        if waiting { "Restart to apply the changed settings" } else { "Start again from random weights" };
    let halo = state.run_state == RunState::Ready && !state.runs.from_file;
    html! {
        <div class="transport" role="group" aria-label="Training" data-part="controls">
            <button data-testid="reset" class={classes!("large-button", waiting.then_some("waiting"))} disabled={state.problem().is_some()}
                onclick={cx.call(|cx, _: MouseEvent| cx.restart())} title={restart_hint} aria-label="Restart">
                {icon(Icon::Restart)}<span class="only-wide">{"Restart"}</span>
            </button>
            <button data-testid="train" class={classes!("large-button", "primary", halo.then_some("halo"))} disabled={!state.can_train()}
                onclick={cx.call(|cx, _: MouseEvent| cx.toggle_training())} title="Space">{icon(image)}{label}</button>
            <button data-testid="step" class="large-button" disabled={!state.can_train() || training} aria-label="One step"
                onclick={cx.call(|cx, _: MouseEvent| cx.step())} title="One step (.)">{icon(Icon::Step)}</button>
        </div>
    }
}

fn numbers(cx: &Cx) -> Html {
    let state = &cx.state;
    let loss = state.history.points.last().map(|point| point.loss);
    let val = state.history.validation.last().map(|point| point.loss);
    let number = |value: Option<f32>| value.map_or("–".to_string(), |value| format!("{value:.3}"));
    let training = state.run_state == RunState::Training;
    let speed = if training && state.tokens_per_s > 0.0 { grouped(state.tokens_per_s as usize) } else { "–".into() };
    let diverged = matches!(state.run_state, RunState::Diverged(_)).then_some("bad");
    let train = &state.draft.config.train;
    let of = (train.schedule != Schedule::Constant).then(|| format!(" / {}", grouped(train.schedule_steps)));
    html! {
        <dl class="numbers" data-part="controls">
            <div class="steps-number"><dt>{"Step"}</dt>
                <dd><span data-testid="step-count">{grouped(state.step)}</span><small title="length of the schedule">{of}</small></dd></div>
            <div title="Mean cross-entropy of the latest batch, in nats per token">
                <dt>{"Loss"}</dt><dd class={classes!(diverged)} data-testid="loss">{number(loss)}</dd>
            </div>
            <div title={format!("Mean cross-entropy over the same {} held-out tokens each time, which the model is never trained on, \
                                 in nats per token", grouped(EVALUATION_TOKENS))}>
                <dt>{"Held-out loss"}</dt><dd data-testid="val-loss">{number(val)}</dd>
            </div>
            <div><dt>{"Tokens/s"}</dt><dd data-testid="tokens-per-s" data-latest={(state.tokens_per_s as usize).to_string()}>{speed}</dd></div>
        </dl>
    }
}

fn adapter(cx: &Cx) -> Html {
    const SOFTWARE: &str =
        "This adapter is emulated on the processor: everything works, many times slower than on a graphics card.";
    if cx.state.view == View::Data {
        return html! {};
    }
    let Some(device) = &cx.state.device else {
        return html! { <span data-testid="adapter" data-part="controls" class="tag adapter">{"Looking for a GPU…"}</span> };
    };
    let workers = (cx.state.on_cpu() && cx.state.workers.computing > 1)
        .then(|| format!(" · {} workers", cx.state.workers.computing));
    let backend = (device.backend != device.name).then(|| format!(" · {}", device.backend));
    let title =
        format!("{}{}{}", device.name, backend.clone().unwrap_or_default(), workers.clone().unwrap_or_default());
    html! {
        <span data-testid="adapter" data-part="controls" class={classes!("tag", "adapter", device.software.then_some("warn"))} {title}>
            if device.software { {icon(Icon::Warning)} } else { <i class="dot" style="color:var(--good)"></i> }
            <span class="device-name">{&device.name}</span>
            if let Some(backend) = backend { <span class="hidden">{backend}</span> }
            if let Some(workers) = workers { <span>{workers}</span> }
            if device.software { <span class="badge" tabindex="0" title={SOFTWARE}>{"software"}</span> }
        </span>
    }
}
