//! `glasshead generate`, and `glasshead logits`, which writes the logits to a file.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use safetensors::tensor::{Dtype, TensorView};

use super::{BackendArg, GenerateArgs, in_file, load_checkpoint, open, sentence};
use crate::data::Tokenizer;
use crate::train::checkpoint::Checkpoint;
use crate::train::generate::writer::Writer;
use crate::train::trainer::Trainer;
use crate::types::Sampling;

pub(super) async fn generate(args: GenerateArgs) -> Result<(), String> {
    if !(args.temperature >= 0.0 && args.temperature.is_finite()) {
        return Err(format!("--temperature is {}; it has to be at least 0", args.temperature));
    }
    if !(args.top_p > 0.0 && args.top_p <= 1.0) {
        return Err(format!("--top-p is {}; it has to be greater than 0 and at most 1", args.top_p));
    }
    let (mut trainer, tokenizer) = load(&args.model, args.backend).await?;
    let sampling = Sampling {
        temperature: args.temperature,
        top_k: args.top_k,
        top_p: args.top_p,
        max_tokens: args.max_tokens,
        seed: args.seed,
    };
    let mut writer = Writer::new(&tokenizer, &args.prompt, sampling);
    let print = |text: &str| {
        let mut out = std::io::stdout();
        let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        printed.map_err(|error| format!("cannot write to standard output: {error}"))
    };
    print(&args.prompt)?;
    let mut printed = 0;
    while !writer.done() {
        writer.write(&mut trainer).await.map_err(sentence)?;
        let text = writer.text(&tokenizer);
        // A completed character extends the text, but never changes what was already printed.
        print(text.get(printed..).unwrap_or_default())?;
        printed = text.len();
    }
    print("\n")
}

/// Loads a saved model for inference.
async fn load(model: &std::path::Path, backend: BackendArg) -> Result<(Trainer, Tokenizer), String> {
    let context = open(backend).await?;
    let Checkpoint { mut config, tokenizer, state } = load_checkpoint(model)?;
    // Nothing is trained, so the smallest batch and dummy tokens suffice.
    config.train.batch_size = 1;
    let tokens = vec![0; config.model.context_length + 1];
    let mut trainer = Trainer::new(config, context.as_ref(), &tokens, &tokens).await.map_err(sentence)?;
    trainer.set_params(&state.params);
    Ok((trainer, tokenizer))
}

#[derive(Args)]
pub(super) struct LogitsArgs {
    /// The folder of a saved model.
    #[arg(long)]
    model: PathBuf,
    /// The text; it is truncated to the model's context length.
    #[arg(long)]
    text: String,
    /// The output file in safetensors format: ids (n), logits (n, V).
    #[arg(long)]
    out: PathBuf,
    /// The backend.
    #[arg(long, value_enum, default_value = "gpu")]
    backend: BackendArg,
}

pub(super) async fn logits(args: LogitsArgs) -> Result<(), String> {
    let (mut trainer, tokenizer) = load(&args.model, args.backend).await?;
    let mut ids = tokenizer.encode_with_template(&args.text);
    ids.truncate(trainer.config().model.context_length);
    if ids.is_empty() {
        return Err("--text is empty; give at least one token".into());
    }
    let logits = trainer.logits(&ids).await.map_err(sentence)?;
    let (n, v) = (ids.len(), trainer.config().model.vocab_size);
    // I64, the type of ids in PyTorch.
    let wide: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
    let tensors = [
        ("ids", TensorView::new(Dtype::I64, vec![n], bytemuck::cast_slice(&wide))),
        ("logits", TensorView::new(Dtype::F32, vec![n, v], bytemuck::cast_slice(&logits))),
    ];
    let mut views = Vec::new();
    for (name, view) in tensors {
        views.push((name, view.map_err(sentence)?));
    }
    let bytes = safetensors::serialize(views, None).map_err(sentence)?;
    std::fs::write(&args.out, bytes).map_err(in_file(&args.out))
}
