//! Clues in words for people. All of it is ours; names come from fields that have a name's shape.

use loopdrill_model::signal::*;

/// What was said, in a few words.
pub(crate) fn describe(kind: &ClueKind) -> String {
    match kind {
        ClueKind::ApiForbidden { account, .. } => {
            let who = account.as_ref().map_or_else(|| "it".to_owned(), ToString::to_string);
            format!("API 403: {who} may not {}", action(kind))
        }
        ClueKind::ApiUnauthorized => "API 401: the API server does not accept its token".into(),
        ClueKind::CloudDenied => "the cloud denies an action".into(),
        ClueKind::CloudToken => "the cloud does not take its token, or there is none".into(),
        ClueKind::CloudThrottled => "the cloud throttles".into(),
        ClueKind::PasswordRejected => {
            "a database, cache or broker rejects its password, or grants it no right".into()
        }
        ClueKind::NameUnresolved { peer } => format!("{} does not resolve", at(peer, "a name")),
        ClueKind::ConnectionRefused { peer } => format!("connection refused by {}", at(peer, "its peer")),
        ClueKind::NotReached { peer } => format!("{} not reached", at(peer, "its peer")),
        ClueKind::ConnectionReset { peer } => format!("connection reset by {}", at(peer, "its peer")),
        ClueKind::ConnectionTimedOut { peer } => format!("no answer from {}", at(peer, "its peer")),
        ClueKind::AnswerLate { peer } => format!("no answer in time from {}", at(peer, "its peer")),
        ClueKind::UpstreamError { code } => format!("an upstream answers {code}"),
        ClueKind::Tls { why, peer } => format!("{} {}", certificate(*why), of(peer)).trim_end().to_owned(),
        ClueKind::NoSpace { file } => format!("no space left{}", on(file)),
        ClueKind::ReadOnlyFileSystem { file } => format!("read-only file system{}", on(file)),
        ClueKind::DiskError { file } => format!("input/output error{}", on(file)),
        ClueKind::FilePermission { file } => format!("permission denied on a file{}", on(file)),
        ClueKind::TooManyFiles => "too many open files".into(),
        ClueKind::AddressInUse => "the address to listen on is in use".into(),
        ClueKind::RuntimeOutOfMemory => "its runtime is out of memory".into(),
        ClueKind::ExecFormat => "the program is for another architecture (exec format error)".into(),
        ClueKind::CommandNotFound => "a program, module or library is not found".into(),
        ClueKind::SettingMissing => "a setting is missing".into(),
        ClueKind::SettingMalformed => "a setting is malformed".into(),
        ClueKind::StackTrace => "a stack trace of its own".into(),
        ClueKind::EtcdTimeout => "etcd did not answer the API server in time".into(),
    }
}

/// `list clusterroles.rbac.authorization.k8s.io in the whole cluster`; empty for other clues.
pub(crate) fn action(kind: &ClueKind) -> String {
    let ClueKind::ApiForbidden { verb, group, resource, namespace, name, .. } = kind else {
        return String::new();
    };
    let group = if group.is_empty() { String::new() } else { format!(".{group}") };
    let name = if name.is_empty() { String::new() } else { format!(" {name}") };
    let place = match namespace.as_str() {
        "" => "in the whole cluster".into(),
        namespace => format!("in {namespace}"),
    };
    format!("{verb} {resource}{group}{name} {place}")
}

fn at(peer: &Peer, nobody: &str) -> String {
    match (peer.host.as_str(), peer.port) {
        ("", _) => nobody.into(),
        (host, Some(port)) if host.contains(':') => format!("[{host}]:{port}"),
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.into(),
    }
}

fn of(peer: &Peer) -> String {
    if peer.host.is_empty() { String::new() } else { format!("({})", at(peer, "")) }
}

fn certificate(why: TlsFailure) -> &'static str {
    match why {
        TlsFailure::Expired => "a certificate is expired or not valid yet",
        TlsFailure::UnknownAuthority => "a certificate is signed by nobody it trusts",
        TlsFailure::WrongName => "a certificate is for another name",
        TlsFailure::NoTls => "the other side speaks no TLS, or another version",
    }
}

fn on(file: &FilePlace) -> String {
    match file {
        FilePlace::Claim(claim) => format!(" on the volume of claim {claim}"),
        FilePlace::ReadOnlyBySpec => ", which the pod's own spec mounts read-only".into(),
        FilePlace::Node => " on the node's own disk".into(),
        FilePlace::Unknown => String::new(),
    }
}
