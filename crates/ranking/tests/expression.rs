//! Expressions of filters and boosts: what they mean, what is refused and where, what they may cost, and
//! that they mean what CEL says (beside another implementation of it).

use cel::{Context as CelContext, Program as CelProgram, Value as CelValue};
use nearline_model::MemberSnapshot;
use nearline_model::Position;
use nearline_model::catalogue::Title;
use nearline_model::member::Member;
use nearline_ranking::expression::{Budget, Context, MAX_BYTES, MAX_DEPTH, Program, Scope, Type};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

fn caper() -> Title {
    Title {
        id: "caper".into(),
        name: Some("The Caper".into()),
        genres: vec!["comedy".into(), "crime".into()],
        year: Some(2015),
        maturity: None,
        countries: vec!["BR".into()],
        ..Title::default()
    }
}

fn member() -> MemberSnapshot {
    let empty = MemberSnapshot::new("ana", Position(1), &Member::default(), |_| Arc::default(), false);
    MemberSnapshot { list: vec![Arc::from("caper"), Arc::from("heist")], ..empty }
}

/// Evaluates a program over `caper`, on a TV in Brazil at nine.
fn with_scope<T>(evaluate: impl FnOnce(&Scope<'_>) -> T) -> T {
    let (title, member) = (caper(), member());
    let context = Context::new(Some("BR"), None, 9, "ana", Some(&member));
    evaluate(&Scope { id: "caper", title: Some(&title), context: &context })
}

fn admits(text: &str) -> bool {
    let program = Program::filter(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    with_scope(|scope| program.admits(scope, &Budget::new(10_000)))
}

#[test]
fn filters_read_title_context_and_member() {
    for (text, expected) in [
        ("'comedy' in title.genres && title.year >= 2010", true),
        ("title.genres.exists(g, g.startsWith('com')) && !(title.id in ['heist', 'western'])", true),
        ("title.genres.all(g, g == 'comedy')", false),
        ("title.id in member.list || title.name.contains('Caper')", true),
        ("title.year in [2014, 2015] && size(title.genres) == 2 && title.id.size() == 5", true),
        ("context.country == 'BR' && context.hour < 12 && \"BR\" in title.countries", true),
        ("has(title.year) && !has(title.maturity) && !has(context.device)", true),
        ("(title.year - 2000) * 2 + 1 == 31 && title.year % 5 == 0 && -title.year < 0", true),
        ("title.year > 2014.5 && 2015 == 2015.0 && double(title.year) / 2.0 == 1007.5", true),
        ("context.hour >= 18 ? 'drama' in title.genres : 'crime' in title.genres", true),
    ] {
        assert_eq!(admits(text), expected, "{text}");
    }
}

#[test]
fn what_is_not_known_admits_nothing_unless_the_other_side_decides() {
    for (text, expected) in [
        ("title.maturity <= 12", false),
        ("!(title.maturity <= 12)", false),
        ("!has(title.maturity) || title.maturity <= 12", true),
        ("title.maturity <= 12 || title.year == 2015", true),
        ("title.maturity <= 12 && title.year == 2015", false),
        ("!(title.maturity <= 12 && title.year == 1900)", true),
        ("title.year / 0 == 1", false),
        ("9223372036854775807 + 1 > 0", false),
        ("title.genres.exists(g, g == 'crime' || title.maturity == 1)", true),
    ] {
        assert_eq!(admits(text), expected, "{text}");
    }
    let boost = Program::boost("title.maturity > 12 ? 2.0 : 0.5").expect("a boost");
    assert_eq!(with_scope(|scope| boost.factor(scope, &Budget::new(100))), 1.0);
}

#[test]
fn boosts_are_numbers_within_bounds() {
    let factor = |text: &str| {
        let program = Program::boost(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        with_scope(|scope| program.factor(scope, &Budget::new(100)))
    };
    assert_eq!(factor("title.year >= 2010 ? 1.5 : 1.0"), 1.5);
    assert_eq!(factor("'crime' in title.genres ? 2 : 1"), 2.0);
    assert_eq!((factor("-1.0"), factor("1e300 * 1e300"), factor("0.0 / 0.0")), (0.0, 1_000.0, 1.0));
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (text, position, part) in [
        ("title.yeer > 2010", 7, "id, name, genres, year, maturity, countries"),
        ("movie.year > 2010", 1, "title, context, member"),
        ("title > 2010", 1, "needs a field"),
        ("title.year > '2010'", 12, "between int and string"),
        ("title.year = 2010", 12, "=="),
        ("title.year >", 13, "the end stands where a value"),
        ("title.year > 2010)", 18, "does not belong"),
        ("(title.year > 2010", 19, "expected"),
        ("'comedy' in 'comedies'", 10, "list"),
        ("title.name == 'x", 15, "closing"),
        ("true ? 1 : 2.0", 12, "int and double; write 2.0"),
        ("title.year + 1.0 > 2.0", 12, "double()"),
        ("title.genres[0] == 'x'", 13, "index"),
        ("title.genres.exists(title, true)", 21, "meaning already"),
        ("title.genres.exists(g, g > 1)", 26, "between string and int"),
        ("title.genres.map(g, g)", 14, "known are"),
        ("title.id.matches('x')", 10, "known are"),
        ("has(1)", 5, "has is asked of a field"),
        ("99999999999999999999 > 1", 1, "no number"),
        ("title.year", 1, "must be a bool"),
        ("", 1, "value is expected"),
        ("'é' == 'x' && oops", 15, "oops is not known"),
    ] {
        let error = Program::filter(text).expect_err(text);
        assert_eq!(error.position, position, "{text}: {error}");
        assert!(error.detail.contains(part), "{text}: {error}");
    }
    assert_eq!(
        Program::boost("true").expect_err("no number").detail,
        "the boost is of type bool; it must be a double"
    );
    assert_eq!(Program::read("title.genres").expect("a list").kind(), Type::Texts);
}

#[test]
fn length_nesting_and_cost_are_bounded() {
    let long = format!("title.id == '{}'", "x".repeat(MAX_BYTES));
    assert!(Program::filter(&long).expect_err("too long").detail.contains("bytes"));
    for (open, close) in [("(", ")"), ("!", ""), ("- ", ""), ("true ? true : ", "")] {
        let core = if open == "- " { "1" } else { "true" };
        let nested = |depth: usize| format!("{}{core}{}", open.repeat(depth), close.repeat(depth));
        let deep = Program::read(&nested(MAX_DEPTH + 1)).expect_err(open);
        assert!(deep.detail.contains("nested"), "{open}: {deep}");
        assert!(Program::read(&nested(MAX_DEPTH / 2)).is_ok(), "{open}");
    }
    let chain = format!("true{}", "&&true".repeat(150));
    assert!(Program::filter(&chain).expect_err("too many").detail.contains("more than"));

    let walk = Program::filter("member.list.exists(x, member.list.exists(y, y == x + x))");
    assert!(walk.is_err(), "texts are not added");
    let walk = Program::filter("member.list.all(x, member.list.exists(y, y == x))").expect("a filter");
    let (enough, little) = (Budget::new(1_000), Budget::new(5));
    assert!(with_scope(|scope| walk.admits(scope, &enough)) && !enough.is_spent_out());
    assert!(!with_scope(|scope| walk.admits(scope, &little)) && little.is_spent_out());
}

fn number() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        (0_i64..5).prop_map(|number| number.to_string()),
        Just("title.year".to_owned()),
        Just("title.maturity".to_owned()),
        Just("context.hour".to_owned()),
        Just("size(title.genres)".to_owned()),
        Just("9223372036854775807".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), prop::sample::select(vec!["+", "-", "*", "/", "%"]), inner.clone())
                .prop_map(|(left, sign, right)| format!("({left} {sign} {right})")),
            inner.prop_map(|value| format!("-({value})")),
        ]
    })
    .boxed()
}

fn text() -> BoxedStrategy<String> {
    prop::sample::select(vec!["'comedy'", "\"caper\"", "'c'", "title.id", "title.name", "context.country"])
        .prop_map(str::to_owned)
        .boxed()
}

fn condition() -> BoxedStrategy<String> {
    let lists = prop::sample::select(vec!["title.genres", "member.list", "['c', 'caper', 'comedy']"]);
    let signs = || prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let leaf = prop_oneof![
        Just("true".to_owned()),
        Just("has(title.maturity)".to_owned()),
        Just("has(title.year)".to_owned()),
        (number(), signs(), number()).prop_map(|(left, sign, right)| format!("{left} {sign} {right}")),
        (number(), signs(), 0..4_000).prop_map(|(left, sign, right)| format!("{left} {sign} {right}.5")),
        (text(), signs(), text()).prop_map(|(left, sign, right)| format!("{left} {sign} {right}")),
        (text(), lists.clone()).prop_map(|(text, list)| format!("{text} in {list}")),
        (number(), 0..4).prop_map(|(left, right)| format!("{left} in [1, {right}, 2015]")),
        (text(), prop::sample::select(vec!["startsWith", "endsWith", "contains"]), text())
            .prop_map(|(text, function, part)| format!("{text}.{function}({part})")),
        (lists.clone(), prop::sample::select(vec!["exists", "all"]), text(), signs())
            .prop_map(|(list, macros, text, sign)| format!("{list}.{macros}(x, x {sign} {text})")),
        (lists, number()).prop_map(|(list, value)| format!("{list}.exists(x, size(x) > {value})")),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} && {right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("{left} || {right}")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(one, two, three)| format!("(({one}) ? ({two}) : ({three}))")),
            inner.prop_map(|value| format!("!({value})")),
        ]
    })
    .boxed()
}

/// What `caper` is in the other implementation's terms.
fn other_context() -> CelContext<'static, 'static> {
    let texts =
        |texts: &[&str]| CelValue::from(texts.iter().map(|text| CelValue::from(*text)).collect::<Vec<_>>());
    let title: HashMap<&str, CelValue> = HashMap::from([
        ("id", "caper".into()),
        ("name", "The Caper".into()),
        ("genres", texts(&["comedy", "crime"])),
        ("year", 2015_i64.into()),
        ("countries", texts(&["BR"])),
    ]);
    let context: HashMap<&str, CelValue> = HashMap::from([("country", "BR".into()), ("hour", 9_i64.into())]);
    let member: HashMap<&str, CelValue> = HashMap::from([("list", texts(&["caper", "heist"]))]);
    let mut variables = CelContext::default();
    variables.add_variable_from_value("title", title);
    variables.add_variable_from_value("context", context);
    variables.add_variable_from_value("member", member);
    variables
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn expressions_mean_what_another_implementation_of_cel_makes_of_them(text in condition()) {
        let Ok(program) = Program::filter(&text) else {
            // Only the bounds refuse what the strategy makes.
            prop_assert!(text.len() > MAX_BYTES / 4 || text.matches('(').count() > MAX_DEPTH / 4, "{text}");
            return Ok(());
        };
        let ours = with_scope(|scope| program.as_bool(scope, &Budget::new(1_000_000)));
        let theirs = CelProgram::compile(&text).expect(&text).execute(&other_context());
        let theirs = match theirs {
            Ok(CelValue::Bool(value)) => Some(value),
            Ok(other) => panic!("{text} is {other:?}"),
            Err(_) => None,
        };
        prop_assert_eq!(ours, theirs, "{}", text);
    }
}
