//! A model from elsewhere takes the place of the present run, to be looked at, to write and to be trained on.

use super::Session;
use super::device::{Device, open_device};
use super::resume::{Corpus, Refusal};
use crate::config::{ModelConfig, Positions, RunConfig};
use crate::gpu::context::{Budget, Context, DeviceLimits};
use crate::interop::archive::Chosen;
use crate::interop::files::TRAINING_STATE;
use crate::interop::import::{Opened, Source};
use crate::model::memory::{MemoryError, MemoryPlan};
use crate::model::params::ParamTable;
use crate::protocol::runs::{CorpusRecord, RunsEvent};
use crate::protocol::{BackendChoice, CorpusChoice, Event, History, RunId};
use crate::train::adopt::{Adopted, adopt, gently};
use crate::train::record::fingerprint;

/// No window is made shorter than this.
const LEAST_CONTEXT: usize = 64;

/// Copies of all parameters that are read, and then kept to go back to: one, and with its training state two moments of
/// each.
const COPIES: [u64; 2] = [1, 3];

/// A model that was chosen.
pub(super) struct Asked {
    pub run: RunId,
    pub backend: BackendChoice,
    pub probe: String,
    /// What it is called.
    pub name: String,
    /// What it is trained on from here.
    pub corpus: CorpusChoice,
    /// Its files.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Session {
    /// Takes a model over. When that fails, the present run goes on.
    pub(super) async fn import(&mut self, asked: Asked) {
        let run = asked.run;
        self.waiting = None;
        if let Err(message) = self.try_import(asked).await {
            self.tell(Event::Runs { run, event: RunsEvent::ResumeFailed { message } });
        }
    }

    async fn try_import(&mut self, asked: Asked) -> Result<(), String> {
        let Asked { run, backend, probe, name, corpus, files } = asked;
        let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut files = Chosen::new(files).map_err(|error| error.to_string())?;
        let copies = COPIES[usize::from(files.has(TRAINING_STATE))];
        let held = Held { copies, file_bytes: bytes as u64 };
        let opened = Opened::new(&mut files).map_err(|error| error.to_string())?;
        let device = open_device(backend).await?;
        let (context_length, no_training) = fitting_context(gently(opened.model().clone()), &device, held)?;
        let imported = opened.read(&mut files).map_err(|error| error.to_string())?;
        drop(files);
        let Adopted { mut config, tokenizer, state } = adopt(imported);
        let cut = config.model.context_length - context_length;
        config.model.context_length = context_length;
        let (text_name, text) = self.read_corpus(corpus, &config)?;
        let record = CorpusRecord {
            choice: corpus,
            name: text_name,
            field: self.field.clone().filter(|_| corpus == CorpusChoice::File),
            vocabulary: Some(name.clone()),
            fingerprint: fingerprint(&text),
            asked: config.clone(),
        };
        let cut = (cut > 0).then(|| {
            format!(
                "Longer windows than {context_length} tokens do not fit this device, so {cut} fewer are seen at once."
            )
        });
        let no_training = no_training
            .map(|problem| format!("It can be looked at, and it writes, but not be trained here: {problem}."));
        let notices: Vec<String> = cut.into_iter().chain(no_training).collect();
        let notice = (!notices.is_empty()).then(|| notices.join(" "));
        let corpus = Corpus { record, text, notice };
        let put =
            self.put_in_place(run, &probe, device, corpus, (config, tokenizer, state), (name, History::default()));
        put.await.map_err(Refusal::into_message)
    }
}

/// Maps, logits and tokens on their way from the model to the page, in bytes.
const IN_PASSING: u64 = 256 << 20;

/// What is in memory while a model is taken over, before its run is.
#[derive(Clone, Copy)]
struct Held {
    /// Copies of all parameters.
    copies: u64,
    file_bytes: u64,
}

/// What a model is wanted for. On the CPU, memory for training comes with the first step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Look,
    Train,
}

/// The longest window that fits the device, and what is missing where the model can be looked at but not trained.
fn fitting_context(config: RunConfig, device: &Device, held: Held) -> Result<(usize, Option<String>), String> {
    let no_training = match longest_context(config.clone(), device, held, Purpose::Train) {
        Ok(context_length) => return Ok((context_length, None)),
        Err(problem) => problem,
    };
    Ok((longest_context(config, device, held, Purpose::Look)?, Some(no_training)))
}

/// Only rotary models compute the same in shorter windows.
fn longest_context(mut config: RunConfig, device: &Device, held: Held, purpose: Purpose) -> Result<usize, String> {
    loop {
        let problem = match missing(&config, device, held, purpose) {
            None => return Ok(config.model.context_length),
            Some(problem) => problem,
        };
        if config.model.positions != Positions::Rope || config.model.context_length <= LEAST_CONTEXT {
            return Err(problem);
        }
        config.model.context_length = (config.model.context_length / 2).max(LEAST_CONTEXT);
    }
}

/// How much memory the device or this program lacks for a model, as a sentence.
fn missing(config: &RunConfig, device: &Device, held: Held, purpose: Purpose) -> Option<String> {
    let too_large = |mib: u64| format!("the model does not fit this program's memory: {mib} MiB are missing");
    // Sizes that no address reaches are not even planned.
    if let Some(mib) = lacking(at_least_bytes(&config.model), usize::MAX as u64) {
        return Some(too_large(mib));
    }
    let table = ParamTable::new(&config.model);
    let window = config.model.context_length + 1;
    let budget = device.context.as_ref().map_or_else(Budget::default, Context::budget);
    let plan = MemoryPlan::within(budget, config, &table, window, window);
    let n_params = config.model.n_params();
    let limits = device.context.as_ref().map_or(DeviceLimits::CPU, |context| context.adapter.limits);
    if let Err(MemoryError { what, need_mib, most_mib, .. }) = plan.check(config, limits) {
        let missing = need_mib - most_mib;
        return Some(format!(
            "the model has {n_params} parameters, and its {what}; this device allows {most_mib} MiB, so {missing} MiB are \
             missing"
        ));
    }
    let copies = held.copies * 4 * table.buffer_len() as u64;
    let buffers = match (&device.context, purpose) {
        (Some(_), _) => 0,
        (None, Purpose::Look) => copies,
        (None, Purpose::Train) => plan.buffers.fixed_bytes(),
    };
    // The files are gone when the run's buffers come.
    lacking(copies + buffers.max(held.file_bytes) + IN_PASSING, usize::MAX as u64).map(too_large)
}

/// What copies of the weights, or one layer's attention weights, take at least.
fn at_least_bytes(model: &ModelConfig) -> u64 {
    let [v, c, f] = [model.vocab_size, model.d_model, model.d_ff].map(|size| size as f64);
    let [l, h, t] = [model.n_layers, model.n_heads, model.context_length].map(|size| size as f64);
    let weights = v * c + l * (2.0 * c * c + 2.0 * c * f);
    (4.0 * weights.max(h * t * t)) as u64
}

/// How many MiB `need` is more than there are bytes; none when it fits.
fn lacking(need: u64, have: u64) -> Option<u64> {
    need.checked_sub(have).filter(|&bytes| bytes > 0).map(|bytes| bytes.div_ceil(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;

    const NOTHING: Held = Held { copies: 1, file_bytes: 0 };

    fn cpu() -> Device {
        pollster::block_on(open_device(BackendChoice::Cpu)).unwrap()
    }

    #[test]
    fn what_is_missing_is_counted() {
        assert_eq!(lacking(5 << 20, 3 << 20), Some(2));
        assert_eq!(lacking((5 << 20) + 1, 3 << 20), Some(3));
        assert_eq!(lacking(3 << 20, 3 << 20), None);
    }

    #[test]
    fn gpt2_small_fits_a_tab() {
        let mut config = gently(ModelConfig::cs336([50_257, 1024], [768, 12, 12, 3072]));
        for (switch, value) in
            [("norm", "layernorm"), ("positions", "learned"), ("feed_forward", "gelu"), ("bias", "true")]
        {
            config.set(switch, value).unwrap();
        }
        config.model.tied_embeddings = true;
        let plan = MemoryPlan::new(&config, &ParamTable::new(&config.model), 200_000, 20_000);
        let tab = u64::from(u32::MAX);
        let limits = DeviceLimits { total_bytes: tab / 4 * 3, ..DeviceLimits::CPU };
        assert_eq!((config.model.n_params(), plan.check(&config, limits)), (124_439_808, Ok(())));
        let held = 4 * config.model.n_params();
        assert!(held + plan.buffers.fixed_bytes() + IN_PASSING < tab, "and so does what it is trained on from");
    }

    #[test]
    fn windows_shrink_until_they_fit_and_no_further() {
        let fits = gently(Preset::Nano.config().model);
        assert_eq!(fitting_context(fits.clone(), &cpu(), NOTHING), Ok((64, None)));
        // 16 heads over 8192 positions: the weights alone are 4 GiB.
        let mut long = fits;
        (long.model.context_length, long.model.n_heads, long.model.n_kv_heads) = (8192, 16, 16);
        long.model.d_model = 64;
        let (context_length, _) = fitting_context(long.clone(), &cpu(), NOTHING).unwrap();
        assert!((1024..8192).contains(&context_length), "{context_length}");
        long.model.positions = Positions::Learned;
        let refused = fitting_context(long, &cpu(), NOTHING).unwrap_err();
        assert!(
            refused.contains("this device allows 2048 MiB, so") && refused.contains("MiB are missing"),
            "{refused}"
        );
        let huge = gently(ModelConfig::cs336([128_000, 1024], [8192, 80, 64, 28_672]));
        assert!(fitting_context(huge, &cpu(), NOTHING).unwrap_err().contains("MiB are missing"));
    }
}
