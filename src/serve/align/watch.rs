//! The prompt that the page inspects: its answers and its attention, under earlier weights and the present ones.

use super::live::Live;
use super::project::Project;
use crate::inspect::maps::tokens;
use crate::train::align::inspect::Judged;
use crate::train::align::rollouts::Rollout;
use crate::train::align::{Example, RunError, StepReport, update};
use crate::types::align::{Answer, AnswerToken, NodeId, PromptGroup, Watched};

/// Maximum number of prompts that are sent to the page.
const MAX_GROUPS: usize = 64;

/// Maximum number of answers of an inspected prompt.
const MAX_ANSWERS: usize = 16;

/// Prompts of a stage that samples nothing, and answers to each.
const HELD_OUT: (usize, usize) = (32, 4);

/// What the page inspects.
#[derive(Default)]
pub(super) struct Watch {
    /// The user's prompt; `None` for one of the latest batch.
    pub prompt: Option<Example>,
    /// The node to compare with; `None` for the beginning of the stage.
    pub before: Option<NodeId>,
    /// Whether a reply is due.
    pub due: bool,
    /// The latest batch.
    pub batch: Option<StepReport>,
    /// The prompt of the last reply.
    last: Option<Example>,
}

/// The prompts of an update with the texts and grades of their answers.
pub(super) fn groups(prompts: &[Example], rollouts: &[(Rollout, f64)]) -> Vec<PromptGroup> {
    let group = |(index, example): (usize, &Example)| {
        let of: Vec<&Rollout> =
            rollouts.iter().map(|(rollout, _)| rollout).filter(|rollout| rollout.prompt == index).collect();
        PromptGroup {
            prompt: example.prompt.clone(),
            answer: example.answer.clone(),
            texts: of.iter().map(|rollout| rollout.text.clone()).collect(),
            rewards: of.iter().map(|rollout| rollout.verdict.reward as f32).collect(),
            exact: of.iter().map(|rollout| rollout.verdict.exact > 0.0).collect(),
        }
    };
    prompts.iter().take(MAX_GROUPS).enumerate().map(group).collect()
}

impl Live {
    /// Held-out prompts with sampled answers, for stages that sample none themselves.
    pub async fn held_out_groups(&mut self) -> Result<Vec<PromptGroup>, RunError> {
        let (prompts, n) = (self.driver.run.held_out(HELD_OUT.0), HELD_OUT.1);
        let rollouts = self.driver.run.answers(&mut self.driver.trainer, &prompts, n).await?;
        let rollouts: Vec<_> = rollouts.into_iter().map(|rollout| (rollout, 0.0)).collect();
        Ok(groups(&prompts, &rollouts))
    }
}

impl Watch {
    /// The prompt to inspect: the user's, else that of the last reply, else one of the batch whose rewards differ.
    fn example(&self, live: &Live) -> Option<Example> {
        if let Some(example) = self.prompt.clone().or_else(|| self.last.clone()) {
            return Some(example);
        }
        if let Some(batch) = self.batch.as_ref().filter(|batch| !batch.prompts.is_empty()) {
            let mixed = batch.rollouts.iter().find(|(_, advantage)| *advantage != 0.0);
            return batch.prompts.get(mixed.map_or(0, |(rollout, _)| rollout.prompt)).cloned();
        }
        live.driver.run.held_out(1).into_iter().next()
    }

    /// Forgets the prompt and the batch of another stage.
    pub fn begin(&mut self) {
        *self = Self { due: true, ..Self::default() };
    }

    /// The answers of the latest batch to a prompt, if it is in there and its coefficients are known.
    fn of_batch(&self, example: &Example) -> Option<Judged> {
        let batch = self.batch.as_ref()?;
        let index = batch.prompts.iter().position(|prompt| prompt == example)?;
        let rows = batch.rollouts.iter().zip(&batch.coefficients).filter(|((rollout, _), _)| rollout.prompt == index);
        let mut judged = Judged::default();
        for ((rollout, advantage), coefficients) in rows.take(MAX_ANSWERS) {
            judged.rollouts.push(rollout.clone());
            judged.advantages.push(*advantage);
            judged.coefficients.push(coefficients.clone());
        }
        (!judged.rollouts.is_empty()).then_some(judged)
    }

    /// Answers and attention of the inspected prompt, before and now.
    pub async fn reply(&mut self, live: &mut Live, project: &Project) -> Result<Option<(Watched, Vec<u8>)>, RunError> {
        self.due = false;
        let Some(example) = self.example(live) else { return Ok(None) };
        self.last = Some(example.clone());
        let step = live.driver.step();
        let current = project.node(live.node).ok();
        let other = self.before.and_then(|id| project.node(id).ok());
        let (from, params) = match (other, current) {
            (Some(node), _)
                if project
                    .root(node.info.id)
                    .is_ok_and(|root| root.config.model == live.driver.trainer.config().model) =>
            {
                ((node.info.id, node.info.step), node.states.last().map(|state| state.params.clone()))
            }
            (_, Some(node)) => ((live.node, 0), node.states.first().map(|state| state.params.clone())),
            _ => return Ok(None),
        };
        let Some(params) = params else { return Ok(None) };
        let n = live.driver.run.group_size().min(MAX_ANSWERS);
        let now = match self.of_batch(&example) {
            Some(judged) => judged,
            None => {
                let sampled =
                    live.driver.run.answers(&mut live.driver.trainer, std::slice::from_ref(&example), n).await?;
                live.driver.run.judged(sampled)?
            }
        };
        let response = example.answer.clone().or_else(|| now.rollouts.first().map(|rollout| rollout.text.clone()));
        let mut row = live.driver.run.row(&example.prompt, response.as_deref().unwrap_or_default())?.ids;
        row.truncate(live.driver.trainer.config().model.context_length);
        let present = live.driver.trainer.params().await?;
        let now_maps = live.driver.trainer.attention(&row).await?;
        let now_scores = update::log_probs(&mut live.driver.trainer, &rows_of(&now)).await?;
        live.driver.trainer.set_params(&params);
        let earlier = earlier(live, &example, n, &row, &now).await;
        live.driver.trainer.set_params(&present);
        let Earlier { maps, judged, scores } = earlier?;
        let before_scores: Vec<Vec<f32>> = judged.rollouts.iter().map(Rollout::target_log_probs).collect();
        let model = &live.driver.trainer.config().model;
        let tokenizer = live.driver.run.tokenizer();
        let watched = Watched {
            prompt: example.prompt.clone(),
            answer: example.answer.clone(),
            from,
            to: (live.node, step),
            before: answers(live, &judged, &before_scores, &before_scores),
            now: answers(live, &now, &now_scores, &scores),
            tokens: tokens(tokenizer, &row),
            n_layers: model.n_layers,
            n_heads: model.n_heads,
            causal: model.causal,
        };
        Ok(Some((watched, [maps, now_maps].concat())))
    }
}

/// What the earlier weights give.
struct Earlier {
    maps: Vec<u8>,
    judged: Judged,
    /// Log-probabilities of the targets of the present answers.
    scores: Vec<Vec<f32>>,
}

async fn earlier(live: &mut Live, example: &Example, n: usize, row: &[u32], now: &Judged) -> Result<Earlier, RunError> {
    let sampled = live.driver.run.answers(&mut live.driver.trainer, std::slice::from_ref(example), n).await?;
    let judged = live.driver.run.judged(sampled)?;
    let maps = live.driver.trainer.attention(row).await?;
    let scores = update::log_probs(&mut live.driver.trainer, &rows_of(now)).await?;
    Ok(Earlier { maps, judged, scores })
}

fn rows_of(judged: &Judged) -> Vec<crate::align::TokenRow> {
    judged.rollouts.iter().map(|rollout| rollout.row.clone()).collect()
}

/// Answers with their tokens. `present` and `earlier` are the log-probabilities of their targets, for the ratio.
fn answers(live: &Live, judged: &Judged, present: &[Vec<f32>], earlier: &[Vec<f32>]) -> Vec<Answer> {
    let tokenizer = live.driver.run.tokenizer();
    let one = |index: usize, rollout: &Rollout| {
        let first = rollout.row.prompt_len.saturating_sub(1);
        let at = |values: &[Vec<f32>], place: usize| {
            values.get(index).and_then(|row| row.get(first + place)).copied().unwrap_or(0.0)
        };
        let token = |(place, &id): (usize, &u32)| AnswerToken {
            text: tokenizer.token_text(id),
            coefficient: at(&judged.coefficients, place),
            // JSON has no infinity.
            ratio: (at(present, place) - at(earlier, place)).exp().min(1e6),
            probability: rollout.log_probs.get(place).map_or(0.0, |log_prob| log_prob.exp()),
        };
        Answer {
            tokens: rollout.row.response().iter().enumerate().map(token).collect(),
            reward: rollout.verdict.reward as f32,
            exact: rollout.verdict.exact > 0.0,
            ended: rollout.ended,
            advantage: judged.advantages.get(index).copied().unwrap_or(0.0) as f32,
        }
    };
    judged.rollouts.iter().enumerate().map(|(index, rollout)| one(index, rollout)).collect()
}

/// A prompt that the user entered, with its answer if that is known.
pub(super) fn entered(prompt: Option<(String, Option<String>)>) -> Option<Example> {
    prompt.map(|(prompt, answer)| Example { prompt, answer })
}
