//! All settings of the filters, as a TOML file.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::classify::Quality;
use crate::dedup::{Lines, MinHash};
use crate::hash::hash;
use crate::mask::Masking;
use crate::rules::{C4, Encoding, FineWeb, Gopher, Language, Phrases, Repetition, UrlRules};

/// A stage of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Listed addresses.
    Url,
    /// Text of the page.
    Extract,
    /// Wrongly decoded text.
    Encoding,
    /// Language identification.
    Language,
    /// Gopher's repetition rules.
    Repetition,
    /// Gopher's quality rules.
    Gopher,
    /// C4's rules.
    C4,
    /// FineWeb's rules.
    Fineweb,
    /// Listed phrases.
    Phrases,
    /// The trained classifier.
    Quality,
    /// Exact duplicates of lines.
    Lines,
    /// Near duplicates of documents.
    Minhash,
    /// Masking of personal data, which drops nothing.
    Mask,
}

impl Stage {
    /// In the order of the pipeline.
    pub const ALL: [Self; 13] = [
        Self::Url,
        Self::Extract,
        Self::Encoding,
        Self::Language,
        Self::Repetition,
        Self::Gopher,
        Self::C4,
        Self::Fineweb,
        Self::Phrases,
        Self::Quality,
        Self::Lines,
        Self::Minhash,
        Self::Mask,
    ];

    /// The name in settings and output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Extract => "extract",
            Self::Encoding => "encoding",
            Self::Language => "language",
            Self::Repetition => "repetition",
            Self::Gopher => "gopher",
            Self::C4 => "c4",
            Self::Fineweb => "fineweb",
            Self::Phrases => "phrases",
            Self::Quality => "quality",
            Self::Lines => "lines",
            Self::Minhash => "minhash",
            Self::Mask => "mask",
        }
    }

    /// The stage with a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// How text is extracted from pages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Extract {
    /// Only the main content, without menus, banners and footers.
    pub main_content: bool,
}

impl Default for Extract {
    fn default() -> Self {
        Self { main_content: true }
    }
}

/// The settings of all stages. The defaults follow FineWeb.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Listed addresses.
    pub url: UrlRules,
    /// Text of the page.
    pub extract: Extract,
    /// Wrongly decoded text.
    pub encoding: Encoding,
    /// Language identification.
    pub language: Language,
    /// Gopher's repetition rules.
    pub repetition: Repetition,
    /// Gopher's quality rules.
    pub gopher: Gopher,
    /// C4's rules.
    pub c4: C4,
    /// FineWeb's rules.
    pub fineweb: FineWeb,
    /// Listed phrases.
    pub phrases: Phrases,
    /// The trained classifier.
    pub quality: Quality,
    /// Exact duplicates of lines.
    pub lines: Lines,
    /// Near duplicates of documents.
    pub minhash: MinHash,
    /// Masking of personal data.
    pub mask: Masking,
}

/// Why settings are rejected.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The file is no valid TOML, or has an unknown or wrong field.
    #[error("the settings are not valid: {0}")]
    Format(String),
    /// A value is out of range.
    #[error("{field} is {value}; it has to be {expected}")]
    Range {
        /// The table and field.
        field: &'static str,
        /// The value.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
}

/// The largest number of hash functions.
const MAX_HASHES: usize = 10_000;

impl Settings {
    /// Reads and validates a TOML file.
    ///
    /// # Errors
    /// When the file is no TOML, a field is unknown, or a value is out of range.
    pub fn from_toml(text: &str) -> Result<Self, SettingsError> {
        let settings = Self::parse(text)?;
        settings.validate()?;
        Ok(settings)
    }

    /// The settings as a TOML file.
    pub fn to_toml(&self) -> String {
        // In wasm by way of JSON, see `parse`.
        #[cfg(target_arch = "wasm32")]
        return toml::to_string(&serde_json::to_value(self).unwrap_or_default()).unwrap_or_default();
        #[cfg(not(target_arch = "wasm32"))]
        toml::to_string(self).unwrap_or_default()
    }

    /// Natively, messages name the line.
    #[cfg(not(target_arch = "wasm32"))]
    fn parse(text: &str) -> Result<Self, SettingsError> {
        toml::from_str(text).map_err(|error| SettingsError::Format(error.to_string()))
    }

    /// In wasm by way of JSON, because a second set of readers of all fields would make the module a tenth larger.
    #[cfg(target_arch = "wasm32")]
    fn parse(text: &str) -> Result<Self, SettingsError> {
        let json: Result<serde_json::Value, _> = toml::from_str(text);
        let json = json.map_err(|error| SettingsError::Format(error.to_string()))?;
        serde_json::from_value(json).map_err(|error| SettingsError::Format(error.to_string()))
    }

    /// Every stage off, except extraction: the starting point for measuring stages one by one.
    pub fn off() -> Self {
        let mut settings = Self::default();
        for stage in Stage::ALL {
            settings.set_enabled(stage, false);
        }
        settings
    }

    /// Checks the values.
    ///
    /// # Errors
    /// When a value is out of range.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let range = |field, value: String, expected, ok: bool| {
            if ok { Ok(()) } else { Err(SettingsError::Range { field, value, expected }) }
        };
        let minhash = &self.minhash;
        let hashes = minhash.bands.saturating_mul(minhash.rows);
        range(
            "minhash.bands × minhash.rows",
            hashes.to_string(),
            "from 1 to 10000",
            (1..=MAX_HASHES).contains(&hashes),
        )?;
        range("minhash.ngram", minhash.ngram.to_string(), "from 1 to 100", (1..=100).contains(&minhash.ngram))?;
        let unit = |value: f64| (0.0..=1.0).contains(&value);
        range("minhash.threshold", minhash.threshold.to_string(), "from 0 to 1", unit(minhash.threshold))?;
        range("language.min_score", self.language.min_score.to_string(), "from 0 to 1", unit(self.language.min_score))?;
        range("quality.min_score", self.quality.min_score.to_string(), "from 0 to 1", unit(self.quality.min_score))?;
        range("lines.max_occurrences", "0".into(), "at least 1", self.lines.max_occurrences > 0)
    }

    /// Whether a stage runs.
    pub fn enabled(&self, stage: Stage) -> bool {
        match stage {
            Stage::Url => self.url.enabled,
            Stage::Extract => true,
            Stage::Encoding => self.encoding.enabled,
            Stage::Language => self.language.enabled,
            Stage::Repetition => self.repetition.enabled,
            Stage::Gopher => self.gopher.enabled,
            Stage::C4 => self.c4.enabled,
            Stage::Fineweb => self.fineweb.enabled,
            Stage::Phrases => self.phrases.enabled,
            Stage::Quality => self.quality.enabled,
            Stage::Lines => self.lines.enabled,
            Stage::Minhash => self.minhash.enabled,
            Stage::Mask => self.mask.enabled,
        }
    }

    /// Switches a stage on or off; extraction always runs.
    pub fn set_enabled(&mut self, stage: Stage, enabled: bool) {
        match stage {
            Stage::Url => self.url.enabled = enabled,
            Stage::Extract => {}
            Stage::Encoding => self.encoding.enabled = enabled,
            Stage::Language => self.language.enabled = enabled,
            Stage::Repetition => self.repetition.enabled = enabled,
            Stage::Gopher => self.gopher.enabled = enabled,
            Stage::C4 => self.c4.enabled = enabled,
            Stage::Fineweb => self.fineweb.enabled = enabled,
            Stage::Phrases => self.phrases.enabled = enabled,
            Stage::Quality => self.quality.enabled = enabled,
            Stage::Lines => self.lines.enabled = enabled,
            Stage::Minhash => self.minhash.enabled = enabled,
            Stage::Mask => self.mask.enabled = enabled,
        }
    }

    /// A number that changes with every value.
    pub fn fingerprint(&self) -> u64 {
        hash(self.to_toml().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_keep_every_value() {
        let phrases = Phrases { enabled: true, phrases: vec!["a b".into()], max_occurrences: 2.0 };
        let settings = Settings { gopher: Gopher::course(), phrases, ..Settings::default() };
        assert_eq!(Settings::from_toml(&settings.to_toml()).unwrap(), settings);
        assert_eq!(Settings::from_toml("").unwrap(), Settings::default());
        assert_ne!(settings.fingerprint(), Settings::default().fingerprint());
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("[gopher]\nmin_wrds = 3", "min_wrds"),
            ("[minhash]\nbands = 0", "minhash.bands"),
            ("[minhash]\nthreshold = 2.0", "minhash.threshold"),
            ("[language]\nkeep = 3", "keep"),
        ] {
            let message = Settings::from_toml(text).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
