//! What a failing container had to say. The text is classified as it arrives, and dropped.
//!
//! Invariants:
//! - Bounded: a few logs at a time, so many bytes of each, one reading a life, and few pods of one owner.
//! - Only the size, and clues without text, leave this module.

use super::access::Right;
use super::open::{OpenQuestions, Question};
use crate::clue::{Mounts, classify, clue};
use crate::reason::reason;
use crate::sink::{NobodyListens, Sink};
use futures::AsyncReadExt;
use k8s_openapi::api::core::v1::Pod as ApiPod;
use kube::api::LogParams;
use kube::{Api, Client};
use loopdrill_model::signal::{Clue, CluePlace, Container, ContainerState, Log, Pod};
use loopdrill_model::{Signal, Source, Subject};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

/// More than this is as good as this: the question is whether it said anything.
const MOST_SIZE: u64 = 4096;
/// Bytes of a log that are read.
const MOST_BYTES: usize = 256 << 10;
/// Lines that are asked for; and of a log whose lines are so long that those do not come.
const TAIL: i64 = 200;
const SHORT_TAIL: i64 = 4;
const LIMIT: Duration = Duration::from_secs(4);
/// Logs that are read at the same time.
const AT_ONCE: usize = 4;
/// Logs that may wait to be read.
const MOST_WAITING: usize = 64;
/// Pods of one owner whose logs are read: its others say the same.
const MOST_SIBLINGS: usize = 3;
/// Where logs may not be read, nobody is asked again for so long.
const REFUSED: Duration = Duration::from_secs(30);

/// How far a life of a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// It runs, and is not ready.
    Unready,
    /// It has ended, and no other has begun.
    Ended,
    /// Another has begun since, or is about to.
    Previous,
}

/// One log to be read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) container: String,
    /// Which life: the restart count before it.
    pub(super) life: u32,
    pub(super) how: Life,
    /// Not before: what is not ready yet may still become so.
    due: Instant,
    open: Option<Question>,
}

/// A log was read: what its words raise, which are rights that its container says it lacks.
#[derive(Default)]
pub(super) struct Raised {
    pub(super) account: Option<Subject>,
    pub(super) rights: Vec<Right>,
    pub(super) open: Option<Question>,
}

pub(super) struct Logs {
    client: Client,
    sink: Sink,
    raised: mpsc::Sender<Raised>,
    open: OpenQuestions,
    /// The lives that are read or will be, by their pod's uid: a life may be asked while it runs and again when it has ended.
    known: HashMap<String, HashSet<(String, u32, bool)>>,
    siblings: HashMap<(String, String), HashSet<String>>,
    waiting: VecDeque<Reading>,
    /// Some had no room to wait.
    left_out: bool,
    gate: Arc<Semaphore>,
    refused: Arc<std::sync::Mutex<Option<Instant>>>,
}

impl Logs {
    pub(super) fn new(client: Client, sink: Sink, raised: mpsc::Sender<Raised>, open: OpenQuestions) -> Self {
        let gate = Arc::new(Semaphore::new(AT_ONCE));
        let (known, siblings, waiting) = Default::default();
        let (left_out, refused) = Default::default();
        Self { client, sink, raised, open, known, siblings, waiting, left_out, gate, refused }
    }

    pub(super) fn forget(&mut self, uid: &str) {
        self.known.remove(uid);
        for pods in self.siblings.values_mut() {
            pods.remove(uid);
        }
        self.siblings.retain(|_, pods| !pods.is_empty());
    }

    /// Wants the log of one life, once while it runs and once when it has ended, in so much time.
    pub(super) fn want(&mut self, pod: &Pod, container: &str, life: u32, how: Life, after: Duration) {
        let key = (container.to_owned(), life, how != Life::Unready);
        let known = self.known.get(&pod.uid).is_some_and(|lives| lives.contains(&key));
        if known || !self.counts(pod) {
            return;
        }
        if self.waiting.len() >= MOST_WAITING {
            self.left_out = true;
            return;
        }
        let lives = self.known.entry(pod.uid.clone()).or_default();
        // The status tells the present life and the last.
        lives.retain(|(name, known, _)| name != container || known.saturating_add(1) >= life);
        lives.insert(key);
        if how != Life::Unready {
            // What it would have said while it ran stands in its last words.
            self.waiting.retain(|r| {
                let same =
                    (&*r.namespace, &*r.pod, &*r.container) == (&*pod.namespace, &*pod.name, container);
                r.how != Life::Unready || r.life > life || !same
            });
        }
        self.waiting.push_back(Reading {
            namespace: pod.namespace.clone(),
            pod: pod.name.clone(),
            container: container.into(),
            life,
            how,
            due: Instant::now() + after,
            open: after.is_zero().then(|| self.open.raise()),
        });
    }

    /// Says that logs were left out, when some were.
    pub(super) async fn tell_left_out(&self) -> Result<(), NobodyListens> {
        match self.left_out {
            true => {
                self.sink.lost(&Source::other("more logs"), format!("{MOST_WAITING} waited already")).await
            }
            false => Ok(()),
        }
    }

    /// Whether the pod is among the first of its owner.
    fn counts(&mut self, pod: &Pod) -> bool {
        let Some(owner) = &pod.owner else { return true };
        let pods = self.siblings.entry((pod.namespace.clone(), owner.to_string())).or_default();
        pods.contains(&pod.uid) || pods.len() < MOST_SIBLINGS && pods.insert(pod.uid.clone())
    }

    /// Reads what is due, as far as there is room.
    pub(super) fn read(&mut self) {
        let now = Instant::now();
        let refused = *self.refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if refused.is_some_and(|until| now < until) {
            self.waiting.clear();
            return;
        }
        for _ in 0..self.waiting.len() {
            let Some(next) = self.waiting.pop_front() else { return };
            if next.due > now {
                self.waiting.push_back(next);
                continue;
            }
            let Ok(place) = self.gate.clone().try_acquire_owned() else {
                self.waiting.push_front(next);
                return;
            };
            let reader = Reader {
                api: Api::namespaced(self.client.clone(), &next.namespace),
                sink: self.sink.clone(),
                refused: self.refused.clone(),
            };
            let raised = self.raised.clone();
            tokio::spawn(async move {
                let answer = reader.read(next).await;
                drop(place);
                // Also when nothing came of it: the next may be read now.
                let _ = raised.send(answer).await;
            });
        }
    }
}

/// Reads one log.
struct Reader {
    api: Api<ApiPod>,
    sink: Sink,
    refused: Arc<std::sync::Mutex<Option<Instant>>>,
}

/// Where it is told whether logs can be read.
pub(super) fn source() -> Source {
    Source::other("logs")
}

impl Reader {
    async fn read(&self, what: Reading) -> Raised {
        match tokio::time::timeout(LIMIT, self.last_words(&what)).await {
            Ok(Ok(Some((pod, bytes)))) => {
                let _ = self.sink.works(&source()).await;
                return self.tell(what, &pod, &bytes).await;
            }
            Ok(Ok(None)) => {}
            Ok(Err(error)) => self.failed(&what, &error).await,
            Err(_) => {
                let _ = self.sink.lost(&source(), format!("a log did not come within {LIMIT:?}")).await;
            }
        }
        Raised::default()
    }

    /// That a log is gone says nothing; that it may not be read is a lack.
    async fn failed(&self, what: &Reading, error: &kube::Error) {
        if matches!(error, kube::Error::Api(status) if matches!(status.code, 401 | 403)) {
            let until = Instant::now() + REFUSED;
            *self.refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(until);
            let _ = self.sink.lost(&source(), reason(error)).await;
        }
        tracing::debug!(pod = what.pod, container = what.container, %error, "no log to classify");
    }

    /// The end of the log of that life, and the pod as it is after it was read. When the container began another life
    /// meanwhile, what was read may be of that, and is read again.
    async fn last_words(&self, what: &Reading) -> Result<Option<(ApiPod, Vec<u8>)>, kube::Error> {
        let bytes = self.tail(what, what.how == Life::Previous).await?;
        let pod = self.api.get(&what.pod).await?;
        let reduced = crate::reduce::pod(&pod);
        let Some(now) = reduced.containers.iter().find(|c| c.name == what.container) else { return Ok(None) };
        match (what.how, now.restarts.checked_sub(what.life)) {
            (Life::Unready, Some(0)) if is_unready(now) => Ok(Some((pod, bytes))),
            (Life::Previous, _) | (Life::Ended, Some(0)) => Ok(Some((pod, bytes))),
            (Life::Ended, Some(1)) => Ok(Some((pod, self.tail(what, true).await?))),
            _ => Ok(None),
        }
    }

    async fn tail(&self, what: &Reading, previous: bool) -> Result<Vec<u8>, kube::Error> {
        let mut bytes = self.lines(what, previous, TAIL).await?;
        if bytes.len() >= MOST_BYTES {
            // The limit cuts the end off, which is what counts.
            bytes.push(b'\n');
            bytes.extend(self.lines(what, previous, SHORT_TAIL).await?);
        }
        Ok(bytes)
    }

    async fn lines(&self, what: &Reading, previous: bool, tail: i64) -> Result<Vec<u8>, kube::Error> {
        let params = LogParams {
            container: Some(what.container.clone()),
            previous,
            limit_bytes: i64::try_from(MOST_BYTES).ok(),
            tail_lines: Some(tail),
            timestamps: true,
            ..LogParams::default()
        };
        let log = self.api.log_stream(&what.pod, &params).await?;
        let mut bytes = Vec::new();
        // A server that does not know the limit must not fill the memory.
        let most = u64::try_from(MOST_BYTES).unwrap_or_default();
        futures::pin_mut!(log);
        // What came before the connection broke is as good as any other part.
        let _ = log.take(most).read_to_end(&mut bytes).await;
        Ok(bytes)
    }

    async fn tell(&self, what: Reading, pod: &ApiPod, bytes: &[u8]) -> Raised {
        let source = Source::api("pods/log");
        let heard = classify(bytes, &Mounts::of(pod, &what.container));
        let clues: Vec<_> =
            heard.into_iter().map(|h| clue(pod, &what.container, what.life, CluePlace::Log, h)).collect();
        if what.how != Life::Unready {
            let log = Log {
                pod: Subject::new("Pod", &what.namespace, &what.pod),
                uid: pod.metadata.uid.clone().unwrap_or_default(),
                container: what.container.clone(),
                restarts: what.life,
                bytes: u64::try_from(bytes.len()).map_or(MOST_SIZE, |n| n.min(MOST_SIZE)),
            };
            let _ = self.sink.send(&source, Signal::Log(log)).await;
        }
        let account = crate::reduce::pod(pod).service_account;
        let account = Subject::new("ServiceAccount", &what.namespace, &account);
        let rights = rights(&clues, &account);
        for clue in clues {
            let _ = self.sink.send(&source, Signal::Clue(clue)).await;
        }
        Raised { account: Some(account), rights, open: what.open }
    }
}

/// What clues say that this account may not do.
pub(super) fn rights(clues: &[Clue], account: &Subject) -> Vec<Right> {
    let own = |(who, right): (Option<Subject>, Right)| who.is_none_or(|w| w == *account).then_some(right);
    clues.iter().filter_map(|c| own(Right::denied(&c.kind)?)).collect()
}

/// Whether a container runs, and its probe says that it is not ready.
pub(super) fn is_unready(c: &Container) -> bool {
    !c.init && !c.ready && c.has_readiness_probe && matches!(c.state, ContainerState::Running { .. })
}
