//! Files that make a listener speak TLS.

use super::{AdminSection, HttpSection};

/// A certificate and its key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by those that it was signed with.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl CertificateFiles {
    fn of(certificate: &str, key: &str) -> Option<Self> {
        (!certificate.is_empty()).then(|| Self { certificate: certificate.to_owned(), key: key.to_owned() })
    }
}

impl HttpSection {
    /// What the API's listener shows; none: it speaks plain HTTP.
    pub fn certificate(&self) -> Option<CertificateFiles> {
        CertificateFiles::of(&self.certificate_file, &self.key_file)
    }
}

impl AdminSection {
    /// What the operators' listener shows; none: it speaks plain HTTP.
    pub fn certificate(&self) -> Option<CertificateFiles> {
        CertificateFiles::of(&self.certificate_file, &self.key_file)
    }
}
