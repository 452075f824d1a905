//! The experiments: settings, what to look for, and checks.

use super::super::State;
use super::checks::*;
use glasshead::config::{MIN_TRAINED_VOCABULARY, Preset, ValidConfig};

/// A section of the gallery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What heads learn.
    Attention,
    /// Loss curves.
    Training,
    /// The user's models and texts.
    Yours,
}

impl Section {
    /// All sections in the order of the gallery.
    pub const ALL: [Self; 3] = [Self::Attention, Self::Training, Self::Yours];

    /// The title on the page.
    pub fn title(self) -> &'static str {
        match self {
            Self::Attention => "Attention",
            Self::Training => "Training",
            Self::Yours => "Your own",
        }
    }

    /// A line after the title.
    pub fn subtitle(self) -> &'static str {
        match self {
            Self::Attention => "See what each head learns, while it learns it",
            Self::Training => "Curves worth having seen once",
            Self::Yours => "Models and texts from your files; nothing leaves this computer",
        }
    }
}

/// How a phase begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With these entries of a link: `task`, and fields of the configuration that differ from `nano`.
    Settings(&'static [(&'static str, &'static str)]),
    /// With a model from files.
    Model,
    /// With a text from files.
    Text,
}

/// One run of an experiment.
#[derive(Debug)]
pub struct Phase {
    /// The name of the run; empty for the default.
    pub name: &'static str,
    /// How it begins.
    pub begin: Begin,
    /// The number of steps that it usually takes; 0 if unknown.
    pub usual: u64,
    /// The number of steps after which it is given up.
    pub limit: u64,
    /// Its result, once it is complete.
    pub done: fn(&State) -> Option<f64>,
}

impl Phase {
    /// The configuration of its run, if it does not depend on files.
    pub fn config(&self) -> Option<ValidConfig> {
        let Begin::Settings(settings) = self.begin else { return None };
        let mut config = Preset::Nano.config();
        for (name, value) in settings {
            if *name == "task" {
                config.model.vocab_size = MIN_TRAINED_VOCABULARY;
            } else {
                config.set(name, value).ok()?;
            }
        }
        ValidConfig::try_from(config).ok()
    }
}

/// The picture of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// Attention maps, by their place in the file of thumbnails.
    Maps(&'static [usize]),
    /// Loss curves or shares of right answers, by their place in the file.
    Curves(&'static [usize]),
}

/// An experiment.
#[derive(Debug)]
pub struct Experiment {
    /// Its name in links.
    pub name: &'static str,
    /// The title of its card.
    pub title: &'static str,
    /// What happens, in two lines.
    pub text: &'static str,
    /// What to look at while it runs.
    pub watch: &'static str,
    /// The check that ends it.
    pub check: &'static str,
    /// Its section.
    pub section: Section,
    /// Its picture.
    pub picture: Picture,
    /// Its runs, in order.
    pub phases: &'static [Phase],
    /// Whether the results of the phases pass the check, and the result in a sentence.
    pub verdict: fn(&State, &[f64]) -> (bool, String),
}

impl PartialEq for Experiment {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Experiment {
    /// The entries of the link that sets up the first phase.
    pub fn entries(&self) -> Vec<(&'static str, &'static str)> {
        let mut entries = vec![("view", "train")];
        if let Begin::Settings(settings) = self.phases[0].begin {
            entries.push(("preset", "nano"));
            entries.extend(settings);
        }
        entries.push(("experiment", self.name));
        entries
    }
}

const COPY: (&str, &str) = ("task", "copy");
const REVERSE: (&str, &str) = ("task", "reverse");

/// All experiments in the order of the gallery.
pub static EXPERIMENTS: [Experiment; 9] = [
    Experiment {
        name: "induction",
        title: "Watch an induction head form",
        text: "The text is random letters that repeat. A head in layer 2 learns to find the earlier occurrence and \
               to copy what came after it.",
        watch: "The line “Induction” rises at the bottom, and a bright stripe appears beside the diagonal of a head in \
                layer 2.",
        check: "An induction score above 0.6",
        section: Section::Attention,
        picture: Picture::Curves(&[0]),
        phases: &[Phase {
            name: "Induction",
            begin: Begin::Settings(&[
                ("task", "induction"),
                ("d_model", "64"),
                ("n_heads", "2"),
                ("d_ff", "16"),
                ("context_length", "32"),
                ("batch_size", "32"),
                ("max_lr", "0.02"),
                ("schedule_steps", "3000"),
                ("rope_theta", "100"),
            ]),
            usual: 1_100,
            limit: 4_000,
            done: induction,
        }],
        verdict: induction_formed,
    },
    Experiment {
        name: "no-mask",
        title: "Train without the causal mask",
        text: "Every token may attend to the next one. The loss falls far below any language model's, and the text \
               that it writes is nonsense: it copies the answer.",
        watch: "A stripe above the diagonal: every token attends to the one that it should predict.",
        check: "A training loss below 0.5",
        section: Section::Attention,
        picture: Picture::Curves(&[1]),
        phases: &[Phase {
            name: "No causal mask",
            begin: Begin::Settings(&[("causal", "false"), ("schedule_steps", "1000")]),
            usual: 180,
            limit: 1_500,
            done: leaked,
        }],
        verdict: mask_leaked,
    },
    Experiment {
        name: "no-positions",
        title: "Remove the positions",
        text: "The same model learns to copy words twice: with rotary positions, and without any. Attention alone \
               does not know the order of the letters.",
        watch: "The second curve stays above the first one: without positions every letter of the word looks alike.",
        check: "A higher loss without positions after 200 steps",
        section: Section::Attention,
        picture: Picture::Curves(&[2, 3]),
        phases: &[
            Phase {
                name: "With positions",
                begin: Begin::Settings(&[COPY, ("context_length", "32"), ("batch_size", "16")]),
                usual: COMPARED_STEPS,
                limit: 2 * COMPARED_STEPS,
                done: compared_loss,
            },
            Phase {
                name: "Without positions",
                begin: Begin::Settings(&[COPY, ("context_length", "32"), ("batch_size", "16"), ("positions", "none")]),
                usual: COMPARED_STEPS,
                limit: 2 * COMPARED_STEPS,
                done: compared_loss,
            },
        ],
        verdict: positions_compared,
    },
    Experiment {
        name: "one-head",
        title: "One head against four",
        text: "The same width, split into four heads or left as one. One head can attend in only one way per token.",
        watch: "Both curves in the loss chart, and the grid of heads: one column of maps, then four.",
        check: "Both losses after 200 steps",
        section: Section::Attention,
        picture: Picture::Curves(&[4, 5]),
        phases: &[
            Phase {
                name: "One head",
                begin: Begin::Settings(&[("n_heads", "1")]),
                usual: COMPARED_STEPS,
                limit: 2 * COMPARED_STEPS,
                done: compared_loss,
            },
            Phase {
                name: "Four heads",
                begin: Begin::Settings(&[]),
                usual: COMPARED_STEPS,
                limit: 2 * COMPARED_STEPS,
                done: compared_loss,
            },
        ],
        verdict: heads_compared,
    },
    Experiment {
        name: "two-layers",
        title: "Reverse needs two layers",
        text: "Write a word backwards. One layer sees the letters; it takes a second one to find which of them comes \
               next.",
        watch: "The Task tab counts right answers: with one layer they stay rare, with two they come.",
        check: "More right answers with two layers",
        section: Section::Training,
        picture: Picture::Curves(&[6, 7]),
        phases: &[
            Phase {
                name: "One layer",
                begin: Begin::Settings(&[
                    REVERSE,
                    ("n_layers", "1"),
                    ("d_model", "64"),
                    ("n_heads", "2"),
                    ("d_ff", "64"),
                    ("context_length", "32"),
                    ("batch_size", "16"),
                    ("max_lr", "0.005"),
                    ("schedule_steps", "2000"),
                    ("rope_theta", "100"),
                ]),
                usual: ONE_LAYER_STEPS,
                limit: 2 * ONE_LAYER_STEPS,
                done: right_with_one_layer,
            },
            Phase {
                name: "Two layers",
                begin: Begin::Settings(&[
                    REVERSE,
                    ("d_model", "64"),
                    ("n_heads", "2"),
                    ("d_ff", "64"),
                    ("context_length", "32"),
                    ("batch_size", "16"),
                    ("max_lr", "0.005"),
                    ("schedule_steps", "2000"),
                    ("rope_theta", "100"),
                ]),
                usual: 900,
                limit: 3_000,
                done: solved,
            },
        ],
        verdict: layers_compared,
    },
    Experiment {
        name: "learning-rate",
        title: "Set the learning rate too high",
        text: "The loss explodes within a few steps. Glasshead keeps the state from before; continue from there at \
               half the rate.",
        watch: "A red banner names the step. Press “Continue” in it, as often as it takes.",
        check: "Diverged, then a loss below 5 again",
        section: Section::Training,
        picture: Picture::Curves(&[8]),
        phases: &[Phase {
            name: "Too high",
            begin: Begin::Settings(&[
                ("max_lr", "0.25"),
                ("warmup_steps", "0"),
                ("optimizer", "sgd"),
                ("max_grad_norm", "1000000"),
            ]),
            usual: 80,
            limit: 2_000,
            done: recovered,
        }],
        verdict: rate_recovered,
    },
    Experiment {
        name: "tied",
        title: "Tied against untied embeddings",
        text: "The matrix that reads tokens can also write them. That saves a quarter of the parameters; what does it \
               cost?",
        watch: "Both curves in the loss chart, and the number of parameters in the setup bar.",
        check: "Both losses after 200 steps",
        section: Section::Training,
        picture: Picture::Curves(&[9, 10]),
        phases: &[
            Phase {
                name: "Untied",
                begin: Begin::Settings(&[]),
                usual: COMPARED_STEPS,
                limit: 2 * COMPARED_STEPS,
                done: compared_loss,
            },
            Phase {
                name: "Tied",
                begin: Begin::Settings(&[("tied_embeddings", "true")]),
                usual: COMPARED_STEPS,
                limit: 2 * COMPARED_STEPS,
                done: compared_loss,
            },
        ],
        verdict: tied_compared,
    },
    Experiment {
        name: "open-model",
        title: "Open GPT-2 and read its heads",
        text: "Choose a GPT-2 or Llama style model in Hugging Face's format, as a .zip or as its files, and see all \
               of its heads on your sentence.",
        watch: "Many heads of GPT-2 attend to the first token: the attention sink.",
        check: "The model's attention maps are shown",
        section: Section::Yours,
        picture: Picture::Maps(&[]),
        phases: &[Phase { name: "", begin: Begin::Model, usual: 0, limit: u64::MAX, done: at_the_limit }],
        verdict: model_opened,
    },
    Experiment {
        name: "your-text",
        title: "Train on your own text",
        text: "Choose text files: a book, your notes, code. A small model learns a vocabulary and then the text; read \
               what it writes.",
        watch: "The loss crosses the lines for unigrams and bigrams, and the samples begin to look like your text.",
        check: "A held-out loss below the bigram's",
        section: Section::Yours,
        picture: Picture::Curves(&[11]),
        phases: &[Phase { name: "", begin: Begin::Text, usual: 0, limit: 3_000, done: beats_bigram }],
        verdict: text_learned,
    },
];
