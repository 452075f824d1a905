//! A configuration that has been validated. Everything that the page derives from settings is derived from one of
//! these, so that no text in a field reaches a division or a product.

use std::ops::Deref;

use super::{ConfigError, Preset, RunConfig};

/// The 256 bytes and the end-of-text token: the smallest vocabulary that is trained on a text.
pub const MIN_TRAINED_VOCABULARY: usize = 257;

/// A [`RunConfig`] for which [`RunConfig::validate`] succeeded.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidConfig(RunConfig);

impl ValidConfig {
    /// The configuration of a preset; a test validates them all.
    pub fn preset(preset: Preset) -> Self {
        Self(preset.config())
    }

    /// The configuration, to be changed and validated again.
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
    /// Whether a vocabulary of this size can be trained on a text.
    ///
    /// # Errors
    /// When `vocab_size` is less than [`MIN_TRAINED_VOCABULARY`].
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
