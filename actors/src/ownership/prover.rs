//! Proves that this node can work: that its store takes writes and its log takes events. A node that cannot takes no
//! part in the assignment for as long as others can.

use super::hindrances::{Hindrances, Need};
use nearline_model::control::ownership::Millis;
use nearline_ports::{PortError, Ports};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The one who proves; how long this node has been failing to, in milliseconds (0: it works).
pub(super) struct Prover(watch::Receiver<Millis>);

impl Prover {
    /// Tries until the first proof.
    pub(super) async fn first(ports: &Ports, pause: Duration, patience: Duration, hindrances: &Hindrances) {
        let mut failed = false;
        loop {
            match prove(ports, patience).await {
                Ok(()) => {
                    hindrances.done(Need::Work);
                    if failed {
                        tracing::info!("store and log work: this node takes part now");
                    }
                    return;
                }
                Err(error) => {
                    if !failed {
                        tracing::warn!(%error, "this node takes no part until its store and its log work");
                    }
                    failed = true;
                    hindrances.failed(Need::Work, error);
                }
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Goes on proving, every `pause`; each attempt has `patience`. A node that has failed counts as one that works again
    /// only after `probation`: what was away for all comes back to all, though not in the same moment.
    pub(super) fn start(
        ports: Ports,
        pause: Duration,
        patience: Duration,
        probation: Duration,
        hindrances: Arc<Hindrances>,
    ) -> Self {
        let (failing, told) = watch::channel(Millis::ZERO);
        actix_rt::spawn(async move {
            let (mut failing_since, mut working_since) = (None::<Instant>, None::<Instant>);
            while !failing.is_closed() {
                match prove(&ports, patience).await {
                    Ok(()) if failing_since.is_some() => {
                        tracing::info!("store and log work again");
                        hindrances.done(Need::Work);
                        (failing_since, working_since) = (None, Some(Instant::now()));
                    }
                    Ok(()) if working_since.is_some_and(|since| since.elapsed() >= probation) => {
                        working_since = None;
                    }
                    Ok(()) => {}
                    Err(error) => {
                        if failing_since.is_none() {
                            tracing::warn!(%error, "this node cannot work");
                        }
                        failing_since.get_or_insert_with(Instant::now);
                        hindrances.failed(Need::Work, error);
                    }
                }
                let failing_ms = match failing_since {
                    Some(since) => Millis::from(since.elapsed()).max(Millis(1)),
                    None => Millis(u64::from(working_since.is_some())),
                };
                metrics::gauge!("nearline_node_failing_seconds").set(failing_ms.0 as f64 / 1_000.0);
                failing.send_replace(failing_ms);
                tokio::time::sleep(pause).await;
            }
        });
        Self(told)
    }

    pub(super) fn failing_ms(&self) -> Millis {
        *self.0.borrow()
    }
}

async fn prove(ports: &Ports, patience: Duration) -> Result<(), PortError> {
    let proofs = async {
        ports.store.prove().await?;
        ports.log.prove().await
    };
    match tokio::time::timeout(patience, proofs).await {
        Ok(proved) => proved,
        Err(_) => Err(PortError::Unavailable {
            what: "the store or the log".into(),
            detail: format!("no answer within {} ms", patience.as_millis()),
        }),
    }
}
