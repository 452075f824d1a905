//! Titles of stages and rules.

use glasshead_filter::fields::of_rule;
use glasshead_filter::settings::Stage;

/// The title of a stage.
pub fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Url => "Addresses",
        Stage::Extract => "Extract text",
        Stage::Encoding => "Encoding",
        Stage::Language => "Language",
        Stage::Repetition => "Repetition",
        Stage::Gopher => "Quality rules",
        Stage::C4 => "C4 rules",
        Stage::Fineweb => "FineWeb rules",
        Stage::Phrases => "Phrases",
        Stage::Quality => "Classifier",
        Stage::Lines => "Exact lines",
        Stage::Minhash => "Near duplicates",
        Stage::Mask => "Personal data",
    }
}

/// What a stage does, in a sentence.
pub fn about(stage: Stage) -> &'static str {
    match stage {
        Stage::Url => "Drops pages of listed domains and words.",
        Stage::Extract => "Finds the main text of a page, without menus, banners and footers.",
        Stage::Encoding => "Drops text that was decoded wrongly.",
        Stage::Language => "Keeps the listed languages.",
        Stage::Repetition => "Gopher's rules about repeated lines and word sequences.",
        Stage::Gopher => "Gopher's rules about words, symbols and lines.",
        Stage::C4 => "C4's rules; also removes single lines.",
        Stage::Fineweb => "The rules that FineWeb adds.",
        Stage::Phrases => "Drops pages with listed phrases.",
        Stage::Quality => "Scores the text by examples that you choose.",
        Stage::Lines => "Removes lines that an earlier document has.",
        Stage::Minhash => "Keeps the first of several similar documents.",
        Stage::Mask => "Replaces e-mail addresses, phone numbers and IP addresses.",
    }
}

/// The label of a rule.
pub fn rule(stage: Stage, rule: &str) -> &'static str {
    match rule {
        "gopher_too_many_hashes" => return "Hashes per word",
        "gopher_too_many_ellipsis" => return "Ellipses per word",
        _ => {}
    }
    if let Some(field) = of_rule(stage, rule) {
        return field.label;
    }
    match rule {
        "domain" => "Listed domain",
        "hard_blacklisted" => "Listed word in the address",
        "soft_blacklisted" => "Soft words in the address",
        "blacklisted_subword" => "Listed part of the address",
        "lorem_ipsum" => "“Lorem ipsum”",
        "curly_bracket" => "Curly bracket",
        "empty" => "No text",
        "repeated_lines" => "Too little is left",
        "duplicate" => "Similar to an earlier page",
        _ => "Unreadable page",
    }
}

/// The rules of a stage with a limit that can be moved.
pub fn rules(stage: Stage) -> impl Iterator<Item = &'static str> {
    use glasshead_filter::fields::{FIELDS, Kind};
    FIELDS.iter().filter(move |field| field.stage == stage).flat_map(|field| match field.kind {
        Kind::Limit(rules) => rules.iter().copied(),
        _ => [].iter().copied(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_a_stage_has_a_label() {
        for (at, name) in Stage::ALL.into_iter().flat_map(|at| rules(at).map(move |rule| (at, rule))) {
            assert_ne!(rule(at, name), "Unreadable page", "{name}");
        }
        assert_eq!(rules(Stage::Gopher).count(), 10);
        assert_eq!(rules(Stage::Minhash).count(), 0);
    }
}
