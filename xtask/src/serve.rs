//! A static file server for localhost.

use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread;

use tiny_http::{Header, Request, Response, Server};

/// The number of concurrent requests.
const THREADS: usize = 16;

/// Serves `folder` on localhost until stopped; port 0 selects a free port.
pub fn serve(folder: &Path, port: u16) -> Result<(), String> {
    let server = Server::http(("127.0.0.1", port))
        .map_err(|error| format!("port {port} cannot be used ({error}); choose another with --port N"))?;
    let address = server.server_addr().to_ip().ok_or("the server has no address")?;
    println!("http://localhost:{}/", address.port());
    let server = Arc::new(server);
    let policy = policy(&fs::read_to_string(folder.join("index.html")).unwrap_or_default());
    let workers: Vec<_> = (0..THREADS)
        .map(|_| {
            let (server, folder, policy) = (server.clone(), folder.to_path_buf(), policy.clone());
            thread::spawn(move || server.incoming_requests().for_each(|request| answer(request, &folder, &policy)))
        })
        .collect();
    workers.into_iter().try_for_each(|worker| worker.join()).map_err(|_| "a request could not be served".into())
}

/// The page's Content-Security-Policy, sent as a header so that it also applies to workers, which the page's meta
/// element does not cover.
fn policy(page: &str) -> String {
    let (_, after) = page.split_once("http-equiv=\"Content-Security-Policy\" content=\"").unwrap_or_default();
    after.split('"').next().unwrap_or_default().to_string()
}

fn answer(request: Request, folder: &Path, policy: &str) {
    let file = file_of(request.url()).and_then(|path| {
        let path = folder.join(path);
        Some((File::open(&path).ok().filter(|_| path.is_file())?, mime(&path)))
    });
    // An error here means that the browser has disconnected.
    drop(match file {
        Some((file, mime)) => {
            let known = [("Content-Type", mime), ("Cache-Control", "no-cache"), ("X-Content-Type-Options", "nosniff")];
            let with_policy = (!policy.is_empty()).then_some(("Content-Security-Policy", policy));
            let headers =
                known.into_iter().chain(with_policy).filter_map(|(name, value)| Header::from_bytes(name, value).ok());
            request.respond(headers.fold(Response::from_file(file), Response::with_header))
        }
        None => request.respond(Response::from_string("not found").with_status_code(404)),
    });
}

/// The file for a request's path, relative to the folder; `None` if the path would leave the folder.
fn file_of(url: &str) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next()?.trim_start_matches('/');
    let path = PathBuf::from(if path.is_empty() { "index.html" } else { path });
    path.components().all(|part| matches!(part, Component::Normal(_))).then_some(path)
}

fn mime(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_stay_inside_the_folder() {
        assert_eq!(file_of("/"), Some("index.html".into()));
        assert_eq!(file_of("/a.js?v=1"), Some("a.js".into()));
        assert_eq!(file_of("/../Cargo.toml"), None);
        assert_eq!(file_of("/a/../../b"), None);
        assert_eq!(mime(Path::new("a.wasm")), "application/wasm");
    }

    #[test]
    fn the_policy_of_the_page_is_found() {
        let page = fs::read_to_string(crate::root().join("index.html")).unwrap();
        let found = policy(&page);
        assert!(found.starts_with("default-src 'none'; script-src 'self' 'wasm-unsafe-eval';"), "{found}");
        assert_eq!(policy("<html>"), "");
    }
}
