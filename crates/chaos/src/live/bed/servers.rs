//! NATS and Redis, and the connections of each engine to them.

use crate::live::ChaosError;
use crate::live::plan::Part;
use crate::live::proxy::Proxy;
use nearline_servers::{NatsServer, RedisServer};
use parking_lot::Mutex;
use std::net::SocketAddr;
use tokio::runtime::Handle;

/// The servers of a bed that was made here.
#[derive(Debug)]
pub struct Servers {
    nats: Mutex<NatsServer>,
    redis: Mutex<RedisServer>,
}

/// The proxies between one engine and the servers.
#[derive(Debug)]
pub struct Links {
    nats: Proxy,
    redis: Proxy,
}

fn address_of(url: &str) -> Result<SocketAddr, ChaosError> {
    let address = url.split("://").nth(1).and_then(|rest| rest.parse().ok());
    address.ok_or_else(|| ChaosError::Engine(format!("{url:?} names no IP address and port")))
}

impl Links {
    /// The proxy in front of a server.
    pub fn proxy(&self, part: Part) -> &Proxy {
        match part {
            Part::Nats => &self.nats,
            Part::Redis => &self.redis,
        }
    }
}

impl Servers {
    /// Starts both.
    ///
    /// # Errors
    /// Where one is not installed or does not come up.
    pub fn start() -> Result<Self, ChaosError> {
        Ok(Self { nats: Mutex::new(NatsServer::start(None)?), redis: Mutex::new(RedisServer::start()?) })
    }

    /// Where they are, without a proxy: NATS, then Redis.
    pub fn urls(&self) -> (String, String) {
        (self.nats.lock().url(), self.redis.lock().url())
    }

    /// The way to them of one engine.
    ///
    /// # Errors
    /// Where a proxy cannot listen.
    pub fn link(&self, runtime: &Handle) -> Result<Links, ChaosError> {
        let (nats, redis) = self.urls();
        Ok(Links {
            nats: Proxy::start(runtime, address_of(&nats)?)?,
            redis: Proxy::start(runtime, address_of(&redis)?)?,
        })
    }

    /// Kills a server.
    pub fn kill(&self, part: Part) {
        match part {
            Part::Nats => self.nats.lock().stop(),
            Part::Redis => self.redis.lock().stop(),
        }
    }

    /// Starts a server again, killing it first if it runs.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn restart(&self, part: Part) -> Result<(), ChaosError> {
        match part {
            Part::Nats => self.nats.lock().restart()?,
            Part::Redis => self.redis.lock().restart()?,
        }
        Ok(())
    }

    /// The process of a server, if it runs.
    pub fn process_id(&self, part: Part) -> Option<u32> {
        match part {
            Part::Nats => self.nats.lock().process_id(),
            Part::Redis => self.redis.lock().process_id(),
        }
    }
}
