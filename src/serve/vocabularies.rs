//! The vocabularies of the page's tokenizer view: loading, incremental training, encoding, export.

use std::collections::BTreeMap;

use super::error::VocabularyError;
use crate::data::{BpeTrainer, DataError, END_OF_TEXT, Tokenizer, Vocabulary, stories};
use crate::types::tokenizer::{ExportPurpose, MergeStep, TokenBytes, VocabularyFormat, VocabularySource};
use crate::wire::Event;
use crate::wire::lesson::LessonEvent;
use crate::wire::tokenizer::{TokenizerCommand, TokenizerEvent};

use crate::wire::Message;

/// Approximate duration of a unit of training, in seconds, so that commands are handled without delay.
const PIECE_SECONDS: f64 = 0.05;

/// Size of the text for timing the encoder.
const MEASURED_BYTES: usize = 4 << 20;

/// A vocabulary in training.
struct Job {
    trainer: BpeTrainer,
    n_asked: usize,
    corpus: String,
}

/// The loaded vocabularies and the one in training.
#[derive(Default)]
pub struct Vocabularies {
    known: BTreeMap<VocabularySource, (String, Tokenizer)>,
    job: Option<Job>,
    /// The vocabulary of [`VocabularySource::Trained`], for replays.
    trained: Option<Vocabulary>,
}

impl Vocabularies {
    /// Handles one command with the attached `bytes`; `clock` returns seconds. [`TokenizerCommand::Train`] is handled by
    /// [`Vocabularies::train`] instead, and a run's vocabulary by the run.
    pub fn handle(
        &mut self,
        command: TokenizerCommand,
        bytes: Option<Vec<u8>>,
        clock: &dyn Fn() -> f64,
        messages: &mut Vec<Message>,
    ) {
        let result = match command {
            TokenizerCommand::Load { source, name, format } => self.load(source, name, format, bytes, messages),
            TokenizerCommand::Encode { request, source, text } => self.encode(request, source, &text, messages),
            TokenizerCommand::Measure { source } => self.measure(source, clock, messages),
            TokenizerCommand::CancelTraining => self.finish(Vec::new(), messages),
            TokenizerCommand::Replay { request, text, n_merges } => self.replay(request, &text, n_merges, messages),
            TokenizerCommand::Export { source, purpose } => self.export(source, purpose, messages),
            TokenizerCommand::Train { .. } | TokenizerCommand::RunVocabulary => Ok(()),
        };
        if let Err(error) = result {
            tell(messages, TokenizerEvent::Problem { message: error.to_string() });
        }
    }

    /// Starts training a vocabulary of at most `vocab_size` tokens on `text`.
    ///
    /// # Errors
    /// If `vocab_size` is too small for the 256 bytes.
    pub fn train(
        &mut self,
        text: &str,
        corpus: String,
        vocab_size: usize,
        messages: &mut Vec<Message>,
    ) -> Result<(), VocabularyError> {
        (self.job, self.trained) = (None, None);
        let trainer = BpeTrainer::new(text, vocab_size, &[END_OF_TEXT])?;
        let n_asked = trainer.n_merges_left();
        let event = TokenizerEvent::Merged { n_asked, merges: Vec::new(), running: true, corpus: corpus.clone() };
        tell(messages, event);
        self.job = Some(Job { trainer, n_asked, corpus });
        Ok(())
    }

    /// Merges for a short time; returns whether training continues.
    pub fn work(&mut self, clock: &dyn Fn() -> f64, messages: &mut Vec<Message>) -> bool {
        let Some(job) = &mut self.job else { return false };
        let (began, mut merges) = (clock(), Vec::new());
        while clock() - began < PIECE_SECONDS {
            let Some(merge) = job.trainer.step() else {
                if let Err(error) = self.finish(merges, messages) {
                    tell(messages, TokenizerEvent::Problem { message: error.to_string() });
                }
                return false;
            };
            let (left, right) = job.trainer.pair_bytes(merge.pair);
            merges.push(MergeStep { left: left.to_vec(), right: right.to_vec(), count: merge.count, id: merge.id });
        }
        let (n_asked, corpus) = (job.n_asked, job.corpus.clone());
        tell(messages, TokenizerEvent::Merged { n_asked, merges, running: true, corpus });
        true
    }

    /// Ends the training and stores the result; `merges` have not been reported yet.
    fn finish(&mut self, merges: Vec<MergeStep>, messages: &mut Vec<Message>) -> Result<(), VocabularyError> {
        let Some(Job { trainer, n_asked, corpus }) = self.job.take() else { return Ok(()) };
        let vocabulary = trainer.finish();
        let tokenizer = Tokenizer::new(&vocabulary)?;
        let name = format!("trained on {corpus}");
        tell(messages, TokenizerEvent::Merged { n_asked, merges, running: false, corpus });
        self.trained = Some(vocabulary);
        self.put(VocabularySource::Trained, name, tokenizer, messages);
        Ok(())
    }

    fn put(&mut self, source: VocabularySource, name: String, tokenizer: Tokenizer, messages: &mut Vec<Message>) {
        let vocab_size = tokenizer.vocab_size();
        tell(messages, TokenizerEvent::Loaded { source, name: name.clone(), vocab_size });
        self.known.insert(source, (name, tokenizer));
    }

    fn load(
        &mut self,
        source: VocabularySource,
        name: String,
        format: VocabularyFormat,
        bytes: Option<Vec<u8>>,
        messages: &mut Vec<Message>,
    ) -> Result<(), VocabularyError> {
        let text = String::from_utf8(bytes.unwrap_or_default())
            .map_err(|_| VocabularyError::NotText { name: name.clone() })?;
        let tokenizer = read(&text, format).map_err(|error| VocabularyError::File { name: name.clone(), error })?;
        self.put(source, name, tokenizer, messages);
        Ok(())
    }

    fn get(&self, source: VocabularySource) -> Result<&(String, Tokenizer), VocabularyError> {
        self.known.get(&source).ok_or(VocabularyError::Missing { source_name: source })
    }

    /// Encodes a text of the lesson with GPT-2's vocabulary and decodes it again.
    ///
    /// # Errors
    /// If that vocabulary is not loaded.
    pub fn gpt2_tokens(&self, text: String) -> Result<LessonEvent, VocabularyError> {
        let (_, tokenizer) = self.get(VocabularySource::Gpt2)?;
        let decoded = tokenizer.decode(&tokenizer.encode(&text));
        Ok(LessonEvent::Tokens { tokens: tokens(tokenizer, &text), decoded, text })
    }

    fn encode(
        &self,
        request: u32,
        source: VocabularySource,
        text: &str,
        messages: &mut Vec<Message>,
    ) -> Result<(), VocabularyError> {
        let (_, tokenizer) = self.get(source)?;
        let tokens = tokens(tokenizer, text);
        tell(messages, TokenizerEvent::Encoded { request, source, tokens });
        Ok(())
    }

    fn measure(
        &self,
        source: VocabularySource,
        clock: &dyn Fn() -> f64,
        messages: &mut Vec<Message>,
    ) -> Result<(), VocabularyError> {
        let (_, tokenizer) = self.get(source)?;
        let text = stories(1, MEASURED_BYTES);
        let began = clock();
        let ids = tokenizer.encode(&text);
        let seconds = clock() - began;
        if ids.is_empty() {
            return Err(VocabularyError::EncodesNothing);
        }
        tell(messages, TokenizerEvent::Measured { source, bytes: text.len(), seconds });
        Ok(())
    }

    fn replay(
        &self,
        request: u32,
        text: &str,
        n_merges: usize,
        messages: &mut Vec<Message>,
    ) -> Result<(), VocabularyError> {
        let Some(vocabulary) = &self.trained else { return Ok(()) };
        let n_merges = n_merges.min(vocabulary.merges.len());
        let n_tokens = vocabulary.tokens.len() - vocabulary.merges.len() + n_merges;
        let first = Vocabulary {
            specials: vocabulary.specials.clone(),
            merges: vocabulary.merges[..n_merges].to_vec(),
            tokens: vocabulary.tokens[..n_tokens].to_vec(),
        };
        let tokens = tokens(&Tokenizer::new(&first)?, text);
        tell(messages, TokenizerEvent::Replayed { request, n_merges, tokens });
        Ok(())
    }

    fn export(
        &self,
        source: VocabularySource,
        purpose: ExportPurpose,
        messages: &mut Vec<Message>,
    ) -> Result<(), VocabularyError> {
        let (name, tokenizer) = self.get(source)?;
        let json = tokenizer.to_json()?;
        let event =
            TokenizerEvent::Exported { source, purpose, name: name.clone(), vocab_size: tokenizer.vocab_size() };
        messages.push((Event::Tokenizer(event), Some(json.into_bytes())));
        Ok(())
    }
}

fn read(text: &str, format: VocabularyFormat) -> Result<Tokenizer, DataError> {
    match format {
        VocabularyFormat::TokenizerJson => Tokenizer::from_json(text),
        VocabularyFormat::Ranks => Tokenizer::from_ranks(text, None),
    }
}

/// Encodes a text to tokens with their bytes.
fn tokens(tokenizer: &Tokenizer, text: &str) -> Vec<TokenBytes> {
    tokenizer.encode(text).into_iter().map(|id| TokenBytes { id, bytes: tokenizer.token_bytes(id) }).collect()
}

fn tell(messages: &mut Vec<Message>, event: TokenizerEvent) {
    messages.push((Event::Tokenizer(event), None));
}
