//! The console's files, out of the program itself: nothing comes from elsewhere, and it works off-line.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpResponse, web};

/// Nothing but what this listener serves, no script or style inside a page, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the console: its path, its type, its text.
macro_rules! console_file {
    ($kind:expr, $name:literal) => {
        (concat!("/console/", $name), $kind, include_str!(concat!("../console/", $name)))
    };
}

const PAGE: (&str, &str) = ("text/html; charset=utf-8", include_str!("../console/console.html"));
const ICON: (&str, &str) = ("image/svg+xml", include_str!("../console/icon.svg"));
const SCRIPT: &str = "text/javascript; charset=utf-8";
const FILES: &[(&str, &str, &str)] = &[
    console_file!("text/css; charset=utf-8", "console.css"),
    console_file!("image/svg+xml", "icon.svg"),
    console_file!(SCRIPT, "app.js"),
    console_file!(SCRIPT, "feed.js"),
    console_file!(SCRIPT, "key.js"),
    console_file!(SCRIPT, "measures.js"),
    console_file!(SCRIPT, "poster.js"),
    console_file!(SCRIPT, "ui.js"),
    console_file!(SCRIPT, "pages/audit.js"),
    console_file!(SCRIPT, "pages/chaos.js"),
    console_file!(SCRIPT, "pages/experiments.js"),
    console_file!(SCRIPT, "pages/letters.js"),
    console_file!(SCRIPT, "pages/member.js"),
    console_file!(SCRIPT, "pages/nodes.js"),
    console_file!(SCRIPT, "pages/now.js"),
    console_file!(SCRIPT, "pages/partitions.js"),
    console_file!(SCRIPT, "pages/remediations.js"),
    console_file!(SCRIPT, "pages/titles.js"),
    console_file!(SCRIPT, "vendor/htm.mjs"),
    console_file!(SCRIPT, "vendor/preact.mjs"),
    console_file!(SCRIPT, "vendor/signals-core.mjs"),
];

/// Registers the files; browsers that ask for an icon by its old name get it, too.
pub(super) fn register(config: &mut web::ServiceConfig) {
    for (path, kind, text) in FILES {
        config.route(path, super::routes::get().to(move || async move { file(kind, text) }));
    }
    for (path, (kind, text)) in [("/", PAGE), ("/favicon.ico", ICON)] {
        config.route(path, super::routes::get().to(move || async move { file(kind, text) }));
    }
}

fn file(kind: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(kind)
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .body(text)
}
