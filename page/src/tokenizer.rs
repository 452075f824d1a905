//! The tokenizer view: a text as tokens of one or two vocabularies; vocabularies are chosen, trained and saved here.

pub mod token_list;
pub mod training;

use std::rc::Rc;

use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::spawn_local;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::core::context::Cx;
use crate::core::fetch;
use crate::core::files;
use crate::shared::grouped;
use crate::shared::value_of;
use crate::state::Action;
use crate::state::tokenizer::{Encoding, Side, TokenizerAction};
use crate::tokenizer::token_list::TokenList;
use crate::tokenizer::training::VocabularyTraining;
use glasshead::types::tokenizer::{ExportPurpose, VocabularyFormat, VocabularySource};
use glasshead::wire::Command;
use glasshead::wire::tokenizer::TokenizerCommand;

/// Maximum length of the text in the box, in UTF-16 code units.
const MAX_TEXT: &str = "100000";

#[component]
pub fn TokenizerView(cx: &Cx) -> Html {
    let state = &cx.state.tokenizer;
    use_run_vocabulary(cx);
    use_tokens(cx);
    let input = {
        let cx = cx.clone();
        Callback::from(move |event: InputEvent| act(&cx, TokenizerAction::Text(value_of(&event))))
    };
    let compared = state.sides[1].source.is_some();
    html! {
        <div class="tokenizer">
            <div class="setup-bar" role="group" aria-label="Vocabularies">
                {for (0..2).map(|index| choice(cx, index, &state.sides[index]))}
                <span class="rule"></span>
                {shown_source(&state.sides[0]).map(|source| tools(cx, source))}
                {own_file(cx)}
            </div>
            if let Some(busy) = &state.busy { <p class="banner" role="status">{busy}</p> }
            if let Some(problem) = &state.problem { <p class="banner bad" role="alert" data-testid="tokenizer-problem">{problem}</p> }
            <div class={classes!("tiles", compared.then_some("compared"))}>
                <section class="tile text" aria-labelledby="tokens-title">
                    <header><h2 id="tokens-title">{"Your text"}</h2></header>
                    <textarea data-testid="tokenizer-text" maxlength={MAX_TEXT} spellcheck="false" aria-label="Your text"
                        value={state.text.clone()} oninput={input} />
                </section>
                {side(cx, 0)}
                if compared { {side(cx, 1)} }
                <VocabularyTraining ..cx.clone() />
            </div>
        </div>
    }
}

/// Dispatches a tokenizer action.
pub fn act(cx: &Cx, action: TokenizerAction) {
    cx.act(Action::Tokenizer(action));
}

/// Requests the run's vocabulary, once per run; it is forwarded to the second worker.
#[hook]
fn use_run_vocabulary(cx: &Cx) {
    let run = cx.state.summary.is_some().then_some(cx.state.run);
    let known = cx.state.tokenizer.run;
    let cx = cx.clone();
    use_effect_with(run, move |&run| {
        if run.is_some() && run != known {
            cx.send(&Command::Tokenizer(TokenizerCommand::RunVocabulary));
        }
    });
}

/// Requests the tokens of the text whenever the text or a vocabulary changes.
#[hook]
fn use_tokens(cx: &Cx) {
    let cx = cx.clone();
    use_effect_with(cx.state.tokenizer.request, move |&request| {
        let state = &cx.state.tokenizer;
        for source in state.sides.iter().filter_map(|side| side.source) {
            if state.known.contains_key(&source) {
                cx.ask(TokenizerCommand::Encode { request, source, text: state.text.clone() });
            }
        }
    });
}

fn source_name(source: VocabularySource) -> &'static str {
    match source {
        VocabularySource::Run => "This run's",
        VocabularySource::Trained => "Trained here",
        VocabularySource::Gpt2 => "GPT-2",
        VocabularySource::File => "Your tokenizer.json",
    }
}

/// The vocabulary of a side whose tokens are shown.
fn shown_source(side: &Side) -> Option<VocabularySource> {
    side.source.filter(|_| side.encoding.is_some())
}

fn side(cx: &Cx, index: usize) -> Html {
    let side = &cx.state.tokenizer.sides[index];
    let size = side.source.and_then(|source| cx.state.tokenizer.known.get(&source)).map(|known| known.vocab_size);
    let title = side.source.map_or("Tokens", source_name);
    html! {
        <section class="tile encoding" data-testid={format!("side-{index}")} aria-label={title}>
            <header>
                <h2>{title}{size.map(|size| html! { <small>{format!("{} tokens in the vocabulary", grouped(size))}</small> })}</h2>
                if index == 1 {
                    <span class="grow"></span>
                    {shown_source(side).map(|source| tools(cx, source))}
                }
            </header>
            <div class="body">
                {match (&side.encoding, side.source) {
                    (Some(encoding), Some(_)) => result(cx, index, side, encoding),
                    (None, Some(_)) => html! { <p class="empty">{"The tokens appear as soon as the vocabulary is loaded."}</p> },
                    (_, None) if index == 0 => html! {
                        <p class="empty">{"The run's vocabulary appears here once it is trained. You can also choose another one."}</p>
                    },
                    (_, None) => html! {},
                }}
            </div>
        </section>
    }
}

fn choice(cx: &Cx, index: usize, side: &Side) -> Html {
    let known = &cx.state.tokenizer.known;
    let change = {
        let cx = cx.clone();
        Callback::from(move |event: Event| choose(&cx, index, VocabularySource::from_name(&value_of(&event))))
    };
    let option = |source: VocabularySource| {
        let label = match known.get(&source) {
            Some(known) => format!("{} · {}", source_name(source), grouped(known.vocab_size)),
            None => format!("{} · 50\u{2009}257, downloaded when chosen", source_name(source)),
        };
        let selected = side.source == Some(source);
        html! { <option value={source.name()} {selected}>{label}</option> }
    };
    let offered = VocabularySource::ALL.into_iter();
    let offered = offered.filter(|source| known.contains_key(source) || *source == VocabularySource::Gpt2);
    html! {
        <label class="pill">
            <span>{if index == 0 { "Vocabulary" } else { "Compare with" }}</span>
            <select data-testid={format!("vocabulary-{index}")} onchange={change}>
                if index == 1 || side.source.is_none() {
                    <option value="" selected={side.source.is_none()}>{if index == 0 { "…" } else { "none" }}</option>
                }
                {for offered.map(option)}
            </select>
        </label>
    }
}

/// Chooses another vocabulary; GPT-2's is downloaded when it is first chosen.
fn choose(cx: &Cx, index: usize, source: Option<VocabularySource>) {
    act(cx, TokenizerAction::Choose(index, source));
    if source != Some(VocabularySource::Gpt2) || cx.state.tokenizer.known.contains_key(&VocabularySource::Gpt2) {
        return;
    }
    act(cx, TokenizerAction::Busy("Downloading GPT-2's vocabulary…".into()));
    fetch_gpt2(cx, |cx, message| act(cx, TokenizerAction::Problem(message)));
}

/// Downloads GPT-2's vocabulary and sends it to the second worker, or reports the error through `failed`.
pub fn fetch_gpt2(cx: &Cx, failed: fn(&Cx, String)) {
    let cx = cx.clone();
    spawn_local(async move {
        match fetch::gpt2_vocabulary().await {
            Ok(bytes) => {
                let (source, format) = (VocabularySource::Gpt2, VocabularyFormat::Ranks);
                let load = TokenizerCommand::Load { source, name: "GPT-2".into(), format };
                cx.ask_with(Command::Tokenizer(load), Some(bytes));
            }
            Err(message) => failed(&cx, message),
        }
    });
}

fn result(cx: &Cx, index: usize, side: &Side, encoding: &Rc<Encoding>) -> Html {
    let light = {
        let cx = cx.clone();
        Callback::from(move |token| act(&cx, TokenizerAction::Light(index, token)))
    };
    let turn = {
        let cx = cx.clone();
        Callback::from(move |page| act(&cx, TokenizerAction::Page(index, page)))
    };
    let (n_bytes, n_tokens) = (encoding.n_bytes(), encoding.tokens.len());
    let speed = side.source.and_then(|source| cx.state.tokenizer.speeds.get(&source));
    let numbers = [
        ("characters", "Characters", grouped(cx.state.tokenizer.text.chars().count())),
        ("bytes", "Bytes", grouped(n_bytes)),
        ("tokens", "Tokens", grouped(n_tokens)),
        (
            "bytes-per-token",
            "Bytes per token",
            if n_tokens > 0 { format!("{:.2}", n_bytes as f64 / n_tokens as f64) } else { "–".into() },
        ),
        (
            "mb-s",
            "MB/s",
            speed.map_or("–".into(), |speed| format!("{:.1}", speed.bytes as f64 / speed.seconds.max(1e-6) / 1e6)),
        ),
    ];
    let number = |(id, name, value): (&'static str, &'static str, String)| {
        html! { <div><dt>{name}</dt><dd data-testid={format!("{id}-{index}")}>{value}</dd></div> }
    };
    html! {
        <>
            <dl class="stats">{for numbers.into_iter().map(number)}</dl>
            <TokenList encoding={encoding.clone()} page={side.page} lit={side.lit} {light} {turn}
                prefix={format!("side{index}")} />
        </>
    }
}

fn tools(cx: &Cx, source: VocabularySource) -> Html {
    let ask = |command: TokenizerCommand, action: Option<TokenizerAction>| {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| {
            cx.ask(command.clone());
            action.iter().for_each(|action| act(&cx, action.clone()));
        })
    };
    let export = |purpose, what: &str| {
        ask(TokenizerCommand::Export { source, purpose }, Some(TokenizerAction::Busy(what.into())))
    };
    let measuring = cx.state.tokenizer.measuring;
    html! {
        <>
            <button data-testid={format!("use-{}", source.name())} disabled={source == VocabularySource::Run}
                onclick={export(ExportPurpose::Run, "Starting a run with this vocabulary…")}
                title="Starts a new run, whose model gets as many embeddings as there are tokens.">
                {"Train a model with it"}
            </button>
            <button data-testid={format!("download-{}", source.name())}
                onclick={export(ExportPurpose::Download, "Writing tokenizer.json…")}>{"Save as tokenizer.json"}</button>
            <button data-testid={format!("measure-{}", source.name())} disabled={measuring}
                onclick={ask(TokenizerCommand::Measure { source }, Some(TokenizerAction::Measuring))}
                title="Encodes 4 MB of the built-in stories, as before training; known words are looked up.">
                {if measuring { "Measuring…" } else { "Measure the speed" }}
            </button>
        </>
    }
}

fn own_file(cx: &Cx) -> Html {
    let pick = {
        let cx = cx.clone();
        Callback::from(move |event: Event| {
            let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
            let picked = files::listed(input.and_then(|input| input.files()));
            let (Some(file), cx) = (picked.into_iter().next(), cx.clone()) else { return };
            spawn_local(async move {
                match files::read(&file).await {
                    Ok(bytes) => {
                        let ranks = file.name().to_lowercase().ends_with(".tiktoken");
                        let format = if ranks { VocabularyFormat::Ranks } else { VocabularyFormat::TokenizerJson };
                        let source = VocabularySource::File;
                        let load = TokenizerCommand::Load { source, name: file.name(), format };
                        cx.ask_with(Command::Tokenizer(load), Some(bytes));
                        act(&cx, TokenizerAction::Choose(0, Some(source)));
                    }
                    Err(message) => act(&cx, TokenizerAction::Problem(message)),
                }
            });
        })
    };
    html! {
        <label class="button file" title="A tokenizer.json with byte-level BPE, as Hugging Face writes it, or a .tiktoken file.">
            {"Open a tokenizer.json…"}
            <input type="file" class="sr" data-testid="tokenizer-file" accept=".json,application/json,.tiktoken" onchange={pick} />
        </label>
    }
}
