//! Rooms and the arrows between them.

use crate::tree::{Tree, told};
use xtask::arrows::{self, Plan};

const PLAN: &str = r#"
    [rooms.src]
    floor = 3
    uses = ["actors", "model"]
    [rooms.actors]
    floor = 2
    uses = ["model"]
    tests_use = ["backends"]
    features_use = ["cellar"]
    [rooms.backends]
    floor = 2
    uses = ["model"]
    [rooms.cellar]
    floor = 1
    uses = []
    [rooms.model]
    floor = 1
    uses = []
"#;

fn plan(text: &str) -> Plan {
    toml::from_str(text).expect("a plan")
}

/// Four rooms; `dependencies` are lines of the manifest of `actors`.
fn house(dependencies: &str) -> Tree {
    let root = "[package]\nname = \"nearline\"\n[workspace]\nmembers = [\"actors\", \"crates/*\"]\n\
        [workspace.dependencies]\nnearline-model = { path = \"crates/model\" }\nfold = { package = \"nearline-backends\", path = \"crates/backends\" }\n\
        [dependencies]\nnearline-actors = { path = \"actors\" }\n";
    let actors = format!("[package]\nname = \"nearline-actors\"\n{dependencies}");
    let files = [("Cargo.toml", root), ("actors/Cargo.toml", &actors), ("src/lib.rs", "")];
    Tree::new(&["actors", "crates/backends", "crates/cellar", "crates/model"], &files)
}

fn findings(dependencies: &str) -> Vec<String> {
    told(&arrows::check(&house(dependencies).open(), &plan(PLAN)))
}

#[test]
fn rooms_are_found_through_the_members_and_the_root_is_src() {
    let tree = house("");
    let workspace = tree.open();
    let names: Vec<&str> = workspace.rooms.iter().map(|room| room.name.as_str()).collect();
    assert_eq!(names, ["actors", "backends", "cellar", "model", "src"]);
}

#[test]
fn arrows_of_the_plan_pass() {
    assert_eq!(findings("[dependencies]\nnearline-model.workspace = true\n"), [""; 0]);
}

#[test]
fn an_arrow_that_is_not_in_the_plan_is_found_under_whatever_name() {
    let expected = ["arrows/plan: actors -> backends"];
    assert_eq!(findings("[dependencies]\nnearline-backends = { path = \"../crates/backends\" }\n"), expected);
    assert_eq!(findings("[dependencies]\nfold.workspace = true\n"), expected);
    assert_eq!(findings("[target.'cfg(unix)'.dependencies]\nfold.workspace = true\n"), expected);
    assert_eq!(findings("[build-dependencies]\nfold.workspace = true\n"), expected);
}

#[test]
fn tests_may_use_more_than_the_product() {
    assert_eq!(findings("[dev-dependencies]\nfold.workspace = true\n"), [""; 0]);
    let src = findings("[dev-dependencies]\nnearline = { path = \"..\" }\n");
    assert_eq!(src, ["arrows/dev: actors -> src"]);
}

#[test]
fn a_feature_may_bring_more_than_the_product_uses() {
    let cellar =
        |more: &str| format!("[dependencies]\nnearline-cellar = {{ path = \"../crates/cellar\"{more} }}\n");
    assert_eq!(findings(&cellar(", optional = true")), [""; 0]);
    assert_eq!(findings(&cellar("")), ["arrows/plan: actors -> cellar"]);
}

#[test]
fn a_room_that_the_plan_does_not_know_is_found() {
    let tree = Tree::new(&["crates/model", "crates/attic"], &[]);
    assert_eq!(told(&arrows::check(&tree.open(), &plan(PLAN))), ["arrows/room: attic"]);
}

#[test]
fn a_plan_with_an_arrow_upward_sideways_or_to_nowhere_is_refused() {
    let of = |text: &str| told(&plan(text).check());
    assert_eq!(of(PLAN), [""; 0]);
    let upward = PLAN.replace(
        "[rooms.model]\n    floor = 1\n    uses = []",
        "[rooms.model]\n    floor = 1\n    uses = [\"actors\"]",
    );
    assert_eq!(of(&upward), ["arrows/floors: model -> actors"]);
    let sideways = PLAN.replace(
        "floor = 2\n    uses = [\"model\"]\n    [rooms.cellar]",
        "floor = 2\n    uses = [\"actors\"]\n    [rooms.cellar]",
    );
    assert_eq!(of(&sideways), ["arrows/floors: backends -> actors"]);
    assert_eq!(of("[rooms.a]\nfloor = 2\nuses = [\"b\"]\n"), ["arrows/floors: a -> b"]);
}

#[test]
fn an_annex_may_use_the_room_it_stands_in() {
    let plan = plan(
        "[rooms.stratify]\nfloor = 1\nuses = []\n[rooms.\"stratify/python\"]\nfloor = 1\nuses = [\"stratify\"]\n",
    );
    assert_eq!(told(&plan.check()), [""; 0]);
}

#[test]
fn the_table_has_a_line_for_each_room_with_its_figures() {
    let tree = house("[dependencies]\nnearline-model.workspace = true\n");
    tree.write("crates/model/src/lib.rs", "mod fold;\n#[cfg(test)]\nmod tests;\n");
    tree.write("crates/model/src/fold.rs", "fn short() {}\n\nfn long() {\n    short();\n}\n");
    tree.write("crates/model/src/tests.rs", "\n\n\n\n\n\n\n\n\nfn longest() {\n}\n");
    let table = arrows::table(&tree.open(), &plan(PLAN));
    let line = |room: &str| {
        let line = table.lines().find(|line| line.split_whitespace().nth(1) == Some(room)).expect("a line");
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("model"), "1 model 2 8 11 5 fold.rs 3 long in fold.rs - -");
    assert!(line("actors").ends_with("model -"), "{table}");
    assert!(table.lines().nth(1).expect("a room").contains("src"), "from the top floor down:\n{table}");
}
