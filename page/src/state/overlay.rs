//! Drawers, popovers and menus over the page: at most one is open. Pure, like all of [`super`].

use std::collections::BTreeSet;

/// A drawer, popover or menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overlay {
    /// All settings, a drawer on the left.
    Settings,
    /// Runs, a drawer on the right.
    Runs,
    /// The link to this view.
    Share,
    /// Keyboard, glossary, about.
    Help,
    /// The command palette.
    Palette,
    /// The presets, and models from files.
    Model,
    /// The training texts.
    Text,
    /// Display options of the large map.
    Display,
    /// Files of the maps.
    Save,
    /// Sampling settings.
    Sampling,
    /// Options of the grid of heads.
    Heads,
    /// The source of the Data view's pages.
    Pages,
    /// Files of the Data view.
    DataFiles,
    /// All settings of the filters, a drawer on the left.
    Filters,
    /// Views that do not fit into the rail of a phone.
    MoreViews,
}

impl Overlay {
    /// All overlays.
    pub const ALL: [Self; 15] = [
        Self::Settings,
        Self::Runs,
        Self::Share,
        Self::Help,
        Self::Palette,
        Self::Model,
        Self::Text,
        Self::Display,
        Self::Save,
        Self::Sampling,
        Self::Heads,
        Self::Pages,
        Self::DataFiles,
        Self::Filters,
        Self::MoreViews,
    ];

    /// The value of `data-opens` on the element that opens it, and of `data-overlay` on the overlay.
    pub fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Runs => "runs",
            Self::Share => "share",
            Self::Help => "help",
            Self::Palette => "palette",
            Self::Model => "model",
            Self::Text => "text",
            Self::Display => "display",
            Self::Save => "save",
            Self::Sampling => "sampling",
            Self::Heads => "heads",
            Self::Pages => "pages",
            Self::DataFiles => "data-files",
            Self::Filters => "filters",
            Self::MoreViews => "more-views",
        }
    }

    /// Whether it is a drawer, which stays open while the rest of the page is used.
    pub fn is_drawer(self) -> bool {
        matches!(self, Self::Settings | Self::Runs | Self::Filters)
    }
}

/// A tab of the help.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HelpTab {
    /// The keyboard shortcuts.
    #[default]
    Keyboard,
    /// The terms.
    Glossary,
    /// What this page is.
    About,
}

impl HelpTab {
    /// All tabs.
    pub const ALL: [Self; 3] = [Self::Keyboard, Self::Glossary, Self::About];

    /// The title on the page.
    pub fn title(self) -> &'static str {
        match self {
            Self::Keyboard => "Keyboard",
            Self::Glossary => "Glossary",
            Self::About => "About",
        }
    }
}

/// What is open, and what is shown in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overlays {
    /// The open overlay.
    pub open: Option<Overlay>,
    /// The open groups of the settings drawer, by name.
    pub groups: BTreeSet<&'static str>,
    /// The setting to focus in the drawer, and a counter of such requests.
    pub wanted: Option<(&'static str, u32)>,
    /// The text in the search field of the drawer.
    pub search: String,
    /// The tab of the help.
    pub help: HelpTab,
    /// Whether the runs are shown as a wide table with all differing settings.
    pub runs_wide: bool,
}

/// Actions on overlays.
#[derive(Clone, Debug)]
pub enum OverlayAction {
    /// Opens an overlay, or closes it if it is open.
    Toggle(Overlay),
    /// Opens an overlay.
    Open(Overlay),
    /// Closes the open overlay.
    Close,
    /// Opens the settings drawer at a setting: its group and its name.
    Setting(&'static str, &'static str),
    /// Opens or closes a group of the settings drawer.
    Group(&'static str, bool),
    /// Sets the search of the settings drawer.
    Search(String),
    /// Opens the help at a tab.
    Help(HelpTab),
    /// Shows the runs as a wide table, or as a list.
    RunsWide(bool),
}

impl Overlays {
    /// Whether an overlay is open.
    pub fn is_open(&self, overlay: Overlay) -> bool {
        self.open == Some(overlay)
    }

    /// Applies an action.
    pub fn apply(&mut self, action: OverlayAction) {
        match action {
            OverlayAction::Toggle(overlay) if self.is_open(overlay) => self.open = None,
            OverlayAction::Toggle(overlay) | OverlayAction::Open(overlay) => self.open = Some(overlay),
            OverlayAction::Close => self.open = None,
            OverlayAction::Setting(group, name) => {
                self.open = Some(Overlay::Settings);
                self.search.clear();
                self.groups.insert(group);
                self.wanted = Some((name, self.wanted.map_or(0, |(_, count)| count) + 1));
            }
            OverlayAction::Group(group, true) => drop(self.groups.insert(group)),
            OverlayAction::Group(group, false) => drop(self.groups.remove(group)),
            OverlayAction::Search(search) => self.search = search,
            OverlayAction::Help(tab) => (self.open, self.help) = (Some(Overlay::Help), tab),
            OverlayAction::RunsWide(wide) => self.runs_wide = wide,
        }
    }
}
