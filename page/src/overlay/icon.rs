//! Line icons, 20 by 20 units, in the color of the text.

use yew::prelude::*;

/// The outlines of the icons, by name.
const PATHS: [(&str, &str); 25] = [
    ("close", "M5 5l10 10M15 5L5 15"),
    ("lock", "M4.500 9.500h11v7h-11zM7 9.500V6.500a3 3 0 0 1 6 0v3"),
    ("search", "M13.2 13.2L17 17M14 9A5 5 0 1 1 4 9a5 5 0 0 1 10 0z"),
    ("right", "M8 5l5 5-5 5"),
    ("left", "M12 5l-5 5 5 5"),
    ("down", "M5 8l5 5 5-5"),
    ("download", "M10 3v9M6.5 8.5L10 12l3.500-3.500M4 16h12"),
    ("upload", "M10 13V4M6.5 7.500L10 4l3.500 3.500M4 16h12"),
    ("check", "M4 10.500l4 4 8-9"),
    ("cross", "M6 6l8 8M14 6l-8 8"),
    ("more", "M4.500 10h.01M10 10h.01M15.500 10h.01"),
    ("trash", "M4 6h12M8 6V4h4v2M6 6l.7 10.500h6.600L14 6"),
    ("sliders", "M3 6h8M15 6h2M3 14h2M9 14h8M15 6a2 2 0 1 1-4 0 2 2 0 0 1 4 0zM9 14a2 2 0 1 1-4 0 2 2 0 0 1 4 0z"),
    ("runs", "M10 3.500L3 7l7 3.500L17 7zM3 10.300l7 3.500 7-3.500M3 13.600l7 3.500 7-3.500"),
    (
        "flask",
        "M8 3h4M8.500 3v5L4.500 15a1.500 1.500 0 0 0 1.300 2.200h8.400a1.500 1.500 0 0 0 1.300-2.200L11.500 8V3M6.700 12h6.600",
    ),
    ("train", "M3.500 3.500h13v13h-13zM3.500 8H8M3.500 12h9M8 3.500V8M12.500 8v8.500"),
    (
        "lesson",
        "M10 5C8 3.700 5.700 3.400 3.200 3.700v11.500c2.500-.3 4.800 0 6.800 1.400 2-1.400 4.300-1.700 6.800-1.400V3.700C14.300 3.400 12 3.700 10 5zm0 0v11.600",
    ),
    ("systems", "M3 5h8M7 10h10M3 15h6M12 15h5"),
    ("clock", "M10 6v4l2.700 1.700M17 10a7 7 0 1 1-14 0 7 7 0 0 1 14 0z"),
    ("help", "M7.900 7.900a2.200 2.200 0 1 1 3.100 2c-.8.4-1 .9-1 1.600M10 14v.1M17 10a7 7 0 1 1-14 0 7 7 0 0 1 14 0z"),
    ("restart", "M5.500 7A5.500 5.500 0 1 1 4.600 11.500M5 3.500V7.500h4"),
    ("play", "M6.500 4.500v11l9-5.500z"),
    ("pause", "M7 4.500v11M13 4.500v11"),
    (
        "share",
        "M8.300 11.700a3 3 0 0 0 4.300 0l2.600-2.600a3 3 0 0 0-4.300-4.300l-1 1M11.700 8.300a3 3 0 0 0-4.300 0L4.800 10.900a3 3 0 0 0 4.300 4.300l1-1",
    ),
    ("text", "M5 3.500h7l3.500 3.500v9.500H5zM8 9.500h4.500M8 12.500h4.500"),
];

/// The icon with this name; nothing if there is none.
pub fn icon(name: &str) -> Html {
    let Some((_, path)) = PATHS.iter().find(|(known, _)| *known == name) else { return html! {} };
    html! { <svg class="icon" viewBox="0 0 20 20" aria-hidden="true"><path d={*path} /></svg> }
}
