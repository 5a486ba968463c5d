//! What a fault is. Its life (journal, inject, read back, undo, verify) is the same for all: [`crate::lifecycle`].

use crate::{Change, ChangeError, Footprint, Look};
use async_trait::async_trait;
use loopdrill_cluster::{ClusterFacts, NodeError, Target};
use loopdrill_model::{Capability, Cause, Evidence, Expectation, FaultId, Group, Loop, Root};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What is known of a fault without any cluster.
#[derive(Debug, Clone)]
pub struct FaultSpec {
    /// The canonical fault, such as `overlay-mtu`.
    pub fault: &'static str,
    /// Its variant, such as `df`.
    pub variant: &'static str,
    /// One line for `--list` and the scorecard.
    pub title: &'static str,
    /// Which set of drills it belongs to.
    pub group: Group,
    /// What must be named: for each root the causes that are right answers, all of one loop. None where silence
    /// is the right answer.
    pub roots: &'static [&'static [Cause]],
    /// For a domino the loops of its chain, from the root on.
    pub chain: &'static [Loop],
    /// What the cluster must be able to do.
    pub needs: &'static [Capability],
}

impl FaultSpec {
    /// Fault and variant.
    #[must_use]
    pub fn id(&self) -> FaultId {
        FaultId::new(self.fault, self.variant)
    }

    /// A canonical fault to which the rest is to be added: `FaultSpec { fault: "…", …, ..FaultSpec::CANONICAL }`.
    pub const CANONICAL: FaultSpec = FaultSpec {
        fault: "",
        variant: "",
        title: "",
        group: Group::Canonical,
        roots: &[],
        chain: &[],
        needs: &[],
    };

    /// A decoy to which the rest is to be added.
    pub const DECOY: FaultSpec = FaultSpec { group: Group::Decoy, ..FaultSpec::CANONICAL };

    /// A domino to which the rest is to be added.
    pub const DOMINO: FaultSpec = FaultSpec { group: Group::Domino, ..FaultSpec::CANONICAL };

    /// The right answer.
    #[must_use]
    pub fn expectation(&self) -> Expectation {
        let root = |causes: &&[Cause]| {
            Some(Root { control_loop: causes.first()?.control_loop(), causes: causes.to_vec() })
        };
        Expectation {
            group: self.group,
            roots: self.roots.iter().filter_map(root).collect(),
            chain: self.chain.to_vec(),
        }
    }
}

/// Why a step of a fault failed.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// The API server refused or did not answer.
    #[error("{doing}: {source}")]
    Api {
        /// What was being done.
        doing: String,
        /// The API's answer.
        source: Box<kube::Error>,
    },
    /// A node refused or did not answer.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A change could not be planned, applied or read.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// A condition did not come true in time.
    #[error("{what} did not happen within {seconds} s: {last}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// For how long.
        seconds: u64,
        /// What was seen last.
        last: String,
    },
    /// The cluster is not in the state that the fault needs.
    #[error("{0}")]
    Unfit(String),
    /// The run was interrupted.
    #[error("interrupted")]
    Interrupted,
}

impl FaultError {
    /// Wraps an API error with what was being done.
    pub fn api(doing: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let doing = doing.into();
        move |source| FaultError::Api { doing, source: Box::new(source) }
    }
}

/// The surroundings of one drill.
#[derive(Clone)]
pub struct FaultContext {
    /// The cluster.
    pub target: Arc<Target>,
    /// The drill.
    pub id: FaultId,
    /// The drill's own namespace. The engine has created it, labelled, and deletes it in the end.
    pub namespace: String,
    /// Cancelled by Ctrl-C: every wait must end then with [`FaultError::Interrupted`].
    pub cancel: CancellationToken,
}

/// One fault in one variant, with its victim.
///
/// # Life
/// `set_up` → `plan` → (the plan is journaled, applied, read back) → `trigger` → `look` until the victim is broken, or
/// `absorbed_by` when it is well at the deadline → (the plan is undone and verified) → `after_undo` → `look` until the
/// victim is well. The engine deletes the namespace.
///
/// # Implementations
/// - MUST NOT change anything outside the drill's namespace except by a [`Change`] in the plan;
/// - MUST wait on conditions with a deadline, and honour `cancel`;
/// - MUST judge the symptom from the victim's own side;
/// - MUST NOT remember anything of a drill: one value serves any number of drills, one after the other.
#[async_trait]
pub trait Fault: Send + Sync {
    /// What is known without a cluster.
    fn spec(&self) -> &'static FaultSpec;

    /// What it will touch in this cluster. Called only when `spec().needs` are met.
    fn footprint(&self, cluster: &ClusterFacts) -> Footprint;

    /// What it would do, in plain sentences, for `--dry-run`.
    fn dry_run(&self, cluster: &ClusterFacts) -> Vec<String>;

    /// What keeps the fault in force, for `--dry-run`.
    fn held_by(&self) -> &'static str {
        "the API server, as objects"
    }

    /// Starts the victim and waits until it is healthy.
    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError>;

    /// Takes the snapshots and says what will be changed. Touches nothing.
    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError>;

    /// What must hold beyond every single change before the fault counts as in force, with its evidence.
    ///
    /// # Errors
    /// When it does not hold: the fault is not injected then.
    async fn in_force(&self, _ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        Ok(Vec::new())
    }

    /// Makes the victim run into the fault where it would not do so by itself soon (its pod is deleted, its
    /// next pull begins). Acts on the victim only. Called once after the plan is in force.
    async fn trigger(&self, _ctx: &FaultContext) -> Result<(), FaultError> {
        Ok(())
    }

    /// One look at the victim. `shown` says whether it was broken at any earlier look of this drill: then also what
    /// it lost counts (its data, its node), and not only whether it works again.
    ///
    /// Whatever cannot be decided is [`Look::Settling`]: an answer of [`Look::Well`] passes a drill.
    ///
    /// # Errors
    /// When the cluster does not let anybody look.
    async fn look(&self, ctx: &FaultContext, shown: bool) -> Result<Look, FaultError>;

    /// What held, when the victim is well though the fault is in force: the traces of the mechanism. Reads only.
    async fn absorbed_by(&self, _ctx: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        Ok(Vec::new())
    }

    /// Lets the victim profit from the undo at once where it would wait for long by itself (a back-off of
    /// minutes, say). Acts on the victim only. Called once after the undo is verified.
    async fn after_undo(&self, _ctx: &FaultContext) -> Result<(), FaultError> {
        Ok(())
    }
}
