//! Where texts begin and end for a model, and what a tokenizer puts around a prompt.

use super::tokenizer::{END_OF_TEXT, Tokenizer};

/// The tokens that end documents where no file says which one does, in order of preference.
const USUAL_ENDS: [&str; 4] = [END_OF_TEXT, "<|end_of_text|>", "</s>", "<eos>"];

/// Where texts begin and end for a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextEnds {
    /// The token that a text without a prompt begins with.
    pub begin: Option<u32>,
    /// The tokens that end what a model writes.
    pub stops: Vec<u32>,
    /// The token that ends a document in training text.
    pub document_end: Option<u32>,
}

impl TextEnds {
    /// One token for everything, as in models that are trained here.
    pub fn of_document_end(document_end: Option<u32>) -> Self {
        Self { begin: document_end, stops: document_end.into_iter().collect(), document_end }
    }
}

/// What a tokenizer puts around a text that a model is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// Ids before the text.
    pub before: Vec<u32>,
    /// Ids after the text.
    pub after: Vec<u32>,
}

impl Tokenizer {
    /// The token that ends a document in training text, if there is one. Training text spells it [`END_OF_TEXT`].
    pub fn end_of_text(&self) -> Option<u32> {
        self.ends.document_end
    }

    /// Where texts begin and end.
    pub fn ends(&self) -> &TextEnds {
        &self.ends
    }

    /// Sets where texts begin and end. Ids without a token are left out.
    pub fn set_ends(&mut self, ends: TextEnds) {
        let n = self.vocab_size();
        let known = |id: &u32| (*id as usize) < n;
        self.ends = TextEnds {
            begin: ends.begin.filter(known),
            stops: ends.stops.into_iter().filter(known).collect(),
            document_end: ends.document_end.filter(known),
        };
    }

    /// Whether this token ends what the model writes.
    pub fn stops_at(&self, id: u32) -> bool {
        self.ends.stops.contains(&id)
    }

    /// The ids of a prompt as the model expects it: with the tokens that the tokenizer puts around a text, and with the
    /// token that texts begin with where nothing else is left. Only a model without such a token begins with id 0.
    pub fn encode_prompt(&self, text: &str) -> Vec<u32> {
        let ids = self.encode_with_template(text);
        match ids.is_empty() {
            true => vec![self.ends.begin.or(self.ends.document_end).unwrap_or(0)],
            false => ids,
        }
    }

    /// The ids of a text with the tokens that the tokenizer puts around it.
    pub fn encode_with_template(&self, text: &str) -> Vec<u32> {
        [&self.template.before[..], &self.encode(text), &self.template.after].concat()
    }

    /// The id of an added token.
    pub fn added_id(&self, content: &str) -> Option<u32> {
        let at = self.specials.names().iter().position(|name| name == content)?;
        self.special_ids.get(at).copied()
    }

    /// The token that ends documents as far as the tokenizer alone says.
    pub fn usual_end(&self) -> Option<u32> {
        USUAL_ENDS.iter().find_map(|end| self.added_id(end))
    }
}
