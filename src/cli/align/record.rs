//! What a checkpoint remembers of an alignment run, so that it is continued with the same settings.

use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::super::load_checkpoint;
use super::AlignArgs;
use crate::align::PromptTemplate;
use crate::config::RunConfig;
use crate::train::align::Settings;
use crate::train::checkpoint::FILE_NAME;
use crate::train::checkpoint::rotation::PREVIOUS;
use crate::train::trainer::TrainingState;

/// The name of the metadata entry.
pub(super) const FIELD: &str = "alignment";

/// The settings of a run, all as text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    stage: String,
    data: String,
    rewards: Vec<String>,
    template: String,
    settings: Vec<(String, String)>,
    train: String,
}

impl Record {
    pub fn new(args: &AlignArgs, settings: &Settings, config: &RunConfig, template: &PromptTemplate) -> Self {
        let data = match (&args.task, &args.data) {
            (Some(task), _) => format!("task {}", task.name()),
            (None, path) => path.as_ref().map_or_else(String::new, |path| format!("file {}", path.display())),
        };
        // The length of the run may change.
        let train = crate::config::TrainConfig { schedule_steps: 1, ..config.train.clone() };
        Self {
            stage: args.stage.name().into(),
            data,
            rewards: args.reward.iter().chain(&args.answer_after).cloned().collect(),
            template: template.to_string(),
            settings: settings.to_pairs().into_iter().map(|(name, value)| (name.to_string(), value)).collect(),
            train: serde_json::to_string(&train).unwrap_or_default(),
        }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The state from which the run in `folder` continues.
    ///
    /// # Errors
    /// When there is none, or the run there has other settings.
    pub fn resume(&self, folder: &Path) -> Result<TrainingState, String> {
        let state = load_checkpoint(folder)?.state;
        let record = |name: &str| -> Option<Self> {
            let bytes = fs::read(folder.join(name)).ok()?;
            let (_, header) = SafeTensors::read_metadata(&bytes).ok()?;
            serde_json::from_str(header.metadata().as_ref()?.get(FIELD)?).ok()
        };
        let Some(saved) = [FILE_NAME, PREVIOUS].iter().find_map(|name| record(name)) else {
            let folder = folder.display();
            return Err(format!("{folder} holds no alignment run; leave out --resume, or choose another --out"));
        };
        if let Some(difference) = self.difference(&saved) {
            return Err(format!(
                "The run in {} has {difference}. Repeat its options to resume it, or choose another --out.",
                folder.display()
            ));
        }
        Ok(state)
    }

    /// The first setting of a saved run that differs from this one.
    fn difference(&self, saved: &Self) -> Option<String> {
        let fields = [
            ("stage", &self.stage, &saved.stage),
            ("data", &self.data, &saved.data),
            ("template", &self.template, &saved.template),
        ];
        if let Some((name, _, saved)) = fields.into_iter().find(|(_, ours, saved)| ours != saved) {
            return Some(format!("{name} {saved}"));
        }
        if self.rewards != saved.rewards {
            return Some(format!("rewards {}", saved.rewards.join(", ")));
        }
        let differs = saved.settings.iter().find(|pair| !self.settings.contains(pair));
        match differs {
            Some((name, value)) => Some(format!("{name} {value}")),
            None if self.train != saved.train => Some(format!("training settings {}", saved.train)),
            None => None,
        }
    }
}
