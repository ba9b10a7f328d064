//! The cryptography behind TLS, for both servers.

/// Chooses it for the process, unless somebody did: where several are linked, the library refuses to guess.
pub(crate) fn choose_provider() {
    // An error says that one was chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
