//! The cost of the configured model, part by part.

use yew::prelude::*;

use super::text::smaller_vocabulary;
use crate::core::context::Cx;
use crate::units::{counted, grouped};
use glasshead::accounting::{Account, Part};

#[component]
pub fn Costs(cx: &Cx) -> Html {
    let (config, of_run) = cx.state.accounted();
    let account = use_memo(config, Account::new);
    let account = &*account;
    let whose = if of_run {
        "Of this run, with its real vocabulary.".to_string()
    } else {
        format!("Of the next run, with the present settings{}.", smaller_vocabulary(&cx.state))
    };
    let step = account.total(|part| account.step_flops(part));
    html! {
        <div class="costs" data-testid="accounting">
            <p data-testid="accounting-summary">{format!("{}: {}, {} of memory besides the text, {} per step.",
                if of_run { "This run" } else { "Next run" },
                counted(account.total(|part| part.params), "parameter"), bytes(memory(account)), flops(step))}</p>
            <div class="table" tabindex="0" role="region" aria-label="costs by part">
                <table>
                    <thead><tr>
                        {for ["Part", "Parameters", "Weights", "Gradients", "Moments", "Activations",
                              "FLOPs per token, forward", "FLOPs per step", "Share", "How it is computed"]
                            .map(|name| html! { <th scope="col">{name}</th> })}
                    </tr></thead>
                    <tbody>{for account.parts.iter().map(|part| row(account, part, step))}</tbody>
                    <tfoot>{total(account, step)}</tfoot>
                </table>
            </div>
            <p class="count">
                {whose}{" Operations: two for each multiplication and addition of a matmul; a backward pass takes twice a \
                  forward pass. A number has 4 bytes. Letters: B batch_size, T context_length, C d_model, H n_heads, \
                  D = C/H, F d_ff, L n_layers, V vocab_size."}
            </p>
        </div>
    }
}

fn row(account: &Account, part: &Part, step: u64) -> Html {
    let [params, activations, forward] = &part.formulas;
    let step_flops = account.step_flops(part);
    let how = format!("parameters {params} · activations a token {activations} · FLOPs a token {forward}");
    html! {
        <tr title={how}>
            <th scope="row">{part.name}</th>
            <td>{grouped(part.params)}</td>
            <td>{bytes(account.weight_bytes(part))}</td>
            <td>{bytes(account.gradient_bytes(part))}</td>
            <td>{bytes(account.moment_bytes(part))}</td>
            <td>{bytes(account.activation_bytes(part))}</td>
            <td>{flops(part.forward_flops)}</td>
            <td>{flops(step_flops)}</td>
            <td>{format!("{:.1} %", 100.0 * step_flops as f64 / step.max(1) as f64)}</td>
            <td class="how">
                <span>{"parameters "}{params}</span>
                <span>{"activations "}{activations}</span>
                <span>{"FLOPs "}{forward}</span>
            </td>
        </tr>
    }
}

fn total(account: &Account, step: u64) -> Html {
    let sum = |of: fn(&Account, &Part) -> u64| bytes(account.total(|part| of(account, part)));
    html! {
        <tr data-testid="accounting-total">
            <th scope="row">{"all"}</th>
            <td>{grouped(account.total(|part| part.params))}</td>
            <td>{sum(Account::weight_bytes)}</td>
            <td>{sum(Account::gradient_bytes)}</td>
            <td>{sum(Account::moment_bytes)}</td>
            <td>{sum(Account::activation_bytes)}</td>
            <td>{flops(account.total(|part| part.forward_flops))}</td>
            <td>{flops(step)}</td>
            <td>{"100 %"}</td>
            <td class="how"><span>{format!("a step: 3 · FLOPs a token · {} tokens",
                grouped(account.batch_tokens * account.batches))}</span></td>
        </tr>
    }
}

fn memory(account: &Account) -> u64 {
    let all = [Account::weight_bytes, Account::gradient_bytes, Account::moment_bytes, Account::activation_bytes];
    all.iter().map(|of| account.total(|part| of(account, part))).sum()
}

fn bytes(n: u64) -> String {
    scaled(n, 1024.0, ["B", "KiB", "MiB", "GiB", "TiB"])
}

fn flops(n: u64) -> String {
    if n == 0 { "–".into() } else { scaled(n, 1000.0, ["", "k", "M", "G", "T"]) }
}

/// A number in the largest unit that gives at least 1.
fn scaled(n: u64, base: f64, units: [&str; 5]) -> String {
    let (mut value, mut unit) = (n as f64, 0);
    while value >= base && unit + 1 < units.len() {
        (value, unit) = (value / base, unit + 1);
    }
    let digits = if unit == 0 || value >= 100.0 { 0 } else { 1 };
    format!("{value:.digits$} {}", units[unit]).trim_end().into()
}
