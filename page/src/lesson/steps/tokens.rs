//! From text to rows of numbers.

use super::{Control, Picture, Step};
use crate::lesson::sentences::SENTENCES;
use glasshead::types::lesson::Exercise;

/// Tokens, ids and embeddings.
pub const TOKENS: Step = Step {
    name: "tokens",
    title: "Tokens: a sentence becomes rows of numbers",
    text: "A model reads ids, not letters. GPT-2's byte-pair encoding cuts a text into pieces that were frequent in its \
           training text, most with the space before them (shown as ·), and every piece has an id. The id picks a row of \
           the embedding table; here each row has three numbers, GPT-2's have 768.",
    equation: "x_t = E_{id_t}",
    control: Control::Choice { label: "sentence", options: &SENTENCES, first: 0 },
    picture: Picture::Tokens,
    try_this: "Point at an id: its piece lights up. Find the last piece of the first sentence, a space of its own: 220.",
    question: "One sentence is cut into exactly as many tokens as it has words. Choose it: it stays with us from now on.",
    numpy: "ids = tokenizer.encode(\"Your journey starts with one step\")\n# [7120, 7002, 4940, 351, 530, 2239]\nx = embedding[ids]\ntext = tokenizer.decode(ids)",
    sources: "Byte-pair encoding: “Neural Machine Translation of Rare Words with Subword Units”, Sennrich et al. 2016 \
              (arXiv 1508.07909); over bytes: “Language Models are Unsupervised Multitask Learners”, Radford et al. 2019.",
    exercise: |state| Exercise::Embed { x: state.x.clone() },
    reached: |state, _| {
        state.tokens.as_ref().is_some_and(|tokens| {
            let shown = SENTENCES.get(state.control() as usize) == Some(&tokens.text.as_str());
            shown && tokens.encoding.tokens.len() == tokens.text.split_whitespace().count()
        })
    },
};
