//! A run as a whole: kept in a file, gone on with, and lent to the search for a learning rate.

use super::{Message, Mode, Run};
use crate::protocol::runs::{CheckpointInfo, CorpusRecord, LrPoint, RunRecord, RunsEvent};
use crate::protocol::{Event, History};
use crate::train::lr_find::{STEPS, Search};
use crate::train::record::to_bytes_with;
use crate::train::trainer::{Origin, TrainError, TrainingState};

impl Run {
    /// Remembers what it is trained on.
    pub fn set_corpus(&mut self, corpus: CorpusRecord) {
        self.corpus = Some(corpus);
    }

    /// Takes the name that files of it carry.
    pub fn set_name(&mut self, name: &str) {
        self.name = name.into();
    }

    /// Goes on from a saved state.
    pub fn resume(&mut self, state: TrainingState, history: History) {
        self.trainer.restore(&state);
        (self.steps_done, self.seconds) = (state.step, history.seconds());
        self.history = history;
        self.keep_copy(state);
    }

    /// The run as one file.
    ///
    /// # Errors
    /// When the device failed.
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

    /// A state of the run as one file; none while it does not know what it is trained on.
    pub(super) fn file(&self, state: &TrainingState, name: &str) -> Result<Option<(CheckpointInfo, Vec<u8>)>, String> {
        let config = self.config();
        let Some(corpus) = &self.corpus else { return Ok(None) };
        let about = CheckpointInfo {
            name: name.into(),
            step: state.step,
            loss: self.history.points.last().map(|point| point.loss),
            val_loss: self.history.validation.last().map(|val| val.loss),
            corpus: corpus.name.clone(),
            n_params: config.model.n_params(),
        };
        match to_bytes_with(&config, &self.tokenizer, state, name, corpus, &self.history) {
            Ok(bytes) => Ok(Some((about, bytes))),
            Err(error) => Err(format!("The run could not be saved: {error}.")),
        }
    }

    /// Where training stands, whatever a search has made of it for now; its moments only where they are wanted.
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

    /// What the page is told when it has taken the place of the run before.
    pub fn record(&self, name: String) -> Option<RunRecord> {
        Some(RunRecord { name, corpus: self.corpus.clone()?, history: self.history.clone() })
    }

    /// Where the step that was not applied went wrong.
    ///
    /// # Errors
    /// When the device failed.
    pub async fn trace(&mut self) -> Result<Origin, TrainError> {
        self.trainer.trace().await
    }

    /// Begins to look for a learning rate; what the run was doing waits.
    pub fn find_lr(&mut self) {
        self.search_wanted = true;
    }

    /// Ends the search and takes the run up again; the answer to a stop.
    pub fn stop_finding(&mut self) -> Result<Option<Event>, TrainError> {
        self.search_wanted = false;
        let Some(search) = self.search.take() else { return Ok(None) };
        let suggestion = search.finish(&mut self.trainer)?;
        Ok(Some(Event::Runs { run: self.id, event: RunsEvent::LrFound { suggestion } }))
    }

    /// Some steps of the search; true while it wants more.
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

    /// The rule that says stop now, as an event; the run is paused then.
    pub(super) fn stop_by_rule(&mut self) -> Option<Event> {
        let message = self.rules.reached(&self.standing())?;
        self.mode = Mode::Paused;
        Some(Event::Runs { run: self.id, event: RunsEvent::Stopped { message } })
    }
}
