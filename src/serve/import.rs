//! Imports a model, which replaces the current run, for inspection, generation and training.

use super::Session;
use super::device::open_device;
use super::error::ServeError;
use super::resume::Corpus;
use crate::interop::archive::Chosen;
use crate::interop::files::TRAINING_STATE;
use crate::interop::import::{Opened, Source};
use crate::run::record::fingerprint;
use crate::train::context_length::{Held, fitting_context, shorten};
use crate::train::import::{ImportedRun, adopt, fine_tuning_config};
use crate::types::runs::CorpusRecord;
use crate::types::{BackendChoice, CorpusChoice, History, RunId};
use crate::wire::Event;
use crate::wire::runs::RunsEvent;

/// Number of copies of all parameters that are read, and then stored as a snapshot: one, plus two moments with a training
/// state.
const COPIES: [u64; 2] = [1, 3];

/// A model to import.
pub(super) struct Asked {
    pub run: RunId,
    pub backend: BackendChoice,
    pub probe: String,
    /// Display name of the model.
    pub name: String,
    /// The text for further training.
    pub corpus: CorpusChoice,
    /// Names and contents of its files.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Session {
    /// Imports a model. If that fails, the current run continues.
    pub(super) async fn import(&mut self, asked: Asked) {
        let run = asked.run;
        self.waiting = None;
        if let Err(error) = self.try_import(asked).await {
            let message = error.to_string();
            self.tell(Event::Runs { run, event: RunsEvent::ResumeFailed { message } });
        }
    }

    async fn try_import(&mut self, asked: Asked) -> Result<(), ServeError> {
        let Asked { run, backend, probe, name, corpus, files } = asked;
        let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut files = Chosen::new(files)?;
        let copies = COPIES[usize::from(files.has(TRAINING_STATE))];
        let held = Held { copies, file_bytes: bytes as u64 };
        let opened = Opened::new(&mut files)?;
        let device = open_device(backend).await?;
        let room = device.context.as_ref().map(|context| (context.adapter.limits, context.budget()));
        let (context_length, no_training) = fitting_context(fine_tuning_config(opened.model().clone()), room, held)?;
        let imported = opened.read(&mut files)?;
        drop(files);
        let ImportedRun { mut config, tokenizer, state, mut notes } = adopt(imported);
        notes.extend(shorten(&mut config, context_length));
        notes.extend(no_training);
        let (text_name, text) = self.read_corpus(corpus, &config)?;
        let record = CorpusRecord {
            choice: corpus,
            name: text_name,
            field: self.field.clone().filter(|_| corpus == CorpusChoice::File),
            vocabulary: Some(name.clone()),
            fingerprint: fingerprint(&text),
            asked: config.clone(),
        };
        let notice = (!notes.is_empty()).then(|| notes.join(" "));
        let corpus = Corpus { record, text, notice };
        self.put_in_place(run, &probe, device, corpus, (config, tokenizer, state), (name, History::default())).await
    }
}
