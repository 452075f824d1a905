//! The files that make the page an app: the manifest for installation, and the service worker that caches the page for
//! offline use.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::Path;

use serde_json::json;

use crate::bundle;
use crate::root;

/// Purposes and sizes of the PNG icons in `www`: some systems do not install apps that have only an SVG.
const ICONS: [(&str, u32); 3] = [("any", 192), ("any", 512), ("maskable", 512)];

/// A hash that identifies a build by its parts.
pub fn version(parts: &[&str]) -> String {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Writes the manifest with the icons, and the service worker that caches `files` and the page itself.
pub fn write(out: &Path, version: &str, icon: &str, files: &[&str]) -> Result<(), String> {
    let mut icons = vec![json!({ "src": icon, "sizes": "any", "type": "image/svg+xml", "purpose": "any" })];
    for (purpose, size) in ICONS {
        let name = format!("icon-{purpose}-{size}");
        let path = root().join(format!("www/{name}.png"));
        let png = std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let (src, sizes) = (bundle::write_hashed(&png, out, &name, "png")?, format!("{size}x{size}"));
        icons.push(json!({ "src": src, "sizes": sizes, "type": "image/png", "purpose": purpose }));
    }
    let manifest = json!({
        "name": "Glasshead",
        "short_name": "Glasshead",
        "description": "Train a Transformer in this tab and inspect every attention head.",
        "id": "./",
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#15181c",
        "theme_color": "#15181c",
        "icons": icons,
    });
    bundle::write(&out.join("manifest.webmanifest"), format!("{manifest:#}\n").as_bytes())?;
    let script = script(&bundle::read(&root().join("www/sw.js"))?, version, files);
    bundle::write(&out.join("sw.js"), script.as_bytes())
}

/// The service worker's script with its version and files filled in.
fn script(template: &str, version: &str, files: &[&str]) -> String {
    let all: Vec<String> = ["", "manifest.webmanifest"].iter().chain(files).map(|file| format!("./{file}")).collect();
    template.replace("[\"FILES\"]", &json!(all).to_string()).replace("BUILD", version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_worker_knows_its_build() {
        let (one, other) = (version(&["a", "b"]), version(&["a", "c"]));
        assert_ne!(one, other);
        let script = script(include_str!("../../www/sw.js"), &one, &["boot-1.js", "glasshead-2.wasm"]);
        assert!(script.contains(&format!("const VERSION = \"{one}\";")));
        let files = "const FILES = [\"./\",\"./manifest.webmanifest\",\"./boot-1.js\",\"./glasshead-2.wasm\"];";
        assert!(script.contains(files), "{script}");
    }
}
