//! The files for the browsers: the clients, the modules that they import, and a page for each.

use std::fs;
use std::path::{Path, PathBuf};

use hyper::{Response, StatusCode};

use super::server::{Body, empty, text};

/// Answers with a file or a page. `/page/NAME` runs a client; `/lobby/URL,URL` shows other pages in frames.
pub(crate) fn response(packages: &Path, path: &str) -> Response<Body> {
    let html = |body: String| {
        let page = format!("<!doctype html><meta charset=utf-8><title>Clients</title>{body}");
        text(StatusCode::OK, "text/html", page)
    };
    if let Some(name) = path.strip_prefix("/page/") {
        return html(format!(
            "<script type=module src=/clients/{name}.mjs></script>"
        ));
    }
    if let Some(pages) = path.strip_prefix("/lobby/") {
        let frames = pages
            .split(',')
            .map(|page| format!("<iframe src=http://{page}></iframe>"));
        return html(frames.collect());
    }
    let file = match path.split_at_checked(9) {
        Some(("/clients/", name)) => clients().join(name),
        // Modules made for bundlers import others without the `.js`.
        Some(("/modules/", name)) => packages.join("node_modules").join(name),
        _ => return empty(StatusCode::NOT_FOUND),
    };
    let with_end = PathBuf::from(format!("{}.js", file.display()));
    match fs::read(&file).or_else(|_| fs::read(with_end)) {
        Ok(bytes) => text(StatusCode::OK, "text/javascript", bytes),
        Err(_) => empty(StatusCode::NOT_FOUND),
    }
}

/// Returns the folder with the committed scripts of the clients.
pub(crate) fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}
