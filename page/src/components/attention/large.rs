//! One table shown large, as a map with labeled axes or as lines, with its controls, its legend and its numbers as
//! text.

use web_sys::Element;
use yew::prelude::*;

use super::cells::Cells;
use super::controls;
use super::labels::Axis;
use super::lines::Lines;
use super::tooltip::{pointed, sentence};
use crate::app::Cx;
use crate::state::Maps;
use crate::state::look::Form;

#[component]
pub fn Large(cx: &Cx) -> Html {
    let state = &cx.state;
    let Some((maps, table)) = state.shown_maps().zip(state.table()) else { return html! {} };
    let lines = state.look.form == Form::Lines;
    html! {
        <div class="large">
            <div class="line spread">
                <h3>
                    {if lines { state.plane().name() } else { table.title() }}
                    <small>{format!(" · step {}", if lines { maps.step } else { table.step() })}</small>
                </h3>
                if !lines { {controls::zoom(cx)} }
            </div>
            {controls::controls(cx)}
            <p class="readout" data-testid="readout">{readout(cx, &maps)}</p>
            if lines {
                <Lines ..cx.clone() />
            } else {
                <Framed ..cx.clone() />
                {controls::legend(cx)}
            }
            if state.table_shown { {super::table::table(cx, &maps)} }
        </div>
    }
}

fn readout(cx: &Cx, maps: &Maps) -> String {
    match pointed(cx, maps) {
        Some(cell) => sentence(cx, maps, cell),
        None => "Point at a cell for its weight; click to hold its row.".into(),
    }
}

/// The map with its axes.
#[component]
fn Framed(cx: &Cx) -> Html {
    let state = &cx.state;
    let (frame, side) = (use_node_ref(), use_state(|| 500.0));
    {
        let (frame, side) = (frame.clone(), side.clone());
        use_effect_with(state.resizes, move |_| {
            let width = frame.cast::<Element>().map_or(0.0, |frame| frame.get_bounding_client_rect().width());
            if width > 0.0 && (width - *side).abs() > 1.0 {
                side.set(width);
            }
        });
    }
    let Some(maps) = state.shown_maps() else { return html! {} };
    let (window, cell) = (state.look.window, pointed(cx, &maps));
    let held: Vec<usize> = (0..maps.n()).filter(|&row| state.holds(row)).collect();
    html! {
        <div class="axes">
            <span class="corner">{"query ↓ key →"}</span>
            <Axis maps={maps.clone()} {window} pixels={*side} pointed={cell.map(|(_, key)| key)} held={Vec::new()}
                keys=true />
            <Axis maps={maps.clone()} {window} pixels={*side} pointed={cell.map(|(query, _)| query)} {held} />
            <div ref={frame}><Cells ..cx.clone() /></div>
        </div>
    }
}
