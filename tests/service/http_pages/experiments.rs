use super::events::{event, publish};
use crate::running::Service;
use nearline_config::Config;
use serde_json::json;

fn with_experiment(config: &mut Config) {
    let text = "[[experiments]]\nname = 'rows'\nsalt = 'one'\n\
                variants = [{name = 'control', weight = 1}, {name = 'bold', weight = 1}]\n";
    let file: toml::Table = toml::from_str(text).expect("TOML");
    config.experiments = file["experiments"].clone().try_into().expect("experiments");
}

#[test]
fn members_are_dealt_to_variants_whose_takes_are_counted_by_their_recommendation_ids() {
    let service = Service::start_with(with_experiment, |ports| ports);
    let mut dealt = [0_u64; 2];
    for member in 0..60 {
        let paths = [format!("/v1/members/m{member}/recommendations"), format!("/v1/members/m{member}/home")];
        let answers = paths.map(|path| service.get(&path).json());
        let variant = &answers[0]["variant"];
        assert_eq!((variant, &variant["experiment"]), (&answers[1]["variant"], &json!("rows")));
        let name = variant["variant"].as_str().expect("a variant");
        for answer in &answers {
            let id = answer["recommendation_id"].as_str().expect("an id");
            assert!(id.contains(&format!("-x-rows-{name}-")) && id.len() <= 64, "{id}");
        }
        dealt[usize::from(name == "bold")] += 1;
        // The id is sent back: everybody was shown a title, and who got `bold` played it.
        let mut events = vec![event(&format!("i-{member}"), "impression", &format!("m{member}"), "t1", 1)];
        if name == "bold" {
            events.push(event(&format!("p-{member}"), "play", &format!("m{member}"), "t1", 2));
        }
        for event in &mut events {
            event["request"] = answers[0]["recommendation_id"].clone();
        }
        publish(&service, &events);
    }
    let experiment = service.until("everything is counted", || {
        let experiment = service.get("/v1/experiments/rows").json();
        let count =
            |what: &str| -> u64 { (0..2).filter_map(|n| experiment["variants"][n][what].as_u64()).sum() };
        (count("impressions") == 60 && count("attributed_plays") == dealt[1]).then_some(experiment)
    });
    let variants = experiment["variants"].as_array().expect("variants");
    assert_eq!((&variants[0]["name"], &variants[1]["name"]), (&json!("control"), &json!("bold")));
    assert_eq!(variants[1]["share"], 0.5);
    for (variant, dealt) in variants.iter().zip(dealt) {
        assert_eq!(variant["sampled_members"], dealt, "each member counts once");
    }
    assert_eq!((&variants[0]["take_rate"], &variants[1]["take_rate"]), (&json!(0.0), &json!(1.0)));
    assert_eq!(variants[1]["difference"]["take_rate"], 1.0);
    assert!(variants[1]["difference"]["p_value"].as_f64().expect("a p-value") < 1e-6, "{experiment}");
    assert_eq!(experiment["sample_ratio"]["mismatch"], false, "{experiment}");
    assert_eq!(service.get("/v1/experiments").json()["experiments"], json!([experiment]));
}

#[test]
fn without_experiments_nothing_is_said_of_them() {
    let service = Service::start();
    let answer = service.get("/v1/members/ana/recommendations").json();
    assert!(answer.get("variant").is_none());
    assert_eq!(service.get("/v1/experiments").json(), json!({"experiments": []}));
}
