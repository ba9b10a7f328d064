//! How this client says who it is, and how it knows the server: user and password or a token in the URL, a
//! credentials file, an nkey, TLS with an own authority and a client certificate.
//!
//! Files are read again at each connection: what was rotated meanwhile is what the next one uses. What the
//! client library is given as servers holds no secret, since it logs their addresses.

use super::NatsSettings;
use crate::tls::{Holds, check_file};
use async_nats::{Auth, AuthError, ConnectError, ConnectErrorKind, ConnectOptions};
use nearline_ports::PortError;
use nkeys::KeyPair;
use percent_encoding::percent_decode_str;
use std::path::PathBuf;

/// Who this client is. No `Debug`: it holds secrets.
#[derive(Clone, PartialEq, Eq)]
enum Identity {
    Nobody,
    User {
        user: String,
        password: String,
    },
    Token(String),
    /// A file with a JWT and the seed that signs.
    Credentials(PathBuf),
    /// A file with a seed.
    Nkey(PathBuf),
}

/// The servers without their secrets, and the options to connect with.
pub(super) fn access(settings: &NatsSettings) -> Result<(Vec<String>, ConnectOptions), PortError> {
    let (servers, in_url) = servers(&settings.url)?;
    let identity = identity(settings, in_url)?;
    // Read once here, so that a file that is wrong is told of by its name, and not as a failed connection.
    answer(&identity, b"").map_err(PortError::Misconfigured)?;
    let options = ConnectOptions::with_auth_callback(move |nonce| {
        let answer = answer(&identity, &nonce);
        async move { answer.map_err(AuthError::new) }
    });
    Ok((servers, tls(settings, options)?))
}

fn tls(settings: &NatsSettings, mut options: ConnectOptions) -> Result<ConnectOptions, PortError> {
    let NatsSettings { ca_file, certificate_file, key_file, tls_first, .. } = settings;
    if certificate_file.is_empty() != key_file.is_empty() {
        return Err(PortError::Misconfigured(
            "nats.certificate_file and nats.key_file belong together: give both or none".into(),
        ));
    }
    let named = [
        ("nats.ca_file", ca_file, Holds::Certificates),
        ("nats.certificate_file", certificate_file, Holds::Certificates),
        ("nats.key_file", key_file, Holds::Key),
    ];
    for (key, file, holds) in named.iter().filter(|(_, file, _)| !file.is_empty()) {
        let text = read(key, file).map_err(PortError::Misconfigured)?;
        check_file(key, file, *holds, text.as_bytes())?;
    }
    if !ca_file.is_empty() {
        options = options.add_root_certificates(ca_file.into());
    }
    if !certificate_file.is_empty() {
        options = options.add_client_certificate(certificate_file.into(), key_file.into());
    }
    if *tls_first {
        options = options.tls_first();
    }
    // Whoever names an authority does not want to talk to a server that shows none.
    Ok(options.require_tls(*tls_first || named.iter().any(|(_, file, _)| !file.is_empty())))
}

/// Servers without user and password, and what the URLs say of these.
fn servers(url: &str) -> Result<(Vec<String>, Identity), PortError> {
    let (mut servers, mut found) = (Vec::new(), Identity::Nobody);
    for url in url.split(',').map(str::trim).filter(|url| !url.is_empty()) {
        let (scheme, rest) = url.split_once("://").unwrap_or(("nats", url));
        // The last one: a password may hold the character, though it should not.
        let Some((who, host)) = rest.rsplit_once('@') else {
            servers.push(format!("{scheme}://{rest}"));
            continue;
        };
        servers.push(format!("{scheme}://{host}"));
        let identity = match who.split_once(':') {
            Some((user, password)) => Identity::User { user: decoded(user)?, password: decoded(password)? },
            None => Identity::Token(decoded(who)?),
        };
        if found != Identity::Nobody && found != identity {
            return Err(PortError::Misconfigured(
                "the servers in nats.url name different users; one is used for all of them: name it once"
                    .into(),
            ));
        }
        found = identity;
    }
    Ok((servers, found))
}

fn decoded(text: &str) -> Result<String, PortError> {
    let decoded = percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
    decoded
        .map_err(|_| PortError::Misconfigured("user or password in nats.url is no UTF-8 once decoded".into()))
}

fn identity(settings: &NatsSettings, in_url: Identity) -> Result<Identity, PortError> {
    let mut found = Vec::new();
    if in_url != Identity::Nobody {
        found.push(("user or token in nats.url", in_url));
    }
    if !settings.credentials_file.is_empty() {
        found.push(("nats.credentials_file", Identity::Credentials((&settings.credentials_file).into())));
    }
    if !settings.nkey_file.is_empty() {
        found.push(("nats.nkey_file", Identity::Nkey((&settings.nkey_file).into())));
    }
    match found.len() {
        0 => Ok(Identity::Nobody),
        1 => Ok(found.remove(0).1),
        _ => {
            let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
            Err(PortError::Misconfigured(format!(
                "NATS is told who this is in {} ways: {}; give one of them",
                names.len(),
                names.join(", ")
            )))
        }
    }
}

/// What the server is told, for its `nonce`.
fn answer(identity: &Identity, nonce: &[u8]) -> Result<Auth, String> {
    let mut auth = Auth::new();
    match identity {
        Identity::Nobody => {}
        Identity::User { user, password } => {
            auth.username = Some(user.clone());
            auth.password = Some(password.clone());
        }
        Identity::Token(token) => auth.token = Some(token.clone()),
        Identity::Credentials(path) => {
            let text = read("nats.credentials_file", path)?;
            let part = |title: &str| {
                let lines = text.lines().map(str::trim).skip_while(|line| !line.contains(title)).skip(1);
                lines.filter(|line| !line.is_empty()).map(str::to_owned).next()
            };
            let (Some(jwt), Some(seed)) = (part("BEGIN NATS USER JWT"), part("BEGIN USER NKEY SEED")) else {
                return Err(format!(
                    "nats.credentials_file: {} is no credentials file; expected one as `nsc generate creds` writes",
                    path.display()
                ));
            };
            auth.jwt = Some(jwt);
            auth.signature = Some(signed("nats.credentials_file", &seed, nonce)?.1);
        }
        Identity::Nkey(path) => {
            let text = read("nats.nkey_file", path)?;
            let seed = text.lines().map(str::trim).find(|line| line.starts_with('S')).unwrap_or_default();
            let (public, signature) = signed("nats.nkey_file", seed, nonce)?;
            (auth.nkey, auth.signature) = (Some(public), Some(signature));
        }
    }
    Ok(auth)
}

/// Public key and signature.
fn signed(key: &str, seed: &str, nonce: &[u8]) -> Result<(String, Vec<u8>), String> {
    // Without the seed: it is the secret.
    let pair =
        KeyPair::from_seed(seed).map_err(|error| format!("{key} holds no nkey seed (SU…): {error}"))?;
    let signature = pair.sign(nonce).map_err(|error| format!("{key}: the seed cannot sign: {error}"))?;
    Ok((pair.public_key(), signature))
}

fn read(key: &str, path: impl Into<PathBuf>) -> Result<String, String> {
    let path = path.into();
    std::fs::read_to_string(&path)
        .map_err(|error| format!("{key}: {} cannot be read: {error}", path.display()))
}

/// Why there is no connection: what trying again does not mend is told apart.
pub(super) fn refused(servers: &str, error: &ConnectError) -> Option<PortError> {
    let detail = match error.kind() {
        ConnectErrorKind::AuthorizationViolation => {
            "it does not let this client in (authorization violation): correct user and password or the token in \
             nats.url, nats.credentials_file or nats.nkey_file"
                .to_owned()
        }
        ConnectErrorKind::Authentication => format!("this client cannot say who it is: {error}"),
        ConnectErrorKind::ServerParse => format!("nats.url cannot be used: {error}"),
        ConnectErrorKind::Tls => format!("TLS cannot be set up: {error}; see nats.ca_file and nats.certificate_file"),
        _ => return None,
    };
    Some(PortError::Misconfigured(format!("NATS at {servers}: {detail}")))
}

/// The servers of `url`, for people.
pub(super) fn shown(url: &str) -> String {
    // A URL may hold a password: name the servers only.
    let servers = url.split(',').map(|url| {
        let url = url.trim();
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        rest.rsplit('@').next().unwrap_or_default()
    });
    servers.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(url: &str) -> (Vec<String>, Option<String>, Option<String>, Option<String>) {
        let (servers, identity) = servers(url).expect("a URL");
        let auth = answer(&identity, b"").expect("known");
        (servers, auth.username, auth.password, auth.token)
    }

    #[test]
    fn user_password_and_token_are_taken_out_of_the_url() {
        let some = |text: &str| Some(text.to_owned());
        for (url, server, user, password, token) in [
            ("nats://h:4222", "nats://h:4222", None, None, None),
            ("nats://ana:pass@h:4222", "nats://h:4222", some("ana"), some("pass"), None),
            ("tls://t0k%2Cn@h", "tls://h", None, None, some("t0k,n")),
            (
                "nats://ana:p%40s%3As%2F%25@[::1]:4222",
                "nats://[::1]:4222",
                some("ana"),
                some("p@s:s/%"),
                None,
            ),
            ("nats://ana:p@ss:w@h", "nats://h", some("ana"), some("p@ss:w"), None),
            ("nats://ana:@h", "nats://h", some("ana"), some(""), None),
        ] {
            assert_eq!(who(url), (vec![server.to_owned()], user, password, token), "{url}");
            assert!(!shown(url).contains('p') || !url.contains('@'), "{}", shown(url));
        }
        let (all, user, ..) = who("nats://ana:p@a:1, nats://ana:p@b:2,c:3");
        assert_eq!((all.len(), user), (3, some("ana")));
        assert!(servers("nats://ana:p@a:1,nats://bob:p@b:2").is_err());
    }

    #[test]
    fn two_ways_to_say_who_one_is_and_files_that_are_none_are_refused() {
        let directory = tempfile::tempdir().expect("directory");
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).expect("written");
            path.display().to_string()
        };
        let base = || NatsSettings { url: "nats://h:4222".into(), ..NatsSettings::default() };
        for (settings, says) in [
            (NatsSettings { credentials_file: "/nowhere".into(), ..base() }, "/nowhere cannot be read"),
            (NatsSettings { credentials_file: file("c", "SUAxxx"), ..base() }, "is no credentials file"),
            (NatsSettings { nkey_file: file("n", "SUAMISSING"), ..base() }, "holds no nkey seed"),
            (NatsSettings { certificate_file: file("p", ""), ..base() }, "belong together"),
            (NatsSettings { ca_file: "/nowhere".into(), ..base() }, "nats.ca_file: /nowhere"),
            (
                NatsSettings { url: "nats://a:b@h".into(), nkey_file: file("m", "S"), ..base() },
                "in 2 ways: user or token in nats.url, nats.nkey_file",
            ),
        ] {
            let error = access(&settings).map(drop).expect_err("refused").to_string();
            assert!(error.contains(says), "{error}");
            assert!(!error.contains("SUAMISSING"), "{error}");
        }
    }
}
