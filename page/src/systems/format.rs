//! Numbers of the Systems view as text. Pure.

/// A fraction in percent.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share).replace('-', "−")
}

/// Nanoseconds in milliseconds.
pub fn milliseconds(ns: f64) -> String {
    let digits = match ns.abs() {
        ns if ns >= 1e8 => 0,
        ns if ns >= 1e5 => 2,
        _ => 3,
    };
    format!("{:.digits$} ms", ns / 1e6).replace('-', "−")
}

/// Seconds in a fitting unit.
pub fn seconds(s: f64) -> String {
    match s {
        _ if s >= 1.0 => format!("{s:.2} s"),
        _ if s >= 1e-3 => format!("{:.1} ms", s * 1e3),
        _ => format!("{:.0} µs", s * 1e6),
    }
}

/// A value with three digits and an SI prefix.
pub fn amount(value: f64, unit: &str) -> String {
    let (scaled, prefix) = match value {
        _ if value >= 1e12 => (value / 1e12, "T"),
        _ if value >= 1e9 => (value / 1e9, "G"),
        _ if value >= 1e6 => (value / 1e6, "M"),
        _ if value >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = if scaled >= 100.0 {
        0
    } else if scaled >= 10.0 {
        1
    } else {
        2
    };
    format!("{scaled:.digits$} {prefix}{unit}")
}

/// Bytes in MiB, small ones in KiB.
pub fn mebibytes(bytes: f64) -> String {
    let mib = bytes / f64::from(1 << 20);
    match mib {
        _ if mib >= 100.0 => format!("{mib:.0} MiB"),
        _ if mib >= 0.1 => format!("{mib:.1} MiB"),
        _ => format!("{:.0} KiB", bytes / 1024.0),
    }
}
