//! The session: takes the page's commands, keeps one run, and answers with events. It knows nothing of browsers, so
//! that native tests drive the very loop that the worker drives.

use super::prepare::{built_in_bytes, encode, tokenizer_text, train_tokenizer};
use super::run::{Message, Run};
use super::scoring::Scoring;
use super::trainer::{TrainError, Trainer};
use super::vocabularies::Vocabularies;
use crate::config::RunConfig;
use crate::data::{Task, Tokenizer, is_jsonl, jsonl_fields, read_files, stories};
use crate::gpu::context::Context;
use crate::protocol::data::{DataCommand, DataEvent, TaskInfo};
use crate::protocol::tokenizer::{TokenizerCommand, TokenizerEvent};
use crate::protocol::{
    BackendChoice, Command, CorpusChoice, DeviceInfo, Event, FileInfo, Phase, RunId, RunSummary, VocabularyChoice,
};

/// How much text of a task a run trains on.
const TASK_BYTES: usize = 1 << 20;

/// Takes events, and the bytes that ride along, to whoever listens.
pub type Sink = Box<dyn FnMut(Event, Option<Vec<u8>>)>;

/// A file of the user's.
struct File {
    name: String,
    bytes: Vec<u8>,
}

/// The worker's side of the protocol.
pub struct Session {
    sink: Sink,
    /// Seconds, from any beginning.
    clock: Box<dyn Fn() -> f64>,
    files: Vec<File>,
    /// The field of their records that holds the text.
    field: Option<String>,
    /// A `tokenizer.json` for the next run.
    vocabulary: Option<Vec<u8>>,
    vocabularies: Vocabularies,
    run: Option<Run>,
    /// Of the latest start, also when it failed.
    run_id: RunId,
}

impl Session {
    /// A session without a run. `clock` tells seconds.
    pub fn new(sink: Sink, clock: Box<dyn Fn() -> f64>) -> Self {
        let vocabularies = Vocabularies::default();
        let mut session =
            Self { sink, clock, files: Vec::new(), field: None, vocabulary: None, vocabularies, run: None, run_id: 0 };
        session.tell(Event::Listening);
        let info = |task: Task| TaskInfo {
            name: task.name().into(),
            description: task.describe().into(),
            probe: task.probe().trim_end().into(),
        };
        session.tell(Event::Data(DataEvent::Tasks { tasks: Task::ALL.map(info).into() }));
        session
    }

    fn tell(&mut self, event: Event) {
        (self.sink)(event, None);
    }

    fn tell_all(&mut self, messages: Vec<Message>) {
        messages.into_iter().for_each(|(event, bytes)| (self.sink)(event, bytes));
    }

    /// Carries out one command; `bytes` rode along with it.
    pub async fn handle(&mut self, command: Command, bytes: Option<Vec<u8>>) {
        match command {
            Command::LoadFiles { files } => self.load_files(split_files(files, bytes.unwrap_or_default())),
            Command::LoadVocabulary => self.vocabulary = bytes,
            Command::Data(DataCommand::ChooseField { field }) => self.field = Some(field),
            Command::Tokenizer(command) => self.handle_tokenizer(command, bytes),
            Command::Start { run, config, corpus, vocabulary, backend, probe } => {
                (self.run, self.run_id) = (None, run);
                if let Err(message) = self.start(config, (corpus, vocabulary), backend, &probe).await {
                    self.run = None;
                    self.tell(Event::Failed { run, message });
                }
            }
            other => self.handle_in_run(other),
        }
    }

    fn load_files(&mut self, files: Vec<File>) {
        let records = files.iter().find(|file| is_jsonl(&file.name));
        let fields = records.map_or(Vec::new(), |file| jsonl_fields(&file.bytes));
        self.field = fields.first().cloned();
        self.files = files;
        self.tell(Event::Data(DataEvent::Fields { fields }));
    }

    /// Commands about vocabularies.
    fn handle_tokenizer(&mut self, command: TokenizerCommand, bytes: Option<Vec<u8>>) {
        let mut messages = Vec::new();
        let result = match command {
            TokenizerCommand::RunVocabulary => self.run.as_ref().map_or(Ok(()), |run| run.vocabulary(&mut messages)),
            TokenizerCommand::Train { vocab_size, corpus, config } => {
                self.read_corpus(corpus, &config).and_then(|(name, text)| {
                    self.vocabularies.train(tokenizer_text(&text), name, vocab_size, &mut messages)
                })
            }
            other => {
                self.vocabularies.handle(other, bytes, &*self.clock, &mut messages);
                Ok(())
            }
        };
        self.tell_all(messages);
        if let Err(message) = result {
            self.tell(Event::Tokenizer(TokenizerEvent::Problem { message }));
        }
    }

    /// Commands that make sense only while there is a run.
    fn handle_in_run(&mut self, command: Command) {
        let Some(run) = &mut self.run else { return };
        let answer = match command {
            Command::Train => Some(run.train()),
            Command::Pause => {
                run.pause();
                None
            }
            Command::Step => {
                run.step();
                None
            }
            Command::Tune { train } => {
                let problem = run.trainer().tune(&train).err();
                problem.map(|problem| Event::Notice { run: run.id(), message: problem.to_string() })
            }
            Command::Probe { text } => {
                run.set_probe(&text);
                None
            }
            Command::Generate { request, prompt, sampling } => {
                run.generate(request, &prompt, sampling);
                None
            }
            Command::StopGenerating => run.stop_generating(),
            Command::LoadFiles { .. } | Command::LoadVocabulary | Command::Start { .. } => None,
            Command::Tokenizer(_) | Command::Data(_) => None,
        };
        if let Some(event) = answer {
            self.tell(event);
        }
    }

    /// Does one short piece of the run's work and returns whether there is more to do.
    pub async fn work(&mut self) -> bool {
        let mut messages = Vec::new();
        let merging = self.vocabularies.work(&*self.clock, &mut messages);
        self.tell_all(messages);
        self.work_on_run().await || merging
    }

    async fn work_on_run(&mut self) -> bool {
        let Some(run) = &mut self.run else { return false };
        let mut messages = Vec::new();
        let result = run.work(&*self.clock, &mut messages).await;
        let run = run.id();
        self.tell_all(messages);
        match result {
            Ok(more) => more,
            Err(error @ TrainError::Diverged { step, .. }) => {
                self.tell(Event::Diverged { run, step, message: error.to_string() });
                false
            }
            Err(error) => {
                self.run = None;
                self.tell(Event::Failed { run, message: error.to_string() });
                false
            }
        }
    }

    async fn start(
        &mut self,
        mut config: RunConfig,
        (corpus, vocabulary): (CorpusChoice, VocabularyChoice),
        backend: BackendChoice,
        probe: &str,
    ) -> Result<(), String> {
        let run = self.run_id;
        config.validate().map_err(|error| error.to_string())?;
        self.tell(Event::Loading { run, phase: Phase::Device });
        let context = self.open_device(backend).await?;
        self.tell(Event::Loading { run, phase: Phase::Corpus });
        let scoring = match corpus {
            CorpusChoice::Task(number) => Some(Scoring::new(task(number)?, config.train.seed)),
            CorpusChoice::BuiltIn | CorpusChoice::File => None,
        };
        let (corpus, text) = self.read_corpus(corpus, &config)?;
        self.tell(Event::Loading { run, phase: Phase::Tokenizer });
        let tokenizer = match vocabulary {
            VocabularyChoice::Trained => train_tokenizer(&text, &mut config).map_err(|error| error.to_string())?,
            VocabularyChoice::Loaded => self.loaded_tokenizer(&mut config)?,
        };
        self.tell(Event::Loading { run, phase: Phase::Encoding });
        let data = encode(&text, tokenizer, &config).map_err(|error| error.to_string())?;
        self.tell(Event::Loading { run, phase: Phase::Model });
        let (train, val) = (&data.dataset.train, &data.dataset.val);
        let trainer = Trainer::new(config, context.as_ref(), train, val).await.map_err(|error| error.to_string())?;
        let summary = RunSummary {
            config: trainer.config().clone(),
            n_params: trainer.config().model.n_params(),
            memory_bytes: trainer.memory_bytes(),
            corpus,
            corpus_bytes: text.len(),
            train_tokens: train.len(),
            val_tokens: val.len(),
            baselines: data.baselines,
        };
        let mut new_run = Run::new(run, trainer, data);
        new_run.set_scoring(scoring);
        new_run.set_probe(probe);
        let mut messages = Vec::new();
        new_run.show(&mut messages).await.map_err(|error| error.to_string())?;
        self.tell(Event::Ready { run, summary: Box::new(summary) });
        self.tell_all(messages);
        self.run = Some(new_run);
        Ok(())
    }

    /// The tokenizer that the page sent; the model gets as many embeddings as it has tokens.
    fn loaded_tokenizer(&self, config: &mut RunConfig) -> Result<Tokenizer, String> {
        let bytes = self.vocabulary.clone().ok_or("No vocabulary was chosen; choose one on the Tokenizer page.")?;
        let json = String::from_utf8(bytes).map_err(|_| "The vocabulary is not text in UTF-8; choose another.")?;
        let tokenizer = Tokenizer::from_json(&json).map_err(|error| error.to_string())?;
        config.model.vocab_size = tokenizer.vocab_size();
        config.validate().map_err(|error| error.to_string())?;
        Ok(tokenizer)
    }

    /// The device to compute on; none stands for the CPU.
    async fn open_device(&mut self, choice: BackendChoice) -> Result<Option<Context>, String> {
        let run = self.run_id;
        let context = match choice {
            BackendChoice::Cpu => None,
            BackendChoice::Gpu => Some(Context::new().await.map_err(|error| error.to_string())?),
            BackendChoice::Auto => match Context::new().await {
                Ok(context) => Some(context),
                Err(error) => {
                    let message = format!("Training on the CPU, which is slower: {error}.");
                    self.tell(Event::Notice { run, message });
                    None
                }
            },
        };
        let device = match &context {
            Some(Context { adapter, .. }) => {
                DeviceInfo { name: adapter.name.clone(), backend: adapter.backend.clone(), software: adapter.software }
            }
            None => DeviceInfo { name: "CPU".into(), backend: "CPU".into(), software: false },
        };
        self.tell(Event::Device { run, device });
        Ok(context)
    }

    /// The text to train on, and where it is from.
    fn read_corpus(&self, choice: CorpusChoice, config: &RunConfig) -> Result<(String, String), String> {
        match choice {
            CorpusChoice::BuiltIn => {
                let text = stories(config.train.seed, built_in_bytes(config));
                Ok(("built-in stories".into(), text))
            }
            CorpusChoice::Task(number) => {
                let task = task(number)?;
                Ok((format!("examples of {}", task.name()), task.text(config.train.seed, TASK_BYTES)))
            }
            CorpusChoice::File => {
                let name = match &self.files[..] {
                    [] => return Err("No file was chosen; pick one, or use the built-in stories.".into()),
                    [file] => file.name.clone(),
                    [first, rest @ ..] => format!("{} and {} more", first.name, rest.len()),
                };
                let files: Vec<_> = self.files.iter().map(|file| (file.name.as_str(), &file.bytes[..])).collect();
                let text = read_files(&files, self.field.as_deref()).map_err(|error| error.to_string())?;
                Ok((name, text))
            }
        }
    }
}

/// The task with this number.
fn task(number: usize) -> Result<Task, String> {
    Task::ALL.get(number).copied().ok_or_else(|| format!("There is no task number {number}; choose another text."))
}

/// Cuts the bytes that came for several files.
fn split_files(files: Vec<FileInfo>, mut bytes: Vec<u8>) -> Vec<File> {
    let cut = |FileInfo { name, size }| {
        let rest = bytes.split_off(size.min(bytes.len()));
        File { name, bytes: std::mem::replace(&mut bytes, rest) }
    };
    files.into_iter().map(cut).collect()
}
