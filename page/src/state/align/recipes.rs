//! Experiments with alignment: each begins one stage after the other, and has a check.

use super::AlignState;
use super::draft::{Draft, STAGES, Start};
use glasshead::types::align::NodeInfo;

/// One stage of an experiment.
#[derive(Debug)]
pub struct RecipeStage {
    /// The kind, as an index of [`STAGES`].
    pub stage: usize,
    /// Maximum number of updates.
    pub steps: u64,
    /// Percentage of held-out prompts at which it ends.
    pub stop_exact: Option<f64>,
    /// Updates between evaluations.
    pub evaluate_every: u64,
    /// Changed fields.
    pub changes: &'static [(&'static str, &'static str)],
}

/// An experiment.
#[derive(Debug)]
pub struct Recipe {
    /// Its name in links.
    pub name: &'static str,
    /// The title of its card.
    pub title: &'static str,
    /// What happens, in two lines.
    pub text: &'static str,
    /// What to look at while it runs.
    pub watch: &'static str,
    /// The check that ends it.
    pub check: &'static str,
    /// The task.
    pub task: &'static str,
    /// Steps of pretraining of the run before the first stage; 0 to begin with an untrained model.
    pub pretrain: u64,
    /// Its stages.
    pub stages: &'static [RecipeStage],
    /// Whether its last stage gave the expected result, and a sentence about it.
    pub verdict: fn(&NodeInfo) -> (bool, String),
    /// Seconds that it takes on one core of a processor.
    pub seconds: u32,
}

impl PartialEq for Recipe {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Fine-tuning until a share of the held-out prompts is right.
const fn sft(steps: u64, percent: f64) -> RecipeStage {
    RecipeStage { stage: 0, steps, stop_exact: Some(percent), evaluate_every: 10, changes: &[("max_lr", "0.003")] }
}

/// All experiments.
pub const RECIPES: [Recipe; 5] = [
    Recipe {
        name: "grpo-reverse",
        title: "GRPO teaches reversing",
        text: "A model that reverses half of the words right learns the rest from a judge that only says right or wrong.",
        watch: "the reward and the held-out answers rise, and the groups without signal grow: what is mastered teaches nothing",
        check: "At least 25 points more of the held-out words are reversed right",
        task: "reverse",
        pretrain: 0,
        stages: &[
            sft(400, 50.0),
            RecipeStage {
                stage: 2,
                steps: 200,
                stop_exact: Some(92.0),
                evaluate_every: 10,
                changes: &[("max_lr", "0.001")],
            },
        ],
        verdict: |node| gained(node, 0.25),
        seconds: 90,
    },
    Recipe {
        name: "collapse",
        title: "A rate that is too high",
        text: "Three times the learning rate that works, on addition: the policy collapses within some dozen updates.",
        watch: "reward and entropy fall together, the alarm appears, and Rewind goes back to before it",
        check: "The share of right sums falls below half of what it was",
        task: "addition",
        pretrain: 0,
        stages: &[
            sft(800, 45.0),
            RecipeStage { stage: 2, steps: 100, stop_exact: None, evaluate_every: 10, changes: &[("max_lr", "0.003")] },
        ],
        verdict: |node| {
            let (first, last) = ends(node);
            (last < 0.5 * first, format!("{} before, {} after.", share(first), share(last)))
        },
        seconds: 90,
    },
    Recipe {
        name: "maxrl",
        title: "MaxRL on hard prompts",
        text: "Most prompts are still wrong. MaxRL divides by the mean reward, so a rare right answer counts the most.",
        watch: "groups without signal fall, because prompts that were never right get their first right answers",
        check: "At least 20 points more of the held-out words are reversed right",
        task: "reverse",
        pretrain: 0,
        stages: &[
            sft(400, 10.0),
            RecipeStage {
                stage: 2,
                steps: 150,
                stop_exact: None,
                evaluate_every: 10,
                changes: &[("method", "maxrl"), ("max_lr", "0.001")],
            },
        ],
        verdict: |node| gained(node, 0.2),
        seconds: 90,
    },
    Recipe {
        name: "dpo",
        title: "DPO that lowers both",
        text: "Preferences only ask for a difference: the chosen sums become less probable too, only more slowly.",
        watch: "both curves of the log-probability fall, and so does the share of right sums",
        check: "The log-probability of chosen and of rejected answers has fallen",
        task: "addition",
        pretrain: 0,
        stages: &[
            sft(800, 45.0),
            RecipeStage {
                stage: 3,
                steps: 150,
                stop_exact: None,
                evaluate_every: 25,
                changes: &[("pairs", "512"), ("max_lr", "0.0003")],
            },
        ],
        verdict: |node| {
            let (chosen, rejected) = node.points.last().map_or((None, None), |point| (point.chosen, point.rejected));
            let (chosen, rejected) = (chosen.unwrap_or(0.0), rejected.unwrap_or(0.0));
            let (first, last) = ends(node);
            let message = format!(
                "Chosen {chosen:+.1} nats, rejected {rejected:+.1}; right sums {} before, {} after.",
                share(first),
                share(last)
            );
            (chosen < 0.0 && rejected < 0.0, message.replace('-', "−"))
        },
        seconds: 120,
    },
    Recipe {
        name: "sft-forgets",
        title: "SFT that forgets the stories",
        text: "A model that writes stories learns sorting, and pays with its stories.",
        watch: "the loss on the old text rises while the task is learned",
        check: "The loss on the stories rises by at least half a nat per token",
        task: "sort",
        pretrain: 400,
        stages: &[RecipeStage {
            stage: 0,
            steps: 150,
            stop_exact: None,
            evaluate_every: 10,
            changes: &[("max_lr", "0.003")],
        }],
        verdict: |node| {
            let loss =
                |score: Option<&glasshead::types::align::StageScore>| score.map_or(f32::NAN, |score| score.old_loss);
            let (first, last) = (loss(node.scores.first()), loss(node.scores.last()));
            (last - first >= 0.5, format!("The loss on the stories was {first:.2} before and is {last:.2} after."))
        },
        seconds: 60,
    },
];

/// Exact match of the first and the last evaluation.
fn ends(node: &NodeInfo) -> (f32, f32) {
    let sampled = |score: Option<&glasshead::types::align::StageScore>| score.map_or(0.0, |score| score.sampled);
    (sampled(node.scores.first()), sampled(node.scores.last()))
}

fn share(share: f32) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn gained(node: &NodeInfo, points: f32) -> (bool, String) {
    let (first, last) = ends(node);
    (last - first >= points, format!("{} of the held-out prompts right before, {} after.", share(first), share(last)))
}

/// The experiment with this name.
pub fn find(name: &str) -> Option<&'static Recipe> {
    RECIPES.iter().find(|recipe| recipe.name == name)
}

/// The progress of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The next stage has to begin.
    Ready,
    /// A stage is being trained.
    Training,
    /// It has ended.
    Done,
}

/// An experiment in progress, or its result.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// The experiment.
    pub recipe: &'static Recipe,
    /// The index of the stage.
    pub stage: usize,
    /// Its progress.
    pub phase: Phase,
    /// Whether the check was reached, and a sentence.
    pub outcome: Option<(bool, String)>,
}

/// What the page has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Train the run; then ask again.
    Pretrain,
    /// Begin the stage of the draft.
    Begin,
}

impl AlignState {
    pub(super) fn begin_recipe(&mut self, name: &str) {
        let Some(recipe) = find(name) else { return };
        self.recipe = Some(Running { recipe, stage: 0, phase: Phase::Ready, outcome: None });
        let start = if recipe.pretrain > 0 { Start::Run } else { Start::Untrained };
        self.draft_stage(recipe, 0, start);
    }

    fn draft_stage(&mut self, recipe: &'static Recipe, stage: usize, start: Start) {
        let RecipeStage { stage: kind, steps, stop_exact, evaluate_every, changes } = recipe.stages[stage];
        self.draft = Draft {
            stage: kind.min(STAGES.len() - 1),
            start,
            task: Some(recipe.task.into()),
            steps,
            stop_exact,
            evaluate_every,
            changes: changes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            ..Draft::default()
        };
    }

    /// What the experiment needs next. `run` is the number of steps of the run, if it can train, and whether it does.
    pub fn recipe_order(&self, run: Option<(u64, bool)>) -> Option<Order> {
        let running = self.recipe.as_ref().filter(|running| running.phase == Phase::Ready)?;
        if self.wants_project || self.fields.is_empty() {
            return None; // the worker is not ready
        }
        if running.stage == 0 && running.recipe.pretrain > 0 {
            let (steps, trains) = run?;
            return match (steps < running.recipe.pretrain, trains) {
                (true, true) => None,
                (true, false) => Some(Order::Pretrain),
                (false, _) => Some(Order::Begin),
            };
        }
        Some(Order::Begin)
    }

    pub(super) fn carry_recipe(&mut self) {
        if let Some(running) = &mut self.recipe {
            running.phase = Phase::Training;
        }
    }

    /// The stage has ended: the next begins, or the check is evaluated.
    pub(super) fn recipe_ended(&mut self) {
        let Some(mut running) = self.recipe.clone().filter(|running| running.phase == Phase::Training) else { return };
        if running.stage + 1 < running.recipe.stages.len() {
            (running.stage, running.phase) = (running.stage + 1, Phase::Ready);
            let start = self.current.map_or(Start::Untrained, Start::Node);
            self.draft_stage(running.recipe, running.stage, start);
        } else {
            running.phase = Phase::Done;
            running.outcome = self.current().map(running.recipe.verdict);
        }
        self.recipe = Some(running);
    }

    /// A stage could not begin or has stopped.
    pub(super) fn recipe_failed(&mut self) {
        self.recipe = self.recipe.take().filter(|running| running.phase == Phase::Done);
    }
}
