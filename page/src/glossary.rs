//! What the terms on the page mean, and how they are measured. Plain data.

/// One entry of the glossary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The term, as used on the page.
    pub name: &'static str,
    /// What the term means.
    pub what: &'static str,
    /// How it is measured or computed.
    pub measured: &'static str,
}

const fn entry(name: &'static str, what: &'static str, measured: &'static str) -> Entry {
    Entry { name, what, measured }
}

/// All entries, by name.
pub static GLOSSARY: [Entry; 18] = [
    entry(
        "attention sink",
        "A head that looks mostly at the first token: where it parks attention that it has no use for.",
        "The mean weight on position 0 over all other positions of the measuring sequence.",
    ),
    entry(
        "attention weight",
        "The share of its attention that a query gives to a key, from 0 to 1; a query's weights sum to 1.",
        "Softmax over the row of scores; the maps hold it to 1/255.",
    ),
    entry(
        "causal mask",
        "A token may look at itself and at earlier tokens only, so that the next one cannot be copied from the text.",
        "Scores of later keys count as −∞, and their weights are exactly 0.",
    ),
    entry(
        "entropy",
        "How widely a query spreads its attention.",
        "−Σ w·log₂ w over its keys, in bits: 0 when one key gets everything, log₂ of the number of keys when all get \
         the same.",
    ),
    entry(
        "held-out loss",
        "How badly the model predicts text that it was not trained on.",
        "The mean of −ln p of the true next token over a fixed sample of held-out tokens, in nats per token.",
    ),
    entry(
        "induction head",
        "A head that finds an earlier occurrence of the present token and looks at what came after it, so that a \
         repeated text can be continued.",
        "The mean weight on the token after the earlier occurrence, over the tokens of the measuring sequence that have come before.",
    ),
    entry(
        "key",
        "What a token offers to be found by: a vector of d_head numbers per head.",
        "W_k times the normalised residual stream, after the position encoding.",
    ),
    entry(
        "knock-out",
        "A head that is switched off to see what the model loses without it. Training goes on with the head.",
        "The head's output is set to 0 before W_o, in an extra pass beside the unchanged one.",
    ),
    entry(
        "logit lens",
        "What the model would predict if it ended after a layer.",
        "The last norm and the LM head applied to the residual stream behind every block; behind the last one this is \
         the model's own prediction.",
    ),
    entry(
        "measuring sequence",
        "Random tokens that come twice: nothing but the repetition tells what comes next.",
        "Up to 32 different tokens of the training text in a fixed random order, eight by eight: eight tokens, the same \
         eight again, the next eight.",
    ),
    entry(
        "previous-token head",
        "A head that looks at the token right before; induction heads are built on one.",
        "The mean weight on the position before, over all positions but the first of the measuring sequence.",
    ),
    entry(
        "probability",
        "How likely the model takes a token to come next.",
        "Softmax over the logits of the whole vocabulary, at temperature 1.",
    ),
    entry(
        "query",
        "What a token looks for: a vector of d_head numbers per head.",
        "W_q times the normalised residual stream, after the position encoding.",
    ),
    entry(
        "residual stream",
        "The vector of d_model numbers per token that every block reads and adds to.",
        "The token's embedding plus the outputs of all attention and feed-forward branches so far.",
    ),
    entry(
        "same-token head",
        "A head that looks at earlier occurrences of the same token.",
        "The mean weight on the earlier occurrence, over the tokens of the measuring sequence that have come before.",
    ),
    entry(
        "score",
        "How well a query and a key fit, before softmax.",
        "q·k ÷ √d_head: the sum of the products of their numbers, scaled so that its spread does not grow with d_head.",
    ),
    entry(
        "softmax",
        "Turns scores into weights that are positive and sum to 1.",
        "exp(score − largest score of the row), divided by the sum of these over the row.",
    ),
    entry(
        "value",
        "What a token hands over to those that look at it: a vector of d_head numbers per head.",
        "W_v times the normalised residual stream; a head's output is the sum of all values, each times its weight.",
    ),
];

/// Finds the entry with this name.
pub fn find(name: &str) -> Option<&'static Entry> {
    GLOSSARY.iter().find(|entry| entry.name == name)
}
