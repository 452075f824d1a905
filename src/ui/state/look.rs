//! How attention is looked at: which table, which rows, which colours, which part of it.

use super::{Action, State};
use crate::ui::draw::heat::{ColorScale, Domain};
use crate::ui::draw::window::Window;
use crate::ui::maps::{Direction, Plane};

/// Heads of a layer taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Together {
    /// Their mean.
    Mean,
    /// Their maximum.
    Max,
}

impl Together {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Mean, Self::Max];

    /// Its name in links.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Max => "max",
        }
    }
}

/// What the colours of the large map stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Values {
    /// Softmax weights from 0 to 1.
    #[default]
    Weights,
    /// The same, each row from 0 to its own maximum.
    EachRow,
    /// q·k / √D of one head, on both sides of 0.
    Scores,
}

impl Values {
    /// All, the default first.
    pub const ALL: [Self; 3] = [Self::Weights, Self::EachRow, Self::Scores];

    /// Its name in the list.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weights => "weights, 0 to 1",
            Self::EachRow => "weights, each row to its maximum",
            Self::Scores => "scores before softmax",
        }
    }

    /// Its name in links.
    pub fn key(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::EachRow => "rows",
            Self::Scores => "scores",
        }
    }
}

/// How the weights of the chosen table are drawn large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// A map: rows are queries, columns are keys.
    #[default]
    Map,
    /// Lines between two columns of tokens.
    Lines,
}

impl Form {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Map, Self::Lines];

    /// Its name on the page and in links.
    pub fn name(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Lines => "lines",
        }
    }
}

/// How attention is looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// The heads of the chosen layer taken together, instead of the chosen head.
    pub together: Option<Together>,
    /// Rows that are held besides the pinned one.
    pub added: Vec<usize>,
    /// Which way strip and bars read.
    pub direction: Direction,
    /// What the colours stand for.
    pub values: Values,
    /// How the colours bend; see [`ColorScale::gamma`].
    pub gamma: f32,
    /// Weights below this are faded.
    pub threshold: f32,
    /// Whether entropies are told in nats instead of bits.
    pub nats: bool,
    /// How the table is drawn large.
    pub form: Form,
    /// Whether bars are sorted by weight instead of by position.
    pub sorted: bool,
    /// The part of the large map that is seen.
    pub window: Window,
    /// Where the part of the table that is written out begins: row, column.
    pub table_at: (usize, usize),
    /// What was last said in the status line.
    pub announcement: String,
    /// How many baselines the held-out loss has passed.
    passed: usize,
    /// How many kinds of heads have appeared.
    appeared: usize,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            together: None,
            added: Vec::new(),
            direction: Direction::LooksAt,
            values: Values::Weights,
            gamma: 1.0,
            threshold: 0.0,
            nats: false,
            form: Form::Map,
            sorted: false,
            window: Window::WHOLE,
            table_at: (0, 0),
            announcement: String::new(),
            passed: 0,
            appeared: 0,
        }
    }
}

/// What can happen to [`Look`].
#[derive(Clone, Debug)]
pub enum LookAction {
    /// Another table, large.
    Show(Plane),
    /// Hold a row besides those that are held, or let go of it.
    Add(usize),
    /// Let go of one row.
    Drop(usize),
    /// Read the other way.
    Direction(Direction),
    /// Colours for something else.
    Values(Values),
    /// Bend the colours.
    Gamma(f32),
    /// Fade weak weights.
    Threshold(f32),
    /// Entropies in bits or nats.
    ToggleNats,
    /// Draw it otherwise.
    Form(Form),
    /// Sort the bars, or not.
    ToggleSorted,
    /// Another part of the map.
    Window(Window),
    /// Another part of the table that is written out.
    TableAt(usize, usize),
}

impl Look {
    /// A new run or another sentence: what belonged to the old one goes.
    pub(super) fn begin(&mut self) {
        self.added.clear();
        (self.window, self.table_at) = (Window::WHOLE, (0, 0));
    }
}

impl State {
    /// The table that is shown large.
    pub fn plane(&self) -> Plane {
        let (layer, head) = self.selected;
        match self.look.together {
            None => Plane::Head(layer, head),
            Some(Together::Mean) => Plane::Mean(layer),
            Some(Together::Max) => Plane::Max(layer),
        }
    }

    /// The rows to look at, in order: those that are held, else the one under the pointer.
    pub fn rows(&self) -> Vec<usize> {
        let mut rows: Vec<usize> = self.pinned.into_iter().chain(self.look.added.iter().copied()).collect();
        if rows.is_empty() {
            rows.extend(self.hovered.map(|(query, key)| match self.look.direction {
                Direction::LooksAt => query,
                Direction::LookedAtBy => key,
            }));
        }
        rows.sort_unstable();
        rows.dedup();
        let n = self.shown_maps().map_or(0, |maps| maps.n());
        rows.retain(|&row| row < n);
        rows
    }

    /// Whether a row is held.
    pub fn holds(&self, row: usize) -> bool {
        self.pinned == Some(row) || self.look.added.contains(&row)
    }

    /// How the large map's numbers become colours, on paper of this colour.
    pub fn color_scale(&self, paper: [u8; 3]) -> ColorScale {
        let weights = ColorScale::weights(self.color_map);
        let Look { gamma, threshold, .. } = self.look;
        let domain = if self.look.values == Values::EachRow { Domain::EachRow } else { weights.domain };
        ColorScale { domain, gamma, threshold, paper, ..weights }
    }

    /// How the small maps' do.
    pub fn small_scale(&self) -> ColorScale {
        ColorScale { gamma: self.look.gamma, ..ColorScale::weights(self.color_map) }
    }

    /// Carries out one action.
    pub(in crate::ui) fn apply_look(&mut self, action: LookAction) {
        match action {
            LookAction::Show(plane) => {
                let (together, head) = match plane {
                    Plane::Head(_, head) => (None, head),
                    Plane::Mean(_) => (Some(Together::Mean), self.selected.1),
                    Plane::Max(_) => (Some(Together::Max), self.selected.1),
                };
                (self.look.together, self.selected) = (together, (plane.layer(), head));
                if together.is_some() && self.look.values == Values::Scores {
                    self.look.values = Values::Weights; // scores of several heads have no common scale
                }
            }
            LookAction::Add(row) if self.holds(row) => self.let_go(row),
            LookAction::Add(row) if self.pinned.is_none() => self.pinned = Some(row),
            LookAction::Add(row) => self.look.added.push(row),
            LookAction::Drop(row) => self.let_go(row),
            LookAction::Direction(direction) => self.look.direction = direction,
            LookAction::Values(values) => {
                self.look.values = values;
                if values == Values::Scores {
                    self.look.together = None;
                }
            }
            LookAction::Gamma(gamma) => self.look.gamma = gamma.clamp(0.2, 3.0),
            LookAction::Threshold(threshold) => self.look.threshold = threshold.clamp(0.0, 1.0),
            LookAction::ToggleNats => self.look.nats = !self.look.nats,
            LookAction::Form(form) => self.look.form = form,
            LookAction::ToggleSorted => self.look.sorted = !self.look.sorted,
            LookAction::Window(window) => self.look.window = window,
            LookAction::TableAt(row, column) => self.look.table_at = (row, column),
        }
    }

    /// Counts an action.
    pub(super) fn count(&mut self, action: &Action) {
        self.version += 1;
        if !matches!(action, Action::Hover(_)) {
            self.settled = self.version;
        }
    }

    /// Steps through layers and heads, round and round.
    pub(super) fn walk(&mut self, layers: isize, heads: isize) {
        let Some(maps) = self.shown_maps() else { return };
        let step = |at: usize, by: isize, n: usize| (at as isize + by).rem_euclid(n.max(1) as isize) as usize;
        let (layer, head) = self.selected;
        self.selected = (step(layer, layers, maps.n_layers), step(head, heads, maps.n_heads));
        if heads != 0 {
            self.look.together = None;
        }
    }

    /// Another sentence.
    pub(super) fn take_probe(&mut self, text: String) {
        (self.probe, self.hovered) = (text, None);
        self.let_go_of_all();
        self.look.begin();
    }

    /// Holds one row alone; lets go of it when it was held alone.
    pub(super) fn pin(&mut self, row: usize) {
        let alone = self.pinned == Some(row) && self.look.added.is_empty();
        self.pinned = (!alone).then_some(row);
        self.look.added.clear();
    }

    /// Holds no row any more.
    pub(super) fn let_go_of_all(&mut self) {
        self.pinned = None;
        self.look.added.clear();
    }

    /// Lets go of one row; another held one takes the place of the pinned one.
    fn let_go(&mut self, row: usize) {
        self.look.added.retain(|&added| added != row);
        if self.pinned == Some(row) {
            self.pinned = self.look.added.pop();
        }
    }

    /// Says in the status line what the held-out loss has passed.
    pub(super) fn announce_baselines(&mut self) {
        let (Some(summary), Some(val)) = (&self.summary, self.history.validation.last()) else { return };
        let ladder = [
            ("every token equally likely", summary.baselines.uniform),
            ("counts of single tokens", summary.baselines.unigram),
            ("counts of pairs of tokens", summary.baselines.bigram),
        ];
        let passed = ladder.iter().take_while(|(_, baseline)| f64::from(val.loss) < *baseline).count();
        if passed > self.look.passed && val.step > 0 {
            let (name, baseline) = ladder[passed - 1];
            self.look.announcement =
                format!("step {}: the held-out loss {:.2} is below {baseline:.2}, that of {name}", val.step, val.loss);
            self.look.passed = passed;
        }
    }

    /// Says in the status line which head has appeared.
    pub(super) fn announce_heads(&mut self) {
        let milestones = &self.ask.scores.milestones;
        if milestones.len() > self.look.appeared {
            self.look.appeared = milestones.len();
            self.look.announcement = milestones.last().map(|milestone| milestone.sentence()).unwrap_or_default();
        }
    }

    /// Forgets the milestones of an older run.
    pub(super) fn begin_look(&mut self) {
        self.look.begin();
        (self.look.passed, self.look.appeared, self.look.together) = (0, 0, None);
        self.look.announcement.clear();
    }
}
