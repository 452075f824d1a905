//! The state of the Align view: the project as the worker reports it, the settings of the next stage, and what is shown.

pub mod alarm;
pub mod curves;
pub mod draft;
mod hear;
pub mod recipes;

use std::rc::Rc;

use draft::{Draft, Start};
use recipes::Running;

use glasshead::types::DeviceInfo;
use glasshead::types::align::{AnswerToken, FieldInfo, NodeId, NodeInfo, PromptGroup, Watched};

/// What colors the tokens of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenColor {
    /// How strongly an update pushes a token up or down.
    #[default]
    Coefficient,
    /// Its probability now over that at the start.
    Ratio,
    /// Its probability.
    Probability,
}

impl TokenColor {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Coefficient, Self::Ratio, Self::Probability];

    /// The label of its button.
    pub fn title(self) -> &'static str {
        match self {
            Self::Coefficient => "Coefficient",
            Self::Ratio => "Ratio",
            Self::Probability => "Probability",
        }
    }

    /// The number behind a token's color: above 0 where the token is made more probable, or has become so.
    pub fn strength(self, token: &AnswerToken) -> f32 {
        match self {
            Self::Coefficient => token.coefficient,
            Self::Ratio => token.ratio.max(1e-6).log2(),
            Self::Probability => token.probability,
        }
    }

    /// What the color of a token means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Coefficient => "color of a token: how strongly an update pushes it down or up",
            Self::Ratio => "color of a token: its probability now over that of the earlier model",
            Self::Probability => "color of a token: how probable it was when it was sampled",
        }
    }
}

/// The prompts of an update.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The stage.
    pub node: NodeId,
    /// Number of the update.
    pub step: u64,
    /// The prompts with the grades of their answers.
    pub groups: Vec<PromptGroup>,
}

/// The inspected prompt with its attention.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Prompt, answers, tokens.
    pub about: Watched,
    /// Attention weights (L, H, n, n) before; weight = byte / 255.
    pub before: Vec<u8>,
    /// The same now.
    pub now: Vec<u8>,
    /// The largest change of a weight, from 0 to 1.
    pub largest: f32,
    /// Heads (layer, head) with the mean absolute change of their visible weights, largest first.
    pub changes: Vec<((usize, usize), f32)>,
}

impl Shown {
    fn new(about: Watched, maps: &[u8]) -> Option<Self> {
        let n = about.tokens.len();
        let size = about.n_layers * about.n_heads * n * n;
        if size == 0 || maps.len() != 2 * size {
            return None;
        }
        let (before, now) = (maps[..size].to_vec(), maps[size..].to_vec());
        let difference = |at: usize| (f32::from(now[at]) - f32::from(before[at])) / 255.0;
        let largest = (0..size).map(|at| difference(at).abs()).fold(0.0, f32::max);
        let visible = if about.causal { n * (n + 1) / 2 } else { n * n };
        let change = |index: usize| {
            let sum: f32 = (index * n * n..(index + 1) * n * n).map(|at| difference(at).abs()).sum();
            ((index / about.n_heads, index % about.n_heads), sum / visible as f32)
        };
        let mut changes: Vec<_> = (0..about.n_layers * about.n_heads).map(change).collect();
        changes.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        Some(Self { before, now, largest, changes, about })
    }

    /// The weights (n, n) of a head, before and now.
    pub fn head(&self, (layer, head): (usize, usize)) -> [&[u8]; 2] {
        let size = self.about.tokens.len().pow(2);
        let start = (layer * self.about.n_heads + head) * size;
        [&self.before, &self.now].map(|maps| maps.get(start..start + size).unwrap_or_default())
    }
}

/// The state of the Align view.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlignState {
    /// Whether the worker is listening and does not have the stored project yet.
    pub wants_project: bool,
    /// The fields of a stage.
    pub fields: Rc<Vec<FieldInfo>>,
    /// The nodes of the project.
    pub nodes: Rc<Vec<NodeInfo>>,
    /// The present node.
    pub current: Option<NodeId>,
    /// Whether the present stage is being trained.
    pub running: bool,
    /// Its device.
    pub device: Option<DeviceInfo>,
    /// Updates per second.
    pub updates_per_s: f32,
    /// What is being prepared.
    pub preparing: Option<String>,
    /// The latest prompts.
    pub batch: Option<Rc<Batch>>,
    /// The margins of the latest pairs.
    pub margins: Rc<Vec<f32>>,
    /// The inspected prompt.
    pub shown: Option<Rc<Shown>>,
    /// The user's rows: the file and how many fit fine-tuning, reinforcement learning, preferences.
    pub rows: Option<(String, [usize; 3])>,
    /// Something that failed.
    pub problem: Option<String>,
    /// Something to know.
    pub notice: Option<String>,
    /// The settings of the next stage.
    pub draft: Draft,
    /// Refused text of a field: name, text, what to change.
    pub refused: Option<(String, String, String)>,
    /// What colors tokens.
    pub color: TokenColor,
    /// Whether only the present answers are shown.
    pub only_now: bool,
    /// Whether curves are drawn over time instead of updates.
    pub over_time: bool,
    /// The head whose attention is shown; `None` for the one that changes most.
    pub head: Option<(usize, usize)>,
    /// The prompt that the user chose.
    pub pinned: Option<String>,
    /// The bin of the reward histogram whose answers are listed.
    pub bin: Option<usize>,
    /// The node to compare with; `None` for the beginning of the stage.
    pub compared: Option<NodeId>,
    /// Whether all settings are shown.
    pub settings_open: bool,
    /// The alarm that was dismissed: node and update.
    pub dismissed: Option<(NodeId, u64)>,
    /// The experiment in progress.
    pub recipe: Option<Running>,
}

/// Actions in the Align view.
#[derive(Clone, Debug)]
pub enum AlignAction {
    /// The project was requested from the worker.
    Asked,
    /// Selects the kind of the next stage: 0 sft, 1 rft, 2 grpo, 3 dpo.
    Stage(usize),
    /// Selects where it begins.
    Start(Start),
    /// Lets the next stage begin at an update of a node.
    Branch(NodeId, u64),
    /// Selects its task; `None` for the user's rows.
    Task(Option<String>),
    /// Text was entered into a field.
    Enter(String, String),
    /// Sets the color of tokens.
    Color(TokenColor),
    /// Shows only the present answers, or both.
    OnlyNow(bool),
    /// Draws curves over time.
    OverTime(bool),
    /// Shows a head.
    Head((usize, usize)),
    /// Inspects a prompt.
    Pin(Option<String>),
    /// Lists the answers of a bin.
    Bin(Option<usize>),
    /// Compares with a node.
    Compare(Option<NodeId>),
    /// Opens or closes all settings.
    Settings(bool),
    /// Dismisses the alarm.
    DismissAlarm,
    /// Dismisses messages.
    DismissMessages,
    /// A stage was requested.
    Began,
    /// Shows a message.
    Notice(String),
    /// Begins an experiment, by name.
    Recipe(String),
    /// The next step of the experiment was carried out.
    Carried,
    /// Gives the experiment up, or hides its result.
    CloseRecipe,
}

impl AlignState {
    /// A node.
    pub fn node(&self, id: NodeId) -> Option<&NodeInfo> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// The present node.
    pub fn current(&self) -> Option<&NodeInfo> {
        self.node(self.current?)
    }

    /// The present node and those it descends from, oldest first.
    pub fn chain(&self) -> Vec<&NodeInfo> {
        let mut chain = Vec::new();
        let mut next = self.current();
        // A parent is always older, so this ends; a damaged report is cut.
        while let Some(node) = next.filter(|_| chain.len() <= self.nodes.len()) {
            chain.push(node);
            next = node.parent.and_then(|(parent, _)| self.node(parent));
        }
        chain.reverse();
        chain
    }

    /// The shown head.
    pub fn shown_head(&self) -> (usize, usize) {
        let inside = |&(layer, head): &(usize, usize)| {
            self.shown.as_ref().is_some_and(|shown| layer < shown.about.n_layers && head < shown.about.n_heads)
        };
        let most = self.shown.as_ref().and_then(|shown| shown.changes.first()).map(|&(at, _)| at);
        self.head.filter(inside).or(most).unwrap_or((0, 0))
    }

    /// Moves through layers and heads, wrapping around.
    pub fn walk(&mut self, layers: isize, heads: isize) {
        let Some(shown) = &self.shown else { return };
        let step = |at: usize, by: isize, n: usize| (at as isize + by).rem_euclid(n.max(1) as isize) as usize;
        let (layer, head) = self.shown_head();
        self.head = Some((step(layer, layers, shown.about.n_layers), step(head, heads, shown.about.n_heads)));
    }

    /// The prompt and the answer to inspect: the user's, if the latest batch contains it.
    pub fn watched_prompt(&self) -> Option<(String, Option<String>)> {
        let prompt = self.pinned.clone()?;
        let known = self.batch.iter().flat_map(|batch| &batch.groups).find(|group| group.prompt == prompt);
        let shown = self.shown.as_ref().filter(|shown| shown.about.prompt == prompt);
        let answer =
            known.and_then(|group| group.answer.clone()).or_else(|| shown.and_then(|s| s.about.answer.clone()));
        Some((prompt, answer))
    }

    /// Applies an action.
    pub fn apply(&mut self, action: AlignAction) {
        match action {
            AlignAction::Asked => self.wants_project = false,
            AlignAction::Stage(stage) => self.draft.choose_stage(stage),
            AlignAction::Start(start) => (self.draft.start, self.draft.from_step) = (start, None),
            AlignAction::Branch(node, step) => {
                (self.draft.start, self.draft.from_step) = (Start::Node(node), Some(step));
                self.notice =
                    Some(format!("The next stage begins at update {step}; choose its settings and begin it."));
            }
            AlignAction::Task(task) => self.draft.task = task,
            AlignAction::Enter(name, text) => self.enter(name, text),
            AlignAction::Color(color) => self.color = color,
            AlignAction::OnlyNow(only) => self.only_now = only,
            AlignAction::OverTime(over) => self.over_time = over,
            AlignAction::Head(head) => self.head = Some(head),
            AlignAction::Pin(prompt) => self.pinned = prompt,
            AlignAction::Bin(bin) => self.bin = bin,
            AlignAction::Compare(node) => self.compared = node,
            AlignAction::Settings(open) => self.settings_open = open,
            AlignAction::DismissAlarm => self.dismissed = self.current().map(|node| (node.id, node.step)),
            AlignAction::DismissMessages => (self.problem, self.notice) = (None, None),
            AlignAction::Began => {
                (self.problem, self.notice, self.pinned, self.compared) = (None, None, None, None);
                (self.batch, self.shown, self.bin, self.head) = (None, None, None, None);
                self.margins = Rc::default();
                self.preparing = Some("Preparing the stage".into());
            }
            AlignAction::Notice(message) => self.notice = Some(message),
            AlignAction::Recipe(name) => self.begin_recipe(&name),
            AlignAction::Carried => self.carry_recipe(),
            AlignAction::CloseRecipe => self.recipe = None,
        }
    }

    fn enter(&mut self, name: String, text: String) {
        let text = text.trim().to_string();
        self.refused = None;
        if let Err(error) = self.draft.set(&name, &text, &self.fields) {
            self.refused = Some((name, text, error.to_string()));
        }
    }
}
