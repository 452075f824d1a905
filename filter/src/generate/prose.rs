//! English prose from templates: short notes about everyday life, and articles in the style of reference works.

use crate::rng::Rng;

const PEOPLE: [&str; 12] = [
    "Anna",
    "Tom",
    "Mr. Keller",
    "the teacher",
    "my neighbor",
    "the farmer",
    "Grandmother",
    "the captain",
    "Li Wei",
    "Fatima",
    "the baker",
    "Joseph",
];
const PLACES: [&str; 12] = [
    "the harbor",
    "the old barn",
    "the market",
    "the library",
    "the river",
    "the station",
    "the garden",
    "the school",
    "the mill",
    "the lighthouse",
    "the village",
    "the bakery",
];
const THINGS: [&str; 14] = [
    "a basket of apples",
    "the red bicycle",
    "an old map",
    "three letters",
    "the blue boat",
    "a box of tools",
    "the wooden chair",
    "a loaf of bread",
    "the broken clock",
    "a bag of seeds",
    "the long ladder",
    "a pair of boots",
    "the brass bell",
    "a jar of honey",
];
const WEATHER: [&str; 8] = [
    "rain had fallen all night",
    "the sun was warm again",
    "a cold wind came from the sea",
    "snow lay on the roofs",
    "the fog was thick",
    "it was the first day of spring",
    "the leaves had turned yellow",
    "the evening was quiet",
];
const NOTES: [&str; 18] = [
    "{Person} carried {thing} from {place} to {place2}.",
    "In the morning, {weather}, and {person} stayed near {place}.",
    "\"We should go to {place} before noon,\" said {person}.",
    "Nobody had seen {thing} since last {season}.",
    "{Person} repaired {thing} and did not ask for money.",
    "After lunch, {person} and {person2} walked to {place}.",
    "It took {n} days to paint the wall of {place}.",
    "The children found {thing} behind {place}, where {weather}.",
    "{Person} has worked at {place} for {n} years.",
    "When {person} came home, {thing} was gone.",
    "They sold {n} tickets, more than in any other {season}.",
    "{Person} laughed, because {person2} had brought {thing} again.",
    "At {place}, {weather}, so the work had to wait.",
    "The path to {place} is steep, but {person} knows a better way.",
    "{Person} wrote about it in a long letter to {person2}.",
    "Every {season}, the people meet at {place} and share what they have.",
    "There was enough for everyone, and {person} kept {thing} for the next day.",
    "Later {person} told the story to {person2} at {place}.",
];

const SUBJECTS: [&str; 16] = [
    "railway",
    "cathedral",
    "river delta",
    "species of beetle",
    "treaty",
    "steam engine",
    "observatory",
    "dialect",
    "mineral",
    "canal",
    "manuscript",
    "orchestra",
    "volcano",
    "university",
    "textile industry",
    "satellite",
];
const REGIONS: [&str; 14] = [
    "northern Italy",
    "the Ottoman Empire",
    "eastern Canada",
    "the Rhine valley",
    "southern India",
    "Scotland",
    "the Andes",
    "Meiji Japan",
    "the Baltic coast",
    "West Africa",
    "Bohemia",
    "New Zealand",
    "the Yangtze basin",
    "Andalusia",
];
const SCHOLARS: [&str; 10] = [
    "Hartmann",
    "Okonkwo",
    "Delacroix",
    "Sato",
    "Bianchi",
    "Mukherjee",
    "Lindgren",
    "Alvarez",
    "Whitfield",
    "Kuznetsov",
];
const ARTICLES: [&str; 30] = [
    "The {subject} of {region} was first described in {year} by {scholar}, who had studied at the university.",
    "According to {scholar} ({year}), the population declined by {percent} percent during the {century} century.",
    "The term is derived from a Latin word and refers to the earliest known {subject} in {region}.",
    "Construction began in {year} and was completed {few} years later under the direction of {scholar}.",
    "Historians disagree about whether the {subject} was founded before or after the war of {year}.",
    "The study, published in {year}, analyzed {number} samples collected in {region}.",
    "It consists of three parts, the largest of which has a length of {number} meters.",
    "During the {century} century, trade with {region} led to the rapid growth of the {subject}.",
    "However, later research by {scholar} and colleagues has shown that this hypothesis is not supported by the evidence.",
    "The government of {region} passed a law in {year} that protected the {subject} and its surroundings.",
    "In contrast to the {subject} of {region}, it was never exported in large quantities.",
    "Its influence can be seen in the literature, architecture and music of {region}.",
    "The climate is temperate, with an average annual temperature of {few} degrees and {number} millimeters of rainfall.",
    "A second edition, revised by {scholar}, appeared in {year} and was translated into {few} languages.",
    "The theory explains why the {subject} is found only in {region} and in parts of {region2}.",
    "Archaeological excavations in {year} revealed the remains of a settlement dating from the {century} century.",
    "The {subject} was designated a protected monument in {year} and has been open to the public since then.",
    "See also: {scholar}, \"The {subject} in {region}\", Journal of Historical Research, vol. {few}, pp. {few}–{number}.",
    "It remained the most important {subject} of {region} until {year}, when it was replaced by a modern one.",
    "The method was developed independently by {scholar} in {region} and by {scholar2} in {region2}.",
    "Although the original documents were destroyed in {year}, several copies have survived in archives.",
    "The economy of the region is based on agriculture, forestry and the {subject}.",
    "{scholar} argued that the social structure of {region} changed fundamentally between {year} and {year2}.",
    "The process requires high temperatures and pressures, and therefore considerable amounts of energy.",
    "Members of the commission included {scholar}, {scholar2} and several representatives of the church.",
    "Measurements indicate that the {subject} is approximately {number} kilometers from the nearest settlement.",
    "The king granted the town its charter in {year}, and a market was held there every week.",
    "Today, the {subject} is maintained by a foundation, and about {number} people visit it every year.",
    "The concept was introduced in philosophy by {scholar} and later adopted in the natural sciences.",
    "Critics such as {scholar2} have pointed out that the figures for {region} are unreliable.",
];

fn fill(template: &str, rng: &mut Rng) -> String {
    let mut out = String::with_capacity(template.len() + 40);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (slot, after) = after.split_once('}').unwrap_or((after, ""));
        rest = after;
        match slot {
            "person" | "person2" => out.push_str(rng.choose(&PEOPLE)),
            "Person" => {
                let person = rng.choose(&PEOPLE);
                out.extend(person.chars().next().map(|c| c.to_ascii_uppercase()));
                out.push_str(&person[1..]);
            }
            "place" | "place2" => out.push_str(rng.choose(&PLACES)),
            "thing" => out.push_str(rng.choose(&THINGS)),
            "weather" => out.push_str(rng.choose(&WEATHER)),
            "season" => out.push_str(rng.choose(&["spring", "summer", "autumn", "winter"])),
            "subject" => out.push_str(rng.choose(&SUBJECTS)),
            "region" | "region2" => out.push_str(rng.choose(&REGIONS)),
            "scholar" | "scholar2" => out.push_str(rng.choose(&SCHOLARS)),
            "century" => out.push_str(rng.choose(&["12th", "16th", "17th", "18th", "19th"])),
            "year" | "year2" => out.push_str(&(1650 + rng.below(350)).to_string()),
            "percent" | "n" | "few" => out.push_str(&(2 + rng.below(40)).to_string()),
            _ => out.push_str(&(100 + rng.below(9000)).to_string()),
        }
    }
    out.push_str(rest);
    out
}

fn text(templates: &[&str], n_sentences: usize, rng: &mut Rng) -> String {
    let mut left: Vec<&str> = Vec::new();
    let mut out = String::new();
    for at in 0..n_sentences {
        if left.is_empty() {
            left = templates.to_vec();
        }
        let template = left.swap_remove(rng.below(left.len()));
        out.push_str(&fill(template, rng));
        out.push(if at % 6 == 5 { '\n' } else { ' ' });
    }
    out.trim_end().to_string()
}

/// A note of 7 to 16 sentences.
pub fn notes(rng: &mut Rng) -> String {
    text(&NOTES, 7 + rng.below(10), rng)
}

/// An article of 8 to 27 sentences.
pub fn article(rng: &mut Rng) -> String {
    text(&ARTICLES, 8 + rng.below(20), rng)
}
