//! What the Data view shows, and how it changes.

use std::collections::BTreeMap;
use std::rc::Rc;

use glasshead_filter::fields::of_rule;
use glasshead_filter::settings::Stage;
use glasshead_filter::wire::{Document, Funnel, Histogram, List, Member, Progress, Reply, Request, Row};

use super::effect::{Effect, EffectAction};
use super::names;
pub use super::origin::Source;

/// The state of the worker.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum WorkerState {
    /// Not started.
    #[default]
    Off,
    /// Running.
    On,
    /// It stopped; the message.
    Failed(String),
}

/// What the funnel counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Documents.
    #[default]
    Pages,
    /// Bytes of text.
    Bytes,
}

/// One of the two lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listed {
    /// The list that was received last.
    pub list: List,
    /// Its length.
    pub total: usize,
    /// The number of the first row that was received.
    pub start: usize,
    /// The rows.
    pub rows: Rc<Vec<Row>>,
}

/// A cluster of near duplicates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShownCluster {
    /// Its number.
    pub at: usize,
    /// The number of clusters.
    pub of: usize,
    /// Its documents.
    pub members: Vec<Member>,
}

/// A trained classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// Right answers and examples in the held-out tenth: good, then bad.
    pub right: [(usize, usize); 2],
    /// The n-grams that speak most for a good and for a bad text, with their weights.
    pub telling: [Vec<(String, f32)>; 2],
}

/// A setting that was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedSetting {
    /// Its path.
    pub path: String,
    /// The text that was entered.
    pub text: String,
    /// What to change.
    pub message: String,
}

/// The Data view.
#[derive(Clone, Debug, PartialEq)]
pub struct DataView {
    /// Where the pages come from.
    pub source: Source,
    /// Whether the source stays in the browser for the next visit, once that is known.
    pub kept: Option<bool>,
    /// The worker.
    pub worker: WorkerState,
    /// How far it is.
    pub progress: Option<Rc<Progress>>,
    /// The counts.
    pub funnel: Option<Rc<Funnel>>,
    /// Counts received counts, so that what follows from them is requested again.
    pub decided: u32,
    /// All settings as text, by path; empty before the worker has sent them.
    pub values: Rc<BTreeMap<String, String>>,
    /// The settings that differ from the defaults, in use or requested.
    pub changes: Rc<BTreeMap<String, String>>,
    /// The setting that was requested last, with its text, until it is in use.
    pub asked: Option<(String, String)>,
    /// The refused setting.
    pub refused: Option<RefusedSetting>,
    /// The selected stage.
    pub stage: Stage,
    /// Whether the user has selected a stage; before that, the one that drops most is.
    pub chosen: bool,
    /// The selected rule of it; empty if it has none.
    pub rule: String,
    /// The values of the selected rule.
    pub histogram: Option<Rc<Histogram>>,
    /// What the funnel counts.
    pub unit: Unit,
    /// Dropped and kept documents.
    pub lists: [Listed; 2],
    /// Only documents with this text are listed.
    pub search: String,
    /// The dropped documents of all stages are listed, not only those of the selected rule.
    pub all_dropped: bool,
    /// The open document.
    pub document: Option<Rc<Document>>,
    /// The shown cluster.
    pub cluster: Rc<ShownCluster>,
    /// Planted pairs: similarity, share found, number.
    pub planted: Rc<Vec<(f64, f64, u32)>>,
    /// The classifier that was trained here.
    pub trained: Option<Rc<Trained>>,
    /// Whether the drawer with all settings is open.
    pub drawer: bool,
    /// What went wrong.
    pub problem: Option<String>,
    /// The effect on the model.
    pub effect: Rc<Effect>,
}

impl Default for DataView {
    fn default() -> Self {
        Self {
            source: Source::None,
            kept: None,
            worker: WorkerState::Off,
            progress: None,
            funnel: None,
            decided: 0,
            values: Rc::default(),
            changes: Rc::default(),
            asked: None,
            refused: None,
            stage: Stage::Gopher,
            chosen: false,
            rule: "gopher_below_alpha_threshold".into(),
            histogram: None,
            unit: Unit::Pages,
            lists: Default::default(),
            search: String::new(),
            all_dropped: false,
            document: None,
            cluster: Rc::default(),
            planted: Rc::default(),
            trained: None,
            drawer: false,
            problem: None,
            effect: Rc::default(),
        }
    }
}

/// Actions in the Data view.
#[derive(Clone, Debug)]
pub enum DataViewAction {
    /// A source was chosen.
    Source(Source),
    /// Whether the source is stored in the browser.
    Kept(bool),
    /// The worker started, or stopped with a message.
    Worker(WorkerState),
    /// A reply of the worker.
    Heard(Box<Reply>),
    /// A setting was changed: its path and the new text.
    Set(String, String),
    /// All settings were replaced, for example from a link.
    SetAll(BTreeMap<String, String>),
    /// A stage was selected.
    Stage(Stage),
    /// A rule of the selected stage was selected.
    Rule(String),
    /// What the funnel counts.
    Unit(Unit),
    /// A text to search for.
    Search(String),
    /// Whether dropped documents of all stages are listed.
    AllDropped(bool),
    /// Closes the open document.
    CloseDocument,
    /// Opens or closes the drawer.
    Drawer(bool),
    /// Something went wrong; none clears the message.
    Problem(Option<String>),
    /// An action on the effect.
    Effect(EffectAction),
}

/// Whether two texts of a field are the same value.
fn same(value: &str, text: &str) -> bool {
    let items = |text: &str| -> Vec<String> {
        text.split(',').map(|item| item.trim().to_string()).filter(|item| !item.is_empty()).collect()
    };
    let number = |text: &str| text.trim().parse::<f64>().ok();
    items(value) == items(text) || number(value).is_some_and(|value| number(text) == Some(value))
}

impl DataView {
    /// Whether the worker is busy.
    pub fn busy(&self) -> bool {
        self.progress.as_ref().is_some_and(|progress| progress.phase.is_some())
    }

    /// The request that puts the present settings in use.
    pub fn settings_request(&self) -> Request {
        Request::Settings { changes: (*self.changes).clone() }
    }

    /// The list of dropped (0) or kept (1) documents that belongs to the selection.
    pub fn list(&self, at: usize) -> List {
        if at == 1 {
            let rule = Some(self.rule.clone()).filter(|rule| !rule.is_empty());
            return List { kept: true, stage: Some(self.stage), rule, search: self.search.clone() };
        }
        if self.all_dropped {
            return List { search: self.search.clone(), ..List::default() };
        }
        let rule = Some(self.rule.clone()).filter(|rule| !rule.is_empty());
        List { kept: false, stage: Some(self.stage), rule, search: self.search.clone() }
    }

    /// The limit of the selected rule: its path and its value.
    pub fn limit(&self) -> Option<(&'static str, f64)> {
        let field = of_rule(self.stage, &self.rule)?;
        let asked = self.asked.as_ref().filter(|(path, _)| path == field.path).map(|(_, text)| text);
        let text = asked.or_else(|| self.values.get(field.path))?;
        Some((field.path, text.parse().ok()?))
    }

    /// Whether a stage is on.
    pub fn enabled(&self, stage: Stage) -> bool {
        let path = format!("{}.enabled", stage.name());
        let asked = self.asked.as_ref().filter(|(asked, _)| *asked == path).map(|(_, text)| text);
        asked.or_else(|| self.values.get(&path)).is_none_or(|text| text == "true")
    }

    /// A number among the settings.
    pub fn number(&self, path: &str) -> Option<f64> {
        self.values.get(path)?.parse().ok()
    }

    /// Applies an action.
    pub fn apply(&mut self, action: DataViewAction) {
        match action {
            DataViewAction::Source(source) => {
                let (values, changes) = (self.values.clone(), self.changes.clone());
                let (stage, rule, unit, worker) = (self.stage, self.rule.clone(), self.unit, self.worker.clone());
                let chosen = self.chosen;
                let (planted, decided, drawer) = (self.planted.clone(), self.decided, self.drawer);
                // Results of an earlier visit are restored before its source is read again.
                let same = source == self.source || self.source == Source::None;
                let effect = if same { self.effect.clone() } else { Rc::default() };
                *self = Self { source, values, changes, stage, chosen, rule, unit, worker, ..Self::default() };
                (self.planted, self.decided, self.drawer, self.effect) = (planted, decided, drawer, effect);
                self.progress = Some(Rc::new(Progress {
                    phase: Some(glasshead_filter::wire::Phase::Reading),
                    ..Progress::default()
                }));
            }
            DataViewAction::Kept(kept) => self.kept = Some(kept),
            DataViewAction::Worker(worker) => {
                if worker != WorkerState::On {
                    self.progress = None;
                }
                self.worker = worker;
            }
            DataViewAction::Heard(reply) => self.hear(*reply),
            DataViewAction::Set(path, text) => {
                let mut changes = (*self.changes).clone();
                changes.insert(path.clone(), text.clone());
                (self.changes, self.asked, self.refused) = (Rc::new(changes), Some((path, text)), None);
            }
            DataViewAction::SetAll(changes) => {
                (self.changes, self.asked, self.refused) = (Rc::new(changes), None, None);
            }
            DataViewAction::Stage(stage) => {
                self.chosen = true;
                if stage != self.stage {
                    self.select(stage);
                }
            }
            DataViewAction::Rule(rule) if rule == self.rule => {}
            DataViewAction::Rule(rule) => (self.rule, self.histogram) = (rule, None),
            DataViewAction::Unit(unit) => self.unit = unit,
            DataViewAction::Search(search) => self.search = search,
            DataViewAction::AllDropped(all) => self.all_dropped = all,
            DataViewAction::CloseDocument => self.document = None,
            DataViewAction::Drawer(open) => self.drawer = open,
            DataViewAction::Problem(problem) => self.problem = problem,
            DataViewAction::Effect(action) => Rc::make_mut(&mut self.effect).apply(action),
        }
    }

    /// Selects a stage, and of its rules the one that drops most.
    fn select(&mut self, stage: Stage) {
        let counts = self.funnel.as_ref().and_then(|funnel| funnel.stages.iter().find(|count| count.stage == stage));
        let most = counts
            .and_then(|count| count.rules.iter().map(|(rule, _)| rule.as_str()).find(|r| of_rule(stage, r).is_some()));
        let rule = most.or_else(|| names::rules(stage).next()).unwrap_or_default().to_string();
        (self.stage, self.rule, self.histogram, self.all_dropped) = (stage, rule, None, false);
    }

    /// Selects the stage that drops most, of those with limits.
    fn select_most(&mut self) {
        let counts = self.funnel.iter().flat_map(|funnel| &funnel.stages);
        let with_limits = counts.filter(|count| names::rules(count.stage).next().is_some());
        let most = with_limits.max_by_key(|count| count.dropped).filter(|count| count.dropped > 0);
        if let Some(stage) = most.map(|count| count.stage).filter(|stage| *stage != self.stage) {
            self.select(stage);
        }
    }

    fn hear(&mut self, reply: Reply) {
        match reply {
            Reply::Settings { values, changes } => {
                // Newer changes may be on their way to the worker.
                let current = self
                    .asked
                    .as_ref()
                    .is_none_or(|(path, text)| values.get(path).is_some_and(|value| same(value, text)));
                self.values = Rc::new(values);
                if current {
                    (self.changes, self.asked) = (Rc::new(changes), None);
                }
            }
            Reply::Refused { message } => {
                let (path, text) = self.asked.take().unwrap_or_default();
                let mut changes = (*self.changes).clone();
                changes.remove(&path);
                if path.is_empty() {
                    // Settings of a link or a file: the defaults stay.
                    changes.clear();
                    self.problem = Some(format!("These settings cannot be used: {message}."));
                }
                self.changes = Rc::new(changes);
                self.refused = Some(RefusedSetting { path, text, message });
            }
            Reply::Progress(progress) => self.progress = Some(Rc::new(progress)),
            Reply::Funnel(funnel) => {
                let first = !self.chosen && funnel.compared;
                (self.funnel, self.decided) = (Some(Rc::new(funnel)), self.decided + 1);
                if first {
                    self.select_most();
                }
            }
            Reply::Histogram(histogram) => {
                if histogram.stage == self.stage && histogram.rule == self.rule {
                    self.histogram = Some(Rc::new(histogram));
                }
            }
            Reply::Rows { list, start, total, rows } => {
                let at = usize::from(list.kept);
                self.lists[at] = Listed { list, total, start, rows: Rc::new(rows) };
            }
            Reply::Document(document) => self.document = Some(Rc::new(*document)),
            Reply::Cluster { at, of, members } => self.cluster = Rc::new(ShownCluster { at, of, members }),
            Reply::Planted { points } => self.planted = Rc::new(points),
            Reply::Trained { right, good, bad } => {
                self.trained = Some(Rc::new(Trained { right, telling: [good, bad] }));
            }
            Reply::Problem { message } => self.problem = Some(message),
            // Saved, or sent to the models, by the receiver.
            Reply::File { .. } => {}
        }
    }
}
