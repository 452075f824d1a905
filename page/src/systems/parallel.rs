//! The parallel lab: the measured step on N ranks, simulated, with a link that the user sets.

use yew::prelude::*;

use super::format::{amount, mebibytes, percent, seconds};
use super::state::job;
use crate::core::context::Cx;
use crate::shared::segmented::{Choice, Segmented};
use crate::shared::size::use_size;
use crate::shared::value_of;
use crate::state::Action;
use crate::state::profile::{ParallelLab, SystemsAction};
use glasshead::systems::bounds::Layer;
use glasshead::systems::job::Job;
use glasshead::systems::simulate::{Activity, Simulation, Strategy, simulate};

/// The job of the run's latest measurement.
pub fn measured_job(cx: &Cx) -> Option<Job> {
    let config = cx.state.run_config()?;
    job(cx.state.profile.trace.as_ref()?, &config)
}

fn changed(cx: &Cx, lab: ParallelLab) -> Callback<MouseEvent> {
    cx.on(Action::Systems(SystemsAction::Parallel(lab)))
}

/// The strategies of the overview; the lab has all.
const FEW: [Strategy; 4] = [Strategy::Naive, Strategy::Flat, Strategy::Overlapped, Strategy::Sharded];

#[derive(Clone, PartialEq, Properties)]
pub struct LabProps {
    pub cx: Cx,
    /// Whether all strategies are offered.
    pub all: bool,
}

/// The tile with the timeline of the ranks.
#[component]
pub fn Lab(props: &LabProps) -> Html {
    let LabProps { cx, all } = props;
    let node = use_node_ref();
    let (width, height) = use_size(&node);
    let lab = cx.state.profile.parallel;
    let strategies: &[Strategy] = if *all { &Strategy::ALL } else { &FEW };
    let choice = |&strategy: &Strategy| Choice {
        label: strategy.title().into(),
        title: explained(strategy).into(),
        testid: format!("strategy-{}", strategy.name()).into(),
        on: lab.strategy == strategy,
        choose: changed(cx, ParallelLab { strategy, ..lab }),
    };
    let choices: Vec<Choice> = strategies.iter().map(choice).collect();
    let simulated = measured_job(cx).map(|job| simulate(&job, lab.strategy, lab.setting()));
    html! {
        <section class="tile lab" aria-labelledby="lab-title">
            <header><h2 id="lab-title">{"Parallel lab"}</h2><small>{"this step on several ranks, simulated"}</small></header>
            <div class="lab-body">
                <div class="row"><Segmented label="Strategy" {choices} /></div>
                <div class="lanes" ref={node}>
                    if let Some(step) = simulated.as_ref().filter(|_| width > 0) {
                        {timeline(step, [f64::from(width), f64::from(height)])}
                    } else if simulated.is_none() {
                        <p class="empty">{"Measure a step to share it between ranks."}</p>
                    }
                </div>
                {sliders(cx, lab)}
                if let Some(step) = &simulated {
                    <div class="row result" data-testid="lab-result">
                        <span>{format!("{} a step, {:.2}× as fast as one rank", seconds(step.step_s), step.speedup())}</span>
                        <span class="grow"></span>
                        <span>{format!("{} of the link hidden · {} per rank", percent(step.hidden()), mebibytes(step.memory.total()))}</span>
                    </div>
                }
            </div>
        </section>
    }
}

fn explained(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Naive => "Each parameter's gradient is all-reduced after the backward pass, one by one.",
        Strategy::Flat => "All gradients are all-reduced as one vector after the backward pass.",
        Strategy::Overlapped => "A layer's gradients are all-reduced as soon as they are ready.",
        Strategy::Bucketed => "Gradients are all-reduced whenever a bucket is full.",
        Strategy::Sharded => "Each rank updates a part of the parameters: ZeRO-1.",
        Strategy::Fsdp => "Parameters, gradients and moments are sharded; layers are gathered one in advance.",
        Strategy::TensorParallel => "Each rank has a part of every feed-forward network; the batch is not shared.",
    }
}

fn sliders(cx: &Cx, lab: ParallelLab) -> Html {
    let slider = |name: &'static str,
                  testid: &'static str,
                  value: String,
                  range: [f64; 3],
                  now: f64,
                  set: fn(ParallelLab, f64) -> ParallelLab| {
        let change = cx.call(move |cx, event: InputEvent| {
            if let Ok(number) = value_of(&event).parse() {
                let lab = set(cx.state.profile.parallel, number);
                cx.act(Action::Systems(SystemsAction::Parallel(lab)));
            }
        });
        html! {
            <label><span>{name}</span><b>{value.clone()}</b>
                <input type="range" data-testid={testid} min={range[0].to_string()} max={range[1].to_string()} step={range[2].to_string()}
                    value={now.to_string()} oninput={change} aria-valuetext={value} /></label>
        }
    };
    let setting = lab.setting();
    let link = amount(setting.link.bytes_per_s, "B/s");
    let ranks = |lab, n: f64| ParallelLab { ranks: n as usize, round: 0, ..lab };
    html! {
        <div class="sliders">
            {slider("Ranks", "lab-ranks", lab.ranks.to_string(), [1.0, 8.0, 1.0], lab.ranks as f64, ranks)}
            {slider("Link", "lab-link", link, [6.0, 28.0, 0.25], lab.link_power, |lab, power| ParallelLab { link_power: power, ..lab })}
            {slider("Latency", "lab-latency", format!("{:.0} µs", lab.latency_us), [0.0, 2000.0, 10.0], lab.latency_us, |lab, us| ParallelLab { latency_us: us, ..lab })}
            {slider("Bucket", "lab-bucket", mebibytes(setting.bucket_bytes), [0.0, 16.0, 0.5], lab.bucket_power, |lab, power| ParallelLab { bucket_power: power, ..lab })}
        </div>
    }
}

/// Rows of ranks, each with a lane for the processor and one for the link.
fn timeline(step: &Simulation, [width, height]: [f64; 2]) -> Html {
    let shown = step.ranks.min(4);
    let (left, right, top) = (58.0, width - 12.0, 20.0);
    let row = (height - top) / shown as f64;
    let thick = (row * 0.36).clamp(4.0, 22.0);
    let x = crate::draw::chart::Scale { low: 0.0, high: step.step_s.max(1e-9), from: left, to: right };
    let ticks = x.ticks((width / 90.0) as usize).into_iter().map(|at| {
        let place = format!("{:.1}", x.pixel(at));
        html! {
            <>
                <line class="grid" x1={place.clone()} x2={place.clone()} y1="18" y2={format!("{height:.0}")} />
                <text x={place} y="12" text-anchor="middle">{if at == 0.0 { "0".into() } else { seconds(at) }}</text>
            </>
        }
    });
    let rank = |rank: usize| {
        let y = top + row * rank as f64 + 2.0;
        let spans = step.spans.iter().map(|span| {
            let (from, wide) = (x.pixel(span.start_s), (x.pixel(span.end_s) - x.pixel(span.start_s)).max(0.5));
            let (class, below) = match span.activity {
                Activity::Forward => ("forward", false),
                Activity::Backward => ("backward", false),
                Activity::Update => ("update", false),
                Activity::Communicate(_) => ("link", true),
            };
            let what = match span.activity {
                Activity::Communicate(collective) => collective.name(),
                _ => class,
            };
            let title = format!("{what}, {}: {}", span.name, seconds(span.end_s - span.start_s));
            let gap = if wide > 3.0 { 0.8 } else { 0.0 };
            html! {
                <rect {class} x={format!("{from:.2}")} y={format!("{:.1}", if below { y + thick + 2.0 } else { y })} rx={if wide > 5.0 { "2" } else { "0" }}
                    width={format!("{:.2}", wide - gap)} height={format!("{thick:.1}")}><title>{title}</title></rect>
            }
        });
        html! {
            <>
                <text class="lane" x="0" y={format!("{:.1}", y + thick + 4.0)}>{format!("Rank {}", rank + 1)}</text>
                {for spans}
            </>
        }
    };
    let label =
        format!("{} ranks: {} a step, {} of them waiting", step.ranks, seconds(step.step_s), seconds(step.exposed_s));
    html! {
        <svg class="ranks" role="img" aria-label={label} data-testid="lab-timeline">
            {for ticks}
            {for (0..shown).map(rank)}
        </svg>
    }
}

/// The tile that compares all strategies.
pub fn table(cx: &Cx) -> Html {
    let lab = cx.state.profile.parallel;
    let Some(job) = measured_job(cx) else { return html! {} };
    let row = |strategy: Strategy| {
        let step = simulate(&job, strategy, lab.setting());
        let class = classes!((strategy == lab.strategy).then_some("selected"));
        html! {
            <tr {class}>
                <th scope="row">{strategy.title()}</th>
                <td>{seconds(step.step_s)}</td><td>{format!("{:.2}×", step.speedup())}</td>
                <td>{seconds(step.link_s)}</td><td>{seconds(step.exposed_s)}</td><td>{percent(step.hidden())}</td>
                <td>{mebibytes(step.memory.parameters)}</td><td>{mebibytes(step.memory.gradients)}</td>
                <td>{mebibytes(step.memory.moments)}</td><td>{mebibytes(step.memory.activations)}</td><td><b>{mebibytes(step.memory.total())}</b></td>
            </tr>
        }
    };
    let columns = [
        "Strategy",
        "Step",
        "Speed-up",
        "Link busy",
        "Waiting",
        "Hidden",
        "Parameters",
        "Gradients",
        "Moments",
        "Activations",
        "Per rank",
    ];
    html! {
        <section class="tile strategies" aria-labelledby="strategies-title">
            <header><h2 id="strategies-title">{"All strategies"}</h2><small>{format!("{} ranks", lab.ranks)}</small></header>
            <div class="table" tabindex="0" role="region" aria-label="Strategies: time and memory">
                <table data-testid="strategies-table">
                    <thead><tr>{for columns.map(|name| html! { <th scope="col">{name}</th> })}</tr></thead>
                    <tbody>{for Strategy::ALL.map(row)}</tbody>
                </table>
            </div>
        </section>
    }
}

/// The tile with the bounds of the handout and the knee of the simulator.
pub fn calculator(cx: &Cx) -> Html {
    let texts = &cx.state.profile.calculator.texts;
    let names = [
        ("Tokens", "B, of the whole batch"),
        ("Width", "D"),
        ("Inner width", "F"),
        ("Speed", "C, TFLOP/s"),
        ("Link", "W, GB/s"),
    ];
    let field = |(index, (name, unit)): (usize, (&'static str, &'static str))| {
        let change = cx.call(move |cx, event: InputEvent| {
            cx.act(Action::Systems(SystemsAction::Calculate(index, value_of(&event))));
        });
        html! {
            <label><span>{name}</span><input type="text" inputmode="decimal" value={texts[index].clone()} oninput={change}
                data-testid={format!("calculator-{index}")} /><small>{unit}</small></label>
        }
    };
    let numbers: Vec<f64> = texts
        .iter()
        .filter_map(|text| text.trim().parse().ok())
        .filter(|value: &f64| value.is_finite() && *value > 0.0)
        .collect();
    let layer = match numbers[..] {
        [tokens, d_model, d_ff, tflops, gb] => {
            Some(Layer { tokens, d_model, d_ff, flops_per_s: tflops * 1e12, bytes_per_s: gb * 1e9 })
        }
        _ => None,
    };
    let row = |name: &'static str, formula: &'static str, n: f64| {
        html! { <tr><th scope="row">{name}</th><td class="formula">{formula}</td><td>{format!("{n:.1}")}</td></tr> }
    };
    html! {
        <section class="tile calculator" aria-labelledby="calculator-title">
            <header><h2 id="calculator-title">{"Up to how many ranks?"}</h2><small>{"communication stays hidden"}</small></header>
            <div class="body">
                <div class="numbers-row">{for names.into_iter().enumerate().map(field)}</div>
                if let Some(layer) = layer {
                    <table data-testid="bounds-table">
                        <thead><tr><th scope="col">{"Strategy"}</th><th scope="col">{"Bound"}</th><th scope="col">{"Ranks"}</th></tr></thead>
                        <tbody>
                            {row("Data parallel, FSDP", "1 + B·W/C", layer.bounds().data)}
                            {row("the same, simulated with 48 layers", "knee", layer.simulated_knee(48, 1 << 20) as f64)}
                            {row("Tensor, forward", "1 + 1.5·F·W/C", layer.bounds().tensor_forward)}
                            {row("Tensor, backward", "1 + 3·F·W/C", layer.bounds().tensor_backward)}
                            {row("Both, separate links", "1.5·B·F·W²/C²", layer.bounds().combined)}
                            {row("Both, shared links", "a quarter", layer.bounds().combined_shared)}
                        </tbody>
                    </table>
                } else {
                    <p class="note">{"Every field has to be a number greater than 0."}</p>
                }
            </div>
        </section>
    }
}
