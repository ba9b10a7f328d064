//! A catalogue that comes late: what may be shown in a country cannot be told until it is there.

use crate::running::Service;
use async_trait::async_trait;
use nearline_model::Title;
use nearline_model::catalogue::CatalogueEntry;
use nearline_ports::{CatalogueStore, PortError, Ports};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// The catalogue behind it, once the gate opens.
struct Late {
    behind: Arc<dyn CatalogueStore>,
    is_open: watch::Receiver<bool>,
}

#[async_trait]
impl CatalogueStore for Late {
    async fn put(&self, titles: Vec<Title>) -> Result<Vec<u64>, PortError> {
        self.behind.put(titles).await
    }

    async fn replace(&self, title: Title, revision: u64) -> Result<Option<u64>, PortError> {
        self.behind.replace(title, revision).await
    }

    async fn watch(&self) -> Result<mpsc::Receiver<Vec<CatalogueEntry>>, PortError> {
        let (sender, titles) = mpsc::channel(16);
        let (behind, mut is_open) = (self.behind.clone(), self.is_open.clone());
        actix_rt::spawn(async move {
            if is_open.wait_for(|open| *open).await.is_err() {
                return;
            }
            let Ok(mut batches) = behind.watch().await else { return };
            while let Some(batch) = batches.recv().await {
                if sender.send(batch).await.is_err() {
                    return;
                }
            }
        });
        Ok(titles)
    }
}

fn titles(answer: &Value) -> Vec<&str> {
    let titles = answer["titles"].as_array().expect("titles");
    titles.iter().map(|title| title["title"].as_str().expect("an id")).collect()
}

#[test]
fn until_the_catalogue_has_come_a_node_is_not_ready_and_offers_nothing_in_a_country() {
    let (open, is_open) = watch::channel(false);
    let late = move |ports: Ports| {
        let catalogue = Arc::new(Late { behind: ports.catalogue.clone(), is_open });
        Ports { catalogue, ..ports }
    };
    let service = Service::start_unready(|config| config.engine.catalogue_wait_ms = 1, late);
    let ids = [("t1", json!(["US"])), ("t2", json!([]))];
    let stored: Vec<Title> = ids
        .iter()
        .map(|(id, countries)| {
            serde_json::from_value(json!({"id": id, "countries": countries})).expect("a title")
        })
        .collect();
    // Straight into the store, as another node put them earlier.
    let put = service.ports.catalogue.clone();
    actix_rt::System::new().block_on(async move { put.put(stored).await }).expect("stored");
    for (number, (title, _)) in ids.iter().enumerate() {
        let event = json!({"id": format!("e{number}"), "type": "play", "member": "ana", "title": title,
            "at": "2026-03-01T20:15:00Z"});
        let body = event.to_string();
        let reply = service.send("POST", "/v1/events", "application/json", Some(body.as_bytes()));
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
    service.until("both plays trend", || {
        let trending = service.get("/v1/trending").json();
        (titles(&trending).len() == 2).then_some(())
    });
    let in_brazil = [
        "/v1/trending?country=BR",
        "/v1/members/bob/recommendations?country=BR",
        "/v1/titles/t1/similar?country=BR",
    ];
    for path in in_brazil {
        assert_eq!(titles(&service.get(path).json()), [""; 0], "{path}: t1 may be shown in the US alone");
    }
    assert_eq!(service.get("/v1/members/bob/home?country=BR").json()["rows"], json!([]));
    let readiness = service.ask(service.admin, "/readyz");
    assert_eq!(readiness.status, 503);
    assert!(readiness.text.contains("catalogue"), "{}", readiness.text);
    open.send(true).expect("the engine watches");
    service.until("t2 alone trends in Brazil", || {
        (titles(&service.get("/v1/trending?country=BR").json()) == ["t2"]).then_some(())
    });
    service.until("it is ready", || (service.ask(service.admin, "/readyz").status == 200).then_some(()));
}
