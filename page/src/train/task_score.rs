//! How many held-out examples of a task the model answers exactly, and a few of its answers.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::state::data::ScorePoint;
use crate::tokens::visible;
use glasshead::types::tasks::TaskAnswer;

/// Width and height of the history chart in SVG units.
const SIZE: (f64, f64) = (300.0, 40.0);

#[component]
pub fn TaskScore(cx: &Cx) -> Html {
    let data = &cx.state.data;
    let Some(ScorePoint { step, right, of }) = data.scores.last() else { return html! {} };
    html! {
        <div class="task-score">
            <h3>{"exact answers"}</h3>
            <p class="readout" data-testid="task-score">
                {format!("{right} of {of} held-out examples are right to the letter · step {step}")}
            </p>
            {history(&data.scores)}
            <ul class="answers">{for data.answers.iter().map(answer)}</ul>
        </div>
    }
}

fn answer(answer: &TaskAnswer) -> Html {
    let right = answer.written == answer.expected;
    let (mark, class) = if right { ("✓ right", "right") } else { ("✗ wrong", "wrong") };
    html! {
        <li data-testid="task-answer">
            <span {class}>{mark}</span>
            <code>{visible(&answer.prompt)}<strong>{visible(&answer.written)}</strong></code>
            if !right { <small>{format!("expected {}", visible(&answer.expected))}</small> }
        </li>
    }
}

/// The share of exact matches over the steps, on an axis from 0 to 1.
fn history(scores: &[ScorePoint]) -> Html {
    let last_step = scores.last().map_or(1, |point| point.step.max(1)) as f64;
    let (width, height) = SIZE;
    let at = |point: &ScorePoint| {
        let share = point.right as f64 / point.of.max(1) as f64;
        format!("{:.1},{:.1}", point.step as f64 / last_step * width, height - share * height)
    };
    let points = scores.iter().map(at).collect::<Vec<_>>().join(" ");
    let label = format!("share of right answers over {} scores, up to step {last_step}", scores.len());
    html! {
        <svg class="history" role="img" aria-label={label} viewBox={format!("-3 -3 {} {}", width + 6.0, height + 6.0)}>
            <line x1="0" x2={width.to_string()} y1="0" y2="0" />
            <line x1="0" x2={width.to_string()} y1={height.to_string()} y2={height.to_string()} />
            <polyline {points} />
        </svg>
    }
}
