//! Which kernels run in place of others: as they were chosen for a device before, or as a person tells. All of it is plain
//! text, which the page and the command line keep between visits.

use std::collections::BTreeMap;
use std::fmt;

/// Devices that are remembered; the oldest goes first.
const MAX_DEVICES: usize = 16;

/// The name of a kernel, and of what runs in its place: a variant, or itself where none is better.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices(BTreeMap<String, String>);

impl Choices {
    /// Reads `KERNEL=VARIANT`, several with commas between them.
    ///
    /// # Errors
    /// A sentence when it is something else.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut choices = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (kernel, variant) =
                part.split_once('=').map(|(kernel, variant)| (kernel.trim(), variant.trim())).ok_or(format!(
                    "{part} is not KERNEL=VARIANT, for example rmsnorm=rmsnorm_lanes, or rmsnorm=rmsnorm for none"
                ))?;
            choices.set(kernel, variant);
        }
        Ok(choices)
    }

    /// What runs in place of a kernel, if that was chosen.
    pub fn get(&self, kernel: &str) -> Option<&str> {
        self.0.get(kernel).map(String::as_str)
    }

    /// Chooses.
    pub fn set(&mut self, kernel: &str, variant: &str) {
        self.0.insert(kernel.into(), variant.into());
    }

    /// The kernels that something was chosen for.
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

/// What `memory`, a line for each device, says of one; nothing of what cannot be read.
pub fn recall(memory: &str, device: &str) -> Choices {
    let line = memory.lines().find_map(|line| line.split_once('\t').filter(|(name, _)| *name == device));
    line.and_then(|(_, choices)| Choices::parse(choices).ok()).unwrap_or_default()
}

/// `memory` with these choices of a device, the latest device first.
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
        assert!(Choices::parse("rmsnorm").unwrap_err().contains("KERNEL=VARIANT"));
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
