//! New runs: from settings and a text to a run that can train.

use super::Session;
use super::device::{Device, check_room, keep_or_open};
use super::error::ServeError;
use super::run::PageRun;
use crate::config::RunConfig;
use crate::data::Dataset;
use crate::data::prepare::{PreparedData, encode, train_tokenizer};
use crate::inspect::initial_maps::initial_maps;
use crate::run::record::fingerprint;
use crate::run::recovery::LostDevices;
use crate::run::text::task_evaluation;
use crate::train::trainer::Trainer;
use crate::types::runs::CorpusRecord;
use crate::types::{BackendChoice, CorpusChoice, Phase, RunId, RunSummary, VocabularyChoice};
use crate::wire::Event;

impl Session {
    /// Starts a run from initial weights.
    ///
    /// # Errors
    /// If its settings, its text or its device do not allow it.
    pub(super) async fn start(
        &mut self,
        mut config: RunConfig,
        (corpus, vocabulary): (CorpusChoice, VocabularyChoice),
        backend: BackendChoice,
        probe: &str,
    ) -> Result<(), ServeError> {
        (self.lost_devices, self.diverged) = (LostDevices::default(), None);
        let run = self.run_id;
        config.validate()?;
        self.tell(Event::Loading { run, phase: Phase::Device });
        let mut device = keep_or_open(self.device.take(), backend).await?;
        self.tell_device(run, &device);
        check_room(&config, &device)?;
        if let Some(context) = &device.context {
            // Invalid overrides are reported when kernels are chosen.
            drop(self.recall_kernels(context));
            Trainer::compile_ahead(&config, context)?;
        }
        self.tell(Event::Loading { run, phase: Phase::Corpus });
        let asked = config.clone();
        let (name, text) = self.read_corpus(corpus, &config)?;
        self.report_skipped(run);
        self.tell(Event::Loading { run, phase: Phase::Tokenizer });
        let tokenizer = match vocabulary {
            VocabularyChoice::Trained => train_tokenizer(&text, &mut config)?,
            VocabularyChoice::Loaded => self.loaded_tokenizer(&mut config)?,
        };
        let maps = initial_maps(run, &config, &tokenizer, probe).await?;
        self.tell_all(maps.into_iter().collect());
        self.tell(Event::Loading { run, phase: Phase::Encoding });
        let data = encode(&text, tokenizer, &config)?;
        self.tell(Event::Loading { run, phase: Phase::Model });
        let vocabulary = match vocabulary {
            VocabularyChoice::Trained => None,
            VocabularyChoice::Loaded => self.vocabulary.as_ref().map(|(name, _)| name.clone()),
        };
        let (choice, field, fingerprint) = (corpus, self.field.clone(), fingerprint(&text));
        let corpus = CorpusRecord { choice, name, field, vocabulary, fingerprint, asked };
        let (mut new_run, summary) = self.build(run, config, &mut device, data, corpus, text.len()).await?;
        new_run.set_probe(probe);
        new_run.show().await?;
        self.tell(Event::Ready { run, summary: Box::new(summary) });
        self.tell_all(new_run.take_messages());
        (self.run, self.device) = (Some(new_run), Some(device));
        self.share_run().await;
        Ok(())
    }

    /// Creates a run with initial weights.
    pub(super) async fn build(
        &mut self,
        id: RunId,
        config: RunConfig,
        device: &mut Device,
        data: PreparedData,
        corpus: CorpusRecord,
        corpus_bytes: usize,
    ) -> Result<(PageRun, RunSummary), ServeError> {
        let trainer = self.trainer(id, config, device, &data.dataset).await?;
        let summary = RunSummary {
            config: trainer.config().clone(),
            n_params: trainer.config().model.n_params(),
            memory_bytes: trainer.memory_bytes(),
            corpus: corpus.name.clone(),
            corpus_bytes,
            train_tokens: data.dataset.train.len(),
            val_tokens: data.dataset.val.len(),
            baselines: data.baselines,
        };
        let mut run = PageRun::new(id, trainer, data, self.clock.clone());
        let driver = &mut run.driver;
        let task = task_evaluation(corpus.choice, &driver.config());
        driver.set_task(task?);
        driver.set_corpus(corpus);
        driver.set_rules(self.rules);
        driver.set_snapshots(self.copies);
        run.view.set_maps_shown(!self.maps_hidden);
        Ok((run, summary))
    }

    /// Builds a trainer with the fastest kernels, and reports those that cannot be used.
    pub(super) async fn trainer(
        &mut self,
        run: RunId,
        config: RunConfig,
        device: &mut Device,
        dataset: &Dataset,
    ) -> Result<Trainer, ServeError> {
        let slower = self.choose_kernels(&config, device).await?;
        if !slower.is_empty() {
            let message = format!("Slower than it could be: {}.", slower.join("; "));
            self.tell(Event::Notice { run, message });
        }
        let trainer = Trainer::new(config, device.context.as_ref(), &dataset.train, &dataset.val).await;
        Ok(trainer?)
    }
}
