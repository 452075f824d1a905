//! The characters and things of a story: the values of all slots.

use super::words::*;
use crate::rng::Rng;

/// The values of a story's slots. The pronouns are `{he} {him} {his}` for the hero and `{f_he} {f_him} {f_his}` for the
/// friend, capitalized at the start of a sentence.
pub(super) struct Cast {
    slots: Vec<(&'static str, String)>,
}

/// Pronouns: he, him, his, He, His.
type Pronouns = [&'static str; 5];
const MALE: Pronouns = ["he", "him", "his", "He", "His"];
const FEMALE: Pronouns = ["she", "her", "her", "She", "Her"];

impl Cast {
    /// Draws a random cast.
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let mut slots = Vec::with_capacity(48);
        people(rng, &mut slots);
        things(rng, &mut slots);
        counting(rng, &mut slots);
        Self { slots }
    }

    /// The value of a slot; empty if there is no such slot.
    pub(super) fn get(&self, slot: &str) -> &str {
        self.slots.iter().find(|(name, _)| *name == slot).map_or("", |(_, value)| value)
    }
}

fn people(rng: &mut Rng, slots: &mut Vec<(&'static str, String)>) {
    let (girl, boy) = (*rng.choose(GIRLS), *rng.choose(BOYS));
    let ((hero, his), (friend, friends)) = match rng.below(2) {
        0 => ((girl, FEMALE), (boy, MALE)),
        _ => ((boy, MALE), (girl, FEMALE)),
    };
    slots.extend([("hero", hero.into()), ("friend", friend.into())]);
    for (name, value) in ["he", "him", "his", "He", "His"].into_iter().zip(his) {
        slots.push((name, value.into()));
    }
    for (name, value) in ["f_he", "f_him", "f_his", "f_He", "f_His"].into_iter().zip(friends) {
        slots.push((name, value.into()));
    }
    // The grown-up has the friend's gender, so pronouns are unambiguous where only hero and grown-up meet.
    let grown = *rng.choose(if friends == MALE { GROWN_MEN } else { GROWN_WOMEN });
    slots.extend([("grown", grown.into()), ("Grown", capitalized(grown))]);
    slots.push(("child", if his == MALE { "boy" } else { "girl" }.into()));
    slots.push(("f_child", if friends == MALE { "boy" } else { "girl" }.into()));
}

fn things(rng: &mut Rng, slots: &mut Vec<(&'static str, String)>) {
    let noun = *rng.choose(TOYS);
    let color = *rng.choose(COLORS);
    let toy =
        if rng.below(3) == 0 { format!("{} {color} {noun}", rng.choose(SIZES)) } else { format!("{color} {noun}") };
    let (animal, food) = (*rng.choose(ANIMALS), *rng.choose(FOODS));
    let size = *rng.choose(SIZES);
    slots.extend([
        ("a_toy", with_article(&toy)),
        ("toy", toy),
        ("noun", noun.into()),
        ("color", color.into()),
        ("a_animal", with_article(&format!("{size} {animal}"))),
        ("an_animal", with_article(animal)),
        ("animal", animal.into()),
        ("food", food.into()),
        ("place", (*rng.choose(PLACES)).into()),
        ("spot", (*rng.choose(SPOTS)).into()),
        ("day", (*rng.choose(DAYS)).into()),
        ("good", (*rng.choose(GOOD_FEELINGS)).into()),
        ("bad", (*rng.choose(BAD_FEELINGS)).into()),
        ("virtue", (*rng.choose(VIRTUES)).into()),
    ]);
    // A second place, different from where the thing is.
    let spots: Vec<&&str> = SPOTS.iter().filter(|spot| slots.iter().all(|(_, value)| value != *spot)).collect();
    slots.push(("wrong_spot", (**rng.choose(&spots)).into()));
}

fn counting(rng: &mut Rng, slots: &mut Vec<(&'static str, String)>) {
    let (_, things) = *rng.choose(THINGS);
    let (n, m) = (2 + rng.below(5) as usize, 2 + rng.below(5) as usize);
    let fewer = 1 + rng.below(n as u32 - 1) as usize;
    slots.extend([
        ("things", things.into()),
        ("n", NUMBERS[n].into()),
        ("m", NUMBERS[m].into()),
        ("sum", NUMBERS[n + m].into()),
        ("fewer", NUMBERS[fewer].into()),
        ("rest", NUMBERS[n + m - fewer].into()),
    ]);
}

fn capitalized(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}

/// Adds an article: "a red ball", "an old hat".
fn with_article(words: &str) -> String {
    let article = if words.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {words}")
}
