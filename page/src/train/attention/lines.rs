//! The head view: queries on the left, keys on the right, and a line for every visible weight.

use std::rc::Rc;

use web_sys::{HtmlCanvasElement, PointerEvent};
use yew::prelude::*;

use crate::core::context::Cx;
use crate::draw::chart_canvas::sharp;
use crate::draw::frame;
use crate::draw::lines::{STRENGTHS, WEAKEST, strands};
use crate::maps::Direction;
use crate::maps::Plane;
use crate::shared::visible;
use crate::state::Action;
use crate::state::Maps;
use crate::state::Theme;
use crate::train::attention::strip::at_of;

/// Height of a token in pixels; must match the style sheet.
const ROW: f64 = 18.0;

/// What the canvas shows.
#[derive(Clone)]
struct Picture {
    maps: Rc<Maps>,
    plane: Plane,
    direction: Direction,
    rows: Vec<usize>,
    weakest: f64,
    look: (u32, Theme),
}

impl PartialEq for Picture {
    fn eq(&self, other: &Self) -> bool {
        let same = |picture: &Self| (picture.plane, picture.direction, picture.weakest, picture.look);
        Rc::ptr_eq(&self.maps, &other.maps) && same(self) == same(other) && self.rows == other.rows
    }
}

#[component]
pub fn Lines(cx: &Cx) -> Html {
    let state = &cx.state;
    let canvas = use_node_ref();
    let key = *use_memo((), |()| frame::new_key());
    let picture = state.shown_maps().map(|maps| Picture {
        maps,
        plane: state.plane(),
        direction: state.look.direction,
        rows: state.rows(),
        weakest: f64::from(state.look.threshold),
        look: (state.resizes, state.theme),
    });
    {
        let canvas = canvas.clone();
        use_effect_with(picture.clone(), move |picture| {
            let picture = picture.clone();
            frame::soon(key, true, move || {
                if let Some((canvas, picture)) = canvas.cast::<HtmlCanvasElement>().zip(picture) {
                    paint(&canvas, &picture);
                }
            });
        });
    }
    let Some(Picture { maps, rows, .. }) = picture else { return html! {} };
    let column = |name: &'static str, lit: bool| {
        let token = |(at, token): (usize, &glasshead::types::Token)| {
            let class = (lit && rows.contains(&at)).then_some("lit");
            html! { <li data-at={at.to_string()} class={classes!(class)}>{visible(&token.text)}</li> }
        };
        html! { <ol class={name} aria-label={name}>{for maps.tokens.iter().enumerate().map(token)}</ol> }
    };
    let reads = state.look.direction == Direction::LooksAt;
    let weakest = WEAKEST.max(f64::from(state.look.threshold));
    html! {
        <>
            <div class="head-view" data-testid="head-view" tabindex="0" role="region"
                aria-label={format!("lines of {}", state.plane().name())} onpointerover={over(cx)} onpointerleave={out(cx)}
                onclick={crate::train::attention::strip::click(cx)}>
                {column("looking", reads)}
                <canvas ref={canvas} style={format!("height:{}px", ROW * maps.n() as f64)} role="img"
                    aria-label="a line from every query to the keys it looks at; the table has the numbers"></canvas>
                {column("looked at", !reads)}
            </div>
            <p class="count">
                {format!("Queries left, keys right; the stronger the line, the larger the weight. Weights below \
                          {weakest:.2} are not drawn.")}
            </p>
        </>
    }
}

/// Hovering a token selects its row; touch input uses taps instead.
fn over(cx: &Cx) -> Callback<PointerEvent> {
    let cx = cx.clone();
    Callback::from(move |event: PointerEvent| {
        let cell = at_of(&event).map(|at| (at, at));
        if event.pointer_type() != "touch" && cell != cx.state.hovered {
            cx.act(Action::Hover(cell));
        }
    })
}

fn out(cx: &Cx) -> Callback<PointerEvent> {
    let cx = cx.clone();
    Callback::from(move |event: PointerEvent| {
        if event.pointer_type() != "touch" {
            cx.act(Action::Hover(None));
        }
    })
}

fn paint(canvas: &HtmlCanvasElement, picture: &Picture) {
    let Some((context, width, _)) = sharp(canvas) else { return };
    let style = web_sys::window().and_then(|window| window.get_computed_style(canvas).ok().flatten());
    let color = style.and_then(|style| style.get_property_value("--train").ok()).unwrap_or_default();
    context.set_stroke_style_str(&color);
    context.set_line_width(1.5);
    let drawn = |query: usize, key: usize| {
        let row = if picture.direction == Direction::LooksAt { query } else { key };
        picture.rows.is_empty() || picture.rows.contains(&row)
    };
    let weight = |query: usize, key: usize| picture.maps.value(picture.plane, query, key);
    for (strength, strand) in strands(picture.maps.n(), picture.weakest, drawn, weight).iter().enumerate() {
        context.set_global_alpha((strength as f64 + 0.5) / STRENGTHS as f64);
        context.begin_path();
        for &(query, key) in strand {
            context.move_to(0.0, (query as f64 + 0.5) * ROW);
            context.line_to(width, (key as f64 + 0.5) * ROW);
        }
        context.stroke();
    }
}
