//! What is read of a guide, and what a program is held against.
#![cfg(feature = "clap")]

use clap::{Arg, ArgAction, value_parser};
use nearline_guides::{Guide, Held};

fn guide(text: &str) -> Guide {
    Guide { path: "README.md".to_owned(), text: text.to_owned() }
}

fn words(text: &str) -> Vec<String> {
    guide(text).commands().into_iter().map(|command| command.words.join(" ")).collect()
}

#[test]
fn a_block_is_read_line_by_line_without_comments_variables_and_where_output_goes() {
    let text = "```sh\nA=1 nearline serve   # forever\nnearline import \\\n  x > out\ncurl -d '[\n1]' u | jq .\n```\n";
    assert_eq!(words(text), ["nearline serve", "nearline import x", "curl -d [\n1] u", "jq ."]);
}

#[test]
fn blocks_of_other_kinds_are_no_commands() {
    assert_eq!(words("```json\nnearline serve\n```\n```\nnearline demo\n```\n"), Vec::<String>::new());
}

#[test]
fn what_cargo_runs_is_the_program() {
    let text = "`cargo build && cargo run --release -p nearline-lab -- tidy` and `cargo run -- demo`";
    assert_eq!(words(text), ["cargo build", "nearline-lab tidy", "nearline demo"]);
}

fn definition() -> clap::Command {
    let list = clap::Command::new("list")
        .after_help("Examples:\n  nearline list 3 --all    everything\n  nearline list --al 3")
        .arg(Arg::new("all").long("all").action(ArgAction::SetTrue))
        .arg(Arg::new("position").required(true).value_parser(value_parser!(u32)));
    clap::Command::new("nearline").subcommand_required(true).subcommand(list)
}

fn refused(text: &str) -> Vec<String> {
    let held = Held::of_guides(&definition(), &[guide(text)], &["bench"]);
    held.refused.into_iter().map(|line| line.split(": error").next().unwrap_or_default().to_owned()).collect()
}

const HELP: &str = "help of list: `nearline list --al 3`";

#[test]
fn an_option_that_the_program_does_not_have_is_found_in_guides_and_help() {
    assert_eq!(refused("`nearline list --every`"), ["README.md:1: `nearline list --every`", HELP]);
    assert_eq!(
        refused("```sh\nnearline list 3 --every\n```"),
        ["README.md:2: `nearline list 3 --every`", HELP]
    );
    assert_eq!(refused("`nearline lists`"), ["README.md:1: `nearline lists`", HELP]);
}

#[test]
fn a_sentence_may_leave_out_what_a_block_may_not() {
    assert_eq!(refused("`nearline list`, `nearline list POSITION`, `nearline list …`, `nearline`"), [HELP]);
    assert_eq!(refused("```sh\nnearline list\n```"), ["README.md:2: `nearline list`", HELP]);
    assert_eq!(refused("```sh\nnearline list N\n```"), ["README.md:2: `nearline list N`", HELP]);
}

#[test]
fn what_is_not_built_in_is_not_looked_at() {
    assert_eq!(refused("`nearline bench fold`"), [HELP]);
}
