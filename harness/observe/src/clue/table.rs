//! The one table of what clients, runtimes and shells say. The first row that matches decides; `tests` has a line of a
//! real program for each row.

use super::shape;
use loopdrill_model::signal::{ClueKind, FilePlace, Peer, TlsFailure};
use regex::bytes::{Captures, Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use std::sync::LazyLock;

/// What a row makes of its match; nothing when what it needs has not the right shape.
type Make = fn(&Captures<'_>) -> Option<ClueKind>;

/// A row: who says it, and how.
pub(super) struct Row {
    /// Whose words these are. Unique: traces and tests name rows by it.
    pub(super) who: &'static str,
    pattern: &'static str,
    make: Make,
}

const fn row(who: &'static str, pattern: &'static str, make: Make) -> Row {
    Row { who, pattern, make }
}

static COMPILED: LazyLock<(RegexSet, Vec<Regex>)> = LazyLock::new(|| {
    let patterns = || ROWS.iter().map(|r| r.pattern);
    // Lines come in ASCII; without Unicode's classes the patterns are small and fast, whatever a log holds.
    let one = |p| RegexBuilder::new(p).unicode(false).build().expect("each pattern is compiled in a test");
    let set = RegexSetBuilder::new(patterns()).unicode(false).build();
    (set.expect("each pattern is compiled in a test"), patterns().map(one).collect())
});

/// What a line says.
pub(super) fn kind(line: &str) -> Option<ClueKind> {
    let (row, kind) = told(line)?;
    tracing::trace!(row = row.who, "heard");
    Some(kind)
}

/// The row that decides about a line, and what it says.
pub(super) fn told(line: &str) -> Option<(&'static Row, ClueKind)> {
    let (set, each) = &*COMPILED;
    let line = line.as_bytes();
    if ABOUT_OTHERS.is_match(line) {
        return None;
    }
    set.matches(line).into_iter().find_map(|i| {
        let kind = (ROWS[i].make)(&each[i].captures(line)?)?;
        Some((&ROWS[i], kind))
    })
}

/// What a server tells of those who come to it, and who tells that he came through in the end. These are no reasons of
/// its own to end, whatever words stand in them.
pub(super) const OTHERS: &[(&str, &str)] = &[
    (
        "Postgres, of a session",
        r"^\d{4}-\d\d-\d\d [\d:.]+ \S+ \[\d+\]:? .*(?:FATAL|ERROR|LOG|WARNING|DETAIL): +(?:\w+ authentication failed for user|no pg_hba\.conf entry|could not (?:receive data from|send data to|accept SSL connection)|unexpected EOF on client|Connection matched|[Rr]ole |database |the database system is |remaining connection slots|sorry, too many clients|terminating connection|permission denied for )",
    ),
    (
        "MySQL, of a client",
        r"\[(?:Note|Warning)\] (?:\[MY-\d+\] )?(?:\[\w+\] )?(?:Access denied|Aborted connection)",
    ),
    (
        "who came through",
        r"\b[Rr]econnected\b|[Cc]onnection (?:re-?established|restored)|[Ss]ucceeded after \d+ (?:attempts|retries|tries)",
    ),
];

static ABOUT_OTHERS: LazyLock<RegexSet> = LazyLock::new(|| {
    let set = RegexSetBuilder::new(OTHERS.iter().map(|(_, pattern)| *pattern)).unicode(false).build();
    set.expect("each pattern is compiled in a test")
});

fn text<'t>(c: &'t Captures<'_>, group: &str) -> Option<&'t str> {
    str::from_utf8(c.name(group)?.as_bytes()).ok()
}

fn peer(c: &Captures<'_>) -> Peer {
    // A pattern with two ways of saying it has a second name for the second.
    shape::peer(text(c, "host").or(text(c, "h")), text(c, "port"))
}

fn forbidden(c: &Captures<'_>) -> Option<ClueKind> {
    // Before 1.12 the group stood behind the resource.
    let said = text(c, "resource")?;
    let (resource, group) = match text(c, "group") {
        Some(group) => (said, group),
        None => said.split_once('.').unwrap_or((said, "")),
    };
    // What is not said is empty; what is said in another shape makes the whole unusable.
    let part = |said: &str| if said.is_empty() { Some(String::new()) } else { shape::name(said) };
    Some(ClueKind::ApiForbidden {
        account: text(c, "user").and_then(shape::account),
        verb: shape::verb(text(c, "verb")?)?,
        group: part(group)?,
        resource: shape::resource(resource)?,
        namespace: part(text(c, "namespace").unwrap_or_default())?,
        name: text(c, "name").and_then(shape::name).unwrap_or_default(),
    })
}

fn upstream(c: &Captures<'_>) -> Option<ClueKind> {
    let code = ["code", "c", "r"].iter().find_map(|group| text(c, group))?.parse().ok()?;
    Some(ClueKind::UpstreamError { code })
}

macro_rules! plain {
    ($kind:ident) => {
        |_| Some(ClueKind::$kind)
    };
}
macro_rules! file {
    ($kind:ident) => {
        |_| Some(ClueKind::$kind { file: FilePlace::Unknown })
    };
}
macro_rules! net {
    ($kind:ident) => {
        |c| Some(ClueKind::$kind { peer: peer(c) })
    };
}
macro_rules! tls {
    ($why:ident) => {
        |c| Some(ClueKind::Tls { why: TlsFailure::$why, peer: peer(c) })
    };
}

/// More exact rows first; what says only that something failed comes last.
pub(super) const ROWS: &[Row] = &[
    // The control plane behind the API.
    row(
        "etcd",
        r"etcdserver: (?:request timed out|leader changed|no leader|too many requests)",
        plain!(EtcdTimeout),
    ),
    // The API server.
    row(
        "api 403",
        r#"(?:[\w.-]+ "(?P<name>[^"]*)" is forbidden: )?User "(?P<user>[^"]+)" cannot (?P<verb>[a-z]+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"(?: in the namespace "(?P<namespace>[^"]*)")?"#,
        forbidden,
    ),
    row(
        "api 403 before 1.12",
        r#"(?:[\w.-]+ "(?P<name>[^"]*)" is forbidden: )?User "(?P<user>[^"]+)" cannot (?P<verb>[a-z]+) (?P<resource>[a-z]+(?:\.[a-z0-9.-]+)?(?:/[a-z]+)?) (?:in the namespace "(?P<namespace>[^"]*)"|at the cluster scope)"#,
        forbidden,
    ),
    row(
        "api 401",
        r#"the server has asked for the client to provide credentials|You must be logged in to the server|failed to (?:list|watch|get) \*?[\w./]+: Unauthorized|Message: Unauthorized! (?:Configured|Token)|ApiException: (?:\(401\)|Unauthorized)|HTTP-Code: 401 |reason"?: ?"Unauthorized", ?"?code"?: ?401|error retrieving resource lock .*: Unauthorized"#,
        plain!(ApiUnauthorized),
    ),
    // Certificates, before whatever failed because of them.
    row(
        "expired certificate",
        r"(?:https://(?P<host>[^/:@\s]+)(?::(?P<port>\d+))?\S*: (?:tls: [a-z ]+: )?x509: )?certificate has expired|CERT_HAS_EXPIRED|CertificateExpiredException|CertificateNotYetValidException|\bNotTimeValid\b|certificate is not yet valid|NotAfter: |CertExpired|invalid peer certificate: Expired|certificate expired|CERT_NOT_YET_VALID|(?i:(?:fatal alert: |alert |remote error: tls: )(?:certificate[_ ]expired|expired certificate))",
        tls!(Expired),
    ),
    row(
        "certificate for another name",
        r"certificate is (?:not )?valid for (?:[^;]*?, not )?(?P<host>[a-z0-9.-]+)|ERR_TLS_CERT_ALTNAME_INVALID|Hostname/IP does not match certificate|No subject alternative (?:DNS )?names?|(?:[Hh]ostname|IP address) mismatch, certificate|hostname '(?:[^']+)' doesn't match|RemoteCertificateNameMismatch|cannot validate certificate for \S+ because it doesn't contain any IP SANs|NotValidForName|no alternative certificate subject name matches|certificate relies on legacy Common Name field|(?i:(?:fatal alert: |alert |remote error: tls: )unrecognized[_ ]name)",
        tls!(WrongName),
    ),
    row(
        "unknown authority",
        r"(?:https://(?P<host>[^/:@\s]+)(?::(?P<port>\d+))?\S*: (?:tls: [a-z ]+: )?x509: )?certificate signed by unknown authority|PKIX path (?:building|validation) failed|unable to get (?:local )?issuer certificate|[Ss]elf[- ]signed certificate|SELF_SIGNED_CERT|UNABLE_TO_(?:VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT)|CERTIFICATE_VERIFY_FAILED|UnknownIssuer|(?i:certificate verif\w+ failed)|UntrustedRoot|PartialChain|unknown ca\b|SSL certificate problem|unable to verify the first certificate|(?i:(?:fatal alert: |alert |remote error: tls: )(?:bad[_ ]certificate|certificate[_ ](?:required|unknown)|unknown[_ ](?:ca|certificate)))",
        tls!(UnknownAuthority),
    ),
    row(
        "no TLS",
        r"first record does not look like a TLS handshake|(?i:wrong[ _]version[ _]number)|server gave HTTP response to HTTPS client|Unrecognized SSL message|server does not support SSL|SSL is not enabled on the server|not an SSL/TLS record|InvalidMessage\(InvalidContentType\)|(?i:(?:fatal alert: |alert |remote error: tls: )(?:handshake[_ ]failure|(?:tls )?protocol[_ ]version))",
        tls!(NoTls),
    ),
    // Clouds.
    row(
        "AWS denies",
        // A class of Java of that name is another's: of files, or of a server that denies its own user.
        r#"is not authorized to perform: |[Nn]ot authorized to perform sts:|\(AccessDenied(?:Exception)?\)|(?:^|[^.\w])AccessDenied(?:Exception)?: [^/]|<Code>AccessDenied</Code>|api error AccessDenied|UnauthorizedOperation: |\(UnauthorizedOperation\)|Access Denied \(Service: |Error Code: AccessDenied|\(403\) when calling the \w+ operation: Forbidden|\bAmazon\w+Exception: Access Denied|code: Some\("AccessDenied(?:Exception)?"\)|Aws::\w+::Errors::AccessDenied|\bAccessDenied \(client\)"#,
        plain!(CloudDenied),
    ),
    row(
        "Azure denies",
        r"AuthorizationFailed|does not have authorization to perform action|AuthorizationPermissionMismatch|LinkedAuthorizationFailed|ErrorCode: (?:AuthorizationFailure|Forbidden)\b|[Cc]aller is not authorized to perform action on resource|does not have \w+ \w+ permission on key vault|This request is not authorized to perform this operation|Forbidden \(403\); Substatus: ",
        plain!(CloudDenied),
    ),
    row(
        "Google denies",
        r"googleapi: (?:got HTTP response code|Error) 403|PERMISSION_DENIED: |code = PermissionDenied desc = (?:Permission|IAM|Caller|The caller)|does not have [a-z]+\.[a-zA-Z]+\.[a-zA-Z]+ access|Permission '[a-z.]+[a-zA-Z.]*' denied|api_core\.exceptions\.(?:PermissionDenied|Forbidden): 403|IAM returned 403 Forbidden",
        plain!(CloudDenied),
    ),
    row(
        "cloud throttles",
        r"\bThrottl(?:ing|ed)(?:Exception)?\b.*:|\(Throttling(?:Exception)?\)|RequestLimitExceeded|[Rr]ate [Ee]xceeded|TooManyRequestsException|\bSlowDown\b|ProvisionedThroughputExceeded|googleapi: Error 429|RESOURCE_EXHAUSTED|rateLimitExceeded|SubscriptionRequestsThrottled|ErrorCode: TooManyRequests|ResourceExhausted: 429|Quota exceeded for quota metric",
        plain!(CloudThrottled),
    ),
    row(
        "AWS token",
        r"ExpiredToken|InvalidIdentityToken|WebIdentityErr|InvalidClientTokenId|UnrecognizedClientException|security token included in the request is|SignatureDoesNotMatch|NoCredentialProviders|Unable to locate credentials|NoCredentialsError|no EC2 IMDS role found|failed to refresh cached credentials|CredentialsProviderError|Unable to load (?:AWS )?credentials from any|InvalidAccessKeyId|CredentialsNotLoaded|MissingCredentialsError|unable to sign request without credentials set|Unable to get IAM security credentials",
        plain!(CloudToken),
    ),
    row(
        "Azure and Google token",
        r#"AADSTS\d+|(?:ManagedIdentity|WorkloadIdentity|DefaultAzure)Credential[: ].*(?:unavailable|failed)|oauth2: "?invalid_grant|invalid_grant|could not find default credentials|[Yy]our default credentials were not found|Could not load the default credentials|from the Google Compute Engine metadata service\. Status: 4|DefaultCredentialsError|Identity not found|\b(?:Environment|Imds|ManagedIdentity|WorkloadIdentity|DefaultAzure|ChainedToken|AzureCli)Credential(?:: | authentication).*(?:[Ii]ncomplete|[Uu]nexpected|[Ii]nvalid|error)|AzureServiceTokenProviderException|no azure identity found for request|access token from (?:the )?(?:Compute Engine metadata|metadata server)|code = Unauthenticated desc ="#,
        plain!(CloudToken),
    ),
    // Passwords.
    row(
        "Postgres password",
        r"(?:password|PAM|LDAP|GSSAPI|SSPI|Peer|Ident|RADIUS|certificate) authentication failed for user|\b28P01\b|SASL authentication failed.*SCRAM|SCRAM-SERVER-FIRST-MESSAGE|no pg_hba\.conf entry for host",
        plain!(PasswordRejected),
    ),
    row(
        "MySQL password",
        r"Access denied for user '[^']*'@'|ER_ACCESS_DENIED_ERROR",
        plain!(PasswordRejected),
    ),
    row(
        "Redis password",
        r"\bWRONGPASS\b|\bNOAUTH\b|ERR invalid password|invalid username-password pair",
        plain!(PasswordRejected),
    ),
    row(
        "Kafka password",
        r"SaslAuthenticationException|SASL authentication error|SASL Authentication Failed|Authentication failed: Invalid username or password|SASL handshake failed",
        plain!(PasswordRejected),
    ),
    row(
        "other servers' password",
        r"MongoServerError: (?:bad auth|Authentication failed)|\(AuthenticationFailed\) Authentication failed|Exception authenticating MongoCredential|ACCESS_REFUSED - Login was refused|Login failed for user '|ORA-01017|unable to authenticate user \[|Bad credentials for user|LDAP: error code 49|Authentication failed\., full error|\[Bad credentials\]|nats: Authorization Violation|Authentication failed: password is incorrect|Authentication failed against (?:the )?database server|SASL \S+ authentication failed|username or password not allowed|status line \[HTTP/1\.1 401 ",
        plain!(PasswordRejected),
    ),
    row(
        "rights in a database",
        r#"not authorized on \w+ to execute|permission denied for (?:table|schema|relation|database|sequence|function|view)\b|\bcommand denied to user '|\bNOPERM\b|AuthorizationException: Not authorized|access to vhost '[^']*' refused|is unauthorized for user \[|\bsecurity_exception\b|Errors::Unauthorized\b|FATAL: +role "[^"]+" does not exist|ProbableAuthenticationError|AuthenticationFailureError"#,
        plain!(PasswordRejected),
    ),
    // Names.
    row(
        "Go name",
        r"\blookup (?P<host>[^\s:]+?)(?: on \S+)?: (?:no such host|server misbehaving|Temporary failure in name resolution|(?:read|dial) udp .*(?:i/o timeout|connection refused)|i/o timeout|operation was canceled)",
        net!(NameUnresolved),
    ),
    row(
        "Node name",
        r"getaddrinfo (?:ENOTFOUND|EAI_AGAIN|ENODATA)(?: (?P<host>[^\s:]+))?",
        net!(NameUnresolved),
    ),
    row(
        "Java name",
        r"UnknownHostException: (?:Failed to resolve ')?(?P<host>[^\s':]+)|Couldn't resolve server (?P<h>[^:\s]+):(?P<port>\d+) from bootstrap\.servers|No resolvable bootstrap urls",
        net!(NameUnresolved),
    ),
    row(
        "Postgres name",
        r#"could not translate host name "(?P<host>[^"]+)" to address"#,
        net!(NameUnresolved),
    ),
    row("MySQL name", r"Unknown (?:MySQL )?server host '(?P<host>[^']+)'", net!(NameUnresolved)),
    row(
        "PHP name",
        r"php_network_getaddresses: getaddrinfo(?: for (?P<host>[^\s:]+))? failed: ",
        net!(NameUnresolved),
    ),
    row(
        "Ruby name",
        r"Failed to open TCP connection to (?P<host>[^:\s]+):(?P<port>\d+) \((?:getaddrinfo|Hostname not known)",
        net!(NameUnresolved),
    ),
    row(
        "redis-rb name",
        r"Error connecting to Redis on (?P<host>[^:\s]+):(?P<port>\d+) \(SocketError\)",
        net!(NameUnresolved),
    ),
    row("pymongo name", r"\b(?P<host>[a-z0-9.-]+):(?P<port>\d+): \[Errno -[235]\] ", net!(NameUnresolved)),
    row(
        "aiohttp name",
        r"Cannot connect to host (?P<host>[^:\s]+):(?P<port>\d+) ssl:\S+ \[(?:Name or service|Temporary failure|Try again|Domain name not found|Could not contact DNS)",
        net!(NameUnresolved),
    ),
    row(
        "Elixir name",
        r"tcp connect \((?P<host>[^:)\s]+):(?P<port>\d+)\): non-existing domain",
        net!(NameUnresolved),
    ),
    row(
        "Erlang name",
        r#"\{to_address,\{"(?P<host>[^"]+)",(?P<port>\d+)\}\}.*\bnxdomain\b"#,
        net!(NameUnresolved),
    ),
    row("nslookup name", r"server can't find (?P<host>[^:\s]+): (?:NXDOMAIN|SERVFAIL)", net!(NameUnresolved)),
    row("HAProxy name", r"could not resolve address '(?P<host>[^':]+)", net!(NameUnresolved)),
    row(
        "Python name",
        r"host='(?P<host>[^']+)', port=(?P<port>\d+)\).*(?:Name or service not known|Temporary failure in name resolution|Failed to resolve|No address associated)",
        net!(NameUnresolved),
    ),
    row("urllib3 name", r"Failed to resolve '(?P<host>[^':]+)(?::(?P<port>\d+))?'", net!(NameUnresolved)),
    row(
        "redis-py name",
        r"Error -[2-5] connecting to (?P<host>[^\s:]+):(?P<port>\d+)\. ",
        net!(NameUnresolved),
    ),
    row(
        ".NET name",
        r"(?:Name or service not known|Resource temporarily unavailable|Name does not resolve) \((?P<host>[^:)\s]+):(?P<port>\d+)\)|SocketException \([^)]*\): (?:Name or service not known|Resource temporarily unavailable|Name does not resolve)",
        net!(NameUnresolved),
    ),
    row(
        "nginx name",
        r#"host not found in (?:upstream|resolver) "(?P<host>[^":/]+)(?::(?P<port>\d+))?"#,
        net!(NameUnresolved),
    ),
    row(
        "Redis name",
        r"connect to Redis at (?P<host>[^:\s]+):(?P<port>\d+): (?:Name or service not known|Temporary failure|Name does not resolve)",
        net!(NameUnresolved),
    ),
    row("curl name", r"Could not resolve host: (?P<host>\S+)", net!(NameUnresolved)),
    row(
        "busybox name",
        r"bad address '(?P<host>[^':]+)(?::(?P<port>\d+))?'|unable to resolve host address '(?P<h>[^']+)",
        net!(NameUnresolved),
    ),
    row(
        "libc name",
        r"failed to lookup address information|Name or service not known|Temporary failure in name resolution|nodename nor servname provided|No address associated with hostname|Try again \(EAI_AGAIN\)|name resolver error: produced zero addresses",
        net!(NameUnresolved),
    ),
    // Nobody listens.
    row(
        "Go refused",
        r"dial tcp (?P<host>\[[^\]]+\]|[^\s:]+):(?P<port>\d+): connect: connection refused",
        net!(ConnectionRefused),
    ),
    row("Node refused", r"ECONNREFUSED (?P<host>\S+?):(?P<port>\d+)", net!(ConnectionRefused)),
    row(
        "Postgres refused",
        r#"server at "(?P<host>[^"]+)"(?: \([^)]*\))?, port (?P<port>\d+) failed: Connection refused"#,
        net!(ConnectionRefused),
    ),
    row("JDBC refused", r"Connection to (?P<host>\S+?):(?P<port>\d+) refused", net!(ConnectionRefused)),
    row(
        "netty refused",
        r"Connection refused: (?:no further information: )?(?P<host>[^\s/:]+)?/(?:[^\s:/]+):(?P<port>\d+)",
        net!(ConnectionRefused),
    ),
    row(
        "Kafka refused",
        r"Connection to node -?\d+ \((?P<host>[^/)]+)/[^:]+:(?P<port>\d+)\) could not be established",
        net!(ConnectionRefused),
    ),
    row(
        "Python refused",
        r"host='(?P<host>[^']+)', port=(?P<port>\d+)\).*Connection refused",
        net!(ConnectionRefused),
    ),
    row(
        "redis-py refused",
        r"Error 111 connecting to (?P<host>[^\s:]+):(?P<port>\d+)\. Connection refused",
        net!(ConnectionRefused),
    ),
    row(
        "Redis refused",
        r"connect to Redis at (?P<host>[^:\s]+):(?P<port>\d+): Connection refused",
        net!(ConnectionRefused),
    ),
    row(
        "MySQL refused",
        r"Can't connect to (?:MySQL )?server on '(?P<host>[^':]+)(?::(?P<port>\d+))?'.*\((?:111|\[Errno 111\] Connection refused)\)",
        net!(ConnectionRefused),
    ),
    row(
        "nginx refused",
        r#"\(111: Connection refused\) while connecting to upstream.*upstream: "\w+://(?P<host>[^:/"]+):(?P<port>\d+)"#,
        net!(ConnectionRefused),
    ),
    row(
        "curl refused",
        r"Failed to connect to (?P<host>\S+) port (?P<port>\d+)(?: after \d+ ms)?: (?:Connection refused|Couldn't connect|Could not connect)",
        net!(ConnectionRefused),
    ),
    row(
        ".NET refused",
        r"Connection refused (?:\[::ffff:|\()?(?P<host>[^\s:()\]]+)\]?:(?P<port>\d+)",
        net!(ConnectionRefused),
    ),
    row(
        "Ruby refused",
        r"Failed to open TCP connection to (?P<host>[^:\s]+):(?P<port>\d+) \(Connection refused",
        net!(ConnectionRefused),
    ),
    row(
        "redis-rb refused",
        r"Error connecting to Redis on (?P<host>[^:\s]+):(?P<port>\d+) \(Errno::ECONNREFUSED\)",
        net!(ConnectionRefused),
    ),
    row(
        "pymongo refused",
        r"\b(?P<host>[a-z0-9.-]+):(?P<port>\d+): \[Errno 111\] Connection refused",
        net!(ConnectionRefused),
    ),
    row(
        "librdkafka refused",
        r"Connect to ipv[46]#(?P<host>\[[^\]]+\]|[\d.]+):(?P<port>\d+) failed: Connection refused",
        net!(ConnectionRefused),
    ),
    row(
        "mongo refused",
        r"Error connecting to (?P<host>[^:\s]+):(?P<port>\d+).* :: Connection refused",
        net!(ConnectionRefused),
    ),
    row(
        "aiohttp refused",
        r"Cannot connect to host (?P<host>[^:\s]+):(?P<port>\d+) ssl:\S+ \[Connect call failed",
        net!(ConnectionRefused),
    ),
    row(
        "gRPC refused",
        r"ipv[46]:(?P<host>\[[^\]]+\]|[\d.]+):(?P<port>\d+): Failed to connect to remote host: .*Connection refused",
        net!(ConnectionRefused),
    ),
    row(
        "Erlang refused",
        r#"\{to_address,\{"(?P<host>[^"]+)",(?P<port>\d+)\}\}.*\beconnrefused\b"#,
        net!(ConnectionRefused),
    ),
    row(
        "Elixir refused",
        r"tcp connect \((?P<host>[^:)\s]+):(?P<port>\d+)\): connection refused",
        net!(ConnectionRefused),
    ),
    // Broken off.
    row(
        "Go reset",
        r"read tcp \S+->(?P<host>\[[^\]]+\]|[^\s:]+):(?P<port>\d+): read: connection reset by peer",
        net!(ConnectionReset),
    ),
    row(
        "Kafka disconnected",
        r"Bootstrap broker (?P<host>[^:\s]+):(?P<port>\d+) .*disconnected",
        net!(ConnectionReset),
    ),
    row(
        "Mongo's driver closed",
        r"connection (?:<monitor>|\d+) to (?P<host>[^:\s]+):(?P<port>\d+) closed",
        net!(ConnectionReset),
    ),
    // No answer.
    row(
        "Go no answer",
        r"dial tcp (?P<host>\[[^\]]+\]|[^\s:]+):(?P<port>\d+): (?:i/o timeout|connect: (?:connection timed out|no route to host|network is unreachable))",
        net!(ConnectionTimedOut),
    ),
    row(
        "Go HTTP no answer",
        r#"(?:Get|Post|Put|Head|Patch|Delete) "https?://(?P<host>\[[^\]]+\]|[^/:"@\s]+)(?::(?P<port>\d+))?[^"]*": (?:net/http: request canceled while waiting for connection|dial tcp: i/o timeout)"#,
        net!(ConnectionTimedOut),
    ),
    row(
        "Go HTTP late",
        r#"(?:Get|Post|Put|Head|Patch|Delete) "https?://(?P<host>\[[^\]]+\]|[^/:"@\s]+)(?::(?P<port>\d+))?[^"]*": (?:net/http: |context deadline exceeded)"#,
        net!(AnswerLate),
    ),
    // A lease is renewed at the API server.
    row("lost lease", r"leader ?election lost|[Ff]ailed to renew lease \S+: ", |_| {
        let peer = shape::peer(Some("kubernetes.default.svc"), Some("443"));
        Some(ClueKind::AnswerLate { peer })
    }),
    row(
        "Node no answer",
        r"(?:ETIMEDOUT|EHOSTUNREACH|ENETUNREACH) (?P<host>\S+?):(?P<port>\d+)",
        net!(ConnectionTimedOut),
    ),
    row(
        "Postgres no answer",
        r#"server at "(?P<host>[^"]+)"(?: \([^)]*\))?, port (?P<port>\d+) failed: (?:Connection timed out|timeout expired|No route to host)"#,
        net!(ConnectionTimedOut),
    ),
    row(
        "Java no answer",
        r"(?i:connect(?:ion)? timed out): (?P<host>[^\s/:]+)?(?:/[^\s:]+)?:(?P<port>\d+)|SocketTimeoutException: [Cc]onnect timed out|NoRouteToHostException",
        net!(ConnectionTimedOut),
    ),
    row(
        "Python no answer",
        r"(?:ConnectTimeoutError.*)?Connection to (?P<host>\S+) timed out|ConnectTimeoutError",
        net!(ConnectionTimedOut),
    ),
    row(
        "curl no answer",
        r"Failed to connect to (?P<host>\S+) port (?P<port>\d+).*(?:timed out|No route)|Connection timed out after \d+ milliseconds",
        net!(ConnectionTimedOut),
    ),
    row(
        "MySQL no answer",
        r"Can't connect to (?:MySQL )?server on '(?P<host>[^':]+)(?::(?P<port>\d+))?'.*\((?:110|113|\[Errno 11[03]\][^)]*|timed out)\)",
        net!(ConnectionTimedOut),
    ),
    row(
        "tedious no answer",
        r"Failed to connect to (?P<host>[^:\s]+):(?P<port>\d+) in \d+ ?ms",
        net!(ConnectionTimedOut),
    ),
    row(
        "pymongo no answer",
        r"\b(?P<host>[a-z0-9.-]+):(?P<port>\d+): timed out \(configured timeouts",
        net!(ConnectionTimedOut),
    ),
    row(
        "Mongo's driver no answer",
        r"connection (?:<monitor>|\d+) to (?P<host>[^:\s]+):(?P<port>\d+) timed out",
        net!(ConnectionTimedOut),
    ),
    row(
        "no connection of a pool",
        r"Pool-\d+ - Connection is not available, request timed out|pool timed out while waiting for an open connection|Timed out waiting for a node assignment|(?:not present in|[Ff]ailed to update) metadata after \d+ ms",
        net!(AnswerLate),
    ),
    row("Python late", r"host='(?P<host>[^']+)', port=(?P<port>\d+)\): Read timed out", net!(AnswerLate)),
    // Upstreams.
    row("nginx upstreams", r"no live upstreams while connecting to upstream", |_| {
        Some(ClueKind::UpstreamError { code: 502 })
    }),
    row("Envoy", r"upstream connect error or disconnect/reset before headers|no healthy upstream", |_| {
        Some(ClueKind::UpstreamError { code: 503 })
    }),
    row(
        "HTTP 5xx",
        r"(?i:status(?: ?code)?[:= ]+|unexpected status[^:]*: |response code:? |server error: |http error )(?P<code>5\d\d)\b|returned (?P<r>5\d\d)(?:$|[.,:;)])|(?P<c>\b50[0234]) (?:Internal Server Error|Bad Gateway|Service Unavailable|Gateway Time-?[Oo]ut)",
        upstream,
    ),
    // Disks and files.
    row(
        "inotify",
        r"(?i:(?:inotify|fsnotify).*(?:no space left on device|too many open files))|(?i:too many open files.*(?:inotify|fsnotify))|number of inotify (?:instances|watches)|number of file watchers reached",
        plain!(TooManyFiles),
    ),
    row(
        "ENOSPC",
        r"(?i:no space left on device|not enough space on the disk)|\b(?:ENOSPC|enospc)\b|Operating system error number 28\b",
        file!(NoSpace),
    ),
    row("EDQUOT", r"(?i:disk quota exceeded)|\bEDQUOT\b", file!(NoSpace)),
    row(
        "EROFS",
        r"(?i:read-only file ?system)|\b(?:EROFS|erofs)\b|Operating system error number 30\b",
        file!(ReadOnlyFileSystem),
    ),
    row(
        "EIO",
        r"(?i:input/output error|structure needs cleaning|\bdisk I/O error|stale (?:nfs )?file handle|transport endpoint is not connected)|\bE(?:IO|STALE):|Operating system error number 5\b",
        file!(DiskError),
    ),
    row("EMFILE", r"(?i:too many open files)|\bE[MN]FILE\b", plain!(TooManyFiles)),
    row(
        "EADDRINUSE",
        r"(?i:address (?:already )?in use)|\bEADDRINUSE\b|Port \d+ (?:was|is) already in use|Connection in use: \(",
        plain!(AddressInUse),
    ),
    // Memory.
    row("Java memory", r"java\.lang\.OutOfMemoryError", plain!(RuntimeOutOfMemory)),
    row("Node memory", r"JavaScript heap out of memory", plain!(RuntimeOutOfMemory)),
    row(
        "Go memory",
        r"fatal error: (?:runtime: )?(?:cannot allocate memory|out of memory)|runtime: out of memory",
        plain!(RuntimeOutOfMemory),
    ),
    row("Python memory", r"^(?:numpy\S*)?MemoryError\b", plain!(RuntimeOutOfMemory)),
    row(".NET memory", r"System\.OutOfMemoryException", plain!(RuntimeOutOfMemory)),
    row(
        "Rust and C++ memory",
        r"memory allocation of \d+ bytes failed|std::bad_alloc",
        plain!(RuntimeOutOfMemory),
    ),
    row("PHP memory", r"Allowed memory size of \d+ bytes exhausted", plain!(RuntimeOutOfMemory)),
    row("Ruby memory", r"failed to allocate memory(?: \(NoMemoryError\))?$", plain!(RuntimeOutOfMemory)),
    row(
        "JVM memory",
        r"insufficient memory for the Java Runtime Environment to continue|os::commit_memory\(.*errno=12",
        plain!(RuntimeOutOfMemory),
    ),
    row("ENOMEM", r"(?i:cannot allocate memory)|\bENOMEM\b", plain!(RuntimeOutOfMemory)),
    // The program itself.
    row(
        "ENOEXEC",
        r"(?i:exec format error)|\bENOEXEC\b|cannot execute binary file|CPU does not support x86-64|Illegal instruction \(core dumped\)",
        plain!(ExecFormat),
    ),
    row(
        "no such program",
        r#"executable file not found in \$PATH|: (?:command )?not found$|exec: "[^"]+": stat .* no such file or directory|exec [^:]+: no such file or directory|can't open file '[^']+': \[Errno 2\]|Cannot find module '|ModuleNotFoundError: |ClassNotFoundException: |error while loading shared libraries|Unable to access jarfile |Could not find or load main class |version `GLIBC_[\d.]+' not found|bundler: command not found: |The application '[^']+' does not exist|cannot open shared object file|\b(?:ba|da|a|z|k)?sh: (?:(?:line )?\d+: )?(?:can't open '[^']+'|[^\s:']+): No such file or directory|[Mm]issing script: |Cannot find package '|\benv: '?[^:']+'?: No such file or directory|\benv: can't execute '|compatible framework version|must install or update \.NET"#,
        plain!(CommandNotFound),
    ),
    row(
        "EACCES",
        r#"\bEACCES\b|\bEPERM\b|(?i:operation not permitted)|(?i:/\S+['"]?: permission denied)|(?i:permission denied:? \(?['"]?/)|\(13: Permission denied\)|AccessDeniedException: /|nio\.file\.AccessDeniedException|cannot bind socket \(Permission denied\)|has wrong ownership|[Ee]rrno:? 13\b|Operating system error number 13\b|append-only \w+ \S+: Permission denied|UnauthorizedAccessException: Access to the path|bind: permission denied|for saving: Permission denied$|lock file on a read-only directory: |has invalid permissions$|must be accessible by owner only|: eacces\b"#,
        file!(FilePermission),
    ),
    // Settings.
    row(
        "missing variable",
        r"(?i:environment variables? \S+ (?:is|are|was|must|not|cannot)\b|(?:missing|required|undefined) (?:required )?(?:environment variable|env var|env))|KeyError: '[A-Z][A-Z0-9_]+'|\b[A-Z][A-Z0-9_]{3,} (?:is not set|is required|must be set|is undefined|not set|environment variable)|[Ee]nvironment variable not found: |\b[A-Z][A-Z0-9]*_[A-Z0-9_]+ (?:not found|(?:is )?missing|is empty|is not defined|(?:is )?not configured)$|: NotPresent\b|[A-Z_]+: (?:unbound variable|parameter (?:not set|null or not set))",
        plain!(SettingMissing),
    ),
    row(
        "missing setting",
        r#"Could not resolve placeholder '|(?i:missing required (?:flag|option|setting|argument|configuration|property|key|parameter))|required (?:flag|key)\(?s?\)? .*(?:not set|missing)|superuser password is not specified|(?:need to|must) specify one of|(?i:config(?:uration)? file \S* ?(?:not found|does not exist|missing))|\.(?:ya?ml|json|toml|conf|cfg|ini|properties|env)['"]?: (?:no such file or directory|No such file or directory|cannot find)|ENOENT: no such file or directory, open '[^']+\.(?:ya?ml|json|toml|conf|env)'|Failed to configure a DataSource|Field required \[type=missing|Missing `secret_key_base`|no password (?:supplied|was provided)|password must be a string|ConnectionString property has not been initialized|[Mm]ust specify a region|[Rr]egion is missing|[Mm]issing region in config|secretOrPrivateKey must have a value|[Pp]lease (?:define|set|provide|specify|configure) (?:a |an |the |your )?(?:`\w+`|'\w+'|"\w+"|[A-Z][A-Z0-9_]{3,}\b)|The configuration file '[^']+' was not found"#,
        plain!(SettingMissing),
    ),
    row(
        "malformed setting",
        r#"yaml: (?:line \d+|unmarshal errors|did not find|mapping values)|(?i:(?:error|failed|unable|cannot|could not)(?: to)? (?:pars|load|decod|unmarshal|read)(?:e|ing)? (?:the )?\S*config)|invalid (?:configuration|config|port|value) |(?:unknown|unrecognized) (?:shorthand )?(?:flag|option|arguments?|configuration parameter|directive|field)|flag provided but not defined|JSONDecodeError|Unexpected token .* in JSON|\[emerg\]|TOML parse error|strconv\.\w+: parsing|unexpected argument '|error: (?:the following arguments are required|unrecognized arguments)|Failed to bind properties under|FATAL CONFIG FILE ERROR|configuration file "[^"]+" contains errors|unknown (?:keyword|variable) '|Unable to parse JSON as proto|ScannerError|invalid character .* looking for beginning of value|Unrecognized VM option |Invalid (?:maximum|minimum|initial) heap size|ImproperlyConfigured: |validation errors? for \w*(?:Settings|Config)|expected connection string to start with|Format of the initialization string does not conform|Error during parsing: |ERR_INVALID_URL"#,
        plain!(SettingMalformed),
    ),
    // What says no more than that the network failed, and what else a program throws.
    row(
        "refused",
        r"(?i:connection refused)|\b(?:ECONNREFUSED|econnrefused)\b|kind: ConnectionRefused",
        net!(ConnectionRefused),
    ),
    row("unresolved", r"\bnxdomain\b", net!(NameUnresolved)),
    row(
        "reset",
        r"(?i:connection reset)|\bECONNRESET\b|(?i:broken pipe)|server closed the connection unexpectedly|\bsocket hang up\b|Lost connection to (?:MySQL )?server|\bServer disconnected\b|Connection terminated unexpectedly|socket disconnected before secure TLS|server has gone away",
        net!(ConnectionReset),
    ),
    row(
        "no answer",
        r"(?i:connection timed out|no route to host|network is unreachable|connection timeout expired)|due to connection timeout$|\[2002\] Operation timed out|\bE(?:CONN)?TIMEDOUT\b|code = DeadlineExceeded|OperationalError: timeout expired$|\bhttpx\.ConnectTimeout\b|\bNet::OpenTimeout\b|Timeout connecting to server|\b(?:etimedout|ehostunreach)\b",
        net!(ConnectionTimedOut),
    ),
    row(
        "late",
        r"SocketTimeoutException: Read timed out|HttpClient\.Timeout of|Timeout during reading attempt|\bNet::ReadTimeout\b|\bread tcp \S+: i/o timeout$|TLS handshake timeout|TimeoutError: timed out",
        net!(AnswerLate),
    ),
    // Who says no more than that he comes through to nobody: the look at the cluster tells why.
    row(
        "Prisma not reached",
        r"Can't reach database server at `(?P<host>[^`]+)`:`(?P<port>\d+)`",
        net!(NotReached),
    ),
    row(
        "StackExchange not reached",
        r"UnableToConnect on (?P<host>[^:\s/]+):(?P<port>\d+)",
        net!(NotReached),
    ),
    row(
        "lettuce not reached",
        r"Unable to connect to \[?(?P<host>[a-z0-9.-]+)(?:/<unresolved>)?:(?P<port>\d+)",
        net!(NotReached),
    ),
    row("Npgsql not reached", r"Failed to connect to (?P<host>[^\s:,]+):(?P<port>\d+)", net!(NotReached)),
    row(
        "reqwest not reached",
        r"error sending request for url \(https?://(?P<host>[^/:)\s]+)(?::(?P<port>\d+))?",
        net!(NotReached),
    ),
    row(
        "botocore not reached",
        r#"Could not connect to the endpoint URL: "https?://(?P<host>[^/:"]+)(?::(?P<port>\d+))?"#,
        net!(NotReached),
    ),
    row(
        "not reached",
        r"A network-related or instance-specific error occurred while establishing a connection|KafkaJSConnectionError: Connection timeout|\[Connection\] Connection timeout|No servers found yet, Timeout|Could not connect to any servers|All connection attempts failed|\bNoBrokersAvailable\b|Communications link failure|Could not reach any contact point|UNAVAILABLE: io exception|Failed to connect to any host resolved|Reached the max retries per request limit|Failed to refresh slots cache|None of the specified endpoints were reachable|selecting a server using CompositeServerSelector|\d+/\d+ brokers are down|Could not establish TCP connection to any of the configured hosts|No (?:primary )?server is available in cluster|No suitable servers found|all connection attempts failed",
        net!(NotReached),
    ),
    row(
        "stack trace",
        r#"^panic: |^fatal error: all goroutines are asleep|^goroutine \d+ \[|Traceback \(most recent call last\)|Exception in thread "|^thread '[^']*'.* panicked at|Unhandled exception\.|^\s+at \S+ ?\(.+:\d+(?::\d+)?\)$|(?i:segmentation fault)|\bSIGSEGV\b|^Uncaught |UnhandledPromiseRejection|PHP Fatal error: +Uncaught |triggerUncaughtException"#,
        plain!(StackTrace),
    ),
];
