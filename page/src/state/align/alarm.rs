//! The collapse alarm: a stage whose reward falls far below its best, or whose reward, answer length and entropy fall together.

use glasshead::types::align::{NodeInfo, StagePoint};

/// Updates that a value is averaged over.
const WINDOW: usize = 8;

/// The share of its best that a reward has to fall below, alone and together with length or entropy.
const ALONE: f64 = 0.5;
const TOGETHER: f64 = 0.75;

/// The share of its earlier value that length or entropy has to fall below to count.
const FALLEN: f64 = 0.6;

/// The smallest best reward from which a fall counts, because smaller ones are noise.
const SIGNAL: f64 = 0.1;

/// A collapse.
#[derive(Clone, Debug, PartialEq)]
pub struct Collapse {
    /// The latest update before the fall.
    pub before: u64,
    /// The kept update to go back to.
    pub back_to: u64,
    /// What has fallen, in a sentence.
    pub message: String,
}

/// The mean of a measurement over [`WINDOW`] updates that end at `end`.
fn mean(points: &[StagePoint], end: usize, of: impl Fn(&StagePoint) -> Option<f32>) -> Option<f64> {
    let window = &points[(end + 1).checked_sub(WINDOW)?..=end];
    let values: Vec<f64> = window.iter().filter_map(|point| of(point).map(f64::from)).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Whether a stage has collapsed, and what to go back to.
pub fn collapse(node: &NodeInfo) -> Option<Collapse> {
    let points = &node.points;
    let last = points.len().checked_sub(1)?;
    let now = mean(points, last, |point| point.reward)?;
    let means = (0..=last).filter_map(|end| Some((end, mean(points, end, |point| point.reward)?)));
    let (best_at, best) = means.max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let fell = |of: fn(&StagePoint) -> Option<f32>| {
        let (before, now) = (mean(points, best_at, of)?, mean(points, last, of)?);
        (before > 0.0 && now < FALLEN * before).then_some([before, now])
    };
    let (length, entropy) = (fell(|point| point.length), fell(|point| point.entropy));
    let limit = if length.is_some() || entropy.is_some() { TOGETHER } else { ALONE };
    if best < SIGNAL || now >= limit * best {
        return None;
    }
    let before = points[best_at].step;
    let back_to = node.kept.iter().rev().find(|&&step| step <= before).copied().unwrap_or(0);
    let mut message = format!("The mean reward fell from {best:.2} to {now:.2}");
    if let Some([before, now]) = length {
        message += &format!(", answers from {before:.1} to {now:.1} tokens");
    }
    if let Some([before, now]) = entropy {
        message += &format!(", the entropy from {before:.2} to {now:.2} nats");
    }
    Some(Collapse { before, back_to, message: message + "." })
}
