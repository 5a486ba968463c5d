use super::*;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use loopdrill_model::Subject;
use loopdrill_model::signal::{Peer, TlsFailure};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;

fn heard(log: &str) -> Vec<ClueKind> {
    classify(log.as_bytes(), &mounts()).into_iter().map(|h| h.kind).collect()
}

fn mounts() -> Mounts {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "p"},
        "spec": {
            "containers": [{
                "name": "app",
                "volumeMounts": [
                    {"name": "data", "mountPath": "/data"},
                    {"name": "scratch", "mountPath": "/data/tmp"},
                    {"name": "conf", "mountPath": "/etc/app/"},
                    {"name": "data", "mountPath": "/shown", "readOnly": true},
                ],
            }],
            "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": "disk"}},
                {"name": "scratch", "emptyDir": {}},
                {"name": "conf", "configMap": {"name": "c"}},
            ],
        },
    }))
    .expect("a pod");
    Mounts::of(&pod, "app")
}

/// The class as it is serialised.
fn class(kind: &ClueKind) -> String {
    serde_json::to_value(kind).expect("plain data")["class"].as_str().expect("a class").to_owned()
}

/// A clue in a few words: class, then its fields.
fn short(kind: &ClueKind) -> String {
    let at = |p: &Peer| match p.port {
        Some(port) => format!(" {}:{port}", p.host),
        None if p.host.is_empty() => String::new(),
        None => format!(" {}", p.host),
    };
    let rest = match kind {
        ClueKind::ApiForbidden { account, verb, group, resource, namespace, name } => {
            let who = account.as_ref().map(Subject::to_string).unwrap_or_default();
            format!(" {who} {verb} {resource}.{group} in={namespace} name={name}")
        }
        ClueKind::NameUnresolved { peer }
        | ClueKind::ConnectionRefused { peer }
        | ClueKind::ConnectionReset { peer }
        | ClueKind::NotReached { peer }
        | ClueKind::ConnectionTimedOut { peer }
        | ClueKind::AnswerLate { peer } => at(peer),
        ClueKind::Tls { why, peer } => format!(" {why:?}{}", at(peer)),
        ClueKind::UpstreamError { code } => format!(" {code}"),
        _ => String::new(),
    };
    format!("{}{rest}", class(kind))
}

/// Row, line, what it says. Lines are those of the programs named, with the places of their reports replaced.
const EXAMPLES: &[(&str, &str, &str)] = &[
    ("etcd", r#"error: failed to create lease: etcdserver: request timed out"#, "etcd-timeout"),
    (
        "etcd",
        r#"E1128 10:00:00.1 1 leaderelection.go:325] error retrieving resource lock kube-system/x: etcdserver: leader changed"#,
        "etcd-timeout",
    ),
    (
        "api 403",
        r#"E0608 19:25:39.577071       1 reflector.go:140] pkg/mod/k8s.io/client-go@v0.25.3/tools/cache/reflector.go:169: Failed to watch *v1.ClusterRole: failed to list *v1.ClusterRole: clusterroles.rbac.authorization.k8s.io is forbidden: User "system:serviceaccount:ops:falcon" cannot list resource "clusterroles" in API group "rbac.authorization.k8s.io" at the cluster scope"#,
        "api-forbidden ServiceAccount/ops/falcon list clusterroles.rbac.authorization.k8s.io in= name=",
    ),
    (
        "api 403",
        r#"io.fabric8.kubernetes.client.KubernetesClientException: Failure executing: GET at: https://10.96.0.1/api/v1/namespaces/shop/endpoints/hello. Message: Forbidden!Configured service account doesn't have access. Service account may have been revoked. endpoints "hello" is forbidden: User "system:serviceaccount:shop:default" cannot get resource "endpoints" in API group "" in the namespace "shop"."#,
        "api-forbidden ServiceAccount/shop/default get endpoints. in=shop name=hello",
    ),
    (
        "api 403",
        r#"HTTP response body: {"kind":"Status","status":"Failure","message":"pods is forbidden: User \"system:serviceaccount:shop:app\" cannot list resource \"pods\" in API group \"\" in the namespace \"shop\"","reason":"Forbidden","code":403}"#,
        "api-forbidden ServiceAccount/shop/app list pods. in=shop name=",
    ),
    (
        "api 403 before 1.12",
        r#"Message: Forbidden! configmaps "my-config" is forbidden: User "system:serviceaccount:default:default" cannot get configmaps in the namespace "default"."#,
        "api-forbidden ServiceAccount/default/default get configmaps. in=default name=my-config",
    ),
    (
        "api 403 before 1.12",
        r#"deployments.apps is forbidden: User "system:serviceaccount:a:b" cannot list deployments.apps at the cluster scope"#,
        "api-forbidden ServiceAccount/a/b list deployments.apps in= name=",
    ),
    ("api 401", r#"E1128 reflector.go:140] failed to list *v1.Pod: Unauthorized"#, "api-unauthorized"),
    ("api 401", r#"error: You must be logged in to the server (Unauthorized)"#, "api-unauthorized"),
    ("expired certificate", r#"Error: certificate has expired"#, "tls Expired"),
    (
        "expired certificate",
        r#"remote error: x509: certificate has expired or is not yet valid: current time 2026-01-01T00:00:00Z is after 2025-01-01T00:00:00Z"#,
        "tls Expired",
    ),
    (
        "certificate for another name",
        r#"tls: failed to verify certificate: x509: certificate is valid for web.shop.svc, not api.shop.svc"#,
        "tls WrongName api.shop.svc",
    ),
    (
        "certificate for another name",
        r#"Error [ERR_TLS_CERT_ALTNAME_INVALID]: Hostname/IP does not match certificate's altnames"#,
        "tls WrongName",
    ),
    (
        "unknown authority",
        r#"javax.net.ssl.SSLHandshakeException: PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path"#,
        "tls UnknownAuthority",
    ),
    (
        "unknown authority",
        r#"ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)"#,
        "tls UnknownAuthority",
    ),
    ("unknown authority", r#"invalid peer certificate: UnknownIssuer"#, "tls UnknownAuthority"),
    ("no TLS", r#"tls: first record does not look like a TLS handshake"#, "tls NoTls"),
    (
        "AWS denies",
        r#"An error occurred (AccessDenied) when calling the AssumeRoleWithWebIdentity operation: Not authorized to perform sts:AssumeRoleWithWebIdentity"#,
        "cloud-denied",
    ),
    (
        "AWS denies",
        r#"operation error S3: GetObject, https response error StatusCode: 403, RequestID: X, api error AccessDenied: User is not authorized to perform: s3:GetObject"#,
        "cloud-denied",
    ),
    (
        "Azure denies",
        r#"Code="AuthorizationFailed" Message="The client with object id does not have authorization to perform action 'Microsoft.Network/read'""#,
        "cloud-denied",
    ),
    (
        "Google denies",
        r#"googleapi: Error 403: app@p.iam.gserviceaccount.com does not have storage.objects.get access"#,
        "cloud-denied",
    ),
    ("cloud throttles", r#"ThrottlingException: Rate exceeded"#, "cloud-throttled"),
    (
        "cloud throttles",
        r#"An error occurred (Throttling) when calling the DescribeInstances operation: Rate exceeded"#,
        "cloud-throttled",
    ),
    (
        "AWS token",
        r#"An error occurred (ExpiredTokenException) when calling the AssumeRoleWithWebIdentity operation: Token expired"#,
        "cloud-token",
    ),
    ("AWS token", r#"botocore.exceptions.NoCredentialsError: Unable to locate credentials"#, "cloud-token"),
    (
        "Azure and Google token",
        r#"ClientAssertionCredential authentication failed. AADSTS70021: No matching federated identity record found"#,
        "cloud-token",
    ),
    (
        "Azure and Google token",
        r#"google.auth.exceptions.DefaultCredentialsError: Your default credentials were not found."#,
        "cloud-token",
    ),
    (
        "Postgres password",
        r#"FATAL:  password authentication failed for user "postgres""#,
        "password-rejected",
    ),
    (
        "Postgres password",
        r#"Npgsql.PostgresException (0x80004005): 28P01: password authentication failed"#,
        "password-rejected",
    ),
    (
        "MySQL password",
        r#"ERROR 1045 (28000): Access denied for user 'app'@'10.0.0.9' (using password: YES)"#,
        "password-rejected",
    ),
    (
        "Redis password",
        r#"io.lettuce.core.RedisCommandExecutionException: WRONGPASS invalid username-password pair or user is disabled."#,
        "password-rejected",
    ),
    (
        "Kafka password",
        r#"org.apache.kafka.common.errors.SaslAuthenticationException: Authentication failed: Invalid username or password"#,
        "password-rejected",
    ),
    ("other servers' password", r#"MongoServerError: Authentication failed."#, "password-rejected"),
    (
        "Go name",
        r#"dial tcp: lookup postgress.shop.svc.cluster.local on 10.96.0.10:53: no such host"#,
        "name-unresolved postgress.shop.svc.cluster.local",
    ),
    (
        "Go name",
        r#"dial tcp: lookup db on 10.96.0.10:53: read udp 10.0.0.1:4->10.96.0.10:53: i/o timeout"#,
        "name-unresolved db",
    ),
    ("Node name", r#"Error: getaddrinfo EAI_AGAIN redis-master"#, "name-unresolved redis-master"),
    (
        "Java name",
        r#"Caused by: java.net.UnknownHostException: Failed to resolve 'redis' [A(1)]"#,
        "name-unresolved redis",
    ),
    (
        "Java name",
        r#"WARN Couldn't resolve server kafka:9092 from bootstrap.servers as DNS resolution failed for kafka"#,
        "name-unresolved kafka:9092",
    ),
    (
        "Postgres name",
        r#"could not translate host name "pg-0.pg-headless.db.svc.cluster.local" to address: Name or service not known"#,
        "name-unresolved pg-0.pg-headless.db.svc.cluster.local",
    ),
    ("MySQL name", r#"ERROR 2005 (HY000): Unknown MySQL server host 'mysql' (-2)"#, "name-unresolved mysql"),
    (
        "Python name",
        r#"HTTPConnectionPool(host='api', port=80): Max retries exceeded with url: / (Caused by NewConnectionError('Failed to establish a new connection: [Errno -2] Name or service not known'))"#,
        "name-unresolved api:80",
    ),
    (
        "urllib3 name",
        r#"NameResolutionError: Failed to resolve 'vault.infra.svc' ([Errno -3] Temporary failure in name resolution)"#,
        "name-unresolved vault.infra.svc",
    ),
    (
        ".NET name",
        r#"System.Net.Http.HttpRequestException: Name or service not known (orders:8080)"#,
        "name-unresolved orders:8080",
    ),
    (
        ".NET name",
        r#"Unhandled exception. System.Net.Sockets.SocketException (00000005, 0xFFFDFFFF): Name or service not known"#,
        "name-unresolved",
    ),
    (
        "nginx name",
        r#"nginx: [emerg] host not found in upstream "backend:8080" in /etc/nginx/conf.d/default.conf:3"#,
        "name-unresolved backend:8080",
    ),
    (
        "Redis name",
        r#"Could not connect to Redis at cache:6379: Name or service not known"#,
        "name-unresolved cache:6379",
    ),
    ("curl name", r#"curl: (6) Could not resolve host: config-server"#, "name-unresolved config-server"),
    ("busybox name", r#"wget: bad address 'config:8888'"#, "name-unresolved config:8888"),
    (
        "libc name",
        r#"error trying to connect: dns error: failed to lookup address information: Name does not resolve"#,
        "name-unresolved",
    ),
    (
        "Go refused",
        r#"Get "https://10.96.0.1:443/api": dial tcp 10.96.0.1:443: connect: connection refused"#,
        "connection-refused 10.96.0.1:443",
    ),
    (
        "Go refused",
        r#"dial tcp [fd00::1]:5432: connect: connection refused"#,
        "connection-refused fd00::1:5432",
    ),
    ("Node refused", r#"Error: connect ECONNREFUSED 10.244.1.7:6379"#, "connection-refused 10.244.1.7:6379"),
    (
        "Postgres refused",
        r#"connection to server at "db" (10.96.7.7), port 5432 failed: Connection refused"#,
        "connection-refused db:5432",
    ),
    (
        "JDBC refused",
        r#"org.postgresql.util.PSQLException: Connection to db:5432 refused. Check that the hostname and port are correct"#,
        "connection-refused db:5432",
    ),
    (
        "netty refused",
        r#"io.netty.channel.AbstractChannel$AnnotatedConnectException: Connection refused: redis/10.96.1.2:6379"#,
        "connection-refused redis:6379",
    ),
    (
        "Kafka refused",
        r#"[AdminClient clientId=a] Connection to node -1 (kafka/10.96.1.3:9092) could not be established. Node may not be available."#,
        "connection-refused kafka:9092",
    ),
    (
        "Python refused",
        r#"HTTPConnectionPool(host='api', port=8080): Max retries exceeded (Caused by NewConnectionError('[Errno 111] Connection refused'))"#,
        "connection-refused api:8080",
    ),
    (
        "redis-py refused",
        r#"redis.exceptions.ConnectionError: Error 111 connecting to cache:6379. Connection refused."#,
        "connection-refused cache:6379",
    ),
    (
        "Redis refused",
        r#"Could not connect to Redis at 127.0.0.1:6379: Connection refused"#,
        "connection-refused 127.0.0.1:6379",
    ),
    (
        "MySQL refused",
        r#"ERROR 2003 (HY000): Can't connect to MySQL server on 'mysql:3306' (111)"#,
        "connection-refused mysql:3306",
    ),
    (
        "nginx refused",
        r#"connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.1, upstream: "http://10.96.3.3:8080/""#,
        "connection-refused 10.96.3.3:8080",
    ),
    (
        "curl refused",
        r#"curl: (7) Failed to connect to web port 80 after 3 ms: Couldn't connect to server"#,
        "connection-refused web:80",
    ),
    (
        ".NET refused",
        r#"System.Net.Internals.SocketExceptionFactory+ExtendedSocketException (111): Connection refused 172.18.0.4:5432"#,
        "connection-refused 172.18.0.4:5432",
    ),
    (
        "Go reset",
        r#"read tcp 10.0.0.1:4444->10.96.3.3:5432: read: connection reset by peer"#,
        "connection-reset 10.96.3.3:5432",
    ),
    ("Go no answer", r#"dial tcp 10.96.0.1:443: i/o timeout"#, "connection-timed-out 10.96.0.1:443"),
    (
        "Go HTTP no answer",
        r#"Get "http://vault.infra.svc:8200/v1": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)"#,
        "connection-timed-out vault.infra.svc:8200",
    ),
    (
        "Go HTTP late",
        r#"Get "http://vault.infra.svc:8200/v1": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"#,
        "answer-late vault.infra.svc:8200",
    ),
    (
        "Go HTTP late",
        r#"E0715 05:43:03.622768       1 leaderelection.go:330] error retrieving resource lock default/ray-operator-leader: Get "https://10.96.0.1:443/api/v1/namespaces/default/configmaps/ray-operator-leader": context deadline exceeded"#,
        "answer-late 10.96.0.1:443",
    ),
    (
        "lost lease",
        r#"2024-03-15T08:17:36Z    ERROR    setup    problem running manager    {"error": "leader election lost"}"#,
        "answer-late kubernetes.default.svc:443",
    ),
    (
        "lost lease",
        r#"F0412 09:13:00.000001       1 server.go:302] leaderelection lost"#,
        "answer-late kubernetes.default.svc:443",
    ),
    ("Node no answer", r#"Error: connect ETIMEDOUT 10.96.4.4:3306"#, "connection-timed-out 10.96.4.4:3306"),
    (
        "Postgres no answer",
        r#"connection to server at "db" (10.96.7.7), port 5432 failed: Connection timed out"#,
        "connection-timed-out db:5432",
    ),
    (
        "Java no answer",
        r#"io.netty.channel.ConnectTimeoutException: connection timed out: redis/10.96.1.2:6379"#,
        "connection-timed-out redis:6379",
    ),
    (
        "Python no answer",
        r#"urllib3.exceptions.ConnectTimeoutError: (<c>, 'Connection to api timed out. (connect timeout=5)')"#,
        "connection-timed-out api",
    ),
    (
        "curl no answer",
        r#"curl: (28) Failed to connect to web port 80 after 129 ms: Connection timed out"#,
        "connection-timed-out web:80",
    ),
    (
        "Envoy",
        r#"upstream connect error or disconnect/reset before headers. reset reason: connection failure"#,
        "upstream-error 503",
    ),
    ("HTTP 5xx", r#"error: unexpected status code: 502"#, "upstream-error 502"),
    ("HTTP 5xx", r#"requests.exceptions.HTTPError: 503 Service Unavailable for url"#, "upstream-error 503"),
    ("inotify", r#"failed to create fsnotify watcher: too many open files"#, "too-many-files"),
    ("ENOSPC", r#"OSError: [Errno 28] No space left on device"#, "no-space"),
    ("EDQUOT", r#"write /data/x: disk quota exceeded"#, "no-space"),
    ("EROFS", r#"chown: /data/gitea/log: Read-only file system"#, "read-only-file-system"),
    (
        "EROFS",
        r#"thread 'main' panicked at src/main.rs:1: Os { code: 30, kind: ReadOnlyFilesystem, message: "Read-only file system" }"#,
        "read-only-file-system",
    ),
    ("EIO", r#"read /data/wal: input/output error"#, "disk-error"),
    ("EMFILE", r#"accept tcp [::]:80: accept4: too many open files"#, "too-many-files"),
    ("EADDRINUSE", r#"Error: listen EADDRINUSE: address already in use :::3000"#, "address-in-use"),
    (
        "Java memory",
        r#"Exception in thread "main" java.lang.OutOfMemoryError: Java heap space"#,
        "runtime-out-of-memory",
    ),
    (
        "Node memory",
        r#"FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"#,
        "runtime-out-of-memory",
    ),
    ("Go memory", r#"fatal error: runtime: out of memory"#, "runtime-out-of-memory"),
    ("Python memory", r#"MemoryError"#, "runtime-out-of-memory"),
    (
        ".NET memory",
        r#"Unhandled exception. System.OutOfMemoryException: Exception of type was thrown."#,
        "runtime-out-of-memory",
    ),
    ("Rust and C++ memory", r#"memory allocation of 1073741824 bytes failed"#, "runtime-out-of-memory"),
    ("ENOMEM", r#"fork: Cannot allocate memory"#, "runtime-out-of-memory"),
    ("ENOEXEC", r#"exec /usr/local/bin/docker-entrypoint.sh: exec format error"#, "exec-format"),
    ("no such program", r#"/bin/sh: 1: uvicorn: not found"#, "command-not-found"),
    ("no such program", r#"exec: "serve": executable file not found in $PATH"#, "command-not-found"),
    ("EACCES", r#"Error: EACCES: permission denied, mkdir '/data/logs'"#, "file-permission"),
    (
        "EACCES",
        r#"mkdir: cannot create directory '/bitnami/postgresql/data': Permission denied"#,
        "file-permission",
    ),
    ("EACCES", r#"PermissionError: [Errno 13] Permission denied: '/data/x'"#, "file-permission"),
    ("missing variable", r#"KeyError: 'DATABASE_URL'"#, "setting-missing"),
    ("missing variable", r#"fatal: environment variable DB_HOST is not set"#, "setting-missing"),
    (
        "missing setting",
        r#"java.lang.IllegalArgumentException: Could not resolve placeholder 'db.url' in value "${db.url}""#,
        "setting-missing",
    ),
    (
        "missing setting",
        r#"Error: Database is uninitialized and superuser password is not specified."#,
        "setting-missing",
    ),
    ("missing setting", r#"open /etc/app/config.yaml: no such file or directory"#, "setting-missing"),
    (
        "malformed setting",
        r#"panic: yaml: line 3: mapping values are not allowed in this context"#,
        "setting-malformed",
    ),
    (
        "malformed setting",
        r#"nginx: [emerg] unknown directive "serverr" in /etc/nginx/nginx.conf:1"#,
        "setting-malformed",
    ),
    ("malformed setting", r#"Error: unknown flag: --verbos"#, "setting-malformed"),
    ("refused", r#"Connection refused (os error 111)"#, "connection-refused"),
    ("reset", r#"Error: read ECONNRESET"#, "connection-reset"),
    (
        "no answer",
        r#"java.net.ConnectException: Connection timed out (Connection timed out)"#,
        "connection-timed-out",
    ),
    ("stack trace", r#"panic: runtime error: index out of range [3] with length 3"#, "stack-trace"),
    ("stack trace", r#"Traceback (most recent call last):"#, "stack-trace"),
    ("stack trace", r#"Exception in thread "main" java.lang.NullPointerException"#, "stack-trace"),
    (
        "stack trace",
        r#"Unhandled exception. System.NullReferenceException: Object reference not set"#,
        "stack-trace",
    ),
];

#[test]
fn each_row_knows_its_programs_words() {
    let mut shown = BTreeSet::new();
    for (who, line, wanted) in EXAMPLES.iter().chain(field::EXAMPLES) {
        let (row, _) =
            table::told(&decode::lines(line.as_bytes())[0].text).unwrap_or_else(|| panic!("{who}: {line}"));
        assert_eq!(row.who, *who, "{line}");
        assert_eq!(heard(line).iter().map(short).collect::<Vec<_>>(), [*wanted], "{line}");
        shown.insert(row.who);
    }
    let all: BTreeSet<_> = table::ROWS.iter().map(|r| r.who).collect();
    assert_eq!(all.len(), table::ROWS.len(), "rows are named apart");
    assert_eq!(shown, all, "each row has an example");
}

#[test]
fn what_is_no_error_says_nothing() {
    for line in [
        "",
        "listening on :8080",
        "INFO  request of user failed: connection refused",
        "2026-11-28T10:00:00Z INFO retrying after connection refused",
        "level=info msg=\"dial tcp 10.0.0.1:80: connect: connection refused\"",
        "time=\"x\" level=debug msg=\"no space left on device\"",
        "I0608 19:25:39.577071 1 x.go:1] lookup db on 10.96.0.10:53: no such host",
        "{\"level\":\"info\",\"msg\":\"password authentication failed for user\"}",
        "{\"level\":30,\"msg\":\"read-only file system\"}",
        "10.0.0.1 - - [28/Nov/2026] \"GET /forbidden HTTP/1.1\" 502 157",
        "user wrote: forbidden, you cannot list resources here",
        "returned 500 rows in 12 ms",
        "org.springframework.security.access.AccessDeniedException: Access is denied",
        "org.springframework.security.authorization.AuthorizationDeniedException: Access Denied",
        "registered error codes: AccessDenied, Forbidden",
        "message from bob: access denied, he said, (403) is a number",
    ] {
        assert_eq!(heard(line), [], "{line}");
    }
}

#[test]
fn what_is_told_of_others_is_no_reason_of_its_own() {
    let shown: BTreeSet<_> = field::OF_OTHERS.iter().map(|(who, _)| *who).collect();
    let all: BTreeSet<_> = table::OTHERS.iter().map(|(who, _)| *who).collect();
    assert_eq!(shown, all, "each has an example");
    for (who, line) in field::OF_OTHERS {
        assert_eq!(heard(line), [], "{who}: {line}");
        let said = table::OTHERS.iter().filter(|(_, pattern)| {
            regex::bytes::Regex::new(pattern).expect("a pattern").is_match(line.as_bytes())
        });
        assert_eq!(said.map(|(who, _)| *who).collect::<Vec<_>>(), [*who], "{line}");
    }
    // mongod has its level in one letter.
    let refused = r#"{"t":{},"s":"I","c":"ACCESS","ctx":"conn1","msg":"Failed","attr":{"error":"MongoServerError: Authentication failed"}}"#;
    assert_eq!(heard(refused), []);
    // What Postgres tells of itself is.
    let own = "2024-01-01 00:00:00.000 UTC [1] FATAL:  could not write lock file \"postmaster.pid\": No space left on device";
    assert_eq!(heard(own).iter().map(class).collect::<Vec<_>>(), ["no-space"]);
}

#[test]
fn one_line_in_whatever_dress() {
    let bare = "dial tcp 10.96.3.3:5432: connect: connection refused";
    let wanted = ClueKind::ConnectionRefused { peer: Peer { host: "10.96.3.3".into(), port: Some(5432) } };
    let utf16 = |to: fn(u16) -> [u8; 2], mark: &[u8]| {
        let units = bare.encode_utf16().flat_map(to);
        mark.iter().copied().chain(units).collect::<Vec<_>>()
    };
    let long = format!("{}{bare}", "x".repeat(10 << 20));
    let dressed: Vec<Vec<u8>> = vec![
        bare.into(),
        format!("2026-11-28T10:00:00.123456789Z {bare}").into(),
        format!("\u{1b}[31mERROR\u{1b}[0m \u{1b}[1;33m{bare}\u{1b}[m\r\n").into(),
        format!("{{\"level\":\"error\",\"err\":{{\"message\":\"{bare}\"}}}}").into(),
        format!("2026-11-28T10:00:00Z stderr {{\"level\":50,\"msg\":\"x\\n{bare}\"}}").into(),
        utf16(u16::to_le_bytes, &[]),
        utf16(u16::to_le_bytes, &[0xff, 0xfe]),
        utf16(u16::to_be_bytes, &[0xfe, 0xff]),
        long.into(),
        [&[0xff, 0x00, 0x9f, 0x1b, b'['][..], b"\n", bare.as_bytes(), b"\n\xc3\x28"].concat(),
    ];
    for bytes in dressed {
        let heard = classify(&bytes, &Mounts::default());
        assert_eq!(
            heard.iter().map(|h| &h.kind).collect::<Vec<_>>(),
            [&wanted],
            "{:?}",
            &bytes[..bytes.len().min(90)]
        );
    }
}

#[test]
fn a_path_is_placed_by_the_mounts_and_dropped() {
    let place = |line: &str| match heard(line).pop() {
        Some(ClueKind::ReadOnlyFileSystem { file }) => file,
        other => panic!("{other:?}"),
    };
    let claim = FilePlace::Claim("disk".into());
    assert_eq!(place("chown: /data/gitea/log: Read-only file system"), claim);
    assert_eq!(place("mkdir: can't create directory '/data/git/.ssh': Read-only file system"), claim);
    assert_eq!(place("/usr/bin/app: cannot open '/data': Read-only file system"), claim);
    assert_eq!(place("open /data/tmp/x: read-only file system"), FilePlace::Node);
    assert_eq!(place("open /database/x: read-only file system"), FilePlace::Node);
    assert_eq!(place("open /etc/app/x: read-only file system"), FilePlace::ReadOnlyBySpec);
    assert_eq!(place("open /shown/x: read-only file system"), FilePlace::ReadOnlyBySpec);
    assert_eq!(place("OSError: [Errno 30] Read-only file system"), FilePlace::Unknown);
}

#[test]
fn the_newest_comes_first_and_what_is_long_before_the_end_is_no_last_word() {
    let log = "2026-11-28T09:00:00Z no space left on device\n\
               2026-11-28T10:00:00Z dial tcp 10.0.0.1:80: i/o timeout\n\
               2026-11-28T10:00:01Z dial tcp 10.0.0.1:80: i/o timeout\n\
               2026-11-28T10:00:02Z panic: gave up\n2026-11-28T10:00:03Z bye\n";
    let heard = classify(log.as_bytes(), &Mounts::default());
    let told: Vec<_> = heard.iter().map(|h| (class(&h.kind), h.lines, h.lines_after)).collect();
    assert_eq!(told, [("stack-trace".into(), 1, 1), ("connection-timed-out".into(), 2, 2)]);
}

#[test]
fn fields_have_their_shape_or_are_empty() {
    let key = "a8f5f167f44f4964e6c998dee827110c";
    for host in
        ["SeCrEt", "user:pw@host", "a_b", "-a", &"x".repeat(300), &format!("{key}.example.com"), "a/b"]
    {
        let kinds = heard(&format!("getaddrinfo ENOTFOUND {host}"));
        let text = serde_json::to_string(&kinds).expect("plain data");
        assert_eq!(kinds.len(), 1, "{host}");
        assert!(!text.contains(host), "{text}");
    }
    let odd = r#"x is forbidden: User "u" cannot smuggle resource "pods" in API group """#;
    assert_eq!(heard(odd), []);
    let odd = r#"User "s3cr3t" cannot get resource "pods" in API group "" in the namespace "n""#;
    assert!(matches!(&heard(odd)[..], [ClueKind::ApiForbidden { account: None, .. }]));
    assert!(matches!(
        &heard("x509: certificate is valid for a, not B_C")[..],
        [ClueKind::Tls { why: TlsFailure::WrongName, .. }]
    ));
}

/// Lines with a secret in every place where programs put one.
#[test]
fn canaries_do_not_sing() {
    const CANARY: &str = "CaNaRy0123456789";
    for (_, line, _) in EXAMPLES.iter().chain(field::EXAMPLES) {
        let dressed = [
            format!("{CANARY} {line} token={CANARY}"),
            line.replace(['/', ' '], &format!(" {CANARY} ")),
            line.replace('"', &format!("\"{CANARY}")),
            line.replace('\'', &format!("'{CANARY}/")),
            line.replace(": ", &format!(": {CANARY}@")),
        ];
        for line in dressed {
            let told = serde_json::to_string(&heard(&line)).expect("plain data");
            assert!(!told.to_lowercase().contains("canary"), "{line}\nbecame {told}");
        }
    }
}

proptest! {
    // Without optimisation a pattern takes its time.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn whatever_is_logged_is_bounded(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        prop_assert!(classify(&bytes, &mounts()).len() <= MOST_CLUES);
    }

    #[test]
    fn known_words_among_noise_are_bounded(
        picks in proptest::collection::vec((0..EXAMPLES.len(), "\\PC{0,40}", any::<bool>()), 0..12),
    ) {
        let lines = picks.iter().map(|(i, noise, glue)| match glue {
            true => format!("{noise}{}\n", EXAMPLES[*i].1),
            false => format!("{}\u{0}{noise}\n", EXAMPLES[*i].1),
        });
        let heard = classify(lines.collect::<String>().as_bytes(), &mounts());
        prop_assert!(heard.len() <= MOST_CLUES);
        prop_assert!(heard.is_sorted_by_key(|h| h.lines_after));
    }

    #[test]
    fn what_a_name_carries_has_its_shape(host in "\\PC{1,60}") {
        for kind in heard(&format!("curl: (6) Could not resolve host: {host}")) {
            if let ClueKind::NameUnresolved { peer } = kind {
                let shaped = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-:".contains(c);
                prop_assert!(peer.host.chars().all(shaped), "{}", peer.host);
            }
        }
    }
}

#[test]
fn a_time_stamp_of_the_api_is_no_part_of_the_line() {
    let line = &decode::lines(b"2026-11-28T10:00:00.5Z hello there")[0];
    assert_eq!(line.text, "hello there");
    assert_eq!(line.at, Some("2026-11-28T10:00:00.5Z".parse::<Timestamp>().expect("a time")));
    assert_eq!(decode::lines(b"2026 hello")[0].at, None);
}
