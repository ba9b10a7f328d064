//! A publisher with nothing but nats-py: what it publishes is folded.

use crate::bed::{Bed, DEADLINE, run};
use nearline_actors::{EngineSettings, Source};
use nearline_model::Position;
use std::io::Write;
use std::process::{Command, Output, Stdio};

const EVENTS: &str = r#"{"id":"py-1","type":"impression","member":"ada","title":"t1","at":"2026-03-01T20:15:00Z","request":"r1","position":0}
{"id":"py-2","type":"play","member":"ada","title":"t1","at":"2026-03-01T20:15:10+00:00","request":"r1"}
{"id":"py-3","type":"play","member":"ada","title":"t2","at":"2026-03-01T22:15:10+01:00","anything":["else"]}
{"id":"py-3","type":"play","member":"ada","title":"t2","at":"2026-03-01T22:15:10+01:00"}
{"id":"py-4","type":"rating","member":"ada","title":"t2","at":"2026-03-01T21:20:00Z","value":4.5}
{"id":"py-5","type":"play","member":"grace","title":"t3","at":"2026-03-01T21:30:00Z"}
{"id":"py-6","type":"thumb","member":"grace","title":"t3","at":"2026-03-01T21:31:00Z","value":7}
"#;

fn publish(url: &str) -> Output {
    let python = std::env::var("NEARLINE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let importable = Command::new(&python).args(["-c", "import nats"]).output();
    assert!(
        importable.is_ok_and(|output| output.status.success()),
        "{python} cannot import nats (nats-py): run the tests with `tests/run`, which installs it, or name a \
         Python that has it in NEARLINE_PYTHON"
    );
    let mut child = Command::new(python)
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/examples/publish.py"), url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python starts");
    child.stdin.take().expect("piped").write_all(EVENTS.as_bytes()).expect("the script reads");
    child.wait_with_output().expect("the script ends")
}

#[test]
fn what_a_stock_nats_client_publishes_is_folded() {
    run(async {
        let bed = Bed::cluster().await;
        let settings = EngineSettings::default();
        let engine = bed.engine(settings.clone()).await;
        let url = bed.servers.as_ref().expect("servers").0.url();
        let output = publish(&url);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let outcomes: Vec<&str> = said.lines().filter_map(|line| line.split(' ').nth(1)).collect();
        let accepted = ["accepted"; 7].map(String::from);
        let mut expected = accepted.to_vec();
        expected[3] = "duplicate".to_owned();
        assert_eq!(outcomes, expected, "{said}");

        tokio::time::timeout(DEADLINE, engine.caught_up()).await.expect("in time").expect("the log answers");
        let ada = engine.member("ada", true, None).await.expect("answered");
        assert_eq!(ada.source, Source::Live);
        let ada = ada.snapshot.expect("known");
        let history: Vec<&str> = ada.history.iter().map(|watched| &*watched.title).collect();
        assert_eq!(history, ["t1", "t2"]);
        assert_eq!(ada.opinions[0].rating, Some(4.5));
        assert_eq!(ada.newest_at.as_deref(), Some("2026-03-01T21:20:00.000Z"));
        let grace = engine.member("grace", true, None).await.expect("answered").snapshot.expect("known");
        assert_eq!((grace.history.len(), grace.opinions.len()), (1, 0));
        let letters = bed.ports.dead_letters.list(Position::START, 10).await.expect("listed");
        assert_eq!(letters.len(), 1, "{letters:?}");
        assert!(letters[0].detail.contains("expected -1, 1 or 2"), "{}", letters[0].detail);
        bed.assert_state_is_fold_of_log(&engine, &settings).await;
        engine.stop().await;
    });
}
