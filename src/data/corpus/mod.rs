//! The built-in corpus: short children's stories from a seeded generator.
//!
//! A story consists of a cast (a hero, a friend of the other gender so that every pronoun has one referent, a grown-up,
//! a toy …) and a few scenes. A scene is a list of sentences, each with alternatives and with slots that the cast
//! fills. They give attention something to learn: recurring names and objects, who said what, pronouns, cause and
//! effect, sums.

use rustc_hash::FxHashSet;
use std::hash::BuildHasher as _;

use super::tokenizer::END_OF_TEXT;
use crate::rng::Rng;

mod cast;
mod scenes;
mod words;

use cast::Cast;

/// The default sentence to inspect attention with, in the style of the stories.
pub const PROBE: &str = "Lily had a red ball. \"Can I play?\" asked Tom. Lily smiled and gave the ball to him.";

/// The random stream for stories; other streams draw parameters and batches.
const STORY_STREAM: u64 = 3 << 32;

/// Generates stories without repetition.
pub struct StoryGenerator {
    rng: Rng,
    told: FxHashSet<u64>,
}

impl StoryGenerator {
    /// Equal seeds give equal stories.
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::with_stream(seed, STORY_STREAM), told: FxHashSet::default() }
    }

    /// A story that this generator has not returned before.
    pub fn next_story(&mut self) -> String {
        loop {
            let story = self.tell();
            if self.told.insert(rustc_hash::FxBuildHasher.hash_one(&story)) {
                return story;
            }
        }
    }

    fn tell(&mut self) -> String {
        let rng = &mut self.rng;
        let cast = Cast::draw(rng);
        let mut story = String::with_capacity(1024);
        play(rng, &cast, scenes::OPENINGS, &mut story);
        let n_scenes = 1 + rng.below(2) as usize;
        let mut left: Vec<&[&[&str]]> = scenes::MIDDLES.to_vec();
        for _ in 0..n_scenes {
            let scene = left.swap_remove(rng.below(left.len() as u32) as usize);
            play(rng, &cast, scene, &mut story);
        }
        play(rng, &cast, scenes::ENDINGS, &mut story);
        story.truncate(story.trim_end().len());
        story
    }
}

/// Appends one alternative of every sentence of a scene.
fn play(rng: &mut Rng, cast: &Cast, scene: &[&[&str]], story: &mut String) {
    for alternatives in scene {
        let sentence = rng.choose(alternatives);
        if !sentence.is_empty() {
            fill(sentence, cast, story);
            story.push(' ');
        }
    }
}

/// Appends a sentence with its `{slot}`s filled.
fn fill(sentence: &str, cast: &Cast, story: &mut String) {
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once('{') {
        story.push_str(before);
        let (slot, after) = after.split_once('}').unwrap_or((after, ""));
        story.push_str(cast.get(slot));
        rest = after;
    }
    story.push_str(rest);
}

/// Stories of at least `min_bytes` in total, each followed by [`END_OF_TEXT`] and a newline.
pub fn stories(seed: u64, min_bytes: usize) -> String {
    let mut generator = StoryGenerator::new(seed);
    let mut text = String::with_capacity(min_bytes + 2048);
    while text.len() < min_bytes {
        text.push_str(&generator.next_story());
        text.push_str(END_OF_TEXT);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_of_every_sentence_is_filled() {
        let cast = Cast::draw(&mut Rng::new(1));
        let scenes = [scenes::OPENINGS, scenes::ENDINGS].into_iter().chain(scenes::MIDDLES.iter().copied());
        for sentence in scenes.flat_map(|scene| scene.iter().flat_map(|alternatives| alternatives.iter())) {
            for slot in sentence.split('{').skip(1) {
                let slot = slot.split_once('}').map(|(slot, _)| slot);
                assert!(slot.is_some_and(|slot| !cast.get(slot).is_empty()), "{slot:?} in {sentence}");
            }
        }
    }
}
