//! Scenes: lists of sentences, each a list of alternatives. Slots in braces are filled by the cast.

/// One list of alternatives per sentence.
pub(super) type Scene = &'static [&'static [&'static str]];

/// Introduces the hero and the hero's possession.
pub(super) const OPENINGS: Scene = &[
    &[
        "Once upon a time, there was a {child} named {hero}.",
        "Once there was a little {child} called {hero}.",
        "{hero} was a {virtue} {child} who lived near the {place}.",
        "{day}, {hero} woke up early.",
    ],
    &[
        "{hero} had {a_toy}.",
        "{His} favorite thing was {a_toy}.",
        "{hero} loved {his} {toy} very much.",
        "{Grown} gave {hero} {a_toy}.",
    ],
    &["", "", "{He} took it everywhere.", "{He} played with the {noun} every day."],
    &["{He} had a friend named {friend}.", "{His} best friend was {friend}.", "{friend} lived next door to {him}."],
];

/// Events; each scene works after any opening.
pub(super) const MIDDLES: &[Scene] =
    &[SHARING, LOST, COUNTING, RAIN, ANIMAL, BAKING, BROKEN, HIDING, NIGHT, GARDEN, TOWER, PRESENT];

const SHARING: Scene = &[
    &["{day}, {hero} went to the {place} with the {noun}.", "{day}, {hero} played with the {toy} in the {place}."],
    &["{friend} saw the {noun}.", "{friend} came and looked at the {color} {noun}."],
    &[
        "\"Can I play?\" asked {friend}.",
        "\"May I play with your {noun}?\" {friend} asked.",
        "\"I want to play too,\" said {friend}.",
    ],
    &[
        "{hero} smiled and gave the {noun} to {f_him}.",
        "\"Yes, let us share,\" said {hero}, and {he} gave {f_him} the {noun}.",
        "At first {hero} said no. Then {friend} looked {bad}, so {hero} gave {f_him} the {noun}.",
    ],
    &[
        "{friend} was very {good} because {hero} was {virtue}.",
        "\"Thank you, {hero}!\" said {friend}.",
        "They played with the {noun} until the sun went down.",
    ],
];

const LOST: Scene = &[
    &["{day}, {hero} could not find the {noun}.", "{day}, the {toy} was gone."],
    &["{hero} was {bad} because {he} had lost it.", "{He} began to cry because {he} loved the {noun}."],
    &["\"What is wrong?\" asked {friend}.", "\"Why are you so {bad}?\" {friend} asked {him}."],
    &["\"I lost my {noun},\" said {hero}.", "\"My {color} {noun} is gone,\" {hero} told {f_him}."],
    &[
        "They looked {wrong_spot}, but the {noun} was not there.",
        "First they looked {wrong_spot}. There was no {noun}.",
    ],
    &[
        "Then {friend} looked {spot}. The {noun} was there!",
        "Then {friend} found the {noun} {spot}.",
        "At last {friend} saw something {color} {spot}. It was the {noun}!",
    ],
    &[
        "{hero} hugged {friend} and said, \"Thank you for finding my {noun}.\"",
        "\"Here is your {noun},\" said {friend}, and {hero} was {good} again.",
    ],
];

const COUNTING: Scene = &[
    &["{day}, {hero} went out to look for {things}.", "{hero} and {friend} went to the {place} to find {things}."],
    &["{hero} found {n} {things}.", "First {hero} picked up {n} {things}."],
    &["Then {he} found {m} more.", "Then {friend} gave {him} {m} more {things}."],
    &["Now {he} had {sum} {things}.", "\"{n} and {m} make {sum},\" said {hero}. {He} had {sum} {things}."],
    &[
        "",
        "{He} gave {fewer} to {friend}, so {he} had {rest} left.",
        "{friend} wanted some too. {hero} gave {f_him} {fewer} of them and kept {rest}.",
    ],
    &["\"I can count them all,\" said {hero}.", "They put the {things} in a box."],
];

const RAIN: Scene = &[
    &["{day}, {hero} and {friend} walked to the {place}.", "{hero} met {friend} in the {place}."],
    &["The sky became dark and it started to rain.", "Soon it began to rain hard."],
    &[
        "They got wet because they had no coat.",
        "{hero} was cold because {his} clothes were wet.",
        "The {noun} got wet, so {hero} held it under {his} coat.",
    ],
    &["\"Let us run home,\" said {friend}.", "\"Quick, come with me!\" {friend} said to {him}."],
    &["At home, {grown} gave them warm {food}.", "{Grown} gave {hero} a dry towel, so {he} was warm again."],
    &["When the rain stopped, they saw a rainbow.", "After the rain, the sun came out."],
];

const ANIMAL: Scene = &[
    &["{day}, {hero} saw {a_animal} {spot}.", "In the {place}, {hero} found {a_animal}."],
    &[
        "The {animal} could not walk because its leg was hurt.",
        "The {animal} was hungry because it had no food.",
        "The {animal} was {bad} because it was alone.",
    ],
    &["\"Poor {animal}! I will help you,\" said {hero}.", "{hero} wanted to help the {animal}."],
    &[
        "{hero} ran to {friend} and told {f_him} about the {animal}.",
        "\"Look, {friend}! The {animal} needs us,\" said {hero}.",
    ],
    &[
        "{friend} brought some water, and {hero} gave it to the {animal}.",
        "{friend} made a soft bed for the {animal}, and {hero} gave it some bread.",
    ],
    &[
        "Soon the {animal} was well again and ran away.",
        "The next day the {animal} felt better. It came back to see {hero}.",
    ],
];

const BAKING: Scene = &[
    &["{day}, {grown} wanted to make {food}.", "\"Can we make some {food}?\" {hero} asked {grown}."],
    &["{hero} helped and used {n} {things}.", "{hero} put {n} cups of milk in a bowl."],
    &["The {food} was too hot, so {hero} had to wait.", "{hero} waited because it was not ready."],
    &["\"Be patient,\" said {grown}.", "\"Good things take time,\" {grown} told {him}."],
    &["At last they ate the {food}. It was so good!", "Then {hero} shared the {food} with {friend}."],
    &["\"You are a good cook, {hero},\" said {friend}.", "\"This is the best {food},\" said {hero}."],
];

const BROKEN: Scene = &[
    &["{day}, {hero} ran too fast and fell.", "{hero} did not look and fell over a stone."],
    &["The {noun} broke because it hit the ground.", "The {toy} fell down, so it broke."],
    &["{hero} was very {bad}.", "{He} sat down and cried."],
    &["\"Do not cry,\" said {grown}. \"I can fix it.\"", "\"Can you fix my {noun}?\" {hero} asked {grown}."],
    &["{Grown} worked on the {noun} all day.", "{Grown} took some glue and fixed the {noun}."],
    &[
        "Now the {noun} was as good as new, so {hero} was {good}.",
        "\"Here is your {noun},\" said {grown}. {hero} jumped for joy.",
    ],
    &["", "After that day, {hero} was always careful with the {noun}."],
];

const HIDING: Scene = &[
    &["{day}, {hero} and {friend} played hide and seek.", "\"Let us play hide and seek,\" said {friend}."],
    &["{hero} closed {his} eyes and counted to {sum}.", "\"I will count to {sum},\" said {hero}."],
    &["{friend} hid {spot}.", "{friend} ran away and hid {spot}."],
    &["{hero} looked {wrong_spot}, but {friend} was not there.", "\"Are you {wrong_spot}?\" asked {hero}. No!"],
    &["Then {he} looked {spot} and found {f_him}.", "Then {hero} heard a laugh {spot}. There {f_he} was!"],
    &["\"I found you!\" said {hero}.", "\"You are good at this game,\" {friend} told {him}."],
];

const NIGHT: Scene = &[
    &["That night, {hero} heard a strange sound.", "At night, {hero} could not sleep because of a noise."],
    &["{He} was scared because it was dark.", "{hero} held the {noun} and was very quiet."],
    &["\"What is that?\" {he} asked.", "\"Who is there?\" said {hero}."],
    &["{Grown} came with a lamp and looked {spot}.", "{hero} called {grown}, and they looked {spot}."],
    &["It was only {an_animal}!", "There was {an_animal}. It was {good} to see them."],
    &["{hero} laughed and was not scared any more.", "\"You are brave, {hero},\" said {grown}."],
];

const GARDEN: Scene = &[
    &["{day}, {hero} planted {n} seeds in the garden.", "{friend} gave {hero} {n} seeds for the garden."],
    &["Every day {he} gave them water.", "{hero} gave them water because plants are thirsty."],
    &["\"Nothing grows,\" said {hero}. {He} was {bad}.", "\"When will they grow?\" {hero} asked {friend}."],
    &["\"Wait for the sun,\" {friend} told {him}.", "\"You must wait,\" said {friend}."],
    &["The sun came out, so the seeds grew.", "One week later there were {n} {color} flowers."],
    &["{hero} gave one flower to {friend}, and {f_he} was {good}.", "\"They are so pretty!\" said {friend}."],
];

const TOWER: Scene = &[
    &["{day}, {hero} made a tower of {n} blocks.", "{hero} and {friend} built a tower with {n} blocks."],
    &["Then {friend} put {m} more blocks on top.", "{friend} added {m} more."],
    &["Now the tower had {sum} blocks.", "It was {sum} blocks high!"],
    &["Then the {animal} ran by, and the tower fell down.", "The tower fell because {friend} touched it."],
    &[
        "\"I am sorry,\" said {friend}. \"It is okay,\" said {hero}.",
        "{hero} was not angry. \"We can build it again,\" {he} said.",
    ],
    &["They built a new tower, and it was even higher.", "Together they made it again, and they laughed."],
];

const PRESENT: Scene = &[
    &["{day}, it was {friend}'s birthday.", "It was {friend}'s birthday, and {hero} wanted to give {f_him} a gift."],
    &["{hero} put {n} {things} in a box.", "{hero} made a card with {n} {color} stars."],
    &["{He} gave the gift to {friend}.", "\"This is for you, {friend},\" said {hero}."],
    &["{friend} opened it and smiled.", "{friend} was {good} because it was a nice gift."],
    &["\"Thank you, {hero}! I love it,\" {f_he} said.", "\"You are so {virtue},\" {friend} told {him}."],
    &["Then they ate {food} together.", "Then they played with the {noun}."],
];

/// Endings.
pub(super) const ENDINGS: Scene = &[
    &["", "{hero} went home with the {toy}.", "In the evening, {hero} told {grown} about {friend}."],
    &[
        "{hero} and {friend} were best friends.",
        "{hero} was {good} all day.",
        "And {hero} learned to be {virtue}.",
        "They were {good} and went to sleep.",
        "From that day on, {hero} and {friend} always played together.",
        "The end.",
    ],
];
