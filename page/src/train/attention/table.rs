//! The large map as a table of numbers, one part at a time.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::shared::visible;
use crate::state::Action;
use crate::state::Maps;
use crate::state::look::LookAction;
use crate::state::shown::Table;
use crate::train::attention::act;

/// Number of rows and columns shown at a time.
const PART: usize = 32;

/// The weights as numbers, with buttons for the other parts if the sentence is long.
pub fn table(cx: &Cx, maps: &Maps) -> Html {
    let Some(shown) = cx.state.table() else { return html! {} };
    let n = maps.n();
    let begin = |at: usize| at.min(n.saturating_sub(1) / PART * PART);
    let (top, left) = (begin(cx.state.look.table_at.0), begin(cx.state.look.table_at.1));
    let (rows, columns) = (top..(top + PART).min(n), left..(left + PART).min(n));
    let weight = |query: usize, key: usize| {
        let text = match (maps.hides(query, key), &shown) {
            (true, _) => "masked".to_string(),
            (false, Table::Weights(..)) => cx.state.weight_text(cx.state.weight(query, key)),
            (false, Table::Scores(_)) => format!("{:+.3}", shown.value(query, key)),
        };
        if maps.hides(query, key) {
            return html! { <td class="masked hatched"><span class="hidden">{text}</span></td> };
        }
        html! { <td>{text}</td> }
    };
    let row = |query: usize| {
        html! {
            <tr>
                <th scope="row">{format!("{query} {}", visible(&maps.tokens[query].text))}</th>
                {for columns.clone().map(|key| weight(query, key))}
            </tr>
        }
    };
    let head = |key: usize| html! { <th scope="col">{format!("{key} {}", visible(&maps.tokens[key].text))}</th> };
    let turn = |name: String, (row, column): (usize, usize), here: bool| {
        html! {
            <button disabled={here} onclick={act(cx, Action::Look(LookAction::TableAt(row, column)))}>{name}</button>
        }
    };
    let parts = || (0..n).step_by(PART).map(|first| (first, format!("{first}–{}", (first + PART).min(n) - 1)));
    html! {
        <>
            if n > PART {
                <p class="pager">{"rows"}{for parts().map(|(at, name)| turn(name, (at, left), at == top))}</p>
                <p class="pager">{"columns"}{for parts().map(|(at, name)| turn(name, (top, at), at == left))}</p>
            }
            <div class="table" tabindex="0" role="region" aria-label={format!("numbers of {}", shown.title())}>
                <table data-testid="weights-table">
                    <caption>{"rows are queries, columns are keys"}</caption>
                    <thead><tr><td></td>{for columns.clone().map(head)}</tr></thead>
                    <tbody>{for rows.map(row)}</tbody>
                </table>
            </div>
        </>
    }
}
