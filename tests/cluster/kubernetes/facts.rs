//! What of the manifests must agree with the program, and with itself.

use super::rendered::{
    OVERLAYS, Rendered, engine, made_secrets, made_secrets_text, name_of, overlay, repository, text_of,
    validated, validated_overlay,
};
use nearline_config::{Config, Scope};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;

fn port_of(address: &str) -> u16 {
    address.parse::<SocketAddr>().expect("an address").port()
}

#[test]
fn what_the_schema_does_not_know_is_refused() {
    let unknown = "apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { port: 80 }\n";
    let why = validated(unknown.as_bytes()).expect_err("refused");
    assert!(why.contains("Service/a") && why.contains("port"), "{why}");
}

#[test]
fn every_overlay_and_its_secrets_are_valid_for_the_oldest_and_the_newest_kubernetes() {
    for name in OVERLAYS {
        let overlay = validated_overlay(name).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(!overlay.all().is_empty(), "{name}");
    }
    let secrets = validated(&made_secrets_text()).unwrap_or_else(|why| panic!("make-secrets: {why}"));
    assert!(!secrets.all().is_empty());
}

#[test]
fn every_pod_is_restricted_has_no_token_and_says_what_it_needs() {
    for name in OVERLAYS {
        for (maker, pod) in overlay(name).pods() {
            let spec = &pod["spec"];
            let of = |what: &str| format!("{name}: {maker}: {what}");
            assert_eq!(spec["automountServiceAccountToken"], false, "{}", of("token"));
            assert_eq!(spec["enableServiceLinks"], false, "{}", of("links"));
            assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{}", of("root"));
            assert_eq!(
                spec["securityContext"]["seccompProfile"]["type"],
                "RuntimeDefault",
                "{}",
                of("seccomp")
            );
            for container in spec["containers"].as_array().expect("containers") {
                let context = &container["securityContext"];
                assert_eq!(context["allowPrivilegeEscalation"], false, "{}", of("escalation"));
                assert_eq!(context["readOnlyRootFilesystem"], true, "{}", of("root file system"));
                assert_eq!(context["capabilities"]["drop"], json!(["ALL"]), "{}", of("capabilities"));
                let resources = &container["resources"];
                assert!(
                    resources["requests"]["cpu"].is_string() && resources["limits"]["memory"].is_string()
                );
                assert_eq!(resources["limits"]["cpu"], Value::Null, "{}: throttled", of("CPU"));
                let image = container["image"].as_str().expect("an image");
                let tag = image.rsplit_once(':').map(|(_, tag)| tag).expect("a tag");
                assert!(!["latest", ""].contains(&tag), "{}", of(image));
            }
        }
        let rendered = overlay(name);
        let namespace = rendered.of_kind("Namespace").next().expect("a namespace of its own");
        assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
    }
}

#[test]
fn ports_are_the_configurations_defaults() {
    let defaults = Config::default();
    let (http, admin) = (port_of(&defaults.http.address), port_of(&defaults.admin.address));
    for name in ["dev", "production"] {
        let rendered = overlay(name);
        let ports = json!([
            { "name": "http", "containerPort": http }, { "name": "admin", "containerPort": admin }
        ]);
        assert_eq!(engine(&rendered)["ports"], ports, "{name}");
        let nodes = rendered.get("Service", "nearline-nodes")["spec"]["ports"].as_array().expect("ports");
        let numbers: Vec<u64> = nodes.iter().filter_map(|port| port["port"].as_u64()).collect();
        assert_eq!(numbers, [u64::from(http), u64::from(admin)], "{name}");
        let environment = rendered.environment("nearline-0", &rendered_or_made(name));
        assert_eq!(port_of(&environment["NEARLINE__HTTP__ADDRESS"]), http);
        assert_eq!(port_of(&environment["NEARLINE__ADMIN__ADDRESS"]), admin);
        assert_eq!(environment["NEARLINE__NODE__ADVERTISE"], format!("nearline-0.nearline-nodes:{http}"));
    }
    let template = overlay("production");
    let template = &template.get("StatefulSet", "nearline")["spec"]["template"];
    assert_eq!(template["metadata"]["annotations"]["prometheus.io/port"], admin.to_string());
}

/// Where the Secrets of an overlay come from.
fn rendered_or_made(name: &str) -> Rendered {
    if name == "production" { made_secrets() } else { overlay(name) }
}

/// What a container of the fourth pod is configured as.
fn configuration(rendered: &Rendered, container: &Value, secrets: &Rendered) -> Config {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("nearline.toml");
    let text = rendered.get("ConfigMap", "nearline-config")["data"]["nearline.toml"].as_str();
    std::fs::write(&file, text.expect("the file")).expect("written");
    let environment = rendered.environment_of(container, "nearline-3", secrets);
    assert_eq!(environment["NEARLINE_CONFIG"], "/etc/nearline/nearline.toml");
    Config::load(Some(&file), environment.into_iter()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_mounted_file_and_the_environment_are_a_configuration_of_the_cluster_backend() {
    for name in ["dev", "production"] {
        let rendered = overlay(name);
        let config = configuration(&rendered, engine(&rendered), &rendered_or_made(name));
        assert_eq!(config.backend.kind, nearline_config::BackendKind::Cluster);
        assert_eq!(config.node.name, "nearline-3");
        if name == "production" {
            let most = rendered.get("HorizontalPodAutoscaler", "nearline")["spec"]["maxReplicas"].as_u64();
            let partitions = u64::from(config.engine.partitions);
            assert!(
                most.is_some_and(|most| most * 2 <= partitions),
                "a node without two partitions is of no use"
            );
            assert_eq!((config.nats.replicas, config.redis.cluster), (3, true));
            let nats = text_of("k8s/overlays/production/nats-cluster.conf");
            let mapped = format!("nearline.log.{{{{partition({partitions},1)}}}}");
            assert!(nats.contains(&mapped), "NATS leads events to other partitions than these");
        }
    }
}

#[test]
fn the_archiver_reads_the_log_and_the_facts_that_the_engine_writes() {
    for name in ["dev", "production"] {
        let rendered = overlay(name);
        // Once: each time they are made, passwords are others.
        let secrets = rendered_or_made(name);
        let load = |container: &Value| configuration(&rendered, container, &secrets);
        let job = &rendered.get("CronJob", "nearline-archiver")["spec"]["jobTemplate"]["spec"]["template"];
        let container = &job["spec"]["containers"][0];
        let (engine, archiver) = (load(engine(&rendered)), load(container));
        assert!(engine.facts.capture, "{name}: nothing would be there to archive");
        assert_eq!(engine.engine.partitions, archiver.engine.partitions, "{name}");
        assert_eq!(engine.nats, archiver.nats, "{name}");
        assert_eq!(engine.redis, archiver.redis, "{name}");
        let arguments: Vec<&str> =
            container["args"].as_array().expect("arguments").iter().filter_map(Value::as_str).collect();
        let claim = &rendered.get("PersistentVolumeClaim", "nearline-archive");
        assert_eq!(name_of(claim), "nearline-archive");
        for mounted in [arguments[2], arguments[4]] {
            assert!(mounted.starts_with("/archive/"), "{name}: {mounted} is on no volume");
        }
    }
}

#[test]
fn a_pod_has_the_time_that_stopping_in_order_may_take() {
    // `STOP_DEADLINE` of the engine: for the hand-over, and for the last commits and the snapshot.
    let source = text_of("actors/src/engine.rs");
    let line = source.lines().find(|line| line.contains("const STOP_DEADLINE")).expect("a deadline");
    let seconds: String = line.chars().skip_while(|sign| *sign != '(').filter(char::is_ascii_digit).collect();
    let engine_stops: u64 = seconds.parse().expect("seconds");
    let defaults = Config::default();
    let lease = defaults.node.lease_ms.div_ceil(1_000);
    for name in ["dev", "production"] {
        let rendered = overlay(name);
        let set = rendered.get("StatefulSet", "nearline");
        let pause = engine(&rendered)["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().expect("a pause");
        let grace =
            set["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64().expect("a grace");
        let needed = pause + engine_stops + defaults.http.shutdown_seconds + 1 + 2 * engine_stops + lease;
        assert!(grace >= needed, "{name}: {grace} s, and stopping may take {needed} s");
        assert!(set["spec"]["minReadySeconds"].as_u64() > Some(lease), "{name}: a lease is waited for");
    }
}

#[test]
fn how_many_engines_there_are_is_said_by_the_autoscaler_alone_where_there_is_one() {
    for name in OVERLAYS {
        let rendered = overlay(name);
        for autoscaler in rendered.of_kind("HorizontalPodAutoscaler") {
            let target = &autoscaler["spec"]["scaleTargetRef"];
            let [kind, scaled] = ["kind", "name"].map(|key| target[key].as_str().expect("a target"));
            let spec = &rendered.get(kind, scaled)["spec"];
            assert!(spec["replicas"].is_null(), "{name}: each `apply` sets {kind}/{scaled} to {spec}");
        }
    }
    let production = overlay("production");
    assert_eq!(production.get("HorizontalPodAutoscaler", "nearline")["spec"]["minReplicas"], 6);
}

#[test]
fn there_is_a_key_for_every_scope() {
    let keys = &made_secrets().secret("nearline-callers");
    let named: BTreeSet<&str> = keys.keys().map(String::as_str).collect();
    let scopes = Scope::ALL.map(Scope::name);
    assert_eq!(named, BTreeSet::from(scopes));
}

#[test]
fn probes_are_for_what_each_of_them_is_there_for() {
    for name in ["dev", "production"] {
        let rendered = overlay(name);
        let container = engine(&rendered);
        for (probe, path) in
            [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")]
        {
            assert_eq!(
                container[probe]["httpGet"],
                json!({ "path": path, "port": "admin" }),
                "{name}: {probe}"
            );
        }
        let budget = rendered.get("PodDisruptionBudget", "nearline");
        assert_eq!(budget["spec"]["maxUnavailable"], 1, "{name}");
    }
}

#[test]
fn no_secret_is_in_a_config_map_nor_in_the_production_overlay() {
    for name in OVERLAYS {
        let rendered = overlay(name);
        for map in rendered.of_kind("ConfigMap") {
            for (key, value) in map["data"].as_object().expect("files") {
                let of = format!("{name}: {}/{key}", name_of(map));
                let lines = value.as_str().expect("text").lines().map(str::trim);
                for line in lines.filter(|line| !line.starts_with('#') && !line.starts_with("//")) {
                    let url = line.split_once("://").and_then(|(_, rest)| rest.split(['"', ' ', ',']).next());
                    assert!(!url.is_some_and(|rest| rest.contains('@')), "{of}: {line}");
                    assert!(
                        !line.contains("PRIVATE KEY") && !line.starts_with("requirepass"),
                        "{of}: {line}"
                    );
                    let password = line.split_once("password:").map(|(_, rest)| rest.trim());
                    assert!(password.is_none_or(|value| value.starts_with('$')), "{of}: {line}");
                }
            }
        }
        let secrets: Vec<&str> = rendered.of_kind("Secret").map(name_of).collect();
        assert_eq!(secrets.len(), usize::from(name == "dev"), "{name}: {secrets:?}");
    }
    let dev = overlay("dev");
    assert!(dev.secret("nearline-servers").values().all(|url| !url.contains('@')), "no password to leak");
}

#[test]
fn what_the_production_overlay_refers_to_is_there_or_made_beforehand() {
    let (rendered, made) = (overlay("production"), made_secrets());
    let names = |kind: &'static str| -> BTreeSet<String> {
        let all = rendered.of_kind(kind).chain(made.of_kind(kind));
        all.map(|object| name_of(object).to_owned()).collect()
    };
    let (maps, secrets) = (names("ConfigMap"), names("Secret"));
    let mut referred = Vec::new();
    rendered.all().iter().for_each(|object| references(object, &mut referred));
    assert!(referred.len() > 10, "{referred:?}");
    for (kind, name) in referred {
        let known = if kind == "configMap" { &maps } else { &secrets };
        assert!(known.contains(&name), "{kind} {name} is nowhere");
    }
    let services = rendered.of_kind("Service");
    for service in services {
        let selector = service["spec"]["selector"].as_object().expect("a selector");
        let selects =
            |pod: &Value| selector.iter().all(|(label, value)| &pod["metadata"]["labels"][label] == value);
        assert!(rendered.pods().iter().any(|(_, pod)| selects(pod)), "{} selects nothing", name_of(service));
    }
}

fn references(value: &Value, found: &mut Vec<(&'static str, String)>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        Value::Object(map) => {
            let name = |value: &Value, key: &str| value[key].as_str().map(str::to_owned);
            for (key, value) in map {
                let reference = match key.as_str() {
                    "configMap" => name(value, "name").map(|name| ("configMap", name)),
                    "secret" => name(value, "secretName").map(|name| ("secret", name)),
                    "secretKeyRef" => name(value, "name").map(|name| ("secret", name)),
                    _ => None,
                };
                found.extend(reference);
                references(value, found);
            }
        }
        _ => {}
    }
}

#[test]
fn images_are_of_the_versions_that_are_tested() {
    let tested = text_of("tests/run");
    let nats = tested.lines().find_map(|line| line.strip_prefix("readonly nats_server_version="));
    let nats = format!("nats:{}", nats.expect("a version"));
    for name in OVERLAYS {
        let rendered = overlay(name);
        for (maker, pod) in rendered.pods() {
            let image = pod["spec"]["containers"][0]["image"].as_str().expect("an image").to_owned();
            let expected = match maker {
                "nats" => nats.clone(),
                "nearline" => format!("nearline:{}", env!("CARGO_PKG_VERSION")),
                "chaos" => format!("nearline-chaos:{}", env!("CARGO_PKG_VERSION")),
                "nearline-archiver" | "nearline-tidy" => {
                    format!("nearline-lab:{}", env!("CARGO_PKG_VERSION"))
                }
                _ => "redis:7.2".to_owned(),
            };
            assert_eq!(image, expected, "{name}: {maker}");
        }
    }
}

#[test]
fn the_job_of_the_harness_has_every_plan_and_runs_one_of_them() {
    let rendered = overlay("chaos");
    let plans = rendered.get("ConfigMap", "chaos-plans")["data"].as_object().expect("plans").clone();
    let files = std::fs::read_dir(repository("config/chaos")).expect("a folder").flatten();
    let files = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let there: BTreeSet<String> = files.filter(|name| name.ends_with(".toml")).collect();
    assert_eq!(plans.keys().cloned().collect::<BTreeSet<_>>(), there);
    let job = rendered.get("Job", "chaos");
    assert_eq!(job["spec"]["backoffLimit"], 0, "a run that failed is not tried again");
    let arguments = &job["spec"]["template"]["spec"]["containers"][0]["args"];
    let plan = arguments[1].as_str().and_then(|path| path.strip_prefix("/plans/")).expect("a plan");
    assert!(arguments[0] == "run" && plans.contains_key(plan), "{arguments}");
}
