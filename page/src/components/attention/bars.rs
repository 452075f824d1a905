//! The pinned rows, or the hovered one, as bars over the tokens.

use yew::prelude::*;

use super::act;
use super::grid::{in_unit, unit};
use crate::app::Cx;
use crate::components::visible;
use crate::maps::Direction;
use crate::state::Action;
use crate::state::look::LookAction;

/// With more bars than this, the browser lays out only the visible ones.
const MANY: usize = 64;

#[component]
pub fn Bars(cx: &Cx) -> Html {
    let (state, rows) = (&cx.state, cx.state.rows());
    let Some(maps) = state.shown_maps().filter(|_| !rows.is_empty()) else {
        return html! {
            <p class="count">
                {"Point at a token or a row of the large heatmap: here stands what that query looks at, key by key. A \
                  click holds it."}
            </p>
        };
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
    let bar = |(at, weight): (usize, f64)| {
        html! {
            <li>
                <span class="token" title={format!("position {at}")}>{visible(&maps.tokens[at].text)}</span>
                <span class="bar"><i style={format!("width:{:.1}%", 100.0 * weight)}></i></span>
                <span class="weight">{state.weight_text(weight)}</span>
            </li>
        }
    };
    let who = match rows[..] {
        [row] => format!("“{}” at position {row}", visible(&maps.tokens[row].text)),
        _ => format!("{} tokens, on average,", rows.len()),
    };
    let verb = match (direction, rows.len()) {
        (Direction::LooksAt, 1) => "looks at",
        (Direction::LooksAt, _) => "look at",
        (Direction::LookedAtBy, 1) => "is looked at by",
        (Direction::LookedAtBy, _) => "are looked at by",
    };
    html! {
        <>
            <p class="line spread">
                <span data-testid="bars-title">{format!("{who} {verb}, in {}:", plane.name())}</span>
                <button data-testid="sort-bars" aria-pressed={state.look.sorted.to_string()}
                    onclick={act(cx, Action::Look(LookAction::ToggleSorted))}>{"sorted"}</button>
            </p>
            <ol class={classes!("bars", (n_bars > MANY).then_some("many"))} data-testid="bars" tabindex="0" aria-label="weights">{for bars.into_iter().map(bar)}</ol>
            if direction == Direction::LookedAtBy {
                <p class="count">{format!("{} in all; each query has 1 to give", if exact { format!("{total:.2}") } else { format!("{total:.1}") })}</p>
            } else if exact {
                <p class="count" title="0: one key gets everything; the logarithm of the number of keys: all get the same">
                    {format!("entropy {:.2} of at most {:.2} {}", in_unit(cx, bits), in_unit(cx, (n_bars as f64).log2()), unit(cx))}
                </p>
            }
        </>
    }
}
