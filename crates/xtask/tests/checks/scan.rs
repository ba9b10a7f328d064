//! What a walk over tokens sees.

use xtask::scan::{Scanned, scan};

fn scanned(text: &str) -> Scanned {
    scan(text.parse().expect("tokens"))
}

#[test]
fn functions_are_measured_from_fn_to_the_closing_brace_and_named_after_their_type() {
    let text = "/// Long\n/// words.\n#[inline]\npub fn free<const N: usize>(\n    x: [u8; N],\n) -> bool\nwhere\n    u8: Copy,\n{\n    true\n}\n\
        impl<T: Fn() -> u8> fmt::Display for Shown<'_, T> {\n    fn fmt(&self) {\n    }\n}\n\
        trait Port { fn given(&self) { }\n fn wanted(&self); }\n";
    let functions = scanned(text).functions;
    let told: Vec<(&str, usize)> =
        functions.iter().map(|found| (found.name.as_str(), found.lines())).collect();
    assert_eq!(told, [("free", 8), ("Shown::fmt", 2), ("Port::given", 1)]);
}

#[test]
fn functions_inside_macros_are_measured_too() {
    let text = "proptest! {\n    #[test]\n    fn holds(x in 0..9_u8) {\n        f(x);\n    }\n}";
    let functions = scanned(text).functions;
    assert_eq!((functions[0].name.as_str(), functions[0].lines()), ("holds", 3));
}

#[test]
fn function_pointers_are_no_functions() {
    assert!(scanned("struct S { f: fn(u8) -> u8 }\ntype F = fn();").functions.is_empty());
}

#[test]
fn methods_know_what_they_are_called_on() {
    let found =
        scanned("fn f() { let x = state.engine.sums(1)?.read(); g(0..n.len(), list[2].take::<u8>()); }")
            .methods;
    let told: Vec<(&str, &str, bool)> =
        found.iter().map(|call| (call.name.as_str(), call.receiver.as_str(), call.no_arguments)).collect();
    assert_eq!(
        told,
        [
            ("sums", "state.engine", false),
            ("read", "state.engine.sums(1)?", true),
            ("len", "n", true),
            ("take", "list[2]", true)
        ]
    );
}

#[test]
fn texts_know_whose_argument_they_are_and_whether_they_are_constant() {
    let found =
        scanned("const NAMES: &[&str] = &[\"a\"];\nfn f() { gauge(\"b\", 1); other(1, \"c\"); }").texts;
    let told: Vec<(&str, bool, Option<&str>)> =
        found.iter().map(|text| (text.value.as_str(), text.constant, text.argument_of.as_deref())).collect();
    assert_eq!(told, [("a", true, None), ("b", false, Some("gauge")), ("c", false, None)]);
}

#[test]
fn macros_know_their_first_argument_and_function() {
    let found = scanned("impl A { fn f() { metrics::counter!(\"n\", \"k\" => v); check!(I4, a != (b)); } }");
    let told: Vec<(&str, Option<&str>, Option<&str>)> = found
        .macros
        .iter()
        .map(|call| (call.name.as_str(), call.text.as_deref(), call.word.as_deref()))
        .collect();
    assert_eq!(told, [("counter", Some("n"), None), ("check", None, Some("I4"))]);
    assert_eq!(found.functions[found.macros[1].function.expect("inside")].name, "A::f");
}

#[test]
fn attributes_and_lifetimes_are_no_paths() {
    let found = scanned("#[serde(default = \"x::y\")]\nfn f<'redis>(a: &'redis str) { 'outer: loop {} }");
    assert!(found.paths.iter().all(|path| path.segments != ["redis"] && path.segments != ["serde"]));
    assert!(found.texts.is_empty());
}
