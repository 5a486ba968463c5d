//! Signatures of AWS' version 4: read, made, compared.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use jiff::Timestamp;
use ring::{digest, hmac};
use std::fmt::Write as _;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: &str = "x-amz-date";
const CONTENT: &str = "x-amz-content-sha256";
/// The header of a session's token.
pub(crate) const TOKEN: &str = "x-amz-security-token";

/// An access key. Its secret is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The `Authorization` header of a signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authorization {
    pub(crate) key: String,
    day: String,
    pub(crate) region: String,
    pub(crate) service: String,
    signed: Vec<String>,
    signature: String,
}

impl Authorization {
    /// What a request is signed with; nothing when it is not, or not so that it can be read.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
        let rest = text.strip_prefix(ALGORITHM)?;
        let field =
            |name: &str| rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        let mut scope = field("Credential")?.split('/');
        let mut next = || scope.next().filter(|part| !part.is_empty()).map(str::to_string);
        let (key, day, region, service) = (next()?, next()?, next()?, next()?);
        (scope.next() == Some("aws4_request") && scope.next().is_none()).then_some(())?;
        Some(Authorization {
            key,
            day,
            region,
            service,
            signed: field("SignedHeaders")?.split(';').map(str::to_lowercase).collect(),
            signature: field("Signature")?.to_string(),
        })
    }
}

/// When a request says that it was signed.
pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// A request as far as it is signed.
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

impl Signed<'_> {
    /// Whether the signature is the one that `secret` gives.
    pub(crate) fn is_by(&self, secret: &str, authorization: &Authorization) -> bool {
        let Some(expected) = self.signature(secret, authorization) else { return false };
        // Compared as codes of codes, so that the time it takes tells nothing.
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, expected.as_bytes());
        hmac::verify(&key, authorization.signature.as_bytes(), tag.as_ref()).is_ok()
    }

    fn signature(&self, secret: &str, by: &Authorization) -> Option<String> {
        let date = self.headers.get(DATE)?.to_str().ok()?;
        let scope = format!("{}/{}/{}/aws4_request", by.day, by.region, by.service);
        let request = hex(digest::digest(&digest::SHA256, self.canonical(by)?.as_bytes()).as_ref());
        let text = format!("{ALGORITHM}\n{date}\n{scope}\n{request}");
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in [&by.day, &by.region, &by.service, "aws4_request"] {
            key = mac(&key, part);
        }
        Some(hex(&mac(&key, &text)))
    }

    fn canonical(&self, by: &Authorization) -> Option<String> {
        let mut query: Vec<String> = self.uri.query().unwrap_or_default().split('&').map(pair).collect();
        query.retain(|pair| pair != "=");
        query.sort();
        let (path, query) = (self.uri.path(), query.join("&"));
        let mut text = format!("{}\n{path}\n{query}\n", self.method);
        for name in &by.signed {
            let values: Option<Vec<String>> = self.headers.get_all(name).iter().map(plain).collect();
            let values = values.filter(|all| !all.is_empty())?;
            writeln!(text, "{name}:{}", values.join(",")).ok()?;
        }
        let content = match self.headers.get(CONTENT) {
            Some(given) => given.to_str().ok()?.to_string(),
            None => content(self.body),
        };
        write!(text, "\n{}\n{content}", by.signed.join(";")).ok()?;
        Some(text)
    }
}

/// Signs a request: sets its date, the digest of its body where it has none, the session's token where there is one,
/// and its `Authorization`. The `Host` has to be set.
pub(crate) fn sign(
    request: &mut http::Request<Vec<u8>>,
    key: &AccessKey,
    token: Option<&str>,
    service: &str,
    region: &str,
    now: Timestamp,
) {
    let date = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let digest = content(request.body());
    let headers = request.headers_mut();
    headers.remove(http::header::AUTHORIZATION);
    headers.remove(TOKEN);
    set(headers, DATE, &date);
    if !headers.contains_key(CONTENT) {
        set(headers, CONTENT, &digest);
    }
    let mut signed = ["host", CONTENT, DATE].map(String::from).to_vec();
    if let Some(token) = token {
        set(headers, TOKEN, token);
        signed.push(TOKEN.into());
    }
    let mut by = Authorization {
        key: key.id.clone(),
        day: date[..8].into(),
        region: region.into(),
        service: service.into(),
        signed,
        signature: String::new(),
    };
    let signed = Signed {
        method: request.method(),
        uri: request.uri(),
        headers: request.headers(),
        body: request.body(),
    };
    by.signature = signed.signature(&key.secret, &by).unwrap_or_default();
    let text = format!(
        "{ALGORITHM} Credential={}/{}/{region}/{service}/aws4_request, SignedHeaders={}, Signature={}",
        by.key,
        by.day,
        by.signed.join(";"),
        by.signature
    );
    set(request.headers_mut(), http::header::AUTHORIZATION.as_str(), &text);
}

fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

fn pair(text: &str) -> String {
    if text.contains('=') { text.into() } else { format!("{text}=") }
}

/// A header's value with single spaces.
fn plain(value: &HeaderValue) -> Option<String> {
    Some(value.to_str().ok()?.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn content(body: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, body).as_ref())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request of AWS' own test suite for signatures, with the signature that the suite gives.
    fn vanilla(signature: &str) -> http::Request<Vec<u8>> {
        let authorization = format!(
            "{ALGORITHM} Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={signature}"
        );
        http::Request::get("/?Param2=value2&Param1=value1")
            .header("Host", "example.amazonaws.com")
            .header("X-Amz-Date", "20150830T123600Z")
            .header("Authorization", authorization)
            .body(Vec::new())
            .expect("a request")
    }

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn is_by(request: &http::Request<Vec<u8>>, secret: &str) -> bool {
        let by = Authorization::of(request.headers()).expect("signed");
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        Signed { method, uri, headers, body: request.body() }.is_by(secret, &by)
    }

    #[test]
    fn the_published_example_has_the_published_signature() {
        let right = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500";
        assert!(is_by(&vanilla(right), SECRET));
        assert!(!is_by(&vanilla(right), "another secret"));
        assert!(!is_by(&vanilla(&right.replace('b', "c")), SECRET));
        let mut later = vanilla(right);
        later.headers_mut().insert(DATE, "20150830T123601Z".parse().expect("a value"));
        assert!(!is_by(&later, SECRET));
    }

    #[test]
    fn what_is_signed_here_is_recognised_here() {
        let mut request = http::Request::post("/")
            .header("Host", "127.0.0.1:5000")
            .body(b"Action=X".to_vec())
            .expect("valid");
        request.headers_mut().insert(TOKEN, "old".parse().expect("a value"));
        let key = AccessKey { id: "AKIAX".into(), secret: "s".into() };
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().expect("a time");
        sign(&mut request, &key, None, "iam", "us-east-1", now);
        assert!(is_by(&request, "s"));
        assert_eq!(date(request.headers()), Some(now));
        assert!(request.headers().get(TOKEN).is_none());
        let by = Authorization::of(request.headers()).expect("signed");
        assert_eq!((by.key.as_str(), by.service.as_str(), by.region.as_str()), ("AKIAX", "iam", "us-east-1"));
        sign(&mut request, &key, Some("token"), "iam", "us-east-1", now);
        assert!(is_by(&request, "s"));
        request.headers_mut().insert(TOKEN, "other".parse().expect("a value"));
        assert!(!is_by(&request, "s"), "the token is signed, too");
        sign(&mut request, &key, None, "iam", "us-east-1", now);
        *request.body_mut() = b"Action=Y".to_vec();
        request.headers_mut().remove(CONTENT);
        assert!(!is_by(&request, "s"));
    }

    #[test]
    fn other_authorizations_are_none() {
        for text in [
            "Bearer x",
            "AWS AKIA:sig",
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d, SignedHeaders=host, Signature=1",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, Signature=1",
            "AWS4-HMAC-SHA256 Credential=a//c/d/aws4_request, SignedHeaders=host, Signature=1",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", text.parse().expect("a value"));
            assert_eq!(Authorization::of(&headers), None, "{text}");
        }
        assert!(!format!("{:?}", AccessKey { id: "i".into(), secret: "hush".into() }).contains("hush"));
    }
}
