//! Messages about entries in fields that are not part of the configuration.

pub use glasshead::config::fields::number;

/// The message for an entry that is not a number of the right kind.
pub fn not_a_number(name: &str, entry: &str, whole: bool) -> String {
    let wanted = match (entry.contains(','), whole) {
        (true, false) => "a number with a decimal point, such as 0.5",
        (false, false) => "a number",
        (_, true) => "a whole number",
    };
    format!("{name} cannot be “{}”; enter {wanted}", entry.trim())
}
