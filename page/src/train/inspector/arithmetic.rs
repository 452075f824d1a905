//! How one attention weight is computed, with the actual numbers of this head.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::shared::{grouped, value_of, visible};
use crate::state::Action;
use crate::state::Maps;
use crate::state::arithmetic::{Row, products};
use crate::state::ask::{AskAction, Head, Section};
use crate::train::inspector::explain;

#[component]
pub fn Arithmetic(cx: &Cx) -> Html {
    let Some((maps, head, query, key)) = cell(cx) else { return hint() };
    let Some(row) = Row::of(&head.rows, query) else { return hint() };
    let (layer, number) = head.at;
    html! {
        <div class="worked" data-testid="arithmetic">
            <p class="line spread">
                <span class="line"><b class="mono">{visible(&maps.tokens[query].text)}</b>{"→"}{key_field(cx, &maps, key)}</span>
                <small class="tiny" title={format!("Layer {}, head {}", layer + 1, number + 1)}>{format!("step {}", grouped(head.step))}</small>
            </p>
            {steps(cx, &head, &row, query, key)}
            {dimensions(&head, query, key)}
            {keys(&maps, &row)}
        </div>
    }
}

/// The inputs of the calculation: the maps, the head's numbers, the pinned or hovered query, and a key.
pub fn cell(cx: &Cx) -> Option<(std::rc::Rc<Maps>, std::rc::Rc<Head>, usize, usize)> {
    let state = &cx.state;
    let (maps, head) = (state.maps.clone()?, state.ask.head.clone()?);
    let n = maps.tokens.len().min(head.rows.n());
    let (pointed, key) = state.ask.cell.unwrap_or((n.saturating_sub(1), 0));
    let query = state.pinned.unwrap_or(pointed);
    (query < n && key < n).then_some((maps, head, query, key))
}

/// The calculation in short, for the Row tab: shown while the exact numbers of the head are available.
pub fn arithmetic_card(cx: &Cx) -> Html {
    let state = &cx.state;
    let Some(head) = state.exact_head() else { return html! {} };
    let Some(maps) = state.shown_maps() else { return html! {} };
    let Some(&query) = state.inspected_rows().first() else { return html! {} };
    let Some(row) = Row::of(&head.rows, query) else { return html! {} };
    let largest = (0..row.dots.len()).max_by(|&a, &b| row.weight(a).total_cmp(&row.weight(b))).unwrap_or(0);
    let key = state.hovered.map(|(_, key)| key).filter(|&key| key < row.dots.len()).unwrap_or(largest);
    let Some(score) = row.score(key) else { return html! {} };
    let token = |at: usize| visible(&maps.tokens[at].text);
    let d = head.rows.d_head;
    html! {
        <div class="box">
            <h3 class="mono">{format!("{} → {}", token(query), token(key))}</h3>
            <div class="equation">
                <span>{format!("q·k, sum of {d} products")}</span><span>{format!("{:.3}", row.dots[key])}</span>
                <span>{format!("÷ √{d}")}</span><span>{format!("{score:.3}")}</span>
                <span>{"exp, less the largest"}</span><span>{format!("{:.3}", row.exps[key])}</span>
                <span>{"÷ sum over the row"}</span><span>{format!("{:.3}", row.sum)}</span>
                <span class="result">{"Weight"}</span><span class="result">{format!("{:.3}", row.weight(key))}</span>
            </div>
            <button class="link" onclick={super::ask(cx, AskAction::Open(Section::Arithmetic))}>{"Every product in Arithmetic →"}</button>
        </div>
    }
}

/// The placeholder shown before there are numbers.
pub fn hint() -> Html {
    html! { <p class="count">{"Point at a cell of the map; its numbers appear here. A click pins its row."}</p> }
}

/// A field to choose the key without a pointer.
pub fn key_field(cx: &Cx, maps: &Maps, key: usize) -> Html {
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            if let Ok(key) = value_of(&event).parse() {
                cx.act(Action::Ask(AskAction::Key(key)));
            }
        })
    };
    let option = |(at, token): (usize, &glasshead::types::Token)| {
        let text = format!("{} ({at})", visible(&token.text));
        html! { <option value={at.to_string()} selected={at == key}>{text}</option> }
    };
    html! {
        <select aria-label="key" data-testid="arithmetic-key" onchange={change}>
            {for maps.tokens.iter().enumerate().map(option)}
        </select>
    }
}

fn steps(cx: &Cx, head: &Head, row: &Row, query: usize, key: usize) -> Html {
    let d = head.rows.d_head;
    let dot: f32 = products(&head.rows, query, key).map(|(_, _, product)| product).sum();
    let scaled = dot / row.root;
    let Some(score) = row.score(key) else {
        return html! {
            <ol class="steps box">
                {step("", "q·k", explain(cx, "query"), format!("{dot:.4}"))}
                {step("", format!("÷ √{d}, the score"), explain(cx, "score"), format!("{scaled:.4}"))}
                {step("", "Mask: the key is later", explain(cx, "causal mask"), "−∞".into())}
                <li class="result"><span>{"Weight"}</span><b data-testid="worked-weight">{"0.000"}</b></li>
            </ol>
        };
    };
    let mask = if head.rows.causal { "Mask: the key is not later" } else { "No mask in this model" };
    html! {
        <ol class="steps box">
            {step("", format!("q·k of {d} products"), explain(cx, "key"), format!("{dot:.4}"))}
            {step("score", format!("÷ √{d}, the score"), explain(cx, "score"), format!("{score:.4}"))}
            {step("", mask, explain(cx, "causal mask"), "stays".into())}
            {step("", format!("exp(score − {:.4})", row.largest), explain(cx, "softmax"), format!("{:.4}", row.exps[key]))}
            {step("", "÷ the sum over the row", html! {}, format!("{:.4}", row.sum))}
            <li class="result">
                <span>{"Weight"}{explain(cx, "attention weight")}</span><b data-testid="worked-weight">{format!("{:.3}", row.weight(key))}</b>
            </li>
        </ol>
    }
}

/// A line of the calculation: what is done, its explanation, and the result.
fn step(id: &'static str, what: impl Into<AttrValue>, explanation: Html, result: String) -> Html {
    html! { <li data-step={id}><span>{what.into()}{explanation}</span><b>{result}</b></li> }
}

fn dimensions(head: &Head, query: usize, key: usize) -> Html {
    let mut sum = 0.0;
    let line = |(at, (q, k, product)): (usize, (f32, f32, f32))| {
        sum += product;
        let cells = [q, k, product, sum].map(|x| html! { <td>{format!("{x:.3}")}</td> });
        html! { <tr><th scope="row">{at}</th>{for cells}</tr> }
    };
    let lines: Vec<Html> = products(&head.rows, query, key).enumerate().map(line).collect();
    html! {
        <div class="table" tabindex="0" role="region" aria-label="the products behind q·k">
            <table>
                <thead><tr>{for ["Dim", "q", "k", "q × k", "Sum"].map(|name| html! { <th scope="col">{name}</th> })}</tr></thead>
                <tbody>{for lines}</tbody>
            </table>
        </div>
    }
}

fn keys(maps: &Maps, row: &Row) -> Html {
    let line = |key: usize| {
        let score = row.score(key).unwrap_or_default();
        let cells = [row.dots[key], score, row.exps[key], row.weight(key)];
        html! {
            <tr>
                <th scope="row">{visible(&maps.tokens[key].text)}</th>
                {for cells.map(|x| html! { <td>{format!("{x:.3}")}</td> })}
            </tr>
        }
    };
    html! {
        <div class="table" tabindex="0" role="region" aria-label="the whole row, key by key">
            <table>
                <thead><tr>
                    {for ["Key", "q·k", "Score", "exp", "Weight"].map(|name| html! { <th scope="col">{name}</th> })}
                </tr></thead>
                <tbody>{for (0..row.dots.len()).map(line)}</tbody>
            </table>
        </div>
    }
}
