//! Paints figures on canvases.

use wasm_bindgen::{Clamped, JsCast as _, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};

use super::figure::{Figure, Shape};

/// A canvas that is not attached to the page.
///
/// # Errors
/// When there is no document.
pub fn new_canvas() -> Result<HtmlCanvasElement, JsValue> {
    let document = web_sys::window().and_then(|window| window.document()).ok_or(JsValue::NULL)?;
    Ok(document.create_element("canvas")?.unchecked_into())
}

fn context(canvas: &HtmlCanvasElement) -> Result<CanvasRenderingContext2d, JsValue> {
    Ok(canvas.get_context("2d")?.ok_or(JsValue::NULL)?.unchecked_into())
}

/// Puts RGBA pixels of n × n cells on a canvas, one pixel per cell.
///
/// # Errors
/// When the browser refuses a canvas.
pub fn put_cells(canvas: &HtmlCanvasElement, cells: &[u8], n: usize) -> Result<(), JsValue> {
    canvas.set_width(n as u32);
    canvas.set_height(n as u32);
    let image = ImageData::new_with_u8_clamped_array(Clamped(cells), n as u32)?;
    context(canvas)?.put_image_data(&image, 0.0, 0.0)
}

/// Paints a figure with `scale` device pixels per figure pixel.
///
/// # Errors
/// When the browser refuses a canvas.
pub fn paint(canvas: &HtmlCanvasElement, figure: &Figure, scale: f64) -> Result<(), JsValue> {
    let [width, height] = figure.size();
    // Video encoders require even dimensions.
    let even = |length: f64| 2 * (length * scale / 2.0).ceil() as u32;
    canvas.set_width(even(width));
    canvas.set_height(even(height));
    let context = context(canvas)?;
    context.set_fill_style_str("#ffffff");
    context.fill_rect(0.0, 0.0, f64::from(even(width)), f64::from(even(height)));
    context.scale(scale, scale)?;
    context.set_image_smoothing_enabled(false);
    context.set_text_baseline("middle");
    for shape in figure.shapes() {
        match shape {
            Shape::Rect([x, y, w, h], [r, g, b]) => {
                context.set_fill_style_str(&format!("rgb({r},{g},{b})"));
                context.fill_rect(x, y, w, h);
            }
            Shape::Text { at: [x, y], text, small, end, up } => {
                context.set_fill_style_str("#1d2126");
                context.set_font(if small { "10px ui-monospace, monospace" } else { "14px ui-monospace, monospace" });
                context.set_text_align(if end { "right" } else { "left" });
                context.save();
                context.translate(x, y)?;
                if up {
                    context.rotate(-std::f64::consts::FRAC_PI_2)?;
                }
                context.fill_text(&text, 0.0, 0.0)?;
                context.restore();
            }
            Shape::Cells([x, y, side]) => {
                hatch(&context, [x, y, side]);
                let cells = new_canvas()?;
                put_cells(&cells, &figure.cells, figure.tokens.len())?;
                context.draw_image_with_html_canvas_element_and_dw_and_dh(&cells, x, y, side, side)?;
            }
        }
    }
    Ok(())
}

/// The RGBA pixels of a canvas, from its upper left corner.
///
/// # Errors
/// When the browser is out of memory.
pub fn read(canvas: &HtmlCanvasElement, [width, height]: [u16; 2]) -> Result<Vec<u8>, JsValue> {
    Ok(context(canvas)?.get_image_data(0.0, 0.0, f64::from(width), f64::from(height))?.data().0)
}

/// Draws the hatched background of masked cells.
fn hatch(context: &CanvasRenderingContext2d, [x, y, side]: [f64; 3]) {
    context.set_fill_style_str("#efefec");
    context.fill_rect(x, y, side, side);
    context.save();
    context.begin_path();
    context.rect(x, y, side, side);
    context.clip();
    context.set_stroke_style_str("#b9bcbb");
    context.begin_path();
    let mut offset = 0.0;
    while offset < 2.0 * side {
        context.move_to(x + offset, y);
        context.line_to(x + offset - side, y + side);
        offset += 7.0;
    }
    context.stroke();
    context.restore();
}
