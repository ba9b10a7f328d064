//! Writes what this node says into the registry, one after the other; what was not written in time is
//! passed over for what is newer.

use super::Happened;
use super::hindrances::{Hindrances, Need};
use crate::presence::Presence;
use nearline_model::control::assignment::NodeId;
use nearline_ports::{Announced, Announcement, Membership, PortError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Attempts to withdraw; without it others notice by the lease.
const WITHDRAWALS: usize = 3;

/// What to say.
#[derive(Debug, Clone)]
pub(super) enum Say {
    Announce(Announcement),
    Withdraw(NodeId, u64),
}

/// The one who says it.
pub(super) struct Announcer(watch::Sender<Option<Say>>);

impl Announcer {
    pub(super) fn start(
        membership: Arc<dyn Membership>,
        patience: Duration,
        presence: Arc<Presence>,
        hindrances: Arc<Hindrances>,
        happened: mpsc::UnboundedSender<Happened>,
    ) -> Self {
        let (sender, mut said) = watch::channel(None);
        actix_rt::spawn(async move {
            while said.changed().await.is_ok() {
                let next = said.borrow_and_update().clone();
                match next {
                    None => {}
                    Some(Say::Announce(announcement)) => {
                        let said_ms = presence.now_ms();
                        let written = in_time(patience, membership.announce(&announcement)).await;
                        match written {
                            Ok(Announced::Done) => {
                                presence.heard(said_ms);
                                hindrances.done(Need::Announce);
                            }
                            Ok(Announced::Replaced) => drop(happened.send(Happened::Replaced)),
                            Err(error) => {
                                metrics::counter!("nearline_announcement_failures_total").increment(1);
                                tracing::warn!(%error, "this node could not announce itself; the next beat will");
                                hindrances.failed(Need::Announce, error);
                            }
                        }
                    }
                    Some(Say::Withdraw(node, incarnation)) => {
                        for _ in 0..WITHDRAWALS {
                            match in_time(patience, membership.withdraw(&node, incarnation)).await {
                                Ok(()) => break,
                                Err(error) => tracing::warn!(%error, "withdrawing from the registry"),
                            }
                        }
                        let _closed = happened.send(Happened::Gone);
                        return;
                    }
                }
            }
        });
        Self(sender)
    }

    pub(super) fn say(&self, say: Say) {
        self.0.send_replace(Some(say));
    }
}

async fn in_time<T>(
    patience: Duration,
    doing: impl Future<Output = Result<T, PortError>>,
) -> Result<T, PortError> {
    match tokio::time::timeout(patience, doing).await {
        Ok(outcome) => outcome,
        Err(_) => Err(PortError::Unavailable {
            what: "the registry of nodes".into(),
            detail: format!("no answer within {} ms", patience.as_millis()),
        }),
    }
}
