//! The words that casts are drawn from.

pub const GIRLS: &[&str] = &[
    "Lily", "Anna", "Mia", "Sue", "Lucy", "Emma", "Rose", "Ella", "Amy", "Zoe", "Jane", "Kate", "Nora", "Ruby", "Ivy",
    "Molly",
];
pub const BOYS: &[&str] = &[
    "Tom", "Ben", "Max", "Sam", "Tim", "Jack", "Leo", "Dan", "Finn", "Noah", "Adam", "Luke", "Oscar", "Peter", "Hugo",
    "Will",
];
pub const GROWN_WOMEN: &[&str] = &["Mom", "Grandma", "Aunt May", "the teacher"];
pub const GROWN_MEN: &[&str] = &["Dad", "Grandpa", "Uncle Joe", "the baker"];

pub const COLORS: &[&str] = &["red", "blue", "green", "yellow", "orange", "purple", "white", "black", "pink", "brown"];
pub const SIZES: &[&str] = &["big", "small", "little", "tiny", "old", "new", "shiny", "soft"];
pub const TOYS: &[&str] = &[
    "ball", "kite", "car", "boat", "doll", "train", "drum", "hat", "book", "robot", "balloon", "puzzle", "bike",
    "bear", "umbrella", "airplane",
];

/// Destinations: "to the …", and there "in the …".
pub const PLACES: &[&str] = &["park", "garden", "forest", "yard", "village", "zoo", "field", "school"];
/// Places for losing things and for hiding.
pub const SPOTS: &[&str] = &[
    "under the bench",
    "behind the tree",
    "in the tall grass",
    "under the bed",
    "behind the door",
    "in the big box",
    "near the pond",
    "under the table",
    "behind the old wall",
    "in the bush",
];
pub const ANIMALS: &[&str] = &["bird", "cat", "dog", "rabbit", "duck", "frog", "owl", "mouse", "fox", "squirrel"];
pub const FOODS: &[&str] = &["cake", "soup", "bread", "pie", "apple pie", "orange juice", "ice cream", "jam"];
/// Countable things: singular, plural.
pub const THINGS: &[(&str, &str)] = &[
    ("shell", "shells"),
    ("stone", "stones"),
    ("apple", "apples"),
    ("flower", "flowers"),
    ("leaf", "leaves"),
    ("button", "buttons"),
    ("coin", "coins"),
    ("egg", "eggs"),
    ("berry", "berries"),
    ("feather", "feathers"),
];
pub const NUMBERS: &[&str] =
    &["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
pub const DAYS: &[&str] = &["One day", "One morning", "On a sunny day", "After lunch", "One afternoon", "On Sunday"];
pub const GOOD_FEELINGS: &[&str] = &["happy", "glad", "proud", "excited"];
pub const BAD_FEELINGS: &[&str] = &["sad", "upset", "worried", "scared"];
pub const VIRTUES: &[&str] = &["kind", "brave", "clever", "gentle", "patient"];
