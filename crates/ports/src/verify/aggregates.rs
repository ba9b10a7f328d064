//! Verification of the aggregates: folds every partition again and adds the deltas up.

use super::{Refold, VerifyError};
use crate::Ports;
use nearline_model::Position;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, FoldSettings, PartitionId};

/// The sums of all partitions' logs up to `positions`, folded again from the start; compare
/// `Aggregates::encode_contents` of both (invariants I2 and I3).
///
/// # Errors
/// Where the log cannot be read or ends before a position.
pub async fn refold_aggregates(
    ports: &Ports,
    positions: &[Position],
    fold: &FoldSettings,
    settings: &AggregateSettings,
) -> Result<Aggregates, VerifyError> {
    let partitions = ports.log.partitions();
    let mut aggregates = Aggregates::new(partitions, settings.clone());
    for (partition, position) in (0..partitions).map(PartitionId).zip(positions) {
        let mut again = Refold::new(partition, partitions, fold);
        again.fold_up_to(ports, *position).await?;
        if let Some(commit) = again.partition.take_commit(OwnerEpoch(0)) {
            aggregates.add(&commit.delta);
        }
    }
    Ok(aggregates)
}
