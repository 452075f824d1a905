//! Attention maps of the untrained model, computed on the CPU while the device compiles its kernels. The weights depend only on
//! the seed, so the device shows the same maps later.

use crate::config::RunConfig;
use crate::data::Tokenizer;
use crate::inspect::maps::{attention, cut_probe};
use crate::train::trainer::{TrainError, Trainer};
use crate::types::RunId;
use crate::wire::Message;

/// Maximum number of parameters; larger models would take too long.
const MAX_PARAMS: u64 = 2 << 20;

/// The attention maps of a text before the first step; `None` for a large model.
///
/// # Errors
/// If the configuration is invalid.
pub async fn initial_maps(
    run: RunId,
    config: &RunConfig,
    tokenizer: &Tokenizer,
    text: &str,
) -> Result<Option<Message>, TrainError> {
    if config.model.n_params() > MAX_PARAMS {
        return Ok(None);
    }
    let mut config = config.clone();
    (config.train.batch_size, config.train.accumulation_steps) = (1, 1);
    let (probe, tokens_cut) = cut_probe(tokenizer, text, config.model.context_length);
    let text = vec![0; config.model.context_length + 1];
    let mut trainer = Trainer::new(config, None, &text, &text).await?;
    Ok(Some(attention(run, &mut trainer, tokenizer, (&probe, tokens_cut)).await?))
}
