//! Inspection beyond the attention maps: the open section of the detail column, the change being tried, and the
//! results.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::arithmetic::{scores, weights};
use glasshead::types::Token;
use glasshead::types::inspect::{Comparison, HeadRows, Lens, ScoreKind, Scores, TensorInfo, Watched, WeightAt, WhatIf};
use glasshead::wire::inspect::InspectEvent;

/// Maximum number of score snapshots; beyond it, every second one is dropped.
const MAX_SNAPSHOTS: usize = 400;

/// A section of the detail column. Only the open one is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Section {
    /// The weights of a query row as bars.
    #[default]
    Row,
    /// How one weight is computed.
    Arithmetic,
    /// The products behind q·k.
    Neurons,
    /// The model with a change applied.
    WhatIf,
    /// What each layer would predict.
    Lens,
    /// Scores of known kinds of heads.
    Scores,
}

impl Section {
    /// All sections in display order.
    pub const ALL: [Self; 6] = [Self::Row, Self::Arithmetic, Self::Neurons, Self::WhatIf, Self::Lens, Self::Scores];

    /// The title on the page.
    pub fn title(self) -> &'static str {
        match self {
            Self::Row => "Row",
            Self::Arithmetic => "Arithmetic",
            Self::Neurons => "Dimensions",
            Self::WhatIf => "What if",
            Self::Lens => "Logit lens",
            Self::Scores => "Head roles",
        }
    }
}

/// Inspection actions.
#[derive(Clone, Debug, PartialEq)]
pub enum AskAction {
    /// Opens a section.
    Open(Section),
    /// Lends the open section the large tile, or gives the tile back to the map.
    Wide(bool),
    /// Explains a term in place: its glossary entry.
    Explain(&'static str),
    /// Explains a term in the inspector.
    ExplainHere(&'static str),
    /// Closes that explanation.
    CloseExplained,
    /// Sets the key whose weight is computed step by step.
    Key(usize),
    /// Toggles a head off or on.
    ToggleHead(usize, usize),
    /// Switches off exactly these heads.
    Off(Vec<(usize, usize)>),
    /// Selects a weight.
    Weight(WeightAt),
    /// Sets its override; none leaves it unchanged.
    Value(Option<f32>),
    /// Sets the position whose next token is predicted.
    Position(Option<usize>),
}

/// The numbers of a head at a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Steps completed.
    pub step: u64,
    /// (layer, head), from 0.
    pub at: (usize, usize),
    /// Its queries, keys and values.
    pub rows: HeadRows,
    /// q·k / √D (n, n); 0 where masked.
    pub scores: Vec<f32>,
    /// Softmax weights (n, n); 0 where masked.
    pub weights: Vec<f32>,
}

impl Head {
    /// Computes scores and weights from the rows.
    pub fn new(step: u64, at: (usize, usize), rows: HeadRows) -> Self {
        let (scores, weights) = (scores(&rows), weights(&rows));
        Self { step, at, rows, scores, weights }
    }

    /// A round upper bound of the magnitude of all scores.
    pub fn most(&self) -> f32 {
        let most = self.scores.iter().fold(0.0_f32, |most, score| most.max(score.abs()));
        ((2.0 * most).ceil() / 2.0).max(0.5)
    }
}

/// The logit lens at a step.
#[derive(Clone, Debug, PartialEq)]
pub struct LensShown {
    /// Steps completed.
    pub step: u64,
    /// The number of layers, L.
    pub n_layers: usize,
    /// The tokens of the probe.
    pub tokens: Vec<Token>,
    /// Every distinct predicted token, ascending by id.
    pub predicted: Vec<Token>,
    /// The predictions of every layer and position.
    pub lens: Lens,
}

impl LensShown {
    /// The text of a predicted token.
    pub fn text(&self, id: u32) -> &str {
        let found = self.predicted.binary_search_by_key(&id, |token| token.id);
        found.map_or("", |at| &self.predicted[at].text)
    }
}

/// The first time that a head passed the threshold of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Milestone {
    /// Which score.
    pub kind: ScoreKind,
    /// (layer, head), from 0.
    pub at: (usize, usize),
    /// Steps completed.
    pub step: u64,
}

impl Milestone {
    /// The announcement for the status line.
    pub fn sentence(&self) -> String {
        let (layer, head) = self.at;
        format!("{} appeared: layer {} head {} at step {}", self.kind.name(), layer + 1, head + 1, self.step)
    }
}

/// The scores of all heads during training.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScoreHistory {
    /// The number of heads per layer, H.
    pub n_heads: usize,
    /// Steps and the scores of all heads (L·H).
    pub snapshots: Vec<(u64, Vec<Scores>)>,
    /// The milestones reached, in order.
    pub milestones: Vec<Milestone>,
    /// Why there are no scores.
    pub reason: Option<String>,
}

impl ScoreHistory {
    /// The best head for a score in a snapshot, and its value.
    pub fn best(&self, kind: ScoreKind, scores: &[Scores]) -> ((usize, usize), f32) {
        let of = |at: usize| scores[at][kind as usize];
        let at = (0..scores.len()).max_by(|&a, &b| of(a).total_cmp(&of(b)).then(b.cmp(&a))).unwrap_or(0);
        let n_heads = self.n_heads.max(1);
        ((at / n_heads, at % n_heads), scores.get(at).map_or(0.0, |scores| scores[kind as usize]))
    }

    /// Appends a snapshot. The first time that a score passes its threshold creates a milestone.
    pub fn push(&mut self, step: u64, n_heads: usize, scores: Vec<Scores>) {
        self.n_heads = n_heads;
        self.reason = None;
        for kind in ScoreKind::ALL {
            let (at, score) = self.best(kind, &scores);
            if score >= ScoreKind::THRESHOLD && self.milestones.iter().all(|milestone| milestone.kind != kind) {
                self.milestones.push(Milestone { kind, at, step });
            }
        }
        self.snapshots.retain(|&(earlier, _)| earlier < step);
        self.snapshots.push((step, scores));
        if self.snapshots.len() > MAX_SNAPSHOTS {
            let last = self.snapshots.len() - 1;
            let mut at = 0usize;
            self.snapshots.retain(|_| {
                at += 1;
                (at - 1).is_multiple_of(2) || at - 1 == last
            });
        }
    }
}

/// Inspection requests and their results.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AskState {
    /// The open section.
    pub section: Section,
    /// Whether it is in the large tile instead of the map.
    pub wide: bool,
    /// The term that is explained, and a counter of such requests.
    pub explained: Option<(&'static str, u32)>,
    /// Whether the inspector explains it.
    pub explained_here: bool,
    /// The last hovered (query, key).
    pub cell: Option<(usize, usize)>,
    /// The heads that are switched off.
    pub off: BTreeSet<(usize, usize)>,
    /// The selected weight.
    pub weight: Option<WeightAt>,
    /// Its override, if any.
    pub value: Option<f32>,
    /// The position whose next token is predicted.
    pub position: Option<usize>,
    /// The numbers of the selected head.
    pub head: Option<Rc<Head>>,
    /// The logit lens.
    pub lens: Option<Rc<LensShown>>,
    /// The losses and predictions with and without the change.
    pub comparison: Option<Rc<Comparison>>,
    /// The model's parameters.
    pub tensors: Rc<Vec<TensorInfo>>,
    /// The result of the latest action, or why it failed.
    pub message: Option<String>,
    /// The scores of all heads during training.
    pub scores: Rc<ScoreHistory>,
}

impl AskState {
    /// What the worker has to compute while the head `selected` is shown.
    pub fn watched(&self, selected: (usize, usize)) -> Watched {
        let what_if = || WhatIf {
            off: self.off.iter().copied().collect(),
            weight: self.weight.clone(),
            value: self.value,
            position: self.position,
        };
        Watched {
            head: matches!(self.section, Section::Arithmetic | Section::Neurons).then_some(selected),
            lens: self.section == Section::Lens,
            what_if: (self.section == Section::WhatIf).then(what_if),
        }
    }

    /// Applies an action.
    pub fn apply(&mut self, action: AskAction) {
        match action {
            AskAction::Open(section) => self.section = section,
            AskAction::Wide(wide) => self.wide = wide,
            AskAction::Explain(name) => {
                let count = self.explained.map_or(0, |(_, count)| count);
                self.explained = Some((name, count + 1));
            }
            AskAction::ExplainHere(name) => {
                self.apply(AskAction::Explain(name));
                self.explained_here = true;
            }
            AskAction::CloseExplained => self.explained_here = false,
            AskAction::Key(key) => self.cell = Some((self.cell.map_or(key, |(query, _)| query), key)),
            AskAction::ToggleHead(layer, head) => {
                if !self.off.remove(&(layer, head)) {
                    self.off.insert((layer, head));
                }
            }
            AskAction::Off(off) => self.off = off.into_iter().collect(),
            AskAction::Weight(weight) => (self.weight, self.value, self.message) = (Some(weight), None, None),
            AskAction::Value(value) => (self.value, self.message) = (value, None),
            AskAction::Position(position) => self.position = position,
        }
    }

    /// Resets what belongs to the previous run.
    pub fn begin(&mut self) {
        *self = Self { section: self.section, wide: self.wide, explained: self.explained, ..Self::default() };
    }

    /// Handles an event from the worker.
    pub fn hear(&mut self, event: InspectEvent, bytes: Option<&[u8]>) {
        let bytes = bytes.unwrap_or_default();
        match event {
            InspectEvent::Head { step, at, n, d_head, causal } => {
                let rows = HeadRows::from_bytes(bytes, n, d_head, causal);
                self.head = rows.map(|rows| Rc::new(Head::new(step, at, rows)));
            }
            InspectEvent::Lens { step, n_layers, tokens, predicted } => {
                let lens = Lens::from_bytes(bytes, n_layers, tokens.len());
                self.lens = lens.map(|lens| Rc::new(LensShown { step, n_layers, tokens, predicted, lens }));
            }
            InspectEvent::WhatIf(comparison) => self.comparison = Some(Rc::new(*comparison)),
            InspectEvent::Tensors(tensors) => self.tensors = Rc::new(tensors),
            InspectEvent::Kept { step, weight, old, new } => {
                let WeightAt { tensor, row, column } = weight;
                self.value = None;
                self.message = Some(format!(
                    "{tensor}, row {row}, column {column} is now {new} in the run itself (was {old}), from step {step} \
                     on; training goes on from there."
                ));
            }
            InspectEvent::Refused { message } => self.message = Some(message),
            InspectEvent::Scores { step, n_heads, scores } => {
                Rc::make_mut(&mut self.scores).push(step, n_heads, scores);
            }
            InspectEvent::NoScores { reason } => Rc::make_mut(&mut self.scores).reason = Some(reason),
        }
    }
}
