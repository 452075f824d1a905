//! Seeded generator of dirty web pages whose labels are known: good texts inside of menus, banners and footers, and pages
//! that a filter should drop, each for its own reason.

use serde::{Deserialize, Serialize};

use crate::html::windows_1252;
use crate::mask::Masked;
use crate::rng::Rng;

mod foreign;
mod junk;
mod page;
mod personal;
mod prose;

pub use prose::{article, notes};

/// What a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// A good text.
    Clean,
    /// A good text with personal data, to be masked.
    Personal,
    /// Links only.
    Menu,
    /// Text for search engines.
    Seo,
    /// Terms, cookies, error messages.
    Boilerplate,
    /// A good text that was decoded wrongly.
    Mojibake,
    /// Another language.
    Foreign,
    /// Results, prices, dates.
    List,
    /// An insulting text; insults are placeholders.
    Toxic,
    /// The text of an earlier page.
    ExactCopy,
    /// The text of an earlier page with a few words changed.
    NearCopy,
}

impl Label {
    /// All labels.
    pub const ALL: [Self; 11] = [
        Self::Clean,
        Self::Personal,
        Self::Menu,
        Self::Seo,
        Self::Boilerplate,
        Self::Mojibake,
        Self::Foreign,
        Self::List,
        Self::Toxic,
        Self::ExactCopy,
        Self::NearCopy,
    ];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Personal => "personal",
            Self::Menu => "menu",
            Self::Seo => "seo",
            Self::Boilerplate => "boilerplate",
            Self::Mojibake => "mojibake",
            Self::Foreign => "foreign",
            Self::List => "list",
            Self::Toxic => "toxic",
            Self::ExactCopy => "exact_copy",
            Self::NearCopy => "near_copy",
        }
    }

    /// Whether a filter should keep the page.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Clean | Self::Personal)
    }
}

/// Stands for an insult in generated pages, so that none has to be written down.
pub const INSULT: &str = "[insult]";

/// A generated page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page {
    /// Its address.
    pub url: String,
    /// What it is.
    pub label: Label,
    /// The page.
    pub html: String,
    /// Its content without the parts that all pages have.
    pub text: String,
    /// For copies, the number of the page that has the original.
    pub of: Option<usize>,
    /// The personal data in the text.
    pub personal: Masked,
}

/// The relative frequencies of the labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// By label, in the order of [`Label::ALL`].
    pub weights: [f64; 11],
}

impl Default for Mix {
    /// About half of the text is good.
    fn default() -> Self {
        Self { weights: [46.0, 6.0, 8.0, 7.0, 4.0, 5.0, 9.0, 5.0, 2.0, 3.0, 5.0] }
    }
}

/// Originals that copies are made of: the latest ones.
const MAX_ORIGINALS: usize = 2000;

/// An endless stream of pages. `story` delivers good texts.
pub struct DirtyPages<S> {
    rng: Rng,
    story: S,
    mix: Mix,
    originals: Vec<(usize, String)>,
    n_pages: usize,
}

impl<S: FnMut() -> String> DirtyPages<S> {
    /// Equal seeds and stories give equal pages.
    pub fn new(seed: u64, mix: Mix, story: S) -> Self {
        Self { rng: Rng::new(seed), story, mix, originals: Vec::new(), n_pages: 0 }
    }

    fn label(&mut self) -> Label {
        let total: f64 = self.mix.weights.iter().sum();
        let mut at = self.rng.uniform() * total;
        let found = Label::ALL.into_iter().zip(self.mix.weights).find(|(_, weight)| {
            at -= weight;
            at < 0.0
        });
        let label = found.map_or(Label::Clean, |(label, _)| label);
        let copy = matches!(label, Label::ExactCopy | Label::NearCopy);
        if copy && self.originals.is_empty() { Label::Clean } else { label }
    }

    /// A good text, which may be copied later.
    fn original(&mut self) -> String {
        let story = (self.story)();
        let entry = (self.n_pages, story.clone());
        if self.originals.len() < MAX_ORIGINALS {
            self.originals.push(entry);
        } else {
            let at = self.rng.below(MAX_ORIGINALS);
            self.originals[at] = entry;
        }
        story
    }

    /// An earlier text. A few texts are copied most often, as on the web.
    fn earlier(&mut self) -> (usize, String) {
        let n = self.originals.len();
        let popular = self.rng.chance(0.5);
        let at = self.rng.below(if popular { n.min(12) } else { n });
        self.originals[at].clone()
    }

    fn content(&mut self, label: Label) -> (String, Option<usize>, Masked) {
        let none = Masked::default();
        match label {
            Label::Clean => (self.original(), None, none),
            Label::Personal => {
                let story = (self.story)();
                let (text, personal) = personal::add(&story, &mut self.rng);
                (text, None, personal)
            }
            Label::Menu => (junk::menu(&mut self.rng), None, none),
            Label::Seo => (junk::seo(&mut self.rng), None, none),
            Label::Boilerplate => (junk::boilerplate(&mut self.rng), None, none),
            Label::Mojibake => {
                let story = (self.story)();
                (mojibake(&story, &mut self.rng), None, none)
            }
            Label::Foreign => (foreign::text(&mut self.rng), None, none),
            Label::List => (junk::list(&mut self.rng), None, none),
            Label::Toxic => {
                let story = (self.story)();
                (toxic(&story, &mut self.rng), None, none)
            }
            Label::ExactCopy => {
                let (of, text) = self.earlier();
                (text, Some(of), none)
            }
            Label::NearCopy => {
                let (of, text) = self.earlier();
                (near_copy(&text, &mut self.rng), Some(of), none)
            }
        }
    }
}

impl<S: FnMut() -> String> Iterator for DirtyPages<S> {
    type Item = Page;

    fn next(&mut self) -> Option<Page> {
        let label = self.label();
        let (text, of, personal) = self.content(label);
        let url = page::url(self.n_pages, label, &mut self.rng);
        let html = page::html(&text, label, &mut self.rng);
        self.n_pages += 1;
        Some(Page { url, label, html, text, of, personal })
    }
}

/// UTF-8 with accents and typographic quotes, read as Windows-1252.
fn mojibake(text: &str, rng: &mut Rng) -> String {
    let mut typographic = String::with_capacity(text.len());
    let mut open = false;
    for c in text.chars() {
        match c {
            '"' => {
                open = !open;
                typographic.push(if open { '“' } else { '”' });
            }
            '\'' => typographic.push('’'),
            'e' if rng.chance(0.06) => typographic.push('é'),
            'a' if rng.chance(0.03) => typographic.push('ä'),
            c => typographic.push(c),
        }
    }
    windows_1252(typographic.as_bytes())
}

fn toxic(text: &str, rng: &mut Rng) -> String {
    let remarks = [
        format!("You are all {INSULT}."),
        format!("Only a {INSULT} would read this."),
        format!("Shut up, you {INSULT}!"),
        format!("What a {INSULT}, honestly."),
    ];
    let mut out = String::with_capacity(text.len() + 200);
    for sentence in text.split_inclusive(". ") {
        out.push_str(sentence);
        if rng.chance(0.4) {
            out.push_str(&remarks[rng.below(remarks.len())]);
            out.push(' ');
        }
    }
    out.push_str(&remarks[rng.below(remarks.len())]);
    out
}

/// Changes one word in 200, and at least one, and sometimes adds a sentence.
fn near_copy(text: &str, rng: &mut Rng) -> String {
    const WORDS: [&str; 8] = ["very", "really", "quite", "new", "old", "other", "small", "big"];
    let words: Vec<&str> = text.split(' ').collect();
    let n_changes = 1 + words.len() / 200;
    let places: Vec<usize> = (0..n_changes).map(|_| rng.below(words.len())).collect();
    let changed: Vec<&str> = words
        .iter()
        .enumerate()
        .map(|(at, word)| if places.contains(&at) { rng.choose(&WORDS) } else { word })
        .collect();
    let mut out = changed.join(" ");
    if rng.chance(0.3) {
        out.push_str(rng.choose(&[" Print this page.", " Share this story.", " First published in May."]));
    }
    out
}

/// Texts to train the built-in classifier on: reference prose, and everything else.
pub(crate) fn quality_examples(seed: u64) -> (Vec<String>, Vec<String>) {
    const N: usize = 400;
    let mut rng = Rng::new(seed);
    let positive = (0..N).map(|_| article(&mut rng)).collect();
    let negative = (0..N).map(|at| match at % 8 {
        0 => junk::menu(&mut rng),
        1 | 2 => junk::seo(&mut rng),
        3 => junk::boilerplate(&mut rng),
        4 => junk::list(&mut rng),
        _ => junk::forum(&mut rng),
    });
    (positive, negative.collect())
}
