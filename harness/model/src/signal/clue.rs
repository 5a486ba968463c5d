//! What a failing container said, as a class with a few fields of fixed shape. Never a text.
//!
//! Invariants:
//! - Whoever reads a log classifies it on the spot and drops it; a [`Clue`] is what remains.
//! - Every text in here has the shape of a Kubernetes name, a host or an address, and was checked for it: what somebody
//!   prints into a log cannot travel in one.

use crate::Subject;
use serde::{Deserialize, Serialize};

/// One thing that a failing container said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clue {
    /// The pod.
    pub pod: Subject,
    /// The pod's uid.
    pub uid: String,
    /// The container's name.
    pub container: String,
    /// Which life: the restart count before it.
    pub restarts: u32,
    /// Where it was said.
    pub place: CluePlace,
    /// What was said.
    pub kind: ClueKind,
    /// In how many lines.
    pub lines: u32,
    /// How many lines came after the last of them.
    pub lines_after: u32,
}

/// Where a container says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CluePlace {
    /// The termination message in its status.
    TerminationMessage,
    /// The end of its log.
    Log,
}

/// Where something on the network is.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Peer {
    /// A name or an address; empty when it was not said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// The port, when it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// What a certificate lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsFailure {
    /// It is over, or not valid yet.
    Expired,
    /// Nobody whom the client trusts has signed it.
    UnknownAuthority,
    /// It is for another name.
    WrongName,
    /// The other side does not speak TLS, or another version of it.
    NoTls,
}

/// Where a file lies, by the pod's own spec.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilePlace {
    /// It was not said.
    #[default]
    Unknown,
    /// On the volume of this claim.
    Claim(String),
    /// On a volume that the spec mounts read-only, or that always is, or in an image that may not be written to.
    ReadOnlyBySpec,
    /// On the node's own disk: an `emptyDir`, a `hostPath`, or the container's own layer.
    Node,
}

/// A class of what programs say before they end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "class", rename_all = "kebab-case")]
pub enum ClueKind {
    /// The API server refused a request: 403.
    ApiForbidden {
        /// Who asked, when it was said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<Subject>,
        /// What it wanted to do.
        verb: String,
        /// The API group; empty for the core.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        group: String,
        /// The resource, with its subresource.
        resource: String,
        /// The namespace; empty for the whole cluster.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        namespace: String,
        /// The object's name, when it was said.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        name: String,
    },
    /// The API server does not know who asks: 401.
    ApiUnauthorized,
    /// A cloud denies an action.
    CloudDenied,
    /// A cloud does not take the token: expired, invalid, or there is none.
    CloudToken,
    /// A cloud throttles.
    CloudThrottled,
    /// A database, a cache or a broker rejects the password.
    PasswordRejected,
    /// A name does not resolve.
    NameUnresolved {
        /// Which.
        peer: Peer,
    },
    /// Nobody listens there.
    ConnectionRefused {
        /// Where.
        peer: Peer,
    },
    /// It came through to nobody there, and does not say why.
    NotReached {
        /// Where.
        peer: Peer,
    },
    /// The other side broke the connection off.
    ConnectionReset {
        /// Where.
        peer: Peer,
    },
    /// No answer in time to who wanted to connect.
    ConnectionTimedOut {
        /// Where.
        peer: Peer,
    },
    /// No answer in time to a request, as far as it is known after the connection was there.
    AnswerLate {
        /// Whose.
        peer: Peer,
    },
    /// An upstream errs with a status of 5xx.
    UpstreamError {
        /// The status.
        code: u16,
    },
    /// A certificate is refused.
    Tls {
        /// Why.
        why: TlsFailure,
        /// Whose.
        peer: Peer,
    },
    /// No space is left (`ENOSPC`), or a quota on the disk is used up (`EDQUOT`).
    NoSpace {
        /// Where.
        file: FilePlace,
    },
    /// The file system is read-only (`EROFS`).
    ReadOnlyFileSystem {
        /// Where.
        file: FilePlace,
    },
    /// A disk errs (`EIO`), or a network file system lost its server (`ESTALE`).
    DiskError {
        /// Where.
        file: FilePlace,
    },
    /// A file may not be opened (`EACCES`, `EPERM`).
    FilePermission {
        /// Where.
        file: FilePlace,
    },
    /// Too many files are open (`EMFILE`, `ENFILE`).
    TooManyFiles,
    /// The address to listen on is taken (`EADDRINUSE`).
    AddressInUse,
    /// Out of memory in the words of the program's own runtime.
    RuntimeOutOfMemory,
    /// The program is for another machine (`ENOEXEC`).
    ExecFormat,
    /// There is no such program.
    CommandNotFound,
    /// A setting is missing.
    SettingMissing,
    /// A setting cannot be read.
    SettingMalformed,
    /// A stack trace of the program itself.
    StackTrace,
    /// etcd did not answer the API server in time.
    EtcdTimeout,
}

impl ClueKind {
    /// What a program meets on its own machine and in its own settings, whoever else answers late or not at all.
    #[must_use]
    pub fn is_of_its_own_machine(&self) -> bool {
        matches!(
            self,
            Self::NoSpace { .. }
                | Self::ReadOnlyFileSystem { .. }
                | Self::DiskError { .. }
                | Self::FilePermission { .. }
                | Self::TooManyFiles
                | Self::AddressInUse
                | Self::RuntimeOutOfMemory
                | Self::ExecFormat
                | Self::CommandNotFound
                | Self::SettingMissing
                | Self::SettingMalformed
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clue_comes_back() {
        let peer = Peer { host: "db.shop.svc".into(), port: Some(5432) };
        let file = FilePlace::Claim("data".into());
        for said in [
            ClueKind::ApiForbidden {
                account: Some(Subject::new("ServiceAccount", "shop", "app")),
                verb: "list".into(),
                group: "apps".into(),
                resource: "deployments".into(),
                namespace: String::new(),
                name: String::new(),
            },
            ClueKind::ConnectionRefused { peer: peer.clone() },
            ClueKind::NotReached { peer: peer.clone() },
            ClueKind::Tls { why: TlsFailure::WrongName, peer },
            ClueKind::ReadOnlyFileSystem { file },
            ClueKind::NoSpace { file: FilePlace::Unknown },
            ClueKind::UpstreamError { code: 503 },
            ClueKind::StackTrace,
        ] {
            let json = serde_json::to_value(&said).expect("plain data");
            assert_eq!(serde_json::from_value::<ClueKind>(json).expect("the same format"), said);
        }
    }
}
