//! The tooltip at the pointer: both tokens with their positions, the weight, the table and the step.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::maps::Plane;
use crate::shared::visible;
use crate::state::Maps;
use crate::state::shown::Table;

/// The cell in words, for the line above the map and for screen readers.
pub fn sentence(cx: &Cx, maps: &Maps, (query, key): (usize, usize)) -> String {
    let token = |at: usize| format!("“{}” ({at})", visible(&maps.tokens[at].text));
    if maps.hides(query, key) {
        return format!("{} may not look at {}: it comes later (masked)", token(query), token(key));
    }
    let weight = cx.state.weight_text(cx.state.weight(query, key));
    match cx.state.table() {
        Some(table @ Table::Scores(_)) => {
            format!("{} scores {}: {:+.3}, weight {weight}", token(query), token(key), table.value(query, key))
        }
        _ => format!("{} looks at {}: {weight}", token(query), token(key)),
    }
}

/// The cell under the pointer or the keyboard cursor, if it is in the map.
pub fn pointed(cx: &Cx, maps: &Maps) -> Option<(usize, usize)> {
    cx.state.hovered.filter(|&(query, key)| query < maps.n() && key < maps.n())
}

/// The place of a weight among those of its row.
fn rank(maps: &Maps, plane: Plane, (query, key): (usize, usize)) -> Html {
    if maps.hides(query, key) {
        return html! {};
    }
    let weight = maps.value(plane, query, key);
    let keys = (0..maps.n()).filter(|&other| !maps.hides(query, other));
    let (above, n) =
        keys.fold((0, 0), |(above, n), other| (above + usize::from(maps.value(plane, query, other) > weight), n + 1));
    html! { <small>{format!("rank {} of {n}", above + 1)}</small> }
}

/// Placed at the style properties `--x` and `--y` of its container if they are set, else at the cell, on the side that
/// has room.
#[component]
pub fn Tooltip(cx: &Cx) -> Html {
    let Some(maps) = cx.state.shown_maps() else { return html! {} };
    let Some((query, key)) = pointed(cx, &maps) else { return html! {} };
    let (plane, window) = (cx.state.plane(), cx.state.look.window);
    let (x, y) = (window.middle(window.left, key, maps.n()), window.middle(window.top, query, maps.n()));
    let (left, above) = (x > 0.5, y > 0.5);
    let cell = format!("--cell-x:{:.2}%;--cell-y:{:.2}%", 100.0 * x, 100.0 * y);
    let token = |at: usize| html! { <><b>{visible(&maps.tokens[at].text)}</b>{format!(" ({at})")}</> };
    let Some(table) = cx.state.table() else { return html! {} };
    let (number, more) = match &table {
        _ if maps.hides(query, key) => ("masked".to_string(), ""),
        Table::Weights(..) => (cx.state.weight_text(cx.state.weight(query, key)), ""),
        Table::Scores(_) => (format!("{:+.3}", table.value(query, key)), "q·k / √D, before softmax"),
    };
    html! {
        <div class={classes!("tip", left.then_some("left"), above.then_some("above"))} data-testid="tooltip"
            style={cell} aria-hidden="true">
            <p>{token(query)}{if maps.hides(query, key) { " may not look at " } else { " looks at " }}{token(key)}</p>
            <p class="line"><span class="tip-weight">{number}</span>if more.is_empty() { {rank(&maps, plane, (query, key))} }</p>
            if !more.is_empty() { <p>{format!("{more}; weight {}", cx.state.weight_text(cx.state.weight(query, key)))}</p> }
        </div>
    }
}
