//! `glasshead generate`

use std::io::Write as _;

use super::{GenerateArgs, open, sentence};
use crate::protocol::Sampling;
use crate::train::checkpoint::{self, Checkpoint};
use crate::train::generate::Writer;
use crate::train::trainer::Trainer;

pub(super) async fn generate(args: GenerateArgs) -> Result<(), String> {
    if !(args.temperature >= 0.0 && args.temperature.is_finite()) {
        return Err(format!("--temperature is {}; it has to be at least 0", args.temperature));
    }
    if !(args.top_p > 0.0 && args.top_p <= 1.0) {
        return Err(format!("--top-p is {}; it has to be greater than 0 and at most 1", args.top_p));
    }
    let context = open(args.backend).await?;
    let Checkpoint { mut config, tokenizer, state } = checkpoint::load(&args.model).map_err(sentence)?;
    // Nothing is trained here, so the smallest batch and no text will do.
    config.train.batch_size = 1;
    let tokens = vec![0; config.model.context_length + 1];
    let mut trainer = Trainer::new(config, context.as_ref(), &tokens, &tokens).await.map_err(sentence)?;
    trainer.set_params(&state.params);
    let sampling = Sampling {
        temperature: args.temperature,
        top_k: args.top_k,
        top_p: args.top_p,
        max_tokens: args.max_tokens,
        seed: args.seed,
    };
    let mut writer = Writer::new(&tokenizer, &args.prompt, sampling);
    print!("{}", args.prompt);
    let mut printed = 0;
    while !writer.done() {
        writer.write(&mut trainer, &tokenizer).await.map_err(sentence)?;
        let text = writer.text(&tokenizer);
        // A character that became whole may replace what was left out, never what was printed.
        print!("{}", text.get(printed..).unwrap_or_default());
        std::io::stdout().flush().map_err(sentence)?;
        printed = text.len();
    }
    println!();
    Ok(())
}
