//! Paired runs on texts that differ in their filters alone: which ones, their results, and intervals.

use std::collections::BTreeMap;

use glasshead_filter::settings::Stage;
use glasshead_filter::wire::TextOf;
use serde::{Deserialize, Serialize};

use super::names;

/// The number of steps that the field allows.
pub const MAX_STEPS: u64 = 20_000;

/// The number of seeds that the field allows.
pub const MAX_SEEDS: u64 = 8;

/// Points of a loss curve that are kept.
const MAX_POINTS: usize = 200;

/// One run: a text and a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Job {
    /// The text.
    pub of: TextOf,
    /// The seed of weights and batches.
    pub seed: u64,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The mean loss on the held-out text in nats per byte.
    pub held_out: f32,
    /// What the model writes.
    pub sample: String,
}

/// All runs of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// The text.
    pub of: TextOf,
    /// The losses of the finished runs, by seed.
    pub losses: Vec<f64>,
    /// The mean of the losses.
    pub mean: f64,
    /// Half of the 95 % interval of the mean; `None` for fewer than two runs.
    pub half_width: Option<f64>,
    /// A sample of its first run.
    pub sample: String,
}

/// Runs and results.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// Steps of each run.
    pub steps: u64,
    /// Seeds of each text.
    pub seeds: u64,
    /// Runs that wait, in order.
    pub queue: Vec<Job>,
    /// Runs in progress: steps done and latest loss.
    pub running: BTreeMap<Job, (u64, f32)>,
    /// Loss curves by run.
    pub curves: BTreeMap<Job, Vec<(u64, f32)>>,
    /// Results by run.
    pub results: BTreeMap<Job, Outcome>,
    /// The steps and the settings that the results belong to.
    pub made_with: Option<(u64, BTreeMap<String, String>)>,
    /// What went wrong.
    pub problem: Option<String>,
}

impl Default for Effect {
    fn default() -> Self {
        Self {
            steps: 1500,
            seeds: 3,
            queue: Vec::new(),
            running: BTreeMap::new(),
            curves: BTreeMap::new(),
            results: BTreeMap::new(),
            made_with: None,
            problem: None,
        }
    }
}

/// Actions on the effect.
#[derive(Clone, Debug)]
pub enum EffectAction {
    /// Sets the number of steps.
    Steps(u64),
    /// Sets the number of seeds.
    Seeds(u64),
    /// Queues runs on these texts, made with these settings.
    Train(Vec<TextOf>, BTreeMap<String, String>),
    /// A run was started.
    Begin(Job),
    /// Progress of a run.
    Point(Job, u64, f32),
    /// The result of a run.
    Done(Job, Outcome),
    /// Restores results of an earlier visit.
    Restore(Saved),
    /// All runs are given up; a message if something went wrong.
    Stop(Option<String>),
}

/// Results in the browser's storage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    steps: u64,
    seeds: u64,
    settings: BTreeMap<String, String>,
    results: Vec<(TextOf, u64, Outcome)>,
}

impl Effect {
    /// Whether runs are in progress or wait.
    pub fn busy(&self) -> bool {
        !self.queue.is_empty() || !self.running.is_empty()
    }

    /// The share of all queued work that is done, 0 to 1.
    pub fn share(&self) -> f64 {
        let done = self.results.len() as f64;
        let partial: f64 = self.running.values().map(|(step, _)| *step as f64 / self.steps.max(1) as f64).sum();
        (done + partial) / (self.results.len() + self.running.len() + self.queue.len()).max(1) as f64
    }

    /// Whether the results belong to other settings than these.
    pub fn outdated(&self, settings: &BTreeMap<String, String>) -> bool {
        self.made_with.as_ref().is_some_and(|(_, made)| made != settings)
    }

    /// Applies an action.
    pub fn apply(&mut self, action: EffectAction) {
        match action {
            EffectAction::Steps(steps) => self.steps = steps.clamp(1, MAX_STEPS),
            EffectAction::Seeds(seeds) => self.seeds = seeds.clamp(1, MAX_SEEDS),
            EffectAction::Train(texts, settings) => self.queue(&texts, settings),
            EffectAction::Begin(job) => {
                self.queue.retain(|waiting| *waiting != job);
                self.running.insert(job, (0, f32::NAN));
                self.curves.insert(job, Vec::new());
            }
            EffectAction::Point(job, step, loss) => {
                if let Some(progress) = self.running.get_mut(&job) {
                    *progress = (step, loss);
                    let curve = self.curves.entry(job).or_default();
                    if curve.last().is_none_or(|(last, _)| step - last >= self.steps / MAX_POINTS as u64) {
                        curve.push((step, loss));
                    }
                }
            }
            EffectAction::Done(job, outcome) => {
                if self.running.remove(&job).is_some() {
                    self.results.insert(job, outcome);
                }
            }
            EffectAction::Restore(saved) => {
                let job = |(of, seed, outcome)| (Job { of, seed }, outcome);
                (self.steps, self.seeds) = (saved.steps.clamp(1, MAX_STEPS), saved.seeds.clamp(1, MAX_SEEDS));
                self.results = saved.results.into_iter().map(job).collect();
                self.made_with = Some((saved.steps, saved.settings));
            }
            EffectAction::Stop(problem) => {
                self.queue.clear();
                self.running.clear();
                self.problem = problem;
            }
        }
    }

    /// Queues what is missing; results of other settings or steps are discarded.
    fn queue(&mut self, texts: &[TextOf], settings: BTreeMap<String, String>) {
        let made_with = Some((self.steps, settings));
        if self.made_with != made_with {
            (self.results, self.curves) = (BTreeMap::new(), BTreeMap::new());
            self.made_with = made_with;
        }
        self.problem = None;
        // Seed by seed, so that every text has a result early.
        for seed in 1..=self.seeds {
            for &of in texts {
                let job = Job { of, seed };
                let known = self.results.contains_key(&job) || self.running.contains_key(&job);
                if !known && !self.queue.contains(&job) {
                    self.queue.push(job);
                }
            }
        }
    }

    /// The texts with results, in the order of the pipeline.
    pub fn arms(&self) -> Vec<Arm> {
        let mut by_text: BTreeMap<u8, (TextOf, Vec<&Outcome>)> = BTreeMap::new();
        for (job, outcome) in &self.results {
            by_text.entry(place(job.of)).or_insert((job.of, Vec::new())).1.push(outcome);
        }
        by_text.into_values().map(|(of, outcomes)| arm(of, &outcomes)).collect()
    }

    /// The share of the gap between unfiltered and clean text that filtering wins back, 0 to 1.
    pub fn recovered(&self) -> Option<f64> {
        let arms = self.arms();
        let mean = |of: TextOf| arms.iter().find(|arm| arm.of == of).map(|arm| arm.mean);
        let (before, after, clean) = (mean(TextOf::Before)?, mean(TextOf::Kept)?, mean(TextOf::Clean)?);
        (before > clean).then(|| (before - after) / (before - clean))
    }

    /// The results for the browser's storage.
    pub fn saved(&self) -> Option<Saved> {
        let (steps, settings) = self.made_with.clone()?;
        let results = self.results.iter().map(|(job, outcome)| (job.of, job.seed, outcome.clone())).collect();
        Some(Saved { steps, seeds: self.seeds, settings, results })
    }
}

/// The place of a text in the order of the pipeline.
fn place(of: TextOf) -> u8 {
    match of {
        TextOf::Before => 0,
        TextOf::After { stage } => 1 + stage as u8,
        TextOf::Kept => 100,
        TextOf::Clean => 101,
        TextOf::HeldOut => 102,
    }
}

/// The title of a text.
pub fn title(of: TextOf) -> String {
    match of {
        TextOf::Before => "Before".into(),
        TextOf::After { stage } => format!("+ {}", names::stage(stage)),
        TextOf::Kept => "After all filters".into(),
        TextOf::Clean => "Clean text".into(),
        TextOf::HeldOut => "Held-out text".into(),
    }
}

/// The texts after each stage that is on, and both ends.
pub fn ladder(enabled: impl Fn(Stage) -> bool, clean: bool) -> Vec<TextOf> {
    let stages = Stage::ALL.into_iter().filter(|stage| !matches!(stage, Stage::Url | Stage::Extract | Stage::Mask));
    let mut texts = vec![TextOf::Before, TextOf::Kept];
    texts.extend(clean.then_some(TextOf::Clean));
    texts.extend(stages.filter(|stage| enabled(*stage)).map(|stage| TextOf::After { stage }));
    texts
}

fn arm(of: TextOf, outcomes: &[&Outcome]) -> Arm {
    let losses: Vec<f64> = outcomes.iter().map(|outcome| f64::from(outcome.held_out)).collect();
    let n = losses.len() as f64;
    let mean = losses.iter().sum::<f64>() / n.max(1.0);
    let variance = losses.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    let half_width = (losses.len() > 1).then(|| t95(losses.len() - 1) * (variance / n).sqrt());
    let sample = outcomes.first().map_or(String::new(), |outcome| outcome.sample.clone());
    Arm { of, losses, mean, half_width, sample }
}

/// The 97.5 % quantile of Student's t with this many degrees of freedom.
fn t95(degrees: usize) -> f64 {
    const T: [f64; 10] = [12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23];
    T.get(degrees.saturating_sub(1)).copied().unwrap_or(1.96)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(effect: &mut Effect, of: TextOf, seed: u64, held_out: f32) {
        let job = Job { of, seed };
        effect.apply(EffectAction::Begin(job));
        effect.apply(EffectAction::Point(job, 10, 2.0));
        effect.apply(EffectAction::Done(job, Outcome { held_out, sample: "x".into() }));
    }

    #[test]
    fn paired_runs_give_means_intervals_and_the_recovered_share() {
        let mut effect = Effect::default();
        effect.apply(EffectAction::Seeds(2));
        let texts = ladder(|stage| stage == Stage::Gopher, true);
        assert_eq!(texts.len(), 4);
        effect.apply(EffectAction::Train(texts, BTreeMap::new()));
        assert_eq!(effect.queue.len(), 8);
        assert!(effect.queue[..4].iter().all(|job| job.seed == 1));
        for (of, losses) in [(TextOf::Clean, [0.6, 0.62]), (TextOf::Before, [0.8, 0.82]), (TextOf::Kept, [0.62, 0.64])]
        {
            losses.into_iter().enumerate().for_each(|(at, loss)| done(&mut effect, of, at as u64 + 1, loss));
        }
        let arms = effect.arms();
        assert_eq!(arms.iter().map(|arm| arm.of).collect::<Vec<_>>(), [TextOf::Before, TextOf::Kept, TextOf::Clean]);
        assert!((arms[0].mean - 0.81).abs() < 1e-6);
        // 12.71 · 0.01414 / √2
        assert!((arms[0].half_width.unwrap() - 0.1271).abs() < 1e-4);
        assert!((effect.recovered().unwrap() - 0.9).abs() < 1e-6);
        assert_eq!(effect.queue.len(), 2);
        let saved = serde_json::to_string(&effect.saved().unwrap()).unwrap();
        let mut other = Effect::default();
        other.apply(EffectAction::Restore(serde_json::from_str(&saved).unwrap()));
        assert_eq!(other.arms(), effect.arms());
    }

    #[test]
    fn results_of_other_settings_are_not_mixed() {
        let mut effect = Effect::default();
        effect.apply(EffectAction::Train(vec![TextOf::Before], BTreeMap::new()));
        done(&mut effect, TextOf::Before, 1, 0.8);
        let others = BTreeMap::from([("gopher.min_words".to_string(), "1".to_string())]);
        assert!(effect.outdated(&others));
        effect.apply(EffectAction::Train(vec![TextOf::Before], others));
        assert!(effect.results.is_empty());
        effect.apply(EffectAction::Stop(Some("why".into())));
        assert!(!effect.busy() && effect.problem.is_some());
    }
}
