//! Places in S3, Google Cloud Storage and Azure: keys and endpoints come from the environment, as their own programs read it.

use std::fmt::Display;
use std::future::Future;
use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;

use anyhow::Context;
use futures_util::TryStreamExt;
use nearline_facts::Remote;
use nearline_facts::location::Object;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use tokio::runtime::Runtime;

/// A place in an object store.
#[derive(Debug, Clone)]
struct Store {
    store: Arc<dyn ObjectStore>,
    place: Path,
    threads: Arc<Threads>,
}

/// The threads that wait for the store. Whoever lets go of them may run tasks itself, and then must not wait for their end.
#[derive(Debug)]
struct Threads(Option<Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Connects to the place that a URL such as `s3://bucket/prefix` names.
///
/// # Errors
/// A URL of a kind that is not known, settings that do not fit.
pub fn connect(url: &str) -> anyhow::Result<Arc<dyn Remote>> {
    let url = url.parse().context("it is no URL")?;
    let environment = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
    let (store, place) = object_store::parse_url_opts(&url, environment)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    Ok(Arc::new(Store { store: Arc::from(store), place, threads: Arc::new(Threads(Some(runtime))) }))
}

impl Store {
    fn path(&self, name: &str) -> Path {
        name.split('/').fold(self.place.clone(), |path, part| path.join(part))
    }

    /// Waits for what the store answers, whether or not this thread runs tasks already.
    fn wait<T: Send>(&self, answer: impl Future<Output = object_store::Result<T>> + Send) -> Result<T> {
        let runtime = self.threads.0.as_ref().expect("it is taken when nobody holds it any more");
        let waited = std::thread::scope(|scope| scope.spawn(|| runtime.block_on(answer)).join());
        waited.expect("a panic ends the program").map_err(error)
    }
}

fn error(error: object_store::Error) -> Error {
    let kind = match error {
        object_store::Error::NotFound { .. } => ErrorKind::NotFound,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            ErrorKind::PermissionDenied
        }
        _ => ErrorKind::Other,
    };
    Error::new(kind, chain(&error))
}

/// An error with what is behind it.
fn chain(
    error: &(dyn std::error::Error + 'static),
) -> impl Display + Into<Box<dyn std::error::Error + Send + Sync>> {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(behind) = source {
        let said = behind.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = behind.source();
    }
    text
}

impl Remote for Store {
    fn list(&self) -> Result<Vec<Object>> {
        let place = self.place.clone();
        let listed: Vec<_> = self.wait(self.store.list(Some(&place)).try_collect())?;
        let object = |meta: object_store::ObjectMeta| {
            let parts: Vec<_> =
                meta.location.prefix_match(&place)?.map(|part| part.as_ref().to_owned()).collect();
            let modified_ms = meta.last_modified.timestamp_millis();
            Some(Object { name: parts.join("/"), bytes: meta.size, modified_ms })
        };
        Ok(listed.into_iter().filter_map(object).collect())
    }

    fn get(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.path(name);
        let got = self.wait(async { self.store.get(&path).await?.bytes().await })?;
        Ok(got.into())
    }

    fn put(&self, name: &str, bytes: Vec<u8>) -> Result<()> {
        let path = self.path(name);
        self.wait(async { self.store.put(&path, bytes.into()).await }).map(|_| ())
    }

    fn put_new(&self, name: &str, bytes: Vec<u8>) -> Result<bool> {
        let path = self.path(name);
        let options = PutOptions::from(PutMode::Create);
        let put = async {
            match self.store.put_opts(&path, bytes.into(), options).await {
                Ok(_) => Ok(true),
                Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                    Ok(false)
                }
                Err(error) => Err(error),
            }
        };
        self.wait(put)
    }

    fn delete(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        match self.wait(async { self.store.delete(&path).await }) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn below(&self, name: &str) -> Arc<dyn Remote> {
        Arc::new(Self { place: self.path(name), ..self.clone() })
    }
}
