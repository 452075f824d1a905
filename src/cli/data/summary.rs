//! Progress and the result of a run on the terminal.

use std::time::Duration;

use glasshead_filter::run::{Report, Summary};
use glasshead_filter::settings::{Settings, Stage};
use indicatif::{ProgressBar, ProgressStyle};

const PHASES: [&str; 5] = ["judging", "repeated lines", "sketching", "joining duplicates", "writing"];

/// The progress line; hidden in runs for programs.
pub(super) fn bar(hidden: bool) -> ProgressBar {
    let bar = if hidden { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar
}

/// Shows the progress.
pub(super) fn show(bar: &ProgressBar, report: Report<'_>, elapsed: Duration) {
    let phase = PHASES[(report.phase - 1).min(PHASES.len() - 1)];
    let speed = if report.phase == 1 {
        format!(", {:.1} MB/s", megabytes(report.bytes) / elapsed.as_secs_f64())
    } else {
        String::new()
    };
    bar.set_message(format!("{phase}: {} documents{speed}", report.documents));
    bar.tick();
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Prints the funnel: what remains after each stage, and the most frequent reasons.
pub(super) fn print(summary: &Summary, settings: &Settings, elapsed: Duration) {
    let funnel = &summary.funnel;
    let seconds = elapsed.as_secs_f64();
    say!("{:<11} {:>11} documents, {:.1} MB", "read", funnel.documents, megabytes(funnel.bytes));
    for (stage, left) in funnel.remaining() {
        if !settings.enabled(stage) || stage == Stage::Mask {
            continue;
        }
        let none = Default::default();
        let count = funnel.stages.get(&stage).unwrap_or(&none);
        let mut reasons: Vec<(&String, &u64)> = count.reasons.iter().collect();
        reasons.sort_by(|a, b| b.1.cmp(a.1));
        let reasons: Vec<String> = reasons.iter().take(3).map(|(reason, n)| format!("{reason} {n}")).collect();
        say!("{:<11} {left:>11} left, {:>9} dropped  {}", stage.name(), count.dropped, reasons.join(", "));
    }
    let share = 100.0 * funnel.kept as f64 / funnel.documents.max(1) as f64;
    say!("{:<11} {:>11} documents ({share:.1} %), {:.1} MB of text", "kept", funnel.kept, megabytes(funnel.kept_bytes));
    say!("{:<11} {:>11}, the largest of {} documents", "clusters", summary.clusters, summary.largest_cluster);
    let masked = funnel.masked;
    say!(
        "masked      {} e-mail addresses, {} phone numbers, {} IP addresses",
        masked.emails,
        masked.phones,
        masked.ips
    );
    if summary.skipped.total() > 0 {
        let skipped = summary.skipped;
        say!(
            "skipped     {} too long, {} damaged, {} without text",
            skipped.too_long,
            skipped.damaged,
            skipped.no_text
        );
    }
    summary.problems.iter().for_each(|problem| eprintln!("{problem}"));
    say!("{seconds:.1} s, {:.1} MB/s", megabytes(funnel.bytes) / seconds);
}
