//! Last lines of programs that people reported from clusters, beyond those in `tests`: SDKs of clouds in each language,
//! drivers of databases, and what else was silent, or spoke wrongly, when it was tried.

/// Row, line, what it says.
pub(super) const EXAMPLES: &[(&str, &str, &str)] = &[
    // The API server, to clients in Rust and JavaScript.
    (
        "api 401",
        r#"Error: ApiError: Unauthorized: Unauthorized (ErrorResponse { status: "Failure", message: "Unauthorized", reason: "Unauthorized", code: 401 })"#,
        "api-unauthorized",
    ),
    ("api 401", r#"Error: HTTP-Code: 401 Message: Unauthorized Body: x"#, "api-unauthorized"),
    ("expired certificate", r#"invalid peer certificate: Expired"#, "tls Expired"),
    // AWS.
    (
        "AWS denies",
        r#"Exception in thread "main" software.amazon.awssdk.services.s3.model.S3Exception: Access Denied (Service: S3, Status Code: 403, Request ID: 1)"#,
        "cloud-denied",
    ),
    (
        "AWS denies",
        r#"com.amazonaws.services.s3.model.AmazonS3Exception: Forbidden (Service: Amazon S3; Status Code: 403; Error Code: AccessDenied; Request ID: 1)"#,
        "cloud-denied",
    ),
    (
        "AWS denies",
        r#"botocore.exceptions.ClientError: An error occurred (403) when calling the HeadObject operation: Forbidden"#,
        "cloud-denied",
    ),
    (
        "AWS denies",
        r#"Amazon.S3.AmazonS3Exception: Access Denied ---> The remote server returned an error: (403) Forbidden."#,
        "cloud-denied",
    ),
    (
        "AWS denies",
        r#"ServiceError(ServiceError { source: Unhandled(Unhandled { code: Some("AccessDenied"), message: Some("Access Denied") }) })"#,
        "cloud-denied",
    ),
    ("AWS denies", r#"Access Denied (Aws::S3::Errors::AccessDenied)"#, "cloud-denied"),
    (
        "AWS denies",
        r#"resulted in a `403 Forbidden` response AccessDenied (client): Access Denied"#,
        "cloud-denied",
    ),
    ("AWS denies", r#"AccessDenied: Access Denied at throwDefaultError"#, "cloud-denied"),
    (
        "AWS token",
        r#"DispatchFailure(DispatchFailure { source: CredentialsNotLoaded(CredentialsNotLoaded { source: Some("no providers in chain") }) })"#,
        "cloud-token",
    ),
    (
        "AWS token",
        r#"Aws::Errors::MissingCredentialsError: unable to sign request without credentials set"#,
        "cloud-token",
    ),
    (
        "AWS token",
        r#"Amazon.Runtime.AmazonServiceException: Unable to get IAM security credentials from EC2 Instance Metadata Service."#,
        "cloud-token",
    ),
    // Azure.
    (
        "Azure denies",
        r#"Azure.RequestFailedException: Status: 403 (This request is not authorized to perform this operation.) ErrorCode: AuthorizationFailure"#,
        "cloud-denied",
    ),
    (
        "Azure denies",
        r#"Azure.RequestFailedException: Caller is not authorized to perform action on resource. Status: 403 (Forbidden)"#,
        "cloud-denied",
    ),
    (
        "Azure denies",
        r#"The user, group or application 'appid=a' does not have secrets get permission on key vault 'kv;location=westeurope'."#,
        "cloud-denied",
    ),
    (
        "Azure denies",
        r#"Microsoft.Azure.Cosmos.CosmosException : Response status code does not indicate success: Forbidden (403); Substatus: 5301"#,
        "cloud-denied",
    ),
    (
        "cloud throttles",
        r#"Azure.RequestFailedException: Service request failed. Status: 429 (Too Many Requests) ErrorCode: TooManyRequests"#,
        "cloud-throttled",
    ),
    // Google.
    (
        "Google denies",
        r#"google.api_core.exceptions.PermissionDenied: 403 The caller does not have permission"#,
        "cloud-denied",
    ),
    ("Google denies", r#"Unable to generate access token; IAM returned 403 Forbidden"#, "cloud-denied"),
    (
        "cloud throttles",
        r#"google.api_core.exceptions.ResourceExhausted: 429 Quota exceeded for quota metric 'Read requests'"#,
        "cloud-throttled",
    ),
    (
        "Azure and Google token",
        r#"java.io.IOException: Your default credentials were not found."#,
        "cloud-token",
    ),
    ("Azure and Google token", r#"Error: Could not load the default credentials."#, "cloud-token"),
    (
        "Azure and Google token",
        r#"google.auth.exceptions.RefreshError: ("Failed to retrieve http://metadata.google.internal/x/token from the Google Compute Engine metadata service. Status: 404 Response: b'Unable to fetch token'")"#,
        "cloud-token",
    ),
    // Passwords.
    (
        "other servers' password",
        r#"pymongo.errors.OperationFailure: Authentication failed., full error: {'ok': 0.0, 'code': 18}"#,
        "password-rejected",
    ),
    (
        "other servers' password",
        r#"cassandra.AuthenticationFailed: Error from server: code=0100 [Bad credentials] message="no""#,
        "password-rejected",
    ),
    ("other servers' password", r#"nats: Authorization Violation"#, "password-rejected"),
    (
        "other servers' password",
        r#"Code: 516. DB::Exception: default: Authentication failed: password is incorrect"#,
        "password-rejected",
    ),
    // Names.
    (
        "MySQL name",
        r#"ActiveRecord::ConnectionNotEstablished: Unknown server host 'db' (-2)"#,
        "name-unresolved db",
    ),
    (
        "PHP name",
        r#"SQLSTATE[HY000] [2002] php_network_getaddresses: getaddrinfo for mysql.shop.svc failed: Name does not resolve"#,
        "name-unresolved mysql.shop.svc",
    ),
    (
        "PHP name",
        r#"SQLSTATE[HY000] [2002] php_network_getaddresses: getaddrinfo failed: Try again"#,
        "name-unresolved",
    ),
    (
        "Ruby name",
        r#"SocketError: Failed to open TCP connection to api:8080 (getaddrinfo: Name or service not known)"#,
        "name-unresolved api:8080",
    ),
    (
        "redis-rb name",
        r#"Redis::CannotConnectError: Error connecting to Redis on redis:6379 (SocketError)"#,
        "name-unresolved redis:6379",
    ),
    (
        "pymongo name",
        r#"pymongo.errors.ServerSelectionTimeoutError: mongo:27017: [Errno -2] Name or service not known"#,
        "name-unresolved mongo:27017",
    ),
    (
        "aiohttp name",
        r#"aiohttp.client_exceptions.ClientConnectorError: Cannot connect to host api:8080 ssl:default [Name or service not known]"#,
        "name-unresolved api:8080",
    ),
    (
        "Elixir name",
        r#"** (DBConnection.ConnectionError) tcp connect (db:5432): non-existing domain - :nxdomain"#,
        "name-unresolved db:5432",
    ),
    (
        "HAProxy name",
        r#"[ALERT] (1) : config : 'server web/web1' : could not resolve address 'web.shop.svc'."#,
        "name-unresolved web.shop.svc",
    ),
    (
        "libc name",
        r#"rpc error: code = Unavailable desc = name resolver error: produced zero addresses"#,
        "name-unresolved",
    ),
    // Nobody listens, or nobody answers.
    (
        "Ruby refused",
        r#"Errno::ECONNREFUSED: Failed to open TCP connection to api:8080 (Connection refused - connect(2) for "api" port 8080)"#,
        "connection-refused api:8080",
    ),
    (
        "redis-rb refused",
        r#"Redis::CannotConnectError: Error connecting to Redis on redis:6379 (Errno::ECONNREFUSED)"#,
        "connection-refused redis:6379",
    ),
    (
        "pymongo refused",
        r#"pymongo.errors.ServerSelectionTimeoutError: mongo:27017: [Errno 111] Connection refused"#,
        "connection-refused mongo:27017",
    ),
    (
        "mongo refused",
        r#"couldn't connect to server 10.244.4.11:27017: Error connecting to 10.244.4.11:27017 :: caused by :: Connection refused"#,
        "connection-refused 10.244.4.11:27017",
    ),
    (
        "aiohttp refused",
        r#"ClientConnectorError: Cannot connect to host api:8080 ssl:default [Connect call failed ('10.96.3.3', 8080)]"#,
        "connection-refused api:8080",
    ),
    (
        "gRPC refused",
        r#"last error: UNKNOWN: ipv4:10.96.5.5:50051: Failed to connect to remote host: Connection refused"#,
        "connection-refused 10.96.5.5:50051",
    ),
    (
        "Elixir refused",
        r#"** (DBConnection.ConnectionError) tcp connect (db:5432): connection refused - :econnrefused"#,
        "connection-refused db:5432",
    ),
    (
        "MySQL no answer",
        r#"ERROR 2003 (HY000): Can't connect to MySQL server on 'db:3306' (110)"#,
        "connection-timed-out db:3306",
    ),
    (
        "pymongo no answer",
        r#"pymongo.errors.ServerSelectionTimeoutError: mongo:27017: timed out (configured timeouts: connectTimeoutMS: 20000.0ms)"#,
        "connection-timed-out mongo:27017",
    ),
    (
        "tedious no answer",
        r#"ConnectionError: Failed to connect to sql:1433 in 15000ms"#,
        "connection-timed-out sql:1433",
    ),
    (
        "reset",
        r#"server closed the connection unexpectedly This probably means the server terminated abnormally"#,
        "connection-reset",
    ),
    ("reset", r#"Error: socket hang up"#, "connection-reset"),
    // Disks, files, memory.
    (
        "ENOSPC",
        r#"BOOT FAILED {error,{could_not_write_file,"/var/lib/rabbitmq/x.config",enospc}}"#,
        "no-space",
    ),
    (
        "ENOSPC",
        r#"[ERROR] [MY-012592] [InnoDB] Operating system error number 28 in a file operation."#,
        "no-space",
    ),
    (
        "EIO",
        r#"[ERROR] [MY-012592] [InnoDB] Operating system error number 5 in a file operation."#,
        "disk-error",
    ),
    ("EIO", r#"sqlite3.OperationalError: disk I/O error"#, "disk-error"),
    (
        "EROFS",
        r#"[ERROR] [MY-012592] [InnoDB] Operating system error number 30 in a file operation."#,
        "read-only-file-system",
    ),
    (
        "inotify",
        r#"Error: ENOSPC: System limit for number of file watchers reached, watch '/app'"#,
        "too-many-files",
    ),
    (
        "inotify",
        r#"System.IO.IOException: The configured user limit (128) on the number of inotify instances has been reached"#,
        "too-many-files",
    ),
    (
        "EACCES",
        r#"Likely root cause: java.nio.file.AccessDeniedException: /usr/share/elasticsearch/data/nodes"#,
        "file-permission",
    ),
    (
        "EACCES",
        r#"java.lang.IllegalStateException: failed to obtain node locks: java.nio.file.AccessDeniedException: data/nodes"#,
        "file-permission",
    ),
    (
        "EACCES",
        r#"[ALERT] (295) : Binding for frontend http: cannot bind socket (Permission denied) for [0.0.0.0:80]"#,
        "file-permission",
    ),
    ("EACCES", r#"FATAL: data directory "/var/lib/postgresql/data" has wrong ownership"#, "file-permission"),
    (
        "EACCES",
        r#"mysqld: Can't create/write to file '/var/lib/mysql/is_writable' (OS errno 13 - Permission denied)"#,
        "file-permission",
    ),
    (
        "PHP memory",
        r#"PHP Fatal error: Allowed memory size of 134217728 bytes exhausted (tried to allocate 20480 bytes)"#,
        "runtime-out-of-memory",
    ),
    ("Ruby memory", r#"[FATAL] failed to allocate memory (NoMemoryError)"#, "runtime-out-of-memory"),
    (
        "JVM memory",
        r#"There is insufficient memory for the Java Runtime Environment to continue."#,
        "runtime-out-of-memory",
    ),
    // The program and its settings.
    ("no such program", r#"Error: Unable to access jarfile /app/app.jar"#, "command-not-found"),
    ("no such program", r#"Error: Could not find or load main class com.acme.App"#, "command-not-found"),
    (
        "no such program",
        r#"/app/server: /lib/libc.so.6: version `GLIBC_2.34' not found (required by /app/server)"#,
        "command-not-found",
    ),
    (
        "missing setting",
        r#"database_url Field required [type=missing, input_value={}, input_type=dict]"#,
        "setting-missing",
    ),
    (
        "missing setting",
        r#"ArgumentError: Missing `secret_key_base` for 'production' environment"#,
        "setting-missing",
    ),
    ("malformed setting", r#"*** FATAL CONFIG FILE ERROR (Redis 7.0.5) ***"#, "setting-malformed"),
    (
        "malformed setting",
        r#"FATAL: configuration file "/etc/postgresql/postgresql.conf" contains errors"#,
        "setting-malformed",
    ),
    (
        "malformed setting",
        r#"[ERROR] [MY-000067] [Server] unknown variable 'query_cache_size=0'."#,
        "setting-malformed",
    ),
    (
        "malformed setting",
        r#"error initializing configuration '/etc/envoy/envoy.yaml': Unable to parse JSON as proto (INVALID_ARGUMENT: no)"#,
        "setting-malformed",
    ),
    ("stack trace", r#"PHP Fatal error:  Uncaught TypeError: foo(): no"#, "stack-trace"),
];
