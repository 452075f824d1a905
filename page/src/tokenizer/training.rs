//! Training of a vocabulary, and replay of its merges.

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::core::context::Cx;
use crate::core::files;
use crate::shared::grouped;
use crate::shared::value_of;
use crate::state::tokenizer::{MergeTraining, TokenizerAction};
use crate::tokenizer::act;
use crate::tokenizer::token_list::TokenList;
use crate::tokens::readable;
use glasshead::types::CorpusChoice;
use glasshead::types::tokenizer::MergeStep;
use glasshead::wire::tokenizer::TokenizerCommand;

/// Number of rows in the list of merges.
const ROWS: usize = 12;

/// Replay speeds: name, pause between frames in milliseconds, merges per frame.
const SPEEDS: [(&str, i32, usize); 3] = [("2 a second", 500, 1), ("8 a second", 125, 1), ("64 a second", 125, 8)];

#[component]
pub fn VocabularyTraining(cx: &Cx) -> Html {
    let state = &cx.state.tokenizer;
    use_replay(cx);
    let resize = {
        let cx = cx.clone();
        Callback::from(move |event: InputEvent| act(&cx, TokenizerAction::WantedSize(value_of(&event))))
    };
    let running = state.training.as_ref().is_some_and(|training| training.running);
    let start = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| if running { cx.ask(TokenizerCommand::CancelTraining) } else { train(&cx) })
    };
    let draft = &cx.state.draft;
    let corpus = match (draft.corpus, &draft.file_name) {
        (CorpusChoice::File, Some(name)) => name.clone(),
        (CorpusChoice::Task(number), _) => cx.state.data.tasks.get(number).map_or("a task".into(), |t| t.name.clone()),
        _ => "built-in stories".into(),
    };
    let size = state.size();
    html! {
        <section class="tile merges-tile" aria-labelledby="merges-title">
            <header>
                <h2 id="merges-title">{"Train a tokenizer"}</h2>
                <label class="pill">
                    <span>{"Size"}</span>
                    <input data-testid="vocabulary-size" inputmode="numeric" autocomplete="off" oninput={resize}
                        value={state.wanted_size.clone()} aria-invalid={size.is_err().to_string()} />
                </label>
                <button class="primary" data-testid="train-vocabulary" onclick={start} disabled={!running && size.is_err()}>
                    {if running { "Cancel" } else { "Learn the merges" }}
                </button>
                <span class="count" title="Byte-level BPE begins with the 256 bytes; then the most frequent pair of adjacent tokens \
                    becomes a new token, again and again.">{format!("on the text chosen in Train: {corpus}")}</span>
                <span class="grow"></span>
                if let Some(training) = &state.training { {progress(training)} }
            </header>
            <div class="body">
                if let Err(problem) = &size { <p class="problem" role="alert">{problem.to_string()}</p> }
                {match &state.training {
                    Some(training) if !training.running && !training.merges.is_empty() => player(cx, training),
                    Some(_) => html! {},
                    None => html! {
                        <p class="empty">{"Byte-level BPE begins with the 256 bytes; then the most frequent pair of adjacent tokens \
                                           becomes a new token, again and again. Learn the merges to replay them here."}</p>
                    },
                }}
            </div>
        </section>
    }
}

/// Sends the corpus, then starts the training.
fn train(cx: &Cx) {
    let Ok(vocab_size) = cx.state.tokenizer.size() else { return };
    act(cx, TokenizerAction::TrainingAsked);
    let (corpus, config) = (cx.state.draft.corpus, (*cx.state.draft.config).clone());
    let (cx, own) = (cx.clone(), cx.kept.borrow().files.clone());
    spawn_local(async move {
        if corpus == CorpusChoice::File {
            match files::load_command(&own, cx.state.data.chosen_field()).await {
                Ok(files::Loaded { outgoing: (command, bytes), .. }) => {
                    cx.ask_with(command, bytes);
                    cx.state.data.field_command().into_iter().for_each(|command| cx.ask_with(command, None));
                }
                Err(message) => return act(&cx, TokenizerAction::Problem(message)),
            }
        }
        cx.ask(TokenizerCommand::Train { vocab_size, corpus, config });
    });
}

fn progress(training: &MergeTraining) -> Html {
    let (n, of) = (training.merges.len(), training.n_asked);
    let said = match (training.running, of) {
        (true, 0) => "Counting words…".to_string(),
        (true, _) => format!("{} of {} merges", grouped(n), grouped(of)),
        (false, _) if n < of => {
            format!("{} merges of {}: it was cancelled, or no pair was left", grouped(n), grouped(of))
        }
        (false, _) => format!("{} merges learned from {}", grouped(n), training.corpus),
    };
    html! {
        <p class="progress" data-testid="vocabulary-progress" role="status">
            if training.running {
                <progress aria-label="merges" max={of.max(1).to_string()} value={n.to_string()}></progress>
            }
            {said}
        </p>
    }
}

/// Requests the text after the chosen number of merges, and advances it during playback.
#[hook]
fn use_replay(cx: &Cx) {
    let replay = &cx.state.tokenizer.replay;
    {
        let cx = cx.clone();
        use_effect_with(replay.request, move |&request| {
            let state = &cx.state.tokenizer;
            if state.training.as_ref().is_some_and(|training| !training.running) {
                let (text, n_merges) = (state.text.clone(), state.replay.n_merges);
                cx.ask(TokenizerCommand::Replay { request, text, n_merges });
            }
        });
    }
    let cx = cx.clone();
    use_effect_with((replay.playing, replay.n_merges), move |&(playing, n_merges)| {
        let (pause_ms, merges) = (cx.state.tokenizer.replay.pause_ms, cx.state.tokenizer.replay.stride);
        let next = Closure::once(move || act(&cx, TokenizerAction::Scrub(n_merges + merges)));
        let window = web_sys::window().filter(|_| playing);
        let timer = window.and_then(|window| {
            let callback = next.as_ref().unchecked_ref();
            window.set_timeout_with_callback_and_timeout_and_arguments_0(callback, pause_ms).ok()
        });
        move || {
            if let (Some(window), Some(timer)) = (web_sys::window(), timer) {
                window.clear_timeout_with_handle(timer);
            }
            drop(next);
        }
    });
}

fn player(cx: &Cx, training: &MergeTraining) -> Html {
    let replay = &cx.state.tokenizer.replay;
    let (k, n) = (replay.n_merges, training.merges.len());
    let to = |k: usize| {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| act(&cx, TokenizerAction::Scrub(k)))
    };
    let scrub = {
        let cx = cx.clone();
        Callback::from(move |event: InputEvent| {
            act(&cx, TokenizerAction::Scrub(value_of(&event).parse().unwrap_or(0)));
        })
    };
    let play = {
        let (cx, playing) = (cx.clone(), replay.playing);
        Callback::from(move |_: MouseEvent| act(&cx, TokenizerAction::Play(!playing)))
    };
    let speed = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            if let Some((_, pause_ms, stride)) = SPEEDS.iter().find(|(name, ..)| *name == value_of(&event)) {
                act(&cx, TokenizerAction::Speed(*pause_ms, *stride));
            }
        })
    };
    let option = |(name, pause_ms, stride): &(&'static str, i32, usize)| {
        let selected = (*pause_ms, *stride) == (replay.pause_ms, replay.stride);
        html! { <option value={*name} {selected}>{*name}</option> }
    };
    html! {
        <>
            <div class="player">
                <button onclick={to(0)} disabled={k == 0} aria-label="Only bytes">{"|‹"}</button>
                <button onclick={to(k.saturating_sub(1))} disabled={k == 0} aria-label="One merge back">{"‹"}</button>
                <button data-testid="play-merges" class="primary" onclick={play}>
                    {if replay.playing { "Pause" } else { "Play" }}
                </button>
                <button data-testid="next-merge" onclick={to(k + 1)} disabled={k == n} aria-label="One merge forward">{"›"}</button>
                <button onclick={to(n)} disabled={k == n} aria-label="All merges">{"›|"}</button>
                <label class="scrub">
                    {format!("after {} of {} merges", grouped(k), grouped(n))}
                    <input type="range" data-testid="merge-scrubber" min="0" max={n.to_string()} value={k.to_string()}
                        oninput={scrub} />
                </label>
                <label>{"Speed"}<select onchange={speed}>{for SPEEDS.iter().map(option)}</select></label>
            </div>
            <p class="readout" data-testid="merge-readout">{readout(k, training)}</p>
            <div class="replayed">
                <div>
                    if let Some((_, encoding)) = &replay.shown {
                        <p class="count" data-testid="replayed-count">
                            {format!("Your text: {} tokens after {} merges", grouped(encoding.tokens.len()), grouped(k))}
                        </p>
                        <TokenList encoding={encoding.clone()} page={replay.page} lit={replay.lit} ids_shown=false
                            prefix="replay" light={replay_light(cx)} turn={replay_turn(cx)} />
                    }
                </div>
                {table(cx, k, training)}
            </div>
        </>
    }
}

fn replay_light(cx: &Cx) -> Callback<Option<usize>> {
    let cx = cx.clone();
    Callback::from(move |token| act(&cx, TokenizerAction::LightReplay(token)))
}

fn replay_turn(cx: &Cx) -> Callback<usize> {
    let cx = cx.clone();
    Callback::from(move |page| act(&cx, TokenizerAction::PageReplay(page)))
}

fn readout(k: usize, training: &MergeTraining) -> String {
    let Some(merge) = k.checked_sub(1).and_then(|index| training.merges.get(index)) else {
        return "Every byte is a token of its own.".into();
    };
    let (left, right) = (readable(&merge.left), readable(&merge.right));
    let both = readable(&[&*merge.left, &*merge.right].concat());
    format!(
        "merge {}: “{left}” + “{right}” → “{both}”, {} times, id {}",
        grouped(k),
        grouped(merge.count as usize),
        merge.id
    )
}

/// The page of the list that contains merge `k` (counted from 1).
fn table(cx: &Cx, k: usize, training: &MergeTraining) -> Html {
    let n = training.merges.len();
    let first = k.saturating_sub(1) / ROWS * ROWS;
    let last = (first + ROWS).min(n);
    let row = |(index, merge): (usize, &MergeStep)| {
        let at = first + index + 1;
        let go = {
            let cx = cx.clone();
            Callback::from(move |_: MouseEvent| act(&cx, TokenizerAction::Scrub(at)))
        };
        let current = at == k;
        html! {
            <tr class={classes!(current.then_some("current"), (at > k).then_some("later"))}>
                <td><button data-testid="merge-row" onclick={go} aria-label={format!("show merge {at}")}
                    aria-current={current.then_some("step")}>{grouped(at)}</button></td>
                <td>{readable(&merge.left)}</td>
                <td>{readable(&merge.right)}</td>
                <td>{readable(&[&*merge.left, &*merge.right].concat())}</td>
                <td class="amount">{grouped(merge.count as usize)}</td>
            </tr>
        }
    };
    let to = |k: usize| {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| act(&cx, TokenizerAction::Scrub(k)))
    };
    html! {
        <div class="merges">
            <table>
                <caption>{format!("merges {} to {} of {}", grouped(first + 1), grouped(last), grouped(n))}</caption>
                <thead><tr>
                    <th scope="col">{"Merge"}</th><th scope="col">{"Left"}</th><th scope="col">{"Right"}</th>
                    <th scope="col">{"New token"}</th><th scope="col">{"Times"}</th>
                </tr></thead>
                <tbody>{for training.merges[first..last].iter().enumerate().map(row)}</tbody>
            </table>
            <p class="pager">
                <button onclick={to(first.saturating_sub(ROWS - 1).max(1))} disabled={first == 0} aria-label="previous merges">{"‹"}</button>
                <button onclick={to((last + 1).min(n))} disabled={last >= n} aria-label="next merges">{"›"}</button>
            </p>
        </div>
    }
}
