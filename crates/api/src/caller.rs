//! How a program calls a running nearline: plain or over TLS, with a key where one is asked for.

use std::sync::Arc;
use std::time::Duration;
use ureq::http::Request;
use ureq::http::header::{AUTHORIZATION, HeaderValue};
use ureq::middleware::MiddlewareNext;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, SendBody};

/// The environment variable with the key that is shown: in arguments, everybody on the machine could read it.
pub const KEY_VARIABLE: &str = "NEARLINE_KEY";

/// Why nobody can be called so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallerError {
    /// It is no URL of a listener.
    #[error("{0:?} is no URL of a listener; expected such as http://127.0.0.1:7700, or https://…")]
    NoUrl(String),
    /// The key cannot stand in a header.
    #[error("what stands in the environment variable NEARLINE_KEY is no key; expected nl_…")]
    NoKey,
}

/// An agent for `url`, whose requests take `timeout` at most. Answers of any status are answers.
///
/// Over TLS it trusts whom this machine trusts, or those in the file that the environment variable
/// `SSL_CERT_FILE` names.
///
/// # Errors
/// [`CallerError`]: what was given, and what is expected.
pub fn agent(url: &str, timeout: Duration, key: Option<&str>) -> Result<Agent, CallerError> {
    let is_over_tls = url.starts_with("https://");
    if !is_over_tls && !url.starts_with("http://") {
        return Err(CallerError::NoUrl(url.to_owned()));
    }
    let mut agent = Agent::config_builder().http_status_as_error(false).timeout_global(Some(timeout));
    if is_over_tls {
        agent = agent.tls_config(trusted());
    }
    if let Some(key) = key.map(str::trim).filter(|key| !key.is_empty()) {
        let shown = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| CallerError::NoKey)?;
        agent = agent.middleware(move |mut request: Request<SendBody<'_>>, next: MiddlewareNext<'_>| {
            request.headers_mut().insert(AUTHORIZATION, shown.clone());
            next.handle(request)
        });
    }
    Ok(agent.build().into())
}

/// The key in [`KEY_VARIABLE`], if there is one.
pub fn key_of_environment() -> Option<String> {
    std::env::var(KEY_VARIABLE).ok().filter(|key| !key.is_empty())
}

fn trusted() -> TlsConfig {
    // What cannot be read is trusted less: the handshake says whom it does not know.
    let known = rustls_native_certs::load_native_certs().certs;
    let roots: Vec<_> = known.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
    TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::from(roots))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_url_and_what_is_no_key_is_said() {
        let to = |url, key| agent(url, Duration::from_secs(1), key).map(drop);
        assert_eq!(to("http://127.0.0.1:7700", None), Ok(()));
        assert_eq!(to("https://nearline.example", Some("nl_a\n")), Ok(()));
        let refused = to("127.0.0.1:7700", None).expect_err("it has no scheme").to_string();
        assert!(
            refused.contains("\"127.0.0.1:7700\"") && refused.contains("http://127.0.0.1:7700"),
            "{refused}"
        );
        assert_eq!(to("http://127.0.0.1:7700", Some("a\nb")), Err(CallerError::NoKey));
    }
}
