//! What this node does for the sums, shared between who decides it and who acts on it.

use nearline_model::control::ownership::SumsRole;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

const ROLES: [SumsRole; 3] = [SumsRole::Follows, SumsRole::Adds, SumsRole::Keeps];

/// The role as of now; at first it follows, until it is known which nodes there are.
#[derive(Debug, Clone, Default)]
pub struct SharedRole(Arc<AtomicU8>);

impl SharedRole {
    /// With this role at first.
    pub fn new(role: SumsRole) -> Self {
        let shared = Self(Arc::default());
        shared.set(role);
        shared
    }

    /// The role now.
    pub fn get(&self) -> SumsRole {
        ROLES[usize::from(self.0.load(Relaxed))]
    }

    /// From now on it is this one; true if it was another.
    pub fn set(&self, role: SumsRole) -> bool {
        let number = ROLES.iter().position(|known| *known == role).expect("all roles are listed") as u8;
        self.0.swap(number, Relaxed) != number
    }
}
