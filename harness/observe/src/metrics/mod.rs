//! Metrics endpoints: API server, etcd, kubelets.

mod apiserver;
pub(crate) mod etcd;
mod families;
mod kubelet;
mod parse;
mod scrape;

pub use families::{API_SERVER, CONTROL_PLANE_CONTAINERS, ETCD, Family, KUBELET, KUBELET_RESOURCE, Kind};
pub use parse::{ParseError, Parser, Sample};

pub(crate) use apiserver::scrape_apiserver;
pub(crate) use etcd::scrape_etcd_pod;
pub(crate) use kubelet::scrape_kubelet;
