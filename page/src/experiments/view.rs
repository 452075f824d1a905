//! The gallery, and the strip that follows the experiment in progress.

use yew::prelude::*;

use super::draw::Thumbnail;
use super::run::{link, needs_file};
use crate::core::context::Cx;
use crate::core::navigation;
use crate::overlay::icon::icon;
use crate::runs_drawer::export::{MODEL_FILES, open_picked};
use crate::scale::link::{CARDS, Card, PICTURE};
use crate::settings::text;
use crate::state::experiments::catalogue::{Begin, EXPERIMENTS, Experiment, Section};
use crate::state::experiments::{ExperimentsAction, Filter, Running, Stage, duration};
use crate::state::profile::ProfileState;
use crate::state::{Action, RunState, View};
use crate::units::grouped;

fn act(cx: &Cx, action: ExperimentsAction) -> Callback<MouseEvent> {
    let cx = cx.clone();
    Callback::from(move |_| cx.act(Action::Experiments(action.clone())))
}

/// The gallery of experiments.
#[component]
pub fn ExperimentsView(cx: &Cx) -> Html {
    use_speed(cx);
    let experiments = &cx.state.experiments;
    let sections = Section::ALL.into_iter().filter_map(|section| {
        let shown: Vec<&'static Experiment> =
            EXPERIMENTS.iter().filter(|one| one.section == section && experiments.shown(one)).collect();
        (!shown.is_empty()).then(|| group(cx, section, &shown))
    });
    html! {
        <div class="experiments" data-testid="experiments">
            {filters(cx)}
            <div class="gallery" tabindex="0" role="region" aria-label="Experiments">{for sections}{crate::align::cards::section(cx)}{sweeps(cx)}</div>
        </div>
    }
}

/// Measures the device once if nothing was measured on it yet and no run is training.
#[hook]
fn use_speed(cx: &Cx) {
    let state = &cx.state;
    let idle = matches!(state.run_state, RunState::Ready | RunState::Paused);
    let wanted =
        idle && state.experiments.speed.is_none() && state.profile.profile.is_none() && !state.profile.measuring;
    let cx = cx.clone();
    use_effect_with(wanted, move |&wanted| {
        if wanted && cx.state.profile.problem.is_none() {
            cx.send(&ProfileState::command());
            cx.act(Action::Profile);
        }
    });
}

fn filters(cx: &Cx) -> Html {
    let now = cx.state.experiments.filter;
    let button = |label: &'static str, filter: Filter| {
        html! {
            <button aria-pressed={(filter == now).to_string()} onclick={act(cx, ExperimentsAction::Filter(filter))}>{label}</button>
        }
    };
    let section = |section: Option<Section>| button(section.map_or("All", Section::title), Filter { section, ..now });
    let sections = std::iter::once(None).chain(Section::ALL.map(Some));
    let device = cx.state.device.as_ref().map(|device| device.name.clone());
    html! {
        <div class="setup-bar filters" role="group" aria-label="Filter">
            <div class="segmented">{for sections.map(section)}</div>
            <div class="segmented">
                {button("Any length", Filter { short: false, ..now })}
                {button("Under 2 min", Filter { short: true, ..now })}
            </div>
            <span class="grow"></span>
            if let Some(device) = device {
                <span class="count measured">{"Times for this device: "}<b>{device}</b></span>
            }
        </div>
    }
}

fn group(cx: &Cx, section: Section, shown: &[&'static Experiment]) -> Html {
    let id = format!("experiments-{}", section.title().to_lowercase().replace(' ', "-"));
    html! {
        <section aria-labelledby={id.clone()}>
            <h2 id={id}>{section.title()}<small>{section.subtitle()}</small></h2>
            <div class="cards">{for shown.iter().map(|experiment| card(cx, experiment))}</div>
        </section>
    }
}

/// Sweeps, which open in the Scale view.
fn sweeps(cx: &Cx) -> Html {
    if cx.state.experiments.filter.section.is_some() {
        return html! {};
    }
    let card = |card: &'static Card| {
        let link = navigation::with_entry(&navigation::link_to(View::Scale), "sweep", card.settings);
        html! {
            <a class="card" href={link} data-testid={format!("experiment-{}", card.name)} key={card.name}>
                <svg class="thumbnail" viewBox={format!("0 0 {} {}", PICTURE[0], PICTURE[1])} preserveAspectRatio="none" aria-hidden="true">
                    {for card.places().into_iter().enumerate().map(|(i, places)| curve(i, &places))}
                </svg>
                <b>{card.title}</b>
                <p>{card.text}</p>
                <small class="check">{icon("check")}{card.check}</small>
                <small class="time">{icon("clock")}{card.time}<span class="grow"></span>
                    <span class="button small primary start">{"Open"}</span></small>
            </a>
        }
    };
    html! {
        <section aria-labelledby="experiments-scaling">
            <h2 id="experiments-scaling">{"Scaling"}<small>{"Sweeps over model sizes on this device"}</small></h2>
            <div class="cards">{for CARDS.iter().map(card)}</div>
        </section>
    }
}

/// A curve of a sweep's picture.
fn curve(i: usize, places: &[(f64, f64)]) -> Html {
    let points: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let color = format!("var(--s{})", i % 6 + 1);
    let dot = |(x, y): &(f64, f64)| {
        html! { <circle cx={format!("{x:.1}")} cy={format!("{y:.1}")} r="3.5" style={format!("fill:{color}")} /> }
    };
    html! {
        <>
            <polyline points={points.join(" ")} style={format!("fill:none;stroke-width:2;stroke:{color}")} />
            {for places.iter().map(dot)}
        </>
    }
}

fn card(cx: &Cx, experiment: &'static Experiment) -> Html {
    let look = (cx.state.theme, cx.state.resizes);
    let measured = cx.state.experiments.durations.contains_key(experiment.name);
    let time = cx.state.experiments.time_text(experiment);
    html! {
        <a class="card" href={link(experiment)} data-testid={format!("experiment-{}", experiment.name)} key={experiment.name}>
            <Thumbnail picture={experiment.picture} {look} />
            <b>{experiment.title}</b>
            <p>{experiment.text}</p>
            <small class="check">{icon("check")}{experiment.check}</small>
            <small class="time" title={if measured { "Measured on this device." } else { "Estimated from this device's speed." }}>
                {icon("clock")}{time}
                <span class="grow"></span>
                <span class="button small primary start">{if needs_file(experiment) { "Choose files" } else { "Start" }}</span>
            </small>
        </a>
    }
}

/// Follows the experiment in progress; shows its result.
#[component]
pub fn ExperimentStrip(cx: &Cx) -> Html {
    super::run::use_experiments(cx);
    let Some(running) = &cx.state.experiments.running else { return html! {} };
    if cx.state.view != View::Train {
        return html! {};
    }
    let class = match &running.outcome {
        Some(outcome) if outcome.passed => "good",
        Some(_) => "warn",
        None => "note",
    };
    html! {
        <div class={classes!("banner", "experiment", class)} data-testid="experiment" data-stage={stage_name(running)}>
            {icon("flask")}
            <p>
                <strong>{running.experiment.title}</strong>
                {" "}
                {match &running.outcome {
                    None => progress(cx, running),
                    Some(outcome) => html! {
                        <span role="status" data-testid="experiment-result" data-passed={outcome.passed.to_string()}>
                            {if outcome.passed { "✓ " } else { "✕ " }}{&outcome.sentence}
                            if outcome.passed && outcome.seconds > 0.0 { <small>{format!(" {} of training.", duration(outcome.seconds))}</small> }
                        </span>
                    },
                }}
            </p>
            {files(cx, running)}
            if running.outcome.is_some() {
                <a class="button" href={navigation::link_to(View::Experiments)}>{"More experiments"}</a>
            }
            <button class="square ghost" data-testid="experiment-close" onclick={act(cx, ExperimentsAction::Close)}
                aria-label="Close the experiment" title="Close the experiment; the run stays">{icon("close")}</button>
        </div>
    }
}

fn stage_name(running: &Running) -> &'static str {
    match running.stage {
        Stage::NeedsFile => "file",
        Stage::Prepared | Stage::Starting => "starting",
        Stage::Training => "training",
        Stage::Done => "done",
    }
}

/// What to look for, and how far it is.
fn progress(cx: &Cx, running: &Running) -> Html {
    let experiment = running.experiment;
    let n = experiment.phases.len();
    let phase = if n > 1 {
        format!(" · run {} of {n}: {}", running.phase + 1, running.phase().name.to_lowercase())
    } else {
        String::new()
    };
    let usual = running.phase().usual;
    let step = if usual > 0 && running.stage == Stage::Training {
        format!(" · step {} of about {}", grouped(cx.state.step), grouped(usual))
    } else {
        String::new()
    };
    html! { <span>{experiment.watch}<small>{format!(" Check: {}{phase}{step}", experiment.check.to_lowercase())}</small></span> }
}

/// The file picker of experiments that need files.
fn files(cx: &Cx, running: &Running) -> Html {
    if running.stage != Stage::NeedsFile {
        return html! {};
    }
    let model = running.phase().begin == Begin::Model;
    let pick = {
        let cx = cx.clone();
        Callback::from(
            move |event: Event| if model { open_picked(&cx, &event) } else { text::open_picked(&cx, &event) },
        )
    };
    let (label, accept) =
        if model { ("Choose a model…", MODEL_FILES) } else { ("Choose text files…", text::TEXT_FILES) };
    html! {
        <label class="button primary file">
            {label}
            <input type="file" class="sr" multiple=true {accept} onchange={pick} data-testid="experiment-file" />
        </label>
    }
}
