//! Which kernel variants run in place of kernels: chosen earlier for a device, or set by the user. All of it is plain
//! text, which the page and the command line store between visits.

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

/// Maximum number of stored devices; the oldest is dropped first.
const MAX_DEVICES: usize = 16;

/// A part of a list of choices has another form than `KERNEL=VARIANT`.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{part} is not KERNEL=VARIANT, for example rmsnorm=rmsnorm_lanes, or rmsnorm=rmsnorm for none")]
pub struct ChoicesError {
    /// The part.
    pub part: String,
}

/// Pairs of kernel name and the name of what runs instead: a variant, or the kernel itself where none is better.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices(BTreeMap<String, String>);

impl Choices {
    /// Parses `KERNEL=VARIANT`, several separated by commas.
    ///
    /// # Errors
    /// When the text has another form.
    pub fn parse(text: &str) -> Result<Self, ChoicesError> {
        let mut choices = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (kernel, variant) = part.split_once('=').ok_or_else(|| ChoicesError { part: part.into() })?;
            choices.set(kernel.trim(), variant.trim());
        }
        Ok(choices)
    }

    /// The choice for a kernel, if there is one.
    pub fn get(&self, kernel: &str) -> Option<&str> {
        self.0.get(kernel).map(String::as_str)
    }

    /// Sets the choice for a kernel.
    pub fn set(&mut self, kernel: &str, variant: &str) {
        self.0.insert(kernel.into(), variant.into());
    }

    /// Whether no kernel has a choice.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The kernels that have a choice.
    pub fn kernels(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl fmt::Display for Choices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (kernel, variant)) in self.0.iter().enumerate() {
            write!(f, "{}{kernel}={variant}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// The choices for a device from `memory`, which has one line per device. Unreadable parts are ignored.
pub fn recall(memory: &str, device: &str) -> Choices {
    let line = memory.lines().find_map(|line| line.split_once('\t').filter(|(name, _)| *name == device));
    line.and_then(|(_, choices)| Choices::parse(choices).ok()).unwrap_or_default()
}

/// `memory` with the choices of a device added or replaced; the most recent device comes first.
pub fn remember(memory: &str, device: &str, choices: &Choices) -> String {
    let others = memory.lines().filter(|line| line.split_once('\t').is_some_and(|(name, _)| name != device));
    let latest = format!("{device}\t{choices}");
    std::iter::once(latest.as_str()).chain(others).take(MAX_DEVICES).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_of_a_device_is_recalled() {
        let choices = Choices::parse(" softmax = softmax , rmsnorm=rmsnorm_lanes,").unwrap();
        assert_eq!(choices.to_string(), "rmsnorm=rmsnorm_lanes,softmax=softmax");
        assert_eq!((choices.get("rmsnorm"), choices.get("rope")), (Some("rmsnorm_lanes"), None));
        assert!(Choices::parse("rmsnorm").unwrap_err().to_string().contains("KERNEL=VARIANT"));
        let mut memory = remember("no line of ours\n", "a card", &choices);
        assert_eq!(recall(&memory, "a card"), choices);
        assert_eq!(recall(&memory, "another"), Choices::default());
        memory = remember(&memory, "a card", &Choices::default());
        assert_eq!(recall(&memory, "a card"), Choices::default());
        for number in 0..40 {
            memory = remember(&memory, &format!("card {number}"), &choices);
        }
        assert_eq!(memory.lines().count(), MAX_DEVICES);
        assert_eq!((recall(&memory, "card 39"), recall(&memory, "card 0")), (choices, Choices::default()));
    }
}
