//! The settings of a sweep in a link, and the sweeps that the gallery offers. Pure.

use super::geometry::Axis;
use super::state::{Form, FormError};
use glasshead::config::Schedule;
use glasshead::scaling::variable::Variable;

/// A sweep of the gallery.
#[derive(Debug)]
pub struct Card {
    /// Its name in tests.
    pub name: &'static str,
    /// The title of its card.
    pub title: &'static str,
    /// What happens, in two lines.
    pub text: &'static str,
    /// What to look for.
    pub check: &'static str,
    /// How long it takes, roughly.
    pub time: &'static str,
    /// Its settings, as in a link.
    pub settings: &'static str,
    /// Its picture: measured losses over sizes or other values, one curve per budget.
    pub curves: &'static [&'static [(f64, f64)]],
}

/// Width and height of a card's picture.
pub const PICTURE: [f64; 2] = [282.0, 112.0];

impl Card {
    /// The points of each curve in its picture.
    pub fn places(&self) -> Vec<Vec<(f64, f64)>> {
        let all = || self.curves.iter().flat_map(|curve| curve.iter().copied());
        let x = Axis::around(all().map(|point| point.0), (16.0, PICTURE[0] - 16.0), true, 0.02);
        let y = Axis::around(all().map(|point| point.1), (PICTURE[1] - 12.0, 12.0), false, 0.02);
        self.curves.iter().map(|curve| curve.iter().map(|&(n, loss)| (x.pixel(n), y.pixel(loss))).collect()).collect()
    }
}

// Losses of the sweep in docs/scaling.md.
const SMALL: [(f64, f64); 5] =
    [(5_816.0, 1.784), (9_684.0, 1.713), (14_576.0, 1.743), (26_280.0, 1.893), (41_696.0, 1.982)];
const MIDDLE: [(f64, f64); 5] =
    [(5_816.0, 1.618), (14_576.0, 1.247), (20_300.0, 1.255), (41_696.0, 1.368), (59_480.0, 1.569)];
const LARGE: [(f64, f64); 5] =
    [(14_576.0, 0.991), (20_300.0, 0.899), (41_696.0, 0.811), (59_480.0, 0.814), (105_224.0, 0.998)];

/// The sweeps of the gallery.
pub static CARDS: [Card; 3] = [
    Card {
        name: "two-minutes",
        title: "Which size for two minutes?",
        text: "Fifteen small models train for two minutes in all. Their minima tell which size is best for each budget, and \
               what loss to expect from three times as much compute.",
        check: "A sealed prediction, then its check run",
        time: "about 2 min",
        settings: "minutes:2,budgets:3,sizes:5,size_ratio:1.4",
        curves: &[&SMALL, &MIDDLE, &LARGE],
    },
    Card {
        name: "not-bracketed",
        title: "The minimum you did not bracket",
        text: "Three sizes that are close together: the lowest run is the smallest or the largest one, so the budget says \
               nothing about the best size. It is extended until it does.",
        check: "Runs marked with + that extend a budget",
        time: "about 1 min",
        settings: "flops:3e10,budgets:2,sizes:3,size_ratio:1.25,lr:0.03",
        curves: &[&[(5_816.0, 1.784), (9_684.0, 1.713)], &[(5_816.0, 1.618), (14_576.0, 1.247)]],
    },
    Card {
        name: "repeated-data",
        title: "Does the law hold for repeated data?",
        text: "The same number of steps on a text that is repeated 1, 2, 4, 8 and 16 times. The law counts tokens; see from \
               which number of epochs on it is too optimistic.",
        check: "The loss rises with the number of epochs",
        time: "about 1 min",
        settings: "vary:epochs,flops:4e10,budgets:2,sizes:5,lr:0.03",
        curves: &[],
    },
];

/// Short names of variables in links.
const VARIABLES: [(Variable, &str); 6] = [
    (Variable::Size, "size"),
    (Variable::LearningRate, "lr"),
    (Variable::BatchSize, "batch"),
    (Variable::Depth, "depth"),
    (Variable::Vocabulary, "vocabulary"),
    (Variable::Epochs, "epochs"),
];

impl Form {
    /// The settings in a link.
    pub fn to_link(&self) -> String {
        let variable =
            VARIABLES.iter().find(|(variable, _)| *variable == self.variable).map_or("size", |(_, name)| name);
        let mut entries = vec![format!("vary:{variable}")];
        match self.flops {
            Some(flops) => entries.push(format!("flops:{flops:e}")),
            None => entries.push(format!("minutes:{}", self.minutes)),
        }
        entries.extend([
            format!("budgets:{}", self.budgets),
            format!("sizes:{}", self.sizes),
            format!("seeds:{}", self.seeds),
        ]);
        entries.extend([format!("size_ratio:{}", self.size_ratio), format!("batch_size:{}", self.batch_size)]);
        entries.push(format!("context_length:{}", self.context_length));
        entries.extend(self.lr.map(|lr| format!("lr:{lr}")));
        entries.extend((self.schedule == Schedule::Wsd).then(|| "schedule:wsd".to_string()));
        entries.join(",")
    }

    /// The settings that a link describes; those that it leaves out have their defaults.
    ///
    /// # Errors
    /// What the first wrong entry should be.
    pub fn from_link(text: &str) -> Result<Self, FormError> {
        let mut form = Self::default();
        for entry in text.split(',').filter(|entry| !entry.is_empty()) {
            let (name, value) = entry.split_once(':').ok_or(FormError::Range("settings of the form name:value"))?;
            match name {
                "vary" => {
                    let known = VARIABLES.iter().find(|(_, name)| *name == value);
                    form.variable =
                        known.ok_or(FormError::Range("vary:size, lr, batch, depth, vocabulary or epochs"))?.0;
                }
                "schedule" => form.schedule = if value == "wsd" { Schedule::Wsd } else { Schedule::Cosine },
                _ => form.enter(name, value)?,
            }
        }
        Ok(form)
    }
}
