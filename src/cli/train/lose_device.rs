//! `--lose-device`: simulated device losses for tests.

use std::str::FromStr;

use crate::run::Work;

/// A simulated device loss: before the first work of this kind at or after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Moment {
    pub work: Work,
    pub step: u64,
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (work, step) = text.split_once('@').ok_or("it is WORK@STEP")?;
        let work = match work {
            "train" => Work::Train,
            "evaluate" => Work::Evaluate,
            "score" => Work::Score,
            "sample" => Work::Sample,
            "save" => Work::Save,
            _ => return Err("there are train, evaluate, score, sample and save".into()),
        };
        let step = step.parse().map_err(|_| format!("{step} is not a step"))?;
        Ok(Self { work, step })
    }
}
