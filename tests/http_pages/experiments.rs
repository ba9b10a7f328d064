use crate::events::{event, publish};
use crate::running::Service;
use nearline::config::Config;
use serde_json::json;

fn with_experiment(config: &mut Config) {
    let text = "[[experiments]]\nname = 'rows'\nsalt = 'one'\n\
                variants = [{name = 'control', weight = 1}, {name = 'bold', weight = 1}]\n";
    let file: toml::Table = toml::from_str(text).expect("TOML");
    config.experiments = file["experiments"].clone().try_into().expect("experiments");
}

#[test]
fn members_are_dealt_and_their_recommendations_say_to_which_variant() {
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
            assert!(id.ends_with(&format!("-x-rows-{name}")) && id.len() <= 64, "{id}");
        }
        dealt[usize::from(name == "bold")] += 1;
        // The id can be sent back.
        let mut shown = event(&format!("e-{member}"), "impression", &format!("m{member}"), "t1", 1);
        shown["request"] = answers[0]["recommendation_id"].clone();
        publish(&service, &[shown]);
    }
    let experiment = service.get("/v1/experiments/rows").json();
    let variants = experiment["variants"].as_array().expect("variants");
    assert_eq!((&variants[0]["name"], &variants[1]["name"]), (&json!("control"), &json!("bold")));
    assert_eq!(variants[1]["share"], 0.5);
    for (variant, dealt) in variants.iter().zip(dealt) {
        assert_eq!(variant["sampled_members"], dealt, "each member counts once");
    }
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
