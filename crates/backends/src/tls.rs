//! The cryptography behind TLS, for both servers, and its files.

use nearline_ports::PortError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Chooses it for the process, unless somebody did: where several are linked, the library refuses to guess.
pub(crate) fn choose_provider() {
    // An error says that one was chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// What a file of TLS is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    Certificates,
    Key,
}

/// Refuses the `file` that `key` names, if it does not hold what it is to: the handshake would blame the server.
pub(crate) fn check_file(key: &str, file: &str, holds: Holds, bytes: &[u8]) -> Result<(), PortError> {
    let (is_there, what) = match holds {
        Holds::Certificates => {
            (CertificateDer::pem_slice_iter(bytes).next().is_some_and(|read| read.is_ok()), "certificate")
        }
        Holds::Key => (PrivateKeyDer::from_pem_slice(bytes).is_ok(), "private key"),
    };
    if is_there {
        return Ok(());
    }
    Err(PortError::Misconfigured(format!(
        "{key}: {file} holds no {what}: PEM is expected, with BEGIN and END"
    )))
}

/// What to look at, where the reason why there is no connection is about TLS. `section` is that of the settings.
pub(crate) fn hint(section: &str, reason: &str) -> String {
    let reason = reason.to_ascii_lowercase();
    if ["certificate", "unknownissuer", "fatal alert", "tls"].iter().any(|sign| reason.contains(sign)) {
        return format!(
            "; this is about TLS: see {section}.ca_file, the host names in {section}.url, and {section}.certificate_file"
        );
    }
    if section == "redis" && reason.contains("reset by peer") {
        return "; where it takes TLS alone, redis.url is to be rediss://HOST:PORT".to_owned();
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_what_it_is_for_is_refused_by_its_key() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let check = |holds, text: &str| check_file("nats.ca_file", "ca.pem", holds, text.as_bytes());
        check(Holds::Certificates, &certificate).expect("a certificate");
        check(Holds::Certificates, &format!("authority\n{key}{certificate}")).expect("with a key");
        check(Holds::Key, &key).expect("a key");
        for (holds, text) in [
            (Holds::Certificates, ""),
            (Holds::Certificates, "# Nearline"),
            (Holds::Certificates, key.as_str()),
            (Holds::Key, certificate.as_str()),
        ] {
            let why = check(holds, text).expect_err("refused").to_string();
            assert!(why.contains("nats.ca_file: ca.pem holds no"), "{why}");
        }
    }

    #[test]
    fn what_a_handshake_fails_of_is_told_with_what_to_look_at() {
        for reason in [
            "invalid peer certificate: UnknownIssuer",
            "received fatal alert: UnknownCA",
            "TLS error: expired",
        ] {
            assert!(hint("nats", reason).contains("nats.ca_file"), "{reason}");
        }
        assert_eq!(hint("nats", "Connection refused (os error 111)"), "");
        assert!(hint("redis", "Connection reset by peer (os error 104)").contains("rediss://"));
    }
}
