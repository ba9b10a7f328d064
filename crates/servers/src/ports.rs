//! Ports for servers, and for programs that must be told theirs beforehand.
//!
//! A port that the system gives (port 0) and that is let go again, to be listened on by somebody else, may be gone by then:
//! the system gives it to the next who asks, also as the near end of any connection. So ports are taken from below those that
//! systems give by themselves (Linux from 32,768, others from 49,152), and each is claimed as long as this process lives: by a
//! socket that another process which looks for ports this way finds bound.

use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::{Mutex, PoisonError};

const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// What marks the ports that this process claims, and how many it has looked at. Servers here speak TCP alone: UDP is free for
/// the mark.
static CLAIMED: Mutex<(Vec<UdpSocket>, u16)> = Mutex::new((Vec::new(), 0));

/// Different ports on loopback that nobody listens on, and that nobody else gets here while this process lives.
///
/// # Errors
/// If none is free.
pub(super) fn free_ports(count: usize) -> std::io::Result<Vec<u16>> {
    // Whole at all times: nothing panics while it is held.
    let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
    let (claims, looked) = &mut *claimed;
    // Processes begin far from each other, so that they hardly ever look at the same.
    let begin = (std::process::id().wrapping_mul(0x9E37_79B1) >> 16) as u16 % COUNT;
    let mut free = Vec::with_capacity(count);
    for _ in 0..COUNT {
        if free.len() == count {
            break;
        }
        let port = FIRST + (begin + *looked % COUNT) % COUNT;
        *looked = looked.wrapping_add(1);
        let Ok(claim) = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)) else { continue };
        // Of somebody who does not claim.
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            claims.push(claim);
            free.push(port);
        }
    }
    if free.len() < count {
        let range = FIRST..FIRST + COUNT;
        return Err(Error::new(ErrorKind::AddrInUse, format!("of the ports {range:?} none is free")));
    }
    Ok(free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_and_can_be_listened_on() {
        let mut ports = free_ports(50).expect("ports");
        ports.extend(free_ports(50).expect("more"));
        for port in &ports {
            TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).expect("nobody listens");
            UdpSocket::bind((Ipv4Addr::LOCALHOST, *port)).expect_err("claimed");
        }
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 100);
    }
}
