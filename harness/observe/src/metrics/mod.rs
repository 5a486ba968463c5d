//! Metrics endpoints: API server, etcd, kubelets.

mod apiserver;
pub(crate) mod etcd;
mod kubelet;
mod parse;
mod scrape;

pub use parse::{ParseError, Parser, Sample};

pub(crate) use apiserver::scrape_apiserver;
pub(crate) use etcd::scrape_etcd_pod;
pub(crate) use kubelet::scrape_kubelet;
