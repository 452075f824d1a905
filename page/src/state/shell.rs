//! The panel that a phone shows, and what of the shell was dismissed.

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
    /// The panel that a phone shows.
    pub panel: Panel,
    /// Whether the note on a ready run was dismissed.
    pub ready_dismissed: bool,
    /// Whether the text tile shows the task's score instead of the texts.
    pub task_open: bool,
}

/// Actions on the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShellAction {
    /// Shows a panel.
    Panel(Panel),
    /// Dismisses the note on a ready run.
    DismissReady,
    /// Shows the task's score or the texts.
    Task(bool),
}

impl Shell {
    /// Applies an action.
    pub fn apply(&mut self, action: ShellAction) {
        match action {
            ShellAction::Panel(panel) => self.panel = panel,
            ShellAction::DismissReady => self.ready_dismissed = true,
            ShellAction::Task(open) => self.task_open = open,
        }
    }
}
