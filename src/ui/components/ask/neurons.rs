//! The products behind q·k: one row per key, one coloured bar per dimension.

use std::rc::Rc;

use wasm_bindgen::{Clamped, JsCast as _};
use web_sys::{CanvasRenderingContext2d, Element, HtmlCanvasElement, ImageData};
use yew::prelude::*;

use super::{arithmetic, explain};
use crate::ui::app::Cx;
use crate::ui::components::visible;
use crate::ui::draw::signed::signed_pixels;
use crate::ui::state::arithmetic::{Row, products};
use crate::ui::state::ask::Head;

#[component]
pub fn Neurons(cx: &Cx) -> Html {
    let pointed = use_state(|| None::<(usize, usize)>);
    let area = use_node_ref();
    let Some((maps, head, query, _)) = arithmetic::cell(cx) else { return arithmetic::hint() };
    let Some(row) = Row::of(&head.rows, query) else { return arithmetic::hint() };
    let (n, d) = (query + 1, head.rows.d_head);
    let over = {
        let (pointed, area) = (pointed.clone(), area.clone());
        Callback::from(move |event: PointerEvent| {
            let Some(element) = area.cast::<Element>() else { return };
            let rect = element.get_bounding_client_rect();
            let index =
                |offset: f64, size: f64, n: usize| ((offset / size.max(1.0) * n as f64).max(0.0) as usize).min(n - 1);
            let key = index(f64::from(event.client_y()) - rect.top(), rect.height(), n);
            pointed.set(Some((key, index(f64::from(event.client_x()) - rect.left(), rect.width(), d))));
        })
    };
    let keys = {
        let pointed = pointed.clone();
        Callback::from(move |event: KeyboardEvent| {
            let (key, at) = pointed.unwrap_or((0, 0));
            let to = match event.key().as_str() {
                "ArrowUp" => (key.saturating_sub(1), at),
                "ArrowDown" => ((key + 1).min(n - 1), at),
                "ArrowLeft" => (key, at.saturating_sub(1)),
                "ArrowRight" => (key, (at + 1).min(d - 1)),
                _ => return,
            };
            event.prevent_default();
            pointed.set(Some(to));
        })
    };
    let readout = pointed.filter(|&(key, at)| key < n && at < d).and_then(|(key, at)| {
        let (q, k, product) = products(&head.rows, query, key).nth(at)?;
        let token = visible(&maps.tokens[key].text);
        Some(format!("dimension {at}, key “{token}” ({key}): q {q:.3} × k {k:.3} = {product:.3}"))
    });
    let of = |key: usize| html! { <span>{format!("{:.2}", row.dots[key])}</span> };
    html! {
        <div data-testid="neurons">
            <p>
                {format!("“{}” at position {query} against each key: every column is one of {d} dimensions",
                    visible(&maps.tokens[query].text))}{explain(cx, "query")}
            </p>
            <p class="readout" aria-live="polite">{readout.unwrap_or_else(|| "Point at a bar for its numbers.".into())}</p>
            <div class="neurons" style={format!("--rows:{n}")}>
                <div class="names" aria-hidden="true">
                    {for maps.tokens[..n].iter().map(|token| html! { <span>{visible(&token.text)}</span> })}
                </div>
                <div ref={area} class="products" tabindex="0" role="application" onpointermove={over} onkeydown={keys}
                    aria-label="products of query and key per dimension; arrow keys walk them">
                    <Products head={head.clone()} {query} />
                </div>
                <div class="dots" aria-hidden="true">{for (0..n).map(of)}</div>
            </div>
            <p class="count">{"blue: pulls q·k down, orange: pushes it up; at the right, q·k"}</p>
        </div>
    }
}

#[derive(Properties)]
struct ProductsProps {
    head: Rc<Head>,
    query: usize,
}

impl PartialEq for ProductsProps {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.head, &other.head) && self.query == other.query
    }
}

/// A canvas of one pixel per product.
#[component]
fn Products(props: &ProductsProps) -> Html {
    let canvas = use_node_ref();
    {
        let (canvas, head, query) = (canvas.clone(), props.head.clone(), props.query);
        use_effect_with((Rc::as_ptr(&props.head) as usize, query), move |_| {
            let all: Vec<f32> =
                (0..=query).flat_map(|key| products(&head.rows, query, key).map(|(_, _, product)| product)).collect();
            if let Some(canvas) = canvas.cast::<HtmlCanvasElement>() {
                put_pixels(&canvas, &signed_pixels(&all), head.rows.d_head, query + 1);
            }
        });
    }
    html! { <canvas ref={canvas}></canvas> }
}

fn put_pixels(canvas: &HtmlCanvasElement, pixels: &[u8], width: usize, height: usize) {
    canvas.set_width(width as u32);
    canvas.set_height(height as u32);
    let context = canvas.get_context("2d").ok().flatten();
    let image = ImageData::new_with_u8_clamped_array(Clamped(pixels), width as u32);
    if let (Some(context), Ok(image)) = (context, image)
        && let Some(context) = context.dyn_ref::<CanvasRenderingContext2d>()
    {
        // Fails only for an image of a detached array, and this one is new.
        drop(context.put_image_data(&image, 0.0, 0.0));
    }
}
