//! Our own pods in the cluster: probes on the pod network, and counters where nodes are out of reach.
//!
//! All lie in one namespace that carries the run's label, so removing that removes everything. Probes learn
//! their peers from an annotation on their own pod, which the kubelet hands on as a file: no pod of ours needs
//! the API, DNS or an account. What they tell arrives by following their logs.

mod follow;
mod manifests;
mod peers;
mod remove;

pub use remove::{AgentsError, beside, installed, sweep};

use crate::backoff::Backoff;
use crate::options::{ObserveOptions, ObserveTarget};
use crate::reason::reason;
use crate::sink::{NobodyListens, Sink};
use crate::tasks::Tasks;
use crate::watch::OWN_NAMESPACE;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use loopdrill_cluster::RUN_LABEL;
use loopdrill_model::Source;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

const LIMIT: Duration = Duration::from_secs(10);

/// After so long an API server has done what it was asked for, or given it up.
const REQUEST: Duration = Duration::from_secs(65);

/// The answer to a request for a namespace, whoever waits for it.
type Asked = JoinHandle<Result<Namespace, kube::Error>>;

/// Why our pods are not installed.
#[derive(Debug, thiserror::Error)]
enum InstallError {
    /// The API refuses.
    #[error("{0}")]
    Api(#[from] kube::Error),
    /// Other runs have the namespaces that we could take.
    #[error("{0} belongs to another run; end that run, or delete the namespace")]
    Taken(String),
    /// The request came to no end.
    #[error("the request for a namespace ended without an answer")]
    Unanswered,
}

/// Which pods there are to be, and where they are.
pub(crate) struct Agents {
    client: Client,
    run: String,
    image: Option<String>,
    options: ObserveOptions,
    /// Whether counters need pods.
    counters: bool,
    /// The namespace that we have.
    installed: Mutex<Option<String>>,
    /// Every namespace that was asked for, with the request while it is not answered. The API server may still do what nobody
    /// waits for any more.
    asked: tokio::sync::Mutex<BTreeMap<String, Option<Asked>>>,
}

impl Agents {
    pub(crate) fn new(target: &ObserveTarget, options: &ObserveOptions) -> Self {
        Self {
            client: target.client.clone(),
            run: target.run.clone(),
            image: target.image.clone().filter(|_| options.probes),
            options: options.clone(),
            counters: target.nodes.is_none(),
            installed: Mutex::default(),
            asked: tokio::sync::Mutex::default(),
        }
    }

    /// Installs the pods and passes on what they tell.
    pub(crate) async fn follow(
        self: std::sync::Arc<Self>,
        tasks: Tasks,
        sink: Sink,
    ) -> Result<(), NobodyListens> {
        let source = Source::other("agents");
        let Some(image) = self.image.clone() else {
            let why = if self.options.probes {
                "there is no image to start pods from"
            } else {
                "probes were not asked for"
            };
            return sink.lost(&source, why).await;
        };
        let mut backoff = Backoff::default();
        let namespace = loop {
            match tokio::time::timeout(LIMIT, self.install(&image)).await {
                Ok(Ok(namespace)) => break namespace,
                Ok(Err(error)) => {
                    sink.lost(&source, format!("cannot start our pods: {}", reason(&error))).await?
                }
                Err(_) => sink.lost(&source, format!("our pods were not accepted within {LIMIT:?}")).await?,
            }
            backoff.wait().await;
        };
        sink.works(&source).await?;
        follow::pods(self.client.clone(), namespace, tasks, sink).await
    }

    async fn install(&self, image: &str) -> Result<String, InstallError> {
        let namespace = self.namespace().await?;
        self.daemon_set(&namespace, manifests::probe(image, &self.run, &self.options)).await?;
        if self.counters {
            self.daemon_set(&namespace, manifests::counters(image, &self.run, &self.options)).await?;
        }
        Ok(namespace)
    }

    /// Creates our namespace. One of that name that is not of this run belongs to another observer, and we
    /// take a name of our own beside it.
    async fn namespace(&self) -> Result<String, InstallError> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let beside = format!("{OWN_NAMESPACE}-{}", manifests::suffix(&self.run));
        let names =
            self.installed().map_or_else(|| vec![OWN_NAMESPACE.to_owned(), beside], |name| vec![name]);
        for name in &names {
            match self.ask_for(name).await {
                Ok(_) => return Ok(self.remember(name)),
                Err(InstallError::Api(kube::Error::Api(status))) if status.code == 409 => {
                    if self.is_ours(&api.get(name).await?) {
                        return Ok(self.remember(name));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(InstallError::Taken(names.join(" and ")))
    }

    /// Asks for a namespace, or waits on for the answer to having asked: whoever stops waiting leaves the question open.
    async fn ask_for(&self, name: &str) -> Result<Namespace, InstallError> {
        let mut asked = self.asked.lock().await;
        let open = asked.entry(name.to_owned()).or_default();
        let request = open.get_or_insert_with(|| {
            let (api, wanted) = (Api::all(self.client.clone()), manifests::namespace(name, &self.run));
            tokio::spawn(async move { api.create(&PostParams::default(), &wanted).await })
        });
        let answer = request.await;
        *open = None;
        match answer.map_err(|_| InstallError::Unanswered)? {
            // Nothing came into being.
            Err(kube::Error::Api(status)) if matches!(status.code, 400..=404 | 422) => {
                asked.remove(name);
                Err(kube::Error::Api(status).into())
            }
            answer => Ok(answer?),
        }
    }

    fn is_ours(&self, namespace: &Namespace) -> bool {
        namespace.labels().get(RUN_LABEL) == Some(&self.run)
            && namespace.metadata.deletion_timestamp.is_none()
    }

    fn installed(&self) -> Option<String> {
        self.installed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, name: &str) -> String {
        *self.installed.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
        name.to_owned()
    }

    async fn daemon_set(&self, namespace: &str, set: DaemonSet) -> Result<(), kube::Error> {
        let api: Api<DaemonSet> = Api::namespaced(self.client.clone(), namespace);
        match api.create(&PostParams::default(), &set).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes what was installed and waits until it is gone, also where nobody had waited for the answer to having asked.
    pub(crate) async fn remove(&self) -> Result<(), AgentsError> {
        for (name, open) in std::mem::take(&mut *self.asked.lock().await) {
            if let Some(open) = open {
                // How it went, the API server says best.
                let _ = tokio::time::timeout(REQUEST, open).await;
            }
            remove::own(&self.client, &name, &self.run).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
