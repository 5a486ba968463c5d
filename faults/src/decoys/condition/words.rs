//! Whose words show that it is this condition: two with the same symptom differ in them.

use super::{NAME, Told};
use crate::{
    FaultContext, FaultError, Look,
    look::seen,
    victim::{api, log_of, newest, pods_of},
};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::{ResourceExt, api::ListParams};
use loopdrill_model::Evidence;

/// The look at a victim with the symptom, whose `evidence` that is: broken when the words are there, too.
pub(crate) async fn look(
    ctx: &FaultContext,
    told: Told,
    mut evidence: Vec<Evidence>,
) -> Result<Look, FaultError> {
    let (who, wanted, said) = match told {
        Told::Symptom(words) => {
            let said = evidence.iter().find(|e| holds(&e.value, words) || holds(&e.signal, words));
            ("its status", words, said.map(|_| None))
        }
        Told::Event(words) => ("an event", words, event(ctx, words).await?.map(Some)),
        Told::Log(words) => ("its log", words, line(ctx, words).await?.map(Some)),
        Told::Answer(asks) => ("whom it asks", "no", asks(ctx).await?.map(Some)),
    };
    Ok(match said {
        Some(more) => {
            evidence.extend(more);
            Look::Broken(evidence)
        }
        None => Look::Settling(format!("{who} does not say {wanted:?}")),
    })
}

fn holds(text: &str, words: &str) -> bool {
    text.to_lowercase().contains(&words.to_lowercase())
}

async fn event(ctx: &FaultContext, words: &str) -> Result<Option<Evidence>, FaultError> {
    let events = api::<Event>(ctx).list(&ListParams::default()).await;
    let events = events.map_err(FaultError::api("list the events of the drill"))?;
    let messages = events.items.into_iter().filter_map(|e| Some((e.reason?, e.message?)));
    let said = messages.into_iter().find(|(_, message)| holds(message, words));
    Ok(said.map(|(reason, message)| seen(format!("event {reason}"), message)))
}

/// That the log holds the words. It is a victim's own log; still no text of it leaves this function.
async fn line(ctx: &FaultContext, words: &str) -> Result<Option<Evidence>, FaultError> {
    let pods = pods_of(ctx, NAME).await?;
    let Some(pod) = newest(&pods) else { return Ok(None) };
    for previous in [restarted(pod), false] {
        // A life of which no log is kept says nothing.
        if let Ok(log) = log_of(ctx, &pod.name_any(), previous).await
            && holds(&log, words)
        {
            return Ok(Some(seen("its log says", words)));
        }
    }
    Ok(None)
}

fn restarted(pod: &Pod) -> bool {
    pod.status.iter().flat_map(|s| s.container_statuses.iter().flatten()).any(|s| s.restart_count > 0)
}
