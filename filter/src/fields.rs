//! The fields of the settings that a user can change, for forms and links: their paths, labels and values as text.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use crate::settings::{Settings, SettingsError, Stage};

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A limit of these rules: moving it needs no new measurement.
    Limit(&'static [&'static str]),
    /// Another number.
    Number,
    /// A switch.
    Flag,
    /// A list, with commas between its items.
    List,
}

/// A field of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The stage.
    pub stage: Stage,
    /// Table and name in the settings file; `table.list.index` for one number of a list.
    pub path: &'static str,
    /// The label on the page.
    pub label: &'static str,
    /// What it holds.
    pub kind: Kind,
}

const fn field(stage: Stage, path: &'static str, label: &'static str, kind: Kind) -> Field {
    Field { stage, path, label, kind }
}

/// All fields except the switches of the stages, in the order of the pipeline.
pub static FIELDS: [Field; 60] = {
    use Kind::{Flag, Limit, List, Number};
    use Stage::{
        C4, Encoding, Extract, Fineweb, Gopher, Language, Lines, Mask, Minhash, Phrases, Quality, Repetition, Url,
    };
    [
        field(Url, "url.domains", "Domains to drop", List),
        field(Url, "url.words", "Words in addresses to drop", List),
        field(Url, "url.soft_words", "Soft words", List),
        field(Url, "url.min_soft_words", "Soft words that drop a page", Number),
        field(Url, "url.parts", "Parts of addresses to drop", List),
        field(Extract, "extract.main_content", "Main content only", Flag),
        field(Encoding, "encoding.max_mojibake", "Wrongly decoded characters", Limit(&["mojibake"])),
        field(Language, "language.keep", "Languages to keep", List),
        field(Language, "language.min_score", "Score of the language", Limit(&["language"])),
        field(Repetition, "repetition.max_duplicate_paragraphs", "Repeated paragraphs", Limit(&["dup_para_frac"])),
        field(
            Repetition,
            "repetition.max_duplicate_paragraph_characters",
            "Characters in repeated paragraphs",
            Limit(&["dup_para_char_frac"]),
        ),
        field(Repetition, "repetition.max_duplicate_lines", "Repeated lines", Limit(&["dup_line_frac"])),
        field(
            Repetition,
            "repetition.max_duplicate_line_characters",
            "Characters in repeated lines",
            Limit(&["dup_line_char_frac"]),
        ),
        field(Repetition, "repetition.max_top_ngram.0", "Most frequent 2-gram", Limit(&["top_2_gram"])),
        field(Repetition, "repetition.max_top_ngram.1", "Most frequent 3-gram", Limit(&["top_3_gram"])),
        field(Repetition, "repetition.max_top_ngram.2", "Most frequent 4-gram", Limit(&["top_4_gram"])),
        field(Repetition, "repetition.max_duplicate_ngrams.0", "Repeated 5-grams", Limit(&["duplicated_5_n_grams"])),
        field(Repetition, "repetition.max_duplicate_ngrams.1", "Repeated 6-grams", Limit(&["duplicated_6_n_grams"])),
        field(Repetition, "repetition.max_duplicate_ngrams.2", "Repeated 7-grams", Limit(&["duplicated_7_n_grams"])),
        field(Repetition, "repetition.max_duplicate_ngrams.3", "Repeated 8-grams", Limit(&["duplicated_8_n_grams"])),
        field(Repetition, "repetition.max_duplicate_ngrams.4", "Repeated 9-grams", Limit(&["duplicated_9_n_grams"])),
        field(Repetition, "repetition.max_duplicate_ngrams.5", "Repeated 10-grams", Limit(&["duplicated_10_n_grams"])),
        field(Gopher, "gopher.min_words", "Words, at least", Limit(&["gopher_short_doc"])),
        field(Gopher, "gopher.max_words", "Words, at most", Limit(&["gopher_long_doc"])),
        field(
            Gopher,
            "gopher.min_mean_word_length",
            "Mean word length, at least",
            Limit(&["gopher_below_avg_threshold"]),
        ),
        field(
            Gopher,
            "gopher.max_mean_word_length",
            "Mean word length, at most",
            Limit(&["gopher_above_avg_threshold"]),
        ),
        field(
            Gopher,
            "gopher.max_symbol_ratio",
            "Hashes or ellipses per word",
            Limit(&["gopher_too_many_hashes", "gopher_too_many_ellipsis"]),
        ),
        field(Gopher, "gopher.max_bullet_lines", "Lines with a bullet", Limit(&["gopher_too_many_bullets"])),
        field(Gopher, "gopher.max_ellipsis_lines", "Lines that end in …", Limit(&["gopher_too_many_end_ellipsis"])),
        field(Gopher, "gopher.min_alphabetic_words", "Words with a letter", Limit(&["gopher_below_alpha_threshold"])),
        field(Gopher, "gopher.min_stop_words", "Stop words", Limit(&["gopher_enough_stop_words"])),
        field(Gopher, "gopher.count_punctuation", "Count punctuation as words", Flag),
        field(C4, "c4.min_sentences", "Sentences", Limit(&["too_few_sentences"])),
        field(C4, "c4.terminal_punctuation", "Lines have to end in punctuation", Flag),
        field(C4, "c4.min_words_per_line", "Words of a line", Number),
        field(C4, "c4.max_word_length", "Characters of a word", Number),
        field(C4, "c4.lorem_ipsum", "Drop “lorem ipsum”", Flag),
        field(C4, "c4.javascript", "Remove lines about JavaScript", Flag),
        field(C4, "c4.curly_bracket", "Drop curly brackets", Flag),
        field(C4, "c4.policy", "Remove lines about policies", Flag),
        field(C4, "c4.citations", "Remove citation marks", Flag),
        field(Fineweb, "fineweb.min_punctuated_lines", "Lines that end in punctuation", Limit(&["line_punct_ratio"])),
        field(Fineweb, "fineweb.max_short_lines", "Short lines", Limit(&["short_line_ratio"])),
        field(Fineweb, "fineweb.short_line", "Characters of a short line", Number),
        field(Fineweb, "fineweb.max_duplicate_characters", "Characters in repeated lines", Limit(&["char_dup_ratio"])),
        field(Fineweb, "fineweb.max_newline_ratio", "Line feeds per word", Limit(&["list_ratio"])),
        field(Phrases, "phrases.phrases", "Phrases to drop", List),
        field(Phrases, "phrases.max_occurrences", "Listed phrases", Limit(&["listed_phrases"])),
        field(Quality, "quality.min_score", "Score of the classifier", Limit(&["low_quality"])),
        field(Lines, "lines.keep_first", "Keep the first occurrence", Flag),
        field(Lines, "lines.max_occurrences", "Occurrences of a line, at most", Number),
        field(Lines, "lines.min_words", "Words that have to remain", Number),
        field(Minhash, "minhash.bands", "Bands", Number),
        field(Minhash, "minhash.rows", "Rows", Number),
        field(Minhash, "minhash.ngram", "Words of an n-gram", Number),
        field(Minhash, "minhash.threshold", "Similarity of duplicates", Number),
        field(Mask, "mask.emails", "E-mail addresses", Flag),
        field(Mask, "mask.phones", "Phone numbers", Flag),
        field(Mask, "mask.ips", "IPv4 addresses", Flag),
        field(Mask, "mask.ipv6", "IPv6 addresses", Flag),
    ]
};

/// The field with the limit of a rule.
pub fn of_rule(stage: Stage, rule: &str) -> Option<&'static Field> {
    FIELDS
        .iter()
        .find(|field| field.stage == stage && matches!(field.kind, Kind::Limit(rules) if rules.contains(&rule)))
}

fn pointer(path: &str) -> String {
    format!("/{}", path.replace('.', "/"))
}

/// A value as the text of a field.
fn text(value: &Value) -> String {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            text.strip_suffix(".0").map_or(text.clone(), str::to_string)
        }
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(self::text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// The value that a text stands for, of the same type as the present value.
fn value(old: &Value, text: &str) -> Option<Value> {
    let text = text.trim();
    match old {
        Value::Bool(_) => text.parse().ok().map(Value::Bool),
        Value::Number(number) if number.is_f64() => text.parse().ok().and_then(Number::from_f64).map(Value::Number),
        Value::Number(_) => text.parse::<u64>().ok().map(|number| Value::Number(number.into())),
        Value::String(_) => Some(Value::String(text.into())),
        Value::Array(_) => {
            let items = text.split([',', '\n']).map(str::trim).filter(|item| !item.is_empty());
            Some(items.map(|item| Value::String(item.into())).collect())
        }
        _ => None,
    }
}

fn json(settings: &Settings) -> Value {
    serde_json::to_value(settings).unwrap_or_default()
}

/// The paths of all fields, those of the stages' switches included.
fn paths() -> impl Iterator<Item = String> {
    let switches = Stage::ALL.into_iter().filter(|stage| *stage != Stage::Extract);
    let switches = switches.map(|stage| format!("{}.enabled", stage.name()));
    switches.chain(FIELDS.iter().map(|field| field.path.to_string()))
}

/// The values of all fields as text, by path.
pub fn values(settings: &Settings) -> BTreeMap<String, String> {
    let json = json(settings);
    paths().filter_map(|path| Some((path.clone(), text(json.pointer(&pointer(&path))?)))).collect()
}

/// The fields that differ from their defaults, by path.
pub fn changes(settings: &Settings) -> BTreeMap<String, String> {
    let defaults = values(&Settings::default());
    values(settings).into_iter().filter(|(path, value)| defaults.get(path) != Some(value)).collect()
}

/// The default settings with these changes.
///
/// # Errors
/// When a path is unknown, or a text is no value of its field.
pub fn settings<'c>(changes: impl IntoIterator<Item = (&'c String, &'c String)>) -> Result<Settings, SettingsError> {
    let mut json = json(&Settings::default());
    for (path, text) in changes {
        let unknown = || SettingsError::Format(format!("unknown setting `{path}`"));
        let known = paths().any(|known| known == *path);
        let place = json.pointer_mut(&pointer(path)).filter(|_| known).ok_or_else(unknown)?;
        let expected = match place {
            Value::Bool(_) => "true or false",
            Value::Number(number) if number.is_f64() => "a number",
            _ => "a whole number",
        };
        *place = value(place, text)
            .ok_or_else(|| SettingsError::Format(format!("{path} is “{}”; it has to be {expected}", text.trim())))?;
    }
    let settings: Settings = serde_json::from_value(json).map_err(|error| SettingsError::Format(error.to_string()))?;
    settings.validate()?;
    Ok(settings)
}

/// The limit of a rule, if it has a field.
pub fn limit(settings: &Value, stage: Stage, rule: &str) -> Option<f64> {
    settings.pointer(&pointer(of_rule(stage, rule)?.path))?.as_f64()
}

/// The settings as JSON, for [`limit`].
pub fn as_json(settings: &Settings) -> Value {
    json(settings)
}

/// The settings as far as measurements depend on them: limits and the stages that compare documents have their defaults.
pub fn measured_by(settings: &Settings) -> Settings {
    let defaults = Settings::default();
    let (mut json, default_json) = (json(settings), json(&defaults));
    for field in FIELDS.iter().filter(|field| matches!(field.kind, Kind::Limit(_))) {
        let pointer = pointer(field.path);
        if let (Some(place), Some(default)) = (json.pointer_mut(&pointer), default_json.pointer(&pointer)) {
            *place = default.clone();
        }
    }
    let mut settings: Settings = serde_json::from_value(json).unwrap_or_default();
    for stage in [Stage::Url, Stage::Encoding, Stage::Language, Stage::Repetition, Stage::Gopher, Stage::Fineweb] {
        settings.set_enabled(stage, true);
    }
    (settings.lines, settings.minhash, settings.mask) = (defaults.lines, defaults.minhash, defaults.mask);
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::pipeline::Pipeline;
    use crate::rules::Gopher;

    #[test]
    fn values_survive_a_link() {
        let settings = Settings { gopher: Gopher::course(), ..Settings::default() };
        let mut settings = settings;
        settings.language.keep = vec!["en".into(), "de".into()];
        settings.repetition.max_top_ngram[1] = 0.25;
        settings.minhash.bands = 10;
        let changes = changes(&settings);
        assert_eq!(changes["language.keep"], "en, de");
        assert_eq!(changes["minhash.bands"], "10");
        assert_eq!(super::settings(&changes).unwrap(), settings);
    }

    #[test]
    fn mistakes_are_named() {
        let with = |path: &str, text: &str| {
            let changes = BTreeMap::from([(path.to_string(), text.to_string())]);
            super::settings(&changes).unwrap_err().to_string()
        };
        assert!(with("gopher.min_wrds", "3").contains("min_wrds"));
        assert!(with("quality.model", "x").contains("quality.model"));
        assert!(with("gopher.min_words", "many").contains("a number"));
        assert!(with("minhash.bands", "1.5").contains("a whole number"));
        assert!(with("minhash.bands", "0").contains("minhash.bands"));
    }

    #[test]
    fn every_measured_rule_has_the_limit_of_its_field() {
        let mut settings = Settings::default();
        Stage::ALL.into_iter().for_each(|stage| settings.set_enabled(stage, true));
        // The limit of each rule changes with its field.
        let text = "A sentence that every rule can measure, with enough words for all of them.\n".repeat(8);
        let page = Document::text("https://a.example/", text);
        let without_field = [
            "domain",
            "hard_blacklisted",
            "soft_blacklisted",
            "blacklisted_subword",
            "lorem_ipsum",
            "curly_bracket",
            "empty",
        ];
        let before = Pipeline::new(settings.clone(), None).judge(&page, true);
        for (stage, measure) in &before.measures {
            let Some(field) = of_rule(*stage, measure.rule) else {
                assert!(without_field.contains(&measure.rule), "{} has no field", measure.rule);
                continue;
            };
            let mut changed = json(&settings);
            *changed.pointer_mut(&pointer(field.path)).unwrap() = 0.123.into();
            let changed: Settings = serde_json::from_value(changed).unwrap();
            assert_eq!(limit(&json(&changed), *stage, measure.rule), Some(0.123));
            let after = Pipeline::new(changed, None).judge(&page, true);
            let found = after.measures.iter().find(|(s, m)| s == stage && m.rule == measure.rule).unwrap();
            assert_eq!(found.1.limit, 0.123, "{}", field.path);
        }
    }
}
