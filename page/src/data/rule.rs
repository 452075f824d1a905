//! The selected rule: the histogram of its values with the limit, and the settings of its stage.

use yew::prelude::*;

use super::charts::{line, text};
use super::draw::{Axes, bin_height, histogram_range, short, ticks};
use super::drawer::stage_fields;
use super::names;
use super::state::{DataViewAction, Source};
use super::top::{act, picked};
use super::worker;
use crate::core::context::Cx;
use crate::shared::size::use_size;
use crate::shared::{grouped, value_of};
use glasshead_filter::rules::Bound;
use glasshead_filter::settings::Stage;
use glasshead_filter::wire::{Examples, Histogram, Request};

/// Changes a setting; the view sends it to the worker.
pub fn set(cx: &Cx, path: &str, text: String) {
    act(cx, DataViewAction::Set(path.into(), text));
}

#[component]
pub fn RuleTile(cx: &Cx) -> Html {
    let view = &cx.state.filters;
    let stage = view.stage;
    let rules: Vec<&'static str> = names::rules(stage).collect();
    let choose = cx.call(|cx, event: Event| act(cx, DataViewAction::Rule(value_of(&event))));
    let counts =
        view.funnel.as_ref().and_then(|funnel| funnel.stages.iter().find(|count| count.stage == stage).cloned());
    let dropped = counts.as_ref().map_or(0, |count| count.dropped);
    html! {
        <section class="tile data-rule" aria-label="Rule">
            <header>
                <h2>{names::stage(stage)}</h2>
                if rules.len() > 1 {
                    <select aria-label="Rule" data-testid="data-rule" onchange={choose}>
                        {for rules.iter().map(|rule| html! {
                            <option value={*rule} selected={*rule == view.rule}>{names::rule(stage, rule)}</option>
                        })}
                    </select>
                } else if let Some(rule) = rules.first() {
                    <small>{names::rule(stage, rule)}</small>
                }
                <span class="grow"></span>
                <span class={classes!("tag", (dropped > 0).then_some("bad"))} data-testid="data-dropped">{format!("{} dropped", grouped(dropped))}</span>
            </header>
            if rules.is_empty() {
                <div class="body"><p class="count">{names::about(stage)}</p>{stage_fields(cx, stage, false)}</div>
            } else {
                <HistogramPlot ..cx.clone() />
                if stage == Stage::Quality { <Classifier ..cx.clone() /> }
            }
        </section>
    }
}

/// The histogram with the limit on it.
#[component]
fn HistogramPlot(cx: &Cx) -> Html {
    let view = &cx.state.filters;
    let node = use_node_ref();
    let (width, height) = use_size(&node);
    let Some((path, limit)) = view.limit() else { return html! { <div class="plot data-histogram" ref={node}></div> } };
    let Some(histogram) = view.histogram.as_deref() else {
        return html! { <div class="plot data-histogram" ref={node}><p class="empty">{"No page has a value of this rule."}</p></div> };
    };
    let (from, to) = histogram_range(histogram, Some(limit));
    let step = (to - from) / 400.0;
    let oninput = cx.call(move |cx, event: InputEvent| {
        if let Ok(value) = value_of(&event).parse::<f64>() {
            set(cx, path, rounded(value, step));
        }
    });
    let typed = cx.call(move |cx, event: Event| set(cx, path, value_of(&event)));
    let (word, side) = match histogram.bound {
        Bound::Min => ("drop below", "at least"),
        Bound::Max => ("drop above", "at most"),
    };
    let refused = view.refused.as_ref().filter(|refused| refused.path == path);
    let label = format!("{}, {side}", names::rule(view.stage, &view.rule));
    html! {
        <>
            <div class="plot data-histogram" ref={node}>
                if width > 0 { {bars(histogram, limit, (from, to), (width.into(), height.into()), word)} }
                <input type="range" class="data-limit" data-testid="data-limit" aria-label={label.clone()} min={from.to_string()} max={to.to_string()}
                    step={step.to_string()} value={limit.to_string()} {oninput} />
            </div>
            <div class="data-limit-row">
                <label class="beside">{format!("Limit: {word}")}
                    <input inputmode="decimal" data-testid="data-limit-field" value={short_exact(limit)} onchange={typed}
                        aria-invalid={refused.is_some().then_some("true")} /></label>
                <code class="tiny muted">{path}</code>
                if let Some(refused) = refused { <small class="problem" role="alert">{&refused.message}</small> }
            </div>
        </>
    }
}

/// A limit rounded to the step of the slider.
fn rounded(value: f64, step: f64) -> String {
    let decimals = (-step.log10()).ceil().clamp(0.0, 8.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

fn short_exact(value: f64) -> String {
    if value.abs() >= 1e9 { format!("{value:e}") } else { value.to_string() }
}

fn bars(histogram: &Histogram, limit: f64, range: (f64, f64), size: (f64, f64), word: &'static str) -> Html {
    let axes = Axes { x: range, y: (0.0, 1.0), size, margins: [14.0, 14.0, 26.0, 22.0] };
    let (low, high) = histogram.range;
    let n = histogram.bins.len() as f64;
    let edge = |at: f64| axes.at_x(low + (high - low) * at / n);
    let drops = |value: f64| match histogram.bound {
        Bound::Min => value < limit,
        Bound::Max => value > limit,
    };
    let bar = |(at, count): (usize, &u32)| {
        if *count == 0 {
            return html! {};
        }
        let (x, right) = (edge(at as f64) + 0.5, edge(at as f64 + 1.0) - 0.5);
        let y = axes.at_y(bin_height(histogram, at));
        let gone = drops(low + (high - low) * (at as f64 + 0.5) / n);
        html! {
            <rect class={if gone { "gone" } else { "kept" }} x={format!("{x:.1}")} y={format!("{y:.1}")} rx="1"
                width={format!("{:.1}", (right - x).max(1.0))} height={format!("{:.1}", (size.1 - 22.0 - y).max(1.0))} />
        }
    };
    let x = axes.at_x(limit);
    let (left, right) = match histogram.bound {
        Bound::Min => (format!("{word} {}", short(limit)), "keep".to_string()),
        Bound::Max => ("keep".to_string(), format!("{word} {}", short(limit))),
    };
    let shown = range.0 <= limit && limit <= range.1;
    html! {
        <svg viewBox={format!("0 0 {} {}", size.0, size.1)} aria-hidden="true">
            {for histogram.bins.iter().enumerate().map(bar)}
            {for ticks(range.0, range.1, 6).into_iter().map(|tick| text(axes.at_x(tick), size.1 - 6.0, "middle", "", &short(tick)))}
            if shown {
                {line((x, 10.0), (x, size.1 - 22.0), "limit")}
                <circle class="limit" cx={format!("{x:.1}")} cy="10" r="6" />
                if x > 120.0 { {text(x - 12.0, 14.0, "end", "ink", &left)} }
                if x < size.0 - 120.0 { {text(x + 12.0, 14.0, "start", "ink", &right)} }
            }
        </svg>
    }
}

/// Training the classifier, and its most telling n-grams.
#[component]
fn Classifier(cx: &Cx) -> Html {
    let view = &cx.state.filters;
    let files = use_mut_ref(|| [None::<web_sys::File>, None]);
    let names_of = use_state(|| [String::new(), String::new()]);
    let pick = |at: usize| {
        let (files, names) = (files.clone(), names_of.clone());
        Callback::from(move |event: Event| {
            let file = picked(&event).into_iter().next();
            let mut all = (*names).clone();
            all[at] = file.as_ref().map_or(String::new(), web_sys::File::name);
            files.borrow_mut()[at] = file;
            names.set(all);
        })
    };
    let train = {
        let files = files.clone();
        cx.call(move |_, _: MouseEvent| {
            let files = files.borrow();
            let example = |at: usize, plain: Examples| {
                files[at].as_ref().map_or(plain, |file| Examples::File { name: file.name() })
            };
            let request = Request::Train { good: example(0, Examples::Kept), bad: example(1, Examples::Dropped) };
            let attached: Vec<wasm_bindgen::JsValue> = files.iter().flatten().map(|file| file.into()).collect();
            worker::send(&request, &attached);
        })
    };
    let field = |at: usize, label: &'static str, plain: &'static str| {
        let name = &names_of[at];
        html! {
            <label class="button small file" title="A file with examples, in any format that pages can have">
                {label}<b>{if name.is_empty() { plain } else { name }}</b>
                <input type="file" class="sr" accept={super::top::PAGE_FILES} onchange={pick(at)} /></label>
        }
    };
    let grams = |list: &[(String, f32)], class: &'static str| {
        html! { {for list.iter().take(10).map(|(gram, weight)| html! { <span class={classes!("tag", class)} title={format!("weight {weight:+.2}")}>{gram}</span> })} }
    };
    html! {
        <div class="data-classifier">
            <div class="line">
                {field(0, "Good: ", "kept pages")}
                {field(1, "Bad: ", "dropped pages")}
                <button class="small primary" data-testid="data-classifier" disabled={view.source == Source::None || view.busy()} onclick={train}>{"Train"}</button>
                if !view.enabled(Stage::Quality) { <small>{"The filter is off; switch it on above."}</small> }
            </div>
            if let Some(trained) = &view.trained {
                <p class="count" role="status">{format!("Right on held-out examples: {} of {} good, {} of {} bad",
                    trained.right[0].0, trained.right[0].1, trained.right[1].0, trained.right[1].1)}</p>
                <div class="line grams">{grams(&trained.telling[0], "good")}{grams(&trained.telling[1], "bad")}</div>
            }
        </div>
    }
}
