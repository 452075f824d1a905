//! The view: setup bar, banners, tiles.

use web_sys::DragEvent;
use yew::prelude::*;

use super::answers::Answers;
use super::attention::Attention;
use super::curves::Curves;
use super::drawer::Drawer;
use super::setup::SetupBar;
use super::stages::Stages;
use super::{on, run, sends, store};
use crate::core::context::Cx;
use crate::core::files::listed;
use crate::shared::icon::{Icon, icon};
use crate::state::align::alarm::collapse;
use crate::state::align::recipes::Phase;
use crate::state::align::{AlignAction, AlignState};
use glasshead::wire::align::AlignCommand;

#[component]
pub fn AlignView(cx: &Cx) -> Html {
    run::use_project(cx);
    let align = &cx.state.align;
    let dropped = cx.call(|cx, event: DragEvent| {
        let files = listed(event.data_transfer().and_then(|data| data.files()));
        // Other files are opened by the page.
        if let Some(rows) = files.into_iter().find(|file| file.name().to_lowercase().ends_with(".jsonl")) {
            event.prevent_default();
            event.stop_propagation();
            store::load_rows(cx, rows);
        }
    });
    let stage = align.current().is_some_and(|node| node.spec.is_some());
    html! {
        <div class="align" ondrop={dropped} data-testid="align" data-running={align.running.to_string()}>
            <SetupBar ..cx.clone() />
            {banner(cx)}
            {recipe(cx)}
            <div class={classes!("tiles", (!stage).then_some("bare"))}>
                if stage {
                    <Curves ..cx.clone() />
                    <Answers ..cx.clone() />
                    <Attention ..cx.clone() />
                } else {
                    {empty(align)}
                }
                <Stages ..cx.clone() />
            </div>
            if align.settings_open { <Drawer ..cx.clone() /> }
        </div>
    }
}

fn empty(align: &AlignState) -> Html {
    let words = match &align.preparing {
        Some(what) => format!("{what}…"),
        None => "Begin a stage to see its rewards, its answers and how the heads change.".into(),
    };
    html! {
        <section class="tile start" aria-label="Stages">
            <div class="empty">
                <b>{words}</b>
                <p>{"SFT imitates given answers. From a model that gets some of them right, GRPO learns from a judge, and DPO from preferences. \
                     Where answers are known, more SFT costs four to eight times less than reinforcement learning."}</p>
                <p>{"Drop a .jsonl file here to use rows of your own: prompt and answer, prompt and response, or prompt, chosen and rejected."}</p>
            </div>
        </section>
    }
}

/// The most severe message: a problem, a collapse, a notice.
fn banner(cx: &Cx) -> Html {
    let align = &cx.state.align;
    let close = html! {
        <button class="square ghost" onclick={on(cx, AlignAction::DismissMessages)} aria-label="Close the message" title="Close">{icon(Icon::Close)}</button>
    };
    if let Some(problem) = &align.problem {
        return html! { <div class="banner bad" role="alert" data-testid="align-problem">{icon(Icon::Warning)}<p>{problem}</p>{close}</div> };
    }
    if let Some(node) = align.current()
        && let Some(collapse) = collapse(node)
        && align.dismissed.is_none_or(|(id, step)| id != node.id || node.step > step.saturating_add(50))
    {
        let back = sends(cx, AlignCommand::Rewind { step: collapse.back_to });
        return html! {
            <div class="banner warn" role="alert" data-testid="align-collapse">
                {icon(Icon::Warning)}
                <p><strong>{"The policy collapses. "}</strong>{&collapse.message}{" A lower learning rate or a KL penalty prevents that."}</p>
                <button class="primary" data-testid="align-go-back" onclick={back}>{format!("Rewind to update {}", collapse.back_to)}</button>
                <button class="ghost" onclick={on(cx, AlignAction::DismissAlarm)}>{"Dismiss"}</button>
            </div>
        };
    }
    match &align.notice {
        Some(notice) => {
            html! { <div class="banner" role="status" data-testid="align-notice">{icon(Icon::Info)}<p>{notice}</p>{close}</div> }
        }
        None => html! {},
    }
}

/// The experiment in progress, or its result.
fn recipe(cx: &Cx) -> Html {
    let Some(running) = &cx.state.align.recipe else { return html! {} };
    let stage = &running.recipe.stages[running.stage];
    let name = crate::state::align::draft::STAGES[stage.stage].1;
    let class = match &running.outcome {
        Some((true, _)) => "good",
        Some((false, _)) => "warn",
        None => "note",
    };
    html! {
        <div class={classes!("banner", "experiment", class)} data-testid="align-recipe" data-done={(running.phase == Phase::Done).to_string()}>
            {icon(Icon::Experiments)}
            <p>
                <strong>{running.recipe.title}</strong>{" "}
                {match &running.outcome {
                    Some((passed, sentence)) => html! {
                        <span role="status" data-testid="align-recipe-result" data-passed={passed.to_string()}>
                            {if *passed { "✓ " } else { "✕ " }}{sentence}
                        </span>
                    },
                    None => html! { <>{format!("Stage {} of {}: {name}. Watch: {}.", running.stage + 1, running.recipe.stages.len(), running.recipe.watch)}</> },
                }}
            </p>
            <button class="square ghost" onclick={on(cx, AlignAction::CloseRecipe)} aria-label="Close the experiment" title="Close the experiment; its stages stay">{icon(Icon::Close)}</button>
        </div>
    }
}
