//! Numbers formatted for display. Pure.

/// A number with commas between groups of three digits.
pub fn grouped(n: impl ToString) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + 4);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with its noun, which gets an s unless the count is 1.
pub fn counted(n: impl ToString, noun: &str) -> String {
    let grouped = grouped(n);
    let plural = if grouped == "1" { "" } else { "s" };
    format!("{grouped} {noun}{plural}")
}

/// A file size in the largest unit that gives at least 1.
pub fn file_size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    // A number that would be rounded up to 1000 of a unit is shown as 1 of the next.
    let unit = UNITS.into_iter().find(|(unit, _)| bytes as f64 >= 0.99995 * *unit as f64);
    unit.map_or_else(|| counted(bytes, "byte"), |(unit, name)| format!("{:.1} {name}", bytes as f64 / unit as f64))
}
