//! The queue of runs: specifications that survive a reload, trained one after the other in the worker. Pure.
//!
//! Views add runs with [`Queue::add`] under the name of a list, and read results with [`Queue::of_list`] and [`Queue::series`].

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use glasshead::types::History;
use glasshead::types::queue::{Progress, QueueEnd, QueuedRun};
use glasshead::types::series::Series;
use glasshead::wire::queue::QueueEvent;

/// Maximum number of runs in the queue.
pub const MAX_ITEMS: usize = 2_000;

/// Maximum number of points of each stored log.
const STORED_POINTS: usize = 240;

/// Maximum number of points of a log in memory.
const MAX_POINTS: usize = 4_000;

/// Stores a shared value like the value itself.
mod shared {
    use std::rc::Rc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<T: Serialize, S: Serializer>(value: &Rc<T>, serializer: S) -> Result<S::Ok, S::Error> {
        (**value).serialize(serializer)
    }

    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Rc<T>, D::Error> {
        T::deserialize(deserializer).map(Rc::new)
    }
}

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// It has not begun, or the page was closed before its first checkpoint.
    #[default]
    Waiting,
    /// It was stopped and continues from its checkpoint.
    Stopped,
    /// It has ended.
    Ended(QueueEnd),
}

/// A run of the queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// The run.
    pub run: QueuedRun,
    /// How far it is.
    pub state: ItemState,
    /// What it has reached.
    pub progress: Progress,
    /// The step of its stored checkpoint.
    pub saved: Option<u64>,
    /// Its losses; stored ones are thinned.
    #[serde(with = "shared")]
    pub history: Rc<History>,
}

impl Item {
    fn new(run: QueuedRun) -> Self {
        let (state, progress) = (ItemState::Waiting, Progress::default());
        Self { run, state, progress, saved: None, history: Rc::default() }
    }

    /// Whether nothing is left to do.
    pub fn is_over(&self) -> bool {
        matches!(self.state, ItemState::Ended(_))
    }

    /// How it ended.
    pub fn end(&self) -> Option<&QueueEnd> {
        match &self.state {
            ItemState::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// The last step with a loss.
    pub fn step(&self) -> u64 {
        self.history.points.last().map_or(0, |point| point.step)
    }
}

/// The queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Queue {
    /// The runs in the order in which they are trained.
    pub items: Vec<Item>,
    /// Whether runs are trained; a queue that was stored begins paused.
    pub on: bool,
    /// The run that the worker trains, or is about to train.
    pub active: Option<String>,
    /// Whether the stored queue was read, so that nothing is overwritten.
    pub loaded: bool,
    /// Another tab trains the queue.
    pub elsewhere: bool,
    /// Name of the device of the latest run.
    pub device: String,
    /// Counts changes that have to be stored.
    pub revision: u64,
    /// Why the queue could not be stored.
    pub problem: Option<String>,
}

/// Actions on the queue.
#[derive(Clone, Debug)]
pub enum QueueAction {
    /// Adds runs at the end.
    Add(Vec<QueuedRun>),
    /// The stored queue was read; none if there is none.
    Loaded(Option<String>),
    /// Trains or pauses.
    Train(bool),
    /// The run was sent to the worker.
    Sent(String),
    /// The run was not sent after all, because the queue was paused meanwhile.
    NotSent(String),
    /// Removes the runs of a list that are not being trained.
    Remove(String),
    /// Another tab has the queue.
    Elsewhere,
    /// The queue could not be stored.
    Problem(String),
}

/// What is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    items: Vec<Item>,
}

const VERSION: u32 = 1;

impl Queue {
    /// Applies an action.
    pub fn apply(&mut self, action: QueueAction) {
        match action {
            QueueAction::Add(runs) => self.add(runs),
            QueueAction::Loaded(json) => self.load(json.as_deref()),
            QueueAction::Train(on) => (self.on, self.problem) = (on, None),
            QueueAction::Sent(id) => self.active = Some(id),
            QueueAction::NotSent(id) => drop(self.active.take_if(|active| *active == id)),
            QueueAction::Remove(list) => {
                let active = self.active.clone();
                self.items.retain(|item| item.run.list != list || active.as_ref() == Some(&item.run.id));
                self.revision += 1;
            }
            QueueAction::Elsewhere => (self.elsewhere, self.on) = (true, false),
            QueueAction::Problem(problem) => self.problem = Some(problem),
        }
    }

    /// Adds runs at the end; those whose id is known, or that cannot be trained, are left out.
    pub fn add(&mut self, runs: impl IntoIterator<Item = QueuedRun>) {
        for run in runs {
            if self.items.len() < MAX_ITEMS && run.problem().is_none() && self.find(&run.id).is_none() {
                self.items.push(Item::new(run));
                self.revision += 1;
            }
        }
    }

    fn load(&mut self, json: Option<&str>) {
        self.loaded = true;
        let stored = json.and_then(|json| serde_json::from_str::<Stored>(json).ok());
        let Some(stored) = stored.filter(|stored| stored.version == VERSION) else { return };
        let added = std::mem::take(&mut self.items);
        for item in stored.items.into_iter().chain(added).take(MAX_ITEMS) {
            if item.run.problem().is_none() && self.find(&item.run.id).is_none() {
                self.items.push(item);
            }
        }
    }

    /// What is to be stored.
    pub fn to_json(&self) -> String {
        let thinned = |item: &Item| Item { history: Rc::new(item.history.thinned(STORED_POINTS)), ..item.clone() };
        let stored = Stored { version: VERSION, items: self.items.iter().map(thinned).collect() };
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// The run with this id.
    pub fn find(&self, id: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.run.id == id)
    }

    fn find_mut(&mut self, id: &str) -> Option<&mut Item> {
        self.items.iter_mut().find(|item| item.run.id == id)
    }

    /// The runs of a list, in order.
    pub fn of_list<'a>(&'a self, list: &'a str) -> impl Iterator<Item = &'a Item> {
        self.items.iter().filter(move |item| item.run.list == list)
    }

    /// The run to send to the worker now.
    pub fn next(&self) -> Option<&Item> {
        let ready = self.on && self.loaded && self.active.is_none();
        self.items.iter().find(|item| ready && !item.is_over())
    }

    /// The run that is being trained.
    pub fn running(&self) -> Option<&Item> {
        self.active.as_deref().and_then(|id| self.find(id))
    }

    /// The runs of a list that differ only in their seeds, as series with a band.
    pub fn series(&self, list: &str) -> Vec<(Vec<&Item>, Series)> {
        let mut groups: Vec<Vec<&Item>> = Vec::new();
        for item in self.items.iter().filter(|item| item.run.list == list) {
            match groups.iter_mut().find(|group| group[0].run.same_but_seed(&item.run)) {
                Some(group) => group.push(item),
                None => groups.push(vec![item]),
            }
        }
        let histories = |group: &[&Item]| group.iter().map(|item| (*item.history).clone()).collect::<Vec<History>>();
        let series: Vec<Series> = groups.iter().map(|group| Series::new(&histories(group))).collect();
        groups.into_iter().zip(series).collect()
    }

    /// The worker has failed: its run continues from the last checkpoint, once the user trains again.
    pub fn worker_failed(&mut self) {
        if let Some(id) = self.active.take()
            && let Some(item) = self.find_mut(&id)
        {
            item.state = if item.saved.is_some() { ItemState::Stopped } else { ItemState::Waiting };
        }
        self.on = false;
    }

    /// Handles an event of the worker; returns the run that has ended.
    pub fn hear(&mut self, event: &QueueEvent) -> Option<String> {
        match event {
            QueueEvent::Began { id, step, device } => {
                self.device.clone_from(device);
                self.cut(id, *step);
            }
            QueueEvent::Steps { id, points, validation, seconds } => {
                let item = self.find_mut(id)?;
                let history = Rc::make_mut(&mut item.history);
                history.extend(points, validation);
                if history.points.len() > 2 * MAX_POINTS {
                    *history = history.thinned(MAX_POINTS);
                }
                item.progress.seconds = *seconds;
            }
            QueueEvent::WentBack { id, step } => self.cut(id, *step),
            QueueEvent::Saved { id, step, progress } => {
                let item = self.find_mut(id)?;
                (item.saved, item.progress) = (Some(*step), progress.clone());
                self.revision += 1;
            }
            QueueEvent::Stopped { id, progress } => {
                let item = self.find_mut(id)?;
                let state = if item.saved.is_some() { ItemState::Stopped } else { ItemState::Waiting };
                (item.state, item.progress) = (state, progress.clone());
                self.release(id);
            }
            QueueEvent::Ended { id, end, progress } => {
                let item = self.find_mut(id)?;
                (item.state, item.progress) = (ItemState::Ended(end.clone()), progress.clone());
                self.release(id);
                return Some(id.clone());
            }
            QueueEvent::Measured { .. } | QueueEvent::Maps { .. } => (),
        }
        None
    }

    fn release(&mut self, id: &str) {
        self.active.take_if(|active| active == id);
        self.revision += 1;
    }

    /// Discards the losses after a step.
    fn cut(&mut self, id: &str, step: u64) {
        if let Some(item) = self.find_mut(id) {
            Rc::make_mut(&mut item.history).cut_after(step);
        }
    }
}
