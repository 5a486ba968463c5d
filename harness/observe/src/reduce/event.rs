//! Kubernetes events, of either API.

use super::{count, name, time, uid, version};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use loopdrill_model::Subject;
use loopdrill_model::signal::KubeEvent;

/// An event as attribution sees it. Counters and times come in an old and a new form; both are read.
pub(crate) fn event(object: &Event) -> KubeEvent {
    let meta = &object.metadata;
    let about = &object.involved_object;
    let series = object.series.as_ref();
    let event_time = object.event_time.as_ref().map(|t| t.0);
    let created = meta.creation_timestamp.as_ref().map(|t| t.0);
    let first = time(object.first_timestamp.as_ref()).or(event_time).or(created);
    let last: Option<Timestamp> = [
        time(object.last_timestamp.as_ref()),
        series.and_then(|s| s.last_observed_time.as_ref()).map(|t| t.0),
        event_time,
        created,
    ]
    .into_iter()
    .flatten()
    .max();
    let component = object.source.as_ref().and_then(|s| s.component.clone()).filter(|c| !c.is_empty());
    KubeEvent {
        uid: if uid(meta).is_empty() { name(meta) } else { uid(meta) },
        version: version(meta),
        object: Subject::new(
            about.kind.clone().unwrap_or_default(),
            about.namespace.clone().unwrap_or_default(),
            about.name.clone().unwrap_or_default(),
        ),
        object_uid: about.uid.clone().unwrap_or_default(),
        warning: object.type_.as_deref() == Some("Warning"),
        reason: object.reason.clone().unwrap_or_default(),
        message: object.message.clone().unwrap_or_default(),
        count: count(object.count).max(count(series.and_then(|s| s.count))).max(1),
        component: component.or_else(|| object.reporting_component.clone()).unwrap_or_default(),
        first_at: first,
        last_at: last,
    }
}
