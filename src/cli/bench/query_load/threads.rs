//! A thread for each connection.

use super::answer::{Answer, MOST_BYTES, Status};
use super::{Outcomes, PATIENCE, QueryLoadArgs, Times};
use anyhow::{Context, ensure};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

/// Asks everything, and waits for the answers.
pub fn ask(args: &QueryLoadArgs, members: &[String]) -> anyhow::Result<Outcomes> {
    let connections: Vec<Connection> =
        (0..args.connections).map(|_| Connection::open(args.address)).collect::<anyhow::Result<_>>()?;
    // Everything is there before the first query is due.
    let started = Instant::now() + Duration::from_millis(100);
    let times = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..)
            .zip(connections)
            .map(|(number, connection)| scope.spawn(move || connection.ask(args, number, members, started)))
            .collect();
        asking.into_iter().map(|thread| thread.join().expect("a panic ends the program")).collect()
    });
    let times: anyhow::Result<Vec<Times>> = times;
    Ok(Outcomes { times: times?, elapsed_s: started.elapsed().as_secs_f64() })
}

struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(address: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self { address, stream: connect(address)?, buffer: vec![0; MOST_BYTES] })
    }

    /// Asks every query that is its own.
    fn ask(
        mut self,
        args: &QueryLoadArgs,
        number: u64,
        members: &[String],
        started: Instant,
    ) -> anyhow::Result<Times> {
        sleep_exactly();
        let mut times = Times::new()?;
        for query in args.queries_of(number, members) {
            let (after, member) = query?;
            let due = started + after;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let asked = Instant::now();
            let status = self.answer_to(&args.asked.request(member))?;
            times.record(due, asked, status, args)?;
        }
        Ok(times)
    }

    /// Sends a request and reads the whole answer.
    fn answer_to(&mut self, request: &str) -> anyhow::Result<Status> {
        self.stream.write_all(request.as_bytes())?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).context("waiting for an answer")?;
            ensure!(read > 0, "the server closed the connection");
            filled += read;
            let Some(answer) = Answer::read(&self.buffer[..filled])? else { continue };
            if answer.is_last {
                self.stream = connect(self.address)?;
            }
            return Ok(answer.status);
        }
    }
}

/// Sleeps of this thread end when they are due: Linux lets one wait for 50 microseconds for others to wake with.
fn sleep_exactly() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::set_current_timer_slack(NonZeroU64::new(1)) {
        tracing::debug!(%error, "sleeps end up to 50 microseconds late");
    }
}

fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}
