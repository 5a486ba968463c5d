use super::{
    DF, FILTERED_ICMP, OverlayMtu,
    report::{Report, Request, judge},
    tag, variants, web,
};
use crate::{
    Hold, Look, Resource,
    node::{DropFragNeeded, LinkMtu, RouteMtu, Step, VxlanDf, locate::Overlay},
    victim::{http_server, place::tests::facts},
};
use std::net::{Ipv4Addr, SocketAddrV4};

fn report(small: u16, large: u16) -> Report {
    let request = |bytes, status| Request { bytes, status, ms: 3 };
    Report { dns: Ok(1), connect: Ok(1), small: request(64, small), large: request(65536, large) }
}

#[test]
fn only_lost_large_answers_are_the_symptom() {
    let well = report(200, 200);
    let broken = report(200, 504);
    assert_eq!(judge(&[broken.clone(), well.clone()]), Look::Well);
    assert!(
        matches!(judge(&[broken.clone(), broken.clone()]), Look::Broken(e) if e.len() == 4 && e[0].value.starts_with("504"))
    );
    let no_dns = Report { dns: Err("no answer".into()), ..broken.clone() };
    for reports in [
        vec![],
        vec![broken.clone()],
        vec![well, broken.clone()],
        vec![report(504, 504), report(504, 504)],
        vec![report(200, 502), report(200, 502)],
        vec![broken, no_dns],
    ] {
        assert!(matches!(judge(&reports), Look::Settling(_)), "{reports:?}");
    }
}

#[test]
fn the_path_gets_narrower_than_what_pods_send() {
    let overlay = Overlay {
        device: "vx".into(),
        mtu: 1450,
        underlay: "eth0".into(),
        underlay_mtu: 1500,
        peer: Ipv4Addr::new(10, 0, 0, 2),
        port: 8472,
    };
    let filter: Step = DropFragNeeded { tag: "t".into() }.into();
    let df = OverlayMtu(&DF).steps(&overlay, "t".into());
    let narrow = RouteMtu { peer: overlay.peer, mtu: 1400 }.into();
    assert_eq!(df, [filter.clone(), narrow, VxlanDf { link: "vx".into(), on: true }.into()]);
    let filtered = OverlayMtu(&FILTERED_ICMP).steps(&overlay, "t".into());
    assert_eq!(filtered, [filter, LinkMtu { link: "vx".into(), mtu: 1300 }.into()]);
}

#[test]
fn the_footprint_names_both_nodes() {
    let facts = facts(&[("x", Some("a")), ("y", Some("b"))]);
    for fault in variants() {
        let footprint = fault.footprint(&facts);
        for node in ["x", "y"] {
            assert_eq!(footprint.0.get(&Resource::NodeNetwork(node.into())), Some(&Hold::Breaks));
            assert_eq!(footprint.0.get(&Resource::NodeLife(node.into())), Some(&Hold::Uses));
        }
        assert!(fault.dry_run(&facts).iter().any(|line| line.contains("undo")));
    }
}

#[test]
fn a_tag_is_a_name_that_packet_filters_take() {
    assert_eq!(tag("r-2026.11/x"), "loopdrill_r202611x");
}

#[tokio::test]
async fn the_backend_answers_with_what_is_asked_for() {
    let listener = http_server::listen(0).await.expect("a port");
    let port = listener.local_addr().expect("address").port();
    let backend = web::backend(std::time::Duration::ZERO);
    let server = tokio::spawn(async move { axum::serve(listener, backend).await });
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let (status, body) = web::fetch(address, "backend", 70_000).await.expect("an answer");
    assert_eq!((status, body.len()), (200, 70_000));
    server.abort();
}
