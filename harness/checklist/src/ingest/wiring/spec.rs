//! What a pod's specification names.

use crate::snapshot::{LostProbe, Want};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeSet;

/// What is not there, null, or of another type names nothing: its types were judged where the object was read.
fn lenient<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(d: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

macro_rules! named {
    ($($name:ident { $($field:ident: $ty:ty),* $(,)? })*) => {
        $(#[derive(Deserialize, Default)]
        #[serde(rename_all = "camelCase", default)]
        pub(super) struct $name {
            $(#[serde(deserialize_with = "lenient")] pub(super) $field: $ty,)*
        })*
    };
}

named! {
    Template { spec: PodSpec }
    PodSpec {
        service_account_name: String,
        service_account: String,
        priority_class_name: String,
        active_deadline_seconds: Option<i64>,
        containers: Vec<Container>,
        init_containers: Vec<Container>,
        volumes: Vec<Volume>,
        image_pull_secrets: Vec<Source>,
    }
    Container {
        name: String,
        image: String,
        env: Vec<Env>,
        env_from: Vec<EnvFrom>,
        ports: Vec<Port>,
        readiness_probe: Option<Probe>,
        liveness_probe: Option<Probe>,
        startup_probe: Option<Probe>,
    }
    Env { value_from: ValueFrom }
    ValueFrom { config_map_key_ref: Source, secret_key_ref: Source }
    EnvFrom { config_map_ref: Source, secret_ref: Source }
    Source { name: String, secret_name: String, optional: bool }
    Volume { config_map: Source, secret: Source, persistent_volume_claim: Claim, projected: Projected, csi: Csi, azure_file: Source }
    Csi { node_publish_secret_ref: Source }
    Claim { claim_name: String }
    Projected { sources: Vec<Projection> }
    Projection { config_map: Source, secret: Source }
    Port { name: String, container_port: u16 }
    Probe { http_get: Option<Action>, tcp_socket: Option<Action>, grpc: Option<Action> }
    Action { port: Value, host: String }
}

impl PodSpec {
    pub(super) fn containers(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().chain(&self.init_containers)
    }

    pub(super) fn init_names(&self) -> BTreeSet<String> {
        self.init_containers.iter().map(|c| c.name.clone()).collect()
    }

    /// Objects without which no pod starts; what is optional is not among them.
    pub(super) fn wants(&self) -> BTreeSet<Want> {
        let account = [&self.service_account_name, &self.service_account];
        let account = account.into_iter().find(|n| !n.is_empty()).map(|n| want("ServiceAccount", n));
        let class =
            Some(&self.priority_class_name).filter(|n| !n.is_empty()).map(|n| want("PriorityClass", n));
        let claims =
            self.volumes.iter().map(|v| &v.persistent_volume_claim.claim_name).filter(|n| !n.is_empty());
        let (maps, secrets) = self.bundles();
        let of = |kind: &'static str, all: Vec<&Source>| {
            let wanted = all.into_iter().filter(|s| !s.optional).map(Source::any).filter(|n| !n.is_empty());
            wanted.map(move |name| want(kind, name)).collect::<Vec<_>>()
        };
        account
            .into_iter()
            .chain(class)
            .chain(claims.map(|n| want("PersistentVolumeClaim", n)))
            .chain(of("ConfigMap", maps))
            .chain(of("Secret", secrets))
            .collect()
    }

    /// ConfigMaps and Secrets, wherever a pod can name them. Those for pulling are judged with the pull credentials.
    fn bundles(&self) -> (Vec<&Source>, Vec<&Source>) {
        let env = || self.containers().flat_map(|c| &c.env).map(|e| &e.value_from);
        let from = || self.containers().flat_map(|c| &c.env_from);
        let projected = || self.volumes.iter().flat_map(|v| &v.projected.sources);
        let maps = env().map(|e| &e.config_map_key_ref).chain(from().map(|f| &f.config_map_ref));
        let maps =
            maps.chain(self.volumes.iter().map(|v| &v.config_map)).chain(projected().map(|p| &p.config_map));
        let secrets = env().map(|e| &e.secret_key_ref).chain(from().map(|f| &f.secret_ref));
        let secrets = secrets
            .chain(self.volumes.iter().flat_map(Volume::secrets))
            .chain(projected().map(|p| &p.secret));
        (maps.collect(), secrets.collect())
    }
}

impl Volume {
    /// Secrets that it is, or is mounted with.
    fn secrets(&self) -> [&Source; 3] {
        [&self.secret, &self.csi.node_publish_secret_ref, &self.azure_file]
    }
}

impl Source {
    fn any(&self) -> &str {
        if self.name.is_empty() { &self.secret_name } else { &self.name }
    }
}

fn want(kind: &str, name: &str) -> Want {
    Want { kind: kind.into(), name: name.into() }
}

impl Container {
    pub(super) fn lost_probes(&self) -> Vec<LostProbe> {
        let probes = [
            ("readiness", &self.readiness_probe),
            ("liveness", &self.liveness_probe),
            ("startup", &self.startup_probe),
        ];
        probes.into_iter().filter_map(|(name, probe)| self.lost(name, probe.as_ref()?)).collect()
    }

    fn lost(&self, name: &str, probe: &Probe) -> Option<LostProbe> {
        let action =
            [&probe.http_get, &probe.tcp_socket, &probe.grpc].into_iter().find_map(Option::as_ref)?;
        // What runs elsewhere need not be declared here.
        if !action.host.is_empty() {
            return None;
        }
        // In quotes it is a name, a number too; and no port has a name without a letter.
        let (port, named) = match &action.port {
            Value::String(text) => (text.clone(), true),
            Value::Number(number) => (number.to_string(), false),
            _ => return None,
        };
        // One of gRPC is asked by number alone; the API refuses a name.
        let by_number = probe.grpc.is_some();
        let is = |p: &Port| {
            if named { p.name == port && !by_number } else { p.container_port.to_string() == port }
        };
        let declared = self.ports.iter().any(is);
        (!declared).then(|| LostProbe { container: self.name.clone(), probe: name.into(), port, named })
    }
}
