//! Stop rules and the evaluation interval of a run. Shared by the page and the command line.

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Stop and evaluation rules of a run; `None` disables a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Stop after this number of steps in total.
    pub stop_steps: Option<u64>,
    /// Stop after this number of tokens in total.
    pub stop_tokens: Option<u64>,
    /// Stop once the held-out loss is at or below this, in nats per token.
    pub stop_loss: Option<f64>,
    /// Stop after this number of seconds of training in total.
    pub stop_seconds: Option<f64>,
    /// Steps between evaluations; `None` schedules evaluations by elapsed time.
    pub evaluate_every: Option<u64>,
}

/// The progress of a run, as needed by the rules.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Standing {
    /// Steps done.
    pub step: u64,
    /// Tokens per step.
    pub tokens_per_step: usize,
    /// Seconds of training.
    pub seconds: f64,
    /// The latest held-out loss.
    pub val_loss: Option<f32>,
}

impl Rules {
    /// Checks the values of the rules.
    ///
    /// # Errors
    /// The first invalid field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let counts = [
            ("stop_steps", self.stop_steps),
            ("stop_tokens", self.stop_tokens),
            ("evaluate_every", self.evaluate_every),
        ];
        for (field, value) in counts {
            if value == Some(0) {
                return Err(ConfigError::Zero { field });
            }
        }
        for (field, value) in [("stop_loss", self.stop_loss), ("stop_seconds", self.stop_seconds)] {
            if let Some(value) = value
                && !(value > 0.0 && value.is_finite())
            {
                return Err(ConfigError::Domain { field, value, domain: "greater than 0" });
            }
        }
        Ok(())
    }

    /// The stop rule that has been reached, described in words; `None` if training continues.
    pub fn reached(&self, now: &Standing) -> Option<String> {
        let tokens = now.step.saturating_mul(now.tokens_per_step as u64);
        if let Some(most) = self.stop_steps.filter(|&most| now.step >= most) {
            return Some(format!("{most} steps are done"));
        }
        if let Some(most) = self.stop_tokens.filter(|&most| tokens >= most) {
            return Some(format!("{tokens} tokens were trained on, {most} were asked for"));
        }
        let loss = now.val_loss.map(f64::from);
        if let (Some(loss), Some(goal)) =
            (loss.filter(|&loss| self.stop_loss.is_some_and(|goal| loss <= goal)), self.stop_loss)
        {
            return Some(format!("the held-out loss is {loss:.3}, at most {goal} was asked for"));
        }
        let most = self.stop_seconds.filter(|&most| now.seconds >= most)?;
        Some(format!("it has trained for {:.1} s, {most} s were asked for", now.seconds))
    }

    /// How many steps, at most `wish`, may be submitted at once without overrunning a stop rule or an evaluation.
    pub fn steps_ahead(&self, submitted: u64, tokens_per_step: usize, wish: u64) -> u64 {
        let stops = [self.stop_steps, self.stop_tokens.map(|tokens| tokens.div_ceil(tokens_per_step.max(1) as u64))];
        let left = stops.into_iter().flatten().map(|stop| stop.saturating_sub(submitted));
        let to_evaluation = self.evaluate_every.map(|every| every.max(1) - submitted % every.max(1));
        left.chain(to_evaluation).fold(wish, u64::min)
    }

    /// Whether `evaluate_every` schedules an evaluation after `step`.
    pub fn evaluation_due(&self, step: u64) -> bool {
        self.evaluate_every.is_some_and(|every| step > 0 && step.is_multiple_of(every.max(1)))
    }
}
