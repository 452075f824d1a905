//! Sampled responses with their log-probabilities and grades.

use super::{Example, RunError};
use crate::align::{PromptTemplate, Response, Rewards, TokenRow, Verdict};
use crate::data::Tokenizer;
use crate::train::align::SettingError;
use crate::train::generate::{Generator, Text};
use crate::train::trainer::Trainer;
use crate::types::Sampling;

/// A sampled response.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// Index of its prompt.
    pub prompt: usize,
    /// The ids of prompt and response, the end included.
    pub row: TokenRow,
    /// The text of the response, without its end.
    pub text: String,
    /// Whether the model ended the response itself.
    pub ended: bool,
    /// Log-probability of each token of the response when it was sampled, at temperature 1.
    pub log_probs: Vec<f32>,
    /// The grade.
    pub verdict: Verdict,
}

impl Rollout {
    /// The log-probabilities of the row's targets; 0 for those of the prompt.
    pub fn target_log_probs(&self) -> Vec<f32> {
        let n_prompt = (self.row.ids.len() - 1).saturating_sub(self.log_probs.len());
        std::iter::repeat_n(0.0, n_prompt).chain(self.log_probs.iter().copied()).collect()
    }
}

/// Samples and grades responses.
#[derive(Clone)]
pub struct Sampler<'a> {
    /// The model's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// How a prompt becomes tokens.
    pub template: &'a PromptTemplate,
    /// How responses are graded.
    pub rewards: &'a Rewards,
    /// Maximum number of tokens of a response, its end included.
    pub max_tokens: usize,
    /// Sampling temperature; 0 always takes the most likely token.
    pub temperature: f64,
    /// The seed.
    pub seed: u64,
}

impl Sampler<'_> {
    /// `group_size` responses to each prompt, in order. The random number of a token depends only on the seed, `step`, the
    /// prompt's index, the sample's index in its group and the position, so a group's responses differ and repeat exactly.
    ///
    /// # Errors
    /// If a prompt is longer than the context, or the device failed.
    pub async fn sample(
        &self,
        trainer: &mut Trainer,
        prompts: &[Example],
        group_size: usize,
        step: u64,
    ) -> Result<Vec<Rollout>, RunError> {
        let stops = self.template.stops(self.tokenizer);
        let mut texts = Vec::with_capacity(prompts.len() * group_size);
        for (index, example) in prompts.iter().enumerate() {
            let ids = self.prompt_ids(trainer, &example.prompt)?;
            // One token more than the context can be sampled, since the last one is never an input.
            let room = trainer.config().model.context_length + 1 - ids.len();
            for sample in 0..group_size {
                let number = (index * group_size + sample) as u32;
                texts.push((index, Text::new(number, ids.clone(), stops.clone(), self.max_tokens.min(room))));
            }
        }
        let sampling = Sampling {
            temperature: self.temperature as f32,
            top_k: 0,
            top_p: 1.0,
            max_tokens: self.max_tokens,
            seed: self.seed,
        };
        let mut rollouts = Vec::with_capacity(texts.len());
        let at_once = trainer.max_texts(texts.len());
        for chunk in texts.chunks(at_once.max(1)) {
            let batch = chunk.iter().map(|(_, text)| text.clone()).collect();
            let mut generator = Generator::new(batch, sampling.clone(), step);
            generator.complete(trainer).await?;
            let graded = chunk
                .iter()
                .zip(generator.texts())
                .map(|((index, prompt), text)| self.rollout(*index, prompt, text, prompts[*index].answer.as_deref()));
            rollouts.extend(graded);
        }
        Ok(rollouts)
    }

    /// The ids of a prompt.
    ///
    /// # Errors
    /// If it is empty or longer than the context.
    fn prompt_ids(&self, trainer: &Trainer, prompt: &str) -> Result<Vec<u32>, RunError> {
        let (ids, most) = (self.template.prompt_ids(self.tokenizer, prompt), trainer.config().model.context_length);
        if ids.is_empty() || ids.len() > most {
            let value = format!("{} tokens long", ids.len());
            return Err(
                SettingError::Value { field: "a prompt", value, expected: format!("1 to {most} tokens") }.into()
            );
        }
        Ok(ids)
    }

    fn rollout(&self, prompt: usize, before: &Text, text: &Text, answer: Option<&str>) -> Rollout {
        let response: Vec<u32> = text.generated().iter().copied().chain(text.stopped_by()).collect();
        let (written, ended) = self.template.response_text(self.tokenizer, &response);
        let verdict = self.rewards.grade(Response { text: &written, ended }, answer);
        let row = TokenRow::new(before.ids(), &response);
        Rollout { prompt, row, text: written, ended, log_probs: text.log_probs().to_vec(), verdict }
    }
}
