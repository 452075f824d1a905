//! Earlier moments: the scrubber through training time, the moment that is held for comparison, and what is being made
//! of them.

use std::rc::Rc;

use super::snapshots::Snapshots;
use super::{Maps, State};
use crate::protocol::RunId;
use crate::ui::share::Wanted;

/// What the moments of the sentence on show may take.
pub const PRESENT_BYTES: usize = 40 << 20;

/// What those of another sentence of the same run may take.
const OTHER_BYTES: usize = 8 << 20;

/// How many other sentences are remembered.
const OTHERS: usize = 3;

/// Moments per second that a film can have.
pub const SPEEDS: [u32; 5] = [1, 2, 5, 10, 20];

/// A moment that stays for comparison, also when another run begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Its maps.
    pub maps: Rc<Maps>,
    /// Of which run.
    pub run: RunId,
    /// What that one is called.
    pub run_name: String,
    /// Its seed.
    pub seed: u64,
}

/// Weights that are to become a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightsFile {
    /// The number of the request.
    pub request: u32,
    /// Of this (layer, head) alone, else of all.
    pub head: Option<(usize, usize)>,
    /// JSON, else CSV.
    pub json: bool,
}

/// A film that is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filming {
    /// Tells it from one that was cancelled.
    pub id: u64,
    /// Frames done.
    pub done: usize,
    /// All frames; 0 until known.
    pub of: usize,
}

/// How the making of a file goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Making {
    /// The film that is being made.
    pub film: Option<Filming>,
    /// The weights that were asked for and did not come yet.
    pub weights: Option<WeightsFile>,
    /// What became of the latest file.
    pub message: Option<String>,
}

/// All of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Remember {
    /// The moments of the sentence on show.
    pub moments: Option<Rc<Snapshots>>,
    /// Those of other sentences of this run, latest first.
    others: Vec<Rc<Snapshots>>,
    /// The earlier moment on show; none while it is the latest.
    pub earlier: Option<Rc<Maps>>,
    /// Whether the film runs.
    pub playing: bool,
    /// Its moments per second.
    pub speed: u32,
    /// The moment that stays for comparison.
    pub held: Option<Rc<Held>>,
    /// Files.
    pub making: Making,
    /// What a link asks to look at, until there are maps.
    pub wanted: Option<Wanted>,
}

impl Default for Remember {
    fn default() -> Self {
        let making = Making::default();
        Self {
            moments: None,
            others: Vec::new(),
            earlier: None,
            playing: false,
            speed: 5,
            held: None,
            making,
            wanted: None,
        }
    }
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum RememberAction {
    /// Show a moment by its place in the row; the last one is the live one.
    Show(usize),
    /// So many moments on or back; past the last one it is live.
    Walk(isize),
    /// Show the latest maps again.
    Live,
    /// Run the film, or stop it.
    Play(bool),
    /// Another speed of the film.
    Speed(u32),
    /// Hold the moment on show.
    Hold,
    /// Let go of the held moment.
    LetGo,
    /// A film begins; its number tells it from others.
    Film(u64),
    /// A film grows.
    Frames {
        /// Which.
        film: u64,
        /// Frames done.
        done: usize,
        /// All frames.
        of: usize,
    },
    /// A request for weights was sent.
    Asked(WeightsFile),
    /// A file is done or was given up: what to say.
    Made(String),
}

impl Remember {
    /// Takes the maps that came. Another sentence has moments of its own.
    pub(super) fn record(&mut self, maps: &Maps) {
        if maps.tokens.is_empty() {
            self.put_aside();
            return;
        }
        if let Some(moments) = self.moments.as_mut().filter(|moments| moments.is_of(maps)) {
            Rc::make_mut(moments).record(maps);
            return;
        }
        self.put_aside();
        let known = self.others.iter().position(|moments| moments.is_of(maps));
        self.moments = Some(match known.map(|index| self.others.remove(index)) {
            None => Rc::new(Snapshots::new(maps, PRESENT_BYTES)),
            Some(mut moments) => {
                let again = Rc::make_mut(&mut moments);
                again.set_budget(PRESENT_BYTES);
                again.record(maps);
                moments
            }
        });
    }

    /// The sentence is not on show any more.
    fn put_aside(&mut self) {
        (self.earlier, self.playing) = (None, false);
        // One moment is nothing to go through; every letter that is typed makes such a one.
        if let Some(mut moments) = self.moments.take().filter(|moments| moments.len() > 1) {
            Rc::make_mut(&mut moments).set_budget(OTHER_BYTES);
            self.others.insert(0, moments);
            self.others.truncate(OTHERS);
        }
    }

    /// Another run begins; the held moment stays.
    pub(super) fn begin(&mut self) {
        (self.moments, self.earlier, self.playing) = (None, None, false);
        self.others.clear();
        self.making.weights = None;
    }

    /// The place of the moment on show in the row of all.
    pub fn place(&self) -> usize {
        let Some(moments) = &self.moments else { return 0 };
        self.earlier.as_ref().map_or(moments.len() - 1, |maps| moments.at_step(maps.step))
    }

    fn show(&mut self, place: usize) {
        let Some(moments) = &self.moments else { return };
        let earlier = if place + 1 < moments.len() { moments.maps(place) } else { None };
        self.earlier = earlier.map(Rc::new);
    }

    fn walk(&mut self, by: isize) {
        let to = self.place().saturating_add_signed(by);
        self.show(to);
        self.playing &= self.earlier.is_some(); // a film ends with the present
    }

    /// From the present the film begins at the beginning.
    fn play(&mut self, on: bool) {
        if on && self.earlier.is_none() {
            self.show(0);
        }
        self.playing = on && self.earlier.is_some();
    }
}

impl State {
    /// Looks at what a link asked for, as far as there is such a thing.
    pub(in crate::ui) fn look_at_wanted(&mut self, maps: &Maps) {
        let Some(wanted) = self.remember.wanted.take_if(|wanted| wanted.run == self.run) else { return };
        let Wanted { head: (layer, head), together, mut pins, .. } = wanted;
        self.selected = (layer.min(maps.n_layers.saturating_sub(1)), head.min(maps.n_heads.saturating_sub(1)));
        pins.retain(|&query| query < maps.tokens.len());
        self.look.together = together;
        self.pinned = (!pins.is_empty()).then(|| pins.remove(0));
        self.look.added = pins;
    }

    /// The seed of the run on show.
    pub fn seed(&self) -> u64 {
        let started = self.started.as_ref().map(|setup| setup.config.train.seed);
        let built = self.summary.as_ref().map(|summary| summary.config.train.seed);
        built.or(started).unwrap_or_default()
    }

    /// What stands in the way of comparing the held moment with the one on show; none as well when there is nothing to
    /// compare.
    pub fn obstacle(&self) -> Option<String> {
        let (held, shown) = (self.remember.held.as_ref()?, self.shown_maps()?);
        super::difference::obstacle(&held.maps, &shown)
    }

    pub(super) fn apply_remember(&mut self, action: RememberAction) {
        let shown = self.shown_maps().filter(|maps| !maps.tokens.is_empty());
        let (run, seed, run_name) = (self.run, self.seed(), self.runs.name.clone());
        let remember = &mut self.remember;
        match action {
            RememberAction::Show(place) => {
                remember.playing = false;
                remember.show(place);
            }
            RememberAction::Walk(by) => {
                let film = remember.playing;
                remember.walk(by);
                if !film {
                    let step = remember.earlier.as_ref().map(|maps| maps.step);
                    self.look.announcement = step.map_or("live".into(), |step| format!("step {step}, not live"));
                }
            }
            RememberAction::Live => {
                (remember.earlier, remember.playing) = (None, false);
                self.look.announcement = "live".into();
            }
            RememberAction::Play(on) => remember.play(on),
            RememberAction::Speed(speed) => remember.speed = speed.clamp(SPEEDS[0], SPEEDS[SPEEDS.len() - 1]),
            RememberAction::Hold => {
                remember.held = shown.map(|maps| Rc::new(Held { maps, run, run_name, seed }));
            }
            RememberAction::LetGo => remember.held = None,
            RememberAction::Film(id) => {
                (remember.making.film, remember.making.message) = (Some(Filming { id, done: 0, of: 0 }), None)
            }
            RememberAction::Frames { film, done, of } => {
                if let Some(making) = remember.making.film.as_mut().filter(|making| making.id == film) {
                    (making.done, making.of) = (done, of);
                }
            }
            RememberAction::Asked(request) => {
                (remember.making.weights, remember.making.message) = (Some(request), None)
            }
            RememberAction::Made(message) => {
                self.look.announcement.clone_from(&message);
                remember.making = Making { message: Some(message), ..Making::default() };
            }
        }
    }
}
