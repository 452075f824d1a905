//! A validated configuration. The page derives values only from a [`ValidConfig`], so that no unchecked field reaches a
//! division or a multiplication.

use std::ops::Deref;

use super::{ConfigError, Preset, RunConfig};

/// The 256 bytes and the end-of-text token: the smallest vocabulary that can be trained on a text.
pub const MIN_TRAINED_VOCABULARY: usize = 257;

/// A [`RunConfig`] for which [`RunConfig::validate`] succeeded.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidConfig(RunConfig);

impl ValidConfig {
    /// The configuration of a preset; a test validates them all.
    pub fn preset(preset: Preset) -> Self {
        Self(preset.config())
    }

    /// The configuration, to be modified and validated again.
    pub fn into_inner(self) -> RunConfig {
        self.0
    }
}

impl TryFrom<RunConfig> for ValidConfig {
    type Error = ConfigError;

    fn try_from(config: RunConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self(config))
    }
}

impl Deref for ValidConfig {
    type Target = RunConfig;

    fn deref(&self) -> &RunConfig {
        &self.0
    }
}

impl RunConfig {
    /// Checks whether a vocabulary of this size can be trained on a text.
    ///
    /// # Errors
    /// If `vocab_size` is less than [`MIN_TRAINED_VOCABULARY`].
    pub fn check_trained_vocabulary(&self) -> Result<(), ConfigError> {
        let value = self.model.vocab_size;
        if value >= MIN_TRAINED_VOCABULARY {
            return Ok(());
        }
        let why = "a vocabulary that is trained on text holds the 256 bytes and the end-of-text token";
        Err(ConfigError::TooSmall { field: "vocab_size", value, least: MIN_TRAINED_VOCABULARY, why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_valid() {
        for preset in Preset::ALL {
            assert_eq!(ValidConfig::try_from(preset.config()), Ok(ValidConfig::preset(preset)));
            assert_eq!(preset.config().check_trained_vocabulary(), Ok(()));
        }
    }
}
