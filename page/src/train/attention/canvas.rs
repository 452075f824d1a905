//! A table of numbers as a canvas with one pixel per cell, enlarged by the style sheet. Painted only when its contents
//! have changed, in the next animation frame, without going through the virtual DOM.

use wasm_bindgen::{Clamped, JsCast as _};
use web_sys::{CanvasRenderingContext2d, Element, HtmlCanvasElement, ImageData};
use yew::prelude::*;

use crate::draw::colors::Rgb;
use crate::draw::frame;
use crate::draw::heat::{ColorScale, pixels, shrunk};
use crate::state::Theme;
use crate::state::shown::Table;

/// Maximum side length of a thumbnail, in pixels.
const SMALL: usize = 96;

/// What a canvas shows.
#[derive(Clone, PartialEq, Properties)]
pub struct MapProps {
    /// The numbers.
    pub table: Table,
    /// How numbers become colors.
    pub scale: ColorScale,
    /// Whether masked cells are hatched.
    pub hatched: bool,
    /// Whether it is a thumbnail.
    #[prop_or(false)]
    pub small: bool,
    /// The theme, which sets the color that faded cells fade to.
    pub theme: Theme,
}

#[component]
pub fn Map(props: &MapProps) -> Html {
    let canvas = use_node_ref();
    let key = *use_memo((), |()| frame::new_key());
    {
        let canvas = canvas.clone();
        use_effect_with(props.clone(), move |props| {
            let (props, urgent) = (props.clone(), !props.small);
            frame::soon(key, urgent, move || {
                if let Some(canvas) = canvas.cast::<HtmlCanvasElement>() {
                    paint(&canvas, &props);
                }
            });
        });
    }
    html! { <canvas ref={canvas} class={classes!("map", props.hatched.then_some("hatched"))}></canvas> }
}

fn paint(canvas: &HtmlCanvasElement, props: &MapProps) {
    let paper = if props.scale.threshold > 0.0 { color_of(canvas, "--mask-a") } else { None };
    let scale = ColorScale { paper: paper.unwrap_or(props.scale.paper), ..props.scale }.on_page(page_is_dark());
    match &props.table {
        Table::Weights(maps, plane) if props.small => {
            let (n, weights) = shrunk(&maps.plane(*plane), maps.n(), SMALL);
            let weight = |row: usize, column: usize| f32::from(weights.get(row * n + column).copied().unwrap_or(0));
            put(canvas, n, &pixels(n, maps.causal, &scale, |row, column| weight(row, column) / 255.0));
        }
        table => put(canvas, table.n(), &table.pixels(&scale)),
    }
}

fn put(canvas: &HtmlCanvasElement, n: usize, pixels: &[u8]) {
    let side = n as u32;
    if canvas.width() != side || canvas.height() != side {
        canvas.set_width(side);
        canvas.set_height(side);
    }
    let context = canvas.get_context("2d").ok().flatten();
    let image = ImageData::new_with_u8_clamped_array(Clamped(pixels), side);
    if let (Some(context), Ok(image)) = (context, image)
        && let Some(context) = context.dyn_ref::<CanvasRenderingContext2d>()
    {
        // Fails only for detached image data; this array is new.
        drop(context.put_image_data(&image, 0.0, 0.0));
    }
}

/// Whether the page is dark, by the theme or by the system.
pub fn page_is_dark() -> bool {
    let root = web_sys::window().and_then(|window| window.document()?.document_element());
    root.and_then(|root| color_of(&root, "--pane")).is_some_and(|[red, _, _]| red < 128)
}

/// The computed value of a registered CSS color property on an element.
fn color_of(element: &Element, name: &str) -> Option<Rgb> {
    let style = web_sys::window()?.get_computed_style(element).ok()??;
    let text = style.get_property_value(name).ok()?;
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok());
    Some([numbers.next()?, numbers.next()?, numbers.next()?])
}
