//! Commands, recipes and routes that a guide tells.

use crate::tidy::{NONE, found};

const JUSTFILE: (&str, &str) =
    ("justfile", "# worlds\nsimulate SEEDS=\"10\" *ARGS:\n    cargo run\n_list:\n    @just\n");
const ROUTES: (&str, &str) = (
    "crates/model/src/http.rs",
    "fn f(app: App) { app.route(\"/admin/nodes\", get()).route(\"/admin/log/{partition}\", get()); }",
);
const DESCRIPTION: (&str, &str) = (
    "openapi/model.json",
    r#"{"paths": {"/v1/members/{id}": {"get": {}, "delete": {}}, "/v1/log": {"get": {}}}}"#,
);

/// Findings in a tree with a guide of this text.
fn told(text: &str) -> Vec<String> {
    let lib = ("crates/model/src/lib.rs", "mod http;\n");
    found(&[JUSTFILE, lib, ROUTES, DESCRIPTION, ("docs/guide.md", text)])
}

#[test]
fn a_recipe_that_is_not_there_is_found() {
    assert_eq!(told("`just simulate 10`, `just`"), NONE);
    assert_eq!(told("```sh\njust simulates 10\n```\n"), ["tidy/recipe: docs/guide.md: simulates"]);
}

#[test]
fn a_package_that_is_not_there_is_found() {
    assert_eq!(told("`cargo nextest run -p nearline-model -- -p x`"), NONE);
    assert_eq!(
        told("`cargo nextest run -p nearline-models`"),
        ["tidy/package: docs/guide.md: nearline-models"]
    );
}

#[test]
fn a_file_of_the_project_that_is_not_there_is_found() {
    assert_eq!(
        told("`config/cluster.toml`, `nearline --config config/cluster.toml serve`, `x events/a.json`"),
        NONE
    );
    assert_eq!(
        told("```sh\nnearline --config config/none serve\n```\n"),
        ["tidy/path: docs/guide.md: config/none"]
    );
    assert_eq!(told("`crates/none/run 3`"), ["tidy/path: docs/guide.md: crates/none/run"]);
}

#[test]
fn a_route_that_nobody_answers_is_found() {
    let fine = "`GET /admin/nodes`, `/admin/log/3`, `DELETE /v1/members/ana`, `HEAD /v1/log?x=1`, `/v1/…`";
    assert_eq!(told(fine), NONE);
    assert_eq!(told("`POST /v1/log`"), ["tidy/route: docs/guide.md: POST /v1/log"]);
    assert_eq!(told("`/admin/node`"), ["tidy/route: docs/guide.md: /admin/node"]);
    let lib = ("crates/model/src/lib.rs", "mod http;\n");
    assert_eq!(found(&[lib, ROUTES, ("docs/refused.md", "`GET /admin/node`")]), NONE);
    let curl =
        "```sh\ncurl 'localhost:1/v1/members/m/x?a=1'\ncurl -d '{}' h:1/v1/log\ncurl h:1/v1/log\n```\n";
    assert_eq!(
        told(curl),
        ["tidy/route: docs/guide.md: GET /v1/members/m/x", "tidy/route: docs/guide.md: POST /v1/log"]
    );
}
