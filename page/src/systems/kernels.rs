//! The table of kernels. A selected one is marked in the roofline and in the timeline as well.

use yew::prelude::*;

use super::format::{amount, milliseconds, percent};
use super::state::Family;
use crate::core::context::Cx;
use crate::shared::segmented::{Choice, Segmented};
use crate::state::Action;
use crate::state::profile::{KernelOrder, SystemsAction};
use glasshead::types::profile::{KernelTime, Profile};

/// The tile with the table.
pub fn kernels(cx: &Cx, profile: &Profile) -> Html {
    let (total, order) = (profile.total(), cx.state.profile.order);
    let choice = |label: &'static str, value: KernelOrder| Choice {
        label: label.into(),
        title: format!("Sort by {}", label.to_lowercase()).into(),
        testid: format!("sort-{}", label.to_lowercase()).into(),
        on: order == value,
        choose: cx.on(Action::Systems(SystemsAction::Order(value))),
    };
    let choices = vec![
        choice("Time", KernelOrder::Time),
        choice("Bytes", KernelOrder::Bytes),
        choice("FLOP", KernelOrder::Flops),
    ];
    let columns = [
        ("Kernel", "Entry point of the shader, and the name of its CPU version."),
        ("Times", "Dispatches in one step."),
        ("Time", "Of all its dispatches together."),
        ("Share", "Of the step's time."),
        ("Operations", "Multiplications and additions of matmuls; a dash for kernels that only stream their data."),
        ("Bytes", "Everything that the kernel binds, once."),
        ("Per second", "Operations per second, or bytes where there are none."),
        ("Of peak", "The least time that the measured peaks allow, divided by the time."),
    ];
    let by = |kernel: &KernelTime| match order {
        KernelOrder::Time => kernel.ns,
        KernelOrder::Bytes => kernel.bytes,
        KernelOrder::Flops => kernel.flops,
    };
    let mut sorted: Vec<&KernelTime> = profile.kernels.iter().collect();
    sorted.sort_by(|a, b| by(b).total_cmp(&by(a)));
    html! {
        <section class="tile kernels" aria-labelledby="kernels-title">
            <header>
                <h2 id="kernels-title">{"Kernels"}</h2><span class="grow"></span>
                <Segmented label="Sort the kernels" {choices} />
            </header>
            <div class="table" tabindex="0" role="region" aria-label="Table of kernels">
                <table data-testid="profile-table">
                    <thead><tr>
                        {for columns.map(|(name, help)| html! { <th scope="col" title={help}>{name}</th> })}
                    </tr></thead>
                    <tbody>{for sorted.into_iter().map(|kernel| row(cx, kernel, total.ns, true))}</tbody>
                    <tfoot>{row(cx, &total, total.ns, false)}</tfoot>
                </table>
            </div>
        </section>
    }
}

fn row(cx: &Cx, kernel: &KernelTime, total_ns: f64, of_kernel: bool) -> Html {
    let share = kernel.ns / total_ns.max(1.0);
    let family = Family::of(&kernel.kernel);
    let speed = match (kernel.ns > 0.0, kernel.flops > 0.0) {
        (false, _) => "–".into(),
        (true, true) => amount(kernel.flops / kernel.ns * 1e9, "FLOP/s"),
        (true, false) => amount(kernel.bytes / kernel.ns * 1e9, "B/s"),
    };
    let operations = if kernel.flops > 0.0 { amount(kernel.flops, "FLOP") } else { "–".into() };
    let of_peak = if kernel.ns > 0.0 { percent(kernel.share_of_peak()) } else { "–".into() };
    let selected = of_kernel && cx.state.profile.selected.as_deref() == Some(&kernel.kernel);
    let next = (!selected).then(|| kernel.kernel.clone());
    let select = cx.on(Action::Systems(SystemsAction::Select(next)));
    html! {
        <tr class={classes!(selected.then_some("selected"))}>
            <th scope="row">
                if of_kernel {
                    <button class="kernel" onclick={select} aria-pressed={selected.to_string()} title="Show it in the timeline and the roofline">
                        <i class="dot" style={format!("background:var({})", family.color())}></i>{&kernel.kernel}
                    </button>
                } else { {&kernel.kernel} }
            </th>
            <td>{kernel.times}</td>
            <td>{milliseconds(kernel.ns)}</td>
            <td>{if of_kernel { bar(share, family) } else { html! { {percent(share)} } }}</td>
            <td class="more">{operations}</td>
            <td class="more">{amount(kernel.bytes, "B")}</td>
            <td class="more">{speed}</td>
            <td>{of_peak}</td>
        </tr>
    }
}

/// A fraction as a bar of that length and a number.
fn bar(share: f64, family: Family) -> Html {
    let style = format!("width:{:.1}%;background:var({})", 100.0 * share.clamp(0.0, 1.0), family.color());
    html! { <span class="share"><span class="room"><i {style}></i></span><b>{percent(share)}</b></span> }
}
