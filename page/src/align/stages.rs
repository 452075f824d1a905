//! The chain of stages that leads to the present one, and its branches.

use yew::prelude::*;

use super::{act, sends};
use crate::core::context::Cx;
use crate::shared::grouped;
use crate::shared::icon::{Icon, icon};
use crate::state::align::AlignAction;
use crate::state::align::curves::percent;
use glasshead::types::align::{NodeId, NodeInfo};
use glasshead::wire::align::AlignCommand;

#[component]
pub fn Stages(cx: &Cx) -> Html {
    let align = &cx.state.align;
    let chain = align.chain();
    let others: Vec<&NodeInfo> = align.nodes.iter().filter(|node| chain.iter().all(|of| of.id != node.id)).collect();
    let current = align.current();
    let stage = |node: &NodeInfo| {
        let now = Some(node.id) == align.current;
        let done = node.spec.as_ref().map_or(100.0, |spec| 100.0 * node.step as f64 / spec.steps.max(1) as f64);
        html! {
            <button key={node.id} class={classes!("stage", now.then_some("now"))} aria-pressed={now.to_string()} data-testid="align-stage"
                onclick={sends(cx, AlignCommand::Select { node: node.id })} title={format!("{} {}: show it", node.name, about(node))}>
                if now { <i style={format!("width:{:.1}%", done.min(100.0))}></i> }
                <b>{&node.name}</b><span>{about(node)}</span>
            </button>
        }
    };
    html! {
        <section class="tile stages-tile" aria-label="Stages">
            if chain.is_empty() { <p class="hint">{"Stages follow each other here: pretraining, SFT, then RL or DPO."}</p> }
            <div class="chain">{for chain.into_iter().map(stage)}</div>
            {branches(cx, &others)}
            {current.map(|node| tools(cx, node))}
        </section>
    }
}

/// The steps and the latest result of a node.
fn about(node: &NodeInfo) -> String {
    let Some(spec) = &node.spec else {
        return if node.step == 0 { "random weights".into() } else { format!("{} steps", grouped(node.step)) };
    };
    let exact = node.scores.last().map(|score| format!(" · exact {}", percent(f64::from(score.sampled))));
    let old = node
        .scores
        .last()
        .filter(|score| score.old_loss > 0.0)
        .map(|score| format!(" · old text {:.2}", score.old_loss));
    format!("{} of {}{}{}", grouped(node.step), grouped(spec.steps), exact.unwrap_or_default(), old.unwrap_or_default())
}

/// The other stages, as a list.
fn branches(cx: &Cx, others: &[&NodeInfo]) -> Html {
    if others.is_empty() {
        return html! {};
    }
    let choose = cx.call(|cx, event: Event| {
        if let Ok(node) = crate::shared::value_of(&event).parse::<NodeId>() {
            super::send(cx, AlignCommand::Select { node });
        }
    });
    let align = &cx.state.align;
    let path = |node: &NodeInfo| {
        let parent =
            node.parent.and_then(|(parent, step)| Some(format!("from {} at {step}", align.node(parent)?.name)));
        format!("{} {} · {}", node.name, parent.unwrap_or_default(), about(node))
    };
    html! {
        <label class="pill" title="Stages that branch off"><span>{"Branches"}</span>
            <select onchange={choose} data-testid="align-branches" aria-label="Branches">
                <option value="" selected=true>{others.len()}</option>
                {for others.iter().map(|node| html! { <option value={node.id.to_string()}>{path(node)}</option> })}
            </select>
        </label>
    }
}

fn tools(cx: &Cx, node: &NodeInfo) -> Html {
    let align = &cx.state.align;
    let (id, leaf) =
        (node.id, align.nodes.iter().all(|other| other.parent.is_none_or(|(parent, _)| parent != node.id)));
    let branch = cx.call(move |cx, event: Event| {
        if let Ok(step) = crate::shared::value_of(&event).parse() {
            act(cx, AlignAction::Branch(id, step));
        }
    });
    let rewind = cx.call(|cx, event: Event| {
        if let Ok(step) = crate::shared::value_of(&event).parse() {
            super::send(cx, AlignCommand::Rewind { step });
        }
    });
    let steps = || {
        node.kept
            .iter()
            .rev()
            .map(|step| html! { <option value={step.to_string()}>{format!("update {step}")}</option> })
    };
    html! {
        <div class="stage-tools">
            if node.spec.is_some() {
                <label class="pill" title="Return this stage to a kept update"><span>{"Rewind to"}</span>
                    <select onchange={rewind} data-testid="align-rewind-to" aria-label="Rewind to"><option value="" selected=true>{"…"}</option>{for steps()}</select></label>
                <label class="pill" title="Begin the next stage at a kept update of this one"><span>{"Branch from"}</span>
                    <select onchange={branch} data-testid="align-branch" aria-label="Branch from"><option value="" selected=true>{"…"}</option>{for steps()}</select></label>
            }
            <button class="small" data-testid="align-export" onclick={sends(cx, AlignCommand::Export { loose: false })} title="Hugging Face files as a .zip">{icon(Icon::Save)}{"Export"}</button>
            if leaf {
                <button class="small ghost" data-testid="align-remove" onclick={sends(cx, AlignCommand::Remove { node: id })} aria-label="Remove this stage" title="Remove this stage">{icon(Icon::Close)}</button>
            }
            <span class="hidden">{on_words(align.running)}</span>
        </div>
    }
}

fn on_words(running: bool) -> &'static str {
    if running { "The stage is being trained." } else { "The stage is paused." }
}
