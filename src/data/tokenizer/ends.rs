//! The tokens at the beginning and end of a model's texts, and those that a tokenizer adds to a prompt.

use super::{END_OF_TEXT, Tokenizer};

/// The tokens that end documents when no file specifies one, in order of preference.
const USUAL_ENDS: [&str; 4] = [END_OF_TEXT, "<|end_of_text|>", "</s>", "<eos>"];

/// The tokens at the beginning and end of a model's texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextEnds {
    /// The first token of a text without a prompt.
    pub begin: Option<u32>,
    /// The tokens that stop generation.
    pub stops: Vec<u32>,
    /// The token that ends a document in training text.
    pub document_end: Option<u32>,
}

impl TextEnds {
    /// Uses one token for everything, as in models trained by this program.
    pub fn of_document_end(document_end: Option<u32>) -> Self {
        Self { begin: document_end, stops: document_end.into_iter().collect(), document_end }
    }
}

/// The ids that a tokenizer adds to a model's input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// Ids before the text.
    pub before: Vec<u32>,
    /// Ids after the text.
    pub after: Vec<u32>,
}

impl Tokenizer {
    /// The token that ends a document in training text, if any. It is written as [`END_OF_TEXT`] there.
    pub fn end_of_text(&self) -> Option<u32> {
        self.ends.document_end
    }

    /// The tokens at the beginning and end of texts.
    pub fn ends(&self) -> &TextEnds {
        &self.ends
    }

    /// Sets the tokens at the beginning and end of texts. Unknown ids are dropped.
    pub fn set_ends(&mut self, ends: TextEnds) {
        let n = self.vocab_size();
        let known = |id: &u32| (*id as usize) < n;
        self.ends = TextEnds {
            begin: ends.begin.filter(known),
            stops: ends.stops.into_iter().filter(known).collect(),
            document_end: ends.document_end.filter(known),
        };
    }

    /// Whether this token stops generation.
    pub fn stops_at(&self, id: u32) -> bool {
        self.ends.stops.contains(&id)
    }

    /// The ids of a prompt, including those that the tokenizer adds. If there are none, the beginning-of-text token, or
    /// else the end-of-document token, or else id 0.
    pub fn encode_prompt(&self, text: &str) -> Vec<u32> {
        let ids = self.encode_with_template(text);
        match ids.is_empty() {
            true => vec![self.ends.begin.or(self.ends.document_end).unwrap_or(0)],
            false => ids,
        }
    }

    /// The ids of a text, including those that the tokenizer adds.
    pub fn encode_with_template(&self, text: &str) -> Vec<u32> {
        [&self.template.before[..], &self.encode(text), &self.template.after].concat()
    }

    /// The id of an added token, or `None`.
    pub fn added_id(&self, content: &str) -> Option<u32> {
        let at = self.specials.names().iter().position(|name| name == content)?;
        self.special_ids.get(at).copied()
    }

    /// The token that ends documents, judged by the tokenizer alone.
    pub fn usual_end(&self) -> Option<u32> {
        USUAL_ENDS.iter().find_map(|end| self.added_id(end))
    }
}
