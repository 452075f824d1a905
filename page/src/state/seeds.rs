//! Repetitions of the present run with several seeds: runs of the queue that become one series with a band. Pure.

use std::rc::Rc;

use super::queue::Item;
use super::{State, Vocabulary};
use glasshead::types::queue::{QueueText, QueuedRun};
use glasshead::types::series::Series;

/// Maximum number of seeds.
pub const MAX_SEEDS: u64 = 20;

/// Lists of the queue that hold repetitions begin with this.
const LIST: &str = "seeds-";

/// Number of evaluations of each run.
const EVALUATIONS: u64 = 20;

/// Several runs that differ only in their seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct SeedSeries {
    /// Its list in the queue.
    pub list: String,
    /// What the chart calls it.
    pub name: String,
    /// Mean, lowest and highest losses by step.
    pub series: Rc<Series>,
    /// B·T.
    pub tokens_per_step: usize,
    /// Number of runs, and how many of them have ended.
    pub runs: (usize, usize),
}

impl State {
    /// The present setup with `n` seeds, starting with its own, up to as many steps as the run has done or will do. Empty if there
    /// is no run, or its vocabulary comes from another text.
    pub fn seed_runs(&self, n: u64) -> Vec<QueuedRun> {
        let Some(started) = self.started.as_ref().filter(|started| started.vocabulary == Vocabulary::OfTheText) else {
            return Vec::new();
        };
        let mut asked = (*started.config).clone();
        asked.train = self.run_train().unwrap_or(asked.train);
        let steps = if self.step > 0 { self.step } else { asked.train.schedule_steps };
        let steps = self.runs.rules.stop_steps.unwrap_or(steps).max(1);
        let number = (1..).find(|k| self.queue.of_list(&format!("{LIST}{k}")).next().is_none()).unwrap_or(1);
        let list = format!("{LIST}{number}");
        let run = |i: u64| {
            let mut config = asked.clone();
            config.train.seed = config.train.seed.wrapping_add(i);
            QueuedRun {
                id: format!("{list}.{}", i + 1),
                list: list.clone(),
                name: format!("{}, seed {}", self.runs.name, config.train.seed),
                config,
                text: QueueText::Corpus { choice: started.corpus, asked: Box::new(asked.clone()) },
                backend: started.backend,
                ends: vec![steps],
                evaluate_every: Some((steps / EVALUATIONS).max(1)),
                max_seconds: None,
                unique_tokens: None,
            }
        };
        (0..n.min(MAX_SEEDS)).map(run).collect()
    }

    /// The repetitions in the queue, as series.
    pub fn seed_series(&self) -> Vec<SeedSeries> {
        let mut lists: Vec<&str> = self.queue.items.iter().map(|item| item.run.list.as_str()).collect();
        lists.retain(|list| list.starts_with(LIST));
        lists.dedup();
        let of_list = |list: &str| {
            let (items, series) = self.queue.series(list).into_iter().next()?;
            let first = &items.first()?.run;
            let over = items.iter().filter(|item| item.is_over()).count();
            Some(SeedSeries {
                list: list.into(),
                name: format!("{} seeds", items.len()),
                series: Rc::new(series),
                tokens_per_step: first.config.tokens_per_step(),
                runs: (items.len(), over),
            })
        };
        lists.into_iter().filter_map(of_list).collect()
    }

    /// The repetition that is being trained.
    pub fn running_seed(&self) -> Option<&Item> {
        self.queue.running().filter(|item| item.run.list.starts_with(LIST))
    }
}
