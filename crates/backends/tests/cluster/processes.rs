//! Private servers leave nothing behind.

use crate::{DEADLINE, RETRY};
use nearline_servers::RedisServer;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Instant;

const ADDRESS_FILE: &str = "NEARLINE_TEST_ADDRESS_FILE";

/// Not a test: what the test below runs in a process of its own, and kills.
#[test]
#[ignore = "run by servers_end_with_a_process_that_is_killed"]
fn start_a_server_and_wait() {
    let Some(file) = std::env::var_os(ADDRESS_FILE) else { return };
    // From a thread that ends: that must not end the server.
    let server =
        std::thread::spawn(|| RedisServer::start().expect("a Redis server")).join().expect("started");
    let address = server.url().trim_start_matches("redis://").to_owned();
    let unfinished = std::path::Path::new(&file).with_extension("unfinished");
    std::fs::write(&unfinished, address).expect("written");
    std::fs::rename(&unfinished, &file).expect("renamed");
    loop {
        std::thread::park();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn servers_end_with_a_process_that_is_killed() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|dir| dir.join("setpriv").is_file()) {
        eprintln!("skipped: no setpriv");
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("address");
    let mut process = Command::new(std::env::current_exe().expect("this test"))
        .args(["--ignored", "--exact", "processes::start_a_server_and_wait"])
        .env(ADDRESS_FILE, &file)
        .env("TMPDIR", directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let deadline = Instant::now() + DEADLINE;
    let address = loop {
        match std::fs::read_to_string(&file) {
            Ok(address) => break address,
            Err(error) => assert!(Instant::now() < deadline, "no server: {error}"),
        }
        std::thread::sleep(RETRY);
    };
    TcpStream::connect(&address).expect("the server answers though the thread that started it is gone");
    process.kill().expect("killed");
    process.wait().expect("ended");
    while TcpStream::connect(&address).is_ok() {
        assert!(Instant::now() < deadline, "the server at {address} outlives its process");
        std::thread::sleep(RETRY);
    }
}
