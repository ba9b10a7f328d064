//! Who is let in: every way that NATS and Redis know, what is refused, and that no secret is told.

use super::authority::Authority;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use nearline_backends::nats::NatsSettings;
use nearline_backends::redis::RedisSettings;
use nearline_backends::{nats, redis};
use nearline_ports::PortError;
use nearline_servers::{NatsServer, RedisCluster, RedisServer, free_port};
use nkeys::KeyPair;
use std::sync::{Arc, Mutex};

const JETSTREAM: &str = "jetstream { store_dir: $NATS_STORE_DIR }\n";

fn server(authority: &Authority, rest: &str) -> NatsServer {
    let file = authority.write("nats.conf", &format!("{JETSTREAM}{rest}"));
    NatsServer::start_with_file(&file).expect("a NATS server")
}

fn settings(url: String) -> NatsSettings {
    NatsSettings { url, partitions: 2, timeout_ms: 2_000, ..NatsSettings::default() }
}

async fn let_in(settings: NatsSettings) {
    nats::connect(settings.clone()).await.map(drop).unwrap_or_else(|error| panic!("{settings:?}: {error}"));
}

async fn refused(settings: NatsSettings, says: &str) {
    match nats::connect(settings).await.map(drop) {
        Err(error @ PortError::Misconfigured(_)) => {
            let text = error.to_string();
            assert!(text.contains(says), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
        other => panic!("expected a refusal, found {other:?}"),
    }
}

#[tokio::test]
async fn a_user_with_a_password_and_a_token_are_let_in_and_others_are_told_why_not() {
    let authority = Authority::new();
    let nats = server(&authority, "authorization { user: ana, password: secret1 }");
    let at = |who: &str| settings(nats.url().replace("//", &format!("//{who}@")));
    let_in(at("ana:secret1")).await;
    refused(at("ana:secret2"), "authorization violation").await;
    refused(settings(nats.url()), "authorization violation").await;
    let nats = server(&authority, "authorization { token: \"secret,3\" }");
    let_in(settings(nats.url().replace("//", "//secret%2C3@"))).await;
    refused(settings(nats.url().replace("//", "//secret4@")), "authorization violation").await;
}

#[tokio::test]
async fn an_nkey_signs_and_a_file_that_changed_is_read_again() {
    let authority = Authority::new();
    let (old, new) = (KeyPair::new_user(), KeyPair::new_user());
    let nats =
        server(&authority, &format!("authorization {{ users: [ {{ nkey: {} }} ] }}", new.public_key()));
    let seed = |pair: &KeyPair| authority.write("user.nk", &format!("{}\n", pair.seed().expect("a seed")));
    let file = seed(&old).display().to_string();
    let settings = NatsSettings { nkey_file: file, ..settings(nats.url()) };
    refused(settings.clone(), "authorization violation").await;
    seed(&new);
    let_in(settings).await;
}

/// A token as NATS signs them: claims of an operator, an account or a user.
fn token(issuer: &KeyPair, subject: &KeyPair, name: &str, claims: &str) -> String {
    let head = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
    let body = URL_SAFE_NO_PAD.encode(format!(
        r#"{{"jti":"{name}","iat":1700000000,"iss":"{}","name":"{name}","sub":"{}","nats":{claims}}}"#,
        issuer.public_key(),
        subject.public_key()
    ));
    let signature = issuer.sign(format!("{head}.{body}").as_bytes()).expect("signed");
    format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn a_credentials_file_is_let_in() {
    let authority = Authority::new();
    let (operator, account, user) = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_user());
    let limits = r#"{"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,"wildcards":true,"conn":-1,"leaf":-1,
        "mem_storage":-1,"disk_storage":-1,"streams":-1,"consumer":-1}"#;
    let of_operator = token(&operator, &operator, "O", r#"{"type":"operator","version":2}"#);
    let of_account =
        token(&operator, &account, "A", &format!(r#"{{"type":"account","version":2,"limits":{limits}}}"#));
    // JetStream is not for the system's own account.
    let (system, plain) =
        (KeyPair::new_account(), limits.split(r#","leaf""#).next().expect("a part").to_owned() + "}");
    let of_system =
        token(&operator, &system, "SYS", &format!(r#"{{"type":"account","version":2,"limits":{plain}}}"#));
    let of_user =
        token(&account, &user, "U", r#"{"type":"user","version":2,"subs":-1,"data":-1,"payload":-1}"#);
    let nats = server(
        &authority,
        &format!(
            "operator: {of_operator}\nsystem_account: {sys}\nresolver: MEMORY\n\
             resolver_preload: {{ {}: {of_account}, {sys}: {of_system} }}\n",
            account.public_key(),
            sys = system.public_key()
        ),
    );
    let credentials = |seed: &str| {
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{of_user}\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        authority.write("user.creds", &text).display().to_string()
    };
    let credentials_file = credentials(&user.seed().expect("a seed"));
    let_in(NatsSettings { credentials_file, ..settings(nats.url()) }).await;
    let other = KeyPair::new_user().seed().expect("a seed");
    let credentials_file = credentials(&other);
    refused(NatsSettings { credentials_file, ..settings(nats.url()) }, "authorization violation").await;
}

#[tokio::test]
async fn tls_is_spoken_with_an_own_authority_and_with_no_other() {
    let (authority, other) = (Authority::new(), Authority::new());
    let file = |authority: &Authority, name: &str| authority.file(name).display().to_string();
    let tls = format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\" }}",
        file(&authority, "server.pem"),
        file(&authority, "server.key")
    );
    let nats = server(&authority, &tls);
    let ca_file = file(&authority, "ca.pem");
    let_in(NatsSettings { ca_file: ca_file.clone(), ..settings(nats.url().replace("nats:", "tls:")) }).await;
    let_in(NatsSettings { ca_file: ca_file.clone(), ..settings(nats.url()) }).await;
    let wrong = NatsSettings { ca_file: file(&other, "ca.pem"), ..settings(nats.url()) };
    let error = nats::connect(wrong).await.map(drop).expect_err("not let in").to_string();
    assert!(error.contains("invalid peer certificate") && error.contains("see nats.ca_file"), "{error}");
    let no_certificate = NatsSettings { ca_file: file(&authority, "server.key"), ..settings(nats.url()) };
    refused(no_certificate, "holds no certificate").await;
    // Whoever names an authority is not content with a server that shows nothing.
    let plain = server(&authority, "");
    let error = nats::connect(NatsSettings { ca_file: ca_file.clone(), ..settings(plain.url()) }).await;
    assert!(error.is_err(), "a server without TLS was taken");

    let first = server(&authority, &tls.replace("tls {", "tls { handshake_first: auto,"));
    let tls_first = NatsSettings { ca_file, tls_first: true, ..settings(first.url()) };
    let_in(tls_first).await;
}

#[tokio::test]
async fn what_the_server_does_not_let_a_user_do_is_told_beside_the_request_that_waits() {
    let authority = Authority::new();
    for denied in ["$JS.API.>", "$JS.API.STREAM.CREATE.>"] {
        let permissions = format!("permissions: {{ publish: {{ deny: \"{denied}\" }} }}");
        let user = format!("authorization {{ users: [{{ user: ana, password: secret1, {permissions} }}] }}");
        let nats = server(&authority, &user);
        let settings = settings(nats.url().replace("//", "//ana:secret1@"));
        let error = nats::connect(settings).await.map(drop).expect_err("nothing can be made").to_string();
        let says = error.to_lowercase();
        assert!(says.contains("the server says") && says.contains("permissions violation"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_redis_cluster_that_does_not_let_a_client_in_is_told_from_one_that_is_away() {
    let cluster = RedisCluster::start(3).expect("a Redis Cluster");
    for url in (0..3).map(|master| cluster.master_url(master)) {
        let client = ::redis::Client::open(url).expect("a URL");
        let mut connection = client.get_connection().expect("connected");
        let _: () = ::redis::cmd("CONFIG")
            .arg(&["SET", "requirepass", "secret1"])
            .query(&mut connection)
            .expect("set");
    }
    let at = |who: &str| RedisSettings {
        url: cluster.url().replace("//", &format!("//{who}")),
        cluster: true,
        timeout_ms: 2_000,
        ..RedisSettings::default()
    };
    redis::connect(at(":secret1@"), 2).await.map(drop).expect("let in");
    for who in [":secret2@", ""] {
        let error = redis::connect(at(who), 2).await.map(drop).expect_err("not let in");
        assert!(matches!(error, PortError::Misconfigured(_)), "{error:?}");
        let error = error.to_string();
        assert!(error.contains("does not let this client in") && !error.contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn redis_is_spoken_to_over_tls_and_says_what_is_wrong() {
    let (authority, other) = (Authority::new(), Authority::new());
    let file = |authority: &Authority, name: &str| authority.file(name).display().to_string();
    let port = free_port().expect("a port");
    let conf = format!(
        "save \"\"\nappendonly yes\ntls-port {port}\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\n\
         tls-auth-clients no\nrequirepass secret1\n",
        file(&authority, "server.pem"),
        file(&authority, "server.key"),
        file(&authority, "ca.pem")
    );
    let _server =
        RedisServer::start_with_file(&authority.write("redis.conf", &conf)).expect("a Redis server");
    let settings = |password: &str, authority: &Authority| RedisSettings {
        url: format!("rediss://:{password}@127.0.0.1:{port}"),
        ca_file: file(authority, "ca.pem"),
        timeout_ms: 2_000,
        ..RedisSettings::default()
    };
    redis::connect(settings("secret1", &authority), 2).await.map(drop).expect("let in");
    for (settings, says) in [
        (settings("secret2", &authority), "does not let this client in"),
        (settings("secret1", &other), "see redis.ca_file"),
        (
            RedisSettings { ca_file: file(&authority, "server.key"), ..settings("secret1", &authority) },
            "holds no certificate",
        ),
        (RedisSettings { url: format!("redis://127.0.0.1:{port}"), ..settings("", &authority) }, "rediss://"),
        (
            RedisSettings { ca_file: "/nowhere".into(), ..settings("secret1", &authority) },
            "redis.ca_file: /nowhere",
        ),
    ] {
        let error = redis::connect(settings, 2).await.map(drop).expect_err(says).to_string();
        assert!(error.to_lowercase().contains(&says.to_lowercase()), "{says}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

/// Everything that is logged, at the finest level.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_logged_or_shown() {
    let logged = Logged::default();
    let writer = logged.clone();
    // As the program does for `trace`: this one part of the client writes its sign-in down, and is held at debug.
    let filter = tracing_subscriber::filter::Targets::new()
        .with_default(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_target("async_nats::connection", tracing_subscriber::filter::LevelFilter::DEBUG);
    use tracing_subscriber::layer::SubscriberExt as _;
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
    let subscriber = tracing_subscriber::registry().with(filter).with(layer);
    tracing::subscriber::set_global_default(subscriber).expect("the first: each test is a process");
    let authority = Authority::new();
    let nats = server(&authority, "authorization { user: ana, password: secret1 }");
    for password in ["secret1", "secret2"] {
        let settings = settings(nats.url().replace("//", &format!("//ana:{password}@")));
        assert!(!format!("{settings:?}").contains("secret"), "{settings:?}");
        let _ = nats::connect(settings).await;
    }
    let redis = RedisSettings { url: "redis://:secret3@127.0.0.1:1".into(), ..RedisSettings::default() };
    assert!(!format!("{redis:?}").contains("secret"), "{redis:?}");
    let _ = redis::connect(RedisSettings { timeout_ms: 200, ..redis }, 2).await;
    let text = String::from_utf8_lossy(&logged.0.lock().expect("not poisoned")).into_owned();
    assert!(text.contains("attempting connection"), "the client logs:\n{text}");
    assert!(!text.contains("secret"), "{text}");
}
