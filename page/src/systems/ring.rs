//! A collective over a ring, chunk by chunk.

use gloo_timers::callback::Interval;
use yew::prelude::*;

use crate::core::context::Cx;
use crate::state::Action;
use crate::state::profile::{ParallelLab, SystemsAction};
use glasshead::systems::ring::{Collective, Message, execute, sum_in_ring_order};

/// Ranks that are drawn at most.
const MAX_RANKS: usize = 8;

/// Which ranks' parts are in each chunk of each rank after some rounds, as bits.
fn parts(n: usize, rounds: usize) -> Vec<Vec<u32>> {
    let mut ranks: Vec<Vec<u32>> = (0..n).map(|rank| vec![1 << rank; n]).collect();
    for round in 0..rounds {
        let messages: Vec<(Message, u32)> = (0..n)
            .map(|from| Collective::AllReduce.message(n, round, from))
            .map(|message| (message, ranks[message.from][message.chunk]))
            .collect();
        for (message, sent) in messages {
            let own = &mut ranks[message.to][message.chunk];
            *own = if message.add { *own | sent } else { sent };
        }
    }
    ranks
}

/// Whether a sum over the ring equals the one on one rank, to the bit, for numbers like gradients.
fn equal(n: usize) -> bool {
    let value = |rank: usize, i: usize| ((rank * 7919 + i * 104_729) % 10_007) as f32 / 1e6 - 0.005;
    let mut ranks: Vec<Vec<f32>> = (0..n).map(|rank| (0..1009).map(|i| value(rank, i)).collect()).collect();
    let copies = ranks.clone();
    let slices: Vec<&[f32]> = copies.iter().map(Vec::as_slice).collect();
    let one = sum_in_ring_order(&slices);
    execute(Collective::AllReduce, &mut ranks);
    ranks.iter().all(|rank| rank.iter().zip(&one).all(|(a, b)| a.to_bits() == b.to_bits()))
}

/// The tile with the ring.
#[component]
pub fn Ring(cx: &Cx) -> Html {
    let lab = cx.state.profile.parallel;
    let n = lab.ranks.clamp(1, MAX_RANKS);
    let n_rounds = Collective::AllReduce.n_rounds(n);
    let round = lab.round.min(n_rounds);
    let change = |lab: ParallelLab| Action::Systems(SystemsAction::Parallel(lab));
    {
        let cx = cx.clone();
        use_effect_with((lab.playing, n), move |&(playing, _)| {
            let timer = playing.then(|| {
                Interval::new(700, move || {
                    let lab = cx.state.profile.parallel;
                    let next = if lab.round >= n_rounds { 0 } else { lab.round + 1 };
                    cx.act(Action::Systems(SystemsAction::Parallel(ParallelLab { round: next, ..lab })));
                })
            });
            move || drop(timer)
        });
    }
    let done = parts(n, round);
    let all = (1u32 << n) - 1;
    let equal = use_memo(n, |&n| equal(n));
    let cell = |rank: usize, chunk: usize| {
        let bits = done[rank][chunk];
        let (count, complete) = (bits.count_ones(), bits == all && round > 0);
        let arrives = round > 0 && {
            let message = Collective::AllReduce.message(n, round - 1, (rank + n - 1) % n);
            message.chunk == chunk
        };
        let title = format!("Rank {}, chunk {}: the sum of {count} of {n} ranks", rank + 1, chunk + 1);
        let class =
            classes!(complete.then_some("complete"), arrives.then_some("arrives"), (count > 1).then_some("partial"));
        html! { <td {class} {title}>{if complete { "✓".to_string() } else { format!("{count}/{n}") }}</td> }
    };
    let rows = (0..n).map(|rank| {
        html! { <tr><th scope="row">{format!("Rank {}", rank + 1)}</th>{for (0..n).map(|chunk| cell(rank, chunk))}</tr> }
    });
    let half = n.saturating_sub(1);
    let phase = match round {
        0 => "Each rank has its own gradients, cut into chunks.",
        _ if round <= half => "Reduce-scatter: each rank adds the chunk that arrives to its own.",
        _ if round < n_rounds => "All-gather: finished chunks travel around once more.",
        _ => "Every rank has the sum of all.",
    };
    html! {
        <section class="tile ring" aria-labelledby="ring-title">
            <header>
                <h2 id="ring-title">{"Ring all-reduce"}</h2>
                <small>{format!("round {round} of {n_rounds}")}</small>
                <span class="grow"></span>
                <button class="small" data-testid="ring-back" disabled={round == 0}
                    onclick={cx.on(change(ParallelLab { round: round.saturating_sub(1), playing: false, ..lab }))}>{"Back"}</button>
                <button class="small" data-testid="ring-next" disabled={round >= n_rounds}
                    onclick={cx.on(change(ParallelLab { round: round + 1, playing: false, ..lab }))}>{"Next round"}</button>
                <button class="small" data-testid="ring-play" aria-pressed={lab.playing.to_string()}
                    onclick={cx.on(change(ParallelLab { playing: !lab.playing, ..lab }))}>{if lab.playing { "Stop" } else { "Animate" }}</button>
            </header>
            <div class="body">
                <table class="chunks">
                    <thead><tr><td></td>{for (0..n).map(|chunk| html! { <th scope="col">{format!("Chunk {}", chunk + 1)}</th> })}</tr></thead>
                    <tbody>{for rows}</tbody>
                </table>
                <p class="note" role="status">{phase}</p>
                if *equal {
                    <span class="tag good" data-testid="ring-equal" title="1,009 numbers on every rank, added over the ring and on one rank in the same order">
                        {"Equal to one rank, bit for bit"}</span>
                } else {
                    <span class="tag bad" data-testid="ring-equal">{"Differs from one rank"}</span>
                }
            </div>
        </section>
    }
}
