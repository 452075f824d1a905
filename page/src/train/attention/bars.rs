//! The pinned rows, or the hovered one, as bars over the tokens.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::maps::Direction;
use crate::shared::visible;
use crate::state::Action;
use crate::state::look::LookAction;
use crate::train::attention::act;
use crate::train::attention::grid::in_unit;
use crate::train::attention::grid::unit;

/// With more bars than this, the browser lays out only the visible ones.
const MANY: usize = 64;

/// The number of bars shown until the user asks for all: fewer where the window is low.
fn shown_at_first() -> usize {
    let height = web_sys::window().and_then(|window| window.inner_height().ok()?.as_f64()).unwrap_or(900.0);
    match height {
        height if height <= 780.0 => 6,
        height if height <= 1000.0 => 10,
        _ => 14,
    }
}

#[component]
pub fn Bars(cx: &Cx) -> Html {
    let all = use_state_eq(|| false);
    let (state, rows) = (&cx.state, cx.state.inspected_rows());
    let Some(maps) = state.shown_maps().filter(|_| !rows.is_empty()) else {
        return html! { <p class="count">{"Point at a cell of the map once it is here."}</p> };
    };
    let (plane, direction) = (state.plane(), state.look.direction);
    let (seen, exact) = (state.seen(&rows, direction), state.exact_head().is_some());
    let mut bars: Vec<(usize, f64)> =
        seen.iter().enumerate().filter_map(|(at, weight)| weight.map(|weight| (at, weight))).collect();
    let total: f64 = bars.iter().map(|(_, weight)| weight).sum();
    let bits: f64 = bars.iter().filter(|(_, weight)| *weight > 0.0).map(|(_, weight)| -weight * weight.log2()).sum();
    if state.look.sorted {
        bars.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    }
    let n_bars = bars.len();
    let hidden = if *all { 0 } else { n_bars.saturating_sub(shown_at_first()) };
    if hidden > 0 && !state.look.sorted {
        // By position, the largest stay.
        let mut largest = bars.clone();
        largest.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        largest.truncate(n_bars - hidden);
        bars.retain(|(at, _)| largest.iter().any(|(other, _)| other == at));
    }
    bars.truncate(n_bars - hidden);
    let pointed = state.hovered.map(|(query, key)| if direction == Direction::LooksAt { key } else { query });
    let bar = |(at, weight): (usize, f64)| {
        html! {
            <li class={classes!((pointed == Some(at)).then_some("pointed"))}>
                <span class="token" title={format!("Position {at}")}>{visible(&maps.tokens[at].text)}<small>{format!(" {at}")}</small></span>
                <span class="bar"><i style={format!("width:{:.1}%", 100.0 * weight)}></i></span>
                <span class="weight">{state.weight_text(weight)}</span>
            </li>
        }
    };
    let who = match rows[..] {
        [row] => {
            html! { <><b class="mono">{visible(&maps.tokens[row].text)}</b><span class="muted">{format!(" at {row} ")}</span></> }
        }
        _ => html! { {format!("{} tokens, on average, ", rows.len())} },
    };
    let verb = match (direction, rows.len()) {
        (Direction::LooksAt, 1) => "looks at",
        (Direction::LooksAt, _) => "look at",
        (Direction::LookedAtBy, 1) => "is looked at by",
        (Direction::LookedAtBy, _) => "are looked at by",
    };
    let source = match state.rows().first() {
        None => "last token",
        Some(&row) if !state.holds(row) => "under the pointer",
        _ => "",
    };
    let toggle = {
        let all = all.clone();
        Callback::from(move |_: MouseEvent| all.set(!*all))
    };
    html! {
        <>
            <p class="line spread bars-head">
                <span data-testid="bars-title" title={plane.name()}>{who}{verb}</span>
                <span class="tiny muted">{source}</span>
                {super::strip::pins(cx)}
            </p>
            <ol class={classes!("bars", (n_bars > MANY).then_some("many"))} data-testid="bars" tabindex="0" aria-label="weights">{for bars.into_iter().map(bar)}</ol>
            <p class="line spread tiny muted bars-foot">
                <span class="line">
                    if hidden > 0 || *all && n_bars > shown_at_first() {
                        <button class="link" data-testid="all-bars" onclick={toggle}>
                            {if hidden > 0 { format!("{hidden} more") } else { "Fewer".into() }}
                        </button>
                    }
                    <button class="link" data-testid="sort-bars" aria-pressed={state.look.sorted.to_string()}
                        title="Sorted by weight, or by position" onclick={act(cx, Action::Look(LookAction::ToggleSorted))}>
                        {if state.look.sorted { "By weight" } else { "By position" }}
                    </button>
                </span>
                if direction == Direction::LookedAtBy {
                    <span>{format!("{} in all; each query has 1 to give", if exact { format!("{total:.2}") } else { format!("{total:.1}") })}</span>
                } else if exact {
                    <span title="0: one key gets everything; the logarithm of the number of keys: all get the same">
                        {format!("entropy {:.2} / {:.2} {}", in_unit(cx, bits), in_unit(cx, (n_bars as f64).log2()), unit(cx))}
                    </span>
                }
            </p>
        </>
    }
}
