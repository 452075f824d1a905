//! How attention is displayed: which table, which rows, which colors, which part.

use super::{Action, RunState, State};
use crate::draw::heat::{ColorScale, Domain};
use crate::draw::window::Window;
use crate::maps::{Direction, Plane};
use glasshead::wire::Event;

/// An aggregate of the heads of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Together {
    /// The elementwise mean.
    Mean,
    /// The elementwise maximum.
    Max,
}

impl Together {
    /// Both aggregates, the mean first.
    pub const ALL: [Self; 2] = [Self::Mean, Self::Max];

    /// Its name in links.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Max => "max",
        }
    }
}

/// The numbers that the large map shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Values {
    /// Softmax weights from 0 to 1.
    #[default]
    Weights,
    /// Softmax weights, each row scaled to its own maximum.
    EachRow,
    /// q·k / √D of one head, on a scale symmetric about 0.
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

/// The form in which the table is shown large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// A map: rows are queries, columns are keys.
    #[default]
    Map,
    /// Lines between two columns of tokens.
    Lines,
}

impl Form {
    /// Both forms, the default first.
    pub const ALL: [Self; 2] = [Self::Map, Self::Lines];

    /// Its name on the page and in links.
    pub fn name(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Lines => "lines",
        }
    }
}

/// Display options of attention.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// The aggregate of the selected layer's heads to show instead of the selected head, if any.
    pub together: Option<Together>,
    /// Rows pinned in addition to [`State::pinned`].
    pub added: Vec<usize>,
    /// The direction in which strip and bars read the weights.
    pub direction: Direction,
    /// The numbers shown.
    pub values: Values,
    /// The gamma of the colors; see [`ColorScale::gamma`].
    pub gamma: f32,
    /// Weights below this are faded.
    pub threshold: f32,
    /// Whether entropies are shown in nats instead of bits.
    pub nats: bool,
    /// Whether the heads of a layer are ordered by entropy, the most focused first, instead of by number.
    pub focused_first: bool,
    /// Whether the grid of heads leaves out the mean and the maximum of each layer.
    pub heads_only: bool,
    /// The form in which the table is shown.
    pub form: Form,
    /// Whether bars are sorted by weight instead of by position.
    pub sorted: bool,
    /// The visible part of the large map.
    pub window: Window,
    /// Where the visible part of the table of numbers starts: row, column.
    pub table_at: (usize, usize),
    /// The latest announcement in the status line.
    pub announcement: String,
    /// Number of baselines that the held-out loss has passed.
    passed: usize,
    /// Number of milestones announced.
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
            focused_first: false,
            heads_only: false,
            form: Form::Map,
            sorted: true,
            window: Window::WHOLE,
            table_at: (0, 0),
            announcement: String::new(),
            passed: 0,
            appeared: 0,
        }
    }
}

/// Actions on [`Look`].
#[derive(Clone, Debug)]
pub enum LookAction {
    /// Shows another table large.
    Show(Plane),
    /// Pins an additional row, or unpins it.
    Add(usize),
    /// Unpins a row.
    Drop(usize),
    /// Sets the reading direction.
    Direction(Direction),
    /// Sets the numbers shown.
    Values(Values),
    /// Sets the gamma of the colors.
    Gamma(f32),
    /// Sets the threshold below which weights are faded.
    Threshold(f32),
    /// Toggles between bits and nats.
    ToggleNats,
    /// Toggles between the order by entropy and by number of the heads of a layer.
    ToggleOrder,
    /// Shows or leaves out the mean and the maximum of each layer.
    ToggleAggregates,
    /// Sets the form.
    Form(Form),
    /// Toggles sorting of the bars.
    ToggleSorted,
    /// Shows another part of the map.
    Window(Window),
    /// Shows another part of the table of numbers, from this row and column.
    TableAt(usize, usize),
}

impl Look {
    /// Resets what belongs to the previous run or sentence.
    pub(super) fn begin(&mut self) {
        self.added.clear();
        (self.window, self.table_at) = (Window::WHOLE, (0, 0));
    }
}

impl State {
    /// The table shown large.
    pub fn plane(&self) -> Plane {
        let (layer, head) = self.selected;
        match self.look.together {
            None => Plane::Head(layer, head),
            Some(Together::Mean) => Plane::Mean(layer),
            Some(Together::Max) => Plane::Max(layer),
        }
    }

    /// The current rows, in order: the pinned ones, else the one under the pointer.
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

    /// The rows that the inspector and the tokens show: the current ones, else the last token's.
    pub fn inspected_rows(&self) -> Vec<usize> {
        let rows = self.rows();
        let last = || self.shown_maps().and_then(|maps| maps.n().checked_sub(1));
        if rows.is_empty() { last().into_iter().collect() } else { rows }
    }

    /// Whether a row is pinned.
    pub fn holds(&self, row: usize) -> bool {
        self.pinned == Some(row) || self.look.added.contains(&row)
    }

    /// The color scale of the large map; `paper` is the color that faded cells fade to.
    pub fn color_scale(&self, paper: [u8; 3]) -> ColorScale {
        let weights = ColorScale::weights(self.color_map);
        let Look { gamma, threshold, .. } = self.look;
        let domain = if self.look.values == Values::EachRow { Domain::EachRow } else { weights.domain };
        ColorScale { domain, gamma, threshold, paper, ..weights }
    }

    /// The color scale of the small maps.
    pub fn small_scale(&self) -> ColorScale {
        ColorScale { gamma: self.look.gamma, ..ColorScale::weights(self.color_map) }
    }

    /// Applies an action.
    pub(crate) fn apply_look(&mut self, action: LookAction) {
        match action {
            LookAction::Show(plane) => {
                let (together, head) = match plane {
                    Plane::Head(_, head) => (None, head),
                    Plane::Mean(_) => (Some(Together::Mean), self.selected.1),
                    Plane::Max(_) => (Some(Together::Max), self.selected.1),
                };
                (self.look.together, self.selected) = (together, (plane.layer(), head));
                if together.is_some() && self.look.values == Values::Scores {
                    self.look.values = Values::Weights; // scores of an aggregate have no common scale
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
            LookAction::ToggleOrder => self.look.focused_first = !self.look.focused_first,
            LookAction::ToggleAggregates => self.look.heads_only = !self.look.heads_only,
            LookAction::Form(form) => self.look.form = form,
            LookAction::ToggleSorted => self.look.sorted = !self.look.sorted,
            LookAction::Window(window) => self.look.window = window,
            LookAction::TableAt(row, column) => self.look.table_at = (row, column),
        }
    }

    /// Counts an action in [`State::version`] and [`State::settled`].
    pub(super) fn count(&mut self, action: &Action) {
        self.version += 1;
        if !matches!(action, Action::Hover(_)) {
            self.settled = self.version;
        }
        let progress = match action {
            Action::Hover(_) => true,
            // A paused run reports what it had not yet shown.
            Action::Events(events) if self.run_state == RunState::Training => {
                events.iter().all(|(event, _)| is_progress(event))
            }
            _ => false,
        };
        if !progress {
            self.quiet = self.version;
        }
    }

    /// Moves through layers and heads, wrapping around.
    pub(super) fn walk(&mut self, layers: isize, heads: isize) {
        let Some(maps) = self.shown_maps() else { return };
        let step = |at: usize, by: isize, n: usize| (at as isize + by).rem_euclid(n.max(1) as isize) as usize;
        let (layer, head) = self.selected;
        self.selected = (step(layer, layers, maps.n_layers), step(head, heads, maps.n_heads));
        if heads != 0 {
            self.look.together = None;
        }
    }

    /// Sets the probe sentence.
    pub(super) fn take_probe(&mut self, text: String) {
        (self.probe, self.hovered) = (text, None);
        self.let_go_of_all();
        self.look.begin();
    }

    /// Pins only this row, or unpins it if it is the only one.
    pub(super) fn pin(&mut self, row: usize) {
        let alone = self.pinned == Some(row) && self.look.added.is_empty();
        self.pinned = (!alone).then_some(row);
        self.look.added.clear();
    }

    /// Unpins all rows.
    pub(super) fn let_go_of_all(&mut self) {
        self.pinned = None;
        self.look.added.clear();
    }

    /// Unpins a row; another pinned row replaces it as [`State::pinned`].
    fn let_go(&mut self, row: usize) {
        self.look.added.retain(|&added| added != row);
        if self.pinned == Some(row) {
            self.pinned = self.look.added.pop();
        }
    }

    /// Announces in the status line which baseline the held-out loss has passed.
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

    /// Announces in the status line which kind of head has appeared.
    pub(super) fn announce_heads(&mut self) {
        let milestones = &self.ask.scores.milestones;
        if milestones.len() > self.look.appeared {
            self.look.appeared = milestones.len();
            self.look.announcement = milestones.last().map(|milestone| milestone.sentence()).unwrap_or_default();
        }
    }

    /// Resets the milestones of the previous run.
    pub(super) fn begin_look(&mut self) {
        self.look.begin();
        (self.look.passed, self.look.appeared, self.look.together) = (0, 0, None);
        self.look.announcement.clear();
    }
}

/// Whether an event reports only that training proceeds.
fn is_progress(event: &Event) -> bool {
    matches!(
        event,
        Event::Progress { .. }
            | Event::Attention { .. }
            | Event::SampleTokens { .. }
            | Event::Sample { .. }
            | Event::Inspect { .. }
    )
}
