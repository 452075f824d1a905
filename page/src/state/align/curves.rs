//! The curves of a stage.

use glasshead::types::align::{NodeInfo, StagePoint, StageScore};

/// A curve: its points as (x, y), in order.
pub type Curve = Vec<(f64, f64)>;

/// A small chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Mini {
    /// Title.
    pub title: &'static str,
    /// What it means.
    pub help: &'static str,
    /// Its latest value, formatted.
    pub latest: String,
    /// The curves, with the number of their color.
    pub curves: Vec<(u8, Curve)>,
    /// The range of y.
    pub range: [f64; 2],
}

/// x of an update.
fn x(point: &StagePoint, over_time: bool) -> f64 {
    if over_time { f64::from(point.seconds) } else { point.step as f64 }
}

/// x of an evaluation, which follows the update with the same number.
fn x_of_score(node: &NodeInfo, score: &StageScore, over_time: bool) -> f64 {
    if !over_time {
        return score.step as f64;
    }
    let after = node.points.partition_point(|point| point.step <= score.step);
    after.checked_sub(1).map_or(0.0, |at| f64::from(node.points[at].seconds))
}

/// A measurement of all updates that have it.
pub fn of_points(node: &NodeInfo, over_time: bool, of: impl Fn(&StagePoint) -> Option<f32>) -> Curve {
    node.points.iter().filter_map(|point| Some((x(point, over_time), f64::from(of(point)?)))).collect()
}

/// A result of all evaluations.
pub fn of_scores(node: &NodeInfo, over_time: bool, of: impl Fn(&StageScore) -> Option<f32>) -> Curve {
    node.scores.iter().filter_map(|score| Some((x_of_score(node, score, over_time), f64::from(of(score)?)))).collect()
}

/// Averages over neighbors, so that a noisy curve can be read; its ends keep their places.
pub fn smoothed(curve: &Curve, reach: usize) -> Curve {
    let mean = |at: usize| {
        let reach = reach.min(at).min(curve.len() - 1 - at);
        let part = &curve[at - reach..=at + reach];
        part.iter().map(|(_, y)| y).sum::<f64>() / part.len() as f64
    };
    (0..curve.len()).map(|at| (curve[at].0, mean(at))).collect()
}

/// The end of the x axis: all updates of the stage, or the seconds so far.
pub fn x_end(node: &NodeInfo, over_time: bool) -> f64 {
    if over_time {
        return node.points.last().map_or(1.0, |point| f64::from(point.seconds)).max(1e-3);
    }
    node.spec.as_ref().map_or(1, |spec| spec.steps.max(node.step)).max(1) as f64
}

/// The stages that differ from `node` in their seed alone, itself included.
pub fn same_but_seed<'n>(nodes: &'n [NodeInfo], node: &NodeInfo) -> Vec<&'n NodeInfo> {
    let key = |node: &NodeInfo| {
        let mut spec = node.spec.clone();
        spec.iter_mut().for_each(|spec| spec.seed = 0);
        (node.parent, spec)
    };
    nodes.iter().filter(|other| other.spec.is_some() && key(other) == key(node)).collect()
}

/// The mean exact match on held-out prompts over seeds with 1.96 standard errors to both sides, at the updates at which all of
/// them were evaluated: (update, mean, half width).
pub fn band(nodes: &[&NodeInfo]) -> Vec<(f64, f64, f64)> {
    let n = nodes.len() as f64;
    let Some((first, rest)) = nodes.split_first().filter(|(_, rest)| !rest.is_empty()) else { return Vec::new() };
    let at =
        |node: &NodeInfo, step: u64| node.scores.iter().find(|score| score.step == step).map(|s| f64::from(s.sampled));
    let row = |score: &StageScore| {
        let mut values = vec![f64::from(score.sampled)];
        for node in rest {
            values.push(at(node, score.step)?);
        }
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Some((score.step as f64, mean, 1.96 * (variance / n).sqrt()))
    };
    first.scores.iter().filter_map(row).collect()
}

/// The range of some curves, with 0 if they are close to it.
fn range(curves: &[(u8, Curve)]) -> [f64; 2] {
    let values = || curves.iter().flat_map(|(_, curve)| curve.iter().map(|&(_, y)| y)).filter(|y| y.is_finite());
    let (low, high) = values().fold((f64::MAX, f64::MIN), |(low, high), y| (low.min(y), high.max(y)));
    match (low, high) {
        (low, high) if low > high => [0.0, 1.0],
        (low, high) if low >= 0.0 && low < 0.5 * high => [0.0, high],
        (low, high) if high <= 0.0 && high > 0.5 * low => [low, 0.0],
        (low, high) if high - low < 1e-6 * high.abs().max(1e-3) => {
            [low - 0.5 * low.abs().max(1e-3), high + 0.5 * high.abs().max(1e-3)]
        }
        (low, high) => [low - 0.1 * (high - low), high + 0.1 * (high - low)],
    }
}

/// A number with three significant digits.
pub fn short(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 || v == 0.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}").replace('-', "−")
}

/// A share as a percentage.
pub fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

type Measure = fn(&StagePoint) -> Option<f32>;

/// The small charts of a stage: those of its measurements that it has, at most eight.
pub fn minis(node: &NodeInfo, over_time: bool) -> Vec<Mini> {
    const MEASURES: [(&str, &str, u8, Measure); 8] = [
        ("Answer length", "Mean number of tokens of a sampled answer", 5, |point| point.length),
        ("Entropy", "Mean entropy per token of an answer, in nats", 2, |point| point.entropy),
        ("KL to the start", "KL divergence from the beginning of the stage, in nats per token", 6, |point| point.kl),
        ("Groups without signal", "Groups in which every answer got the same reward teach nothing", 4, |point| {
            point.without_signal
        }),
        ("Clip fraction", "Share of answer tokens that the clip range affects", 6, |point| point.clip_fraction),
        ("Pairs preferred", "Share of pairs whose chosen answer has the larger implicit reward", 3, |point| {
            point.accuracy
        }),
        ("Gradient norm", "Norm of the gradient before clipping", 1, |point| Some(point.grad_norm)),
        ("Loss", "Loss of the update", 1, |point| Some(point.loss)),
    ];
    let mut all = Vec::new();
    let margins =
        [of_points(node, over_time, |point| point.chosen), of_points(node, over_time, |point| point.rejected)];
    if let [chosen, rejected] = &margins
        && let Some(((_, chosen_now), (_, rejected_now))) = chosen.last().zip(rejected.last())
    {
        let curves = vec![(3, chosen.clone()), (6, rejected.clone())];
        all.push(Mini {
            title: "Chosen, rejected",
            help: "Change of the log-probability of chosen (green) and rejected answers since the beginning",
            latest: format!("{} · {}", short(*chosen_now), short(*rejected_now)),
            range: range(&curves),
            curves,
        });
    }
    for (title, help, color, of) in MEASURES {
        let curve = of_points(node, over_time, of);
        let Some(&(_, latest)) = curve.last() else { continue };
        let share = matches!(title, "Groups without signal" | "Clip fraction" | "Pairs preferred");
        let curves = vec![(color, curve)];
        let latest = if share { percent(latest) } else { short(latest) };
        let range = if share { [0.0, 1.0] } else { range(&curves) };
        all.push(Mini { title, help, latest, range, curves });
    }
    let old = of_scores(node, over_time, |score| Some(score.old_loss).filter(|&loss| loss > 0.0));
    if let Some(&(_, latest)) = old.last() {
        let curves = vec![(2, old)];
        all.insert(
            all.len().min(4),
            Mini {
                title: "Loss on the old text",
                help: "Loss on the text of pretraining, in nats per token: what was forgotten",
                latest: short(latest),
                range: range(&curves),
                curves,
            },
        );
    }
    all.truncate(8);
    all
}

/// The probability that at least one of `k` of `n` samples is right when `right` of all are, without bias.
fn pass_at(n: usize, right: usize, k: usize) -> f64 {
    let wrong = n - right.min(n);
    if k > wrong {
        return if right > 0 { 1.0 } else { 0.0 };
    }
    1.0 - (0..k).map(|i| (wrong - i) as f64 / (n - i) as f64).product::<f64>()
}

/// pass@1 to pass@G of a batch: the mean over prompts.
pub fn pass_at_k(exact: &[&[bool]]) -> Vec<f64> {
    let group = exact.iter().map(|group| group.len()).min().unwrap_or(0);
    let right = |group: &[bool]| group.iter().filter(|&&exact| exact).count();
    let mean =
        |k: usize| exact.iter().map(|of| pass_at(of.len(), right(of), k)).sum::<f64>() / exact.len().max(1) as f64;
    (1..=group).map(mean).collect()
}

/// The reward histogram of a batch: its bins' lower ends, their width, and for each the (prompt, answer) indices in it.
pub fn histogram(rewards: &[&[f32]], n_bins: usize) -> (f32, f32, Vec<Vec<(usize, usize)>>) {
    let all = || rewards.iter().flat_map(|group| group.iter().copied()).filter(|reward| reward.is_finite());
    let low = all().fold(0.0_f32, f32::min);
    let high = all().fold(low.max(0.0) + 1.0_f32.min(1.0 - low.min(0.0)), f32::max);
    let width = (high - low).max(1e-6) / n_bins as f32;
    let mut bins = vec![Vec::new(); n_bins];
    for (prompt, group) in rewards.iter().enumerate() {
        for (answer, reward) in group.iter().enumerate().filter(|(_, reward)| reward.is_finite()) {
            let bin = (((reward - low) / width) as usize).min(n_bins - 1);
            bins[bin].push((prompt, answer));
        }
    }
    (low, width, bins)
}
