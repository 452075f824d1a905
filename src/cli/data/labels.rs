//! `glasshead data labels`: precision and recall of a run on generated pages.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use glasshead_filter::generate::Label;
use glasshead_filter::mask::Masked;
use glasshead_filter::run::Decision;
use glasshead_filter::settings::Stage;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cli::{in_file, sentence};

/// What a row of a generated file says about its page.
#[derive(Deserialize)]
struct Truth {
    url: String,
    label: Label,
    personal: Masked,
}

fn rows<T: DeserializeOwned>(path: &Path) -> Result<impl Iterator<Item = Result<T, String>> + use<T>, String> {
    let file = File::open(path).map_err(in_file(path))?;
    let name = path.display().to_string();
    Ok(BufReader::with_capacity(1 << 20, file).lines().map(move |line| {
        let line = line.map_err(sentence)?;
        serde_json::from_str(&line).map_err(|error| format!("{name}: {error}"))
    }))
}

#[derive(Default)]
struct StageCount {
    good: u64,
    bad: u64,
}

pub(super) fn labels(run: &Path, pages: &Path) -> Result<(), String> {
    let mut decisions = rows::<Decision>(&run.join("decisions.jsonl"))?;
    let mut kept: BTreeMap<Label, (u64, u64)> = BTreeMap::new();
    let mut stages: BTreeMap<Stage, StageCount> = BTreeMap::new();
    let (mut planted, mut masked) = (Masked::default(), Masked::default());
    for truth in rows::<Truth>(pages)? {
        let truth = truth?;
        let Some(decision) = decisions.next().transpose()? else { break };
        if decision.url != truth.url {
            return Err(format!("{} is not the output of a run on {}", run.display(), pages.display()));
        }
        let (n, n_kept) = kept.entry(truth.label).or_default();
        *n += 1;
        *n_kept += u64::from(decision.keep);
        if let Some(drop) = &decision.dropped {
            let count = stages.entry(drop.stage).or_default();
            *(if truth.label.is_good() { &mut count.good } else { &mut count.bad }) += 1;
        }
        if truth.label == Label::Personal && decision.keep {
            add(&mut planted, truth.personal);
            add(&mut masked, decision.masked);
        }
    }
    print(&kept, &stages);
    say!("personal data in kept pages: {planted:?} planted, {masked:?} masked");
    Ok(())
}

fn add(sum: &mut Masked, masked: Masked) {
    *sum = Masked { emails: sum.emails + masked.emails, phones: sum.phones + masked.phones, ips: sum.ips + masked.ips };
}

fn print(kept: &BTreeMap<Label, (u64, u64)>, stages: &BTreeMap<Stage, StageCount>) {
    let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
    for (label, (n, n_kept)) in kept {
        say!("{:<12} {n:>8} pages, {n_kept:>8} kept ({:.1} %)", label.name(), percent(*n_kept, *n));
    }
    let sum = |good: bool| {
        let of = kept.iter().filter(|(label, _)| label.is_good() == good);
        of.fold((0, 0), |(n, k), (_, (m, l))| (n + m, k + l))
    };
    let (good, bad) = (sum(true), sum(false));
    say!("good kept {:.2} %, bad dropped {:.2} %", percent(good.1, good.0), 100.0 - percent(bad.1, bad.0));
    let mut left = bad.0;
    for (stage, count) in stages {
        let dropped = count.good + count.bad;
        say!(
            "{:<11} dropped {dropped:>8}: precision {:.2} %, recall of the bad pages that reached it {:.2} %",
            stage.name(),
            percent(count.bad, dropped),
            percent(count.bad, left),
        );
        left -= count.bad;
    }
}
