//! How a prompt and a response become one text, for supervised fine-tuning and for sampling alike.

use std::fmt;
use std::str::FromStr;

use super::batch::TokenRow;
use super::error::{AlignError, shown};
use crate::data::{END_OF_TEXT, Tokenizer};

/// Placeholders in the text form of a template.
const PROMPT: &str = "{prompt}";
const RESPONSE: &str = "{response}";

/// What ends a response. The model learns to write it, and sampling stops at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A line break, as in the built-in tasks.
    Newline,
    /// The tokenizer's end-of-text token.
    EndOfText,
}

/// The text around a prompt and a response, for example `Question: {prompt}\nAnswer:{response}<|endoftext|>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptTemplate {
    before: String,
    between: String,
    end: End,
}

impl PromptTemplate {
    /// The built-in tasks' lines: `{prompt}{response}\n`.
    pub fn line() -> Self {
        Self { before: String::new(), between: String::new(), end: End::Newline }
    }

    /// What ends a response.
    pub fn end(&self) -> End {
        self.end
    }

    /// The text before the response.
    pub fn prompt_text(&self, prompt: &str) -> String {
        [&self.before, prompt, &self.between].concat()
    }

    /// The ids before the response, including those that the tokenizer adds to a prompt.
    pub fn prompt_ids(&self, tokenizer: &Tokenizer, prompt: &str) -> Vec<u32> {
        tokenizer.encode_prompt(&self.prompt_text(prompt))
    }

    /// The ids of a response with its end.
    ///
    /// # Errors
    /// When the tokenizer lacks the end-of-text token.
    pub fn response_ids(&self, tokenizer: &Tokenizer, response: &str) -> Result<Vec<u32>, AlignError> {
        match self.end {
            End::Newline => Ok(tokenizer.encode(&format!("{response}\n"))),
            End::EndOfText => {
                let end = tokenizer.end_of_text().ok_or(AlignError::NoEndOfText)?;
                Ok([&tokenizer.encode(response)[..], &[end]].concat())
            }
        }
    }

    /// The tokens of a prompt and its response. The two are encoded separately, because a sampled response begins with a new
    /// token as well.
    ///
    /// # Errors
    /// When the tokenizer lacks the end-of-text token.
    pub fn row(&self, tokenizer: &Tokenizer, prompt: &str, response: &str) -> Result<TokenRow, AlignError> {
        Ok(TokenRow::new(&self.prompt_ids(tokenizer, prompt), &self.response_ids(tokenizer, response)?))
    }

    /// The tokens at which sampling stops: all that contain a line break, or the tokens that end the model's texts.
    pub fn stops(&self, tokenizer: &Tokenizer) -> Vec<u32> {
        let ids = 0..tokenizer.vocab_size() as u32;
        match self.end {
            End::Newline => ids.filter(|&id| tokenizer.token_bytes(id).contains(&b'\n')).collect(),
            End::EndOfText => ids.filter(|&id| tokenizer.stops_at(id) || tokenizer.end_of_text() == Some(id)).collect(),
        }
    }

    /// The text of sampled ids up to the end, and whether the end is among them.
    pub fn response_text(&self, tokenizer: &Tokenizer, ids: &[u32]) -> (String, bool) {
        match self.end {
            End::Newline => {
                // The token with the line break may begin with the last letters of the response.
                let text = tokenizer.decode(ids);
                text.split_once('\n').map_or_else(|| (text.clone(), false), |(text, _)| (text.to_string(), true))
            }
            End::EndOfText => {
                let stops = |&id: &u32| tokenizer.stops_at(id) || tokenizer.end_of_text() == Some(id);
                let end = ids.iter().position(stops);
                (tokenizer.decode(&ids[..end.unwrap_or(ids.len())]), end.is_some())
            }
        }
    }
}

impl FromStr for PromptTemplate {
    type Err = AlignError;

    /// Parses the text form; the two characters `\n` mean a line break as well.
    fn from_str(template: &str) -> Result<Self, AlignError> {
        let wrong = |problem| AlignError::Template { template: shown(template), problem };
        let text = template.replace("\\n", "\n");
        let (before, rest) = text.split_once(PROMPT).ok_or_else(|| wrong("{prompt} is missing; write it once"))?;
        let (between, end) =
            rest.split_once(RESPONSE).ok_or_else(|| wrong("{response} is missing; write it after {prompt}"))?;
        if [before, between, end].iter().any(|part| part.contains(PROMPT) || part.contains(RESPONSE)) {
            return Err(wrong("a placeholder is repeated; write each once"));
        }
        let end = match end {
            "\n" => End::Newline,
            END_OF_TEXT => End::EndOfText,
            _ => return Err(wrong("after {response} expected a line break (\\n) or <|endoftext|>")),
        };
        Ok(Self { before: before.into(), between: between.into(), end })
    }
}

impl fmt::Display for PromptTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = match self.end {
            End::Newline => "\n",
            End::EndOfText => END_OF_TEXT,
        };
        write!(f, "{}{PROMPT}{}{RESPONSE}{end}", self.before, self.between)
    }
}
