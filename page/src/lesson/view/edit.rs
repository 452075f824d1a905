//! The field for editing a number of X.

use wasm_bindgen::JsCast as _;
use web_sys::{HtmlElement, HtmlInputElement, KeyboardEvent};
use yew::prelude::*;

use crate::core::context::Cx;
use crate::lesson::view::act;
use crate::shared::value_of;
use crate::state::Action;
use crate::state::lesson::LessonAction;
use glasshead::types::lesson::{EMBEDDINGS, WORDS};

/// The key under which refused text of this field is stored.
const FIELD: &str = "lesson x";

/// Shown while a number of X is being edited; Enter and Escape close it and return the focus to the cell.
#[component]
pub fn EditX(cx: &Cx) -> Html {
    let field = use_node_ref();
    let edited = cx.state.lesson.edited;
    {
        let (field, x) = (field.clone(), cx.state.lesson.x.clone());
        use_effect_with(edited, move |&edited| {
            // The field keeps what is typed, including incomplete numbers, so its text is set only once, here.
            if let Some((place, field)) = edited.zip(field.cast::<HtmlInputElement>()) {
                field.set_value(&x.get(place).copied().unwrap_or_default().to_string());
                drop(field.focus()); // focusing an attached element cannot fail
                field.select();
            }
        });
    }
    let Some(place) = edited else { return Html::default() };
    let width = EMBEDDINGS.len() / WORDS.len();
    let (row, col) = (place / width, place % width);
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: InputEvent| {
            let typed = value_of(&event);
            match typed.trim().replace(',', ".").parse::<f32>() {
                Ok(value) if value.is_finite() => {
                    cx.act(Action::Accept(FIELD));
                    act(&cx, LessonAction::Embedding(place, value));
                }
                _ => {
                    let problem =
                        format!("X keeps its number while the field holds “{typed}”; enter a number up to 3.4e38");
                    cx.act(Action::Refuse(FIELD, typed, problem));
                }
            }
        })
    };
    let close = {
        let cx = cx.clone();
        move || {
            cx.act(Action::Accept(FIELD));
            act(&cx, LessonAction::Edit(None));
            go_back(row, col);
        }
    };
    let keys = {
        let close = close.clone();
        Callback::from(move |event: KeyboardEvent| {
            if matches!(event.key().as_str(), "Enter" | "Escape") {
                event.prevent_default();
                event.stop_propagation();
                close();
            }
        })
    };
    let refused = cx.state.refused(FIELD);
    html! {
        <>
        <p class="line edit">
            <label class="beside">{format!("X, row “{}”, column {}", WORDS[row], col + 1)}
                <input ref={field} inputmode="decimal" autocomplete="off" size="8" data-testid="lesson-x"
                    oninput={change} onkeydown={keys} aria-invalid={refused.map(|_| "true")} />
            </label>
            <button onclick={Callback::from(move |_: MouseEvent| close())}>{"done"}</button>
        </p>
        if let Some(refused) = refused { <p class="problem" role="alert">{&refused.problem}</p> }
        </>
    }
}

/// Returns the focus to the cell.
fn go_back(row: usize, col: usize) {
    let selector = format!("[data-editable] td[data-row='{row}'][data-col='{col}']");
    let document = web_sys::window().and_then(|window| window.document());
    let cell = document.and_then(|document| document.query_selector(&selector).ok().flatten());
    if let Some(cell) = cell.and_then(|cell| cell.dyn_into::<HtmlElement>().ok()) {
        drop(cell.focus()); // focusing an attached element cannot fail
    }
}
