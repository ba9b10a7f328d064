//! Circles of files inside a crate.

use crate::tree::{Tree, told};
use xtask::arrows::circles;

fn found(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<(String, &str)> =
        files.iter().map(|(path, text)| (format!("crates/model/src/{path}"), *text)).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    told(&circles::check(&Tree::of_model(&files).open().rooms[0]))
}

const NONE: [&str; 0] = [];
const A_AND_B: [&str; 1] = ["arrows/circle: model/src/a.rs model/src/b.rs"];

#[test]
fn files_that_use_each_other_are_a_circle_however_the_path_is_written() {
    let root = ("lib.rs", "mod a;\nmod b;\n");
    let b = ("b.rs", "use super::a::A;\npub struct B(A);\n");
    for a in [
        "use crate::b::B;\npub struct A(Box<B>);\n",
        "use super::b;\npub struct A(Box<b::B>);\n",
        "pub struct A(Box<crate::b::B>);\n",
        "use crate::{b::{B as Other}};\npub struct A(Box<Other>);\n",
        "use super::b::*;\npub struct A(Box<B>);\n",
        "pub struct A;\nfn f() { println!(\"{}\", std::mem::size_of::<crate::b::B>()); }\n",
        "pub struct A;\nfn f() { use super::b::B; let _ = B::new(); }\n",
    ] {
        assert_eq!(found(&[root, ("a.rs", a), b]), A_AND_B, "{a}");
    }
}

#[test]
fn one_way_is_no_circle() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "use super::b::B;\npub struct A(B);\n"),
        ("b.rs", "pub struct B;\n"),
    ];
    assert_eq!(found(&files), NONE);
}

#[test]
fn declaring_a_module_and_handing_its_names_on_is_no_use() {
    let files = [
        ("lib.rs", "pub mod a;\n"),
        ("a.rs", "mod inner;\npub use inner::Inner;\npub struct Outer;\n"),
        ("a/inner.rs", "use super::Outer;\npub struct Inner(Outer);\n"),
    ];
    assert_eq!(found(&files), NONE);
}

#[test]
fn a_child_may_lean_on_what_it_is_inside_of() {
    let files = [
        ("lib.rs", "pub mod a;\npub struct Error;\nfn f() { a::Inner::new(); }\n"),
        ("a.rs", "mod inner;\npub use inner::Inner;\npub struct Outer(Box<Inner>);\n"),
        ("a/inner.rs", "use super::Outer;\nuse crate::Error;\npub struct Inner(Outer, Error);\n"),
    ];
    assert_eq!(found(&files), NONE);
}

#[test]
fn a_circle_through_a_child_and_a_stranger_is_found() {
    let files = [
        ("lib.rs", "pub mod a;\nmod b;\n"),
        ("a.rs", "mod inner;\npub use inner::Inner;\npub struct Outer(Box<Inner>);\n"),
        ("a/inner.rs", "use crate::b::B;\npub struct Inner(B);\n"),
        ("b.rs", "use crate::a::Outer;\npub struct B(Outer);\n"),
    ];
    assert_eq!(found(&files), ["arrows/circle: model/src/a.rs model/src/a/inner.rs model/src/b.rs"]);
}

#[test]
fn a_re_export_is_followed_to_the_file_of_the_definition() {
    // b takes A through the root, which is no part of the circle.
    let files = [
        ("lib.rs", "mod a;\nmod b;\npub use a::A;\n"),
        ("a.rs", "use crate::b::B;\npub struct A(Box<B>);\n"),
        ("b.rs", "use crate::A;\npub struct B(A);\n"),
    ];
    assert_eq!(found(&files), A_AND_B);
}

#[test]
fn a_function_that_shares_its_name_with_its_module_is_found() {
    let files = [
        ("lib.rs", "mod a;\nmod rank;\npub use rank::rank;\n"),
        ("a.rs", "use super::rank;\npub fn a() { rank(); }\n"),
        ("rank.rs", "pub fn rank() { crate::a::a(); }\n"),
    ];
    assert_eq!(found(&files), ["arrows/circle: model/src/a.rs model/src/rank.rs"]);
}

#[test]
fn an_exported_macro_belongs_to_the_file_that_defines_it() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "#[macro_export]\nmacro_rules! check { () => { $crate::b::told() } }\n"),
        ("b.rs", "pub fn told() { crate::check!(); }\n"),
    ];
    assert_eq!(found(&files), A_AND_B);
}

#[test]
fn what_only_tests_use_makes_no_circle() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        (
            "a.rs",
            "pub struct A;\n#[cfg(test)]\nmod tests {\n    use crate::b::B;\n    #[test]\n    fn t() { let _ = B(super::A); }\n}\n",
        ),
        ("b.rs", "use crate::a::A;\npub struct B(pub A);\n"),
    ];
    assert_eq!(found(&files), NONE);
}

#[test]
fn a_name_in_a_comment_or_another_crates_path_is_no_use() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "//! See crate::b::B.\n/// As [`crate::b::B`].\npub struct A(other::b::B);\n"),
        ("b.rs", "use crate::a::A;\npub struct B(A);\n"),
    ];
    assert_eq!(found(&files), NONE);
}

#[test]
fn the_loops_of_a_circle_are_told_once_each_and_shortest_first() {
    let uses = |edges: &[(usize, usize)]| -> circles::Uses {
        edges.iter().map(|edge| (*edge, [("x".to_owned(), 1)].into())).collect()
    };
    // 0 and 1 use each other; 1, 2 and 3 do in a ring; 4 is used by all and uses nobody.
    let uses = uses(&[(0, 1), (1, 0), (1, 2), (2, 3), (3, 1), (0, 4), (3, 4)]);
    assert_eq!(circles::circles(&uses), [[0, 1, 2, 3]]);
    assert_eq!(circles::loops(&uses, &[0, 1, 2, 3]), [vec![0, 1], vec![1, 2, 3]]);
}

#[test]
fn a_circle_over_three_files_is_one_finding_that_names_every_use() {
    let files = [
        ("crates/model/src/lib.rs", "mod a;\nmod b;\nmod c;\n"),
        ("crates/model/src/a.rs", "use crate::b::B;\npub struct A(Box<B>);\n"),
        ("crates/model/src/b.rs", "use crate::c::C;\npub struct B(C);\n"),
        ("crates/model/src/c.rs", "\npub struct C(Box<crate::a::A>);\n"),
    ];
    let tree = Tree::of_model(&files);
    let findings = circles::check(&tree.open().rooms[0]);
    assert_eq!(told(&findings), ["arrows/circle: model/src/a.rs model/src/b.rs model/src/c.rs"]);
    let way = "loop: model/src/a.rs -> model/src/b.rs -> model/src/c.rs -> model/src/a.rs";
    assert!(findings[0].detail.contains(way), "{}", findings[0].detail);
    assert!(
        findings[0].detail.contains("crates/model/src/c.rs:2 uses model/src/a.rs (A)"),
        "{}",
        findings[0].detail
    );
}
