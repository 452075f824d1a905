//! Messages between the page and the worker of the data view. Requests and replies are JSON; files and texts are attached as
//! bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::rules::Bound;
use crate::settings::Stage;

/// Requests from the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Use the default settings with these changes, by path. Replies: [`Reply::Settings`], and a [`Reply::Funnel`] at once
    /// and after each further step.
    Settings {
        /// Values as text, by path.
        changes: BTreeMap<String, String>,
    },
    /// Use the attached settings file. Replies as for [`Request::Settings`].
    SettingsFile,
    /// Send the settings file: [`Reply::File`].
    WriteSettings,
    /// Forget all documents and read generated pages. The good texts are attached, separated by `<|endoftext|>`.
    Generate {
        /// Equal seeds give equal pages.
        seed: u64,
        /// The size of the pages in bytes.
        bytes: u64,
    },
    /// Forget all documents and read files, which are attached.
    Read {
        /// Their names, in order.
        names: Vec<String>,
        /// The field of JSON Lines with the text.
        field: String,
    },
    /// Stop reading; the documents so far stay.
    Cancel,
    /// The values of a rule in all documents: [`Reply::Histogram`].
    Histogram {
        /// The stage.
        stage: Stage,
        /// The rule.
        rule: String,
    },
    /// Rows of a list: [`Reply::Rows`].
    Rows {
        /// The list.
        list: List,
        /// The first row.
        start: usize,
        /// The number of rows.
        n: usize,
    },
    /// A document: [`Reply::Document`].
    Document {
        /// Its number.
        at: u32,
    },
    /// A cluster of near duplicates: [`Reply::Cluster`].
    Cluster {
        /// Its number, the largest cluster first.
        at: usize,
    },
    /// Plant pairs of known similarity and count those that the bands find: [`Reply::Planted`].
    Plant,
    /// A text for training: [`Reply::File`].
    Text {
        /// Which documents.
        of: TextOf,
        /// Leave out the documents of [`TextOf::HeldOut`].
        hold_out: bool,
    },
    /// The kept texts or the decisions as JSON Lines: [`Reply::File`].
    Export {
        /// The decisions, else the kept texts.
        decisions: bool,
    },
    /// Train the quality classifier and use it. Files of examples are attached, the good ones first.
    Train {
        /// Where the good examples come from.
        good: Examples,
        /// Where the bad examples come from.
        bad: Examples,
    },
}

/// Documents of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct List {
    /// The kept documents, else the dropped ones.
    pub kept: bool,
    /// Only those that this stage dropped.
    pub stage: Option<Stage>,
    /// Only those that this rule dropped.
    pub rule: Option<String>,
    /// Only those whose text or address contains this, without regard to case.
    pub search: String,
}

/// Which documents make a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextOf {
    /// Every document with a text, before any rule.
    Before,
    /// Those that are left after a stage and all before it.
    After {
        /// The stage.
        stage: Stage,
    },
    /// The kept ones, masked.
    Kept,
    /// Generated documents that are labeled clean.
    Clean,
    /// Every tenth kept document, to measure a model's loss on.
    HeldOut,
}

/// Where examples for the classifier come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Examples {
    /// Documents that are kept now.
    Kept,
    /// Documents that are dropped now.
    Dropped,
    /// The documents of the next attached file.
    File {
        /// Its name.
        name: String,
    },
}

/// Replies to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The settings in use.
    Settings {
        /// All values as text, by path.
        values: BTreeMap<String, String>,
        /// Those that differ from the defaults.
        changes: BTreeMap<String, String>,
    },
    /// Settings were refused; the previous ones stay in use.
    Refused {
        /// What is wrong.
        message: String,
    },
    /// How far reading is.
    Progress(Progress),
    /// The counts.
    Funnel(Funnel),
    /// The values of a rule.
    Histogram(Histogram),
    /// Rows of a list.
    Rows {
        /// The list.
        list: List,
        /// The first row.
        start: usize,
        /// The number of rows in the list.
        total: usize,
        /// The rows.
        rows: Vec<Row>,
    },
    /// A document.
    Document(Box<Document>),
    /// A cluster; none if there is none with this number.
    Cluster {
        /// Its number.
        at: usize,
        /// The number of clusters.
        of: usize,
        /// The documents: the kept one, then those that were dropped.
        members: Vec<Member>,
    },
    /// Pairs of known similarity.
    Planted {
        /// For each similarity: the similarity, the share of pairs that share a band, and the number of pairs.
        points: Vec<(f64, f64, u32)>,
    },
    /// A file, which is attached.
    File {
        /// Its purpose.
        of: FileOf,
        /// The number of documents in it.
        documents: usize,
    },
    /// The classifier was trained.
    Trained {
        /// Right answers and examples in the tenth that was held out: good, then bad.
        right: [(usize, usize); 2],
        /// The n-grams that speak most for a good text, with their weights.
        good: Vec<(String, f32)>,
        /// The n-grams that speak most for a bad text.
        bad: Vec<(String, f32)>,
    },
    /// A request cannot be carried out.
    Problem {
        /// What happened and what to do.
        message: String,
    },
}

/// What a [`Reply::File`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileOf {
    /// The settings in TOML.
    Settings,
    /// A text for training.
    Text {
        /// Which one.
        of: TextOf,
    },
    /// The kept texts.
    Kept,
    /// The decisions.
    Decisions,
}

/// How far reading is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Documents so far.
    pub documents: usize,
    /// Bytes of these documents.
    pub bytes: u64,
    /// The share of the source that has been read, 0 to 1.
    pub share: f64,
    /// Seconds of work on these documents.
    pub seconds: f64,
    /// What is being done; `None` when all is done.
    pub phase: Option<Phase>,
    /// Documents that were skipped, and files that ended early, in sentences.
    pub problems: Vec<String>,
}

/// What the worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reading and measuring documents.
    Reading,
    /// Measuring again, after a setting changed that measurements depend on.
    Measuring,
    /// Looking for duplicates.
    Comparing,
}

/// The counts of documents.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Funnel {
    /// All documents.
    pub documents: u64,
    /// Their bytes in the source.
    pub bytes: u64,
    /// Bytes of text after extraction.
    pub text_bytes: u64,
    /// The stages that are on, in order.
    pub stages: Vec<StageCount>,
    /// Kept documents.
    pub kept: u64,
    /// Their bytes of text.
    pub kept_bytes: u64,
    /// Masked personal data in kept documents: e-mail addresses, phone numbers, IP addresses.
    pub masked: [u64; 3],
    /// The number of clusters of near duplicates, and the size of the largest.
    pub clusters: (usize, usize),
    /// Duplicates have been looked for with these settings; otherwise their counts are earlier ones.
    pub compared: bool,
    /// For generated pages: good ones, those of them that are kept, others, and those of them that are dropped.
    pub labels: Option<[u64; 4]>,
}

/// What a stage dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageCount {
    /// The stage.
    pub stage: Stage,
    /// Documents that it dropped.
    pub dropped: u64,
    /// Their bytes of text.
    pub dropped_bytes: u64,
    /// Dropped documents by rule, the most first.
    pub rules: Vec<(String, u64)>,
}

/// The values of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// The stage.
    pub stage: Stage,
    /// The rule.
    pub rule: String,
    /// Which side of the limit is dropped.
    pub bound: Bound,
    /// The values at both ends of the bins.
    pub range: (f64, f64),
    /// The number of documents in each bin; the first and the last one also hold what lies outside.
    pub bins: Vec<u32>,
}

/// A document in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its number.
    pub at: u32,
    /// Its address.
    pub url: String,
    /// The stage and the rule that dropped it.
    pub dropped: Option<(Stage, String)>,
    /// The measured value: of the rule that dropped it, or of the selected rule.
    pub value: Option<f64>,
    /// A part of its text, around what the rule objects to.
    pub text: String,
    /// What the rule objects to, in bytes of `text`.
    pub spans: Vec<(usize, usize)>,
}

/// A document with all its measurements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Its number.
    pub at: u32,
    /// Its address.
    pub url: String,
    /// Its length in the source.
    pub bytes: usize,
    /// The identified language.
    pub language: Option<String>,
    /// The label of a generated page.
    pub label: Option<String>,
    /// The stage and the rule that dropped it.
    pub dropped: Option<(Stage, String)>,
    /// The document that is kept instead of a duplicate.
    pub instead: Option<(u32, String)>,
    /// The text as the rule saw it, or as it is kept.
    pub text: String,
    /// The part of the text after these bytes is left out.
    pub cut: Option<usize>,
    /// What the rule objects to, in bytes of `text`.
    pub spans: Vec<(usize, usize)>,
    /// Every measurement: stage, rule, value, limit, whether it keeps the document.
    pub measures: Vec<(Stage, String, f64, f64, bool)>,
}

/// A document of a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Its number.
    pub at: u32,
    /// Its address.
    pub url: String,
    /// Its similarity with the kept document; `None` for that one.
    pub similarity: Option<f64>,
    /// The text in parts: equal to the kept one, only here, only there.
    pub parts: Vec<(Part, String)>,
}

/// A part of a text that is compared with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// In both texts.
    Same,
    /// In this text alone.
    Added,
    /// In the other text alone.
    Removed,
}
