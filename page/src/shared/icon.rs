//! Icons, drawn as strokes on a square of 20 units.

use yew::prelude::*;

/// An icon by name.
#[allow(dead_code, reason = "the rail shows every view, and views are added one by one")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    Experiments,
    Train,
    Align,
    Scale,
    Data,
    Systems,
    Tokenizer,
    Lesson,
    Theme,
    Help,
    More,
    Restart,
    Play,
    Pause,
    Step,
    Search,
    Runs,
    Share,
    Sliders,
    Save,
    Left,
    Right,
    Down,
    Close,
    Warning,
    Info,
    Check,
    Pin,
    Compare,
}

impl Icon {
    /// The path, and whether it is filled.
    fn path(self) -> (&'static str, bool) {
        match self {
            Self::Experiments => (
                "M8 3v5l-4 7.5A1.4 1.4 0 0 0 5.2 17.500h9.600a1.400 1.400 0 0 0 1.200-2L12 8V3M7 3h6M6.500 12h7",
                false,
            ),
            Self::Train => ("M3.500 3.500h13v13h-13zM3.500 8H8M3.500 12.300h8.700M8 3.500V8M12.200 3.500v8.800", false),
            Self::Align => (
                "M10 3.500a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13zM10 7.200a2.800 2.800 0 1 0 0 5.600 2.800 2.800 0 0 0 0-5.600zM10 1.500v3M10 15.500v3M1.500 10h3M15.500 10h3",
                false,
            ),
            Self::Scale => ("M3.500 3v13.500H17M6 6.500c1 5 3.500 7 5.200 7S14.500 11 16 6", false),
            Self::Data => ("M3 4.500h14l-5.500 6v5.200l-3 1.800v-7z", false),
            Self::Systems => ("M3 5h8.500M6.500 10H17M3 15h6.500M12.500 15H17", false),
            Self::Tokenizer => ("M2.500 6h6.500v8H2.500zM11 6h2.500v8H11zM15.500 6h2v8h-2z", false),
            Self::Lesson => (
                "M10 5.200C8 3.800 5.500 3.500 3 3.800v11.500c2.500-.3 5 0 7 1.400 2-1.400 4.500-1.700 7-1.400V3.800c-2.500-.3-5 0-7 1.400zM10 5.200v11.500",
                false,
            ),
            Self::Theme => (
                "M10 3.500a6.500 6.500 0 1 0 0 13zM10 3.500a6.500 6.500 0 0 1 0 13M12 4v12M14 5.200v9.600M15.700 7.500v5",
                false,
            ),
            Self::Help => (
                "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM7.900 7.800a2.200 2.200 0 1 1 3.200 2c-.8.4-1.100.9-1.100 1.600M10 14v.2",
                false,
            ),
            Self::More => ("M4.500 10h.1M10 10h.1M15.500 10h.1", false),
            Self::Restart => ("M5 6.800a6 6 0 1 1-.8 4.700M4.500 3.300v4h4", false),
            Self::Play => ("M6 4.200v11.600l10-5.800z", true),
            Self::Pause => ("M5 4h3.600v12H5zM11.400 4H15v12h-3.600z", true),
            Self::Step => ("M5 4.500v11l7.500-5.500zM15 4.500v11", false),
            Self::Search => ("M9 4a5 5 0 1 0 0 10A5 5 0 0 0 9 4zM12.800 12.800 17 17", false),
            Self::Runs => ("M10 3 3 6.500l7 3.500 7-3.500zM3 10l7 3.500 7-3.500M3 13.500 10 17l7-3.500", false),
            Self::Share => (
                "M8.200 11.800a3.100 3.100 0 0 0 4.400 0l2.800-2.800a3.100 3.100 0 0 0-4.400-4.400L9.800 5.800M11.800 8.200a3.100 3.100 0 0 0-4.400 0L4.600 11a3.100 3.100 0 0 0 4.400 4.400l1.200-1.200",
                false,
            ),
            Self::Sliders => (
                "M3 6h7.500M15.500 6H17M3 14h1.500M9.500 14H17M13 3.800a2.200 2.200 0 1 0 0 4.400 2.200 2.200 0 0 0 0-4.400zM7 11.800a2.200 2.200 0 1 0 0 4.400 2.200 2.200 0 0 0 0-4.400z",
                false,
            ),
            Self::Save => ("M10 3v9.500M6 8.800l4 4 4-4M4 16.500h12", false),
            Self::Left => ("M12.500 4.500 7 10l5.500 5.500", false),
            Self::Right => ("m7.500 4.500 5.500 5.500-5.500 5.500", false),
            Self::Down => ("m5 7.500 5 5 5-5", false),
            Self::Close => ("m5 5 10 10M15 5 5 15", false),
            Self::Warning => ("M10 3 2.500 16.500h15zM10 8.500V12M10 14.200v.1", false),
            Self::Info => ("M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM10 9.200v4.500M10 6.400v.1", false),
            Self::Check => ("m4 10.500 4 4 8-9", false),
            Self::Pin => {
                ("m11.500 3 5.500 5.500-2 .8-3 3 .2 3.200-1.200 1L4 9.500l1-1.200 3.200.2 3-3zM7 13l-4 4", false)
            }
            Self::Compare => ("M3 4h6v12H3zM11 4h6v12h-6z", false),
        }
    }
}

/// Renders an icon; it is hidden from screen readers.
pub fn icon(icon: Icon) -> Html {
    let (path, solid) = icon.path();
    html! {
        <svg class={classes!("icon", solid.then_some("solid"))} viewBox="0 0 20 20" aria-hidden="true"><path d={path} /></svg>
    }
}

/// The logo: a causal attention map.
pub fn logo() -> Html {
    let cell = |(x, y, color): (&'static str, &'static str, &'static str)| {
        html! { <rect {x} {y} width="4.6" height="4.6" fill={color} /> }
    };
    let cells = [
        ("8", "8", "#fee838"),
        ("8", "13.7", "#7d7c78"),
        ("13.7", "13.7", "#c8b866"),
        ("8", "19.4", "#3b496c"),
        ("13.7", "19.4", "#a59c74"),
        ("19.4", "19.4", "#fee838"),
    ];
    html! {
        <svg viewBox="0 0 32 32" aria-hidden="true">
            <rect x="3" y="3" width="26" height="26" rx="7" fill="#00224e" />
            {for cells.map(cell)}
        </svg>
    }
}
