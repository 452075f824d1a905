//! The language of a text, by whatlang's trigrams and scripts. English prose, which is most of a crawl, is recognized by
//! its most frequent words, because whatlang takes as long for a page as all rules together.

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

/// Words that are frequent in English only, in lower case.
const ENGLISH: [&str; 44] = [
    "the", "and", "of", "to", "was", "with", "that", "is", "it", "his", "her", "she", "he", "they", "you", "for",
    "had", "have", "not", "this", "at", "by", "from", "were", "which", "are", "be", "as", "on", "but", "or", "we",
    "my", "there", "their", "been", "who", "will", "would", "said", "it's", "has", "its", "when",
];

/// Prose has at least this share of these words: about 0.4 is usual, and no other language reaches 0.1.
const MIN_ENGLISH: f64 = 0.25;

fn is_english_prose(text: &str) -> bool {
    let (mut n, mut found) = (0u32, 0u32);
    for word in text.split_ascii_whitespace().take(300) {
        n += 1;
        if word.len() <= 5 {
            let mut lower = [0; 5];
            let lower = &mut lower[..word.len()];
            lower.copy_from_slice(word.as_bytes());
            lower.make_ascii_lowercase();
            found += u32::from(ENGLISH.iter().any(|frequent| frequent.as_bytes() == &*lower));
        }
    }
    n >= 20 && f64::from(found) >= MIN_ENGLISH * f64::from(n)
}

/// The language of a text as a two-letter code, and the score from 0 to 1; `None` if no letters are left.
pub fn identify(text: &str) -> Option<(&'static str, f64)> {
    let mut end = text.len().min(SAMPLE_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    if is_english_prose(&text[..end]) {
        return Some(("en", 1.0));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_languages_have_few_of_the_frequent_english_words() {
        let english = "The ferry to the island runs again from Monday, and it was repaired for two months by the company that \
                       owns it. Passengers will find new seats on board.";
        assert!(is_english_prose(english));
        for other in [
            "Am Morgen ging die Frau mit ihrem Hund durch den Park, und es war so kalt, dass sie an die See dachte, in der man war.",
            "We hebben gisteren lang over het weer gesproken, en het was er koud. Of we had er een huis, is de vraag van de man.",
            "Home Shop Cart Login Register About Contact News Blog Support Careers Events Press Search Help FAQ Sitemap Jobs Map Top",
        ] {
            assert!(!is_english_prose(other), "{other}");
        }
    }
}
