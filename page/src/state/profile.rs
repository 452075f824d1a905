//! The state of the profile view.

use std::rc::Rc;

use glasshead::types::profile::Profile;
use glasshead::wire::Command;
use glasshead::wire::profile::{ProfileCommand, ProfileEvent};

/// The state of the profile view.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProfileState {
    /// Whether a measurement is in progress.
    pub measuring: bool,
    /// The latest profile of this run.
    pub profile: Option<Rc<Profile>>,
    /// The error message, if any.
    pub problem: Option<String>,
}

impl ProfileState {
    /// The command that requests a new profile.
    pub fn command() -> Command {
        Command::Profile(ProfileCommand::Measure)
    }

    pub(super) fn hear(&mut self, event: ProfileEvent) {
        self.measuring = false;
        match event {
            ProfileEvent::Measured(profile) => (self.profile, self.problem) = (Some(profile.into()), None),
            ProfileEvent::Unavailable { reason } => (self.profile, self.problem) = (None, Some(reason)),
        }
    }
}
