//! The engine inside another program: no server, no network, one directory.
//!
//! `cargo run --example embed`

use nearline_actors::{Engine, EngineSettings, Question};
use nearline_backends::embedded::{EmbeddedSettings, open};
use nearline_model::Title;
use nearline_ports::publish::{Published, publish};
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    // The engine's actors run inside an actix system.
    for name in actix_rt::System::new().block_on(what_ana_is_offered(directory.path()))? {
        println!("{name}");
    }
    Ok(())
}

/// Publishes what four members watched, waits until the engine knows it, and asks what `ana` may like next.
///
/// In the same directory again it goes on from what is there.
pub async fn what_ana_is_offered(directory: &Path) -> anyhow::Result<Vec<String>> {
    let ports = open(EmbeddedSettings { partitions: 4, ..EmbeddedSettings::in_directory(directory) })?;
    let settings = EngineSettings::default();
    let event_bytes = settings.fold.event_bytes;
    let engine = Engine::start(ports, settings).await?;

    let title =
        |(id, name): (&str, &str)| Title { id: id.into(), name: Some(name.into()), ..Title::default() };
    let titles = [("t1", "Metropolis"), ("t2", "Nosferatu"), ("t3", "The General"), ("t4", "Sunrise")];
    engine.put_titles(titles.map(title).to_vec()).await?;

    let watched = [("ben", ["t1", "t2", "t4"]), ("cleo", ["t1", "t2", "t4"]), ("dora", ["t1", "t3", "t2"])];
    let mut plays: Vec<String> = Vec::new();
    for (member, titles) in watched {
        plays.extend(titles.map(|title| play(member, title)));
    }
    plays.push(play("ana", "t1"));
    let payloads = plays.into_iter().map(Into::into).collect();
    for outcome in publish(&*engine.ports().log, payloads, event_bytes).await {
        match outcome {
            Published::Accepted(_) | Published::Duplicate(_) => {}
            Published::Conflict(_) => anyhow::bail!("another event has this id"),
            Published::Rejected(reject) => return Err(reject.into()),
            // It may be stored or not: publish it again under the same id.
            Published::Unavailable(error) => return Err(error.into()),
        }
    }

    // A question may also name the position that publishing gave (`after`) instead of waiting for everything.
    engine.caught_up().await?;
    let question = Question { member: "ana".into(), limit: 3, ..Question::default() };
    let answer = engine.recommend(&question).await?;
    engine.stop().await;
    let offered = answer.offered.into_iter();
    Ok(offered.filter_map(|title| title.known.and_then(|known| known.name.clone())).collect())
}

fn play(member: &str, title: &str) -> String {
    let id = format!("{member}-{title}");
    format!(
        r#"{{"id":"{id}","type":"play","member":"{member}","title":"{title}","at":"2026-03-01T20:15:00Z"}}"#
    )
}
