//! The matrices of a step, in the order of multiplication. Hovering or focusing a cell highlights the cells that it was
//! computed from.

use wasm_bindgen::JsCast as _;
use web_sys::{HtmlElement, KeyboardEvent};
use yew::prelude::*;

use crate::core::context::Cx;
use crate::lesson::formula::spoken;
use crate::lesson::view::act;
use crate::lesson::view::formula::math;
use crate::lesson::worked::{involved, label, short};
use crate::state::lesson::{Cell, LessonAction};
use glasshead::types::lesson::{Axis, Made, Matrix, Part, Sheet};

/// Maximum number of columns shown; wider matrices are truncated.
const MAX_COLUMNS: usize = 12;

/// Matrices with at least this many columns are set narrower on narrow pages.
const WIDE: usize = 6;

#[component]
pub fn Lines(cx: &Cx) -> Html {
    let Some(sheet) = cx.state.lesson.sheet() else { return html! { <p class="count">{"Computing …"}</p> } };
    let part = |part: &Part| match part {
        Part::Matrix(at) => table(cx, sheet, *at, false),
        Part::Transposed(at) => table(cx, sheet, *at, true),
        Part::Sign(sign) => html! { <span class="sign">{sign}</span> },
    };
    let line = |parts: &Vec<Part>| html! { <div class="product">{for parts.iter().map(part)}</div> };
    html! { <div class="products">{for sheet.lines.iter().map(line)}</div> }
}

/// A number as text; counts are written as integers.
fn written(matrix: &Matrix, value: f32) -> String {
    let whole = matches!(matrix.made, Made::Measured | Made::Counted { .. }) && value.fract() == 0.0;
    if whole { format!("{value}") } else { short(value) }
}

/// Color depth of a number, from 0 to 1, on the same scale in every step.
fn depth(value: f32) -> f32 {
    if value.is_finite() { value.abs() / (value.abs() + 0.5) } else { 0.0 }
}

fn table(cx: &Cx, sheet: &Sheet, at: usize, transposed: bool) -> Html {
    let matrix = &sheet.matrices[at];
    let (rows, cols) = if transposed { (matrix.cols, matrix.rows) } else { (matrix.rows, matrix.cols) };
    let [row_axis, col_axis] = if transposed { [1, 0] } else { [0, 1] };
    let name = if transposed { format!("{{{}}}^T", matrix.name) } else { matrix.name.clone() };
    let query = cx.state.lesson.query;
    let held_column = |col: usize| matrix.axes[col_axis] == Axis::Tokens && col == query;
    let head = |col: usize| html! { <th scope="col" class={held_column(col).then_some("held")}>{label(&matrix.axes[col_axis], col)}</th> };
    let held = |row: usize| match (transposed, &matrix.axes[0]) {
        (false, Axis::Tokens) => row == query,
        _ => false,
    };
    let line = |row: usize| {
        let cells = (0..cols.min(MAX_COLUMNS)).map(|col| {
            let (i, j) = if transposed { (col, row) } else { (row, col) };
            cell(cx, sheet, matrix, (at, i, j), (row, col))
        });
        html! {
            <tr class={held(row).then_some("held")}>
                <th scope="row">{label(&matrix.axes[row_axis], row)}</th>{for cells}
            </tr>
        }
    };
    let leave = {
        let cx = cx.clone();
        Callback::from(move |_: PointerEvent| act(&cx, LessonAction::Light(None)))
    };
    let editable = matrix.made == Made::Given { editable: true } && !transposed;
    let id = format!("{}{}", matrix.name, if transposed { "T" } else { "" });
    html! {
        <table class={classes!("matrix", (cols >= WIDE).then_some("wide"))} role="grid" data-matrix={id} data-editable={editable.then_some("")}
            aria-label={format!("{}, {rows} by {cols}", spoken(&name))}
            onpointerleave={leave} onkeydown={Callback::from(move |event: KeyboardEvent| walk(&event, rows, cols))}>
            <caption aria-hidden="true">{math(&name, false)}</caption>
            <thead><tr><td></td>{for (0..cols.min(MAX_COLUMNS)).map(head)}</tr></thead>
            <tbody>{for (0..rows).map(line)}</tbody>
        </table>
    }
}

fn cell(cx: &Cx, sheet: &Sheet, matrix: &Matrix, cell: Cell, (row, col): (usize, usize)) -> Html {
    let (_, i, j) = cell;
    let value = matrix.at(i, j);
    let lit = cx.state.lesson.lit;
    let light = {
        let cx = cx.clone();
        move || act(&cx, LessonAction::Light(Some(cell)))
    };
    let (over, focus) = (light.clone(), light);
    let masked = value == f32::NEG_INFINITY;
    let sign = if value < 0.0 { "minus" } else { "plus" };
    let state = match lit {
        Some(lit) if lit == cell => "lit",
        Some(lit) if involved(sheet, cell, lit) => "part",
        _ => "",
    };
    let tab_stop = lit.filter(|lit| lit.0 == cell.0).map_or((i, j) == (0, 0), |lit| lit == cell);
    let change = {
        let cx = cx.clone();
        let editable = matrix.made == Made::Given { editable: true };
        let place = i * matrix.cols + j;
        move || {
            if editable {
                act(&cx, LessonAction::Edit(Some(place)));
            }
        }
    };
    let (click, enter) = (change.clone(), change);
    let press = Callback::from(move |event: KeyboardEvent| {
        if event.key() == "Enter" {
            enter()
        }
    });
    html! {
        <td role="gridcell" class={classes!(state, sign, masked.then_some("hatched"))}
            style={format!("--depth:{:.0}%", 100.0 * depth(value))} tabindex={if tab_stop { "0" } else { "-1" }}
            data-value={value.to_string()} data-row={row.to_string()} data-col={col.to_string()}
            onpointerenter={Callback::from(move |_: PointerEvent| over())}
            onfocus={Callback::from(move |_: FocusEvent| focus())}
            onclick={Callback::from(move |_: MouseEvent| click())} onkeydown={press}>{written(matrix, value)}</td>
    }
}

/// Moves between cells with the arrow keys, Home and End.
fn walk(event: &KeyboardEvent, rows: usize, cols: usize) {
    let Some(cell) = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok()) else { return };
    let place = |name: &str| cell.get_attribute(name).and_then(|text| text.parse::<usize>().ok());
    let (Some(row), Some(col)) = (place("data-row"), place("data-col")) else { return };
    let last = cols.min(MAX_COLUMNS) - 1;
    let (row, col) = match event.key().as_str() {
        "ArrowUp" => (row.saturating_sub(1), col),
        "ArrowDown" => ((row + 1).min(rows - 1), col),
        "ArrowLeft" => (row, col.saturating_sub(1)),
        "ArrowRight" => (row, (col + 1).min(last)),
        "Home" => (row, 0),
        "End" => (row, last),
        _ => return,
    };
    event.prevent_default();
    let selector = format!("td[data-row='{row}'][data-col='{col}']");
    let grid = cell.closest("[role=grid]").ok().flatten();
    let next = grid.and_then(|grid| grid.query_selector(&selector).ok().flatten());
    if let Some(next) = next.and_then(|next| next.dyn_into::<HtmlElement>().ok()) {
        drop(next.focus()); // focusing an attached element cannot fail
    }
}
