//! The language of a text, by whatlang's trigrams and scripts.

use serde::{Deserialize, Serialize};
use whatlang::{Detector, Lang};

use super::Sheet;

/// Which languages are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Language {
    /// Whether the stage runs.
    pub enabled: bool,
    /// The languages to keep, as two-letter codes (ISO 639-1).
    pub keep: Vec<String>,
    /// Minimum score of the detected language.
    pub min_score: f64,
}

impl Default for Language {
    fn default() -> Self {
        Self { enabled: true, keep: vec!["en".into()], min_score: 0.7 }
    }
}

/// The number of bytes that the language is detected from: a page that is longer is in the same language.
const SAMPLE_BYTES: usize = 6000;

/// The language of a text as a two-letter code, and the score from 0 to 1; `None` if no letters are left.
pub fn identify(text: &str) -> Option<(&'static str, f64)> {
    let mut end = text.len().min(SAMPLE_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let info = Detector::new().detect(&text[..end])?;
    Some((code(info.lang()), info.confidence()))
}

/// Measures a text: the score of its language if that is kept, else 0.
pub fn language(text: &str, limits: &Language, sheet: &mut Sheet) -> Option<&'static str> {
    let found = identify(text);
    let (code, score) = found.unwrap_or(("", 0.0));
    let kept = limits.keep.iter().any(|kept| kept == code);
    sheet.min("language", if kept { score } else { 0.0 }, limits.min_score);
    found.map(|(code, _)| code)
}

/// The two-letter code of a language; three letters where ISO 639-1 has no code.
fn code(lang: Lang) -> &'static str {
    match lang {
        Lang::Epo => "eo",
        Lang::Eng => "en",
        Lang::Rus => "ru",
        Lang::Cmn => "zh",
        Lang::Spa => "es",
        Lang::Por => "pt",
        Lang::Ita => "it",
        Lang::Ben => "bn",
        Lang::Fra => "fr",
        Lang::Deu => "de",
        Lang::Ukr => "uk",
        Lang::Kat => "ka",
        Lang::Ara => "ar",
        Lang::Hin => "hi",
        Lang::Jpn => "ja",
        Lang::Heb => "he",
        Lang::Yid => "yi",
        Lang::Pol => "pl",
        Lang::Amh => "am",
        Lang::Jav => "jv",
        Lang::Kor => "ko",
        Lang::Nob => "no",
        Lang::Dan => "da",
        Lang::Swe => "sv",
        Lang::Fin => "fi",
        Lang::Tur => "tr",
        Lang::Nld => "nl",
        Lang::Hun => "hu",
        Lang::Ces => "cs",
        Lang::Ell => "el",
        Lang::Bul => "bg",
        Lang::Bel => "be",
        Lang::Mar => "mr",
        Lang::Kan => "kn",
        Lang::Ron => "ro",
        Lang::Slv => "sl",
        Lang::Hrv => "hr",
        Lang::Srp => "sr",
        Lang::Mkd => "mk",
        Lang::Lit => "lt",
        Lang::Lav => "lv",
        Lang::Est => "et",
        Lang::Tam => "ta",
        Lang::Vie => "vi",
        Lang::Urd => "ur",
        Lang::Tha => "th",
        Lang::Guj => "gu",
        Lang::Uzb => "uz",
        Lang::Pan => "pa",
        Lang::Aze => "az",
        Lang::Ind => "id",
        Lang::Tel => "te",
        Lang::Pes => "fa",
        Lang::Mal => "ml",
        Lang::Ori => "or",
        Lang::Mya => "my",
        Lang::Nep => "ne",
        Lang::Sin => "si",
        Lang::Khm => "km",
        Lang::Tuk => "tk",
        Lang::Aka => "ak",
        Lang::Zul => "zu",
        Lang::Sna => "sn",
        Lang::Afr => "af",
        Lang::Lat => "la",
        Lang::Slk => "sk",
        Lang::Cat => "ca",
        Lang::Tgl => "tl",
        Lang::Hye => "hy",
        other => other.code(),
    }
}
