//! What a request asks for: the action and the resource that policies name.

use crate::sigv4::Authorization;
use http::{Method, request::Parts};
use std::collections::BTreeMap;

/// Parameters of the query protocol.
pub(crate) type Form = BTreeMap<String, String>;

/// The parameters of a request, from its body or its query.
pub(crate) fn form(parts: &Parts, body: &[u8]) -> Form {
    let kind = parts.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form = kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let text = if is_form { body } else { parts.uri.query().unwrap_or_default().as_bytes() };
    form_urlencoded::parse(text).map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
}

/// Action and resource of a signed request. An action that is not known here is named so that only a pattern for all
/// of its service's actions matches it.
pub(crate) fn action(
    account: &str,
    by: &Authorization,
    parts: &Parts,
    form: &Form,
    body: &[u8],
) -> (String, String) {
    match by.service.as_str() {
        "s3" => s3(parts, form),
        "ecr" => {
            let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
            let name = target.and_then(|target| target.rsplit('.').next()).unwrap_or("?");
            let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
            let resource = body["repositoryName"]
                .as_str()
                .map(|repository| format!("arn:aws:ecr:{}:{account}:repository/{repository}", by.region));
            (format!("ecr:{name}"), resource.unwrap_or_else(|| "*".into()))
        }
        service => {
            let get = |key: &str| form.get(key).map(String::as_str);
            let resource = match (get("RoleArn").or(get("PolicyArn")), get("RoleName")) {
                (Some(arn), _) => arn.into(),
                (None, Some(role)) => format!("arn:aws:iam::{account}:role/{role}"),
                (None, None) => "*".into(),
            };
            (format!("{service}:{}", get("Action").unwrap_or("?")), resource)
        }
    }
}

/// Only requests that name the bucket in the path: that is how an endpoint with an address is spoken to.
fn s3(parts: &Parts, form: &Form) -> (String, String) {
    let path = percent_encoding::percent_decode_str(parts.uri.path()).decode_utf8_lossy().into_owned();
    let path = path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    // `x-id` repeats the operation's name; everything else makes it another operation.
    let plain = form.keys().all(|key| key == "x-id" || key == "versionId" || key.starts_with("response-"));
    let lists =
        ["list-type", "prefix", "delimiter", "max-keys", "marker", "continuation-token", "start-after"];
    let list = form.keys().all(|key| {
        lists.contains(&key.as_str()) || ["x-id", "encoding-type", "fetch-owner"].contains(&key.as_str())
    });
    let action = match (&parts.method, bucket, key) {
        (_, "", _) => "ListAllMyBuckets",
        (&Method::GET | &Method::HEAD, _, "") if list => "ListBucket",
        (&Method::PUT, _, "") if plain => "CreateBucket",
        (&Method::DELETE, _, "") if plain => "DeleteBucket",
        (&Method::GET | &Method::HEAD, _, _) if plain => "GetObject",
        (&Method::PUT, _, _) if plain => "PutObject",
        (&Method::DELETE, _, _) if plain => "DeleteObject",
        _ => "?",
    };
    let resource = match (bucket, key) {
        ("", _) => "*".into(),
        (bucket, "") => format!("arn:aws:s3:::{bucket}"),
        (bucket, key) => format!("arn:aws:s3:::{bucket}/{key}"),
    };
    (format!("s3:{action}"), resource)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn ask(service: &str, request: Request<&str>) -> (String, String) {
        let (parts, body) = request.into_parts();
        let text = format!(
            "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=1"
        );
        let mut headers = http::HeaderMap::new();
        headers.insert("authorization", text.parse().expect("a value"));
        let by = Authorization::of(&headers).expect("signed");
        let form = form(&parts, body.as_bytes());
        action("123456789012", &by, &parts, &form, body.as_bytes())
    }

    fn s3(method: &str, uri: &str) -> (String, String) {
        ask("s3", Request::builder().method(method).uri(uri).body("").expect("valid"))
    }

    #[test]
    fn objects_and_buckets() {
        let get = ("s3:GetObject".to_string(), "arn:aws:s3:::b/a b".to_string());
        assert_eq!(s3("GET", "/b/a%20b?x-id=GetObject"), get);
        assert_eq!(s3("HEAD", "/b/k").0, "s3:GetObject");
        assert_eq!(s3("PUT", "/b/k?x-id=PutObject").0, "s3:PutObject");
        assert_eq!(s3("GET", "/b?list-type=2&prefix=x"), ("s3:ListBucket".into(), "arn:aws:s3:::b".into()));
        assert_eq!(s3("GET", "/"), ("s3:ListAllMyBuckets".into(), "*".into()));
        assert_eq!(s3("GET", "/b/k?acl").0, "s3:?");
        assert_eq!(s3("POST", "/b/k?uploads").0, "s3:?");
    }

    #[test]
    fn the_other_protocols() {
        let kind = "application/x-www-form-urlencoded";
        let form = |body| Request::post("/").header("content-type", kind).body(body).expect("valid");
        assert_eq!(
            ask("sts", form("Action=GetCallerIdentity&Version=x")),
            ("sts:GetCallerIdentity".into(), "*".into())
        );
        let role = ask("iam", form("Action=GetRole&RoleName=r"));
        assert_eq!(role, ("iam:GetRole".into(), "arn:aws:iam::123456789012:role/r".into()));
        assert_eq!(ask("iam", form("")).0, "iam:?");
        let target = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
        let ecr = Request::post("/").header("x-amz-target", target).body("{}").expect("valid");
        assert_eq!(ask("ecr", ecr), ("ecr:GetAuthorizationToken".into(), "*".into()));
        let target = "AmazonEC2ContainerRegistry_V20150921.BatchGetImage";
        let ecr = Request::post("/")
            .header("x-amz-target", target)
            .body(r#"{"repositoryName": "x"}"#)
            .expect("valid");
        assert_eq!(ask("ecr", ecr).1, "arn:aws:ecr:us-east-1:123456789012:repository/x");
    }
}
