//! Stopping in order leaves nothing for the next start to replay.

use crate::program::Program;
use std::path::Path;

/// Text that packs badly.
fn noise(seed: u64, bytes: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + (state >> 59) as u8 % 26)
    };
    (0..bytes).map(|_| next()).collect()
}

/// Length of the journals of a database.
fn journal_bytes(database: &Path) -> u64 {
    let files = std::fs::read_dir(database).expect("a database").map(|entry| entry.expect("an entry").path());
    let journals = files.filter(|path| path.extension().is_some_and(|extension| extension == "jnl"));
    journals.map(|path| path.metadata().expect("there").len()).sum()
}

#[test]
fn after_a_stop_in_order_the_next_start_replays_nothing_and_everything_is_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("data/log");
    let mut program = Program::start(directory.path(), 100);
    program.until_ready();
    // More than is left in a journal because it is soon read through.
    assert!((0..400).all(|number| program.publish_noted(number, &noise(number, 20_000))));
    assert!(journal_bytes(&log) > 0);
    program.terminate();
    assert!(program.said().contains("everything is committed"), "{}", program.said());
    assert_eq!(journal_bytes(&log), 0, "{}", program.said());
    drop(program);

    let program = Program::start(directory.path(), 100);
    program.until_ready();
    let plays = || program.get(&program.http, "/v1/titles/t1/insights")?.1["plays_ever"].as_u64();
    program.until("all plays are counted", || plays().filter(|plays| *plays == 400));
}

#[test]
fn a_hangup_without_a_terminal_ends_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut program = Program::start(directory.path(), 100);
    program.until_ready();
    program.signal("HUP");
    program.until("it says so", || program.said().contains("SIGHUP changes nothing").then_some(()));
    program.until_ready();
    program.terminate();
    assert!(program.said().contains("everything is committed"), "{}", program.said());
}
