//! The cloud account of a cluster: which roles may be touched there, and how it is reached.

use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The file in a lab's state folder that describes its cloud, beside the kubeconfig.
pub const AWS_FILE: &str = "aws.yaml";

/// An AWS account, or what stands for one in a lab, as a user writes it in YAML.
///
/// ```yaml
/// account_id: "123456789012"
/// region: us-east-1
/// endpoint_url: http://127.0.0.1:5000   # absent on AWS itself
/// roles: [loopdrill-victim]
/// bucket: loopdrill-victim
/// credentials_file: aws-credentials     # else the SDK's default chain
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsTarget {
    /// The account; in any other nothing is touched.
    pub account_id: String,
    /// The region.
    pub region: String,
    /// Where the API is; absent on AWS itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<String>,
    /// The only roles that may be touched.
    pub roles: Vec<String>,
    /// The bucket in which victims read the object `probe`.
    pub bucket: String,
    /// A credentials file in the SDK's format. Without it the SDK's default chain decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_file: Option<PathBuf>,
}

/// Why a target file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum AwsTargetError {
    /// It cannot be read.
    #[error("cannot read {}: {source}; name a file that describes the account", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not YAML of this form.
    #[error("{}{}: {why}", path.display(), line.map(|l| format!(":{l}")).unwrap_or_default())]
    Form {
        /// The file.
        path: PathBuf,
        /// The line, where it is known.
        line: Option<usize>,
        /// What is wrong.
        why: String,
    },
}

impl AwsTarget {
    /// Reads a target file.
    ///
    /// # Errors
    /// [`AwsTargetError`] with file and line.
    pub fn read(path: &Path) -> Result<Self, AwsTargetError> {
        let text =
            fs::read_to_string(path).map_err(|source| AwsTargetError::Io { path: path.into(), source })?;
        Self::parse(path, &text)
    }

    /// Reads the target file in a lab's folder, where there is one.
    #[must_use]
    pub fn find(folder: &Path) -> Option<Result<Self, AwsTargetError>> {
        let file = folder.join(AWS_FILE);
        file.exists().then(|| Self::read(&file))
    }

    /// Reads the text of a target file; a relative path in it is meant from the file's folder.
    ///
    /// # Errors
    /// [`AwsTargetError::Form`] with file and line.
    pub fn parse(path: &Path, text: &str) -> Result<Self, AwsTargetError> {
        let wrong = |line, why| AwsTargetError::Form { path: path.into(), line, why };
        let mut target: Self =
            serde_yaml::from_str(text).map_err(|e| wrong(e.location().map(|l| l.line()), e.to_string()))?;
        if let Err((field, why)) = target.check() {
            return Err(wrong(line_of(text, field), why));
        }
        if let (Some(file), Some(folder)) = (&mut target.credentials_file, path.parent()) {
            *file = folder.join(&*file);
        }
        Ok(target)
    }

    /// What is wrong, and in which field.
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.account_id.len() != 12 || !self.account_id.bytes().all(|b| b.is_ascii_digit()) {
            let why = format!("account_id {:?} is not twelve digits in quotes", self.account_id);
            return Err(("account_id", why));
        }
        let is_region = |r: &str| !r.is_empty() && r.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !is_region(&self.region) {
            return Err(("region", format!("region {:?} is not the name of a region", self.region)));
        }
        if let Some(url) = self.endpoint_url.as_deref()
            && !["http://", "https://"]
                .iter()
                .any(|s| url.strip_prefix(s).is_some_and(|host| !host.is_empty()))
        {
            return Err(("endpoint_url", format!("endpoint_url {url:?} is not an http(s):// URL")));
        }
        if let Some(bad) = self.roles.iter().find(|r| !is_role(r)) {
            return Err(("roles", format!("{bad:?} is not the name of a role; an ARN or a path is none")));
        }
        if self.roles.is_empty() {
            return Err(("roles", "roles is empty; name a role that may be touched".into()));
        }
        if self.bucket.is_empty() || self.bucket.contains('/') {
            return Err(("bucket", format!("bucket {:?} is not the name of a bucket", self.bucket)));
        }
        Ok(())
    }

    /// The role that victims take on: the first one.
    #[must_use]
    pub fn victim_role(&self) -> &str {
        self.roles.first().map_or("", String::as_str)
    }

    /// The ARN of a role of this account.
    #[must_use]
    pub fn role_arn(&self, role: &str) -> String {
        format!("arn:{}:iam::{}:role/{role}", self.partition(), self.account_id)
    }

    /// The partition of the region, as ARNs name it.
    #[must_use]
    pub fn partition(&self) -> &'static str {
        match &self.region {
            r if r.starts_with("cn-") => "aws-cn",
            r if r.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    /// Where the API is, for messages.
    #[must_use]
    pub fn place(&self) -> String {
        self.endpoint_url.clone().unwrap_or_else(|| format!("AWS {}", self.region))
    }
}

fn is_role(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b))
}

/// The line on which a top-level field is written.
fn line_of(text: &str, field: &str) -> Option<usize> {
    let is_it = |line: &str| line.strip_prefix(field).is_some_and(|rest| rest.trim_start().starts_with(':'));
    text.lines().position(is_it).map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "account_id: \"123456789012\"\nregion: us-east-1\nendpoint_url: http://172.18.0.2:30500\n\
                        roles: [loopdrill-victim]\nbucket: loopdrill-victim\ncredentials_file: keys\n";

    fn parse(text: &str) -> Result<AwsTarget, String> {
        AwsTarget::parse(Path::new("/lab/aws.yaml"), text).map_err(|e| e.to_string())
    }

    #[test]
    fn the_contract_reads_and_a_relative_path_is_meant_from_the_file() {
        let target = parse(GOOD).expect("good");
        assert_eq!(target.victim_role(), "loopdrill-victim");
        assert_eq!(target.credentials_file.as_deref(), Some(Path::new("/lab/keys")));
        assert_eq!(target.role_arn("r"), "arn:aws:iam::123456789012:role/r");
        let absolute = parse(&GOOD.replace("keys", "/etc/keys")).expect("good");
        assert_eq!(absolute.credentials_file.as_deref(), Some(Path::new("/etc/keys")));
    }

    #[test]
    fn every_error_names_file_and_line() {
        let cases = [
            (GOOD.replace("region:", "regoin:"), ":2: "),
            (GOOD.replace("\"123456789012\"", "\"12345\""), ":1: "),
            (GOOD.replace("http://172.18.0.2:30500", "172.18.0.2"), ":3: "),
            (GOOD.replace("[loopdrill-victim]", "[]"), ":4: "),
            (GOOD.replace("[loopdrill-victim]", "[\"arn:aws:iam::1:role/x\"]"), ":4: "),
            (GOOD.replace("bucket: loopdrill-victim", "bucket: a/b"), ":5: "),
        ];
        for (text, line) in cases {
            let why = parse(&text).expect_err("bad");
            assert!(why.starts_with("/lab/aws.yaml") && why.contains(line), "{why}");
        }
        assert!(parse("").is_err() && parse("- 1").is_err());
    }
}
