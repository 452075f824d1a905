//! A switch that keeps the screen, and thereby the computer, awake while a run trains.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Reflect;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::core::context::{Cx, on_window};
use crate::core::{preferences, store};
use crate::state::RunState;

/// The key of the choice in the preferences.
const PREFERENCE: &str = "stay_awake";
const ON: &str = "on";

const REFUSED: &str = "This browser does not keep the screen on: when the computer goes to sleep the run stops, and goes \
    on when it wakes.";

/// The state of the wake lock.
enum Lock {
    Asked,
    Held(JsValue),
    /// No longer wanted.
    Over,
}

#[component]
pub fn Awake(cx: &Cx) -> Html {
    let on = use_state(|| preferences::load(PREFERENCE).is_some_and(|on| on == ON));
    let refused = use_state(|| false);
    // Hiding the page releases the lock, so it is requested again when the page is shown.
    let turned = use_state(js_sys::Date::now);
    {
        let turned = turned.clone();
        use_effect_with((), move |()| on_window("visibilitychange", move |_| turned.set(js_sys::Date::now())));
    }
    let held = *on && cx.state.run_state == RunState::Training;
    {
        let refused = refused.clone();
        use_effect_with((held, *turned), move |&(held, _)| {
            let lock = Rc::new(RefCell::new(Lock::Asked));
            if held {
                spawn_local(ask(lock.clone(), refused));
            }
            move || release(lock.replace(Lock::Over))
        });
    }
    let toggle = {
        let (on, refused) = (on.clone(), refused.clone());
        Callback::from(move |_: Event| {
            preferences::save(PREFERENCE, if *on { "off" } else { ON });
            refused.set(false);
            on.set(!*on);
        })
    };
    html! {
        <>
            <label class="beside" title="Asks the browser to keep the screen and the computer awake while a run trains.">
                <input type="checkbox" data-testid="stay-awake" checked={*on} onchange={toggle} />
                {"Keep the screen on while training"}
            </label>
            <div role="status">
                if *on && *refused { <p class="pending" data-testid="stay-awake-refused">{REFUSED}</p> }
            </div>
        </>
    }
}

async fn ask(lock: Rc<RefCell<Lock>>, refused: UseStateHandle<bool>) {
    let navigator = web_sys::window().map_or(JsValue::UNDEFINED, |window| window.navigator().into());
    let locks = Reflect::get(&navigator, &"wakeLock".into()).unwrap_or_default();
    match store::ask(&locks, "request", &["screen".into()]).await {
        Ok(held) if matches!(*lock.borrow(), Lock::Over) => release(Lock::Held(held)),
        Ok(held) => drop(lock.replace(Lock::Held(held))),
        Err(_) => refused.set(true),
    }
}

fn release(lock: Lock) {
    if let Lock::Held(held) = lock {
        // A lock that the browser has revoked counts as released.
        spawn_local(async move { drop(store::ask(&held, "release", &[]).await) });
    }
}
