//! Why no snapshot could be taken.

/// Why no snapshot could be taken.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The API server does not answer.
    #[error("{cluster} does not answer; check its address and your credentials with `kubectl cluster-info`")]
    Unreachable {
        /// The cluster.
        cluster: String,
        /// What the client says.
        source: kube::Error,
    },
    /// Something still holds the builder.
    #[error("a list did not come to its end; this is a defect of loopdrill: please report it")]
    Busy,
}
