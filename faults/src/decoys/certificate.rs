//! Certificates that vouch for themselves, for servers of a drill. Their keys live in a Secret of the drill's namespace and
//! go with it, or in the memory of the server alone; no journal and no report has them.

use crate::{
    FaultContext, FaultError,
    victim::{Workload, create, log_of, metadata, newest, pods_of, tls, typed, wait_ready},
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::ResourceExt;
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
    let Certificate { pem, key } = Certificate::make(name, validity)?;
    let secret = json!({
        "metadata": metadata(ctx, SERVER), "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": pem, "tls.key": key},
    });
    create::<Secret>(ctx, &typed(secret)).await?;
    serve(ctx, with_certificate(Workload::new(ctx, SERVER, &["admission", "0"]))).await
}

/// Starts a server that thinks so long before each answer, until then, and waits until it is ready. It makes its
/// certificate itself and shows it in its log: so its key is nowhere but in its memory, and nobody needs a right on Secrets.
pub(crate) async fn start_self_certified(
    ctx: &FaultContext,
    thinks: Duration,
    until: Timestamp,
) -> Result<(), FaultError> {
    let (millis, until) = (thinks.as_millis().to_string(), until.as_second().to_string());
    serve(ctx, Workload::new(ctx, SERVER, &["admission", &millis, &until, &host(ctx)])).await
}

/// The certificate that such a server shows.
pub(crate) async fn self_certified(ctx: &FaultContext) -> Result<String, FaultError> {
    let pods = pods_of(ctx, SERVER).await?;
    let pod = newest(&pods).ok_or_else(|| FaultError::Unfit("the webhook's server has no pod".into()))?;
    let log = log_of(ctx, &pod.name_any(), false).await?;
    match log.contains("-----END CERTIFICATE-----") {
        true => Ok(log),
        false => Err(FaultError::Unfit("the webhook's server shows no certificate".into())),
    }
}

/// Runs a server behind its Service.
async fn serve(ctx: &FaultContext, server: Workload) -> Result<(), FaultError> {
    let service = json!({
        "metadata": metadata(ctx, SERVER),
        "spec": {"selector": {crate::victim::VICTIM_LABEL: SERVER}, "ports": [{"port": 443, "targetPort": tls::PORT}]},
    });
    create::<Service>(ctx, &typed(service)).await?;
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
