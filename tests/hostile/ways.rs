//! The input paths: all code that reads untrusted bytes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use glasshead::align::{
    PromptTemplate, Response, Rewards, parse_gsm8k, parse_mmlu, read_preferences, read_prompts, read_responses,
};
use glasshead::cli::ops::serve;
use glasshead::data::{Cut, Tokenizer, jsonl_fields, read_files, read_parquet};
use glasshead::interop::archive::Chosen;
use glasshead::interop::import::import;
use glasshead::run::native::log::resume;
use glasshead::run::record;
use glasshead::scaling;
use glasshead::scaling::fit::{Settings, fit_law, fit_size};
use glasshead::scaling::isoflop::Minimum;
use glasshead::scaling::plan::Plan;
use glasshead::scaling::predict::predict;
use glasshead::scaling::spec::{Outcome as RunOutcome, RunResult};
use glasshead::scaling::sweep::Sweep;
use glasshead::serve::Session;
use glasshead::train::checkpoint::Checkpoint;
use glasshead::types::BackendChoice;
use glasshead::wire::align::{AlignCommand, AlignEvent};
use glasshead::wire::{Command, Event};
use glasshead_filter::classify::Classifier;
use glasshead_filter::desk::{Attached, Desk};
use glasshead_filter::html::{decode, plain_text};
use glasshead_filter::mask::{Masking, mask};
use glasshead_filter::pipeline::Pipeline;
use glasshead_filter::settings::Settings as FilterSettings;
use glasshead_filter::source;
use glasshead_filter::wire::{Reply, Request};
use glasshead_page::share::restored;
use safetensors::SafeTensors;

use super::seeds;

/// Result of an input: success, or the message for the user.
pub type Outcome = Result<(), String>;

/// One input path.
pub struct Way {
    /// Name in reports.
    pub name: &'static str,
    /// Valid inputs to mutate.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Reads an input.
    pub enter: fn(&[u8]) -> Outcome,
    /// Bytes that may be allocated per byte of the input.
    pub factor: usize,
    /// Bytes that may be allocated in addition, for any input.
    pub base: usize,
}

const MIB: usize = 1 << 20;

/// All input paths. JSON takes some hundred times its length in memory at worst (`[[],[],…`).
pub const WAYS: &[Way] = &[
    Way { name: "checkpoint", seeds: seeds::checkpoints, enter: checkpoint, factor: 250, base: 4 * MIB },
    Way { name: "config.json", seeds: seeds::configs, enter: config, factor: 250, base: 8 * MIB },
    Way { name: "generation_config.json", seeds: seeds::generations, enter: generation, factor: 250, base: 8 * MIB },
    Way { name: "tokenizer_config.json", seeds: seeds::settings, enter: settings, factor: 250, base: 8 * MIB },
    Way { name: "model.safetensors", seeds: seeds::weights, enter: weights, factor: 250, base: 4 * MIB },
    Way { name: "index of shards", seeds: seeds::indices, enter: index, factor: 250, base: 4 * MIB },
    Way { name: "training_state", seeds: seeds::states, enter: state, factor: 250, base: 4 * MIB },
    Way { name: "tokenizer.json", seeds: seeds::tokenizers, enter: tokenizer, factor: 400, base: 8 * MIB },
    Way { name: ".tiktoken", seeds: seeds::ranks, enter: ranks, factor: 400, base: 8 * MIB },
    Way { name: "ZIP", seeds: seeds::zips, enter: zip, factor: 250, base: 6 * MIB },
    Way { name: "link", seeds: seeds::links, enter: link, factor: 100, base: 4 * MIB },
    Way { name: "text", seeds: seeds::texts, enter: text, factor: 20, base: MIB },
    Way { name: "JSON lines", seeds: seeds::json_lines, enter: json_lines, factor: 250, base: 4 * MIB },
    Way { name: "alignment rows", seeds: seeds::alignment_rows, enter: alignment_rows, factor: 250, base: 4 * MIB },
    Way {
        name: "alignment project",
        seeds: seeds::alignment_projects,
        enter: alignment_project,
        factor: 250,
        base: 8 * MIB,
    },
    Way { name: "reward", seeds: seeds::rewards, enter: reward, factor: 250, base: 32 * MIB },
    Way { name: "Parquet", seeds: seeds::parquets, enter: parquet, factor: 2100, base: 8 * MIB },
    Way { name: "rows of a log", seeds: seeds::log_rows, enter: log_rows, factor: 250, base: MIB },
    Way { name: "specification of a run", seeds: seeds::specifications, enter: specification, factor: 250, base: MIB },
    Way { name: "event file", seeds: seeds::event_files, enter: event_file, factor: 250, base: MIB },
    Way { name: "plan of a sweep", seeds: seeds::plans, enter: plan, factor: 400, base: 4 * MIB },
    Way { name: "result of a run", seeds: seeds::run_results, enter: run_result, factor: 400, base: 4 * MIB },
    Way { name: "table of runs", seeds: seeds::run_tables, enter: run_table, factor: 400, base: 4 * MIB },
    // An operation may request results that are larger than the request, up to a fixed limit.
    Way { name: "frame of ops", seeds: seeds::requests, enter: ops, factor: 100, base: 400 * MIB },
    // A document may have 8 MiB, and a window of Zstandard 32 MiB.
    Way { name: "archive of pages", seeds: seeds::archives, enter: archive, factor: 400, base: 96 * MIB },
    Way { name: "rows of pages", seeds: seeds::page_rows, enter: page_rows, factor: 400, base: 96 * MIB },
    Way { name: "page", seeds: seeds::pages, enter: page, factor: 400, base: 16 * MIB },
    Way {
        name: "settings of filters",
        seeds: seeds::filter_settings,
        enter: filter_settings,
        factor: 250,
        base: 4 * MIB,
    },
    Way {
        name: "request of the Data view",
        seeds: seeds::filter_requests,
        enter: filter_request,
        factor: 400,
        base: 96 * MIB,
    },
    Way { name: "trace of a step", seeds: seeds::traces, enter: trace, factor: 400, base: 4 * MIB },
    Way { name: "classifier", seeds: seeds::classifiers, enter: classifier, factor: 250, base: 8 * MIB },
];

/// Discards the value and formats the error.
fn said<T>(result: Result<T, impl std::fmt::Display>) -> Outcome {
    said_of(result).map(drop)
}

fn said_of<T>(result: Result<T, impl std::fmt::Display>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

/// The specification of a run in a queue.
pub fn specification(bytes: &[u8]) -> Outcome {
    let spec: glasshead::run::RunSpec = said_of(serde_json::from_slice(bytes))?;
    said(spec.validate())
}

/// A run's file: the training state, and the page's metadata in it.
pub fn checkpoint(bytes: &[u8]) -> Outcome {
    record::read(bytes);
    said(Checkpoint::from_bytes(bytes))
}

/// Opens a model folder in which the file `name` has the content `bytes`.
fn model_with(name: &str, bytes: &[u8]) -> Outcome {
    let mut files: BTreeMap<String, Vec<u8>> = seeds::model_files().clone();
    if name.ends_with("index.json") {
        let weights = files.remove("model.safetensors").unwrap_or_default();
        files.insert("a.safetensors".into(), weights.clone());
        files.insert("b.safetensors".into(), weights);
    }
    files.insert(name.into(), bytes.to_vec());
    let mut chosen = Chosen::new(files.into_iter().collect()).map_err(|error| error.to_string())?;
    said(import(&mut chosen))
}

/// `config.json`.
pub fn config(bytes: &[u8]) -> Outcome {
    model_with("config.json", bytes)
}

/// `generation_config.json`.
pub fn generation(bytes: &[u8]) -> Outcome {
    model_with("generation_config.json", bytes)
}

/// `tokenizer_config.json`.
pub fn settings(bytes: &[u8]) -> Outcome {
    model_with("tokenizer_config.json", bytes)
}

/// `model.safetensors`.
pub fn weights(bytes: &[u8]) -> Outcome {
    model_with("model.safetensors", bytes)
}

/// The index of sharded weights.
pub fn index(bytes: &[u8]) -> Outcome {
    model_with("model.safetensors.index.json", bytes)
}

/// `training_state.safetensors`.
pub fn state(bytes: &[u8]) -> Outcome {
    model_with("training_state.safetensors", bytes)
}

/// Checks that a tokenizer that was read also works.
fn used(tokenizer: Result<Tokenizer, impl std::fmt::Display>) -> Outcome {
    let tokenizer = tokenizer.map_err(|error| error.to_string())?;
    let ids = tokenizer.encode("the cat sat<|endoftext|> 猫\u{0}");
    tokenizer.decode(&ids);
    tokenizer.to_json().map(drop).map_err(|error| error.to_string())
}

/// Hugging Face's `tokenizer.json`.
pub fn tokenizer(bytes: &[u8]) -> Outcome {
    used(Tokenizer::from_json(&String::from_utf8_lossy(bytes)))
}

/// OpenAI's `.tiktoken` files.
pub fn ranks(bytes: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(bytes);
    used(Tokenizer::from_ranks(&text, None)).or_else(|_| used(Tokenizer::from_ranks(&text, Some(Cut::O200k))))
}

/// A ZIP file of a model.
pub fn zip(bytes: &[u8]) -> Outcome {
    let mut chosen = Chosen::new(vec![("m.zip".into(), bytes.to_vec())]).map_err(|error| error.to_string())?;
    said(import(&mut chosen))
}

/// The part of an address after `#`: the resulting state must be able to start.
pub fn link(bytes: &[u8]) -> Outcome {
    let (state, problems) = restored(&String::from_utf8_lossy(bytes));
    assert_eq!(state.problem(), None);
    problems.into_iter().next().map_or(Ok(()), Err)
}

/// A timeline that was exported as Chrome trace JSON, compared with itself.
pub fn trace(bytes: &[u8]) -> Outcome {
    let trace = said_of(glasshead::systems::chrome::read(&String::from_utf8_lossy(bytes)))?;
    assert!(trace.layer_ns().len() <= trace.spans.len() + 1025);
    glasshead::systems::compare::differences(&trace, &trace).iter().for_each(|row| assert!(!row.change_ns().is_nan()));
    Ok(())
}

/// A plain text in any encoding.
pub fn text(bytes: &[u8]) -> Outcome {
    said(read_files(&[("a.txt", bytes)], None))
}

/// JSON Lines files.
pub fn json_lines(bytes: &[u8]) -> Outcome {
    jsonl_fields(bytes);
    // Rows or plain text, detected by content; an error about a missing field does not cover the rows.
    let _ = read_files(&[("a.json", bytes)], Some("meta.text"));
    said(read_files(&[("a.jsonl", bytes)], None))
}

/// Rows of prompts with answers, responses or preferences.
pub fn alignment_rows(bytes: &[u8]) -> Outcome {
    let outcomes = [said(read_prompts(bytes, true)), said(read_responses(bytes)), said(read_preferences(bytes))];
    outcomes.into_iter().find(Result::is_ok).unwrap_or_else(|| said(read_prompts(bytes, false)))
}

/// The file of the Align view's project, as the page sends it to the worker.
pub fn alignment_project(bytes: &[u8]) -> Outcome {
    let problem: Rc<RefCell<Option<String>>> = Rc::default();
    let heard = problem.clone();
    let sink = Box::new(move |event, _: Option<Vec<u8>>| {
        if let Event::Align(AlignEvent::Problem { message }) = event {
            *heard.borrow_mut() = Some(message);
        }
    });
    let mut session = Session::new(sink, Box::new(|| 0.0));
    pollster::block_on(
        session.handle(Command::Align(AlignCommand::Restore { backend: BackendChoice::Cpu }), Some(bytes.to_vec())),
    );
    problem.take().map_or(Ok(()), Err)
}

/// A reward's specification and a prompt template, with a response that they are applied to.
pub fn reward(bytes: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(bytes);
    let template = text.parse::<PromptTemplate>().map_err(|error| error.to_string());
    let rewards = Rewards::parse(&text.split('\n').collect::<Vec<_>>()).map_err(|error| error.to_string());
    if let Ok(rewards) = &rewards {
        let verdict = rewards.grade(Response { text: &text, ended: true }, Some("580"));
        assert!(verdict.exact <= 1.0 && verdict.format <= 1.0);
    }
    parse_mmlu(&["1".into(), text.to_string()], &text);
    parse_gsm8k(&text);
    template.map(drop).or(rewards.map(drop))
}

/// A text column of a Parquet file.
pub fn parquet(bytes: &[u8]) -> Outcome {
    said(read_parquet(bytes.to_vec(), None))
}

/// `log.csv` or `log.jsonl` of a resumed run.
pub fn log_rows(bytes: &[u8]) -> Outcome {
    let scan = said_of(resume::scan(bytes, 3))?;
    assert!(scan.bytes <= bytes.len() as u64);
    Ok(())
}

/// The TensorBoard event file of a resumed run.
pub fn event_file(bytes: &[u8]) -> Outcome {
    let kept = said_of(resume::kept_events(bytes, 3))?;
    assert!(kept.iter().all(|part| part.start < part.end && part.end <= bytes.len() as u64));
    Ok(())
}

/// A table of runs for a scaling law: whatever can be read can also be fitted.
pub fn run_table(bytes: &[u8]) -> Outcome {
    let runs = said_of(scaling::read::read(bytes, &Default::default()))?.runs;
    let settings = Settings { resamples: 3, seed: 1 };
    let sizes = [Minimum::Lowest, Minimum::Parabola(None), Minimum::Parabola(Some(5))]
        .map(|minimum| said(fit_size(&runs, minimum, settings)));
    sizes.into_iter().chain([said(fit_law(&runs, settings))]).collect()
}

/// A plan: what can be read can be worked off.
pub fn plan(bytes: &[u8]) -> Outcome {
    let plan: Plan = said_of(serde_json::from_slice(bytes))?;
    said_of(plan.check())?;
    let specs = plan.runs.iter().map(|run| (run.id.clone(), run.clone())).collect();
    let mut sweep = Sweep { specs, results: BTreeMap::new() };
    for run in &plan.runs {
        let result = RunResult { id: run.id.clone(), outcome: RunOutcome::Diverged, points: Vec::new(), seconds: 1.0 };
        sweep.results.insert(run.id.clone(), result);
    }
    sweep.ledger(&plan);
    sweep.follow_ups(&plan);
    said(plan.check_run(1e12, 1e5, 1))
}

/// The result of a run, which enters fits.
pub fn run_result(bytes: &[u8]) -> Outcome {
    let result: RunResult = said_of(serde_json::from_slice(bytes))?;
    let plan: Plan = said_of(serde_json::from_slice(&seeds::plans()[0]))?;
    let run = plan.runs[0].clone();
    let mut sweep = Sweep::default();
    sweep.results.insert(run.id.clone(), result);
    sweep.specs.insert(run.id.clone(), run);
    sweep.follow_ups(&plan);
    sweep.seed_deviation();
    let (runs, settings) = (sweep.runs(), Settings { resamples: 3, seed: 1 });
    said(predict(&runs, 1e12, None, settings)).ok();
    Ok(())
}

/// A `glasshead ops` request, once as a message and once as the raw stream.
pub fn ops(bytes: &[u8]) -> Outcome {
    let mut out = Vec::new();
    serve(bytes, &mut out, None).ok();
    out.clear();
    let frame = [&(bytes.len() as u64).to_le_bytes(), bytes].concat();
    serve(&frame[..], &mut out, None).map_err(|error| error.to_string())?;
    let (_, header) = SafeTensors::read_metadata(&out[8..]).expect("answers are safetensors");
    let error = header.metadata().as_ref().and_then(|entries| entries.get("error").cloned());
    error.map_or(Ok(()), |json| Err(serde_json::from_str(&json).expect("an error is a string")))
}

/// Reads all documents, and judges each.
fn judged(name: &str, bytes: &[u8]) -> Outcome {
    let pipeline = Pipeline::new(FilterSettings::default(), None);
    let mut reader = said_of(source::open(name, bytes, "text"))?;
    while let Some(document) = said_of(reader.next_document())? {
        let record = pipeline.judge(&document, true);
        for (_, measure) in &record.measures {
            for (start, end) in pipeline.spans(measure.rule, &record.text) {
                assert!(record.text.get(start..end).is_some(), "{}", measure.rule);
            }
        }
        mask(&record.text, &Masking { ipv6: true, ..Masking::default() });
    }
    Ok(())
}

/// WARC archives, plain and compressed.
pub fn archive(bytes: &[u8]) -> Outcome {
    judged("a.warc", bytes)
}

/// JSON Lines with texts and pages, plain and compressed.
pub fn page_rows(bytes: &[u8]) -> Outcome {
    judged("a.jsonl", bytes)
}

/// An HTML page.
pub fn page(bytes: &[u8]) -> Outcome {
    said(plain_text(&decode(bytes, None))).and_then(|()| judged("a.html", bytes))
}

/// The settings of filters.
pub fn filter_settings(bytes: &[u8]) -> Outcome {
    said(FilterSettings::from_toml(&String::from_utf8_lossy(bytes)))
}

/// A request of the Data view to its worker.
pub fn filter_request(bytes: &[u8]) -> Outcome {
    let request = said_of(serde_json::from_slice(bytes))?;
    let mut desk = Desk::new(Box::new(|| 0.0));
    let read = Request::Read { names: vec!["a.txt".into()], field: "text".into() };
    desk.handle(read, vec![Attached::from_bytes(b"One text.<|endoftext|>Another text.".to_vec())]);
    while desk.work() {}
    desk.handle(request, vec![Attached::from_bytes(b"A file of the request.".to_vec())]);
    // Requests may ask for more pages than anyone waits for.
    for _ in 0..8 {
        desk.work();
    }
    let refusal = desk.take().into_iter().find_map(|(reply, _)| match reply {
        Reply::Problem { message } | Reply::Refused { message } => Some(message),
        _ => None,
    });
    refusal.map_or(Ok(()), Err)
}

/// The file of a classifier.
pub fn classifier(bytes: &[u8]) -> Outcome {
    said(Classifier::from_bytes(bytes).map(|classifier| classifier.score("the cat sat on the mat")))
}
