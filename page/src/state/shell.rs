//! What of the shell is open: a drawer, a popover, the panel on a phone; and which banners were dismissed.

/// A drawer. One is open at a time; it covers the tiles at its side and leaves the others live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawer {
    /// All settings, on the left, so that the loss stays in view.
    Settings,
    /// Runs and files, on the right.
    Runs,
}

impl Drawer {
    /// Both drawers.
    pub const ALL: [Self; 2] = [Self::Settings, Self::Runs];

    /// A one-word name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Runs => "runs",
        }
    }
}

/// A popover: anchored at a button, or floating over the page. One is open at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Popover {
    /// The link to this view.
    Share,
    /// Settings, actions, views, runs and terms by name.
    Command,
    /// Colors, values and contrast of the large map.
    Display,
    /// Files of the figure, its numbers and films.
    SaveFigure,
    /// Options of the grid of heads.
    Heads,
    /// Temperature, top-k and the other sampling settings.
    Sampling,
    /// Views that do not fit into the rail of a phone.
    MoreViews,
    /// The texts to train on.
    Text,
}

impl Popover {
    /// A one-word name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Command => "command",
            Self::Display => "display",
            Self::SaveFigure => "save-figure",
            Self::Heads => "heads",
            Self::Sampling => "sampling",
            Self::MoreViews => "more-views",
            Self::Text => "text",
        }
    }
}

/// The panel that a phone shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Panel {
    /// Sentence, heads, large map, time.
    #[default]
    Attention,
    /// The inspector.
    Inspect,
    /// The loss.
    Loss,
    /// What the model writes.
    Text,
    /// The setup bar.
    Setup,
}

impl Panel {
    /// All panels in their order.
    pub const ALL: [Self; 5] = [Self::Attention, Self::Inspect, Self::Loss, Self::Text, Self::Setup];

    /// The title of its tab.
    pub fn title(self) -> &'static str {
        match self {
            Self::Attention => "Attention",
            Self::Inspect => "Inspect",
            Self::Loss => "Loss",
            Self::Text => "Text",
            Self::Setup => "Setup",
        }
    }

    /// A one-word name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Attention => "attention",
            Self::Inspect => "inspect",
            Self::Loss => "loss",
            Self::Text => "text",
            Self::Setup => "setup",
        }
    }
}

/// The state of the shell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shell {
    /// The open drawer.
    pub drawer: Option<Drawer>,
    /// The open popover.
    pub popover: Option<Popover>,
    /// The panel that a phone shows.
    pub panel: Panel,
    /// Whether the drawer of settings opens at the costs.
    pub costs_open: bool,
    /// Whether the note on a ready run was dismissed.
    pub ready_dismissed: bool,
    /// Whether the text tile shows the task's score instead of the texts.
    pub task_open: bool,
}

/// Actions on the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShellAction {
    /// Opens a drawer, or closes it if it is open.
    Drawer(Drawer),
    /// Opens a popover, or closes it if it is open.
    Popover(Popover),
    /// Opens the costs in the drawer of settings.
    Costs,
    /// Closes the open popover, else the open drawer.
    Close,
    /// Shows a panel.
    Panel(Panel),
    /// Dismisses the note on a ready run.
    DismissReady,
    /// Shows the task's score or the texts.
    Task(bool),
}

impl Shell {
    /// Whether something is open that Escape closes.
    pub fn is_open(&self) -> bool {
        self.drawer.is_some() || self.popover.is_some()
    }

    /// Applies an action.
    pub fn apply(&mut self, action: ShellAction) {
        match action {
            ShellAction::Drawer(drawer) => {
                self.drawer = (self.drawer != Some(drawer)).then_some(drawer);
                (self.popover, self.costs_open) = (None, false);
            }
            ShellAction::Popover(popover) => self.popover = (self.popover != Some(popover)).then_some(popover),
            ShellAction::Costs => {
                (self.drawer, self.popover, self.costs_open) = (Some(Drawer::Settings), None, true);
            }
            ShellAction::Close if self.popover.is_some() => self.popover = None,
            ShellAction::Close => self.drawer = None,
            ShellAction::Panel(panel) => self.panel = panel,
            ShellAction::DismissReady => self.ready_dismissed = true,
            ShellAction::Task(open) => self.task_open = open,
        }
    }
}
