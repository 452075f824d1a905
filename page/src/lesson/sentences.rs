//! Example sentences for the tokenizer step.

/// The first two are the lesson's own; the others are about machine learning.
pub const SENTENCES: [&str; 12] = [
    "Hey! I am doing well.. I hope you're well too! ",
    "Your journey starts with one step",
    "A neural network learns from its mistakes, one small step at a time.",
    "Gradient descent walks downhill without ever seeing the whole valley.",
    "The optimizer doesn't know why; it only knows which way is down.",
    "Overfitting is learning the textbook by heart and failing the exam.",
    "An embedding turns a word into numbers that can be added & compared.",
    "Backpropagation sends the blame back through every layer.",
    "With 8 heads, a Transformer looks at 8 things at once.",
    "Temperature 0 always says the likeliest word; 1.5 gets adventurous.",
    "Perplexity asks: between how many words did the model hesitate?",
    "Attention lets every token ask all others: \"What do you know?\"",
];
