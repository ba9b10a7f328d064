//! What never stands in a room.

use crate::tree::{Tree, told};
use xtask::arrows::{self, Plan};

const NONE: [&str; 0] = [];

/// Findings of one rule in a room `model` with one file and lines in its manifest.
fn found(rule: &str, manifest: &str, text: &str) -> Vec<String> {
    let plan = format!(
        "[rooms.model]\nfloor = 1\nuses = []\n[[never]]\nname = \"n\"\nwhy = \"w\"\nwithin = [\"model\"]\n{rule}\n"
    );
    let plan: Plan = toml::from_str(&plan).expect("a plan");
    let manifest = format!("[package]\nname = \"nearline-model\"\n{manifest}\n");
    let files = [("crates/model/Cargo.toml", manifest.as_str()), ("crates/model/src/lib.rs", text)];
    told(&arrows::check(&Tree::of_model(&files).open(), &plan))
}

fn in_text(rule: &str, text: &str) -> Vec<String> {
    found(rule, "", text)
}

#[test]
fn a_package_is_found_in_the_manifest_and_in_paths_but_not_for_tests() {
    let rule = "packages = [\"actix*\"]";
    assert_eq!(found(rule, "[dependencies]\nactix-rt = \"2\"", ""), ["arrows/never: n: model: actix-rt"]);
    assert_eq!(found(rule, "[dev-dependencies]\nactix-rt = \"2\"", ""), NONE);
    assert_eq!(in_text(rule, "use actix_web::get;"), ["arrows/never: n: model/src/lib.rs: actix*"]);
    assert_eq!(in_text(rule, "fn f() { actix::run(); }"), ["arrows/never: n: model/src/lib.rs: actix*"]);
    assert_eq!(in_text(rule, "#[cfg(test)]\nmod t { fn f() { actix::run(); } }"), NONE);
    assert_eq!(in_text(rule, "//! Not actix::run.\nfn actix() {}"), NONE);
}

#[test]
fn a_path_is_found_through_its_imports() {
    let rule = "paths = [\"std::time::Instant::now\", \"SystemTime::now\"]";
    let instant = ["arrows/never: n: model/src/lib.rs: std::time::Instant::now"];
    assert_eq!(in_text(rule, "use std::time::Instant;\nfn f() { Instant::now(); }"), instant);
    assert_eq!(in_text(rule, "use std::time as t;\nfn f() { t::Instant::now(); }"), instant);
    assert_eq!(in_text(rule, "use tokio::time::Instant;\nfn f() { Instant::now(); }"), NONE);
    assert_eq!(in_text(rule, "use std::time::Instant;\nfn f(at: Instant) {}"), NONE);
    let system = ["arrows/never: n: model/src/lib.rs: SystemTime::now"];
    assert_eq!(in_text(rule, "fn f() { format!(\"{:?}\", std::time::SystemTime::now()); }"), system);
}

#[test]
fn a_star_in_a_path_stands_for_any_number_of_parts() {
    let rule = "paths = [\"ranking::*::rank\"]";
    for text in ["use ranking::rank;", "use ranking::row::rank as other;", "fn f() { ranking::a::b::rank() }"]
    {
        assert_eq!(in_text(rule, text).len(), 1, "{text}");
    }
    assert_eq!(in_text(rule, "use ranking::row::Row;\nfn rank() {}"), NONE);
}

#[test]
fn a_function_is_found_where_it_is_called_but_a_method_of_its_name_is_not() {
    let rule = "functions = [\"rank\"]";
    let expected = ["arrows/never: n: model/src/lib.rs: rank()"];
    assert_eq!(in_text(rule, "use other::rank;\nfn f() { rank(1); }"), expected);
    assert_eq!(in_text(rule, "use other::rank as place;\nfn f() { place(1); }"), expected);
    assert_eq!(in_text(rule, "fn f() { other::rank::<u8>(1); }"), expected);
    assert_eq!(in_text(rule, "fn rank() {}\nfn f(e: E) { e.rank(1); route(rank); }"), NONE);
}

#[test]
fn a_lock_is_found_by_what_it_locks() {
    let rule = "locks = [\"aggregates\"]";
    let read = ["arrows/never: n: model/src/lib.rs: aggregates.read()"];
    assert_eq!(in_text(rule, "fn f(e: E) { let a = e.engine.aggregates().read(); }"), read);
    assert_eq!(in_text(rule, "fn f(e: E) { let sums = e.aggregates(); g(&sums.read()); }"), read);
    assert_eq!(
        in_text(rule, "fn f(e: E) { e.aggregates().write().clear(); }"),
        ["arrows/never: n: model/src/lib.rs: aggregates.write()"]
    );
    assert_eq!(in_text(rule, "fn f(e: E) { e.queries.read(); e.aggregates().read(&mut bytes); }"), NONE);
}

#[test]
fn async_and_features_are_found() {
    assert_eq!(in_text("no_async = true", "async fn f() {}"), ["arrows/never: n: model/src/lib.rs: async"]);
    assert_eq!(
        in_text("no_async = true", "fn f() { spawn(async move { 1 }); }"),
        ["arrows/never: n: model/src/lib.rs: async"]
    );
    assert_eq!(in_text("no_async = true", "fn f() {}"), NONE);
    let rule = "features = [\"tokio/test-util\"]";
    let manifest = "[dependencies]\ntokio = { version = \"1\", features = [\"test-util\"] }";
    assert_eq!(found(rule, manifest, ""), ["arrows/never: n: model: tokio/test-util"]);
    assert_eq!(found(rule, &manifest.replace("dependencies", "dev-dependencies"), ""), NONE);
}

#[test]
fn a_rule_covers_its_rooms_and_paths_alone() {
    let rule = "packages = [\"redis\"]\nexcept = [\"model/src/adapters\"]";
    let files = |path: &str| {
        let plan = format!(
            "[rooms.model]\nfloor = 1\nuses = []\n[[never]]\nname = \"n\"\nwhy = \"w\"\nwithin = [\"*\"]\n{rule}\n"
        );
        let plan: Plan = toml::from_str(&plan).expect("a plan");
        let path = format!("crates/model/src/{path}");
        let files = [
            ("crates/model/src/lib.rs", "mod adapters;\nmod adaptersx;\n"),
            (path.as_str(), "use redis::Client;"),
        ];
        told(&arrows::check(&Tree::of_model(&files).open(), &plan))
    };
    assert_eq!(files("adapters.rs"), NONE);
    assert_eq!(files("adaptersx.rs"), ["arrows/never: n: model/src/adaptersx.rs: redis"]);
}
