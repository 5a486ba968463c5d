//! Links and routes over rtnetlink, in the network namespace of the calling thread.
//!
//! Every call runs on a small runtime of its own on the calling thread: a netlink socket belongs to the
//! namespace of the thread that opens it, and a runtime's worker must never change namespaces.

pub(super) mod df;
pub(super) mod lookup;
pub(super) mod mtu;
pub(super) mod route;
#[cfg(test)]
pub(crate) mod tests;

use super::error::StepError;
use futures::{Stream, TryStreamExt};
use rtnetlink::{
    Handle, LinkUnspec,
    packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload},
    packet_route::{
        RouteNetlinkMessage,
        link::{LinkAttribute, LinkMessage},
    },
};

/// Runs `work` with a netlink connection of this thread's network namespace.
fn netlink<T>(work: impl AsyncFnOnce(Handle) -> Result<T, StepError>) -> Result<T, StepError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(StepError::io("netlink runtime"))?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(StepError::io("netlink socket"))?;
        tokio::spawn(connection);
        work(handle).await
    })
}

async fn all<T>(
    stream: impl Stream<Item = Result<T, rtnetlink::Error>>,
    doing: &str,
) -> Result<Vec<T>, StepError> {
    stream.try_collect().await.map_err(StepError::netlink(doing))
}

/// The link called `name`, or `None` when there is none.
async fn link(handle: &Handle, name: &str) -> Result<Option<LinkMessage>, StepError> {
    let links = all(handle.link().get().execute(), "list links").await?;
    Ok(links.into_iter().find(|link| name_of(link) == Some(name)))
}

/// The link called `name`, which must exist.
async fn must_link(handle: &Handle, name: &str) -> Result<LinkMessage, StepError> {
    link(handle, name).await?.ok_or_else(|| StepError::Unfit(format!("there is no link {name}")))
}

fn name_of(link: &LinkMessage) -> Option<&str> {
    link.attributes.iter().find_map(|a| match a {
        LinkAttribute::IfName(name) => Some(name.as_str()),
        _ => None,
    })
}

fn mtu_of(link: &LinkMessage) -> Option<u32> {
    link.attributes.iter().find_map(|a| match a {
        LinkAttribute::Mtu(mtu) => Some(*mtu),
        _ => None,
    })
}

/// Changes an existing link. By `RTM_NEWLINK`, because the kernel ignores a device's own attributes in
/// `RTM_SETLINK`; without `NLM_F_CREATE`, so that nothing is created when the link is gone.
async fn change(handle: &Handle, message: LinkMessage, doing: &str) -> Result<(), StepError> {
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewLink(message));
    request.header.flags = NLM_F_REQUEST | NLM_F_ACK;
    let mut answers = handle.clone().request(request).map_err(StepError::netlink(doing))?;
    while let Some(answer) = futures::StreamExt::next(&mut answers).await {
        if let NetlinkPayload::Error(error) = answer.payload
            && error.code.is_some()
        {
            return Err(StepError::netlink(doing)(rtnetlink::Error::NetlinkError(error)));
        }
    }
    Ok(())
}

fn by_index(link: &LinkMessage) -> rtnetlink::LinkMessageBuilder<LinkUnspec> {
    LinkUnspec::new_with_index(link.header.index)
}

/// How a device's value differs from the one before.
fn differs<T: std::fmt::Display + PartialEq>(what: &str, now: Option<T>, before: T) -> Option<String> {
    match now {
        Some(now) if now == before => None,
        Some(now) => Some(format!("{what}: {now}, before: {before}")),
        None => Some(format!("{what}: the device is gone, before: {before}")),
    }
}
