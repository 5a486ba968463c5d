//! Which way a pod's requests take: whom its spec names, how it asks for names, what it does for its node's network.
//!
//! Invariant: of environment and arguments only hosts and ports are kept, and only those with the shape of one; what may
//! be a credential is not looked at.

use crate::clue::peer;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use loopdrill_model::signal::{ContainerPort, NetworkRole, Peer, PodDns, Ways};
use regex::Regex;
use std::sync::LazyLock;

/// Hosts of one pod that are kept.
const MOST_NAMES: usize = 16;
/// Bytes of one text that are looked at.
const LONGEST: usize = 2_048;

pub(super) fn ways(spec: &PodSpec) -> Ways {
    Ways { dns: dns(spec), names: names(spec), serves: serves(spec), api_audience: api_audience(spec) }
}

/// Where every client of the API looks for its token.
const API_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The audience of the token that a container has in place of the API server's.
fn api_audience(spec: &PodSpec) -> String {
    let mounts = spec.containers.iter().flat_map(|c| c.volume_mounts.iter().flatten());
    let there = mounts.filter(|m| m.mount_path.trim_end_matches('/') == API_TOKEN).map(|m| &m.name);
    let volumes = there.filter_map(|name| spec.volumes.iter().flatten().find(|v| v.name == *name));
    let sources = volumes.filter_map(|v| v.projected.as_ref()?.sources.as_ref()).flatten();
    let mut tokens = sources.filter_map(|s| s.service_account_token.as_ref());
    tokens.find_map(|t| t.audience.clone()).unwrap_or_default()
}

/// The ports that a container declares.
pub(super) fn ports(container: &Container) -> Vec<ContainerPort> {
    let port = |p: &k8s_openapi::api::core::v1::ContainerPort| {
        Some(ContainerPort {
            name: p.name.clone().unwrap_or_default(),
            number: u16::try_from(p.container_port).ok()?,
            protocol: p.protocol.clone().unwrap_or_else(|| "TCP".into()),
        })
    };
    container.ports.iter().flatten().filter_map(port).collect()
}

/// A pod with its node's network asks as its node does, unless it says otherwise.
fn dns(spec: &PodSpec) -> Option<PodDns> {
    let policy = match (spec.dns_policy.as_deref(), spec.host_network) {
        (None | Some("ClusterFirst"), Some(true)) => "Default",
        (None | Some("ClusterFirstWithHostNet"), _) => "ClusterFirst",
        (Some(policy), _) => policy,
    };
    let config = spec.dns_config.clone().unwrap_or_default();
    let dns = PodDns {
        policy: policy.into(),
        servers: config.nameservers.unwrap_or_default(),
        searches: config.searches.unwrap_or_default(),
    };
    (policy != "ClusterFirst" || !dns.servers.is_empty()).then_some(dns)
}

/// What names a host, in environment variables and flags: the end of their name says so.
static NAMING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:host|hostname|hosts|addr|address|addresses|server|servers|service|endpoint|url|uri|peer|target|upstream|backend|broker|brokers)$",
    )
});
/// Hosts within a text: of URLs, of Go's and libpq's connection strings, of `nc`.
static HOSTS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r"://(?:[^/\s@]*@)?([A-Za-z0-9][A-Za-z0-9._-]*)(?::([0-9]{1,5}))?(?:[/?,'\x22\s;]|$)",
        r"@tcp\(([A-Za-z0-9][A-Za-z0-9.-]*):([0-9]{1,5})\)",
        r"(?:^|[\s;])[Hh]ost=([A-Za-z0-9][A-Za-z0-9.-]*)(?:[\s;]+[Pp]ort=([0-9]{1,5}))?",
        r"\bnc (?:-\S+ +)*(?:[0-9]+ +)?([a-z][a-z0-9.-]*) ([0-9]{1,5})\b",
        r"(?:^|[\s=,'\x22])([a-z][a-z0-9.-]*):([0-9]{2,5})(?:[/\s,'\x22;]|$)",
        r"(?:^|[\s=,'\x22])([a-z0-9][a-z0-9.-]*\.svc(?:\.[a-z0-9.-]+)?)()(?:[/\s,'\x22;]|$)",
    ]
    .map(pattern)
    .into()
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("tested below")
}

/// The hosts that a pod's own spec names.
fn names(spec: &PodSpec) -> Vec<Peer> {
    let mut names: Vec<Peer> = Vec::new();
    for container in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
        for env in container.env.iter().flatten() {
            let of_image = env.name.to_ascii_uppercase().contains("IMAGE");
            for value in env.value.iter().filter(|v| v.len() <= LONGEST && !of_image) {
                names.extend(hosts(value));
                names.extend(bare(&env.name, value));
            }
        }
        for text in container.command.iter().chain(&container.args).flatten().filter(|t| t.len() <= LONGEST) {
            names.extend(hosts(text));
            names.extend(text.split_once('=').and_then(|(flag, value)| bare(flag, value)));
        }
    }
    names.sort();
    names.dedup();
    names.truncate(MOST_NAMES);
    names
}

fn hosts(text: &str) -> impl Iterator<Item = Peer> + '_ {
    let found = HOSTS.iter().flat_map(move |p| {
        p.captures_iter(text).filter(move |c| {
            // What stands before a later @ may be a user and a password.
            let end = c.get(0).map_or(0, |m| m.end());
            !text[end..].split_whitespace().next().unwrap_or_default().contains('@')
        })
    });
    found
        .map(|c| peer(c.get(1).map(|m| m.as_str()), c.get(2).map(|m| m.as_str())))
        .filter(|p| !p.host.is_empty())
}

/// A value that is a host and nothing else, where its name says that it is one.
fn bare(name: &str, value: &str) -> Option<Peer> {
    let is_host = NAMING.is_match(name) && !value.contains([':', '/', ' ', '@']);
    is_host.then(|| peer(Some(value), None)).filter(|p| !p.host.is_empty())
}

/// What the pod runs and mounts says what it is for; its name does not.
fn serves(spec: &PodSpec) -> Option<NetworkRole> {
    let words = || {
        let texts = spec.containers.iter().flat_map(|c| c.command.iter().chain(&c.args).flatten());
        texts.flat_map(|t| t.split_whitespace())
    };
    let mounts = |at: &str| {
        let paths = spec.volumes.iter().flatten().filter_map(|v| Some(v.host_path.as_ref()?.path.as_str()));
        paths.map(|p| p.trim_end_matches('/')).any(|p| p == at)
    };
    let on_its_node = spec.host_network == Some(true);
    if !on_its_node {
        return None;
    }
    if words().any(|w| w.rsplit('/').next() == Some("kube-proxy")) {
        return Some(NetworkRole::Proxy);
    }
    if words().any(|w| w == "-localip") {
        return Some(NetworkRole::DnsCache);
    }
    (mounts("/etc/cni/net.d") || mounts("/opt/cni/bin")).then_some(NetworkRole::Plugin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(container: Value, rest: Value) -> Ways {
        let mut spec = json!({ "containers": [container] });
        spec.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
        ways(&serde_json::from_value(spec).expect("a spec"))
    }

    fn named(env: &[(&str, &str)], args: &[&str]) -> Vec<String> {
        let env: Vec<_> = env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        let found = read(json!({ "name": "main", "env": env, "args": args }), json!({})).names;
        let show = |p: Peer| p.port.map_or(p.host.clone(), |port| format!("{}:{port}", p.host));
        found.into_iter().map(show).collect()
    }

    #[test]
    fn a_token_in_the_place_of_the_api_s_has_an_audience() {
        let audience = |path: &str, token: Value| {
            let mount = json!([{ "name": "identity", "mountPath": path }]);
            let sources = json!([{ "serviceAccountToken": token }]);
            let volumes = json!([{ "name": "identity", "projected": { "sources": sources } }]);
            read(json!({ "name": "main", "volumeMounts": mount }), json!({ "volumes": volumes })).api_audience
        };
        let vault = || json!({ "audience": "vault", "path": "token" });
        assert_eq!(audience("/var/run/secrets/kubernetes.io/serviceaccount/", vault()), "vault");
        assert_eq!(audience("/var/run/secrets/vault", vault()), "", "it lies elsewhere");
        let own = json!({ "path": "token" });
        assert_eq!(audience("/var/run/secrets/kubernetes.io/serviceaccount", own), "");
    }

    #[test]
    fn hosts_are_found_in_the_usual_notations() {
        for (name, value, host) in [
            ("DATABASE_URL", "postgres://app:pa55@db.data:5432/shop?sslmode=off", "db.data:5432"),
            ("SPRING_DATASOURCE_URL", "jdbc:postgresql://db:5432/shop", "db:5432"),
            ("DSN", "app:pa55@tcp(mysql:3306)/shop", "mysql:3306"),
            ("DSN", "user=app password=x host=db port=5432", "db:5432"),
            ("REDIS_HOST", "cache", "cache"),
            ("KAFKA_BROKERS", "kafka-0.kafka:9092", "kafka-0.kafka:9092"),
            ("UPSTREAM", "http://api.shop.svc.cluster.local/v1", "api.shop.svc.cluster.local"),
            ("X", "api.shop.svc", "api.shop.svc"),
        ] {
            assert_eq!(named(&[(name, value)], &[]), [host], "{name}={value}");
        }
        let script = "while true; do wget -qO- http://api:8080/health; nc -z db 5432; sleep 1; done";
        assert_eq!(named(&[], &[script]), ["api:8080", "db:5432"]);
        assert_eq!(named(&[], &["--db-host=db", "--listen=:80"]), ["db"]);
    }

    #[test]
    fn what_may_be_a_secret_or_is_no_host_does_not_travel() {
        for (name, value) in [
            ("PASSWORD", "hunter2"),
            ("API_KEY", "f3a9b7c2d1e4f5a6b7c8"),
            ("DB_HOST", "not a host"),
            ("IMAGE", "shop/web:1234"),
            ("TOKEN_URL", "x@y"),
            ("MODE", "production"),
            ("URL", "postgres://app:12/34@db:5432/x"),
        ] {
            let found = named(&[(name, value)], &[]);
            assert!(found.iter().all(|h| h == "db:5432"), "{name}={value}: {found:?}");
        }
    }

    #[test]
    fn names_are_asked_for_as_the_policy_works() {
        let asks = |rest| read(json!({ "name": "main" }), rest).dns.map(|d| d.policy);
        assert_eq!(asks(json!({})), None);
        assert_eq!(
            asks(json!({ "dnsPolicy": "ClusterFirst", "hostNetwork": true })).as_deref(),
            Some("Default")
        );
        assert_eq!(asks(json!({ "dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": true })), None);
        let own = json!({ "dnsPolicy": "None", "dnsConfig": { "nameservers": ["10.0.0.99"] } });
        assert_eq!(asks(own).as_deref(), Some("None"));
    }

    #[test]
    fn what_serves_a_node_is_told_by_what_it_runs_and_mounts() {
        let host = |more: Value| {
            let mut all = json!({ "hostNetwork": true });
            all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            all
        };
        let role =
            |command: &[&str], rest| read(json!({ "name": "kube-proxy", "command": command }), rest).serves;
        assert_eq!(role(&["/usr/local/bin/kube-proxy", "--v=2"], host(json!({}))), Some(NetworkRole::Proxy));
        let shell = ["/bin/sh", "-c", "exec kube-proxy --master=x"];
        assert_eq!(role(&shell, host(json!({}))), Some(NetworkRole::Proxy));
        assert_eq!(role(&["/app"], host(json!({}))), None, "its name says nothing");
        assert_eq!(role(&["kube-proxy"], json!({})), None, "it is not of its node");
        let cni = json!({ "volumes": [{ "name": "c", "hostPath": { "path": "/etc/cni/net.d/" } }] });
        assert_eq!(role(&["/app"], host(cni)), Some(NetworkRole::Plugin));
        assert_eq!(
            role(&["/node-cache", "-localip", "169.254.20.10"], host(json!({}))),
            Some(NetworkRole::DnsCache)
        );
    }
}
