//! The timeline: snapshots of the sentence, playback, and one pinned for comparison.

use wasm_bindgen::prelude::*;
use yew::prelude::*;

use super::compare_moments::CompareMoments;
use super::value_of;
use crate::app::Cx;
use crate::state::Action;
use crate::state::remember::{RememberAction, SPEEDS};
use crate::state::snapshots::Snapshots;

#[component]
pub fn Remember(cx: &Cx) -> Html {
    let remember = &cx.state.remember;
    {
        let cx = cx.clone();
        use_effect_with((remember.playing, remember.speed), move |&(playing, speed)| {
            let walk = move || cx.act(Action::Remember(RememberAction::Walk(1)));
            let stop = playing.then(|| every(1000 / speed.max(1) as i32, walk));
            move || stop.into_iter().for_each(|stop| stop())
        });
    }
    let Some(moments) = remember.moments.clone() else { return html! {} };
    html! {
        <section class="remember" aria-labelledby="remember-title">
            <h3 id="remember-title">{"Through training time"}</h3>
            {scrubber(cx, &moments)}
            {transport(cx, &moments)}
            <p class="count">{kept(&moments)}</p>
            <CompareMoments ..cx.clone() />
            
        </section>
    }
}

fn act(cx: &Cx, action: RememberAction) -> Callback<MouseEvent> {
    let cx = cx.clone();
    Callback::from(move |_| cx.act(Action::Remember(action.clone())))
}

fn scrubber(cx: &Cx, moments: &Snapshots) -> Html {
    let remember = &cx.state.remember;
    let (place, last) = (remember.place(), moments.len() - 1);
    let slide = {
        let cx = cx.clone();
        Callback::from(move |event: InputEvent| {
            // A slider's value always parses as a number.
            cx.act(Action::Remember(RememberAction::Show(value_of(&event).parse().unwrap_or(0))));
        })
    };
    let steps: Vec<u64> = moments.steps().collect();
    let step = remember.earlier.as_ref().map_or(steps[last], |maps| maps.step);
    let ticks = if last > 0 { vec![steps[0], steps[last / 2], steps[last]] } else { vec![steps[0]] };
    let spoken = if remember.earlier.is_some() { format!("step {step}") } else { format!("step {step}, live") };
    html! {
        <>
            <input class="scrub" type="range" min="0" max={last.to_string()} value={place.to_string()} oninput={slide}
                disabled={last == 0} data-testid="scrubber" aria-label="moment of the training"
                aria-valuetext={spoken} />
            <div class="ticks" aria-hidden="true">{for ticks.iter().map(|step| html! { <span>{step}</span> })}</div>
        </>
    }
}

fn transport(cx: &Cx, moments: &Snapshots) -> Html {
    let remember = &cx.state.remember;
    let (place, last) = (remember.place(), moments.len() - 1);
    let speed = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            if let Ok(speed) = value_of(&event).parse() {
                cx.act(Action::Remember(RememberAction::Speed(speed)));
            }
        })
    };
    let option = |speed: u32| {
        html! { <option value={speed.to_string()} selected={remember.speed == speed}>{format!("{speed} a second")}</option> }
    };
    let (play, label) = if remember.playing { (false, "stop film") } else { (true, "▶ film") };
    let shown = remember.earlier.as_ref().map(|maps| maps.step);
    html! {
        <div class="line">
            <button onclick={act(cx, RememberAction::Walk(-1))} disabled={place == 0} data-testid="moment-back"
                title="<" aria-label="earlier moment">{"◀"}</button>
            <button onclick={act(cx, RememberAction::Walk(1))} disabled={shown.is_none()} data-testid="moment-on"
                title=">" aria-label="later moment">{"▶"}</button>
            <button onclick={act(cx, RememberAction::Play(play))} disabled={last == 0} data-testid="film">{label}</button>
            <select onchange={speed} aria-label="moments a second of the film">{for SPEEDS.into_iter().map(option)}</select>
            <button onclick={act(cx, RememberAction::Hold)} data-testid="hold"
                title="keep this moment beside those you show next, also in the next run">{"hold as A"}</button>
            <span>
                if let Some(step) = shown {
                    <span class="moment" data-testid="moment">
                        {format!("step {step}, not live ")}
                        <button onclick={act(cx, RememberAction::Live)} data-testid="live">{"back to live"}</button>
                    </span>
                } else {
                    <span class="moment live" data-testid="moment">{"live"}</span>
                }
            </span>
        </div>
    }
}

fn kept(moments: &Snapshots) -> String {
    let mebibytes = moments.bytes() as f64 / f64::from(1 << 20);
    let stride = match moments.stride() {
        1 => "every snapshot".to_string(),
        stride => format!("one of {stride} snapshots"),
    };
    let first = moments.steps().next().unwrap_or(0);
    let moments_are = if moments.len() == 1 { "moment" } else { "moments" };
    format!(
        "{} {moments_are} of this sentence since step {first}: {stride}, {mebibytes:.1} MiB. Another sentence begins moments of \
         its own; the last few sentences keep theirs until the next run.",
        moments.len()
    )
}

/// Calls `tick` every `ms` milliseconds until the returned function is called.
fn every(ms: i32, tick: impl Fn() + 'static) -> impl FnOnce() {
    let closure: Closure<dyn Fn()> = Closure::new(tick);
    let callback = closure.as_ref().unchecked_ref();
    let window = web_sys::window();
    let id = window
        .as_ref()
        .and_then(|window| window.set_interval_with_callback_and_timeout_and_arguments_0(callback, ms).ok());
    move || {
        if let Some((window, id)) = window.zip(id) {
            window.clear_interval_with_handle(id);
        }
        drop(closure);
    }
}
