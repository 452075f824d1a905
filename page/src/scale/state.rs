//! The state of the Scale view: what is planned, the sweep, and its predictions. Pure.

use std::rc::Rc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::maps::Plane;
use crate::state::Maps;
use glasshead::config::{RunConfig, Schedule};
use glasshead::scaling::check::History;
use glasshead::scaling::pilot::Pilot;
use glasshead::scaling::plan::{Plan, Request};
use glasshead::scaling::planner::{Planner, Target};
use glasshead::scaling::read::{Columns, read};
use glasshead::scaling::shape::Task;
use glasshead::scaling::sweep::Sweep;
use glasshead::scaling::table::Run;
use glasshead::scaling::variable::Variable;
use glasshead::types::{BackendChoice, CorpusChoice};

/// Bytes and the end-of-text token.
const VOCAB_SIZE: usize = 257;

/// The sentence on which models are compared.
const SENTENCE: &str = "Lily had a red ball. Tom had a red ball too.";

/// How the minimum of a budget is located.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// The lowest run of each budget.
    Lowest,
    /// A parabola in ln N for each budget.
    #[default]
    Parabola,
    /// L = E + A/N^α + B/D^β through all runs.
    Parametric,
}

/// What is drawn over compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quantity {
    /// The best size.
    #[default]
    Size,
    /// Its training tokens.
    Tokens,
    /// Its loss.
    Loss,
}

/// The settings of the next sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Form {
    /// Minutes for all runs and the check run.
    pub minutes: f64,
    /// FLOPs of the largest budget, instead of a time.
    pub flops: Option<f64>,
    /// Number of budgets.
    pub budgets: usize,
    /// Sizes per budget.
    pub sizes: usize,
    /// Ratio of neighboring budgets.
    pub budget_ratio: f64,
    /// Ratio of neighboring sizes.
    pub size_ratio: f64,
    /// Number of seeds.
    pub seeds: u64,
    /// T.
    pub context_length: usize,
    /// B.
    pub batch_size: usize,
    /// The schedule.
    pub schedule: Schedule,
    /// The learning rate of the smallest size; `None` finds it.
    pub lr: Option<f64>,
    /// What is varied at equal compute.
    pub variable: Variable,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            minutes: 8.0,
            flops: None,
            budgets: 3,
            sizes: 5,
            budget_ratio: 3.2,
            size_ratio: 1.7,
            seeds: 1,
            context_length: 64,
            batch_size: 8,
            schedule: Schedule::Cosine,
            lr: None,
            variable: Variable::Size,
        }
    }
}

/// Why a setting of a sweep was refused.
#[derive(Debug, Error, PartialEq)]
#[allow(missing_docs)] // each message says what its variant means
pub enum FormError {
    #[error("Enter {0}.")]
    Range(&'static str),
    #[error("There is no setting {0}.")]
    Unknown(String),
}

impl Form {
    /// Enters text into a field.
    ///
    /// # Errors
    /// What to enter instead.
    pub fn enter(&mut self, field: &str, text: &str) -> Result<(), FormError> {
        let text = text.trim().replace(',', "");
        let number = || text.parse::<f64>().ok().filter(|value| value.is_finite() && *value > 0.0);
        let wrong = |range| Err(FormError::Range(range));
        let within = |low: f64, high: f64| number().filter(|value| (low..=high).contains(value));
        match field {
            "minutes" => match within(0.05, 600.0) {
                Some(value) => (self.minutes, self.flops) = (value, None),
                None => return wrong("minutes between 0.05 and 600"),
            },
            "flops" if text.is_empty() => self.flops = None,
            "flops" => match within(1e7, 1e20) {
                Some(value) => self.flops = Some(value),
                None => return wrong("FLOPs between 1e7 and 1e20, or nothing to plan for a time"),
            },
            "budgets" => match within(2.0, 8.0) {
                Some(value) => self.budgets = value as usize,
                None => return wrong("2 to 8 budgets"),
            },
            "sizes" => match within(3.0, 12.0) {
                Some(value) => self.sizes = value as usize,
                None => return wrong("3 to 12 sizes"),
            },
            "size_ratio" => match within(1.15, 10.0) {
                Some(value) => self.size_ratio = value,
                None => return wrong("a ratio between 1.15 and 10"),
            },
            "seeds" => match within(1.0, 10.0) {
                Some(value) => self.seeds = value as u64,
                None => return wrong("1 to 10 seeds"),
            },
            "context_length" => match within(8.0, 512.0) {
                Some(value) => self.context_length = value as usize,
                None => return wrong("8 to 512 tokens"),
            },
            "batch_size" => match within(1.0, 256.0) {
                Some(value) => self.batch_size = value as usize,
                None => return wrong("1 to 256 sequences"),
            },
            "lr" if text.is_empty() || text == "found" => self.lr = None,
            "lr" => match within(1e-6, 10.0) {
                Some(value) => self.lr = Some(value),
                None => return wrong("a learning rate up to 10, or nothing to find one"),
            },
            _ => return Err(FormError::Unknown(field.into())),
        }
        Ok(())
    }

    /// The planner of these settings.
    pub fn planner(&self) -> Planner {
        let request = Request {
            variable: self.variable,
            task: Task { vocab_size: VOCAB_SIZE, context_length: self.context_length },
            n_budgets: self.budgets,
            budget_ratio: self.budget_ratio,
            n_sizes: self.sizes,
            size_ratio: self.size_ratio,
            seeds: (1..=self.seeds).collect(),
            check_factor: 3.0,
        };
        let target = self.flops.map_or(Target::Seconds(60.0 * self.minutes), Target::Flops);
        Planner::new(request, target, self.batch_size, self.schedule, (self.lr, 0.5))
    }
}

/// A table of runs from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreign {
    /// Name of the file.
    pub name: String,
    /// Its runs.
    pub runs: Rc<Vec<Run>>,
    /// Rows without usable numbers.
    pub skipped: usize,
}

/// Two models of a sweep on one sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// The sentence.
    pub sentence: String,
    /// Whether the maps are shown.
    pub open: bool,
    /// Ids of the small and the large model, and their maps.
    pub models: Vec<(String, Option<Rc<Maps>>)>,
    /// The head that is shown of each.
    pub shown: Vec<Plane>,
    /// Why maps are missing.
    pub problem: Option<String>,
}

impl Default for Compared {
    fn default() -> Self {
        let (models, shown) = (Vec::new(), Vec::new());
        Self { sentence: SENTENCE.into(), open: false, models, shown, problem: None }
    }
}

/// The state of the view.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scale {
    /// The settings of the next sweep.
    pub form: Form,
    /// A field's refused text and what to enter instead: its name, the text, the sentence.
    pub refused: Option<(&'static str, String, String)>,
    /// The sweep.
    pub sweep: SweepState,
    /// Models whose speed is being measured.
    pub waiting: Vec<RunConfig>,
    /// Counts requests for measurements.
    pub measurements: u32,
    /// Why there is no plan.
    pub problem: Option<String>,
    /// Runs that would help and are not added, with the reason.
    pub not_added: Vec<String>,
    /// How minima are located.
    pub method: Method,
    /// What is drawn over compute.
    pub quantity: Quantity,
    /// A table of runs from a file, which is shown instead of the sweep.
    pub foreign: Option<Foreign>,
    /// The run under the pointer or the focus.
    pub pointed: Option<String>,
    /// Two models on one sentence.
    pub compared: Compared,
    /// Whether the stored sweep was read.
    pub loaded: bool,
    /// Counts changes that have to be stored.
    pub revision: u64,
}

/// Everything of a sweep that is stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SweepState {
    /// 1, 2, …
    pub number: u32,
    /// Settings from which it was planned.
    pub form: Form,
    /// The planner with its measurements.
    pub planner: Option<Planner>,
    /// The plan; its learning rate is final once `tuned`.
    pub plan: Option<Plan>,
    /// The learning rates that were tried.
    pub pilot: Pilot,
    /// Whether runs were started.
    pub started: bool,
    /// Whether the learning rate is final.
    pub tuned: bool,
    /// Specifications and results.
    pub runs: Sweep,
    /// Predictions.
    pub history: History,
    /// Whether the check run of the open prediction may start.
    pub checking: bool,
    /// The training text.
    pub corpus: Option<CorpusChoice>,
    /// The backend.
    pub backend: Option<BackendChoice>,
    /// Predictions of earlier sweeps: a name, and the history.
    pub earlier: Vec<(String, History)>,
}

/// Actions on the view.
#[derive(Clone, Debug)]
pub enum ScaleAction {
    /// Text was entered into a field.
    Enter(&'static str, String),
    /// Sets the schedule.
    Schedule(Schedule),
    /// Sets what is varied.
    Variable(Variable),
    /// Plans a sweep: measures speeds first.
    Plan,
    /// Starts or continues the runs.
    Start,
    /// Drops the sweep; its predictions stay.
    New,
    /// Sets the method.
    Method(Method),
    /// Sets what is drawn over compute.
    Quantity(Quantity),
    /// A file with runs was opened: its name and content.
    Open(String, Vec<u8>),
    /// Shows the sweep again.
    CloseForeign,
    /// Points at a run.
    Point(Option<String>),
    /// Seals a prediction, at this time (s since 1970).
    Seal(u64),
    /// Lets the check run start.
    Check,
    /// Breaks the seal of the open prediction: the reason and the time.
    BreakSeal(String, u64),
    /// Opens or closes the comparison of two models.
    Compare(bool),
    /// Changes the sentence of the comparison.
    Sentence(String),
    /// Shows a head of one of the two models.
    Head(usize, Plane),
    /// The stored sweep was read.
    Loaded(Option<String>),
}

impl SweepState {
    /// The name of its list in the queue.
    pub fn list(&self) -> String {
        format!("sweep-{}", self.number)
    }

    /// The id of one of its runs in the queue.
    pub fn queue_id(&self, id: &str) -> String {
        format!("{}.{id}", self.list())
    }
}

impl Scale {
    /// The runs to be fitted: those of the file, or of the sweep.
    pub fn fitted_runs(&self) -> Rc<Vec<Run>> {
        self.foreign.as_ref().map_or_else(|| Rc::new(self.sweep.runs.runs()), |foreign| foreign.runs.clone())
    }

    /// What the shown runs vary.
    pub fn variable(&self) -> Variable {
        let plan = self.sweep.plan.as_ref().filter(|_| self.foreign.is_none());
        plan.map_or(Variable::Size, |plan| plan.request.variable)
    }

    /// Reads a table of runs.
    pub(super) fn open(&mut self, name: String, bytes: &[u8]) {
        match read(bytes, &Columns::default()) {
            Ok(table) => {
                (self.problem, self.compared.open) = (None, false);
                self.foreign = Some(Foreign { name, runs: Rc::new(table.runs), skipped: table.skipped });
            }
            Err(error) => self.problem = Some(format!("{name}: {error}.")),
        }
    }

    /// Reads the stored sweep.
    pub(super) fn load(&mut self, json: Option<&str>) {
        self.loaded = true;
        let mut stored = json.and_then(|json| serde_json::from_str::<SweepState>(json).ok());
        // Measurements that were interrupted are repeated.
        stored.iter_mut().filter(|sweep| sweep.plan.is_none()).for_each(|sweep| sweep.planner = None);
        let sound = |sweep: &SweepState| {
            let specs = sweep.runs.specs.values().all(|spec| spec.problem().is_none());
            let request = sweep.plan.as_ref().map(|plan| &plan.request);
            let planner = sweep.planner.as_ref().is_none_or(|planner| request == Some(&planner.request));
            specs && planner && sweep.plan.as_ref().is_none_or(|plan| plan.check().is_ok())
        };
        if let Some(sweep) = stored.filter(sound).filter(|_| self.sweep == SweepState::default()) {
            (self.form, self.sweep) = (sweep.form.clone(), sweep);
        }
    }
}

impl Scale {
    /// The measured points as a table that `glasshead scale fit` and other programs read.
    pub fn to_csv(&self) -> String {
        let mut csv = String::from("n,d,loss,budget,seed,lr,id\n");
        if let Some(foreign) = &self.foreign {
            let rows =
                foreign.runs.iter().map(|run| format!("{},{},{},{:e},,,\n", run.n, run.d, run.loss, run.flops()));
            return csv + &rows.collect::<String>();
        }
        for (spec, result) in self.sweep.runs.finished() {
            for point in &result.points {
                let train = &spec.config.train;
                let end = format!("{},{},{}", train.seed, train.max_lr, spec.id);
                csv.push_str(&format!("{},{},{},{:e},{end}\n", spec.n_params, point.tokens, point.loss, point.budget));
            }
        }
        csv
    }
}
