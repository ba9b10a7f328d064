//! The certificate of a listener: read from files, shown to callers, read again when the files change.
//!
//! Whoever renews it replaces both files; a pair that does not fit, as it is for a moment in between, leaves the
//! one before in use.

use crate::keys::LOOK_AGAIN;
use nearline_config::CertificateFiles;
use nearline_ports::{Clock, SystemClock};
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::Arc;
use x509_cert::Certificate as X509;
use x509_cert::der::Decode;

/// What both listeners speak inside TLS.
const PROTOCOL: &[u8] = b"http/1.1";

/// Why files make no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// One cannot be read, or is not PEM.
    #[error("{file}: {detail}; expected PEM, as certificate authorities give it")]
    Unreadable {
        /// The file.
        file: String,
        /// What is wrong.
        detail: String,
    },
    /// They do not belong together, or the key is of a kind that is not known.
    #[error(
        "{certificate} and {key} make no certificate: {detail}; expected the key that the first certificate of the file was made for"
    )]
    Unfit {
        /// The file of certificates.
        certificate: String,
        /// The file of the key.
        key: String,
        /// What is wrong.
        detail: String,
    },
}

/// A certificate in use.
#[derive(Debug)]
pub struct Certificate {
    files: CertificateFiles,
    current: RwLock<Current>,
}

#[derive(Debug, Clone)]
struct Current {
    shown: Arc<CertifiedKey>,
    ends_ms: i64,
}

impl Certificate {
    /// Reads the files that are configured for a listener, if any are.
    ///
    /// # Errors
    /// [`CertificateError`]: which file, and what is wrong with it.
    pub fn open(files: Option<CertificateFiles>) -> Result<Option<Arc<Self>>, CertificateError> {
        let Some(files) = files else { return Ok(None) };
        let current = RwLock::new(read(&files)?);
        Ok(Some(Arc::new(Self { files, current })))
    }

    /// How a listener speaks with it.
    ///
    /// # Panics
    /// Never: the protocol versions are those of the cryptography chosen.
    pub fn server_config(self: &Arc<Self>) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("the provider knows them");
        let mut config = builder.with_no_client_auth().with_cert_resolver(self.clone());
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Arc::new(config)
    }

    /// When it ends, Unix milliseconds.
    pub fn ends_ms(&self) -> i64 {
        self.current.read().ends_ms
    }

    /// Reads the files again; what is refused leaves the certificate as it was, and is said.
    pub fn read_again(&self) {
        match read(&self.files) {
            Ok(read) if read.shown.cert == self.current.read().shown.cert => {}
            Ok(read) => {
                let ends = nearline_model::timestamp::format_rfc3339(read.ends_ms);
                *self.current.write() = read;
                let file = &self.files.certificate;
                tracing::info!(event = "certificate_read", %file, ends, "another certificate is shown from now on");
            }
            Err(error) => {
                metrics::counter!("nearline_certificate_read_failures_total").increment(1);
                tracing::error!(%error, "the certificate stays as it was");
            }
        }
    }
}

/// Reads certificates again and again, and tells how long the one that ends next is good for.
pub(crate) async fn follow(certificates: Vec<Arc<Certificate>>) {
    while let Some(ends_ms) = certificates.iter().map(|shown| shown.ends_ms()).min() {
        let left_ms = ends_ms.saturating_sub(SystemClock.now_ms());
        metrics::gauge!("nearline_certificate_expire_seconds").set(left_ms as f64 / 1_000.0);
        tokio::time::sleep(LOOK_AGAIN).await;
        let again = certificates.clone();
        // It says itself what went wrong.
        let _read =
            tokio::task::spawn_blocking(move || again.iter().for_each(|shown| shown.read_again())).await;
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().shown.clone())
    }
}

fn read(files: &CertificateFiles) -> Result<Current, CertificateError> {
    let unreadable =
        |file: &str, detail: String| CertificateError::Unreadable { file: file.to_owned(), detail };
    let of_certificates = |detail: String| unreadable(&files.certificate, detail);
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<CertificateDer<'static>>, _>>)
        .map_err(|error| of_certificates(error.to_string()))?;
    let first = chain.first().ok_or_else(|| of_certificates("no certificate is in it".to_owned()))?;
    let parsed = X509::from_der(first).map_err(|error| of_certificates(error.to_string()))?;
    let ends = parsed.tbs_certificate.validity.not_after.to_unix_duration();
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| unreadable(&files.key, error.to_string()))?;
    let shown = CertifiedKey::from_der(chain, key, &ring::default_provider());
    let shown = shown.map_err(|error| CertificateError::Unfit {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        detail: error.to_string(),
    })?;
    Ok(Current { shown: Arc::new(shown), ends_ms: i64::try_from(ends.as_millis()).unwrap_or(i64::MAX) })
}
