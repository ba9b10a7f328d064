//! The contract of the ports on real servers and in a directory.

#[path = "contract/blocks.rs"]
mod blocks;
#[path = "contract/cluster.rs"]
mod cluster;
#[path = "contract/embedded.rs"]
mod embedded;
#[path = "contract/redis_cluster.rs"]
mod redis_cluster;
#[path = "contract/secured.rs"]
mod secured;
