//! The checks of the experiments: when a phase is complete, and what its result means.

use super::super::{RunState, State};
use glasshead::types::inspect::ScoreKind;

/// The induction score that counts as an induction head.
const INDUCTION: f32 = 0.6;
/// The training loss of a model that copies its answers.
const LEAKED: f64 = 0.5;
/// Steps of each run of a comparison.
pub(super) const COMPARED_STEPS: u64 = 200;
/// Steps of the run with one layer.
pub(super) const ONE_LAYER_STEPS: u64 = 800;
/// The share of right answers that counts as solved.
const SOLVED: f64 = 0.8;
/// The loss below which a run has recovered.
const RECOVERED: f64 = 5.0;

/// The highest score of a kind, once it passes `at_least`.
fn best_score(state: &State, kind: ScoreKind, at_least: f32) -> Option<f64> {
    let (_, scores) = state.ask.scores.snapshots.last()?;
    let (_, score) = state.ask.scores.best(kind, scores);
    (score >= at_least).then_some(f64::from(score))
}

pub(super) fn induction(state: &State) -> Option<f64> {
    best_score(state, ScoreKind::Induction, INDUCTION)
}

/// The mean training loss of the last 20 steps.
fn recent_loss(state: &State) -> Option<f64> {
    let points = &state.history.points;
    let last = points.get(points.len().checked_sub(20)?..)?;
    Some(last.iter().map(|point| f64::from(point.loss)).sum::<f64>() / last.len() as f64)
}

/// The recent loss once the steps of a comparison are done.
pub(super) fn compared_loss(state: &State) -> Option<f64> {
    recent_loss(state).filter(|_| state.step >= COMPARED_STEPS)
}

pub(super) fn leaked(state: &State) -> Option<f64> {
    recent_loss(state).filter(|loss| *loss < LEAKED)
}

/// The latest share of right answers.
fn right(state: &State) -> Option<f64> {
    state.data.scores.last().map(|point| point.right as f64 / point.of.max(1) as f64)
}

/// The share of right answers once the steps with one layer are done.
pub(super) fn right_with_one_layer(state: &State) -> Option<f64> {
    right(state).filter(|_| state.step >= ONE_LAYER_STEPS)
}

pub(super) fn solved(state: &State) -> Option<f64> {
    right(state).filter(|share| *share >= SOLVED)
}

/// Never complete before the limit; see [`Phase::limit`].
pub(super) fn at_the_limit(_: &State) -> Option<f64> {
    None
}

/// The step at which the run, after it diverged and went back, is learning again.
pub(super) fn recovered(state: &State) -> Option<f64> {
    let diverged = state.runs.went_back > 0 && state.run_state == RunState::Training;
    recent_loss(state).filter(|loss| diverged && *loss < RECOVERED).map(|_| state.step as f64)
}

/// The share of right answers in percent.
fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

pub(super) fn induction_formed(state: &State, values: &[f64]) -> (bool, String) {
    let step = state.ask.scores.snapshots.last().map_or(state.step, |(step, _)| *step);
    match values {
        [score] if score.is_finite() => {
            (true, format!("Induction score {score:.2}, above {INDUCTION}, at step {step}."))
        }
        _ => (false, format!("No induction score above {INDUCTION} after {} steps.", state.step)),
    }
}

pub(super) fn mask_leaked(state: &State, values: &[f64]) -> (bool, String) {
    let passed = values[0].is_finite();
    let loss = recent_loss(state).unwrap_or(f64::NAN);
    let sentence = if passed {
        format!("Training loss {loss:.2}, below {LEAKED}, at step {}: the model copies the next token.", state.step)
    } else {
        format!("The training loss is {loss:.2} after {} steps, not below {LEAKED}.", state.step)
    };
    (passed, sentence)
}

/// Two runs whose losses after the same steps are compared; `names` are theirs.
fn compared(values: &[f64], names: [&str; 2]) -> (bool, String) {
    let [first, second] = *values else { return (false, "One of the runs did not end.".into()) };
    let [a, b] = names;
    let passed = first.is_finite() && second.is_finite();
    (passed, format!("Loss after {COMPARED_STEPS} steps: {a} {first:.2}, {b} {second:.2}."))
}

pub(super) fn positions_compared(_: &State, values: &[f64]) -> (bool, String) {
    let (complete, sentence) = compared(values, ["with positions", "without"]);
    (complete && values[0] + 0.1 < values[1], sentence)
}

pub(super) fn tied_compared(_: &State, values: &[f64]) -> (bool, String) {
    compared(values, ["untied", "tied"])
}

pub(super) fn heads_compared(_: &State, values: &[f64]) -> (bool, String) {
    compared(values, ["one head per layer", "four"])
}

pub(super) fn layers_compared(state: &State, values: &[f64]) -> (bool, String) {
    let [first, second] = *values else { return (false, "One of the runs did not end.".into()) };
    let passed = second.is_finite() && first.is_finite() && second > first;
    let second = if second.is_finite() { second } else { right(state).unwrap_or(0.0) };
    (passed, format!("Right answers: {} with one layer, {} with two.", percent(first.max(0.0)), percent(second)))
}

pub(super) fn rate_recovered(state: &State, values: &[f64]) -> (bool, String) {
    match values {
        [step] if step.is_finite() => {
            let loss = recent_loss(state).unwrap_or(f64::NAN);
            let lr = state.run_config().map_or(0.0, |config| config.train.max_lr);
            (true, format!("Recovered: loss {loss:.2} at step {step:.0}, with a learning rate of {lr}."))
        }
        _ => (false, format!("The run has not diverged and recovered within {} steps.", state.step)),
    }
}

pub(super) fn model_opened(state: &State, _: &[f64]) -> (bool, String) {
    let Some(maps) = &state.maps else { return (false, "The model has no attention maps.".into()) };
    let (layers, heads) = (maps.n_layers, maps.n_heads);
    (true, format!("{} is open: {layers} layers of {heads} heads, {} in all.", state.runs.name, layers * heads))
}

/// Whether the held-out loss is below what bigrams of the text reach.
pub(super) fn beats_bigram(state: &State) -> Option<f64> {
    let bigram = state.summary.as_ref()?.baselines.bigram;
    let loss = f64::from(state.history.validation.last()?.loss);
    (loss < bigram).then_some(loss)
}

pub(super) fn text_learned(state: &State, values: &[f64]) -> (bool, String) {
    let bigram = state.summary.as_ref().map_or(f64::NAN, |summary| summary.baselines.bigram);
    match values {
        [loss] if loss.is_finite() => {
            (true, format!("Held-out loss {loss:.2} at step {}, below the bigram's {bigram:.2}.", state.step))
        }
        _ => (false, format!("The held-out loss is still above the bigram's {bigram:.2} after {} steps.", state.step)),
    }
}
