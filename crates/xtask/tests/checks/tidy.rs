//! Sizes, names, and tables that must agree with the code.

use crate::tree::{Tree, told};
use xtask::tidy::{self, Rules};

pub const NONE: [&str; 0] = [];

const RULES: &str = r#"
    function_lines = 4
    file_lines = 12
    empty_names = ["mod", "utils", "helpers"]
    defaults = "config/default.toml"
    configurations = ["config/cluster.toml"]
    metrics_described = ["model/src/telemetry"]
    guides = ["docs", "README.md"]
    histories = ["docs/adr"]
    decisions = "docs/adr"
    recipes = "justfile"
    routes = "crates/model/src/http"
    description = "openapi/model.json"
    refusals = ["docs/refused.md"]
"#;

/// Findings in a tree that is in order but for the files given.
pub fn found(files: &[(&str, &str)]) -> Vec<String> {
    let tree = Tree::of_model(&[
        ("config/default.toml", "# The engine.\n[engine]\nworkers = 1\n"),
        ("config/cluster.toml", "[engine]\nworkers = 2\n"),
        ("docs/operations.md", "Sections: `[engine]`.\n"),
        ("docs/adr/0001-a-fold.md", "# 1. A fold\n"),
        ("docs/adr/README.md", "| 1 | [A fold](0001-a-fold.md) | accepted | x |\n"),
    ]);
    for (path, text) in files {
        tree.write(path, text);
    }
    let rules: Rules = toml::from_str(RULES).expect("rules");
    told(&tidy::check(&tree.open(), &rules).unwrap_or_else(|error| panic!("{error}")))
}

const LIB: &str = "crates/model/src/lib.rs";

#[test]
fn a_tree_in_order_passes() {
    assert_eq!(found(&[]), NONE);
}

#[test]
fn a_function_over_the_limit_is_found_in_tests_too() {
    let of_lines = |lines: usize| format!("fn f() {{\n{}}}\n", "    g();\n".repeat(lines - 2));
    assert_eq!(found(&[(LIB, &of_lines(4))]), NONE);
    assert_eq!(found(&[(LIB, &of_lines(5))]), ["tidy/function: model/src/lib.rs: f"]);
    assert_eq!(found(&[("crates/model/tests/t.rs", &of_lines(5))]), ["tidy/function: model/tests/t.rs: f"]);
    let in_module = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", of_lines(5));
    assert_eq!(found(&[(LIB, &in_module)]), ["tidy/function: model/src/lib.rs: f"]);
}

#[test]
fn a_file_over_the_limit_is_found() {
    assert_eq!(found(&[(LIB, &"\n".repeat(12))]), NONE);
    assert_eq!(found(&[(LIB, &"\n".repeat(13))]), ["tidy/file: model/src/lib.rs"]);
    assert_eq!(found(&[("docs/peers.py", &"\n".repeat(13))]), ["tidy/file: docs/peers.py"]);
}

#[test]
fn names_that_say_nothing_are_found() {
    let lib = (LIB, "mod a;\n");
    assert_eq!(found(&[lib, ("crates/model/src/a/mod.rs", "")]), ["tidy/name: model/src/a/mod.rs"]);
    assert_eq!(found(&[("crates/model/tests/helpers/x.rs", "")]), ["tidy/name: model/tests/helpers/x.rs"]);
    assert_eq!(found(&[lib, ("crates/model/src/a.rs", "")]), NONE);
}

#[test]
fn a_file_that_no_module_leads_to_is_found() {
    assert_eq!(found(&[("crates/model/src/lost.rs", "")]), ["tidy/unreached: model/src/lost.rs"]);
    let tests_only = (LIB, "#[cfg(test)]\nmod lost;\n");
    assert_eq!(found(&[tests_only, ("crates/model/src/lost.rs", "")]), NONE);
    let elsewhere = (LIB, "#[path = \"other/lost.rs\"]\nmod lost;\n");
    assert_eq!(found(&[elsewhere, ("crates/model/src/other/lost.rs", "")]), NONE);
    assert_eq!(found(&[("crates/model/src/bin/tool.rs", "fn main() {}")]), NONE);
}

#[test]
fn unwrap_is_found_outside_tests_alone() {
    let unwrap = ["tidy/unwrap: model/src/lib.rs"];
    assert_eq!(found(&[(LIB, "fn f() { g().unwrap(); }")]), unwrap);
    assert_eq!(found(&[(LIB, "fn f() { println!(\"{}\", g().unwrap()); }")]), unwrap);
    assert_eq!(found(&[(LIB, "/// `g().unwrap()`\nfn f() { g().unwrap_or(1); h(\".unwrap()\"); }")]), NONE);
    assert_eq!(found(&[(LIB, "#[cfg(test)]\nmod tests { fn f() { g().unwrap(); } }")]), NONE);
    assert_eq!(found(&[("crates/model/tests/t.rs", "fn f() { g().unwrap(); }")]), NONE);
}

const TELEMETRY: &str = "crates/model/src/telemetry.rs";
const COUNTED: &str =
    "mod telemetry;\nfn f() { metrics::counter!(\"nearline_folds_total\").increment(1); }\n";
const DESCRIBED: &str = "const COUNTERS: &[(&str, &str)] = &[(\"nearline_folds_total\", \"Folds\")];\n";
const EXPLAINED: &str =
    "`[engine]`\n| metric | what |\n| --- | --- |\n| `nearline_folds_total{outcome}` | folds |\n";

/// Findings with what counts, describes and explains metrics.
fn metrics(counted: &str, described: &str, explained: &str) -> Vec<String> {
    found(&[(LIB, counted), (TELEMETRY, described), ("docs/operations.md", explained)])
}

#[test]
fn a_metric_that_is_counted_described_and_explained_passes() {
    assert_eq!(metrics(COUNTED, DESCRIBED, EXPLAINED), NONE);
    let with_macro = "fn d() { describe_counter!(\"nearline_folds_total\", \"Folds\"); }\n";
    assert_eq!(metrics(COUNTED, with_macro, EXPLAINED), NONE);
}

#[test]
fn a_metric_that_only_some_know_is_found() {
    let name = "nearline_folds_total";
    assert_eq!(metrics(COUNTED, "", EXPLAINED), [format!("tidy/metric-undescribed: {name}")]);
    assert_eq!(metrics(COUNTED, DESCRIBED, "`[engine]`"), [format!("tidy/metric-unexplained: {name}")]);
    let only_mentioned = "`[engine]` and `nearline_folds_total` in a sentence";
    assert_eq!(metrics(COUNTED, DESCRIBED, only_mentioned), [format!("tidy/metric-unexplained: {name}")]);
    let nothing = "mod telemetry;\n";
    assert_eq!(metrics(nothing, DESCRIBED, "`[engine]`"), [format!("tidy/metric-unknown: {name}")]);
    assert_eq!(metrics(nothing, "", EXPLAINED), [format!("tidy/metric-unknown: {name}")]);
    assert_eq!(metrics(nothing, "", only_mentioned), [format!("tidy/metric-unknown: {name}")]);
}

#[test]
fn a_metric_whose_name_is_no_text_is_found_unless_a_closure_is_given_the_text() {
    let plain = "fn f(name: &'static str) { metrics::gauge!(name).set(1.0); }\n";
    assert_eq!(found(&[(LIB, plain)]), ["tidy/metric-unnamed: model/src/lib.rs"]);
    let closure = "mod telemetry;\nfn f() {\n    let gauge = |name: &'static str| metrics::gauge!(name);\n    gauge(\"nearline_folds_total\");\n}\n";
    assert_eq!(metrics(closure, DESCRIBED, EXPLAINED), NONE);
}

#[test]
fn a_metric_of_tests_and_a_crates_name_are_no_metrics() {
    let counted = "//! `nearline_model`\n#[cfg(test)]\nmod tests { fn f() { metrics::counter!(\"nearline_x_total\"); } }\n";
    assert_eq!(found(&[(LIB, counted), ("README.md", "`nearline_model` and `nearline_model=debug`")]), NONE);
}

#[test]
fn a_key_that_a_guide_or_file_names_and_nobody_knows_is_found() {
    let unknown = ["tidy/setting-unknown: engine.threads"];
    assert_eq!(found(&[("README.md", "Set `engine.threads`.")]), unknown);
    assert_eq!(found(&[("README.md", "Set `engine.threads = 3`.")]), unknown);
    assert_eq!(found(&[("README.md", "```\nNEARLINE__ENGINE__THREADS=3 nearline\n```\n")]), unknown);
    assert_eq!(found(&[("config/cluster.toml", "[engine]\nthreads = 3\n")]), unknown);
    assert_eq!(found(&[("README.md", "See `[motor]`.")]), ["tidy/setting-unknown: motor"]);
    let known = "`engine.workers`, `engine.workers = 3`, NEARLINE__ENGINE__WORKERS, `NEARLINE__SECTION__KEY`, `engine.rs`, `state.engine`";
    assert_eq!(found(&[("README.md", known)]), NONE);
    assert_eq!(found(&[("docs/adr/0001-a-fold.md", "# 1. A fold\n`engine.threads` was dropped\n")]), NONE);
}

#[test]
fn a_key_without_a_comment_and_a_section_without_a_guide_are_found() {
    let defaults = "# The engine.\n[engine]\nworkers = 1\n\n[node]\nname = 1\n# Both.\nlease = 1\nbeat = 2\n";
    let expected = ["tidy/setting-uncommented: node.name", "tidy/setting-unexplained: node"];
    assert_eq!(found(&[("config/default.toml", defaults)]), expected);
}

#[test]
fn a_path_or_link_in_a_guide_that_leads_nowhere_is_found() {
    let found = |text: &str| found(&[("docs/more.md", text)]);
    let known = "`model/src/lib.rs`, `config/default.toml`, `adr/README.md`, [x](operations.md#part), [y](../Cargo.toml), \
        [z](https://example.org/a.md), `nats.conf`, `/etc/x.rs`, `src/<name>.rs`";
    assert_eq!(found(known), NONE);
    assert_eq!(found("See `model/src/gone.rs`."), ["tidy/path: docs/more.md: model/src/gone.rs"]);
    assert_eq!(found("See [it](gone.md#part)."), ["tidy/path: docs/more.md: gone.md"]);
}

/// Findings with an index and a second decision.
fn decisions(index: &str, second: &str) -> Vec<String> {
    found(&[("docs/adr/README.md", index), ("docs/adr/0002-b.md", second)])
}

#[test]
fn the_index_lists_each_decision_with_its_title_and_status() {
    let first = "| 1 | [A fold](0001-a-fold.md) | accepted |\n";
    let with = |second: &str| format!("{first}{second}\n");
    let second = "# 2. B\n\nStatus: accepted\n";
    assert_eq!(decisions(&with("| 2 | [B](0002-b.md) | accepted |"), second), NONE);
    assert_eq!(decisions(&with("| 2 | [B](0002-b.md) | superseded by 1 |"), "# 2. B\n"), NONE);
    let wrong = ["tidy/decision: 0002-b.md"];
    for index in [
        "",
        "| 3 | [B](0002-b.md) | accepted |",
        "| 2 | [C](0002-b.md) | accepted |",
        "| 2 | [B](0002-b.md) | proposed |",
        "| 2 | [B](0002-b.md) | accepted |\n| 2 | [B](0002-b.md) | accepted |",
    ] {
        assert_eq!(decisions(&with(index), second), wrong, "{index}");
    }
    for status in ["new", "superseded by 9", "superseded by"] {
        let index = with(&format!("| 2 | [B](0002-b.md) | {status} |"));
        assert_eq!(decisions(&index, "# 2. B\n"), wrong, "{status}");
    }
    let gone = with("| 2 | [B](0002-b.md) | accepted |\n| 3 | [C](0003-c.md) | accepted |");
    assert_eq!(decisions(&gone, second), ["tidy/decision: 0003-c.md"]);
}

#[test]
fn two_decisions_of_one_number_are_found() {
    let index = "| 1 | [A fold](0001-a-fold.md) | accepted |\n| 1 | [B](0001-b.md) | accepted |\n";
    let files = [("docs/adr/README.md", index), ("docs/adr/0001-b.md", "# 1. B\n")];
    assert_eq!(found(&files), ["tidy/decision: 0001-a-fold.md", "tidy/decision: 0001-b.md"]);
}
