//! Overlays as Kubernetes would get them.

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub const OVERLAYS: [&str; 3] = ["dev", "production", "chaos"];

pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub fn text_of(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Objects by kind and name, without the hashes that Kustomize adds to names.
#[derive(Debug)]
pub struct Rendered(Vec<Value>);

/// Whether objects are held against Kubernetes' schemas as well: once for each overlay is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Schemas {
    Held,
    LeftOut,
}

/// Renders; the text on standard input where `folder` is `-`.
fn render(folder: &str, input: &[u8], schemas: Schemas) -> Result<Rendered, String> {
    let python = std::env::var("NEARLINE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut child = Command::new(&python)
        .arg(repository("tests/cluster/kubernetes/render.py"))
        .arg(folder)
        .args((schemas == Schemas::Held).then_some("--validate"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{python} (NEARLINE_PYTHON): {error}"));
    child.stdin.take().expect("piped").write_all(input).expect("the script reads");
    let output = child.wait_with_output().expect("the script ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !said.contains("ModuleNotFoundError"),
        "{python} lacks a package: run the tests with `tests/run`, which installs it, or name a Python that has it in \
         NEARLINE_PYTHON\n{said}"
    );
    if !output.status.success() {
        return Err(said);
    }
    Ok(Rendered(serde_json::from_slice(&output.stdout).expect("JSON")))
}

fn rendered(name: &str, schemas: Schemas) -> Result<Rendered, String> {
    let folder = repository(&format!("k8s/overlays/{name}"));
    render(&folder.display().to_string(), &[], schemas)
}

pub fn overlay(name: &str) -> Rendered {
    rendered(name, Schemas::LeftOut).unwrap_or_else(|error| panic!("{error}"))
}

/// The overlay, or why it is not valid by the schemas of the oldest or the newest Kubernetes.
pub fn validated_overlay(name: &str) -> Result<Rendered, String> {
    rendered(name, Schemas::Held)
}

/// The objects of a text in YAML, or why it is refused.
pub fn validated(text: &[u8]) -> Result<Rendered, String> {
    render("-", text, Schemas::Held)
}

/// The text of the production overlay's Secrets.
pub fn made_secrets_text() -> Vec<u8> {
    let output = Command::new(repository("k8s/overlays/production/make-secrets"))
        .arg("nearline")
        .output()
        .expect("make-secrets runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What the production overlay's Secrets are made with.
pub fn made_secrets() -> Rendered {
    render("-", &made_secrets_text(), Schemas::LeftOut).expect("YAML")
}

impl Rendered {
    pub fn of_kind<'a>(&'a self, kind: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        let kind = kind.to_owned();
        self.0.iter().filter(move |object| object["kind"] == *kind)
    }

    pub fn all(&self) -> &[Value] {
        &self.0
    }

    /// The object of a kind whose name is `name`, or that and a hash.
    pub fn get(&self, kind: &str, name: &str) -> &Value {
        let is_meant = |found: &str| {
            found.strip_prefix(name).is_some_and(|rest| {
                rest.is_empty() || rest.strip_prefix('-').is_some_and(|hash| hash.len() == 10)
            })
        };
        let mut found = self.of_kind(kind).filter(|object| is_meant(name_of(object)));
        let object = found.next().unwrap_or_else(|| panic!("no {kind} {name}"));
        assert!(found.next().is_none(), "several {kind} {name}");
        object
    }

    /// Pod templates with the name of what makes the pods.
    pub fn pods(&self) -> Vec<(&str, &Value)> {
        let template = |object: &'_ Value| match object["kind"].as_str() {
            Some("StatefulSet" | "Deployment" | "Job") => Some("/spec/template"),
            Some("CronJob") => Some("/spec/jobTemplate/spec/template"),
            _ => None,
        };
        let made =
            self.0.iter().filter_map(|object| Some((name_of(object), object.pointer(template(object)?)?)));
        made.collect()
    }

    /// Values of a Secret, in clear.
    pub fn secret(&self, name: &str) -> BTreeMap<String, String> {
        use base64::Engine;
        let decode = |value: &Value| {
            let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str().expect("text"));
            String::from_utf8(bytes.expect("base64")).expect("UTF-8")
        };
        let data = self.get("Secret", name)["data"].as_object().expect("values");
        data.iter().map(|(key, value)| (key.clone(), decode(value))).collect()
    }

    /// The engine's environment as its pods would have it, values of Secrets taken from `secrets`.
    pub fn environment(&self, pod: &str, secrets: &Rendered) -> BTreeMap<String, String> {
        self.environment_of(engine(self), pod, secrets)
    }

    /// That of any container.
    pub fn environment_of(
        &self,
        container: &Value,
        pod: &str,
        secrets: &Rendered,
    ) -> BTreeMap<String, String> {
        let mut environment: BTreeMap<String, String> = BTreeMap::new();
        for variable in container["env"].as_array().expect("variables") {
            let name = variable["name"].as_str().expect("a name").to_owned();
            let source = &variable["valueFrom"];
            let value = if let Some(value) = variable["value"].as_str() {
                let pod_name = environment.get("POD_NAME").cloned().unwrap_or_default();
                value.replace("$(POD_NAME)", &pod_name)
            } else if source["fieldRef"]["fieldPath"] == "metadata.name" {
                pod.to_owned()
            } else {
                let wanted = &source["secretKeyRef"];
                let (secret, key) = (wanted["name"].as_str().expect("a Secret"), &wanted["key"]);
                let secret = secret.split("-servers").next().map(|start| format!("{start}-servers"));
                secrets.secret(&secret.expect("a name"))[key.as_str().expect("a key")].clone()
            };
            environment.insert(name, value);
        }
        environment
    }
}

pub fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().expect("a name")
}

/// The engine's container.
pub fn engine(rendered: &Rendered) -> &Value {
    &rendered.get("StatefulSet", "nearline")["spec"]["template"]["spec"]["containers"][0]
}
