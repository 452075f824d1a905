//! Saves and resumes a run, and runs the learning rate search.

use super::{Message, Mode, Run};
use crate::run::record::to_bytes_with;
use crate::train::lr_finder::{STEPS, Search};
use crate::train::trainer::{Origin, TrainError, TrainingState};
use crate::types::History;
use crate::types::runs::{CheckpointInfo, CorpusRecord, LrPoint, RunRecord};
use crate::wire::Event;
use crate::wire::runs::RunsEvent;

impl Run {
    /// Sets the record of the training text.
    pub fn set_corpus(&mut self, corpus: CorpusRecord) {
        self.corpus = Some(corpus);
    }

    /// Sets the name saved in the run's files.
    pub fn set_name(&mut self, name: &str) {
        self.name = name.into();
    }

    /// Resumes from a saved state.
    pub fn resume(&mut self, state: TrainingState, history: History) {
        self.trainer.restore(&state);
        (self.steps_done, self.seconds) = (state.step, history.seconds());
        self.history = history;
        self.keep_copy(state);
    }

    /// Saves the run as one file.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn save(&mut self, name: &str, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        let run = self.id;
        if !self.has_room_for_file() {
            let message =
                "There is not enough memory left to save this run; nothing is lost, and it can train on. A smaller \
                           batch_size leaves more."
                    .into();
            messages.push((Event::Notice { run, message }, None));
            return Ok(());
        }
        let state = self.whole_state(true, messages).await?;
        messages.extend(match self.file(&state, name) {
            Ok(file) => {
                file.map(|(about, bytes)| (Event::Runs { run, event: RunsEvent::Saved { about } }, Some(bytes)))
            }
            Err(message) => Some((Event::Notice { run, message }, None)),
        });
        Ok(())
    }

    /// Serializes a state of the run as one file; `None` without a record of the training text.
    pub(super) fn file(&self, state: &TrainingState, name: &str) -> Result<Option<(CheckpointInfo, Vec<u8>)>, String> {
        let config = self.config();
        let Some(corpus) = &self.corpus else { return Ok(None) };
        let about = CheckpointInfo {
            name: name.into(),
            step: state.step,
            loss: self.history.points.last().map(|point| point.loss),
            val_loss: self.history.validation.last().filter(|val| val.step == state.step).map(|val| val.loss),
            corpus: corpus.name.clone(),
            n_params: config.model.n_params(),
        };
        match to_bytes_with(&config, &self.tokenizer, state, name, corpus, &self.history) {
            Ok(bytes) => Ok(Some((about, bytes))),
            Err(error) => Err(format!("The run could not be saved: {error}.")),
        }
    }

    /// The training state, without the temporary changes of a learning rate search; includes the optimizer's moments only if
    /// requested.
    pub(super) async fn whole_state(
        &mut self,
        with_moments: bool,
        messages: &mut Vec<Message>,
    ) -> Result<TrainingState, TrainError> {
        match &self.search {
            Some(search) => Ok(search.before().clone()),
            None => {
                self.settle().await?;
                messages.push((self.progress(Vec::new()), None));
                match with_moments {
                    true => self.trainer.state().await,
                    false => {
                        let state = TrainingState::of(self.trainer.params().await?, 0);
                        Ok(TrainingState { step: self.trainer.step(), ..state })
                    }
                }
            }
        }
    }

    /// The record that is sent to the page when this run replaces another.
    pub fn record(&self, name: String) -> Option<RunRecord> {
        Some(RunRecord { name, corpus: self.corpus.clone()?, history: self.history.clone() })
    }

    /// Locates the origin of the divergence in the step that was not applied.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn trace(&mut self) -> Result<Origin, TrainError> {
        self.trainer.trace().await
    }

    /// Starts a learning rate search; the run is suspended.
    pub fn find_lr(&mut self) {
        self.search_wanted = true;
    }

    /// Ends the search and restores the run; returns the reply to a stop command.
    pub fn stop_finding(&mut self) -> Result<Option<Event>, TrainError> {
        self.search_wanted = false;
        let Some(search) = self.search.take() else { return Ok(None) };
        let suggestion = search.finish(&mut self.trainer)?;
        Ok(Some(Event::Runs { run: self.id, event: RunsEvent::LrFound { suggestion } }))
    }

    /// Runs some steps of the search; returns whether it continues.
    pub(super) async fn search(&mut self, messages: &mut Vec<Message>) -> Result<bool, TrainError> {
        if std::mem::take(&mut self.search_wanted) && self.search.is_none() {
            self.settle().await?;
            messages.push((self.progress(Vec::new()), None));
            self.search = Some(Search::begin(&mut self.trainer).await?);
        }
        let Some(search) = &mut self.search else { return Ok(false) };
        let began = (self.clock)();
        let (mut points, mut over): (Vec<LrPoint>, bool) = (Vec::new(), false);
        while !over && (self.clock)() - began < super::CHUNK_SECONDS {
            match search.step(&mut self.trainer).await? {
                Some(point) => points.push(point),
                None => over = true,
            }
        }
        let event = RunsEvent::LrPoints { points, of: STEPS };
        messages.push((Event::Runs { run: self.id, event }, None));
        if over {
            messages.extend(self.stop_finding()?.map(|event| (event, None)));
        }
        Ok(true)
    }

    /// Pauses the run if a stop rule has been reached, and returns the event.
    pub(super) fn stop_by_rule(&mut self) -> Option<Event> {
        let message = self.rules.reached(&self.standing())?;
        self.mode = Mode::Paused;
        Some(Event::Runs { run: self.id, event: RunsEvent::Stopped { message } })
    }
}
