//! The Profile view.

use std::rc::Rc;

use crate::protocol::Command;
use crate::protocol::profile::{Profile, ProfileCommand, ProfileEvent};

/// What is known of where the time goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProfileState {
    /// Whether an answer is awaited.
    pub measuring: bool,
    /// The latest one of this run.
    pub profile: Option<Rc<Profile>>,
    /// Why there is none.
    pub problem: Option<String>,
}

impl ProfileState {
    /// What asks for a new one.
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
