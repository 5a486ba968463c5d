//! Certificates that vouch for themselves, for servers of a drill. Their keys live in a Secret of the drill's namespace and
//! go with it; no journal and no report has them.

use crate::{
    FaultContext, FaultError,
    victim::{Workload, create, metadata, tls, typed, wait_ready},
};
use k8s_openapi::api::core::v1::{Secret, Service};
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use serde_json::{Value, json};
use std::time::Duration;

/// The server's name, and that of its Secret and its Service.
pub(crate) const SERVER: &str = "check";
const START: Duration = Duration::from_secs(60);

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Validity {
    /// For decades.
    Now,
    /// Until some years ago.
    Expired,
}

/// A certificate and its key, as PEM.
pub(crate) struct Certificate {
    pub(crate) pem: String,
    pub(crate) key: String,
}

impl Certificate {
    /// A certificate for `name` that vouches for itself.
    pub(crate) fn make(name: &str, validity: Validity) -> Result<Self, FaultError> {
        let failed = |e: rcgen::Error| FaultError::Unfit(format!("no certificate could be made: {e}"));
        let mut params = CertificateParams::new(vec![name.to_owned()]).map_err(failed)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = match validity {
            Validity::Now => date_time_ymd(2099, 1, 1),
            Validity::Expired => date_time_ymd(2021, 1, 1),
        };
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?;
        Ok(Self { pem: certificate.pem(), key: key.serialize_pem() })
    }
}

/// The server's name for clients of other namespaces.
pub(super) fn host(ctx: &FaultContext) -> String {
    format!("{SERVER}.{}.svc", ctx.namespace)
}

/// Starts a server with a certificate for `name`, and waits until it is ready.
pub(super) async fn start_server(
    ctx: &FaultContext,
    name: &str,
    validity: Validity,
) -> Result<(), FaultError> {
    start_server_that_thinks(ctx, name, validity, Duration::ZERO).await
}

/// The same, where each answer takes so long.
pub(super) async fn start_server_that_thinks(
    ctx: &FaultContext,
    name: &str,
    validity: Validity,
    thinks: Duration,
) -> Result<(), FaultError> {
    let Certificate { pem, key } = Certificate::make(name, validity)?;
    let secret = json!({
        "metadata": metadata(ctx, SERVER), "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": pem, "tls.key": key},
    });
    let service = json!({
        "metadata": metadata(ctx, SERVER),
        "spec": {"selector": {crate::victim::VICTIM_LABEL: SERVER}, "ports": [{"port": 443, "targetPort": tls::PORT}]},
    });
    create::<Secret>(ctx, &typed(secret)).await?;
    create::<Service>(ctx, &typed(service)).await?;
    let millis = thinks.as_millis().to_string();
    let server = with_certificate(Workload::new(ctx, SERVER, &["admission", &millis]));
    let probe = json!({"tcpSocket": {"port": tls::PORT}, "periodSeconds": 1});
    create(ctx, &server.of_container("readinessProbe", probe).deployment(1)).await?;
    wait_ready(ctx, SERVER, 1, START).await.map(drop)
}

/// The workload has the server's certificate.
pub(super) fn with_certificate(workload: Workload) -> Workload {
    let volume = |items: Value| json!([{"name": "tls", "secret": items}]);
    let mounts = json!([{"name": "tls", "mountPath": tls::DIR, "readOnly": true}]);
    workload.set("volumes", volume(json!({"secretName": SERVER}))).of_container("volumeMounts", mounts)
}
