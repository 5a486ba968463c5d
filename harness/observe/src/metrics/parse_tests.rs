use super::*;
use loopdrill_model::metrics::{
    Endpoint::{self, ApiServer, Etcd, KubeletResource},
    FAMILIES,
};
use proptest::prelude::*;

/// All that anybody reads of an endpoint.
fn all(endpoint: Endpoint) -> Vec<&'static Family> {
    FAMILIES.iter().filter(|f| f.endpoint == endpoint).copied().collect()
}

fn parse(endpoint: Endpoint, text: &[u8]) -> Result<Vec<Sample>, ParseError> {
    let mut parser = Parser::new(all(endpoint));
    parser.feed(text)?;
    parser.finish()
}

fn metrics(samples: &[Sample]) -> Vec<(String, String, f64)> {
    let labels = |m: &Metric| m.labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",");
    samples
        .iter()
        .filter_map(|s| match &s.signal {
            Signal::Metric(m) => Some((m.name.clone(), labels(m), m.value)),
            _ => None,
        })
        .collect()
}

const API: &str = r#"# HELP apiserver_request_total Counter of requests
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",resource="pods",verb="GET"} 10
apiserver_request_total{code="200",component="apiserver",resource="nodes",verb="GET"} 5
apiserver_request_total{code="403",resource="pods",verb="LIST"} 1
apiserver_request_total{code="0",resource="pods",verb="WATCH"} 99
apiserver_requests_other{code="200"} 7
# TYPE apiserver_request_duration_seconds histogram
apiserver_request_duration_seconds_bucket{resource="pods",verb="GET",le="0.1"} 8
apiserver_request_duration_seconds_bucket{resource="pods",verb="GET",le="0.5"} 9
apiserver_request_duration_seconds_bucket{resource="pods",verb="GET",le="+Inf"} 10
apiserver_request_duration_seconds_sum{resource="pods",verb="GET"} 2.5
apiserver_request_duration_seconds_count{resource="pods",verb="GET"} 10
apiserver_request_duration_seconds_bucket{resource="nodes",verb="GET",le="0.1"} 1
apiserver_request_duration_seconds_bucket{resource="nodes",verb="GET",le="0.5"} 5
apiserver_request_duration_seconds_bucket{resource="nodes",verb="GET",le="+Inf"} 5
apiserver_request_duration_seconds_sum{resource="nodes",verb="GET"} 1.25
apiserver_request_duration_seconds_count{resource="nodes",verb="GET"} 5
apiserver_request_duration_seconds_count{resource="nodes",verb="WATCH"} 500
apiserver_flowcontrol_rejected_requests_total 12
"#;

#[test]
fn adds_up_over_labels_that_are_not_kept() {
    let samples = parse(ApiServer, API.as_bytes()).expect("well-formed");
    assert_eq!(
        metrics(&samples),
        [
            ("apiserver_request_total".into(), "code=200".into(), 15.0),
            ("apiserver_request_total".into(), "code=403".into(), 1.0),
            ("apiserver_flowcontrol_rejected_requests_total".into(), String::new(), 12.0),
        ]
    );
    let Signal::Histogram(latency) = &samples[0].signal else { panic!("the histogram comes first") };
    assert_eq!(latency.labels.get("verb").map(String::as_str), Some("GET"));
    assert_eq!(latency.buckets, [(0.1, 9), (0.5, 14)]);
    assert_eq!((latency.sum, latency.count), (3.75, 15));
    assert_eq!(samples.len(), 4, "long-running requests are left out");
}

#[test]
fn timestamps_are_the_endpoints_own() {
    let text = b"node_cpu_usage_seconds_total 10.5 1700000000123\nnode_memory_working_set_bytes 1e+09 1700000000456\n";
    let samples = parse(KubeletResource, text).expect("well-formed");
    assert_eq!(samples[0].millis, Some(1_700_000_000_123));
    assert_eq!(samples.len(), 1, "memory has no reader");
}

#[test]
fn escapes_in_labels() {
    let text = br#"apiserver_admission_webhook_rejection_count{error_type="a\"b\\c\n}",type="x"} 2"#;
    let samples = parse(ApiServer, text).expect("well-formed");
    assert_eq!(metrics(&samples)[0].1, "error_type=a\"b\\c\n}");
}

#[test]
fn what_is_not_metrics_is_said() {
    let page = b"<html><body>404 page not found</body></html>\n";
    assert_eq!(parse(Etcd, page), Err(ParseError::NotMetrics(1)));
    assert_eq!(parse(Etcd, b""), Ok(Vec::new()));
    assert_eq!(parse(Etcd, &vec![b'a'; LONGEST_LINE + 1]), Err(ParseError::Line));
}

#[test]
fn a_bad_line_does_not_spoil_the_others() {
    let text = b"etcd_mvcc_db_total_size_in_bytes x\netcd_mvcc_db_total_size_in_bytes{ 1\netcd_server_proposals_pending 3\netcd_mvcc_db_to";
    let samples = parse(Etcd, text).expect("some of it is well-formed");
    assert_eq!(metrics(&samples), [("etcd_server_proposals_pending".into(), String::new(), 3.0)]);
}

#[test]
fn no_number_is_no_metric() {
    let samples = parse(Etcd, b"etcd_server_proposals_pending NaN\netcd_mvcc_db_total_size_in_bytes 1\n")
        .expect("well-formed");
    assert_eq!(metrics(&samples).len(), 1);
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = parse(ApiServer, &bytes);
    }

    #[test]
    fn damaged_metrics_never_panic(at in 0..API.len(), with in any::<u8>(), end in 0..API.len()) {
        let mut text = API.as_bytes().to_vec();
        text[at] = with;
        text.truncate(end);
        let _ = parse(ApiServer, &text);
    }

    #[test]
    fn chunks_do_not_matter(cuts in proptest::collection::vec(0..API.len(), 0..20)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let mut parser = Parser::new(all(ApiServer));
        let mut from = 0;
        for cut in cuts {
            parser.feed(&API.as_bytes()[from..cut]).expect("well-formed");
            from = cut;
        }
        parser.feed(&API.as_bytes()[from..]).expect("well-formed");
        prop_assert_eq!(parser.finish(), parse(ApiServer, API.as_bytes()));
    }
}
