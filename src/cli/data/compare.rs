//! `glasshead data compare`: where two runs disagree, and why.

use std::collections::BTreeMap;
use std::path::Path;

use super::run_failed;

pub(super) fn compare(a: &Path, b: &Path) -> Result<(), String> {
    let comparison = glasshead_filter::run::compare(a, b).map_err(run_failed)?;
    say!("{} documents in both runs, {} elsewhere", comparison.documents, comparison.unmatched);
    say!("both keep {}, both drop {}", comparison.both_keep, comparison.both_drop);
    say!("the runs agree on {:.2} %", 100.0 * comparison.agreement());
    let print = |title: &str, reasons: &BTreeMap<String, (u64, Vec<String>)>| {
        for (reason, (n, examples)) in reasons {
            say!("{title}, the other drops by {reason}: {n}");
            examples.iter().for_each(|url| say!("    {url}"));
        }
    };
    print(&format!("only {} keeps", a.display()), &comparison.only_a_keeps);
    print(&format!("only {} keeps", b.display()), &comparison.only_b_keeps);
    Ok(())
}
