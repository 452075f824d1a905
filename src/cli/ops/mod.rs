//! `glasshead ops`: individual operations for programs in any language, for example to compare the kernels with
//! PyTorch, NumPy or homework. Requests arrive on standard input, and answers are written to standard output.
//!
//! A message is a little-endian `u64`, the length of the rest, and a safetensors blob. The values in the blob's
//! `__metadata__` are JSON. A request has `op` (a string), `args` (an object) and tensors; an answer has `ok` (true or
//! false), `result` (any JSON) and tensors, or `error` (a message). A request that fails gets an error as its answer. A
//! message that is truncated or longer than [`MAX_FRAME_BYTES`] stops the server, because the start of the next message
//! is unknown.
//!
//! JSON longer than the header limit of safetensors, 100,000,000 bytes, is sent as a U8 tensor: a request may send the
//! argument `text` as a tensor, and if an answer's metadata has `result_tensor`, its `result` is in the tensor with
//! that name. Answers computed on a GPU list the kernels that ran in `kernels`; `--variant KERNEL=VARIANT` replaces a
//! kernel with a variant.
//!
//! Results where PyTorch returns NaN or leaves the result undefined:
//!
//! - `softmax`: a row that is −∞ everywhere gets equal weights.
//! - `sdpa`: a query whose keys are all masked gets zeros.
//! - `group_norm`, `advantages`: the standard deviation of a group of one is 0, and a group of equal rewards gets exactly 0.
//! - `aggregate`, `grpo_step`: a row without response tokens counts as 0.
//! - No tensor may have a dimension of size 0, except in `tok_decode`, `ckpt_save` and `ckpt_load`.

use std::cell::RefCell;
use std::io::{self, Read, Write};

use thiserror::Error;

use self::answer::Answer;
use self::request::{OpError, Request};
use super::{BackendArg, open, sentence};
use crate::data::Tokenizer;
use crate::gpu::context::Context;
use crate::ops::tuning;
use crate::rng::Rng;

mod align;
mod align_losses;
mod align_text;
mod answer;
mod attention;
mod files;
mod filter;
mod job;
mod layers;
mod model;
mod policy;
mod request;
mod text;
mod training;

/// The maximum length of a message: 4 GiB.
pub const MAX_FRAME_BYTES: u64 = 1 << 32;

/// The state shared by all operations.
struct Server<'a> {
    /// The GPU; `None` for the CPU.
    context: Option<&'a Context>,
    /// Draws the batches of `get_batch`.
    rng: Rng,
    /// Tokenizers by handle.
    tokenizers: Vec<Tokenizer>,
    /// The names of the GPU kernels that ran for the current request.
    kernels: RefCell<Vec<&'static str>>,
}

type Op = fn(&mut Server<'_>, &Request<'_>) -> Result<Answer, OpError>;

/// All operations by name.
const OPS: [(&str, Op); 51] = [
    ("linear", layers::linear),
    ("embedding", layers::embedding),
    ("silu", layers::silu),
    ("swiglu", layers::swiglu),
    ("rmsnorm", layers::rmsnorm),
    ("softmax", layers::softmax),
    ("rope", layers::rope),
    ("sdpa", attention::sdpa),
    ("mha", attention::mha),
    ("flash_fwd", attention::flash_fwd),
    ("flash_bwd", attention::flash_bwd),
    ("block", model::block),
    ("lm", model::lm),
    ("lm_grad", model::lm_grad),
    ("cross_entropy", training::cross_entropy),
    ("clip", training::clip),
    ("adamw", training::adamw),
    ("lr", training::lr),
    ("get_batch", training::get_batch),
    ("train_bpe", text::train_bpe),
    ("tok_new", text::tok_new),
    ("tok_encode", text::tok_encode),
    ("tok_decode", text::tok_decode),
    ("ckpt_save", files::ckpt_save),
    ("ckpt_load", files::ckpt_load),
    ("entropy", align::entropy),
    ("token_log_probs", align::token_log_probs),
    ("masked_mean", align::masked_mean),
    ("masked_normalize", align::masked_normalize),
    ("group_norm", align::group_norm),
    ("advantages", align::advantages),
    ("pg_loss", align_losses::pg_loss),
    ("pg_loss26", align_losses::pg_loss26),
    ("aggregate", align_losses::aggregate),
    ("sft_step", align_losses::sft_step),
    ("grpo_step", align_losses::grpo_step),
    ("token_coefficients", align_losses::token_coefficients),
    ("policy_step", policy::policy_step),
    ("dpo_loss", align_losses::dpo_loss),
    ("newton_schulz", align::newton_schulz),
    ("tokenize_prompt_output", align_text::tokenize_prompt_output),
    ("parse_mmlu", align_text::parse_mmlu),
    ("parse_gsm8k", align_text::parse_gsm8k),
    ("html_text", filter::html_text),
    ("lang_id", filter::lang_id),
    ("mask", filter::mask),
    ("gopher", filter::quality_subset),
    ("filter", filter::filter),
    ("classify", filter::classify),
    ("dedup_lines", filter::dedup_lines),
    ("dedup_minhash", filter::dedup_minhash),
];

/// An error that stops the server.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The input ends inside a message.
    #[error("the input ended after {found} of {expected} bytes of a message's {part}")]
    Truncated {
        /// The truncated part: length or blob.
        part: &'static str,
        /// The number of bytes received.
        found: u64,
        /// The number of bytes announced.
        expected: u64,
    },
    /// A message is too long.
    #[error("a message of {0} bytes was announced; the most is {MAX_FRAME_BYTES}")]
    Oversized(u64),
    /// Reading or writing failed.
    #[error("standard input or output failed: {0}")]
    Stream(#[from] io::Error),
}

pub(super) async fn ops(backend: BackendArg) -> Result<(), String> {
    let context = open(backend).await?;
    context.as_ref().map_or(Ok(()), tuning::force).map_err(sentence)?;
    serve(io::stdin().lock(), io::stdout().lock(), context.as_ref()).map_err(sentence)
}

/// Answers requests until `reader` ends, on the CPU if there is no context.
///
/// # Errors
/// When a message is truncated or too long, or a stream fails.
pub fn serve(mut reader: impl Read, mut writer: impl Write, context: Option<&Context>) -> Result<(), FrameError> {
    let mut server = Server { context, rng: training::entropy(), tokenizers: Vec::new(), kernels: RefCell::default() };
    while let Some(frame) = read_frame(&mut reader)? {
        let blob = server.answer(&frame);
        writer.write_all(&(blob.len() as u64).to_le_bytes())?;
        writer.write_all(&blob)?;
        writer.flush()?;
    }
    Ok(())
}

/// The next message; `None` at the end of the input. Memory grows with the received bytes, not with the announced
/// length.
fn read_frame(reader: &mut impl Read) -> Result<Option<Vec<u8>>, FrameError> {
    let length = read_up_to(reader, 8)?;
    let expected = match <[u8; 8]>::try_from(length.as_slice()) {
        Ok(bytes) => u64::from_le_bytes(bytes),
        Err(_) if length.is_empty() => return Ok(None),
        Err(_) => return Err(FrameError::Truncated { part: "length", found: length.len() as u64, expected: 8 }),
    };
    if expected > MAX_FRAME_BYTES {
        return Err(FrameError::Oversized(expected));
    }
    let blob = read_up_to(reader, expected)?;
    let found = blob.len() as u64;
    if found < expected { Err(FrameError::Truncated { part: "blob", found, expected }) } else { Ok(Some(blob)) }
}

fn read_up_to(reader: &mut impl Read, n_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.by_ref().take(n_bytes).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Server<'_> {
    /// Answers the request in a blob with a blob.
    fn answer(&mut self, frame: &[u8]) -> Vec<u8> {
        self.kernels.borrow_mut().clear();
        let answer = Request::parse(frame).and_then(|request| {
            let op = OPS.iter().find(|(name, _)| *name == request.op);
            let unknown = || OpError::Unknown { op: request.op.clone(), known: OPS.map(|(name, _)| name).join(", ") };
            let (_, run) = op.ok_or_else(unknown)?;
            run(self, &request)
        });
        let kernels = self.kernels.borrow();
        answer.and_then(|answer| answer.to_blob(&kernels)).unwrap_or_else(|error| answer::error_blob(&error))
    }
}
