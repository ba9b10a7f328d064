//! Compaction and index, and facts by member, as of a moment, and by when they became known.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use arrow_array::BooleanArray;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use nearline_facts::{Compaction, Extraction, Found, Lookup, Order, Rules, What, build_index};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::tables::{Fact, fact, job, read, run, texts, write, write_facts, write_labels};

/// Facts of five hundred members in the order of the log, in three files.
fn facts(folder: &Path) -> Vec<Fact> {
    let mut rng = StdRng::seed_from_u64(3);
    let facts: Vec<Fact> = (0..20_000)
        .map(|n: u64| {
            let member = rng.random_range(0..500);
            let name =
                if member % 2 == 0 { format!("m{member}") } else { format!("a-much-longer-member-{member}") };
            let late = rng.random_range(0..50);
            let known_at = (n / 10) as i64 + 100;
            fact(&name, known_at - late, known_at, n, (!n.is_multiple_of(7)).then_some("v"))
        })
        .collect();
    for (number, part) in facts.chunks(7_000).enumerate() {
        write_facts(&folder.join(format!("facts/{number}.parquet")), part, 3_000);
    }
    facts
}

fn compacted(folder: &Path) -> PathBuf {
    let output = folder.join("compact");
    let job =
        Compaction { facts: vec![folder.join("facts")], output: output.clone(), page_rows: 64, threads: 2 };
    assert_eq!(job.run().unwrap().rows, 20_000);
    output
}

fn members(folder: &Path, names: &[&str]) -> PathBuf {
    write(&folder.join("members.parquet"), vec![("member", texts(names.iter().copied().map(Some)))], 1 << 20)
}

fn look_up(facts: PathBuf, what: What) -> (Found, Vec<u64>) {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("found.parquet");
    let lookup =
        Lookup { facts: vec![facts], what, columns: Vec::new(), output: Some(output.clone()), threads: 2 };
    let found = lookup.run().unwrap();
    let batch = read(&output);
    let positions: Vec<u64> = batch["position"].as_primitive::<UInt64Type>().values().to_vec();
    assert_eq!(found.rows, positions.len() as u64);
    assert_eq!(batch.num_columns(), 5);
    (found, positions)
}

fn sorted(mut positions: Vec<u64>) -> Vec<u64> {
    positions.sort_unstable();
    positions
}

#[test]
fn all_facts_of_some_members_are_found_by_a_scan_and_by_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let facts = facts(folder.path());
    let names = ["m8", "a-much-longer-member-77", "m400", "nobody", "m8"];
    let members = members(folder.path(), &names);
    let of = |fact: &&Fact| names.contains(&fact.member.as_str());
    let expected: Vec<u64> = facts.iter().filter(of).map(|fact| fact.position).collect();
    let (found, positions) = look_up(folder.path().join("facts"), What::Members(vec![members.clone()]));
    assert_eq!((found.plan, positions), ("scan", expected.clone()));
    let table = compacted(folder.path());
    let (found, positions) = look_up(table.clone(), What::Members(vec![members.clone()]));
    assert_eq!((found.plan, sorted(positions)), ("index", expected.clone()));
    assert_eq!(found.facts_read, expected.len() as u64, "nothing else was looked at");
    // Without its index, and with an index of other files, the table is scanned: never a wrong answer.
    let index = table.join("_members.index");
    std::fs::rename(&index, folder.path().join("index")).unwrap();
    let (found, positions) = look_up(table.clone(), What::Members(vec![members.clone()]));
    assert_eq!((found.plan, sorted(positions)), ("scan", expected.clone()));
    std::fs::rename(folder.path().join("index"), folder.path().join("facts/_members.index")).unwrap();
    let (found, positions) = look_up(folder.path().join("facts"), What::Members(vec![members.clone()]));
    assert_eq!((found.plan, positions), ("scan", expected.clone()));
    let made = build_index(std::slice::from_ref(&table), 1).unwrap();
    assert_eq!(made.rows, 20_000);
    let (found, positions) = look_up(table, What::Members(vec![members]));
    assert_eq!((found.plan, sorted(positions)), ("index", expected));
}

#[test]
fn a_table_in_the_order_of_its_log_gets_no_index_and_the_error_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    facts(folder.path());
    let error = build_index(&[folder.path().join("facts")], 2).unwrap_err().to_string();
    assert!(error.contains("not ordered by member") && error.contains("compact"), "{error}");
}

#[test]
fn a_compacted_table_has_the_same_rows_each_members_together_and_the_same_bytes_with_any_threads() {
    let folder = tempfile::tempdir().unwrap();
    let facts = facts(folder.path());
    let table = compacted(folder.path());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&table).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "parquet") {
            continue;
        }
        let batch = read(&path);
        assert_eq!(batch.num_columns(), 5, "what compaction needed for itself is gone");
        let members: Vec<&str> = batch["member"].as_string::<i32>().iter().flatten().collect();
        let positions = batch["position"].as_primitive::<UInt64Type>().values().to_vec();
        assert!(members.iter().zip(&positions).is_sorted(), "by member and position");
        found.extend(positions);
    }
    assert_eq!(sorted(found), (0..facts.len() as u64).collect::<Vec<_>>());
    let other = folder.path().join("other");
    let job = Compaction {
        facts: vec![folder.path().join("facts")],
        output: other.clone(),
        page_rows: 64,
        threads: 1,
    };
    job.run().unwrap();
    for name in ["bucket-0000.parquet", "_members.index"] {
        assert!(
            std::fs::read(table.join(name)).unwrap() == std::fs::read(other.join(name)).unwrap(),
            "{name}"
        );
    }
    assert!(job.run().unwrap_err().to_string().contains("is not empty"));
}

#[test]
fn a_join_with_few_members_reads_their_rows_alone_and_gives_the_same() {
    let folder = tempfile::tempdir().unwrap();
    facts(folder.path());
    let labels: Vec<(&str, i64)> =
        (0..40).map(|n| (["m8", "a-much-longer-member-77", "nobody"][n % 3], n as i64 * 55)).collect();
    write_labels(&folder.path().join("labels.parquet"), &labels);
    let table = compacted(folder.path());
    for order in [Order::EventTime, Order::AsServed] {
        let log = job(folder.path(), Rules { order, ..Rules::default() });
        let sparse = Extraction {
            facts: vec![table.clone()],
            output: Some(folder.path().join("sparse.parquet")),
            ..log.clone()
        };
        let (swept, expected) = run(&log);
        let (looked_up, result) = run(&sparse);
        assert_eq!((swept.plan, looked_up.plan), ("sweep", "index"));
        assert!(looked_up.facts_read < 200, "{} facts were read", looked_up.facts_read);
        assert_eq!(result.columns(), expected.columns());
    }
}

#[test]
fn everybodys_fact_as_of_a_moment_is_the_one_that_a_label_would_get() {
    let folder = tempfile::tempdir().unwrap();
    let mut facts = facts(folder.path());
    facts.shuffle(&mut StdRng::seed_from_u64(4));
    let names: BTreeSet<&str> = facts.iter().map(|fact| fact.member.as_str()).collect();
    let labels: Vec<(&str, i64)> = names.iter().map(|name| (*name, 1_200)).collect();
    write_labels(&folder.path().join("labels.parquet"), &labels);
    let at = jiff::Timestamp::from_second(1_200 * 60).unwrap();
    for order in [Order::EventTime, Order::AsServed] {
        let (_, joined) = run(&job(folder.path(), Rules { order, ..Rules::default() }));
        let expected: BTreeSet<u64> =
            joined["fact_position"].as_primitive::<UInt64Type>().iter().flatten().collect();
        let (_, positions) = look_up(folder.path().join("facts"), What::AsOf { at, order });
        assert_eq!(positions.into_iter().collect::<BTreeSet<_>>(), expected, "{order:?}");
    }
}

#[test]
fn changes_are_those_that_became_known_from_a_moment_until_before_another() {
    let folder = tempfile::tempdir().unwrap();
    let facts = facts(folder.path());
    let minute = |minute: i64| jiff::Timestamp::from_second(minute * 60).unwrap();
    let what = What::Changes { from: minute(300), to: minute(420) };
    let (_, positions) = look_up(folder.path().join("facts"), what);
    let within = facts.iter().filter(|fact| (300..420).contains(&fact.known_at));
    assert_eq!(positions, within.map(|fact| fact.position).collect::<Vec<_>>());
}

#[test]
fn facts_that_do_not_say_when_they_became_known_are_refused_by_every_question_of_time() {
    let minute = |minute: i64| jiff::Timestamp::from_second(minute * 60).unwrap();
    for column in ["known_at", "event_at", "position"] {
        let folder = tempfile::tempdir().unwrap();
        let all: Vec<Fact> = (0..3).map(|n| fact("m", n, n, n as u64, None)).collect();
        let path = write_facts(&folder.path().join("facts/0.parquet"), &all, 10);
        let batch = read(&path);
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns()).map(|(field, array)| {
            let is_it = field.name() == column;
            let nulled = arrow_select::nullif::nullif(array, &BooleanArray::from(vec![false, true, false]));
            (field.name().clone(), if is_it { nulled.unwrap() } else { array.clone() })
        });
        let columns: Vec<_> = columns.collect();
        write(&path, columns.iter().map(|(name, array)| (name.as_str(), array.clone())).collect(), 10);
        let changes = What::Changes { from: minute(0), to: minute(9) };
        let mut questions = vec![What::AsOf { at: minute(9), order: Order::EventTime }];
        questions.extend((column == "known_at").then_some(changes));
        for what in questions {
            let job =
                Lookup { facts: vec![path.clone()], what, columns: Vec::new(), output: None, threads: 1 };
            let refused = job.run().unwrap_err().to_string();
            assert!(refused.contains(&format!("`{column}` is null in 1 facts")), "{refused}");
        }
    }
}
