//! The sealed prediction: its numbers, its check run, and the predictions before it.

use js_sys::Date;
use yew::prelude::*;

use super::fits::Fitted;
use super::geometry::{amount, clock, flops};
use super::state::{Scale, ScaleAction};
use super::steps::Stage;
use crate::core::context::Cx;
use crate::overlay::icon::icon as overlay_icon;
use crate::shared::entry::Entry;
use crate::shared::icon::{Icon, icon};
use crate::shared::value_of;
use crate::state::Action;
use glasshead::scaling::check::History;
use glasshead::scaling::sealed::{Afterwards, Prediction, Sealed};

/// Seconds since 1970.
fn now() -> u64 {
    (Date::now() / 1000.0) as u64
}

/// The time of day of a prediction.
fn time(unix_s: u64) -> String {
    let date = Date::new(&(1000.0 * unix_s as f64).into());
    format!("{:02}:{:02}", date.get_hours(), date.get_minutes())
}

#[derive(Clone, Properties, PartialEq)]
pub struct SealProps {
    pub cx: Cx,
    /// Number of bracketed budgets, and of all.
    pub bracketed: (usize, usize),
}

#[component]
pub fn SealTile(props: &SealProps) -> Html {
    let SealProps { cx, bracketed } = props;
    let scale = &cx.state.scale;
    let reason = use_state(|| None::<String>);
    let latest = scale.sweep.history.sealed.last();
    let open = scale.sweep.history.open().is_some();
    let tag = latest.map(|sealed| match scale.sweep.history.after(sealed) {
        None => ("warn", format!("Sealed {}", time(sealed.prediction.time_unix_s))),
        Some(Afterwards::Checked { inside: true, .. }) => ("good", "Checked".into()),
        Some(Afterwards::Checked { .. }) => ("bad", "Checked: outside the interval".into()),
        Some(Afterwards::Broken { .. }) => ("bad", "Seal broken".into()),
    });
    html! {
        <section class="tile seal" aria-labelledby="seal-title">
            <header>
                <h2 id="seal-title">{overlay_icon("lock")}{" Sealed prediction"}</h2>
                <span class="grow"></span>
                if let Some((class, text)) = tag {
                    <span class={classes!("tag", class)} data-testid="seal-state" title={latest.map(|sealed| format!("SHA-256 {}", sealed.hash))}>{text}</span>
                }
            </header>
            <div class="body">
                {match latest {
                    Some(sealed) => numbers(sealed),
                    None => html! { <p class="muted">{"A prediction for three times the largest budget is stored with its time and hash before its \
                        check run may start. Afterwards it can no longer be edited."}</p> },
                }}
                {steps(cx, *bracketed)}
                {history(scale)}
                <div class="row actions">{actions(cx, open, &reason)}</div>
            </div>
        </section>
    }
}

fn numbers(sealed: &Sealed) -> Html {
    let Prediction { budget, n_optimal, n_interval, n_params, tokens, loss, interval, .. } = sealed.prediction;
    let half = 0.5 * (interval.high - interval.low);
    html! {
        <>
            <div class="seal-numbers" data-testid="seal-numbers">
                <div><span>{"For a budget of"}</span><b>{flops(budget)}<small>{" FLOPs"}</small></b></div>
                <div><span>{"Best size"}</span><b>{amount(n_optimal)}<small>{format!(" {}–{}", amount(n_interval.low), amount(n_interval.high))}</small></b></div>
                <div><span>{"Tokens"}</span><b>{amount(tokens as f64)}</b></div>
                <div><span>{"Held-out loss"}</span><b>{format!("{loss:.3}")}<small title={format!("95 %: {:.3} to {:.3}", interval.low, interval.high)}>{format!(" ± {half:.3}")}</small></b></div>
            </div>
            <p class="tiny muted mono hash" title={format!("SHA-256 of the prediction; the check run trains {n_params} parameters")}>
                {sealed.hash.chars().take(32).collect::<String>()}{"…"}
            </p>
        </>
    }
}

fn steps(cx: &Cx, (inside, of): (usize, usize)) -> Html {
    let scale = &cx.state.scale;
    let latest = scale.sweep.history.sealed.last();
    let after = latest.and_then(|sealed| scale.sweep.history.after(sealed));
    let done = |done: bool, now: bool, text: String| {
        let class = if done {
            "done"
        } else if now {
            "now"
        } else {
            ""
        };
        html! {
            <li {class}>
                if done { {icon(Icon::Check)} } else if now { <span class="spin"></span> } else { <span class="ring"></span> }{text}
            </li>
        }
    };
    let fit = format!("{inside} of {of} minima bracketed");
    let checking = scale.stage() == Stage::Checking;
    let check = match after {
        Some(Afterwards::Checked { loss, error, .. }) => format!("Measured {loss:.3}: off by {:+.2} %", 100.0 * error),
        Some(Afterwards::Broken { reason, .. }) => format!("Seal broken: {reason}"),
        None if checking => {
            let step = cx
                .state
                .queue
                .running()
                .map_or(String::new(), |item| format!(", step {} of {}", item.step(), item.run.total_steps()));
            format!("Check run{step}")
        }
        None => scale
            .sweep
            .plan
            .as_ref()
            .map_or("Check run".into(), |plan| format!("Check run, about {}", clock(plan.check_s))),
    };
    html! {
        <ol class="seal-steps">
            {done(inside >= 2 && scale.sweep.tuned, false, fit)}
            {done(latest.is_some(), false, if latest.is_some() { "Prediction sealed; it can no longer be edited".into() } else { "Prediction".into() })}
            {done(matches!(after, Some(Afterwards::Checked { .. })), checking, check)}
        </ol>
    }
}

fn history(scale: &Scale) -> Html {
    let sweep = &scale.sweep;
    let present = sweep.history.sealed.len();
    let row = |name: &str, history: &History, sealed: &Sealed| {
        let (measured, off, class) = match history.after(sealed) {
            Some(Afterwards::Checked { loss, error, inside, .. }) => {
                (format!("{loss:.3}"), format!("{:+.1} %", 100.0 * error), if *inside { "good" } else { "bad" })
            }
            Some(Afterwards::Broken { .. }) => ("–".into(), "seal broken".into(), "bad"),
            None => ("–".into(), "–".into(), ""),
        };
        html! {
            <tr>
                <th scope="row">{format!("{name} · {}", flops(sealed.prediction.budget))}</th>
                <td>{format!("{:.3}", sealed.prediction.loss)}</td><td>{measured}</td><td {class}>{off}</td>
            </tr>
        }
    };
    let earlier = sweep
        .earlier
        .iter()
        .flat_map(|(name, history)| history.sealed.iter().map(move |sealed| row(name, history, sealed)));
    let name = format!("Sweep {}", sweep.number);
    let own = sweep.history.sealed.iter().take(present).map(|sealed| row(&name, &sweep.history, sealed));
    let rows: Vec<Html> = own.chain(earlier).collect();
    if rows.is_empty() {
        return html! {};
    }
    html! {
        <div class="table"><table data-testid="seal-history">
            <thead><tr><th scope="col">{"Predictions"}</th><th scope="col">{"Predicted"}</th><th scope="col">{"Measured"}</th><th scope="col">{"Off by"}</th></tr></thead>
            <tbody>{for rows}</tbody>
        </table></div>
    }
}

fn actions(cx: &Cx, open: bool, reason: &UseStateHandle<Option<String>>) -> Html {
    let scale = &cx.state.scale;
    let stage = scale.stage();
    if let Some(text) = &**reason {
        let typed = {
            let reason = reason.clone();
            Callback::from(move |event: InputEvent| reason.set(Some(value_of(&event))))
        };
        let keep = {
            let reason = reason.clone();
            Callback::from(move |_: MouseEvent| reason.set(None))
        };
        let (text, then) = (text.clone(), reason.clone());
        let broken = cx.call(move |cx, _: MouseEvent| {
            let said = if text.trim().is_empty() { "no reason given".into() } else { text.trim().to_string() };
            cx.act(Action::Scale(ScaleAction::BreakSeal(said, now())));
            then.set(None);
        });
        return html! {
            <>
                <Entry value="" label="Reason" placeholder="Reason, which stays in the history" inputmode="text" oninput={typed} onchange={Callback::noop()} />
                <button data-testid="break-now" onclick={broken}>{"Break the seal"}</button>
                <button onclick={keep}>{"Keep it"}</button>
            </>
        };
    }
    let seal = cx.call(|cx, _: MouseEvent| cx.act(Action::Scale(ScaleAction::Seal(now()))));
    let check = cx.on(Action::Scale(ScaleAction::Check));
    let ask = {
        let reason = reason.clone();
        Callback::from(move |_: MouseEvent| reason.set(Some(String::new())))
    };
    html! {
        <>
            if stage == Stage::Complete {
                <button data-testid="seal" class="primary" onclick={seal}>{"Seal a prediction"}</button>
            }
            if stage == Stage::Sealed {
                <button data-testid="check" class="primary" onclick={check}>{"Start the check run"}</button>
            }
            if open { <button data-testid="break-seal" onclick={ask}>{"Break the seal…"}</button> }
        </>
    }
}

/// The loss that the latest check run measured.
pub fn measured(scale: &Scale) -> Option<f64> {
    match scale.sweep.history.after(scale.sweep.history.sealed.last()?)? {
        Afterwards::Checked { loss, .. } => Some(*loss),
        Afterwards::Broken { .. } => None,
    }
}

/// The exponent for the top bar and the header of a chart.
pub fn exponent(fitted: &Fitted) -> Option<String> {
    let (value, interval) = fitted.exponent?;
    let interval = interval.map_or(String::new(), |[low, high]| format!(" ({low:.2} to {high:.2})"));
    Some(format!("exponent {value:.2}{interval}"))
}
