//! Sources and licenses of dependencies, checked offline; `cargo xtask audit` queries their known vulnerabilities.

use std::process::Command;

use serde_json::Value;

/// Lock files of the JavaScript programs that test the page.
const LOCKS: [(&str, &str); 1] = [("tests/browser", include_str!("browser/package-lock.json"))];

/// The licenses that `deny.toml` allows.
fn allowed() -> Vec<&'static str> {
    let licences = include_str!("../deny.toml").split_once("[licenses]").expect("there is such a table").1;
    let list = licences.split_once(']').expect("the list ends").0;
    list.split('"').skip(1).step_by(2).collect()
}

/// Whether one of the alternatives of an SPDX expression is allowed.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let result = any_of(&mut words, allowed);
    result && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words, allowed: &[&str]) -> bool {
    let mut one = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        one |= all_of(words, allowed);
    }
    one
}

fn all_of(words: &mut Words, allowed: &[&str]) -> bool {
    let mut all = licence(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        all &= licence(words, allowed);
    }
    all
}

fn licence(words: &mut Words, allowed: &[&str]) -> bool {
    match words.next() {
        Some("(") => any_of(words, allowed) && words.next() == Some(")"),
        Some(name) => {
            let exception = words.next_if_eq(&"WITH").is_some();
            if exception {
                words.next();
            }
            // A license with an exception is a different license.
            !exception && allowed.contains(&name)
        }
        None => false,
    }
}

#[test]
fn expressions_of_licences_are_read() {
    let allowed = ["MIT", "Zlib"];
    for right in ["MIT", "GPL-3.0 OR MIT", "Apache-2.0/MIT", "(GPL-3.0 OR MIT) AND Zlib", "Apache-2.0 WITH x OR MIT"] {
        assert!(is_allowed(right, &allowed), "{right}");
    }
    for wrong in ["", "GPL-3.0", "GPL-3.0 AND MIT", "MIT AND (GPL-3.0 OR BSL-1.0)", "MIT WITH x", "MIT)", "(MIT"] {
        assert!(!is_allowed(wrong, &allowed), "{wrong}");
    }
}

#[test]
fn crates_come_from_the_registry_under_licences_that_are_allowed() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let packages = metadata["packages"].as_array().expect("there are some");
    assert!(packages.len() > 100);
    let allowed = allowed();
    assert!(allowed.contains(&"MIT"));
    for package in packages {
        let (name, licence) = (&package["name"], package["license"].as_str().unwrap_or_default());
        assert!(is_allowed(licence, &allowed), "{name} has the licence “{licence}”, which deny.toml does not allow");
        let ours = package["source"].is_null() && package["publish"].as_array().is_some_and(Vec::is_empty);
        let registry = package["source"].as_str().is_some_and(|source| source.ends_with("crates.io-index"));
        assert!(ours || registry, "{name} comes from {}", package["source"]);
    }
    let lock = include_str!("../Cargo.lock");
    let (sources, checksums) = (lock.matches("\nsource = ").count(), lock.matches("\nchecksum = ").count());
    assert_eq!(sources, checksums, "what comes from elsewhere is pinned by its checksum");
}

#[test]
fn packages_of_the_browser_tests_are_pinned_and_run_nothing_when_installed() {
    // Only tests load these packages: axe-core (MPL-2.0), and parts of Puppeteer under licenses as permissive as MIT.
    let allowed = [allowed(), vec!["MPL-2.0", "BSD-2-Clause", "0BSD"]].concat();
    for (folder, lock) in LOCKS {
        let lock: Value = serde_json::from_str(lock).expect("it is JSON");
        let packages = lock["packages"].as_object().expect("there are some");
        let others = packages.iter().filter(|(path, _)| !path.is_empty());
        assert!(others.clone().count() > 1);
        for (path, package) in others {
            let licence = package["license"].as_str().unwrap_or_default();
            assert!(is_allowed(licence, &allowed), "{folder}: {path} has the licence “{licence}”");
            assert!(package["integrity"].as_str().is_some_and(|hash| hash.starts_with("sha512-")), "{folder}: {path}");
            assert!(package["hasInstallScript"].is_null(), "{folder}: {path} runs a script when it is installed");
        }
    }
}
