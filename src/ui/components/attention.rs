//! The user's sentence, its tokens, and all heads as small heatmaps.

use std::rc::Rc;

use wasm_bindgen::{Clamped, JsCast as _};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};
use yew::prelude::*;

use super::heatmap::Heatmap;
use super::{value_of, visible};
use crate::protocol::Command;
use crate::ui::app::Cx;
use crate::ui::draw::colors::{ColorMap, pixels};
use crate::ui::preferences;
use crate::ui::state::{Action, Maps};

#[component]
pub fn Attention(cx: &Cx) -> Html {
    let state = &cx.state;
    html! {
        <section class="panel attention" aria-labelledby="attention-title">
            <h2 id="attention-title">{"Attention"}</h2>
            {sentence(cx)}
            if let Some(maps) = state.shown_maps().filter(|maps| !maps.tokens.is_empty()) {
                <Chips ..cx.clone() />
                {grid(cx, &maps)}
                <Heatmap ..cx.clone() />
            } else if state.has_run() {
                <p class="count">{"Write a sentence above: its tokens and their attention appear here."}</p>
            } else {
                <p class="count">{"The heads appear here as soon as the model is built."}</p>
            }
        </section>
    }
}

fn sentence(cx: &Cx) -> Html {
    let input = {
        let cx = cx.clone();
        Callback::from(move |event: InputEvent| {
            let text = value_of(&event);
            cx.send(&Command::Probe { text: text.clone() });
            cx.act(Action::Probe(text));
        })
    };
    let colors = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let map = ColorMap::from_name(&value_of(&event));
            preferences::save("colors", map.name());
            cx.act(Action::ColorMap(map));
        })
    };
    let option = |map: ColorMap| {
        html! { <option value={map.name()} selected={cx.state.color_map == map}>{map.name()}</option> }
    };
    html! {
        <div class="sentence">
            <label class="wide">
                {"your sentence"}
                <input data-testid="probe-input" autocomplete="off" spellcheck="false" value={cx.state.probe.clone()}
                    oninput={input} />
            </label>
            <label>{"colours"}<select onchange={colors}>{for ColorMap::ALL.into_iter().map(option)}</select></label>
        </div>
    }
}

/// The tokens; with a query row under the pointer or pinned, their background shows what that query looks at.
#[component]
fn Chips(cx: &Cx) -> Html {
    let state = &cx.state;
    let Some(maps) = state.shown_maps() else { return html! {} };
    let query = state.query();
    let chip = |(at, token): (usize, &crate::protocol::Token)| {
        let weight = query.map(|query| (maps.weight(state.selected, query, at), at <= query));
        let style = match weight {
            Some((weight, true)) => format!("--weight:{weight:.3}"),
            _ => String::new(),
        };
        let class = classes!(
            "chip",
            (query == Some(at)).then_some("query"),
            (state.pinned == Some(at)).then_some("pinned"),
            matches!(weight, Some((_, false))).then_some("masked")
        );
        let title = format!("position {at}, id {}", token.id);
        let act = |action: Action| {
            let cx = cx.clone();
            Callback::from(move |_: MouseEvent| cx.act(action.clone()))
        };
        html! {
            <button data-testid="token-chip" {class} {style} {title} aria-pressed={(state.pinned == Some(at)).to_string()}
                onclick={act(Action::Pin(at))} onmouseenter={act(Action::Hover(Some((at, at))))}
                onmouseleave={act(Action::Hover(None))}>
                {visible(&token.text)}
            </button>
        }
    };
    html! {
        <div class="chips" role="group" aria-label="Tokens of your sentence">
            {for maps.tokens.iter().enumerate().map(chip)}
            if maps.tokens_cut > 0 {
                <span class="problem">{format!("{} more did not fit the context", maps.tokens_cut)}</span>
            }
        </div>
    }
}

fn grid(cx: &Cx, maps: &Rc<Maps>) -> Html {
    let state = &cx.state;
    let cell = |layer: usize, head: usize| {
        let select = {
            let cx = cx.clone();
            Callback::from(move |_: MouseEvent| cx.act(Action::Select(layer, head)))
        };
        let name = format!("L{} H{}", layer + 1, head + 1);
        let selected = state.selected == (layer, head);
        let off = state.ask.off.contains(&(layer, head));
        html! {
            <button key={name.clone()} class={classes!("head", selected.then_some("selected"), off.then_some("off"))} data-testid="head-map"
                data-layer={layer.to_string()} data-head={head.to_string()} aria-pressed={selected.to_string()}
                aria-label={format!("layer {}, head {}", layer + 1, head + 1)} onclick={select}>
                <Map maps={maps.clone()} at={(layer, head)} colors={state.color_map} hatched={state.mask_shown} />
                <span>{name}</span>
            </button>
        }
    };
    html! {
        <div class="heads" style={format!("--heads:{}", maps.n_heads)} role="group" aria-label="All heads">
            {for (0..maps.n_layers).flat_map(|layer| (0..maps.n_heads).map(move |head| (layer, head)))
                .map(|(layer, head)| cell(layer, head))}
        </div>
    }
}

/// What a heatmap's canvas shows.
#[derive(Clone, Properties)]
pub struct MapProps {
    /// All weights.
    pub maps: Rc<Maps>,
    /// (layer, head)
    pub at: (usize, usize),
    /// Colours.
    pub colors: ColorMap,
    /// Whether masked cells are hatched.
    pub hatched: bool,
}

impl PartialEq for MapProps {
    fn eq(&self, other: &Self) -> bool {
        let same = |props: &Self| (props.at, props.colors, props.hatched);
        Rc::ptr_eq(&self.maps, &other.maps) && same(self) == same(other)
    }
}

/// One head as a canvas of one pixel per cell, enlarged by the style sheet.
#[component]
pub fn Map(props: &MapProps) -> Html {
    let canvas = use_node_ref();
    {
        let canvas = canvas.clone();
        use_effect_with(props.clone(), move |MapProps { maps, at, colors, .. }| {
            if let Some(canvas) = canvas.cast::<HtmlCanvasElement>() {
                paint(&canvas, maps.head(*at), maps.tokens.len(), *colors);
            }
        });
    }
    html! { <canvas ref={canvas} class={classes!("map", props.hatched.then_some("hatched"))}></canvas> }
}

fn paint(canvas: &HtmlCanvasElement, weights: &[u8], n: usize, colors: ColorMap) {
    canvas.set_width(n as u32);
    canvas.set_height(n as u32);
    let context = canvas.get_context("2d").ok().flatten();
    let pixels = pixels(weights, n, colors);
    let image = ImageData::new_with_u8_clamped_array(Clamped(&pixels), n as u32);
    if let (Some(context), Ok(image)) = (context, image)
        && let Some(context) = context.dyn_ref::<CanvasRenderingContext2d>()
    {
        // Fails only for an image of a detached array, and this one is new.
        drop(context.put_image_data(&image, 0.0, 0.0));
    }
}
