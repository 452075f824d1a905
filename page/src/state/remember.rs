//! The timeline: snapshots of attention during training, the one pinned for comparison, and the files made from them.

use std::rc::Rc;

use super::snapshots::Snapshots;
use super::{Maps, State};
use crate::share::Wanted;
use glasshead::types::RunId;

/// Memory budget in bytes for the snapshots of the current sentence.
pub const PRESENT_BYTES: usize = 40 << 20;

/// Memory budget in bytes for the snapshots of another sentence of the same run.
const OTHER_BYTES: usize = 8 << 20;

/// Number of other sentences whose snapshots are stored.
const OTHERS: usize = 3;

/// Playback speeds in snapshots per second.
pub const SPEEDS: [u32; 5] = [1, 2, 5, 10, 20];

/// A snapshot pinned for comparison; it outlives its run.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Its maps.
    pub maps: Rc<Maps>,
    /// The run that it belongs to.
    pub run: RunId,
    /// The name of that run.
    pub run_name: String,
    /// The seed of that run.
    pub seed: u64,
}

/// A pending export of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightsFile {
    /// The number of the request.
    pub request: u32,
    /// The (layer, head) to export, or all.
    pub head: Option<(usize, usize)>,
    /// Whether to write JSON instead of CSV.
    pub json: bool,
}

/// A film in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filming {
    /// Distinguishes it from canceled ones.
    pub id: u64,
    /// Frames completed.
    pub done: usize,
    /// Total frames; 0 until known.
    pub of: usize,
}

/// The progress of exports.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Making {
    /// The film in progress.
    pub film: Option<Filming>,
    /// The weights that were requested and have not arrived.
    pub weights: Option<WeightsFile>,
    /// The result of the latest export.
    pub message: Option<String>,
}

/// The state of the timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Remember {
    /// The snapshots of the current sentence.
    pub moments: Option<Rc<Snapshots>>,
    /// The snapshots of other sentences of this run, latest first.
    others: Vec<Rc<Snapshots>>,
    /// The earlier snapshot being shown; none while the latest is shown.
    pub earlier: Option<Rc<Maps>>,
    /// Whether playback is running.
    pub playing: bool,
    /// Playback speed in snapshots per second.
    pub speed: u32,
    /// The snapshot pinned for comparison.
    pub held: Option<Rc<Held>>,
    /// The progress of exports.
    pub making: Making,
    /// The head and rows that a link requests, until there are maps.
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

/// Timeline actions.
#[derive(Clone, Debug)]
pub enum RememberAction {
    /// Shows the snapshot at this position; the last position is live.
    Show(usize),
    /// Moves by this many snapshots; past the last, it is live.
    Walk(isize),
    /// Shows the latest maps.
    Live,
    /// Starts or stops playback.
    Play(bool),
    /// Sets the playback speed.
    Speed(u32),
    /// Pins the snapshot being shown.
    Hold,
    /// Unpins the pinned snapshot.
    LetGo,
    /// Starts a film with this id.
    Film(u64),
    /// Progress of a film.
    Frames {
        /// The film's id.
        film: u64,
        /// Frames completed.
        done: usize,
        /// Total frames.
        of: usize,
    },
    /// A request for weights was sent.
    Asked(WeightsFile),
    /// An export finished or failed: the message.
    Made(String),
}

impl Remember {
    /// Stores new maps. Every sentence has its own snapshots.
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

    /// Moves the current sentence's snapshots to the other sentences.
    fn put_aside(&mut self) {
        (self.earlier, self.playing) = (None, false);
        // A single snapshot is not worth storing; every keystroke in the sentence would create one.
        if let Some(mut moments) = self.moments.take().filter(|moments| moments.len() > 1) {
            Rc::make_mut(&mut moments).set_budget(OTHER_BYTES);
            self.others.insert(0, moments);
            self.others.truncate(OTHERS);
        }
    }

    /// Resets what belongs to the previous run; the pinned snapshot stays.
    pub(super) fn begin(&mut self) {
        (self.moments, self.earlier, self.playing) = (None, None, false);
        self.others.clear();
        self.making.weights = None;
    }

    /// The position of the snapshot being shown.
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
        self.playing &= self.earlier.is_some(); // playback ends at the present
    }

    /// Starts or stops playback; started from the present, it begins at the first snapshot.
    fn play(&mut self, on: bool) {
        if on && self.earlier.is_none() {
            self.show(0);
        }
        self.playing = on && self.earlier.is_some();
    }
}

impl State {
    /// Applies the head and rows that a link requested; the head is clamped to the model, and rows past the sentence
    /// are dropped.
    pub(crate) fn look_at_wanted(&mut self, maps: &Maps) {
        let Some(wanted) = self.remember.wanted.take_if(|wanted| wanted.run == self.run) else { return };
        let Wanted { head: (layer, head), together, mut pins, .. } = wanted;
        self.selected = (layer.min(maps.n_layers.saturating_sub(1)), head.min(maps.n_heads.saturating_sub(1)));
        pins.retain(|&query| query < maps.tokens.len());
        self.look.together = together;
        self.pinned = (!pins.is_empty()).then(|| pins.remove(0));
        self.look.added = pins;
    }

    /// The seed of the current run.
    pub fn seed(&self) -> u64 {
        let started = self.started.as_ref().map(|setup| setup.config.train.seed);
        let built = self.summary.as_ref().map(|summary| summary.config.train.seed);
        built.or(started).unwrap_or_default()
    }

    /// Why the pinned snapshot cannot be compared with the one being shown; also none if there is nothing to compare.
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
