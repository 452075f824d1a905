//! Resumes saved runs. Everything is prepared while the current run exists; it is replaced only once the saved run is ready.

use super::Session;
use super::device::{Device, open_device};
use super::error::ServeError;
use crate::config::RunConfig;
use crate::data::Tokenizer;
use crate::data::prepare::encode;
use crate::run::record;
use crate::run::record::fingerprint;
use crate::run::recovery::LostDevices;
use crate::train::checkpoint::Checkpoint;
use crate::train::trainer::TrainingState;
use crate::types::runs::{CorpusRecord, RunRecord};
use crate::types::{BackendChoice, CorpusChoice, History, RunId};
use crate::wire::Event;
use crate::wire::runs::RunsEvent;

/// A saved run to be resumed.
pub(super) struct Waiting {
    pub run: RunId,
    pub backend: BackendChoice,
    pub probe: String,
    /// Content of its file.
    pub bytes: Vec<u8>,
}

/// The training text of a run.
pub(super) struct Corpus {
    pub record: CorpusRecord,
    pub text: String,
    pub notice: Option<String>,
}

impl Session {
    /// Resumes the run that was waiting for a file, once the file has been provided.
    pub(super) async fn resume_waiting(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.resume(waiting, true).await;
        }
    }

    /// Replaces the current run by a saved one. `offered`: a file has just been provided for it.
    pub(super) async fn resume(&mut self, asked: Waiting, offered: bool) {
        let run = asked.run;
        self.waiting = None;
        let event = match self.try_resume(&asked, offered).await {
            Ok(()) => return,
            Err(ServeError::NeedsFile { name, field, problem }) => {
                self.waiting = Some(asked);
                RunsEvent::NeedsFile { name, field, problem }
            }
            Err(error) => RunsEvent::ResumeFailed { message: error.to_string() },
        };
        self.tell(Event::Runs { run, event });
    }

    async fn try_resume(&mut self, asked: &Waiting, offered: bool) -> Result<(), ServeError> {
        let Waiting { run, backend, probe, bytes } = asked;
        let checkpoint = Checkpoint::from_bytes(bytes)?;
        let Checkpoint { config, tokenizer, state } = checkpoint;
        let known = record::read(bytes);
        if let Some(field) = known.as_ref().and_then(|known| known.corpus.field.clone()) {
            self.field = Some(field);
        }
        let corpus = self.find_corpus(known.as_ref(), &config, offered)?;
        let (name, history) = known.map_or_else(Default::default, |known| (known.name, known.history));
        let device = open_device(*backend).await?;
        self.put_in_place(*run, probe, device, corpus, (config, tokenizer, state), (name, history)).await
    }

    /// Builds the run, then drops the current one and reports the new run to the page.
    pub(super) async fn put_in_place(
        &mut self,
        id: RunId,
        probe: &str,
        mut device: Device,
        corpus: Corpus,
        (config, tokenizer, state): (RunConfig, Tokenizer, TrainingState),
        (name, history): (String, History),
    ) -> Result<(), ServeError> {
        let Corpus { record, text, notice } = corpus;
        let chosen = record.vocabulary.clone().zip(tokenizer.to_json().ok().map(String::into_bytes));
        let data = encode(&text, tokenizer, &config)?;
        let (mut run, summary) = self.build(id, config, &mut device, data, record, text.len()).await?;
        run.resume(state, history);
        run.set_probe(probe);
        run.driver.set_name(&name);
        let record = run.driver.record(&name).ok_or(ServeError::NoText)?;
        run.show_first().await?;
        (self.run, self.run_id) = (Some(run), id);
        (self.lost_devices, self.diverged) = (LostDevices::default(), None);
        let event = RunsEvent::Resumed { record: Box::new(record), config: Box::new(summary.config.clone()) };
        (self.sink)(Event::Runs { run: id, event }, chosen.as_ref().map(|(_, json)| json.clone()));
        if chosen.is_some() {
            self.vocabulary = chosen;
        }
        self.tell_device(id, &device);
        self.device = Some(device);
        notice.into_iter().for_each(|message| self.tell(Event::Notice { run: id, message }));
        self.tell(Event::Ready { run: id, summary: Box::new(summary) });
        self.tell_run();
        self.share_run().await;
        Ok(())
    }

    /// The training text of the saved run.
    fn find_corpus(&self, known: Option<&RunRecord>, config: &RunConfig, offered: bool) -> Result<Corpus, ServeError> {
        let Some(RunRecord { corpus: record, .. }) = known else { return self.assume_built_in(config) };
        let is_file = record.choice == CorpusChoice::File;
        let needs_file =
            |problem| ServeError::NeedsFile { name: record.name.clone(), field: record.field.clone(), problem };
        if is_file && self.files.is_empty() {
            return Err(needs_file(None));
        }
        let read = self.read_corpus(record.choice, &record.asked);
        let (name, text) = read.map_err(|problem| match is_file {
            true => needs_file(offered.then(|| problem.to_string())),
            false => problem,
        })?;
        let same = fingerprint(&text) == record.fingerprint;
        if is_file && !same {
            let problem = offered.then(|| format!("{name} holds another text."));
            return Err(needs_file(problem));
        }
        let notice = (!same).then(|| {
            "The built-in text is no longer what this run was trained on: it goes on, but not to the bit as if it had \
             never stopped."
                .to_string()
        });
        Ok(Corpus { record: record.clone(), text, notice })
    }

    /// Imported models and files that version 0.1 of the command line saved do not record their training text.
    fn assume_built_in(&self, config: &RunConfig) -> Result<Corpus, ServeError> {
        let choice = CorpusChoice::BuiltIn;
        let (name, text) = self.read_corpus(choice, config)?;
        let (field, vocabulary, fingerprint) = (None, None, fingerprint(&text));
        let record = CorpusRecord { choice, name, field, vocabulary, fingerprint, asked: config.clone() };
        let notice = "This file does not say what its model was trained on; it goes on with the built-in stories.";
        Ok(Corpus { record, text, notice: Some(notice.into()) })
    }
}
