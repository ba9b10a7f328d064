//! TLS of the listeners: nothing else is spoken, certificates are read again, and publishing trusts whom it is told to.

use crate::running::Service;
use nearline_config::Config;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// An authority, and a certificate of it for this machine, in files.
struct Files {
    directory: tempfile::TempDir,
    authority: Issuer<'static, KeyPair>,
    authority_pem: String,
}

impl Files {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority_pem = params.self_signed(&key).expect("signed").pem();
        let files = Self {
            directory: tempfile::tempdir().expect("a directory"),
            authority: Issuer::new(params, key),
            authority_pem,
        };
        std::fs::write(files.path("ca.pem"), &files.authority_pem).expect("written");
        files.renew(3_000);
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Another certificate, good until that year.
    fn renew(&self, year: i32) {
        let mut params =
            CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).expect("names");
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.authority).expect("signed");
        std::fs::write(self.path("cert.pem"), signed.pem()).expect("written");
        std::fs::write(self.path("key.pem"), key.serialize_pem()).expect("written");
    }

    fn adjust(&self, config: &mut Config) {
        let name = |file| self.path(file).display().to_string();
        (config.http.certificate_file, config.http.key_file) = (name("cert.pem"), name("key.pem"));
    }

    /// A client that trusts the authority, and nobody else.
    fn client(&self) -> ureq::Agent {
        let root = Certificate::from_pem(self.authority_pem.as_bytes()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder().unversioned_rustls_crypto_provider(provider);
        let tls = tls.root_certs(RootCerts::new_with_certs(&[root])).build();
        ureq::Agent::config_builder().tls_config(tls).max_idle_connections(0).build().into()
    }
}

fn plain(to: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(to).expect("connected");
    stream.write_all(request).expect("sent");
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// When the certificate ends that a listener shows, by the gauge.
fn seconds_left(service: &Service) -> f64 {
    let metrics = service.ask(service.admin, "/metrics").text;
    let line = metrics.lines().find(|line| line.starts_with("nearline_certificate_expire_seconds "));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
}

#[test]
fn a_listener_with_a_certificate_speaks_tls_and_nothing_else() {
    let files = Files::new();
    let service = Service::start_with(|config| files.adjust(config), |ports| ports);
    let url = format!("https://{}/v1/trending", service.http);
    let answer = files.client().get(&url).call().expect("answered");
    assert_eq!(answer.status(), 200);
    let stranger = Files::new().client().get(&url).call().expect_err("it trusts another authority");
    assert!(stranger.to_string().contains("invalid peer certificate"), "{stranger}");
    let refused = plain(service.http, b"GET /v1/trending HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(refused.starts_with("HTTP/1.1 400 ") && refused.contains("use https://"), "{refused}");
    assert!(plain(service.http, &[22, 3, 1, 0, 5, 1, 2, 3, 4, 5]).len() < 16, "an alert, or nothing");
    let failed = service.ask(service.admin, "/metrics").text;
    assert!(failed.contains("nearline_http_handshake_failures_total"), "{failed}");
    assert_eq!(files.client().get(&url).call().expect("it still serves").status(), 200);
}

#[test]
fn a_certificate_is_read_again_and_a_pair_that_does_not_fit_is_not_taken() {
    let files = Files::new();
    let service = Service::start_with(|config| files.adjust(config), |ports| ports);
    let url = format!("https://{}/v1/trending", service.http);
    let centuries = 3_000_000_000.0;
    service.until("how long the certificate is good is told", || {
        (seconds_left(&service) > centuries).then_some(())
    });
    let (certificate, key) = (files.path("cert.pem"), files.path("key.pem"));
    let fitting = std::fs::read(&key).expect("read");
    std::fs::write(&key, KeyPair::generate().expect("a key").serialize_pem()).expect("written");
    let failures = || {
        let metrics = service.ask(service.admin, "/metrics").text;
        metrics.contains("nearline_certificate_read_failures_total").then_some(())
    };
    service.until("the pair that does not fit is refused", failures);
    assert_eq!(files.client().get(&url).call().expect("the one before is shown").status(), 200);
    std::fs::write(&key, fitting).expect("written");
    files.renew(2_100);
    service.until("the other one is shown", || (seconds_left(&service) < centuries).then_some(()));
    assert_eq!(files.client().get(&url).call().expect("answered").status(), 200);
    assert!(certificate.exists());
}

#[test]
fn publishing_over_tls_trusts_whom_it_is_told_to() {
    let files = Files::new();
    let service = Service::start_with(|config| files.adjust(config), |ports| ports);
    let events = files.path("events.ndjson");
    let event = r#"{"id":"e1","type":"play","member":"ana","title":"heist","at":"2026-03-01T20:15:00Z"}"#;
    std::fs::write(&events, event).expect("written");
    let publish = |trusted: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nearline"));
        command.args(["publish", "--to", &format!("https://{}", service.http)]).arg(&events);
        command.env("SSL_CERT_FILE", trusted).output().expect("it runs")
    };
    let begun = std::time::Instant::now();
    let output = publish(&files.path("cert.pem"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("SSL_CERT_FILE"), "{said}");
    assert!(begun.elapsed().as_secs() < 30, "it is not tried again and again");
    let output = publish(&files.path("ca.pem"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 accepted"), "{output:?}");
}

#[test]
fn what_is_wrong_with_a_certificate_stops_the_start_and_says_which_file() {
    let files = Files::new();
    let run = |certificate: &str, key: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nearline"));
        command.arg("serve").env("NEARLINE__EMBEDDED__DIRECTORY", files.path("data"));
        for (name, value) in [("CERTIFICATE_FILE", certificate), ("KEY_FILE", key)] {
            if !value.is_empty() {
                command.env(format!("NEARLINE__HTTP__{name}"), files.path(value));
            }
        }
        let output = command.output().expect("it runs");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    std::fs::write(files.path("other.pem"), KeyPair::generate().expect("a key").serialize_pem())
        .expect("written");
    for (certificate, key, says) in [
        ("cert.pem", "", "http.key_file"),
        ("", "key.pem", "http.certificate_file"),
        ("none.pem", "key.pem", "none.pem: "),
        ("key.pem", "key.pem", "no certificate is in it"),
        ("cert.pem", "cert.pem", "cert.pem: "),
        ("cert.pem", "other.pem", "make no certificate"),
    ] {
        let said = run(certificate, key);
        assert!(said.contains(says), "{certificate}, {key}: {said}");
    }
    assert!(!files.path("data").exists(), "nothing was opened");
}

#[test]
fn the_doctor_says_when_a_certificate_ends_and_what_travels_in_the_clear() {
    let files = Files::new();
    let examined = |year: i32| {
        files.renew(year);
        let mut command = Command::new(env!("CARGO_BIN_EXE_nearline"));
        command.args(["doctor", "--json"]).env("NEARLINE__EMBEDDED__DIRECTORY", files.path("data"));
        command.env("NEARLINE__HTTP__CERTIFICATE_FILE", files.path("cert.pem"));
        command.env("NEARLINE__HTTP__KEY_FILE", files.path("key.pem"));
        command.env("NEARLINE__ADMIN__ADDRESS", "0.0.0.0:7701").env("NEARLINE__ACCESS__INSECURE", "true");
        String::from_utf8(command.output().expect("it runs").stdout).expect("UTF-8")
    };
    let good = examined(3_000);
    assert!(good.contains("http: the certificate ends 3000-01-01"), "{good}");
    assert!(good.contains("admin: plain HTTP on 0.0.0.0:7701"), "{good}");
    assert!(examined(2_000).contains("http: the certificate ended 2000-01-01"), "{good}");
}
