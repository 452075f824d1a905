//! The histogram of rewards, whose bins list their answers, and that of preference margins.

use yew::prelude::*;

use super::on;
use crate::core::context::Cx;
use crate::shared::counted;
use crate::shared::visible;
use crate::state::align::curves::histogram;
use crate::state::align::{AlignAction, Batch};

/// Number of bins.
const BINS: usize = 10;

/// Maximum number of answers that are listed.
const MAX_LISTED: usize = 200;

fn bins(batch: &Batch) -> (f32, f32, Vec<Vec<(usize, usize)>>) {
    let rewards: Vec<&[f32]> = batch.groups.iter().map(|group| group.rewards.as_slice()).collect();
    histogram(&rewards, BINS)
}

#[component]
pub fn Histogram(cx: &Cx) -> Html {
    let align = &cx.state.align;
    if !align.margins.is_empty() {
        return margins(&align.margins);
    }
    let Some(batch) = &align.batch else { return html! {} };
    let (low, width, bins) = bins(batch);
    let most = bins.iter().map(Vec::len).max().unwrap_or(1).max(1);
    let bin = |(at, answers): (usize, &Vec<(usize, usize)>)| {
        let from = low + at as f32 * width;
        let open = align.bin == Some(at);
        let label = format!("{} with a reward from {from:.1} to {:.1}", counted(answers.len(), "answer"), from + width);
        let height = format!("height:{:.0}%", 100.0 * answers.len() as f64 / most as f64);
        html! {
            <button aria-pressed={open.to_string()} aria-label={label.clone()} title={label} disabled={answers.is_empty()}
                onclick={on(cx, AlignAction::Bin((!open).then_some(at)))} data-testid="align-bin"><i style={height}></i></button>
        }
    };
    html! {
        <div class="histogram" role="group" aria-label="Rewards">
            <span class="hint">{"Rewards"}</span>
            <div class="bins">{for bins.iter().enumerate().map(bin)}</div>
            <div class="ends" aria-hidden="true"><span>{format!("{low:.1}")}</span><span>{format!("{:.1}", low + BINS as f32 * width)}</span></div>
        </div>
    }
}

/// How the margins of pairs are distributed around 0.
fn margins(values: &[f32]) -> Html {
    let most = values.iter().fold(1e-3_f32, |most, value| most.max(value.abs()));
    let mut counts = [0_usize; BINS];
    values.iter().for_each(|value| {
        let place = ((value / most + 1.0) / 2.0 * BINS as f32) as usize;
        counts[place.min(BINS - 1)] += 1;
    });
    let high = counts.iter().max().copied().unwrap_or(1).max(1);
    let positive = values.iter().filter(|value| **value > 0.0).count();
    let label = format!("{positive} of {} pairs have a margin above 0", values.len());
    let bar = |(at, count): (usize, &usize)| {
        let class = if at < BINS / 2 { "negative" } else { "" };
        html! { <span><i {class} style={format!("height:{:.0}%", 100.0 * *count as f64 / high as f64)}></i></span> }
    };
    html! {
        <div class="histogram" title="How much more the log-probability of the chosen answer has grown than that of the rejected one, in nats">
            <span class="hint">{"Margins of the pairs"}</span>
            <div class="bins" role="img" aria-label={label.clone()} data-testid="align-margins">{for counts.iter().enumerate().map(bar)}</div>
            <div class="ends" aria-hidden="true"><span>{format!("−{most:.1}")}</span><span>{format!("+{most:.1}")}</span></div>
        </div>
    }
}

/// The answers of the chosen bin.
pub fn listed(cx: &Cx) -> Option<Html> {
    let align = &cx.state.align;
    let batch = align.batch.as_ref()?;
    let (low, width, bins) = bins(batch);
    let at = align.bin?;
    let answers = bins.get(at)?;
    let row = |&(prompt, answer): &(usize, usize)| {
        let group = &batch.groups[prompt];
        html! {
            <tr>
                <th scope="row" class="mono">{visible(&group.prompt)}</th>
                <td class="mono">{group.texts.get(answer).map(|text| visible(text))}</td>
                <td class="mono">{group.answer.as_ref().map(|text| visible(text))}</td>
                <td>{group.rewards.get(answer).map(|reward| format!("{reward:.2}"))}</td>
            </tr>
        }
    };
    let from = low + at as f32 * width;
    Some(html! {
        <div class="table listed" tabindex="0" role="region" aria-label="Answers of the bin" data-testid="align-listed">
            <p><b>{counted(answers.len(), "answer")}</b>{format!(" with a reward from {from:.1} to {:.1} in update {}. ", from + width, batch.step)}
                <button class="small" onclick={on(cx, AlignAction::Bin(None))}>{"Back to the group"}</button></p>
            <table>
                <thead><tr><th>{"Prompt"}</th><th>{"Answer"}</th><th>{"Right answer"}</th><th>{"Reward"}</th></tr></thead>
                <tbody>{for answers.iter().take(MAX_LISTED).map(row)}</tbody>
            </table>
        </div>
    })
}
