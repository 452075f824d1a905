//! Pages that are no text: menus, lists, text for search engines, boilerplate and forums.

use crate::rng::Rng;

const TOPICS: [&str; 24] = [
    "Home",
    "About us",
    "Contact",
    "Products",
    "Services",
    "Blog",
    "News",
    "Support",
    "Careers",
    "Shop",
    "Cart (0)",
    "Login",
    "Register",
    "Gallery",
    "Events",
    "FAQ",
    "Sitemap",
    "Downloads",
    "Partners",
    "Press",
    "Privacy",
    "Terms",
    "Newsletter",
    "Search",
];

const PRODUCTS: [&str; 14] = [
    "running shoes",
    "garden chairs",
    "car insurance",
    "phone cases",
    "payday loans",
    "diet pills",
    "replica watches",
    "web hosting",
    "kitchen knives",
    "cheap flights",
    "poker bonus",
    "solar panels",
    "leather bags",
    "essay writing",
];

const NAMES: [&str; 18] = [
    "Mensah",
    "Okafor",
    "Lindqvist",
    "Rossi",
    "Tanaka",
    "Novak",
    "Silva",
    "Dubois",
    "Haddad",
    "Petrov",
    "Nguyen",
    "Schmidt",
    "Kowalski",
    "O'Neill",
    "Garcia",
    "Chen",
    "Patel",
    "Moreau",
];

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Menu entries, prices and buttons.
pub(super) fn menu(rng: &mut Rng) -> String {
    let mut lines = Vec::new();
    for _ in 0..20 + rng.below(60) {
        lines.push(match rng.below(7) {
            0..=2 => rng.choose(&TOPICS).to_string(),
            3 => format!("${}.99 Buy ★★★★☆ ({})", 3 + rng.below(90), rng.below(400)),
            4 => format!("{} » {}", rng.choose(&TOPICS), rng.choose(&TOPICS)),
            5 => format!("Next 1 2 3 4 … {}", 5 + rng.below(90)),
            _ => format!("Tags: {}, {}", rng.choose(&PRODUCTS), rng.choose(&PRODUCTS)),
        });
    }
    lines.join("\n")
}

/// Results, prices or dates, one per line.
pub(super) fn list(rng: &mut Rng) -> String {
    let kind = rng.below(4);
    let line = |at: usize, rng: &mut Rng| match kind {
        0 => format!(
            "{}. {} {}:{:02}.{:02}",
            at + 1,
            rng.choose(&NAMES),
            9 + rng.below(4),
            rng.below(60),
            rng.below(100)
        ),
        1 => format!(
            "{} {} {} | {} | {}",
            1 + rng.below(28),
            rng.choose(&MONTHS),
            2001 + rng.below(24),
            rng.below(9),
            rng.below(9)
        ),
        2 => format!(
            "• {} – ${}.{:02} – SKU {:06}",
            rng.choose(&PRODUCTS),
            rng.below(400),
            rng.below(100),
            rng.below(999_999)
        ),
        _ => format!(
            "{}, {} {} {}",
            rng.choose(&NAMES),
            rng.choose(&["A.", "B.", "C.", "D."]),
            1900 + rng.below(120),
            rng.below(5000)
        ),
    };
    (0..30 + rng.below(80)).map(|at| line(at, rng)).collect::<Vec<_>>().join("\n")
}

/// Sentences that repeat their keyword.
pub(super) fn seo(rng: &mut Rng) -> String {
    let product = rng.choose(&PRODUCTS);
    let mut out = String::new();
    for _ in 0..10 + rng.below(16) {
        let other = rng.choose(&PRODUCTS);
        out.push_str(&match rng.below(9) {
            0 => format!("Buy {product} online for the best price. "),
            1 => format!("Looking for cheap {product}? Our {product} are the best {product} in town. "),
            2 => format!("Best {product} 2024, top {product} reviews, {product} near me, {product} discount code. "),
            3 => format!("Click here for {product} and save up to {}% today! ", 10 + rng.below(80)),
            4 => format!("{product} {product} {product} free shipping {product} sale. "),
            5 => format!("Order {product} now and get {other} for free. "),
            6 => format!("Customers who bought {product} also bought {other}. "),
            7 => format!("Compare {product} prices, find {product} deals, buy {product} with no risk. "),
            _ => format!("100% satisfaction guarantee on all {product}, limited offer, act now! "),
        });
    }
    out.trim_end().to_string()
}

const LEGAL: [&str; 18] = [
    "This website uses cookies to ensure you get the best experience.",
    "By continuing to browse you agree to our use of cookies.",
    "Please read our privacy policy carefully before using this site.",
    "All rights reserved. Unauthorized reproduction is prohibited.",
    "We may share your information with third parties and affiliates.",
    "You can change your cookie settings at any time.",
    "These terms of use may be updated without notice.",
    "JavaScript is disabled. Please enable JavaScript in your browser.",
    "Your session has expired. Please log in again to continue.",
    "The page you are looking for could not be found.",
    "Sign up for our newsletter to receive special offers.",
    "We are not responsible for the content of external links.",
    "Your email address will not be published. Required fields are marked *",
    "This domain is for sale. Make an offer today.",
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit.",
    "To the maximum extent permitted by law, we disclaim all liability.",
    "You must be logged in to post a comment.",
    "Powered by a content management system.",
];

/// Terms, cookies and error messages.
pub(super) fn boilerplate(rng: &mut Rng) -> String {
    let lines: Vec<&str> = (0..8 + rng.below(14)).map(|_| rng.choose(&LEGAL)).collect();
    lines.join("\n")
}

const POSTS: [&str; 20] = [
    "lol thats so true",
    "thanks for sharing!!",
    "anyone know how to fix this?",
    "bump",
    "same problem here pls help",
    "I tried reinstalling but it still doesnt work :(",
    "+1",
    "you should check the sticky first",
    "great post, keep it up",
    "has anyone got a coupon for this?",
    "mine arrived broken, waiting for refund",
    "u can get it cheaper elsewhere imo",
    "first!",
    "this is awesome, going to try it tonight",
    "can someone post a link",
    "sold mine last week, sorry mate",
    "wow thank you so much for this",
    "is this still available?",
    "check out my site for more tips",
    "idk it worked for me",
];

const FORUM: [&str; 14] = [
    "Reply Quote Report",
    "Posted by {name} on {date}",
    "Joined: {date}",
    "Posts: {number}",
    "Location: {name}ville",
    "Last edited {date}",
    "View profile",
    "Send private message",
    "« Previous | Next »",
    "Log in or register to post comments",
    "Page 1 of {number}",
    "Subscribe to this thread",
    "Re: {name}",
    "Likes: {number}",
];

/// A thread of a forum.
pub(super) fn forum(rng: &mut Rng) -> String {
    let mut lines = Vec::new();
    for _ in 0..12 + rng.below(40) {
        if rng.chance(0.45) {
            lines.push(rng.choose(&POSTS).to_string());
            continue;
        }
        let date = format!("{} {}, {}", rng.choose(&MONTHS), 1 + rng.below(28), 2003 + rng.below(20));
        let line = rng.choose(&FORUM).replace("{name}", rng.choose(&NAMES)).replace("{date}", &date);
        lines.push(line.replace("{number}", &rng.below(4000).to_string()));
    }
    lines.join("\n")
}
