//! An authority of this test's own, and what it certified: files that are gone with it.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use std::path::PathBuf;

/// `ca.pem`; `server.pem` and `.key` for 127.0.0.1 and localhost; `client.pem` and `.key`.
pub struct Authority(tempfile::TempDir);

impl Authority {
    pub fn new() -> Self {
        let authority = Self(tempfile::tempdir().expect("a directory"));
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name = named("authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("signed");
        authority.write("ca.pem", &issuer.pem());
        for (name, hosts) in [("server", ["127.0.0.1", "localhost"]), ("client", ["nearline", "client"])] {
            let key = KeyPair::generate().expect("a key");
            let mut params = CertificateParams::new(hosts.map(str::to_owned).to_vec()).expect("names");
            // Where issuer and subject have one name, OpenSSL takes a certificate for its own issuer.
            params.distinguished_name = named(name);
            let certificate = params.signed_by(&key, &issuer).expect("signed");
            authority.write(&format!("{name}.pem"), &certificate.pem());
            authority.write(&format!("{name}.key"), &key.serialize_pem());
        }
        authority
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        std::fs::write(&path, text).expect("written");
        path
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}
