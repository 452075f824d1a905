//! The logit lens: what each layer would predict after each token.

use std::rc::Rc;

use yew::prelude::*;

use crate::core::context::Cx;
use crate::shared::visible;
use crate::state::ask::LensShown;
use crate::train::inspector::explain;

/// Number of tokens shown at once.
const SHOWN: usize = 48;

#[component]
pub fn LensView(cx: &Cx) -> Html {
    let cell = use_state(|| (0usize, 0usize));
    let first = use_state(|| 0usize);
    let Some(shown) = cx.state.ask.lens.clone() else {
        return html! { <p class="count" role="status">{"Computing the predictions of every layer…"}</p> };
    };
    let n = shown.tokens.len();
    let turn = |by: isize| {
        let first = first.clone();
        Callback::from(move |_: MouseEvent| first.set(first.saturating_add_signed(by)))
    };
    let start = if *first < n { *first } else { 0 };
    let end = (start + SHOWN).min(n);
    let over = {
        let cell = cell.clone();
        Callback::from(move |at| cell.set(at))
    };
    html! {
        <div data-testid="lens">
            <p class="tiny muted" title={format!("Step {}", shown.step)}>
                {"What the model would predict after each token if it ended after a layer. Underlined: what really comes next."}
                {explain(cx, "logit lens")}{explain(cx, "residual stream")}
            </p>
            <p class="readout tiny" aria-live="polite" data-testid="lens-readout">{in_words(&shown, *cell)}</p>
            <Cells shown={shown.clone()} range={(start, end)} {over} />
            if n > SHOWN {
                <div class="pager">
                    <button class="small" disabled={start == 0} onclick={turn(-(SHOWN as isize))}>{"Earlier"}</button>
                    <span>{format!("tokens {start} to {} of {n}", end - 1)}</span>
                    <button class="small" disabled={end == n} onclick={turn(SHOWN as isize)}>{"Later"}</button>
                </div>
            }
        </div>
    }
}

fn in_words(shown: &LensShown, (layer, position): (usize, usize)) -> String {
    let Some(cell) = shown.lens.cell(layer, position) else { return "Point at a cell for its numbers.".into() };
    let choices = cell.choices.iter().map(|&(id, p)| format!("“{}” {p:.3}", visible(shown.text(id))));
    let choices: Vec<String> = choices.collect();
    let next = match (cell.next, shown.tokens.get(position + 1)) {
        (Some((rank, p)), Some(token)) => {
            format!("; “{}” comes next: rank {}, probability {p:.3}", visible(&token.text), rank + 1)
        }
        _ => String::new(),
    };
    format!("After “{}”, layer {}: {}{next}", visible(&shown.tokens[position].text), layer + 1, choices.join(", "))
}

#[derive(Properties)]
struct CellsProps {
    shown: Rc<LensShown>,
    range: (usize, usize),
    over: Callback<(usize, usize)>,
}

impl PartialEq for CellsProps {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.shown, &other.shown) && self.range == other.range
    }
}

#[component]
fn Cells(props: &CellsProps) -> Html {
    let shown = &props.shown;
    let cell = |layer: usize, position: usize| {
        let Some(cell) = shown.lens.cell(layer, position) else { return html! { <td></td> } };
        let (id, p) = cell.choices.first().copied().unwrap_or_default();
        let right = cell.next.is_some_and(|(rank, _)| rank == 0);
        let point = {
            let over = props.over.clone();
            move || over.emit((layer, position))
        };
        let (onpointerenter, onfocus) = {
            let again = point.clone();
            (Callback::from(move |_: PointerEvent| point()), Callback::from(move |_: FocusEvent| again()))
        };
        html! {
            <td class={classes!("predicted", right.then_some("right"))} style={format!("--p:{p:.3}")}>
                <button {onpointerenter} {onfocus} title={format!("{p:.3}")}>{visible(shown.text(id))}</button>
            </td>
        }
    };
    let line = |position: usize| {
        html! {
            <tr key={position}>
                <th scope="row">{visible(&shown.tokens[position].text)}</th>
                {for (0..shown.n_layers).map(|layer| cell(layer, position))}
            </tr>
        }
    };
    let columns = (1..=shown.n_layers).map(|layer| html! { <th scope="col">{format!("Layer {layer}")}</th> });
    html! {
        <div class="table lens" tabindex="0" role="region" aria-label="Predictions by token and layer">
            <table>
                <thead><tr><th scope="col">{"After"}</th>{for columns}</tr></thead>
                <tbody>{for (props.range.0..props.range.1).map(line)}</tbody>
            </table>
        </div>
    }
}
