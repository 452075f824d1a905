//! The state of the Systems view.

use std::rc::Rc;

use glasshead::systems::compare::{Difference, differences};
use glasshead::systems::link::Link;
use glasshead::systems::memory::MemoryTimeline;
use glasshead::systems::precision::Histogram;
use glasshead::systems::simulate::{Setting, Strategy};
use glasshead::systems::trace::Trace;
use glasshead::types::profile::Profile;
use glasshead::wire::Command;
use glasshead::wire::profile::{ProfileCommand, ProfileEvent};

/// A part of the Systems view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SystemsTab {
    /// Everything at a glance.
    #[default]
    Overview,
    /// The timeline of a step.
    Timeline,
    /// The memory of a step.
    Memory,
    /// Kernels and the device's peaks.
    Roofline,
    /// Parallel training, simulated.
    Parallel,
    /// Rounding to 16 bits.
    Precision,
}

impl SystemsTab {
    /// All tabs in order.
    pub const ALL: [Self; 6] =
        [Self::Overview, Self::Timeline, Self::Memory, Self::Roofline, Self::Parallel, Self::Precision];

    /// The tab's title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Timeline => "Timeline",
            Self::Memory => "Memory",
            Self::Roofline => "Roofline",
            Self::Parallel => "Parallel lab",
            Self::Precision => "Precision lab",
        }
    }

    /// The tab's name for the style sheet and for tests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Timeline => "timeline",
            Self::Memory => "memory",
            Self::Roofline => "roofline",
            Self::Parallel => "parallel",
            Self::Precision => "precision",
        }
    }
}

/// By what the table of kernels is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KernelOrder {
    /// Total time.
    #[default]
    Time,
    /// Bytes.
    Bytes,
    /// Operations.
    Flops,
}

/// The settings of the parallel lab. Powers are those of two, as sliders have them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParallelLab {
    /// How ranks share a step.
    pub strategy: Strategy,
    /// N: number of ranks.
    pub ranks: usize,
    /// Log₂ of the link's kilobytes per second.
    pub link_power: f64,
    /// Microseconds per message.
    pub latency_us: f64,
    /// Log₂ of the bucket's KiB.
    pub bucket_power: f64,
    /// The round of the ring that is shown: the number of rounds that are done.
    pub round: usize,
    /// Whether the ring is animated.
    pub playing: bool,
}

impl Default for ParallelLab {
    fn default() -> Self {
        let strategy = Strategy::Overlapped;
        Self { strategy, ranks: 4, link_power: 17.0, latency_us: 20.0, bucket_power: 6.0, round: 0, playing: false }
    }
}

impl ParallelLab {
    /// The ranks and links of the simulator.
    pub fn setting(&self) -> Setting {
        Setting {
            ranks: self.ranks,
            link: Link { bytes_per_s: 1e3 * self.link_power.exp2(), latency_s: self.latency_us / 1e6 },
            bucket_bytes: 1024.0 * self.bucket_power.exp2(),
            overhead_s: 0.0,
        }
    }
}

/// The numbers of the calculator, as typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Calculator {
    /// B, D, F, TFLOP/s, GB/s.
    pub texts: [String; 5],
}

impl Default for Calculator {
    fn default() -> Self {
        Self { texts: ["1000000", "4096", "14336", "990", "50"].map(String::from) }
    }
}

/// An action in the Systems view.
#[derive(Clone, Debug)]
pub enum SystemsAction {
    /// Shows a tab.
    Tab(SystemsTab),
    /// Selects a kernel everywhere, or none.
    Select(Option<String>),
    /// Sorts the kernels.
    Order(KernelOrder),
    /// Compares with a timeline of this name, or with none.
    Compare(Option<(String, Rc<Trace>)>),
    /// A timeline could not be read.
    Refused(String),
    /// Changes the parallel lab.
    Parallel(ParallelLab),
    /// Changes a number of the calculator.
    Calculate(usize, String),
    /// Chooses the tensor to round.
    Tensor(String),
    /// Chooses log₂ of the loss scale.
    Scale(i32),
}

/// The state of the Systems view.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProfileState {
    /// Whether a measurement is in progress.
    pub measuring: bool,
    /// The latest profile of this run.
    pub profile: Option<Rc<Profile>>,
    /// The error message, if any.
    pub problem: Option<String>,
    /// The timeline of the same step.
    pub trace: Option<Rc<Trace>>,
    /// The timeline measured before it in this run.
    pub previous: Option<Rc<Trace>>,
    /// The memory of the same step.
    pub memory: Option<Rc<MemoryTimeline>>,
    /// Tensors that can be rounded.
    pub tensors: Rc<Vec<String>>,
    /// The tab.
    pub tab: SystemsTab,
    /// The selected kernel.
    pub selected: Option<String>,
    /// Order of the table of kernels.
    pub order: KernelOrder,
    /// The timeline to compare with, and its name.
    pub compare: Option<(String, Rc<Trace>)>,
    /// The parallel lab.
    pub parallel: ParallelLab,
    /// The calculator.
    pub calculator: Calculator,
    /// The tensor to round.
    pub tensor: Option<String>,
    /// Log₂ of the loss scale.
    pub scale: i32,
    /// The rounding of the tensor.
    pub histogram: Option<Rc<Histogram>>,
}

impl ProfileState {
    /// The command that requests a new profile.
    pub fn command() -> Command {
        Command::Profile(ProfileCommand::Measure)
    }

    /// The command that requests the rounding of the chosen tensor.
    pub fn round_command(&self) -> Option<Command> {
        let tensor = self.tensor.clone()?;
        Some(Command::Profile(ProfileCommand::Round { tensor, scale: (self.scale as f32).exp2() }))
    }

    /// What a new run leaves: the tab and the labs' settings, and the last timeline to compare with.
    pub(super) fn next_run(&self) -> Self {
        Self {
            tab: self.tab,
            order: self.order,
            parallel: self.parallel,
            calculator: self.calculator.clone(),
            scale: self.scale,
            compare: self.compare.clone(),
            previous: self.trace.clone().or_else(|| self.previous.clone()),
            ..Self::default()
        }
    }

    /// The differences between the timeline to compare with and the current one, largest first.
    pub fn changes(&self) -> Option<Vec<Difference>> {
        let (_, before) = self.compare.as_ref()?;
        Some(differences(before, self.trace.as_ref()?))
    }

    pub(super) fn act(&mut self, action: SystemsAction) {
        match action {
            SystemsAction::Tab(tab) => self.tab = tab,
            SystemsAction::Select(kernel) => self.selected = kernel,
            SystemsAction::Order(order) => self.order = order,
            SystemsAction::Compare(trace) => (self.compare, self.problem) = (trace, None),
            SystemsAction::Refused(problem) => self.problem = Some(problem),
            SystemsAction::Parallel(lab) => self.parallel = lab,
            SystemsAction::Calculate(index, text) => {
                if let Some(field) = self.calculator.texts.get_mut(index) {
                    *field = text;
                }
            }
            SystemsAction::Tensor(tensor) => (self.tensor, self.histogram) = (Some(tensor), None),
            SystemsAction::Scale(scale) => self.scale = scale.clamp(0, 24),
        }
    }

    pub(super) fn hear(&mut self, event: ProfileEvent) {
        match event {
            ProfileEvent::Timeline { trace, memory, tensors } => {
                self.previous = self.trace.take().or_else(|| self.previous.take());
                (self.trace, self.memory) = (Some(trace.into()), Some(memory.into()));
                let known = self.tensor.as_ref().is_some_and(|tensor| tensors.contains(tensor));
                if !known {
                    self.tensor = tensors.iter().find(|name| name.starts_with("gradient of layers")).cloned();
                }
                self.tensors = tensors.into();
            }
            ProfileEvent::Measured(profile) => {
                (self.measuring, self.profile, self.problem) = (false, Some(profile.into()), None);
            }
            ProfileEvent::Rounded { tensor, scale, histogram } => {
                if self.tensor.as_ref() == Some(&tensor) && scale == (self.scale as f32).exp2() {
                    self.histogram = Some(histogram.into());
                }
            }
            ProfileEvent::Unavailable { reason } => {
                self.measuring = false;
                (self.profile, self.trace, self.memory) = (None, None, None);
                self.problem = Some(reason);
            }
        }
    }
}
