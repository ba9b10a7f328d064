//! Listeners, and the files that make them speak TLS.

use super::{AdminSection, Config, HttpSection};

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
    /// What the operators' listener shows; none: it speaks plain HTTP, or there is none.
    pub fn certificate(&self) -> Option<CertificateFiles> {
        CertificateFiles::of(&self.certificate_file, &self.key_file).filter(|_| self.enabled)
    }
}

/// One listener of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener<'a> {
    /// Its section: `http` or `admin`.
    pub section: &'static str,
    /// IP address and port.
    pub address: &'a str,
    /// What it shows; none: it speaks plain HTTP.
    pub certificate: Option<CertificateFiles>,
}

impl Config {
    /// The listeners there are: the API's, and the operators' if it is enabled.
    pub fn listeners(&self) -> impl Iterator<Item = Listener<'_>> {
        let (http, admin) = (&self.http, &self.admin);
        let operators = admin.enabled.then(|| Listener {
            section: "admin",
            address: &admin.address,
            certificate: admin.certificate(),
        });
        let api = Listener { section: "http", address: &http.address, certificate: http.certificate() };
        std::iter::once(api).chain(operators)
    }
}
