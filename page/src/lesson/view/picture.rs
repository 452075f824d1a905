//! The picture that a step of the lesson shows in addition to its matrices.

use yew::prelude::*;

use crate::core::context::Cx;
use crate::core::navigation;
use crate::lesson::steps::Picture;
use crate::lesson::view::pair::pair;
use crate::lesson::view::tokens::LessonTokens;
use crate::lesson::worked::{decimals, label};
use crate::shared::plot::Plot;
use crate::shared::plot::bars;
use crate::shared::plot::text;
use crate::state::Action;
use crate::state::View;
use glasshead::types::lesson::{N_HASHES, Sheet, WORDS};

/// Renders the picture of a step.
pub fn picture(cx: &Cx, picture: Picture) -> Html {
    match (picture, cx.state.lesson.sheet()) {
        (Picture::Tokens, _) => html! { <LessonTokens ..cx.clone() /> },
        (Picture::Pair, _) => pair(cx),
        (Picture::HeadLink, _) => head_link(cx),
        (Picture::Matrices, _) | (_, None) => Html::default(),
        (Picture::Arrows, Some(sheet)) => arrows(sheet, cx.state.lesson.query),
        (Picture::Gates, Some(sheet)) => gates(sheet),
        (Picture::Losses, Some(sheet)) => losses(sheet),
        (Picture::Valley, Some(sheet)) => valley(sheet),
        (Picture::Rates, Some(sheet)) => rates(sheet),
        (Picture::Draws, Some(sheet)) => draws(sheet),
        (Picture::SCurve, Some(sheet)) => s_curve(sheet),
    }
}

fn values<'s>(sheet: &'s Sheet, name: &str) -> &'s [f32] {
    sheet.matrix(name).map_or(&[], |matrix| &matrix.values)
}

/// A link from the lesson to the model being trained.
fn head_link(cx: &Cx) -> Html {
    let Some(maps) = &cx.state.maps else {
        return html! { <p class="count">{"The model in the Train view is still being prepared; then its heads can be seen from here."}</p> };
    };
    let (layer, head) = (maps.n_layers.clamp(1, 2) - 1, maps.n_heads.clamp(1, 3) - 1);
    let open = {
        let cx = cx.clone();
        Callback::from(move |_: MouseEvent| {
            cx.act(Action::Select(layer, head));
            navigation::open(View::Train);
        })
    };
    html! {
        <p class="line"><button data-testid="lesson-head" onclick={open}>
            {format!("This is head {} of layer {} of the model that you are training →", head + 1, layer + 1)}
        </button></p>
    }
}

/// Queries and keys in the plane, before (thin) and after rotation.
fn arrows(sheet: &Sheet, query: usize) -> Html {
    let highest = |name: &str| {
        let scores = values(sheet, name);
        let at = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap_or(0);
        WORDS.get(at).copied().unwrap_or_default()
    };
    let said = format!(
        "“{}” scores “{}” highest before turning and “{}” after it.",
        WORDS[query],
        highest("s"),
        highest("s_{turned}")
    );
    let names = ["Q", "Q_{turned}", "K", "K_{turned}"];
    let [q, q_turned, k, k_turned] = names.map(|name| values(sheet, name));
    let longest = |pairs: &[f32]| pairs.chunks_exact(2).map(|pair| pair[0].hypot(pair[1])).fold(0.0, f32::max);
    let most = longest(k).max(0.1) * 1.25;
    // The x range is twice the y range, so that rotations are not distorted.
    let plot = Plot { x: [-2.06 * most, 2.06 * most], y: [-most, most] };
    let arrow = |pair: &[f32], class: &'static str, word: &str| {
        let [x, y] = *pair else { return Html::default() };
        let ((x0, y0), (x1, y1)) = (plot.at(0.0, 0.0), plot.at(x, y));
        let line = format!("{x0:.1},{y0:.1} {x1:.1},{y1:.1}");
        html! { <><polyline {class} points={line} />{text(x1 + 4.0, y1 + 4.0, "start", word)}</> }
    };
    let keys = WORDS.iter().enumerate().map(|(token, word)| {
        let range = 2 * token..2 * token + 2;
        let (before, after) = (k.get(range.clone()).unwrap_or(&[]), k_turned.get(range).unwrap_or(&[]));
        html! { <>{arrow(before, "before", "")}{arrow(after, "key-arrow", word)}</> }
    });
    let held = 2 * query..2 * query + 2;
    // Queries are much shorter than keys here, so the selected one is drawn as long as the longest key.
    let long = |pairs: &[f32]| {
        let pair = pairs.get(held.clone()).unwrap_or(&[]);
        let factor = longest(k) / longest(pair).max(1e-6);
        pair.iter().map(|x| factor * x).collect::<Vec<_>>()
    };
    let own = arrow(&long(q_turned), "query-arrow", "query");
    let own_before = arrow(&long(q), "before", "");
    let contents = html! { <>{for keys}{own_before}{own}</> };
    let name =
        format!("The keys of all tokens as arrows and the query of {}, before turning and after it.", WORDS[query]);
    html! {
        <figure class="drawn">
            {plot.frame(name, ["first number", "second number"], contents)}
            <p data-testid="lesson-highest" aria-live="polite">{said}</p>
            <figcaption>{"Thin: before turning. Blue: keys. Thick: the query of the held token, drawn as long as the \
                longest key. The smaller the angle between it and a blue arrow, the higher the score."}</figcaption>
        </figure>
    }
}

/// The SiLU curve with the gate values marked.
fn gates(sheet: &Sheet) -> Html {
    let silu = |x: f32| x / (1.0 + (-x).exp());
    let gates = values(sheet, "g");
    let wide = gates.iter().fold(4.0f32, |most, gate| most.max(gate.abs())).ceil();
    let plot = Plot { x: [-wide, wide], y: [-0.5, wide] };
    let curve = plot.curve((0..=120).map(|i| wide * (i as f32 / 60.0 - 1.0)).map(|x| (x, silu(x))), "main-curve");
    let points = gates.iter().enumerate();
    let points = points.map(|(i, &gate)| plot.point(gate, silu(gate), "mark", &format!("{}", i + 1)));
    let name = format!("SiLU's curve with the gates {} on it.", listed(gates));
    let contents = html! { <>{curve}{for points}</> };
    html! {
        <figure class="drawn">
            {plot.frame(name, ["gate", "SiLU(gate)"], contents)}
            <figcaption>{"The curve is SiLU; the numbered points are the four gates. On the line at 0 nothing passes."}</figcaption>
        </figure>
    }
}

fn listed(values: &[f32]) -> String {
    values.iter().map(|&value| decimals(value, 2)).collect::<Vec<_>>().join(", ")
}

/// The loss of every token.
fn losses(sheet: &Sheet) -> Html {
    let each = values(sheet, "L_t");
    let row = |(i, &loss): (usize, &f32)| {
        (format!("{} → {}", WORDS[i], WORDS[i + 1]), loss, format!("{} nats", decimals(loss, 3)))
    };
    let rows = each.iter().enumerate().take(WORDS.len() - 1).map(row).collect();
    html! {
        <figure class="drawn">
            {bars(format!("Losses of the five predictions: {}.", listed(each)), 5.0, rows)}
            <figcaption>{"One bar per position, to 5 nats: −ln of the probability of the token that came. Guessing among six \
                costs 1.792."}</figcaption>
        </figure>
    }
}

/// The path of one weight into a valley of the loss.
fn valley(sheet: &Sheet) -> Html {
    let plot = Plot { x: [-1.6, 1.6], y: [0.0, 2.56] };
    let curve = plot.curve((0..=64).map(|i| i as f32 / 20.0 - 1.6).map(|w| (w, w * w)), "main-curve");
    let way = |name: &str, class: &'static str, dots: &'static str| {
        let weights: Vec<f32> = std::iter::once(1.0).chain(values(sheet, name).iter().copied()).collect();
        let line = plot.curve(weights.iter().map(|&w| (w, w * w)), class);
        let points = weights.iter().map(|&w| plot.point(w, w * w, dots, ""));
        html! { <>{line}{for points}</> }
    };
    let last = |name: &str| values(sheet, name).last().map_or("…".into(), |&w| decimals(w, 3));
    let (adam, plain) = (last("w_{AdamW}"), last("w_{plain}"));
    let contents = html! { <>{curve}{way("w_{plain}", "way-2", "mark-2")}{way("w_{AdamW}", "way", "mark")}</> };
    let name = format!("A valley; after 8 steps AdamW's weight is {adam}, that of plain gradient descent {plain}.");
    html! {
        <figure class="drawn">
            {plot.frame(name, ["w", "height of the valley"], contents)}
            <figcaption>{format!("Filled: AdamW, now at {adam}. Hollow: plain gradient descent, now at {plain}; beyond the \
                picture it is drawn at its border.")}</figcaption>
        </figure>
    }
}

/// The learning rate over the steps.
fn rates(sheet: &Sheet) -> Html {
    let curve = values(sheet, "curve");
    let highest = (0..curve.len()).max_by(|&a, &b| curve[a].total_cmp(&curve[b])).unwrap_or(0);
    let top = curve.get(highest).copied().unwrap_or(1.0);
    let plot = Plot { x: [0.0, 100.0], y: [0.0, 1.35 * top] };
    let line = plot.curve(curve.iter().enumerate().map(|(step, &lr)| (step as f32, lr)), "main-curve");
    let mark = plot.point(highest as f32, top, "mark", &format!("step {highest}"));
    let name = format!("The learning rate over 100 steps; it is highest, {}, at step {highest}.", decimals(top, 4));
    html! {
        <figure class="drawn">
            {plot.frame(name, ["step", "learning rate"], html! { <>{line}{mark}</> })}
            <figcaption>{format!("The point is the highest learning rate, {}, at step {highest}.", decimals(top, 4))}</figcaption>
        </figure>
    }
}

/// The probability that a pair is found, over its similarity, for every shape of eight hashes.
fn s_curve(sheet: &Sheet) -> Html {
    let similarity = values(sheet, "J").first().copied().unwrap_or(0.0);
    let bands = values(sheet, "f").len().max(1);
    let at = |j: f32, bands: usize| 1.0 - (1.0 - j.powi((N_HASHES / bands) as i32)).powi(bands as i32);
    let plot = Plot { x: [0.0, 1.0], y: [0.0, 1.0] };
    let curve = |of: usize, class| plot.curve((0..=50).map(|i| (i as f32 / 50.0, at(i as f32 / 50.0, of))), class);
    let others = [1, 2, 4, 8].into_iter().filter(|&of| of != bands).map(|of| curve(of, "before"));
    let found = at(similarity, bands);
    let mark = plot.point(similarity, found, "mark", &format!("these two: {}", decimals(found, 2)));
    let shape = format!("{bands} × {}", N_HASHES / bands);
    let name = format!(
        "With {shape}, a pair with similarity {} is found with probability {}.",
        decimals(similarity, 2),
        decimals(found, 2)
    );
    html! {
        <figure class="drawn">
            {plot.frame(name, ["J", "P"], html! { <>{for others}{curve(bands, "main-curve")}{mark}</> })}
            <figcaption>{format!("Thick: {shape}, bands × rows. Thin: the other shapes of eight hashes.")}</figcaption>
        </figure>
    }
}

/// Probabilities, and the outcome of a hundred draws.
fn draws(sheet: &Sheet) -> Html {
    let (p, drawn) = (values(sheet, "p"), values(sheet, "drawn"));
    let Some(matrix) = sheet.matrix("p") else { return Html::default() };
    let row = |(i, (&p, &drawn)): (usize, (&f32, &f32))| {
        (label(&matrix.axes[1], i), p, format!("{}, drawn {drawn:.0} ×", decimals(p, 3)))
    };
    let rows = p.iter().zip(drawn).enumerate().map(row).collect();
    html! {
        <figure class="drawn">
            {bars(format!("Probabilities of the five candidates: {}.", listed(p)), 1.0, rows)}
            <figcaption>{"Bars: probabilities, to 1. Behind them how often each came in 100 draws."}</figcaption>
        </figure>
    }
}
