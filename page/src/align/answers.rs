//! The prompts of an update, and one group of answers before and now.

use yew::prelude::*;

use super::histogram::Histogram;
use super::{act, on};
use crate::core::context::Cx;
use crate::shared::segmented::{Choice, Segmented};
use crate::shared::value_of;
use crate::shared::visible;
use crate::state::align::curves::{pass_at_k, percent};
use crate::state::align::{AlignAction, AlignState, TokenColor};
use glasshead::types::align::{Answer, AnswerToken, PromptGroup};

/// Maximum number of answers of a group that are listed.
const MAX_ANSWERS: usize = 8;

#[component]
pub fn Answers(cx: &Cx) -> Html {
    let align = &cx.state.align;
    let color = |color: TokenColor| Choice {
        label: color.title().into(),
        title: color.meaning().into(),
        testid: format!("align-color-{}", color.title().to_lowercase()).into(),
        on: align.color == color,
        choose: on(cx, AlignAction::Color(color)),
    };
    let side = |label: &'static str, only: bool| Choice {
        label: label.into(),
        title: AttrValue::default(),
        testid: format!("align-side-{only}").into(),
        on: align.only_now == only,
        choose: on(cx, AlignAction::OnlyNow(only)),
    };
    html! {
        <section class="tile answers-tile" aria-labelledby="align-answers">
            <header>
                <h2 id="align-answers">{"Answers"}</h2><span class="grow"></span>
                <Segmented label="Which answers" choices={vec![side("Before and now", false), side("Now", true)]} />
                <Segmented label="Color of tokens" choices={TokenColor::ALL.map(color).to_vec()} />
            </header>
            <div class="split">
                <div class="prompts">{prompts(cx)}</div>
                <div class="group">{group(cx)}</div>
            </div>
        </section>
    }
}

fn prompts(cx: &Cx) -> Html {
    let align = &cx.state.align;
    let Some(batch) = &align.batch else {
        let words = if align.running { "Waiting for the first answers…" } else { "No answers yet." };
        return html! { <p class="hint">{words}</p> };
    };
    let samples = align.current().and_then(|node| node.points.last()).is_some_and(|point| point.reward.is_some());
    let what = if samples {
        format!("{} prompts of update {}", batch.groups.len(), batch.step)
    } else {
        format!("{} held-out prompts", batch.groups.len())
    };
    let shown = align.shown.as_ref().map(|shown| shown.about.prompt.clone());
    let row = |group: &PromptGroup| {
        let pinned = align.pinned.as_ref() == Some(&group.prompt);
        let chosen = (!pinned).then(|| group.prompt.clone());
        let right = group.exact.iter().filter(|&&exact| exact).count();
        let marks = group.rewards.iter().zip(&group.exact).map(|(reward, exact)| {
            let class = if *exact {
                "right"
            } else if *reward > 0.0 {
                "partly"
            } else {
                ""
            };
            html! { <i {class}></i> }
        });
        let current = shown.as_ref() == Some(&group.prompt);
        html! {
            <li>
                <button class={classes!(current.then_some("current"))} aria-pressed={pinned.to_string()} onclick={on(cx, AlignAction::Pin(chosen))} data-testid="align-prompt">
                    <span class="mono">{visible(&group.prompt)}</span><b>{format!("{right}/{}", group.exact.len())}</b>
                    <span class="marks" aria-hidden="true">{for marks}</span>
                </button>
            </li>
        }
    };
    let exact: Vec<&[bool]> = batch.groups.iter().map(|group| group.exact.as_slice()).collect();
    let pass = pass_at_k(&exact);
    let bar = |(at, share): (usize, &f64)| {
        html! { <i style={format!("height:{:.0}%", 100.0 * share)} title={format!("pass@{}: {}", at + 1, percent(*share))}></i> }
    };
    let ends = pass
        .first()
        .zip(pass.last())
        .map(|(one, all)| format!("pass@1 {}, pass@{} {}", percent(*one), pass.len(), percent(*all)));
    html! {
        <>
            <p class="hint">{what}</p>
            <ol tabindex="0" aria-label="Prompts">{for batch.groups.iter().map(row)}</ol>
            <div class="pass" title="Share of prompts with at least one right answer among k">
                <span>{"pass@k"}</span><div class="bars" role="img" aria-label={ends.clone()}>{for pass.iter().enumerate().map(bar)}</div>
                <small data-testid="align-pass">{ends.map(|ends| ends.replace("pass@", "@"))}</small>
            </div>
            <Histogram ..cx.clone() />
        </>
    }
}

fn group(cx: &Cx) -> Html {
    let align = &cx.state.align;
    if let Some(listed) = super::histogram::listed(cx) {
        return listed;
    }
    let Some(shown) = &align.shown else {
        return html! { <p class="empty">{"The answers to one prompt appear here, before the stage and now."}</p> };
    };
    let about = &shown.about;
    let mean =
        |answers: &[Answer]| answers.iter().map(|answer| answer.reward).sum::<f32>() / answers.len().max(1) as f32;
    let right = about
        .answer
        .as_ref()
        .map(|answer| html! { <div><small>{"Right answer"}</small><b class="mono">{visible(answer)}</b></div> });
    let name = |(id, step): (u32, u64)| {
        let node = align.node(id).map_or(String::new(), |node| node.name.clone());
        format!("{node} · update {step}")
    };
    let n_rows = about.now.len().max(about.before.len()).min(MAX_ANSWERS);
    let largest = largest(align, about.before.iter().chain(&about.now));
    let rows = (0..n_rows).map(|at| {
        html! {
            <>
                if !align.only_now { {answer(align, about.before.get(at), largest)} }
                {answer(align, about.now.get(at), largest)}
            </>
        }
    });
    let ask = cx.call(|cx, event: Event| {
        let prompt = value_of(&event);
        act(cx, AlignAction::Pin(Some(prompt).filter(|prompt| !prompt.is_empty())));
    });
    html! {
        <>
            <div class="facts">
                <div><small>{"Prompt"}</small><b class="mono" data-testid="align-shown-prompt">{visible(&about.prompt)}</b></div>
                {right}
                <div><small>{"Mean of the group"}</small><b>{format!("{:.2} → {:.2}", mean(&about.before), mean(&about.now))}</b></div>
                <span class="grow"></span>
                <input class="own-prompt mono" aria-label="Your own prompt" placeholder="Your own prompt" autocomplete="off" onchange={ask} />
            </div>
            <div class={classes!("two", align.only_now.then_some("one"))} tabindex="0" role="region" aria-label="Answers of the group">
                if !align.only_now { <h3>{"Before "}<small>{name(about.from)}</small></h3> }
                <h3>{"Now "}<small>{name(about.to)}</small> if align.running { <span class="tag good">{"Live"}</span> }</h3>
                {for rows}
            </div>
            <div class="color-scale">
                <span>{scale_ends(align.color, largest)[0].clone()}</span><i class={align.color.title()}></i><span>{scale_ends(align.color, largest)[1].clone()}</span>
                <small>{align.color.meaning()}</small>
            </div>
        </>
    }
}

/// The number with full color.
fn largest<'a>(align: &AlignState, answers: impl Iterator<Item = &'a Answer>) -> f32 {
    let tokens = answers.flat_map(|answer| &answer.tokens);
    let most = tokens.map(|token| align.color.strength(token).abs()).filter(|s| s.is_finite()).fold(0.0, f32::max);
    match align.color {
        TokenColor::Probability => 1.0,
        TokenColor::Ratio => most.clamp(0.1, 4.0),
        TokenColor::Coefficient => most.max(1e-6),
    }
}

fn scale_ends(color: TokenColor, largest: f32) -> [String; 2] {
    match color {
        TokenColor::Coefficient => [format!("−{largest:.3}"), format!("+{largest:.3}")],
        TokenColor::Ratio => [format!("÷{:.1}", largest.exp2()), format!("×{:.1}", largest.exp2())],
        TokenColor::Probability => ["0".into(), "1".into()],
    }
}

fn answer(align: &AlignState, answer: Option<&Answer>, largest: f32) -> Html {
    let Some(answer) = answer else { return html! { <div class="answer"></div> } };
    let token = |token: &AnswerToken| {
        let part = (align.color.strength(token) / largest).clamp(-1.0, 1.0);
        let side = if part < 0.0 { "--bad" } else { "--s1" };
        let style = format!("background:color-mix(in srgb,var({side}) {:.0}%,var(--sunken))", 50.0 * part.abs());
        let title = format!(
            "coefficient {:+.4} · ratio {:.2} · probability {:.3}",
            token.coefficient, token.ratio, token.probability
        );
        html! { <i {style} title={title.replace('-', "−")}>{visible(&token.text.replace('\n', "⏎"))}</i> }
    };
    let (class, mark) = if answer.exact { ("good", "✓ right") } else { ("bad", "✕ wrong") };
    let cut = (!answer.ended).then_some(" · not ended");
    html! {
        <div class="answer">
            <div class="tokens mono">{for answer.tokens.iter().map(token)}</div>
            <small><b {class}>{mark}</b>{format!("reward {:.1} · advantage {:+.2}", answer.reward, answer.advantage).replace('-', "−")}{cut}</small>
        </div>
    }
}
