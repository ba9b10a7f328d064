//! What browsers and gateways send: compressed bodies, pages of other origins, beacons.

use crate::running::{Reply, Service, gzip};

const PAGE: &str = "https://app.example";
const EVENTS: &str = "/v1/events";

fn play(id: &str) -> String {
    format!(r#"{{"id":"{id}","type":"play","member":"ana","title":"heist","at":"2026-03-01T20:15:00Z"}}"#)
}

fn send(service: &Service, method: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    service.heard(|| {
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("http://{}{EVENTS}", service.http));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        service.run(request.body(body.to_vec()).expect("a request"))
    })
}

#[test]
fn a_compressed_body_is_unpacked_and_bounded_by_what_comes_out_of_it() {
    let service = Service::start_with(|config| config.http.max_body_bytes = 100_000, |ports| ports);
    let json = ("content-type", "application/x-ndjson");
    let post =
        |encoding: &str, body: &[u8]| send(&service, "POST", &[json, ("content-encoding", encoding)], body);
    let lines = format!("{}\n{}\n", play("a"), play("b"));
    let reply = post("gzip", &gzip(lines.as_bytes()));
    assert_eq!((reply.status, reply.json()["accepted"].as_u64()), (200, Some(2)), "{}", reply.text);
    let joined = [gzip(play("c").as_bytes()), gzip(b"\n"), gzip(play("d").as_bytes())].concat();
    assert_eq!(post("GZIP", &joined).json()["accepted"], 2, "several members are one body");
    assert_eq!(post("identity", play("e").as_bytes()).json()["accepted"], 1);

    let bomb = gzip(&vec![b' '; 50_000_000]);
    assert!(bomb.len() < 100_000);
    let whole = gzip(lines.as_bytes());
    for (encoding, body, status, says) in [
        ("gzip", &bomb[..], 413, "at most 100000 bytes are taken, decompressed"),
        ("gzip", lines.as_bytes(), 400, "cannot be decompressed"),
        ("gzip", &whole[..whole.len() - 6], 400, "cannot be decompressed"),
        ("br", &whole, 415, "\"br\" is not taken; send gzip"),
        ("gzip, gzip", &whole, 415, "is not taken"),
    ] {
        let reply = post(encoding, body);
        assert_eq!(reply.status, status, "{encoding}: {}", reply.text);
        assert!(
            reply.json()["detail"].as_str().is_some_and(|detail| detail.contains(says)),
            "{}",
            reply.text
        );
    }
}

#[test]
fn pages_of_named_origins_may_call_and_no_others() {
    let named = |config: &mut nearline_config::Config| {
        config.http.cors_origins = format!("{PAGE}, https://tv.example:8443");
    };
    let service = Service::start_with(named, |ports| ports);
    let ask_before = [
        ("origin", PAGE),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let reply = send(&service, "OPTIONS", &ask_before, b"");
    assert_eq!(reply.status, 204, "{}", reply.text);
    assert_eq!(reply.header("access-control-allow-origin"), PAGE);
    assert_eq!(reply.header("access-control-allow-credentials"), "true");
    assert!(reply.header("access-control-allow-methods").contains("POST"));
    assert!(reply.header("access-control-allow-headers").contains("content-type"));

    let json = ("content-type", "application/json");
    let reply = send(&service, "POST", &[json, ("origin", PAGE)], play("a").as_bytes());
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, PAGE));
    // Errors can be read by the page, too.
    let reply = send(&service, "POST", &[json, ("origin", PAGE)], b"{");
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (400, PAGE));

    for other in ["https://app.example.evil.example", "http://app.example", "https://app.example:444", "null"]
    {
        let asked = [("origin", other), ("access-control-request-method", "POST")];
        let reply = send(&service, "OPTIONS", &asked, b"");
        assert_eq!((reply.status, reply.header("access-control-allow-origin")), (405, ""), "{other}");
        assert_eq!(reply.header("vary"), "origin", "whoever caches must know");
    }
    let none = Service::start();
    let reply = send(&none, "OPTIONS", &ask_before, b"");
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (405, ""), "off by default");
}

#[test]
fn a_beacon_is_looked_into_and_taken_from_named_pages_and_from_whoever_is_no_browser() {
    let service = Service::start_with(|config| config.http.cors_origins = PAGE.to_owned(), |ports| ports);
    let text = ("content-type", "text/plain;charset=UTF-8");
    let array = format!("[{},{}]", play("a"), play("b"));
    let pretty = play("c").replace(',', ",\n  ");
    let lines = format!("{}\n{}", play("d"), play("e"));
    for (body, accepted) in [(array, 2), (pretty, 1), (lines, 2)] {
        let reply = send(&service, "POST", &[text, ("origin", PAGE)], body.as_bytes());
        assert_eq!(
            (reply.status, reply.json()["accepted"].as_u64()),
            (200, Some(accepted)),
            "{}",
            reply.text
        );
    }
    assert_eq!(
        send(&service, "POST", &[], play("f").as_bytes()).json()["accepted"],
        1,
        "a blob without a type"
    );
    let own = format!("http://{}", service.http);
    assert_eq!(send(&service, "POST", &[text, ("origin", &own)], play("g").as_bytes()).status, 200);

    let reply = send(&service, "POST", &[text, ("origin", "https://evil.example")], play("h").as_bytes());
    assert_eq!((reply.status, reply.json()["type"].as_str()), (403, Some("/problems/origin-not-allowed")));
    assert!(reply.text.contains("http.cors_origins"), "{}", reply.text);
    let form = ("content-type", "application/x-www-form-urlencoded");
    assert_eq!(send(&service, "POST", &[form], play("i").as_bytes()).status, 415);
}

#[test]
fn what_is_no_object_is_refused_as_what_it_is() {
    let service = Service::start();
    let array = r#"["e1","play","ana","heist","2026-03-01T20:15:00Z"]"#;
    let reply = service.send("POST", EVENTS, "application/x-ndjson", Some(array.as_bytes()));
    let result = &reply.json()["results"][0];
    assert_eq!(
        (result["status"].as_str(), result["reason"].as_str()),
        (Some("rejected"), Some("malformed-json"))
    );
    assert!(
        result["detail"].as_str().is_some_and(|detail| detail.contains("an event is an array")),
        "{result}"
    );
    let reply = service.send("POST", EVENTS, "application/json", Some(format!("[{array}]").as_bytes()));
    assert_eq!(reply.json()["rejected"], 1, "{}", reply.text);
    let reply = service.send("POST", "/v1/titles", "application/x-ndjson", Some(br#"["t1","Heist"]"#));
    assert_eq!(reply.json()["results"][0]["reason"], "malformed-json", "{}", reply.text);
    let reply = service.send("PUT", "/v1/titles/t1", "application/json", Some(br#"["t1","Heist"]"#));
    assert_eq!(reply.status, 400);
    assert!(reply.text.contains("a title is an array"), "{}", reply.text);
}

#[test]
fn a_character_that_had_to_be_encoded_is_named_in_a_problem_document() {
    use std::io::{Read, Write};
    let service = Service::start();
    let ask = |request: &str| {
        let mut stream = std::net::TcpStream::connect(service.http).expect("connected");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (head.to_owned(), serde_json::from_str::<serde_json::Value>(body).unwrap_or_default())
    };
    let (head, problem) = ask("GET /v1/trending?filter=title.year>1990 HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 400 Bad Request"), "{head}");
    assert!(head.contains("content-type: application/problem+json"), "{head}");
    assert_eq!(problem["type"], "/problems/malformed-request");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("%3E")), "{problem}");
    // What can be read is answered as ever, also behind another request on the same connection.
    let two = "GET /v1/experiments HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let (head, _) = ask(&format!("{two}{}", two.replace("host", "connection: close\r\nhost")));
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let (head, problem) = ask("\u{16}\u{3}\u{1}\u{2}\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 400") && problem["type"] == "/problems/malformed-request", "{head}");
}

/// What comes of a request as it stands, until the connection ends.
fn raw(service: &Service, request: &[u8]) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(service.http).expect("connected");
    // It may be answered and closed before its end.
    let _refused = stream.write_all(request);
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_page_that_points_a_name_at_this_machine_gets_nothing_where_no_keys_are_asked_for() {
    let names = |config: &mut nearline_config::Config| config.http.hosts = "nearline.test".to_owned();
    let service = Service::start_with(names, |ports| ports);
    let ask = |host: &str| {
        raw(&service, format!("GET /v1/members/ana HTTP/1.1\r\n{host}connection: close\r\n\r\n").as_bytes())
    };
    for host in
        ["host: localhost:7700\r\n", "host: 127.0.0.1\r\n", "host: [::1]:1\r\n", "host: nearline.test:80\r\n"]
    {
        assert!(ask(host).starts_with("HTTP/1.1 200"), "{host}: {}", ask(host));
    }
    let refused = ask("host: evil.example:7700\r\norigin: http://evil.example:7700\r\n");
    assert!(refused.starts_with("HTTP/1.1 403") && refused.contains("/problems/foreign-origin"), "{refused}");
    assert!(refused.contains("http.hosts"), "{refused}");
}

#[test]
fn a_head_that_is_too_large_or_comes_in_parts_is_told_as_what_it_is() {
    use std::io::{Read, Write};
    let service = Service::start();
    let many: String = (0..300).map(|at| format!("x-{at}: {at}\r\n")).collect();
    let large = format!("x-large: {}\r\n", "x".repeat(200_000));
    for (headers, may_reset) in [(many, false), (large, true)] {
        let answer = raw(
            &service,
            format!("GET /v1/trending HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n").as_bytes(),
        );
        // Of what is far too large the rest may reset the connection before the answer is read.
        assert!(
            (answer.is_empty() && may_reset)
                || answer.starts_with("HTTP/1.1 431") && answer.contains("/problems/head-too-large"),
            "{answer}"
        );
    }
    let mut stream = std::net::TcpStream::connect(service.http).expect("connected");
    stream.set_nodelay(true).expect("set");
    stream.write_all(b"GET /v1/trending HTTP/1.1\r\n").expect("sent");
    // Read by itself: what comes next is another segment.
    std::thread::sleep(std::time::Duration::from_millis(100));
    stream.write_all(b"Bad header line\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400") && !answer.contains("percent-encoded"), "{answer}");
}

#[test]
fn whoever_reads_nothing_takes_little_room_and_is_given_up() {
    use std::io::Write;
    let service = Service::start_with(|config| config.http.keep_alive_seconds = 1, |ports| ports);
    let mut stalled = std::net::TcpStream::connect(service.http).expect("connected");
    let request = "GET /v1/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(1_000);
    stalled.write_all(request.as_bytes()).expect("sent");
    service.until("it is given up", || {
        let metrics = service.ask(service.admin, "/metrics").text;
        let line =
            metrics.lines().find(|line| line.starts_with("nearline_http_stalled_connections_total "))?;
        line.ends_with(" 1").then_some(())
    });
}

#[test]
fn stalled_bodies_take_no_more_than_their_room_and_leave_it_when_they_are_gone() {
    use std::io::Write;
    let service = Service::start_with(
        |config| {
            config.http.max_body_bytes = 1_000_000;
            config.http.max_bodies_bytes = 2_500_000;
        },
        |ports| ports,
    );
    let json = ("content-type", "application/x-ndjson");
    let used = || {
        let metrics = service.ask(service.admin, "/metrics").text;
        let line =
            metrics.lines().find(|line| line.starts_with("nearline_memory_bytes{kind=\"request_bodies\"}"));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).expect("it is told")
    };
    let stalled: Vec<_> = (0..40)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(service.http).expect("connected");
            let head = "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\ncontent-length: 900000\r\n\r\n";
            stream.write_all(head.as_bytes()).expect("sent");
            // The refused ones may be closed while it is sent.
            let _refused = stream.write_all(&vec![b' '; 300_000]);
            stream
        })
        .collect();
    let refused = service.until("the room is full", || {
        let reply = send(&service, "POST", &[json], &vec![b' '; 900_000]);
        (reply.status == 429 && reply.json()["type"] == "/problems/too-many-bodies").then_some(reply)
    });
    assert_eq!(refused.header("retry-after"), "1");
    assert!((1_000_000.0..=2_500_000.0).contains(&used()), "{}", used());
    drop(stalled);
    service.until("the room is free", || (used() == 0.0).then_some(()));
    let lines = format!("{}\n", play("a"));
    assert_eq!(send(&service, "POST", &[json], lines.as_bytes()).json()["accepted"], 1);
}
