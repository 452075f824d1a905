//! The training text of a session: the user's files, the built-in stories or a task, and the selected vocabulary.

use super::Session;
use super::error::{ServeError, VocabularyError};
use crate::config::RunConfig;
use crate::data::{ParquetText, Texts, Tokenizer, is_jsonl, jsonl_fields, read_files, read_parquet, stories};
use crate::run::text::generated;
use crate::types::tasks::skipped_rows;
use crate::types::{CorpusChoice, FileInfo, RunId};
use crate::wire::Event;
use crate::wire::data::{DataCommand, DataEvent};

/// The maximum length of stories that are written at once.
const MAX_STORIES_BYTES: usize = 64 << 20;

/// A file provided by the user.
pub(super) struct File {
    name: String,
    bytes: Vec<u8>,
    /// The text columns, if the text comes from a Parquet file.
    columns: Vec<String>,
}

impl File {
    pub(super) fn into_named(self) -> (String, Vec<u8>) {
        (self.name, self.bytes)
    }

    /// The text fields of the file's records, if it contains records.
    fn fields(&self) -> Option<Vec<String>> {
        if is_jsonl(&self.name, &self.bytes) {
            return Some(jsonl_fields(&self.bytes));
        }
        (!self.columns.is_empty()).then(|| self.columns.clone())
    }
}

impl Session {
    pub(super) fn load_files(&mut self, files: Vec<File>) {
        let fields = files.iter().find_map(File::fields).unwrap_or_default();
        self.field = fields.first().cloned();
        self.files = files;
        self.tell(Event::Data(DataEvent::Fields { fields }));
    }

    pub(super) fn handle_data(&mut self, command: DataCommand, bytes: Vec<u8>) {
        match command {
            DataCommand::ChooseField { field } => self.field = Some(field),
            DataCommand::Stories { seed, bytes } => {
                let text = stories(seed, bytes.min(MAX_STORIES_BYTES));
                (self.sink)(Event::Data(DataEvent::Stories), Some(text.into_bytes()));
            }
            DataCommand::ReadParquet { name, field } => {
                let (event, text) = match read_parquet(bytes, field.as_deref()) {
                    Ok(ParquetText { fields, text, skipped }) => {
                        (DataEvent::ParquetText { fields, skipped }, Some(text.into_bytes()))
                    }
                    Err(error) => (DataEvent::ParquetProblem { message: format!("{name}: {error}") }, None),
                };
                (self.sink)(Event::Data(event), text);
            }
        }
    }

    /// The tokenizer sent by the page; sets the model's `vocab_size` accordingly.
    pub(super) fn loaded_tokenizer(&self, config: &mut RunConfig) -> Result<Tokenizer, ServeError> {
        let (name, bytes) = self.vocabulary.clone().ok_or(VocabularyError::NoneChosen)?;
        let json = String::from_utf8(bytes).map_err(|_| VocabularyError::NotText { name })?;
        let tokenizer = Tokenizer::from_json(&json)?;
        config.model.vocab_size = tokenizer.vocab_size();
        config.validate()?;
        Ok(tokenizer)
    }

    /// Reports the rows without text that [`Session::read_corpus`] skipped, once.
    pub(super) fn report_skipped(&mut self, run: RunId) {
        let message = skipped_rows(self.skipped_rows.take(), self.field.as_deref().unwrap_or("text"));
        message.into_iter().for_each(|message| self.tell(Event::Notice { run, message }));
    }

    /// The training text and the name of its source.
    pub(super) fn read_corpus(&self, choice: CorpusChoice, config: &RunConfig) -> Result<(String, String), ServeError> {
        self.skipped_rows.set(0);
        match choice {
            CorpusChoice::BuiltIn | CorpusChoice::Task(_) => Ok(generated(choice, config)?),
            CorpusChoice::File => {
                let name = match &self.files[..] {
                    [] => return Err(ServeError::NoFile),
                    [file] => file.name.clone(),
                    [first, rest @ ..] => format!("{} and {} more", first.name, rest.len()),
                };
                let files: Vec<_> = self.files.iter().map(|file| (file.name.as_str(), &file.bytes[..])).collect();
                let Texts { text, skipped } = read_files(&files, self.field.as_deref())?;
                self.skipped_rows.set(skipped);
                Ok((name, text))
            }
        }
    }
}

/// Splits concatenated files.
pub(super) fn split_files(files: Vec<FileInfo>, mut bytes: Vec<u8>) -> Vec<File> {
    let cut = |FileInfo { name, size, fields: columns }| {
        let rest = bytes.split_off(size.min(bytes.len()));
        File { name, bytes: std::mem::replace(&mut bytes, rest), columns }
    };
    files.into_iter().map(cut).collect()
}
