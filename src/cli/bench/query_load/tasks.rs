//! All connections on one thread.

use super::answer::{Answer, MOST_BYTES, Status};
use super::{Outcomes, PATIENCE, QueryLoadArgs, Times};
use anyhow::{Context, ensure};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Asks everything, and waits for the answers.
pub async fn ask(args: &QueryLoadArgs, members: Vec<String>) -> anyhow::Result<Outcomes> {
    let all = Rc::new(All { args: args.clone(), members, times: RefCell::new(Times::new()?) });
    let mut connections = Vec::new();
    for _ in 0..args.connections {
        connections.push(connect(args.address).await?);
    }
    // Everything is there before the first query is due.
    let started = Instant::now() + Duration::from_millis(100);
    let asking: Vec<_> = (0..)
        .zip(connections)
        .map(|(number, stream)| {
            let all = all.clone();
            actix_rt::spawn(async move { all.ask(stream, number, started).await })
        })
        .collect();
    for task in asking {
        task.await??;
    }
    let elapsed_s = started.elapsed().as_secs_f64();
    Ok(Outcomes { times: vec![all.times.replace(Times::new()?)], elapsed_s })
}

/// What all connections share.
struct All {
    args: QueryLoadArgs,
    members: Vec<String>,
    times: RefCell<Times>,
}

impl All {
    /// Asks every query of one connection.
    async fn ask(&self, mut stream: TcpStream, number: u64, started: Instant) -> anyhow::Result<()> {
        let mut buffer = Vec::new();
        for query in self.args.queries_of(number, &self.members) {
            let (after, member) = query?;
            let due = started + after;
            tokio::time::sleep_until(due.into()).await;
            let asked = Instant::now();
            let request = self.args.asked.request(member);
            let answered = self.answer_to(&request, &mut stream, &mut buffer);
            let status =
                tokio::time::timeout(PATIENCE, answered).await.context("waiting for an answer")??;
            self.times.borrow_mut().record(due, asked, status, &self.args)?;
        }
        Ok(())
    }

    /// Sends a request and reads the whole answer.
    async fn answer_to(
        &self,
        request: &str,
        stream: &mut TcpStream,
        buffer: &mut Vec<u8>,
    ) -> anyhow::Result<Status> {
        stream.write_all(request.as_bytes()).await?;
        buffer.clear();
        buffer.reserve(MOST_BYTES / 32);
        loop {
            ensure!(stream.read_buf(buffer).await? > 0, "the server closed the connection");
            let Some(answer) = Answer::read(buffer)? else { continue };
            if answer.is_last {
                *stream = connect(self.args.address).await?;
            }
            return Ok(answer.status);
        }
    }
}

async fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
