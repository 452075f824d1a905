//! Two models trained side by side, one with the causal mask and one without.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::shared::plot::Plot;
use glasshead::types::lesson::{PAIR_PROMPT, PAIR_STEPS, PairPoint, PairText};
use glasshead::wire::Command;
use glasshead::wire::lesson::LessonCommand;

/// Buttons, both losses, and sample texts of both models.
pub fn pair(cx: &Cx) -> Html {
    let pair = &cx.state.lesson.pair;
    let toggle = {
        let (cx, running) = (cx.clone(), pair.running);
        Callback::from(move |_: MouseEvent| {
            let backend = cx.state.lesson.backend;
            let command = if running { LessonCommand::PausePair } else { LessonCommand::TrainPair { backend } };
            cx.ask_with(Command::Lesson(command), None);
        })
    };
    let last = pair.points.last();
    let status = match last {
        Some(PairPoint { step, causal, open }) => {
            format!("step {step}: loss with the mask {causal:.3}, without it {open:.3}")
        }
        None if pair.running => "Preparing both models …".into(),
        None => format!(
            "Two models of one layer, {PAIR_STEPS} steps on the built-in stories: about a minute, longer \
            where the CPU emulates a GPU."
        ),
    };
    html! {
        <div class="drawn" data-testid="pair" data-step={last.map_or(0, |point| point.step).to_string()}
            data-running={pair.running.to_string()}>
            <p class="line">
                <button class="primary" data-testid="pair-train" onclick={toggle}>
                    {if pair.running { "pause" } else { "train both" }}
                </button>
                <span data-testid="pair-status" data-causal={last.map(|point| point.causal.to_string())}
                    data-open={last.map(|point| point.open.to_string())}>{status}</span>
                if let Some(device) = &pair.device { <small>{&device.name}</small> }
            </p>
            if !pair.points.is_empty() { {losses(&pair.points)} }
            if let Some(written) = &pair.written { {texts(written)} }
        </div>
    }
}

fn losses(points: &[PairPoint]) -> Html {
    let most = points.iter().map(|point| point.causal.max(point.open)).fold(1.0, f32::max);
    let plot = Plot { x: [1.0, points.len().max(50) as f32], y: [0.0, most] };
    let line =
        |of: fn(&PairPoint) -> f32, class| plot.curve(points.iter().map(|point| (point.step as f32, of(point))), class);
    let contents = html! { <>{line(|point| point.causal, "main-curve")}{line(|point| point.open, "way-2")}</> };
    let name = "Training losses of both models over the steps; the numbers stand above.".to_string();
    html! {
        <figure>
            {plot.frame(name, ["step", "training loss"], contents)}
            <figcaption>{"Solid: with the mask. Dashed: without it."}</figcaption>
        </figure>
    }
}

/// The sample texts of both models.
fn texts(written: &[PairText; 2]) -> Html {
    let one = |name: &str, id: &'static str, text: &PairText| {
        html! {
            <div>
                <h3>{format!("{name}, after {} steps", text.step)}</h3>
                <blockquote data-testid={id} data-end-loss={text.end_loss.to_string()}>
                    <b>{PAIR_PROMPT}</b>{&text.text}
                </blockquote>
                <p>{format!("loss of the token after a text that ends: {:.3}", text.end_loss)}</p>
            </div>
        }
    };
    let [causal, open] = written;
    html! {
        <div class="two" aria-live="polite">
            {one("With the mask", "pair-causal", causal)}{one("Without it", "pair-open", open)}
        </div>
    }
}
