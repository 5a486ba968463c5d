//! How the SDK is set up: one HTTP client, credentials, retries, time limits.

use crate::CloudError;
use aws_config::{
    BehaviorVersion, Region, SdkConfig, profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_credential_types::provider::ProvideCredentials as _;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_iam::config::SharedHttpClient;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use loopdrill_cluster::{aws::AwsTarget, with_causes};
use std::time::Duration;

/// Attempts at one call. Throttling is retried with a pause that grows from a fifth of a second to ten.
const ATTEMPTS: u32 = 8;
/// Attempts of whoever wants to know what the cloud says now. It is also the SDK's own default.
const FEW: u32 = 3;

/// A client for TLS; or one for an endpoint without, which has no roots to read.
fn http_client() -> SharedHttpClient {
    if std::env::var("AWS_ENDPOINT_URL").is_ok_and(|url| url.starts_with("http://")) {
        return Builder::new().build_http();
    }
    let context = TlsContext::builder().with_trust_store(trusted()).build();
    let client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
    client.tls_context(context.expect("what is missing in a context has a default")).build_https()
}

/// Whom TLS trusts: whom this machine trusts. A machine without any roots, such as a pod that holds this program and
/// nothing else, trusts Mozilla's list, unless its user says with `SSL_CERT_FILE` or `SSL_CERT_DIR` what to trust.
fn trusted() -> TrustStore {
    let of_machine = !rustls_native_certs::load_native_certs().certs.is_empty();
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
    trust(of_machine, named)
}

fn trust(of_machine: bool, named: bool) -> TrustStore {
    match (of_machine, named) {
        (true, _) => TrustStore::default(),
        (false, true) => TrustStore::empty(),
        (false, false) => mozillas(),
    }
}

fn mozillas() -> TrustStore {
    let pem = |der: &[u8]| {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", BASE64_STANDARD.encode(der))
    };
    let all = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    all.fold(TrustStore::empty(), |store, der| store.with_pem_certificate(pem(der)))
}

/// A configuration from the environment, as all of the SDK's programs have it.
pub(crate) fn loader() -> aws_config::ConfigLoader {
    let limits = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(10))
        .operation_timeout(Duration::from_secs(40))
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        .retry_config(retries(FEW))
        .timeout_config(limits)
}

fn retries(attempts: u32) -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(attempts)
        .with_initial_backoff(Duration::from_millis(200))
        .with_max_backoff(Duration::from_secs(10))
}

fn of_target(target: &AwsTarget) -> aws_config::ConfigLoader {
    let loader = loader().region(Region::new(target.region.clone()));
    match &target.endpoint_url {
        Some(url) => loader.endpoint_url(url),
        None => loader,
    }
}

/// The configuration of a target with its credentials; these are resolved here, so that their absence is told as
/// that.
pub(crate) async fn with_credentials(target: &AwsTarget) -> Result<SdkConfig, CloudError> {
    let mut loader = of_target(target).retry_config(retries(ATTEMPTS));
    if let Some(file) = &target.credentials_file {
        let files = EnvConfigFiles::builder().with_file(EnvConfigFileKind::Credentials, file).build();
        let how = ProviderConfig::without_region().with_http_client(http_client());
        let provider = ProfileFileCredentialsProvider::builder().configure(&how).profile_files(files);
        loader = loader.credentials_provider(provider.build());
    }
    let config = loader.load().await;
    let none = |why: String| CloudError::NoCredentials { place: target.place(), why };
    let provider = config.credentials_provider().ok_or_else(|| none("there is no provider".into()))?;
    let found = provider.provide_credentials().await;
    found.map_err(|e| none(crate::error::short(&with_causes(&e))))?;
    Ok(config)
}

/// The configuration of a target for calls that carry no signature.
pub(crate) async fn unsigned(target: &AwsTarget) -> SdkConfig {
    of_target(target).no_credentials().load().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mozilla_s_list_is_whole_and_only_for_who_has_and_names_nothing() {
        // A store tells its certificates in its debug form only.
        let roots = |store: &TrustStore| format!("{store:?}").matches("CertificatePEM(").count();
        let list = trust(false, false);
        // That each can be read shows at a connection: `faults/tests/cloud`.
        assert_eq!(roots(&list), webpki_root_certs::TLS_SERVER_ROOT_CERTS.len());
        assert!(roots(&list) > 100, "{}", roots(&list));
        for (of_machine, named) in [(true, false), (true, true), (false, true)] {
            assert_eq!(roots(&trust(of_machine, named)), 0);
        }
    }
}
