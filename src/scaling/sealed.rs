//! Predictions that are stored, with time and hash, before the run that checks them may start.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::bootstrap::Interval;

/// A prediction. Its hash covers the hash of the prediction before it, so that none can be changed or removed unnoticed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// 1, 2, …
    pub number: u32,
    /// C, in FLOPs.
    pub budget: f64,
    /// The best size according to the fit.
    pub n_optimal: f64,
    /// Interval of the best size.
    pub n_interval: Interval,
    /// The size that the check run trains: the nearest shape.
    pub n_params: u64,
    /// Tokens of the check run.
    pub tokens: u64,
    /// Held-out loss of the check run, in nats per token.
    pub loss: f64,
    /// 95 % interval of that loss.
    pub interval: Interval,
    /// How it was predicted.
    pub method: String,
    /// Number of runs in the fit.
    pub n_runs: usize,
    /// Time of the prediction, in seconds since 1970 (UTC).
    pub time_unix_s: u64,
    /// Hash of the prediction before it; empty for the first.
    pub previous: String,
}

/// A prediction with its hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sealed {
    /// The prediction.
    pub prediction: Prediction,
    /// SHA-256 of the prediction's JSON, in hexadecimal digits.
    pub hash: String,
}

/// What happened to a sealed prediction afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Afterwards {
    /// The check run ended.
    Checked {
        /// Hash of the prediction.
        hash: String,
        /// Measured held-out loss.
        loss: f64,
        /// predicted / measured − 1.
        error: f64,
        /// Whether the interval contains the measured loss.
        inside: bool,
        /// Time, in seconds since 1970 (UTC).
        time_unix_s: u64,
    },
    /// The seal was broken: the prediction no longer counts.
    Broken {
        /// Hash of the prediction.
        hash: String,
        /// The user's reason, or how the change was noticed.
        reason: String,
        /// Time, in seconds since 1970 (UTC).
        time_unix_s: u64,
    },
}

impl Afterwards {
    /// Hash of the prediction to which this happened.
    pub fn hash(&self) -> &str {
        match self {
            Self::Checked { hash, .. } | Self::Broken { hash, .. } => hash,
        }
    }
}

impl Sealed {
    /// Seals a prediction.
    ///
    /// # Errors
    /// If a number of it cannot be written as JSON.
    pub fn new(prediction: Prediction) -> Result<Self, serde_json::Error> {
        Ok(Self { hash: hash(&prediction)?, prediction })
    }

    /// Whether the prediction is the one that was sealed.
    pub fn holds(&self) -> bool {
        hash(&self.prediction).is_ok_and(|hash| hash == self.hash)
    }

    /// The outcome of the check run.
    pub fn checked(&self, loss: f64, time_unix_s: u64) -> Afterwards {
        let Prediction { loss: predicted, interval, .. } = self.prediction;
        let (hash, error, inside) = (self.hash.clone(), predicted / loss - 1.0, interval.contains(loss));
        Afterwards::Checked { hash, loss, error, inside, time_unix_s }
    }
}

fn hash(prediction: &Prediction) -> Result<String, serde_json::Error> {
    let digest = Sha256::digest(serde_json::to_string(prediction)?.as_bytes());
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The first prediction whose seal does not hold, or whose predecessor was changed or removed.
pub fn first_broken(history: &[Sealed]) -> Option<&Sealed> {
    let mut previous = "";
    history.iter().find(|sealed| {
        let intact = sealed.holds() && sealed.prediction.previous == previous;
        previous = &sealed.hash;
        !intact
    })
}
