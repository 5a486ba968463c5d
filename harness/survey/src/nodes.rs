//! What only the nodes themselves tell: their network devices, etcd's metrics, the control plane's certificates.

use crate::{Cluster, api, missing, read};
use futures::future::join_all;
use loopdrill_checklist::{
    Input, Snapshot,
    snapshot::{Certificate, Etcd, EtcdMember, OverlayLink},
};
use loopdrill_cluster::NodeAccess;
use loopdrill_model::{Signal, Timestamp, metrics};
use serde::Deserialize;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const NO_ACCESS: &str = "the nodes are out of reach; a lab or a kind cluster gives access to them";
/// Where etcd tells its metrics, without TLS, to its node alone.
const ETCD_URL: &str = "http://127.0.0.1:2381";
const PKI: &str = "/etc/kubernetes/pki";

pub(crate) async fn survey(cluster: &Cluster, snapshot: &mut Snapshot) {
    let Some(access) = &cluster.nodes else {
        for input in [Input::Links, Input::Etcd, Input::Certificates] {
            missing(snapshot, input, NO_ACCESS);
        }
        return;
    };
    let all: Vec<String> = snapshot.nodes.iter().filter(|n| n.ready).map(|n| n.name.clone()).collect();
    let planes: Vec<String> =
        snapshot.nodes.iter().filter(|n| n.is_control_plane()).map(|n| n.name.clone()).collect();
    links(access, &all, snapshot).await;
    etcd(access, &planes, snapshot).await;
    certificates(access, &planes, snapshot).await;
}

async fn run(access: &Arc<dyn NodeAccess>, node: &str, argv: &[&str]) -> Result<String, String> {
    let output = access.exec(node, argv, None).await.map_err(|e| e.to_string())?;
    output.success(node, argv).map_err(|e| e.to_string())
}

// --- network devices ---------------------------------------------------------------------------------------

#[derive(Deserialize)]
struct Link {
    ifname: String,
    #[serde(default)]
    link: Option<String>,
    mtu: u32,
    #[serde(default)]
    linkinfo: Option<LinkInfo>,
}

#[derive(Deserialize)]
struct LinkInfo {
    #[serde(default)]
    info_kind: Option<String>,
    #[serde(default)]
    info_data: Option<InfoData>,
}

#[derive(Deserialize)]
struct InfoData {
    #[serde(default)]
    link: Option<String>,
}

async fn links(access: &Arc<dyn NodeAccess>, nodes: &[String], snapshot: &mut Snapshot) {
    let ask = |node: &String| {
        let node = node.clone();
        async move {
            let devices = run(access, &node, &["ip", "-json", "-details", "link", "show"]).await?;
            let route =
                run(access, &node, &["ip", "-4", "route", "show", "default"]).await.unwrap_or_default();
            overlays(&node, &devices, &route)
        }
    };
    let answers = join_all(nodes.iter().map(ask)).await;
    match answers.into_iter().collect::<Result<Vec<_>, String>>() {
        Ok(found) => {
            snapshot.links = found.into_iter().flatten().collect();
            read(snapshot, Input::Links, snapshot.links.len());
        }
        Err(why) => missing(snapshot, Input::Links, why),
    }
}

fn overlays(node: &str, devices: &str, route: &str) -> Result<Vec<OverlayLink>, String> {
    let all: Vec<Link> =
        serde_json::from_str(devices).map_err(|e| format!("{node}: `ip` is not understood: {e}"))?;
    let uplink = route.split_whitespace().skip_while(|w| *w != "dev").nth(1).unwrap_or("eth0");
    let overlay = |l: &Link| {
        let info = l.linkinfo.as_ref()?;
        let kind =
            info.info_kind.as_deref().filter(|k| ["vxlan", "geneve", "ipip", "wireguard"].contains(k))?;
        // The kernel's own fallback device carries nothing.
        if l.ifname == "tunl0"
            && l.link.is_none()
            && all.iter().filter(|o| o.ifname != "tunl0").all(|o| o.mtu > l.mtu + 40)
        {
            return None;
        }
        let under = info.info_data.as_ref().and_then(|d| d.link.as_deref()).unwrap_or(uplink);
        let underlay = all.iter().find(|u| u.ifname == under)?;
        Some(OverlayLink {
            node: node.into(),
            device: l.ifname.clone(),
            kind: kind.into(),
            mtu: l.mtu,
            underlay: underlay.ifname.clone(),
            underlay_mtu: underlay.mtu,
        })
    };
    Ok(all.iter().filter_map(overlay).collect())
}

// --- etcd --------------------------------------------------------------------------------------------------

async fn etcd(access: &Arc<dyn NodeAccess>, planes: &[String], snapshot: &mut Snapshot) {
    if planes.is_empty() {
        return missing(
            snapshot,
            Input::Etcd,
            "no node of the control plane is known: a managed one hides etcd",
        );
    }
    let mut members = Vec::new();
    for node in planes {
        match member(access, node).await {
            Ok(member) => members.push(member),
            Err(why) => return missing(snapshot, Input::Etcd, why),
        }
    }
    read(snapshot, Input::Etcd, members.len());
    snapshot.etcd = Some(Etcd { members });
}

#[derive(Deserialize)]
struct Health {
    #[serde(default)]
    health: String,
    #[serde(default)]
    reason: String,
}

/// 99th percentiles of a sync and a commit that are beyond doubt.
const GOOD: (f64, f64) = (0.010, 0.025);
/// How long a member that was slow is watched, for what it does now.
const WATCH: Duration = Duration::from_secs(20);
const LEAST_SYNCS: u64 = 20;

async fn scrape(access: &Arc<dyn NodeAccess>, node: &str) -> Result<Vec<Signal>, String> {
    let url = format!("{ETCD_URL}/metrics");
    api::parse(&run(access, node, &["curl", "-sS", "--max-time", "10", &url]).await?, metrics::Endpoint::Etcd)
}

async fn member(access: &Arc<dyn NodeAccess>, node: &str) -> Result<EtcdMember, String> {
    let before = scrape(access, node).await?;
    let mut member = of_metrics(node, &before);
    let slow =
        member.fsync_p99.is_some_and(|s| s >= GOOD.0) || member.commit_p99.is_some_and(|s| s >= GOOD.1);
    if slow {
        member = watched(access, node, &before).await?.unwrap_or(member);
    }
    let url = format!("{ETCD_URL}/health");
    let health = run(access, node, &["curl", "-sS", "--max-time", "10", &url]).await?;
    if let Ok(health) = serde_json::from_str::<Health>(&health)
        && health.health != "true"
    {
        member.alarms.push(health.reason);
    }
    Ok(member)
}

/// What a member does from now on. Its figures since its start hold the start itself, and whatever was long ago.
async fn watched(
    access: &Arc<dyn NodeAccess>,
    node: &str,
    before: &[Signal],
) -> Result<Option<EtcdMember>, String> {
    let began = Instant::now();
    while began.elapsed() < WATCH {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = scrape(access, node).await?;
        let mut member = of_metrics(node, &since(before, now));
        if member.syncs >= LEAST_SYNCS {
            member.window_seconds = Some(began.elapsed().as_secs_f64());
            return Ok(Some(member));
        }
    }
    Ok(None)
}

/// Later signals, with histograms that hold only what came since.
fn since(before: &[Signal], mut now: Vec<Signal>) -> Vec<Signal> {
    for signal in &mut now {
        let Signal::Histogram(h) = signal else { continue };
        let earlier = before.iter().find_map(|s| match s {
            Signal::Histogram(old) if old.name == h.name && old.labels == h.labels => Some(old),
            _ => None,
        });
        let Some(old) = earlier else { continue };
        h.count = h.count.saturating_sub(old.count);
        for (bound, count) in &mut h.buckets {
            let known = old.buckets.iter().find(|(b, _)| b == bound).map_or(0, |(_, n)| *n);
            *count = count.saturating_sub(known);
        }
    }
    now
}

#[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "sizes; the casts saturate")]
fn of_metrics(node: &str, signals: &[Signal]) -> EtcdMember {
    let mut member = EtcdMember { node: node.into(), ..EtcdMember::default() };
    for signal in signals {
        match signal {
            Signal::Histogram(h) if h.name == metrics::WAL_FSYNC.name => {
                member.fsync_p99 = api::quantile(h, 0.99);
                member.syncs = h.count;
            }
            Signal::Histogram(h) if h.name == metrics::BACKEND_COMMIT.name => {
                member.commit_p99 = api::quantile(h, 0.99);
            }
            Signal::Metric(m) if m.name == metrics::DATABASE_SIZE.name => {
                member.size_bytes = Some(m.value as u64);
            }
            Signal::Metric(m) if m.name == metrics::DATABASE_QUOTA.name => {
                member.quota_bytes = Some(m.value as u64);
            }
            _ => {}
        }
    }
    member
}

// --- certificates ------------------------------------------------------------------------------------------

async fn certificates(access: &Arc<dyn NodeAccess>, planes: &[String], snapshot: &mut Snapshot) {
    // Each file's name, then its content. Private keys are not touched.
    let script = format!("cd {PKI} && for f in *.crt etcd/*.crt; do echo \"file $f\"; cat \"$f\"; done");
    let mut found = Vec::new();
    for node in planes {
        match run(access, node, &["sh", "-c", &script]).await {
            Ok(text) => found.extend(ends(node, &text)),
            Err(why) => return missing(snapshot, Input::Certificates, why),
        }
    }
    if found.is_empty() {
        return missing(snapshot, Input::Certificates, format!("there are none in {PKI}"));
    }
    read(snapshot, Input::Certificates, found.len());
    snapshot.certificates = found;
}

fn ends(node: &str, text: &str) -> Vec<Certificate> {
    let of_file = |part: &str| {
        let (file, content) = part.split_once('\n')?;
        let not_after = not_after(content)?;
        Some(Certificate { node: node.into(), file: format!("{PKI}/{file}"), not_after })
    };
    text.split("file ").filter_map(of_file).collect()
}

/// When the first certificate of a PEM text ends.
fn not_after(pem: &str) -> Option<Timestamp> {
    use base64::Engine as _;
    let body = pem.split_once("-----BEGIN CERTIFICATE-----")?.1.split_once("-----END")?.0;
    let body: String = body.split_whitespace().collect();
    let der = base64::engine::general_purpose::STANDARD.decode(body).ok()?;
    // Certificate, its body, then [version], serial, algorithm, issuer, validity.
    let (_, certificate, _) = element(&der)?;
    let (_, mut rest, _) = element(certificate)?;
    let (tag, _, after_first) = element(rest)?;
    if tag == 0xa0 {
        rest = after_first;
    }
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (_, validity, _) = element(rest)?;
    let (_, _, until) = element(validity)?;
    let (tag, time, _) = element(until)?;
    time_of(tag, std::str::from_utf8(time).ok()?)
}

/// The first element of DER: its tag, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(*first) {
        short @ 0..=127 => (short, rest),
        long => {
            let bytes = rest.get(..long - 128).filter(|b| b.len() <= 4)?;
            (bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b)), &rest[bytes.len()..])
        }
    };
    Some((*tag, rest.get(..length)?, rest.get(length..)?))
}

/// A UTCTime or GeneralizedTime.
fn time_of(tag: u8, text: &str) -> Option<Timestamp> {
    let full = match tag {
        0x17 if text.get(..2)? >= "50" => format!("19{text}"),
        0x17 => format!("20{text}"),
        _ => text.to_string(),
    };
    let part = |from: usize, to: usize| full.get(from..to);
    let (day, time) = (
        format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?),
        format!("{}:{}:{}", part(8, 10)?, part(10, 12)?, part(12, 14)?),
    );
    format!("{day}T{time}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 10 -nodes -subj /CN=x`, without its key.
    const PEM: &str = include_str!("nodes/test.crt");

    #[test]
    fn a_certificate_tells_its_end() {
        assert_eq!(
            not_after(PEM).map(|t| t.to_string()).as_deref(),
            Some(include_str!("nodes/test.end").trim())
        );
        assert_eq!(ends("n1", &format!("file a.crt\n{PEM}file b.crt\nnonsense\n")).len(), 1);
        for broken in ["", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "x"] {
            assert_eq!(not_after(broken), None);
        }
    }

    #[test]
    fn each_metric_of_the_table_is_in_the_snapshot() {
        let told = "etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.1\"} 8
etcd_disk_wal_fsync_duration_seconds_count 8
etcd_disk_backend_commit_duration_seconds_bucket{le=\"0.1\"} 8
etcd_disk_backend_commit_duration_seconds_count 8
etcd_mvcc_db_total_size_in_bytes 5
etcd_server_quota_backend_bytes 7
";
        let all = api::parse(told, metrics::Endpoint::Etcd).expect("well-formed");
        api::assert_each_is_read(metrics::Endpoint::Etcd, &all, |signals| of_metrics("n", signals));
    }

    #[test]
    fn a_window_holds_only_what_came_since() {
        let at = |fast: u64, slow: u64| {
            let histogram = loopdrill_model::signal::Histogram {
                name: "etcd_disk_wal_fsync_duration_seconds".into(),
                labels: Default::default(),
                buckets: vec![(0.001, fast), (1.0, fast + slow)],
                sum: 0.0,
                count: fast + slow,
            };
            vec![Signal::Histogram(histogram)]
        };
        let slow_start = of_metrics("n", &at(10, 90));
        assert!(slow_start.fsync_p99.is_some_and(|s| s > 0.9));
        let now = of_metrics("n", &since(&at(10, 90), at(60, 90)));
        assert_eq!(now.syncs, 50);
        assert!(now.fsync_p99.is_some_and(|s| s <= 0.001), "{now:?}");
    }

    #[test]
    fn overlays_know_what_carries_them() {
        let devices = r#"[
            {"ifname": "lo", "mtu": 65536},
            {"ifname": "eth0", "mtu": 1500, "linkinfo": {"info_kind": "veth"}},
            {"ifname": "flannel.1", "mtu": 1450, "linkinfo": {"info_kind": "vxlan", "info_data": {"link": "eth0"}}},
            {"ifname": "geneve_sys", "mtu": 1450, "linkinfo": {"info_kind": "geneve", "info_data": {}}}
        ]"#;
        let found = overlays("n1", devices, "default via 10.0.0.1 dev eth0\n").expect("understood");
        let told: Vec<_> = found.iter().map(|l| (l.device.as_str(), l.mtu, l.underlay_mtu)).collect();
        assert_eq!(told, [("flannel.1", 1450, 1500), ("geneve_sys", 1450, 1500)]);
        assert!(overlays("n1", "nonsense", "").is_err());
    }
}
