//! `policy_step`: one update of a whole model from rewards.

use serde_json::{Map, Value};

use super::Server;
use super::align_losses::objective;
use super::answer::Answer;
use super::request::{OpError, Request, elements, wrong};
use crate::align::{LogProbs, Responses, token_coefficients};
use crate::config::{ModelConfig, Optimizer, Positions, Preset, RunConfig, Schedule};
use crate::interop::tensors::named_model;
use crate::train::objective::PolicyGradient;
use crate::train::trainer::{Row, Trainer};

/// Rows of tokens with the mask of their responses.
struct Rows {
    inputs: Vec<u32>,
    labels: Vec<u32>,
    mask: Vec<bool>,
    n_cols: usize,
}

impl Rows {
    fn read(request: &Request<'_>, model: &ModelConfig) -> Result<Self, OpError> {
        let (inputs, labels) = (request.ints("input_ids")?, request.ints("labels")?);
        let &[n_rows, n_cols] = &inputs.shape[..] else {
            return wrong("input_ids", format!("of shape {:?}", inputs.shape), "of shape [N, T]");
        };
        labels.expect(&[n_rows, n_cols])?;
        if n_cols > model.context_length {
            let expected = format!("at most {} wide, the context of config", model.context_length);
            return wrong("input_ids", format!("{n_cols} wide"), expected);
        }
        let (flags, shape) = request.flags("response_mask")?;
        if shape != [n_rows, n_cols] {
            return wrong("response_mask", format!("of shape {shape:?}"), format!("of shape [{n_rows}, {n_cols}]"));
        }
        let mask = flags.into_iter().map(|flag| flag == 1).collect();
        Ok(Self { inputs: inputs.below(model.vocab_size)?, labels: labels.below(model.vocab_size)?, mask, n_cols })
    }

    fn n_rows(&self) -> usize {
        self.inputs.len() / self.n_cols
    }

    fn rows(&self) -> Vec<Row<'_>> {
        let (inputs, labels) = (self.inputs.chunks_exact(self.n_cols), self.labels.chunks_exact(self.n_cols));
        inputs.zip(labels).map(|(inputs, targets)| Row { inputs, targets }).collect()
    }
}

/// One update of a GPT-2 or Llama model: loss before it, and every weight after it.
pub(super) fn policy_step(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let config = request.object("config", "the object in a model's config.json")?;
    let config = Value::Object(config).to_string();
    let mut named = named_model(config.as_bytes(), request.blob())?;
    let rows = Rows::read(request, &named.model)?;
    if named.model.positions == Positions::Rope {
        // A model with RoPE computes the same with a shorter context.
        named.model.context_length = rows.n_cols;
    }
    let (n_rows, n_cols) = (rows.n_rows(), rows.n_cols);
    let old = match request.has("old_log_probs") {
        true => {
            let old = request.floats("old_log_probs")?;
            old.expect(&[n_rows, n_cols])?;
            Some(old.values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>())
        }
        false => None,
    };
    let rewards = request.floats("rewards")?;
    rewards.expect(&[n_rows])?;
    let rewards: Vec<f64> = rewards.values.iter().map(|&reward| f64::from(reward)).collect();
    let objective = PolicyGradient { objective: objective(request)?, off_policy: old.is_some() };
    let train = training(request, &named.model, n_rows)?;
    let advantages = objective.objective.advantages.compute(&rewards, request.size("g")?)?;
    let result = pollster::block_on(async {
        let mut trainer = Trainer::for_objective(train, server.context, &objective).await?;
        trainer.set_params(&named.params);
        let all = rows.rows();
        // Also without importance weights the loss depends on the log-probabilities.
        let scores = trainer.score_rows(&all).await?;
        let policy: Vec<f64> =
            scores.iter().flat_map(|scores| &scores.log_probs).map(|&value| f64::from(value)).collect();
        let log_probs = LogProbs { policy: &policy, old: old.as_deref(), reference: None };
        let responses = Responses::new(&rows.mask, n_cols)?;
        let weights = objective.objective.aggregation.weights(&responses);
        let (loss, coefficients) =
            token_coefficients(&objective.objective.loss, &weights, &advantages, &log_probs, &responses)?;
        let coefficients: Vec<Vec<f32>> =
            coefficients.chunks_exact(n_cols).map(|row| row.iter().map(|&c| c as f32).collect()).collect();
        trainer.step_on_rows(&all, &coefficients).await?;
        Ok::<_, OpError>((loss, trainer.params().await?))
    });
    let (loss, params) = result?;
    let tensors = named.tensors(&params, &request.tensors);
    let answer = Answer::default().and_doubles("loss", &[], &[loss]);
    Ok(tensors.into_iter().fold(answer, |answer, (name, shape, values)| answer.and(name, &shape, &values)))
}

/// The configuration of the step.
fn training(request: &Request<'_>, model: &ModelConfig, n_rows: usize) -> Result<RunConfig, OpError> {
    let n_batches = request.size("microbatches")?;
    if n_batches > n_rows {
        return wrong("argument microbatches", n_batches.to_string(), format!("at most {n_rows}, the number of rows"));
    }
    let batch_size = n_rows.div_ceil(n_batches);
    let mut config = RunConfig { model: model.clone(), ..Preset::Nano.config() };
    let train = &mut config.train;
    (train.batch_size, train.accumulation_steps) = (batch_size, if n_batches > 1 { 2 } else { 1 });
    (train.schedule, train.warmup_steps) = (Schedule::Constant, 0);
    train.max_grad_norm = match request.arg("max_grad_norm") {
        Value::Null => f64::from(f32::MAX),
        _ => f64::from(request.single("max_grad_norm", "null, or a number greater than 0", |max| max > 0.0)?),
    };
    let optimizer = request.object("optimizer", "an object with name (sgd or adamw) and lr")?;
    train.optimizer = match optimizer.get("name").and_then(Value::as_str) {
        Some("sgd") => Optimizer::Sgd,
        Some("adamw") => Optimizer::Adamw,
        _ => {
            let found = optimizer.get("name").map_or("missing".into(), Value::to_string);
            return wrong("optimizer.name", found, "sgd or adamw");
        }
    };
    train.max_lr = setting(&optimizer, "lr", None, |lr| lr >= 0.0)?;
    train.min_lr = train.max_lr;
    train.momentum = setting(&optimizer, "momentum", Some(0.0), |momentum| (0.0..1.0).contains(&momentum))?;
    train.weight_decay = setting(&optimizer, "weight_decay", Some(0.0), |decay| decay >= 0.0)?;
    train.adam_eps = setting(&optimizer, "eps", Some(1e-8), |eps| eps > 0.0)?;
    if let Some(betas) = optimizer.get("betas") {
        let numbers: Vec<f64> = betas.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        match numbers[..] {
            [beta1, beta2] if numbers.iter().all(|beta| (0.0..1.0).contains(beta)) => {
                (train.beta1, train.beta2) = (beta1, beta2);
            }
            _ => return wrong("optimizer.betas", betas.to_string(), "two numbers, each at least 0 and less than 1"),
        }
    } else {
        (train.beta1, train.beta2) = (0.9, 0.999);
    }
    let sizes = [batch_size, model.context_length, model.vocab_size];
    elements("the logits", &sizes)?;
    elements("the attention weights", &[batch_size.max(model.n_layers), model.n_heads, sizes[1], sizes[1]])?;
    Ok(config)
}

/// A number of the optimizer; without a default it has to be given.
fn setting(
    optimizer: &Map<String, Value>,
    name: &str,
    default: Option<f64>,
    ok: impl Fn(f64) -> bool,
) -> Result<f64, OpError> {
    let value = optimizer.get(name).filter(|value| !value.is_null());
    let number = value.map_or(default, Value::as_f64).filter(|&number| number.is_finite() && ok(number));
    let found = || value.map_or("missing".into(), Value::to_string);
    number.map_or_else(|| wrong(format!("optimizer.{name}"), found(), "a number in the optimizer's range"), Ok)
}
