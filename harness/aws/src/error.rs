//! What the cloud's answers mean, in words that say what to do next.

use crate::Action;
use aws_sdk_iam::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use std::error::Error;

/// Why the cloud did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// There are no credentials.
    #[error(
        "no credentials for {place}: {why}; set AWS_PROFILE or the AWS_* variables, or name credentials_file in the target file"
    )]
    NoCredentials {
        /// Where the API is.
        place: String,
        /// What was tried.
        why: String,
    },
    /// The credentials are not accepted.
    #[error("{place} does not accept the credentials ({code}); renew them, and see that the clock is right")]
    BadCredentials {
        /// Where the API is.
        place: String,
        /// The API's code.
        code: String,
    },
    /// It is another account than the target's.
    #[error(
        "these credentials are of account {found}, and the target file pins {expected}; use the right profile"
    )]
    WrongAccount {
        /// The target's.
        expected: String,
        /// The one that answered.
        found: String,
    },
    /// The role is not one that may be touched.
    #[error("role {role} is not among the target file's roles; only those are touched")]
    NotNamed {
        /// The role.
        role: String,
    },
    /// An action is not allowed.
    #[error("{action} is not allowed at {place}; `loopdrill rbac --aws` prints the policy that is needed")]
    Denied {
        /// What was asked.
        action: Action,
        /// Where the API is.
        place: String,
    },
    /// What was asked for is not there.
    #[error("{action}: {what}; make it, or correct the target file")]
    NotFound {
        /// What was asked.
        action: Action,
        /// What the API says.
        what: String,
    },
    /// A quota of the account is used up.
    #[error("{action}: {what}; take away what is not needed, or raise the quota")]
    Limit {
        /// What was asked.
        action: Action,
        /// What the API says.
        what: String,
    },
    /// The API was too busy for too long.
    #[error("{action} is throttled by {place}, also after retries; try again later")]
    Throttled {
        /// What was asked.
        action: Action,
        /// Where the API is.
        place: String,
    },
    /// A token is expired, malformed or for somebody else.
    #[error("{action}: the token is not accepted ({code})")]
    Token {
        /// What was asked.
        action: Action,
        /// The API's code.
        code: String,
    },
    /// Nobody answers.
    #[error("{place} does not answer {action}: {why}; see that it runs and can be reached from here")]
    Unreachable {
        /// What was asked.
        action: Action,
        /// Where the API is.
        place: String,
        /// How that showed.
        why: String,
    },
    /// Anything else.
    #[error("{action} failed at {place}: {why}")]
    Other {
        /// What was asked.
        action: Action,
        /// Where the API is.
        place: String,
        /// The API's words.
        why: String,
    },
}

/// The answer to a call, in this crate's words.
pub(crate) fn answer<T, E, R>(
    action: Action,
    place: &str,
    result: Result<T, SdkError<E, R>>,
) -> Result<T, CloudError>
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug + 'static,
{
    result.map_err(|error| match &error {
        SdkError::ServiceError(context) => {
            let (code, message) = (context.err().code().unwrap_or_default(), context.err().message());
            refused(action, place, code, message.unwrap_or_default())
        }
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => {
            let why = DisplayErrorContext(&error).to_string();
            CloudError::Unreachable { action, place: place.into(), why: short(&why) }
        }
        _ => CloudError::Other {
            action,
            place: place.into(),
            why: short(&DisplayErrorContext(&error).to_string()),
        },
    })
}

/// What a refusal means, by its code.
pub(crate) fn refused(action: Action, place: &str, code: &str, message: &str) -> CloudError {
    let (place, what) = (place.to_owned(), short(message));
    match code {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => {
            CloudError::Denied { action, place }
        }
        "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "SlowDown" => CloudError::Throttled { action, place },
        "NoSuchEntity" | "NoSuchBucket" | "NoSuchKey" => CloudError::NotFound { action, what },
        "LimitExceeded" | "LimitExceededException" => CloudError::Limit { action, what },
        "InvalidIdentityToken" | "ExpiredTokenException" | "InvalidIdentityTokenException" => {
            CloudError::Token { action, code: code.into() }
        }
        "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException"
        | "InvalidToken"
        | "ExpiredToken"
        | "RequestExpired"
        | "RequestTimeTooSkewed" => CloudError::BadCredentials { place, code: code.into() },
        _ => CloudError::Other { action, place, why: format!("{code} {what}").trim().into() },
    }
}

/// The first words of a message on one line.
pub(crate) fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_permission_is_named_exactly() {
        let said = refused(Action::DetachRolePolicy, "here", "AccessDenied", "User: x is not authorized")
            .to_string();
        assert!(said.starts_with("iam:DetachRolePolicy is not allowed"), "{said}");
        assert!(said.contains("loopdrill rbac --aws"), "{said}");
    }

    #[test]
    fn codes_that_mean_the_same_are_the_same() {
        let of = |code| refused(Action::GetRole, "here", code, "");
        assert_eq!(of("Throttling"), of("ThrottlingException"));
        assert!(matches!(of("ExpiredTokenException"), CloudError::Token { .. }));
        assert!(matches!(of("ExpiredToken"), CloudError::BadCredentials { .. }));
        assert!(matches!(of("Whatever"), CloudError::Other { .. }));
    }
}
