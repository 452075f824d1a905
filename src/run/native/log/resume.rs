//! Finds the part of a run's log files that precedes the step at which the run resumes. A process that was killed may
//! have left rows of later steps, and an incomplete row.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::tensorboard::{self as events, Decoded, HELD_OUT};

/// The prefix of event file names, followed by ten digits: seconds since 1970.
pub(super) const EVENTS_PREFIX: &str = "events.out.tfevents.";

/// The suffix of a file that is being written.
const PART: &str = ".part";

/// The contents of a text log file.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scan {
    /// The length in bytes up to the last row to keep.
    pub bytes: u64,
    /// The number of rows of any step.
    pub rows: usize,
    /// The latest step with a held-out loss, among the rows to keep.
    pub evaluated: Option<u64>,
    /// Seconds of training, including those of rows to remove.
    pub seconds: f64,
}

/// A row of `log.csv` or `log.jsonl`.
struct Row {
    step: u64,
    seconds: f64,
    /// Whether it has a held-out loss and no training loss.
    evaluated: bool,
}

/// Scans a text log file from which rows after `step` will be removed; a missing file is empty.
pub(super) fn scan_file(path: &Path, step: u64) -> io::Result<Scan> {
    match File::open(path) {
        Ok(file) => scan(BufReader::new(file), step),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Scan::default()),
        Err(error) => Err(error),
    }
}

/// Like `scan_file`, but scans `reader`. Lines that are not rows, such as the header, are kept.
///
/// # Errors
/// When reading fails.
pub fn scan(mut reader: impl BufRead, step: u64) -> io::Result<Scan> {
    let (mut scan, mut line, mut keeps, mut at) = (Scan::default(), Vec::new(), true, 0);
    while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
        at += line.len() as u64;
        let row = std::str::from_utf8(&line).ok().and_then(|line| csv_row(line).or_else(|| json_row(line)));
        if let Some(row) = row {
            scan.rows += 1;
            scan.seconds = row.seconds.max(scan.seconds);
            keeps &= row.step <= step;
            scan.evaluated = if keeps && row.evaluated { Some(row.step) } else { scan.evaluated };
        }
        scan.bytes = if keeps { at } else { scan.bytes };
        line.clear();
    }
    Ok(scan)
}

fn csv_row(line: &str) -> Option<Row> {
    let mut cells = line.split(',');
    let step = cells.next()?.parse().ok()?;
    let seconds = cells.nth(1)?.parse().ok()?;
    Some(Row { step, seconds, evaluated: cells.next()?.is_empty() })
}

fn json_row(line: &str) -> Option<Row> {
    let row: Value = serde_json::from_str(line).ok()?;
    let (step, seconds) = (row["step"].as_u64()?, row["seconds"].as_f64()?);
    Some(Row { step, seconds, evaluated: row["loss"].is_null() })
}

/// The event files of a folder with the seconds in their names, in chronological order.
pub(super) fn event_files(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let digits = name.strip_prefix(EVENTS_PREFIX).and_then(|rest| rest.split('.').next());
        let seconds = digits.and_then(|digits| digits.parse().ok());
        let ours = name.contains(".glasshead.") && !name.ends_with(PART);
        files.extend(seconds.filter(|_| ours).map(|seconds| (seconds, path)));
    }
    files.sort();
    Ok(files)
}

/// Removes the events after `step` from all event files of a folder. Returns the remaining steps with a held-out loss.
pub(super) fn cut_events(folder: &Path, step: u64) -> io::Result<BTreeSet<u64>> {
    let mut evaluated = BTreeSet::new();
    for (_, path) in event_files(folder)? {
        let mut file = File::open(&path)?;
        let kept = kept_events(BufReader::new(&file), step)?;
        evaluated.extend(kept.iter().filter(|part| part.evaluated).map(|part| part.step));
        let kept_bytes: u64 = kept.iter().map(|part| part.end - part.start).sum();
        if kept_bytes == file.metadata()?.len() {
            continue;
        }
        let mut half_done = path.clone().into_os_string();
        half_done.push(PART);
        let mut out = BufWriter::new(File::create(&half_done)?);
        for part in &kept {
            file.seek(io::SeekFrom::Start(part.start))?;
            io::copy(&mut (&file).take(part.end - part.start), &mut out)?;
        }
        out.flush()?;
        fs::rename(half_done, path)?;
    }
    Ok(evaluated)
}

/// Consecutive events of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRange {
    /// The step.
    pub step: u64,
    /// The start offset in the file.
    pub start: u64,
    /// The end offset in the file.
    pub end: u64,
    /// Whether they include a held-out loss.
    pub evaluated: bool,
}

/// The events of an event file up to `step`, without those discarded by a later restart. Reading stops at damaged data.
///
/// # Errors
/// When reading fails.
pub fn kept_events(mut reader: impl Read, step: u64) -> io::Result<Vec<EventRange>> {
    let (mut kept, mut start): (Vec<EventRange>, u64) = Default::default();
    while let Some(record) = events::next_record(&mut reader)? {
        let Some(Decoded { step, restart }) = events::decoded(&record) else { break };
        let end = start + record.len() as u64 + events::FRAME_BYTES;
        let evaluated = record.windows(HELD_OUT.len()).any(|part| part == HELD_OUT.as_bytes());
        if restart {
            drop_from(&mut kept, step);
        } else if let Some(last) = kept.last_mut().filter(|last| last.step == step && last.end == start) {
            (last.end, last.evaluated) = (end, last.evaluated || evaluated);
        } else {
            kept.push(EventRange { step, start, end, evaluated });
        }
        start = end;
    }
    drop_from(&mut kept, step.saturating_add(1));
    Ok(kept)
}

/// Drops the events of `step` and later ones, which are at the end.
fn drop_from(kept: &mut Vec<EventRange>, step: u64) {
    while kept.pop_if(|part| part.step >= step).is_some() {}
}

#[cfg(test)]
mod tests {
    use super::super::tensorboard::Event;
    use super::*;

    #[test]
    fn what_a_restart_has_made_void_is_not_kept() {
        let scalar = |step| Event::Scalar { step, tag: if step == 4 { HELD_OUT } else { "loss/train" }, value: 1.0 };
        let all = [1, 1, 2, 3].map(scalar).into_iter().chain([Event::Restart { step: 2 }]);
        let all = all.chain([2, 3, 4, 4, 5].map(scalar));
        let records: Vec<Vec<u8>> = all.map(|event| events::record(&event.encoded(0.0))).collect();
        let starts: Vec<u64> = (0..=records.len()).map(|at| records[..at].concat().len() as u64).collect();
        let range = |step, from: usize, to: usize, evaluated| {
            let (start, end) = (starts[from], starts[to]);
            EventRange { step, start, end, evaluated }
        };
        let [one, two, three, four] =
            [range(1, 0, 2, false), range(2, 5, 6, false), range(3, 6, 7, false), range(4, 7, 9, true)];
        let bytes = records.concat();
        let kept = |bytes: &[u8], step| kept_events(bytes, step).unwrap();
        assert_eq!(kept(&bytes, 4), [one, two, three, four]);
        assert_eq!(kept(&bytes, 2), [one, two]);
        assert_eq!(kept(&bytes[..starts[6] as usize + 7], 9), [one, two], "a record that is cut ends the file");
    }

    #[test]
    fn rows_after_a_step_and_half_a_row_are_not_kept() {
        let text = "step,tokens,seconds,loss,lr,grad_norm,val_loss\n0,0,0.000,,,,6.2\n1,8,0.1,6.0,0.1,1.5,\n\
                    2,16,0.2,5.5,0.1,1.5,\n2,16,0.2,,,,5.0\n3,24,0.75,5.5,0.1,1.5,\n4,32,0.8";
        let end = |row: &str| (text.find(row).unwrap() + row.len() + 1) as u64;
        let scanned = |step| scan(text.as_bytes(), step).unwrap();
        let whole = Scan { bytes: end("3,24,0.75,5.5,0.1,1.5,"), rows: 5, evaluated: Some(2), seconds: 0.75 };
        assert_eq!(scanned(3), whole);
        assert_eq!(scanned(2), Scan { bytes: end("2,16,0.2,,,,5.0"), ..whole });
        assert_eq!(scanned(1), Scan { bytes: end("1,8,0.1,6.0,0.1,1.5,"), evaluated: Some(0), ..whole });
    }
}
