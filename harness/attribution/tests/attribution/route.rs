//! A failing pod's requests, followed through the objects of a cluster that is looked at once: the place at which they
//! cannot go on is the cause, and the same objects without a failing pod are none.

use crate::{scene::*, scenes::*};
use loopdrill_kubernetes::{LabelSelector, PolicyPeer, PolicyPort, PolicyRule};
use loopdrill_model::{Cause::*, Diagnosis, Signal, signal::*};
use std::collections::BTreeMap;

fn app(name: &str) -> BTreeMap<String, String> {
    [("app".to_owned(), name.to_owned())].into()
}

fn of(name: &str) -> LabelSelector {
    LabelSelector { labels: app(name), expressions: vec![] }
}

fn peer(host: &str) -> Peer {
    Peer { host: host.into(), port: Some(5432) }
}

/// A database that is well on `w2`, its Service, and the cluster's DNS.
fn shop() -> Scene {
    let mut s = Scene::called_in();
    for resource in ["networkpolicies", "namespaces"] {
        let name = loopdrill_model::Source::api(resource);
        s.see(Signal::SourceState(SourceState { name, lost: None }));
    }
    let node = s.name("w2");
    s.pod("db-0", |p| {
        (p.node, p.labels) = (Some(node), app("db").into());
        p.containers[0].ports =
            vec![ContainerPort { name: "pg".into(), number: 5432, protocol: "TCP".into() }];
    });
    s.pod("dns-0", |p| (p.namespace, p.labels) = ("kube-system".into(), app("dns").into()));
    service(&mut s, "kube-system", "kube-dns", |d| {
        (d.selector, d.addresses) = (app("dns"), vec!["10.96.0.10".into()])
    });
    service(&mut s, "ns", "db", |_| {});
    endpoints(&mut s, "kube-system", "kube-dns", 1);
    endpoints(&mut s, "ns", "db", 1);
    s
}

fn service(s: &mut Scene, namespace: &str, name: &str, change: impl FnOnce(&mut Service)) {
    let port =
        ServicePort { port: 5432, protocol: "TCP".into(), target: Some(5432), target_name: String::new() };
    let mut new = Service {
        namespace: namespace.into(),
        name: name.into(),
        uid: format!("service-{name}"),
        version: 1,
        selector: app("db"),
        addresses: vec!["10.96.1.1".into()],
        ports: vec![5432],
        targets: vec![port],
        ..Service::default()
    };
    change(&mut new);
    s.see(Signal::Service(new));
}

fn endpoints(s: &mut Scene, namespace: &str, service: &str, ready: u32) {
    let (namespace, service) = (namespace.to_owned(), service.to_owned());
    s.see(Signal::Endpoints(Endpoints { namespace, service, ready, not_ready: 0 }));
}

/// A client that has ended again and again for an hour, and says this.
fn client(s: &mut Scene, said: Option<ClueKind>, change: impl FnOnce(&mut Pod)) -> Vec<Diagnosis> {
    let pod = s.pod("web", |p| {
        (p.labels, p.ways.names) = (app("web").into(), vec![peer("db")]);
        change(p);
    });
    let pod = s.crash_loop(pod, 1, "Error");
    said.into_iter().for_each(|kind| s.says(&pod, kind));
    s.pass(6.0);
    s.diagnoses()
}

fn unresolved() -> Option<ClueKind> {
    Some(ClueKind::NameUnresolved { peer: peer("db") })
}

fn refused() -> Option<ClueKind> {
    Some(ClueKind::ConnectionRefused { peer: peer("db") })
}

fn unanswered() -> Option<ClueKind> {
    Some(ClueKind::ConnectionTimedOut { peer: peer("db") })
}

fn policy(s: &mut Scene, about: &str, ingress: Option<Vec<PolicyRule>>, egress: Option<Vec<PolicyRule>>) {
    s.see(Signal::NetworkPolicy(NetworkPolicy {
        namespace: "ns".into(),
        name: "policy".into(),
        uid: "policy".into(),
        version: 1,
        created_at: None,
        pods: of(about),
        ingress,
        egress,
    }));
}

fn from(name: &str) -> PolicyRule {
    let peer = PolicyPeer { pods: Some(of(name)), ..PolicyPeer::default() };
    PolicyRule { peers: vec![peer], ..PolicyRule::default() }
}

#[test]
fn where_the_way_is_whole_the_program_is_to_blame_unless_it_ended_without_an_answer() {
    let found = client(&mut shop(), None, |_| {});
    assert_eq!(found[0].cause, Some(ApplicationExit), "{found:#?}");
    let found = client(&mut shop(), unanswered(), |_| {});
    assert_eq!((found[0].cause, found[0].confidence), (Some(TrafficFiltered), 0.55), "{found:#?}");
    assert!(found[0].evidence.iter().any(|e| e.signal == "not confirmed"), "{found:#?}");
}

#[test]
fn a_policy_that_does_not_let_the_client_in_or_out() {
    let mut s = shop();
    policy(&mut s, "db", Some(vec![from("api")]), None);
    let found = client(&mut s, unanswered(), |_| {});
    assert_eq!(found[0].cause, Some(TrafficFiltered), "{found:#?}");
    assert!(is_about(&found[0], "NetworkPolicy", "policy") && is_about(&found[0], "Service", "db"));
    let mut s = shop();
    policy(&mut s, "db", Some(vec![from("web")]), None);
    let found = client(&mut s, unanswered(), |_| {});
    assert!(found.iter().all(|d| !is_about(d, "NetworkPolicy", "policy")), "it lets it in: {found:#?}");
    let dns = PolicyPort { protocol: "UDP".into(), port: Some(53), ..PolicyPort::default() };
    let mut s = shop();
    policy(&mut s, "web", None, Some(vec![PolicyRule { ports: vec![dns], ..PolicyRule::default() }]));
    assert_eq!(client(&mut s, unanswered(), |_| {})[0].cause, Some(TrafficFiltered));
}

#[test]
fn a_policy_without_the_dns_leaves_no_name() {
    let mut s = shop();
    policy(&mut s, "web", None, Some(vec![from("db")]));
    let found = client(&mut s, unresolved(), |_| {});
    assert_eq!(found[0].cause, Some(TrafficFiltered), "{found:#?}");
    assert!(found[0].evidence[0].value.contains("port 53"), "{:?}", found[0].evidence);
}

#[test]
fn a_policy_that_nobody_suffers_from_is_no_finding() {
    let mut s = shop();
    policy(&mut s, "db", Some(vec![]), Some(vec![]));
    s.pod("web", |p| (p.labels, p.ways.names) = (app("web").into(), vec![peer("db")]));
    s.pass(6.0);
    assert_eq!(s.causes(), []);
}

#[test]
fn a_pod_that_asks_another_dns() {
    let asks = |policy: &str, servers: &[&str]| {
        let servers = servers.iter().map(ToString::to_string).collect();
        let dns = PodDns { policy: policy.into(), servers, searches: vec![] };
        client(&mut shop(), unresolved(), |p| p.ways.dns = Some(dns))[0].clone()
    };
    assert_eq!(asks("Default", &[]).cause, Some(DnsFailure));
    assert_eq!(asks("None", &["10.0.0.99"]).cause, Some(DnsFailure));
    let own = asks("None", &["10.96.0.10"]);
    assert!(own.cause == Some(ApplicationExit) || own.confidence <= 0.4, "{own:#?}");
}

#[test]
fn a_target_port_that_its_pods_do_not_have() {
    let to = |target: Option<u16>, name: &str| {
        let mut s = shop();
        let lost = ServicePort { port: 5432, protocol: "TCP".into(), target, target_name: name.into() };
        service(&mut s, "ns", "db", |d| (d.version, d.targets) = (2, vec![lost]));
        client(&mut s, refused(), |_| {})[0].clone()
    };
    let lost = to(None, "postgres");
    assert_eq!(lost.cause, Some(BadConfiguration));
    assert!(is_about(&lost, "Service", "db") && lost.evidence[0].value.contains("postgres"), "{lost:#?}");
    assert_eq!(to(Some(5433), "").cause, Some(BadConfiguration));
    assert_eq!(to(None, "pg").cause, Some(ApplicationExit), "it leads there");
}

#[test]
fn scaled_to_zero_and_selecting_nobody_are_told_apart() {
    let told = |scaled: bool| {
        let mut s = shop();
        endpoints(&mut s, "ns", "gone", 0);
        service(&mut s, "ns", "gone", |d| d.selector = app("gone"));
        if scaled {
            s.see(Signal::Controller(Controller {
                kind: "Deployment".into(),
                namespace: "ns".into(),
                name: "gone".into(),
                uid: "gone".into(),
                version: 1,
                template: app("gone"),
                ..Controller::default()
            }));
        }
        let said = ClueKind::ConnectionRefused { peer: peer("gone") };
        client(&mut s, Some(said), |_| {})[0].clone()
    };
    let (scaled, nobody) = (told(true), told(false));
    assert_eq!((scaled.cause, nobody.cause), (Some(NoReadyEndpoints), Some(NoReadyEndpoints)));
    assert!(is_about(&scaled, "Deployment", "gone"), "{scaled:#?}");
    assert!(nobody.evidence.iter().any(|e| e.value.contains("no pod matches")), "{nobody:#?}");
}

#[test]
fn a_service_of_its_own_node_only_that_has_nobody_there() {
    let mut s = shop();
    service(&mut s, "ns", "db", |d| (d.version, d.local_only) = (2, true));
    let found = client(&mut s, unanswered(), |_| {});
    assert_eq!(found[0].cause, Some(NoReadyEndpoints), "{found:#?}");
    let mut s = shop();
    service(&mut s, "ns", "db", |d| (d.version, d.local_only) = (2, true));
    let there = s.name("w2");
    let found = client(&mut s, unanswered(), |p| p.node = Some(there));
    assert!(found.iter().all(|d| d.cause != Some(NoReadyEndpoints)), "{found:#?}");
}

#[test]
fn the_proxy_of_its_node_does_not_run() {
    let mut s = shop();
    s.pod("proxy", |p| {
        (p.namespace, p.ready, p.ways.serves) = ("kube-system".into(), false, Some(NetworkRole::Proxy));
    });
    let found = client(&mut s, unanswered(), |_| {});
    assert_eq!(found[0].cause, Some(TrafficFiltered), "{found:#?}");
    assert!(is_about(&found[0], "Pod", "proxy"));
}

#[test]
fn a_misspelt_name_in_the_spec_is_believed_a_little_and_another_s_not() {
    let names = |name: &str| client(&mut shop(), None, |p| p.ways.names = vec![peer(name)])[0].clone();
    let mut s = shop();
    service(&mut s, "ns", "postgres", |_| {});
    let found = client(&mut s, None, |p| p.ways.names = vec![peer("postgress")]);
    assert_eq!(found[0].cause, Some(BadConfiguration), "{found:#?}");
    assert!(found[0].confidence <= 0.6 && found[0].evidence[0].value.contains("there is postgres"));
    assert_eq!(names("unknown").cause, Some(ApplicationExit), "it may be anybody's");
    assert_eq!(names("cache.ns.svc").cause, Some(BadConfiguration), "it says that it is a Service's");
}

/// A cache of names on each worker, and the Service that leads a pod to the one of its own node.
fn caches(s: &mut Scene, here: Option<bool>, there: bool) {
    let (w1, w2) = (s.name("w1"), s.name("w2"));
    for (name, node, ready) in [("cache-1", w1, here), ("cache-2", w2, Some(there))] {
        let Some(ready) = ready else { continue };
        s.pod(name, |p| (p.node, p.ready, p.labels) = (Some(node), ready, app("cache").into()));
    }
    service(s, "ns", "names", |c| {
        (c.selector, c.addresses, c.local_only) = (app("cache"), vec!["10.96.7.7".into()], true);
    });
}

fn asks_the_cache(p: &mut Pod) {
    let servers = vec!["10.96.7.7".into()];
    p.ways.dns = Some(PodDns { policy: "None".into(), servers, searches: vec![] });
}

#[test]
fn the_cache_of_its_node_is_not_there() {
    for here in [None, Some(false)] {
        let mut s = shop();
        caches(&mut s, here, true);
        let found = client(&mut s, unresolved(), asks_the_cache);
        assert_eq!(found[0].cause, Some(NodeDnsFailure), "{found:#?}");
        assert_eq!(found.len(), 1, "the unready cache is no second story: {found:#?}");
        assert!(is_about(&found[0], "Node", "w1") && is_about(&found[0], "Service", "names"), "{found:#?}");
        assert!(found[0].confidence >= 0.85, "{found:#?}");
    }
}

/// The same last words.
#[test]
fn a_name_that_does_not_resolve_with_the_cache_of_the_node_in_place_is_another_s_fault() {
    let told = |tell: &dyn Fn(&mut Scene)| {
        let mut s = shop();
        let made = Some(s.ago(300.0));
        service(&mut s, "ns", "db", |d| (d.version, d.created_at) = (2, made));
        caches(&mut s, Some(true), true);
        tell(&mut s);
        client(&mut s, unresolved(), asks_the_cache)[0].clone()
    };
    let well = told(&|_| {});
    assert_eq!((well.cause, well.confidence), (Some(DnsFailure), 0.55), "{well:#?}");
    let denied = told(&|s| policy(s, "web", None, Some(vec![from("db")])));
    assert_eq!(denied.cause, Some(TrafficFiltered), "{denied:#?}");
    let down = told(&|s| {
        s.gone("Pod", "dns-0", "pod-dns-0");
        endpoints(s, "kube-system", "kube-dns", 0);
    });
    assert_eq!(down.cause, Some(DnsFailure), "{down:#?}");
    let mut s = shop();
    caches(&mut s, None, false);
    let nowhere = client(&mut s, unresolved(), asks_the_cache);
    assert_eq!(nowhere[0].cause, Some(DnsFailure), "no node has one: {nowhere:#?}");
    let mut s = shop();
    caches(&mut s, None, true);
    let silent = client(&mut s, None, asks_the_cache);
    assert!(silent[0].confidence <= 0.6, "it does not say that it needs the name: {silent:#?}");
}

/// As `node-local-dns` is made: a pod of each node, of one owner, to which the node leads what its pods ask.
#[test]
fn a_cache_with_its_node_s_network_is_down_on_one_node() {
    let told = |here: bool, there: bool| {
        let mut s = shop();
        let (w1, w2) = (s.name("w1"), s.name("w2"));
        for (name, node, ready) in [("cache-1", w1, here), ("cache-2", w2, there)] {
            s.pod(name, |p| {
                (p.node, p.ready, p.host_network, p.namespace) =
                    (Some(node), ready, true, "kube-system".into());
                p.ways.serves = Some(NetworkRole::DnsCache);
                p.owner = Some(loopdrill_model::Subject::new("DaemonSet", "kube-system", "cache"));
            });
        }
        client(&mut s, unresolved(), |_| {})[0].clone()
    };
    let down = told(false, true);
    assert_eq!(down.cause, Some(NodeDnsFailure), "{down:#?}");
    assert!(is_about(&down, "Pod", "cache-1") && is_about(&down, "Node", "w1"), "{down:#?}");
    assert_ne!(told(true, true).cause, Some(NodeDnsFailure));
    assert_ne!(told(true, false).cause, Some(NodeDnsFailure), "another node's");
    assert_ne!(told(false, false).cause, Some(NodeDnsFailure), "all of them");
}

#[test]
fn probes_of_the_dns_confirm_what_a_container_says() {
    let told = |answers: bool| {
        let mut s = shop();
        let pod = s.pod("web", |p| p.labels = app("web").into());
        healthy_rounds(&mut s, 22);
        let dns = if answers { PASSED } else { LOST };
        let mut pod = Some(pod);
        for round in 0..14 {
            if round == 2 || round == 8 {
                pod = pod.map(|p| s.dies(p, 1, "Error", round / 8));
            }
            if round == 5 {
                pod = pod.map(|p| s.runs_again(p));
            }
            round_with(&mut s, [PASSED, PASSED, PASSED], PASSED, [dns.clone(), PASSED]);
        }
        let said = ClueKind::NameUnresolved { peer: peer("db") };
        pod.iter().for_each(|p| s.says(p, said.clone()));
        round_with(&mut s, [PASSED, PASSED, PASSED], PASSED, [dns, PASSED]);
        s.diagnoses()
    };
    let found = told(false);
    assert_eq!((found.len(), found[0].cause), (1, Some(NodeDnsFailure)), "{found:#?}");
    assert!(is_about(&found[0], "Pod", "web") && is_about(&found[0], "Node", "w1"), "{found:#?}");
    assert!(told(true).iter().all(|d| d.cause != Some(NodeDnsFailure)));
}
